/* SPDX-License-Identifier: Apache-2.0 */
/* export-scheduler: runs once and exits; one command per active group, all in one Kafka transaction. With schedule.wait
 * it stays until they have ended. */
#include <stdlib.h>

#include "export/postgres.h"
#include "export/program.h"
#include "report/publish.h"
#include "scheduler/run.h"
#include "scheduler/schedule.h"

struct choices {
    const char *run_id;
    bool dry_run, again;
};

static void check_database(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};

    if (config->postgres_dsn != NULL && config->postgres_dsn[0] != 0 &&
        uex_postgres_check_dsn(config->postgres_dsn, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "postgres.dsn: %s\n", fault.text);
}

/* The store is needed for what is put beside the objects alone. */
static bool needs_store(const struct uex_config *config)
{
    return config->schedule_manifest || config->schedule_report;
}

static void check_store(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};

    if (needs_store(config) && uex_config_require(config, UEX_NEED_STORAGE, problems) == UEX_OK &&
        uex_object_store_check(config, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "storage.url: %s\n", fault.text);
}

static void check_config(const struct uex_config *config, struct uex_buffer *problems)
{
    check_database(config, problems);
    check_store(config, problems);
    uex_kafka_check_properties(config, problems);
}

/* The run's name: given, or that of the night. */
static int name_run(const struct uex_config *config, const char *given, char *run_id)
{
    struct uex_fault fault = {0};
    struct uex_bytes text = uex_bytes_of_text(given);

    if (given == NULL) {
        if (uex_schedule_run_id(uex_wall_ms(), config->schedule_at, config->schedule_timezone, run_id, &fault) ==
            UEX_OK)
            return UEX_EXIT_DONE;
        uex_log(UEX_LOG_ERROR, UEX_EVENT_CONFIG_INVALID, "no name for the run", UEX_STR("detail", fault.text));
        return UEX_EXIT_USAGE;
    }
    if (!uex_run_id_valid(text)) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_CONFIG_INVALID, "--run: 1 to 64 characters of UTF-8, no control characters");
        return UEX_EXIT_USAGE;
    }
    memcpy(run_id, given, text.size_bytes + 1);
    return UEX_EXIT_DONE;
}

static int schedule(const struct uex_config *config, const char *run_id, const struct choices *choices)
{
    struct uex_schedule schedule = {
        .config = config, .run_id = run_id, .dry_run = choices->dry_run, .again = choices->again};
    struct uex_fault fault = {0};
    int code = UEX_EXIT_DONE;

    /* Before there are threads. */
    if (config->schedule_report && !uex_report_set_zone(config)) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_START_FAILED, "no memory for the time zone");
        return UEX_EXIT_FAILED;
    }
    if (needs_store(config) && !choices->dry_run &&
        uex_store_service_new(config, &schedule.service, &fault) != UEX_OK) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_START_FAILED, "the object store cannot be used",
                UEX_STR("error", uex_error_code(fault.error)), UEX_STR("detail", fault.text));
        return uex_exit_of(fault.error);
    }
    code = uex_schedule(&schedule);
    uex_store_service_free(schedule.service);
    return code;
}

static bool asks_for_dry_run(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--dry-run") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    struct choices choices = {0};
    bool without_kafka = asks_for_dry_run(argc, argv);
    const struct uex_option options[] = {
        {"--run", "ID", "name of the run; default: the date of the latest schedule.at", &choices.run_id, NULL},
        {"--dry-run", NULL, "print the commands, one JSON object a line, and send nothing", NULL, &choices.dry_run},
        {"--again", NULL, "send the commands also if the run was started before", NULL, &choices.again},
        {0}};
    struct uex_program program = {
        .name = "export-scheduler",
        .synopsis = "export-scheduler [OPTION…]",
        .summary = "Sends one export command for each active group, all in one Kafka transaction, and exits. Started\n"
                   "again for the same run it exports no group twice. With schedule.wait it stays until every group\n"
                   "has ended, and exits with 0, 1 (dead letters) or 4 (the time is over).",
        .options = options,
        .needs = UEX_NEED_POSTGRES | UEX_NEED_DOMAIN | (without_kafka ? 0 : UEX_NEED_KAFKA),
        .kafka_judge = uex_kafka_judge_property,
        .check = without_kafka ? check_database : check_config};
    struct uex_config config = {0};
    char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    char run_id[UEX_RUN_ID_MAX_BYTES + 1] = "";
    int operand_count = 0, code = UEX_EXIT_FAILED;

    if (operands == NULL || !uex_program_start(&program, argc, argv, &config, &operand_count, operands, &code))
        goto done;
    uex_program_catch_signals();
    code = name_run(&config, choices.run_id, run_id);
    if (code != UEX_EXIT_DONE)
        goto done;
    if (config.profile == UEX_PROFILE_TEST)
        uex_log(UEX_LOG_INFO, UEX_EVENT_PROFILE_TEST, "profile is test; nothing is scheduled", UEX_STR("run", run_id));
    else
        code = schedule(&config, run_id, &choices);
done:
    uex_config_clear(&config);
    free(operands);
    return code;
}
