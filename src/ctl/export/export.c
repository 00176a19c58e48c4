/* SPDX-License-Identifier: Apache-2.0 */
/* export: one group's rows to a file, without Kafka and object store. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/connect.h"
#include "ctl/export/file.h"
#include "ctl/live.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "export/format.h"
#include "export/job.h"
#include "export/postgres.h"
#include "export/thread.h"

#define APPLICATION_NAME "exportctl"
#define BAR_WIDTH 24
#define TICK_MS 100

/* ---- the bar, on a terminal only */

/* Another connection counts the rows while the export runs, so that the export does not wait for the bar. */
struct bar {
    struct uex_live live;
    const struct uex_config *config;
    const char *group_id;
    struct uex_job_progress *progress;
    int64_t start_ms;
    struct uex_cancel cancel;       /* ends both threads */
    _Atomic uint64_t expected_rows; /* UEX_UNKNOWN until known */
    pthread_t counter, painter;
    bool counts, paints;
};

static void *count_rows(void *context)
{
    struct bar *bar = context;
    struct uex_postgres *postgres = uex_postgres_new(bar->config, APPLICATION_NAME);
    uint64_t count = UEX_UNKNOWN;

    if (postgres != NULL) {
        uex_postgres_set_cancel(postgres, &bar->cancel);
        if (uex_postgres_count_rows(postgres, bar->group_id, &count, NULL) == UEX_OK)
            atomic_store(&bar->expected_rows, count);
    }
    uex_postgres_free(postgres);
    return NULL;
}

static void write_share(uint64_t rows, uint64_t expected, struct uex_buffer *out)
{
    /* There may be more rows by now than were counted. */
    uint64_t share = rows >= expected ? 100 : rows * 100 / expected;

    uex_buffer_append_text(out, "  [");
    for (uint64_t i = 0; i < BAR_WIDTH; i++)
        uex_buffer_append_text(out, (i + 1) * 100 <= share * BAR_WIDTH ? "#" : "-");
    uex_buffer_append_format(out, "] %3" PRIu64 " %%", share);
}

static void write_bar(const struct bar *bar, struct uex_buffer *out)
{
    uint64_t rows = atomic_load(&bar->progress->row_count), expected = atomic_load(&bar->expected_rows);
    int64_t spent_ms = uex_monotonic_ms() - bar->start_ms;
    uint64_t rate = spent_ms > 0 ? rows * 1000 / (uint64_t)spent_ms : 0;
    char count[32], whole[32], speed[32], size[32], left[32];
    bool is_known = expected != UEX_UNKNOWN && expected > 0;

    uex_output_count(rows, count);
    uex_output_count(rate, speed);
    uex_output_size(atomic_load(&bar->progress->object_bytes), size);
    uex_output_append_name(out, bar->group_id);
    if (is_known) {
        write_share(rows, expected, out);
        uex_output_count(expected, whole);
        uex_buffer_append_format(out, "  %s of %s rows  %s rows/s  %s", count, whole, speed, size);
    } else {
        uex_buffer_append_format(out, "  %s rows  %s rows/s  %s", count, speed, size);
    }
    if (is_known && rate > 0 && rows < expected) {
        uex_output_duration((int64_t)((expected - rows) * 1000 / rate), left);
        uex_buffer_append_format(out, "  %s left", left);
    }
    uex_buffer_append_text(out, "\n");
}

static void *paint(void *context)
{
    struct bar *bar = context;

    while (uex_sleep_ms(TICK_MS, &bar->cancel)) {
        struct uex_buffer line = {0};

        if (uex_live_is_due(&bar->live, uex_monotonic_ms())) {
            write_bar(bar, &line);
            uex_live_draw(&bar->live, &line);
        }
        uex_buffer_clear(&line);
    }
    return NULL;
}

static void begin_bar(struct bar *bar)
{
    uex_live_begin(&bar->live);
    atomic_store(&bar->expected_rows, UEX_UNKNOWN);
    bar->start_ms = uex_monotonic_ms();
    if (!bar->live.is_on)
        return;
    bar->counts = uex_thread_start(&bar->counter, count_rows, bar);
    bar->paints = uex_thread_start(&bar->painter, paint, bar);
}

static void end_bar(struct bar *bar)
{
    uex_cancel_request(&bar->cancel);
    if (bar->paints)
        pthread_join(bar->painter, NULL);
    if (bar->counts)
        pthread_join(bar->counter, NULL);
    uex_live_erase(&bar->live);
}

/* ---- the export */

struct sink {
    struct uex_export_file *file;
    struct uex_fault *fault;
};

static enum uex_error write_file(void *context, struct uex_bytes data)
{
    const struct sink *sink = context;

    return uex_export_file_write(sink->file, data, sink->fault);
}

static int report_skipped(const struct uex_config *config, const char *group_id, enum uex_skip_reason skip)
{
    switch (skip) {
    case UEX_SKIP_UNKNOWN_GROUP:
        uex_output_error("group %s is not in the view %s", group_id, config->postgres_group_view);
        break;
    case UEX_SKIP_EMPTY:
        uex_output_error("%s has no rows to export; no file was written", group_id);
        break;
    default:
        uex_output_error("%s was not exported: %s (view %s); workers skip it too", group_id, uex_skip_text(skip),
                         config->postgres_group_view);
    }
    return UEX_EXIT_FAILED;
}

static void print_summary(const struct uex_export_file *file, const struct uex_job_outcome *outcome)
{
    char rows[32], size[32], spent[32], snapshot[UEX_OUTPUT_TIME_SIZE], hex[UEX_SHA256_HEX_SIZE];

    uex_output_count(outcome->row_count, rows);
    uex_output_size(file->size_bytes, size);
    uex_output_duration(outcome->duration_ms, spent);
    uex_output_time(outcome->snapshot_at_ms, snapshot);
    uex_hex(outcome->object.sha256, sizeof(outcome->object.sha256), hex);
    fprintf(strcmp(file->path, "-") == 0 ? stderr : stdout, "%s: %s rows, %s in %s, read at %s, sha256 %s\n",
            outcome->group.group_id, rows, size, spent, snapshot, hex);
    fflush(stdout);
}

static int export_to(const struct uex_config *config, const char *group_id, struct uex_export_file *file)
{
    struct uex_job_outcome outcome = {0};
    struct uex_job_progress progress = {0};
    struct uex_job_services *services = NULL;
    struct uex_job_runner *runner = NULL;
    struct uex_fault fault = {0}, write_fault = {0};
    struct sink sink = {.file = file, .fault = &write_fault};
    struct bar bar = {.config = config, .group_id = group_id, .progress = &progress};
    int code = UEX_EXIT_FAILED;
    enum uex_error err = uex_ctl_await_database(config, &fault);

    if (err == UEX_OK)
        err = uex_job_services_new(config, &services, &fault);
    if (err == UEX_OK)
        err = uex_job_runner_new(services, NULL, (struct uex_job_limits){0}, &runner, &fault);
    if (err != UEX_OK) {
        uex_job_services_free(services);
        return uex_output_fail(err, &fault);
    }
    begin_bar(&bar);
    err = uex_job_export_to(runner, group_id, (struct uex_sink){.write = write_file, .context = &sink},
                            &uex_program_cancel, &progress, &outcome);
    end_bar(&bar);
    if (write_fault.error == UEX_OK && err == UEX_OK && outcome.skip == UEX_SKIP_NONE)
        err = uex_export_file_publish(file, &outcome.fault);
    if (file->closed) {
        code = UEX_EXIT_FAILED; /* without a message: the reader has what it wanted */
    } else if (write_fault.error != UEX_OK) {
        code = uex_output_fail(write_fault.error, &write_fault);
    } else if (err == UEX_CANCELLED) {
        uex_output_error("stopped; %s", file->temporary == NULL ? "the output is incomplete" : "no file was written");
    } else if (err != UEX_OK) {
        code = uex_output_fail(err, &outcome.fault);
    } else if (outcome.skip != UEX_SKIP_NONE) {
        code = report_skipped(config, group_id, outcome.skip);
    } else {
        print_summary(file, &outcome);
        code = UEX_EXIT_DONE;
    }
    uex_job_outcome_clear(&outcome);
    uex_job_runner_free(runner);
    uex_job_services_free(services);
    return code;
}

void uex_export_check(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_layout *layout = NULL;
    struct uex_fault fault = {0};

    if (uex_layout_new(config, &layout, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "%s\n", fault.text);
    uex_layout_free(layout);
    if (config->postgres_dsn != NULL && config->postgres_dsn[0] != 0 &&
        uex_postgres_check_dsn(config->postgres_dsn, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "postgres.dsn: %s\n", fault.text);
}

/* --format, and what it does not go together with, as src/config/cross.c has it for export.format. */
static bool choose_format(struct uex_config *config)
{
    const char *name = uex_ctl_options.format;
    unsigned format = UEX_FORMAT_CSV;

    if (name == NULL)
        return true;
    while (format <= UEX_FORMAT_PARQUET && strcmp(name, uex_format_name((enum uex_format)format)) != 0)
        format++;
    if (format > UEX_FORMAT_PARQUET) {
        uex_output_error("--format: must be csv, jsonl or parquet");
        return false;
    }
    config->export_format = (enum uex_format)format;
    if (format != UEX_FORMAT_CSV && config->export_version_field == UEX_VERSION_COMMENT) {
        uex_output_error("--format %s: has no comment line; set export.version_field to column or none", name);
        return false;
    }
    if (format != UEX_FORMAT_CSV && config->export_formula_guard != UEX_GUARD_OFF) {
        uex_output_error("--format %s: export.formula_guard is for csv only; set it to off", name);
        return false;
    }
    return true;
}

int uex_export_run(const struct uex_config *config, int operand_count, char **operands)
{
    /* Only the database is used, whatever else is configured. */
    struct uex_config plain = *config;
    struct uex_export_file file = {.fd = -1};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;
    char nothing[] = "";
    int code = UEX_EXIT_USAGE;

    plain.storage_url = plain.redis_url = nothing;
    if (!choose_format(&plain))
        return code;
    if (operand_count != 1)
        uex_output_error("export needs exactly one GROUP");
    if (operand_count == 1 && uex_ctl_options.output == NULL)
        uex_output_error("--output is required: FILE, or - for stdout");
    if (operand_count != 1 || uex_ctl_options.output == NULL || uex_ctl_options.output[0] == 0 ||
        uex_operands_are_groups(operand_count, operands) != UEX_OK)
        return code;
    err = uex_export_file_open(&file, uex_ctl_options.output, uex_ctl_options.force, &fault);
    if (err == UEX_OK)
        code = export_to(&plain, operands[0], &file);
    else
        code = uex_output_fail(err, &fault);
    uex_export_file_discard(&file);
    return code;
}
