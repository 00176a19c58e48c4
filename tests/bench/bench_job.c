/* SPDX-License-Identifier: Apache-2.0 */
/* tests/bench/bench_job.c — export jobs without Kafka, for measurements and profiles of everything below it.
 *
 * bench_job [--section.key=value …] GROUP…         each group once
 * bench_job [--section.key=value …] --to N         groups s0001 … of tests/bench/dataset.sql
 *
 * export.lanes threads take the groups one after the other, as the worker's lanes do. One JSON line says what it took.
 */
#include "export/job.h"

#include "export/program.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LIMITS ((struct uex_job_limits){.part_bytes = 1000000, .list_bytes = 32 << 20})
#define LANES_MAX 256

struct bench {
    struct uex_config config;
    struct uex_job_services *services;
    struct uex_spool_dir *spools;
    char **groups; /* NULL: numbered */
    int group_count;
    atomic_int taken, failed;
    atomic_uint_fast64_t row_count, text_bytes, object_bytes;
};

static void export_one(struct bench *bench, struct uex_job_runner *runner, const char *group_id)
{
    char nothing[] = "", group[UEX_GROUP_ID_MAX_BYTES + 1];
    struct uex_command command = {.group_id = group,
                                  .run_id = nothing,
                                  .requested_by = nothing,
                                  .reason = nothing,
                                  .requested_at_ms = UEX_NO_TIME};
    struct uex_job_outcome out = {0};

    (void)snprintf(group, sizeof(group), "%s", group_id);
    uex_uuid_random(command.command_id);
    uex_job_run(runner, &command, &uex_program_cancel, NULL, NULL, &out);
    if (out.error != UEX_OK || out.skip != UEX_SKIP_NONE) {
        (void)fprintf(stderr, "%s: %s %s\n", group, uex_error_code(out.error), out.fault.text);
        atomic_fetch_add(&bench->failed, 1);
    } else {
        atomic_fetch_add(&bench->row_count, out.row_count);
        atomic_fetch_add(&bench->text_bytes, out.text_bytes);
        atomic_fetch_add(&bench->object_bytes, out.object.size_bytes);
    }
    uex_job_outcome_clear(&out);
}

static void *lane(void *argument)
{
    struct bench *bench = argument;
    struct uex_job_runner *runner = NULL;
    struct uex_fault fault = {0};
    char number[16];
    int taken;

    if (uex_job_runner_new(bench->services, bench->spools, LIMITS, &runner, &fault) != UEX_OK) {
        (void)fprintf(stderr, "%s\n", fault.text);
        atomic_fetch_add(&bench->failed, 1);
        return NULL;
    }
    while ((taken = atomic_fetch_add(&bench->taken, 1)) < bench->group_count) {
        (void)snprintf(number, sizeof(number), "s%04d", taken + 1);
        export_one(bench, runner, bench->groups == NULL ? number : bench->groups[taken]);
    }
    uex_job_runner_free(runner);
    return NULL;
}

static void run(struct bench *bench)
{
    int64_t count = bench->config.export_lanes < LANES_MAX ? bench->config.export_lanes : LANES_MAX;
    pthread_t threads[LANES_MAX];

    for (int64_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, lane, bench) != 0)
            abort();
    for (int64_t i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void say(const struct bench *bench, int64_t duration_ms)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    printf("{\"seconds\": %.3f, \"groups\": %d, \"failed\": %d, \"rows\": %llu, \"text_bytes\": %llu, "
           "\"object_bytes\": %llu, \"user_s\": %.3f, \"system_s\": %.3f, \"peak_rss_kib\": %ld, "
           "\"context_switches\": %ld}\n",
           (double)duration_ms / 1000, bench->group_count, atomic_load(&bench->failed),
           (unsigned long long)atomic_load(&bench->row_count), (unsigned long long)atomic_load(&bench->text_bytes),
           (unsigned long long)atomic_load(&bench->object_bytes), seconds_of(usage.ru_utime),
           seconds_of(usage.ru_stime), usage.ru_maxrss, usage.ru_nvcsw + usage.ru_nivcsw);
}

int main(int argc, char **argv)
{
    static const char *to;
    static const struct uex_option options[] = {
        {.name = "--to", .value_name = "N", .help = "groups s0001 to this one", .value = &to}, {0}};
    const struct uex_program program = {.name = "bench_job",
                                        .synopsis = "bench_job [OPTION…] [GROUP…]",
                                        .summary = "Exports groups, without Kafka, and says what it took.",
                                        .options = options,
                                        .needs = UEX_NEED_POSTGRES | UEX_NEED_STORAGE,
                                        .takes_operands = true,
                                        .for_people = true};
    static struct bench bench;
    struct uex_fault fault = {0};
    char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    int code = UEX_EXIT_FAILED;

    if (operands == NULL)
        return UEX_EXIT_FAILED;
    if (!uex_program_start(&program, argc, argv, &bench.config, &bench.group_count, operands, &code))
        goto done;
    uex_program_catch_signals();
    bench.groups = to == NULL ? operands : NULL;
    if (to != NULL)
        bench.group_count = atoi(to);
    if (uex_job_services_new(&bench.config, &bench.services, &fault) != UEX_OK ||
        uex_spool_dir_open(bench.config.export_work_dir, &bench.spools, &fault) != UEX_OK) {
        (void)fprintf(stderr, "%s\n", fault.text);
        goto done;
    }
    int64_t from_ms = uex_monotonic_ms();
    run(&bench);
    say(&bench, uex_monotonic_ms() - from_ms);
    uex_spool_dir_close(bench.spools);
    code = atomic_load(&bench.failed) == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
done:
    uex_job_services_free(bench.services);
    uex_config_clear(&bench.config);
    free(operands);
    return code;
}
