/* SPDX-License-Identifier: Apache-2.0 */
/* trigger. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check/checks.h"
#include "ctl/connect.h"
#include "ctl/options.h"
#include "ctl/trigger/trigger.h"
#include "ctl/verbs.h"
#include "export/group_list.h"
#include "export/postgres.h"
#include "kafka/bulk.h"

#define APPLICATION_NAME "exportctl"
#define TRANSACTION_MS 120000
#define NUMBER_SIZE 24

/* ---- sending */

static void command_of(void *context, uint64_t index, struct uex_bytes *key, struct uex_buffer *value)
{
    const struct uex_trigger *trigger = context;
    const struct uex_triggered *item = &trigger->items[index];
    struct uex_command command = {
        .group_id = (char *)(uintptr_t)item->group_id,
        .run_id = (char *)(uintptr_t)(trigger->run_id == NULL ? "" : trigger->run_id),
        .requested_at_ms = trigger->requested_at_ms,
        .requested_by = (char *)(uintptr_t)trigger->requested_by,
        .reason = (char *)(uintptr_t)(trigger->reason == NULL ? "" : trigger->reason),
    };

    memcpy(command.command_id, item->command_id, UEX_UUID_TEXT_SIZE);
    snprintf(command.domain_id, sizeof(command.domain_id), "%s", trigger->config->export_domain_id);
    *key = uex_bytes_of_text(item->group_id);
    uex_command_write_json(&command, value);
}

enum uex_error uex_trigger_send(const struct uex_trigger *trigger, struct uex_fault *fault)
{
    const struct uex_config *config = trigger->config;
    struct uex_bulk bulk = {.config = config,
                            .timeout_ms = TRANSACTION_MS,
                            .topic = config->topics_command,
                            .count = trigger->count,
                            .record = command_of,
                            .context = (void *)(uintptr_t)trigger,
                            .cancel = &uex_program_cancel,
                            .opening = "asking for a transaction",
                            .what = "sending a command",
                            .unknown_end = "exportctl status shows whether the groups get an outcome"};
    char random[UEX_UUID_TEXT_SIZE];
    char *id = NULL;
    bool fenced = false;
    enum uex_error err = UEX_OK;

    uex_uuid_random(random);
    if (asprintf(&id, "%s-trigger-%s", config->kafka_group_id, random) < 0)
        return uex_fail(fault, UEX_NO_MEMORY, "the transactional id");
    bulk.transactional_id = id;
    err = uex_bulk_send(&bulk, &fenced, fault);
    free(id);
    if (err == UEX_NOT_FOUND)
        return uex_fail(fault, UEX_KAFKA_TOPICS, "there is no topic %s; this makes it: exportctl topics create",
                        config->topics_command);
    return err == UEX_OK && fenced ? uex_fail(fault, UEX_KAFKA, "another producer took over; nothing was sent") : err;
}

/* ---- printing */

static const char *number(uint64_t value, char text[NUMBER_SIZE])
{
    if (value == UEX_UNKNOWN)
        return NULL;
    snprintf(text, NUMBER_SIZE, "%" PRIu64, value);
    return text;
}

static const char *or_null(const char *text)
{
    return text == NULL || text[0] == 0 ? NULL : text;
}

static void add_item(struct uex_table *table, const struct uex_trigger *trigger, const struct uex_triggered *item)
{
    const struct uex_status_row *row = item->outcome;
    char rows[NUMBER_SIZE], bytes[NUMBER_SIZE], duration[NUMBER_SIZE], attempts[NUMBER_SIZE];
    char at[UEX_TIME_TEXT_SIZE] = "", next[UEX_TIME_TEXT_SIZE] = "";
    const char *const nothing[] = {item->group_id,
                                   item->command_id,
                                   or_null(trigger->run_id),
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL,
                                   NULL};

    if (row == NULL) {
        uex_table_add(table, nothing);
        return;
    }
    uex_time_format(row->at_ms, at);
    uex_time_format(row->next_attempt_at_ms, next);
    const char *const cells[] = {
        item->group_id,
        item->command_id,
        or_null(trigger->run_id),
        uex_status_text(row->status),
        or_null(row->reason),
        or_null(at),
        number(row->rows, rows),
        number(row->bytes, bytes),
        number(row->duration_ms == UEX_NO_TIME ? UEX_UNKNOWN : (uint64_t)row->duration_ms, duration),
        number(row->attempts, attempts),
        or_null(next),
        or_null(row->file_path),
        or_null(row->sha256),
    };
    uex_table_add(table, cells);
}

bool uex_trigger_print(const struct uex_trigger *trigger)
{
    static const struct uex_column_of_table columns[] = {
        {"groupId", "GROUP", false}, {"commandId", "COMMAND", false}, {"runId", NULL, false},
        {"outcome", NULL, false},    {"reason", NULL, false},         {"at", NULL, false},
        {"rows", NULL, true},        {"bytes", NULL, true},           {"durationMs", NULL, true},
        {"attempts", NULL, true},    {"nextAttemptAt", NULL, false},  {"filePath", NULL, false},
        {"sha256", NULL, false},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};
    struct uex_buffer out = {.cap_bytes = SIZE_MAX / 2};
    bool printed = false;

    table.cells.cap_bytes = SIZE_MAX / 2;
    for (size_t i = 0; i < trigger->count; i++)
        add_item(&table, trigger, &trigger->items[i]);
    uex_table_write(&table, trigger->format, &out);
    if (trigger->format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "\n");
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}

/* ---- what to send */

static int compare_items(const void *left, const void *right)
{
    return strcmp(((const struct uex_triggered *)left)->group_id, ((const struct uex_triggered *)right)->group_id);
}

/* In order, each group once, with an id of its own. */
static void settle_items(struct uex_trigger *trigger)
{
    size_t kept = 0;

    if (trigger->count > 1)
        qsort(trigger->items, trigger->count, sizeof(trigger->items[0]), compare_items);
    for (size_t i = 0; i < trigger->count; i++) {
        if (kept > 0 && compare_items(&trigger->items[kept - 1], &trigger->items[i]) == 0)
            continue;
        trigger->items[kept] = trigger->items[i];
        uex_uuid_random(trigger->items[kept++].command_id);
    }
    trigger->count = kept;
}

static enum uex_error take_named(struct uex_trigger *trigger, int operand_count, char **operands)
{
    trigger->items = calloc((size_t)operand_count + 1, sizeof(*trigger->items));
    if (trigger->items == NULL)
        return UEX_NO_MEMORY;
    for (int i = 0; i < operand_count; i++)
        trigger->items[trigger->count++].group_id = operands[i];
    return UEX_OK;
}

static enum uex_error take_all(struct uex_trigger *trigger, struct uex_group_list *list, struct uex_fault *fault)
{
    enum uex_error err = uex_groups_read(trigger->config, APPLICATION_NAME, trigger->config->startup_timeout_ms,
                                         &uex_program_cancel, list, fault);

    if (err != UEX_OK)
        return err;
    trigger->items = calloc((size_t)list->count + 1, sizeof(*trigger->items));
    if (trigger->items == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the groups");
    for (const char *id = uex_group_list_next(list, NULL); id != NULL; id = uex_group_list_next(list, id))
        trigger->items[trigger->count++].group_id = id;
    if (list->left_out > 0)
        uex_output_complain("%" PRIu64 " active groups are left out: their ids are not 1 to 255 bytes of UTF-8 without "
                            "control characters",
                            list->left_out);
    return UEX_OK;
}

static int send_and_say(const struct uex_trigger *trigger)
{
    struct uex_fault fault = {0};
    rd_kafka_t *admin = NULL;
    enum uex_error err = uex_ctl_connect(trigger->config, UEX_KAFKA_ADMIN, &admin, &fault); /* says best why not */

    uex_kafka_destroy(admin);
    if (err == UEX_OK)
        err = uex_trigger_send(trigger, &fault);
    if (err != UEX_OK) {
        int code = uex_output_fail(err, &fault);

        return err == UEX_TIMEOUT ? UEX_EXIT_FAILED : code; /* what is not known is no outage before the start */
    }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%zu command%s sent to %s; exportctl status --follow shows what comes of %s\n", trigger->count,
                trigger->count == 1 ? "" : "s", trigger->config->topics_command, trigger->count == 1 ? "it" : "them");
    return uex_trigger_print(trigger) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

/* --all is the one thing that needs the database. */
void uex_trigger_check(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};
    bool has_dsn = config->postgres_dsn != NULL && config->postgres_dsn[0] != 0;

    uex_check_kafka(config, problems);
    if (!uex_ctl_options.all)
        return;
    if (!has_dsn)
        uex_buffer_append_text(problems, "postgres.dsn: needed for --all: the active groups stand in the database\n");
    else if (uex_postgres_check_dsn(config->postgres_dsn, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "postgres.dsn: %s\n", fault.text);
}

static enum uex_error read_options(struct uex_trigger *trigger, int operand_count, char **operands)
{
    const struct uex_ctl_options *given = &uex_ctl_options;

    if (uex_output_format(given->output, &trigger->format) != UEX_OK ||
        uex_option_text("--run", given->run, UEX_RUN_ID_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--reason", given->reason, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--by", given->by, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_duration("--timeout", given->timeout, UEX_NO_TIME, &trigger->timeout_ms) != UEX_OK ||
        uex_operands_are_groups(operand_count, operands) != UEX_OK)
        return UEX_CONFIG;
    if (given->timeout != NULL && !given->wait) {
        uex_output_complain("--timeout goes with --wait");
        return UEX_CONFIG;
    }
    if (given->all == (operand_count > 0)) {
        uex_output_complain(given->all ? "either --all or GROUP…, not both" : "which groups? name them, or give --all");
        return UEX_CONFIG;
    }
    trigger->all = given->all;
    trigger->run_id = given->run;
    trigger->reason = given->reason;
    if (given->by != NULL)
        snprintf(trigger->requested_by, sizeof(trigger->requested_by), "%s", given->by);
    else
        uex_ctl_who(trigger->requested_by);
    return UEX_OK;
}

int uex_trigger_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_trigger trigger = {.config = config, .requested_at_ms = uex_wall_ms()};
    struct uex_group_list list = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_USAGE;

    if (read_options(&trigger, operand_count, operands) != UEX_OK)
        return code;
    err = trigger.all ? take_all(&trigger, &list, &fault) : take_named(&trigger, operand_count, operands);
    settle_items(&trigger);
    if (err != UEX_OK) {
        code = uex_output_fail(err, &fault);
    } else if (trigger.count == 0) {
        uex_output_complain("there is no active group: nothing was sent");
        code = UEX_EXIT_DONE;
    } else {
        code = uex_ctl_options.wait ? uex_trigger_and_wait(&trigger) : send_and_say(&trigger);
    }
    if (code == UEX_EXIT_DONE && list.left_out > 0)
        code = UEX_EXIT_FAILED;
    for (size_t i = 0; i < trigger.count; i++)
        uex_status_row_free(trigger.items[i].outcome);
    free(trigger.items);
    uex_group_list_clear(&list);
    return code;
}
