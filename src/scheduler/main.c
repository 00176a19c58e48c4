/* SPDX-License-Identifier: Apache-2.0 */
/* export-scheduler: runs once and exits; one command per active group, all in one Kafka transaction. */
#include <stdio.h>
#include <stdlib.h>

#include "export/postgres.h"
#include "export/program.h"
#include "scheduler/lag.h"
#include "scheduler/run.h"

#define APPLICATION_NAME "export-scheduler"
#define ASK_MS 10000

struct choices {
    const char *run_id;
    bool dry_run;
};

static void check_database(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};

    if (config->postgres_dsn != NULL && config->postgres_dsn[0] != 0 &&
        uex_postgres_check_dsn(config->postgres_dsn, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "postgres.dsn: %s\n", fault.text);
}

static void check_config(const struct uex_config *config, struct uex_buffer *problems)
{
    check_database(config, problems);
    uex_kafka_check_properties(config, problems);
}

/* An error is logged here, once. */
static int log_failure(const char *run_id, enum uex_error err, const struct uex_fault *fault)
{
    uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULE_FAILED,
            err == UEX_CANCELLED ? "stopped; nothing was scheduled" : "not scheduled", UEX_STR("run", run_id),
            UEX_STR("error", uex_error_code(err)),
            UEX_STR("detail", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text));
    return err == UEX_CANCELLED || err == UEX_TIMEOUT ? UEX_EXIT_FAILED : uex_exit_of(err);
}

/* What would be sent: the value of each command, one on each line. */
static int print_commands(const struct uex_run *run, const struct uex_group_list *list)
{
    struct uex_buffer line = {0};
    bool written = true;

    for (const char *id = uex_group_list_next(list, NULL); id != NULL && written; id = uex_group_list_next(list, id)) {
        uex_buffer_reset(&line);
        uex_run_command(run, id, &line);
        uex_buffer_append_text(&line, "\n");
        written = !uex_buffer_failed(&line) && fwrite(line.data, 1, line.size_bytes, stdout) == line.size_bytes;
    }
    uex_buffer_clear(&line);
    if (!written || fflush(stdout) != 0) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULE_FAILED, "writing the commands to stdout failed",
                UEX_STR("run", run->run_id));
        return UEX_EXIT_FAILED;
    }
    uex_log(UEX_LOG_INFO, UEX_EVENT_DRY_RUN, "--dry-run: nothing was sent", UEX_STR("run", run->run_id),
            UEX_NUM("groups", list->count), UEX_NUM("left_out", list->left_out));
    return list->left_out > 0 ? UEX_EXIT_FAILED : UEX_EXIT_DONE;
}

/* Wait until Kafka answers, has the topic, and the readers of the results have caught up. */
static enum uex_error await_kafka(const struct uex_config *config, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, UEX_KAFKA_ADMIN, fault);
    rd_kafka_t *admin = conf == NULL ? NULL : uex_kafka_create(UEX_KAFKA_ADMIN, conf, fault);
    int32_t partition_count = 0;
    enum uex_error err = UEX_OK;

    if (admin == NULL)
        return fault->error;
    err = uex_kafka_wait(admin, config->startup_timeout_ms, &uex_program_cancel, fault);
    if (err == UEX_OK)
        err = uex_kafka_partition_count(admin, config->topics_command, ASK_MS, &partition_count, fault);
    if (err == UEX_NOT_FOUND)
        err = uex_fail(
            fault, UEX_KAFKA_TOPICS,
            "topic %s does not exist or may not be seen by this principal; create it with exportctl topics create",
            config->topics_command);
    if (err == UEX_OK)
        err = uex_lag_wait(config, &uex_program_cancel, fault);
    uex_kafka_destroy(admin);
    return err;
}

static int send_commands(const struct uex_config *config, const struct uex_run *run, const struct uex_group_list *list)
{
    struct uex_send_result result = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_send_commands(config, run, list, &uex_program_cancel, &result, &fault);

    if (err != UEX_OK)
        return log_failure(run->run_id, err, &fault);
    if (result.fenced) {
        uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULER_FENCED, "another scheduler took over; this one sent nothing",
                UEX_STR("run", run->run_id));
        return UEX_EXIT_DONE;
    }
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "scheduled", UEX_STR("run", run->run_id), UEX_NUM("groups", result.sent),
            UEX_NUM("left_out", list->left_out), UEX_STR("topic", config->topics_command),
            UEX_INT("duration_ms", result.duration_ms));
    return list->left_out > 0 ? UEX_EXIT_FAILED : UEX_EXIT_DONE;
}

static int schedule(const struct uex_config *config, const char *run_id, bool dry_run)
{
    struct uex_group_list list = {0};
    struct uex_run run = {.run_id = run_id, .domain_id = config->export_domain_id, .requested_at_ms = uex_wall_ms()};
    struct uex_fault fault = {0};
    int code = UEX_EXIT_DONE;
    enum uex_error err =
        uex_groups_await(config, APPLICATION_NAME, config->startup_timeout_ms, &uex_program_cancel, &fault);

    if (err == UEX_OK && !dry_run)
        err = await_kafka(config, &fault);
    if (err == UEX_OK)
        err = uex_groups_read(config, APPLICATION_NAME, config->startup_timeout_ms, &uex_program_cancel, &list, &fault);
    if (err != UEX_OK) {
        code = log_failure(run_id, err, &fault);
    } else if (list.count == 0) {
        uex_log(UEX_LOG_INFO, UEX_EVENT_NO_GROUPS, "no active group; nothing to schedule", UEX_STR("run", run_id),
                UEX_NUM("left_out", list.left_out));
        code = list.left_out > 0 ? UEX_EXIT_FAILED : UEX_EXIT_DONE;
    } else {
        uex_log(UEX_LOG_INFO, UEX_EVENT_GROUPS_READ, "active groups read", UEX_STR("run", run_id),
                UEX_NUM("groups", list.count), UEX_NUM("left_out", list.left_out));
        code = dry_run ? print_commands(&run, &list) : send_commands(config, &run, &list);
    }
    uex_group_list_clear(&list);
    return code;
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
        {0}};
    struct uex_program program = {
        .name = "export-scheduler",
        .synopsis = "export-scheduler [OPTION…]",
        .summary = "Sends one export command for each active group, all in one Kafka transaction, and exits. Started\n"
                   "again for the same run it exports no group twice.",
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
        code = schedule(&config, run_id, choices.dry_run);
done:
    uex_config_clear(&config);
    free(operands);
    return code;
}
