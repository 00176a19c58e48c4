/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a trigger: sent, and printed. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/trigger/trigger.h"
#include "export/program.h"
#include "kafka/bulk.h"

#define TRANSACTION_MS 120000

static void command_of(void *context, uint64_t index, struct uex_bytes *key, struct uex_buffer *value)
{
    const struct uex_trigger *trigger = context;
    const struct uex_awaited *item = &trigger->commands.items[index];
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

static enum uex_error send_as_nobody_else(struct uex_bulk *bulk, struct uex_fault *fault)
{
    char random[UEX_UUID_TEXT_SIZE];
    char *id = NULL;
    bool fenced = false;
    enum uex_error err = UEX_OK;

    uex_uuid_random(random);
    if (asprintf(&id, "%s-trigger-%s", bulk->config->kafka_group_id, random) < 0)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the transactional id");
    bulk->transactional_id = id;
    err = uex_bulk_send(bulk, &fenced, fault);
    free(id);
    return err == UEX_OK && fenced
               ? uex_fail(fault, UEX_KAFKA, "another producer took over the transactional id; nothing was sent")
               : err;
}

struct uex_bulk uex_trigger_bulk(const struct uex_trigger *trigger)
{
    return (struct uex_bulk){.config = trigger->config,
                             .timeout_ms = TRANSACTION_MS,
                             .topic = trigger->config->topics_command,
                             .count = trigger->commands.count,
                             .record = command_of,
                             .context = (void *)(uintptr_t)trigger,
                             .cancel = &uex_program_cancel,
                             .opening = "opening a transaction",
                             .what = "sending a command",
                             .unknown_end = "exportctl status shows whether the groups get an outcome"};
}

int uex_trigger_fail(enum uex_error err, const struct uex_fault *fault)
{
    int code = err == UEX_END ? UEX_EXIT_FAILED : uex_output_fail(err, fault);

    /* The commands may be there, so this must not look as if nothing was done. */
    return err == UEX_TIMEOUT ? UEX_EXIT_FAILED : code;
}

enum uex_error uex_trigger_send(const struct uex_trigger *trigger, struct uex_fault *fault)
{
    struct uex_bulk bulk = uex_trigger_bulk(trigger);
    struct uex_run_record started = {0};
    enum uex_error err = UEX_OK;

    if (uex_trigger_starts_run(trigger))
        err = uex_trigger_start_run(trigger, &bulk, &started, fault);
    if (err == UEX_OK && started.run_id == NULL)
        err = send_as_nobody_else(&bulk, fault);
    if (err == UEX_NOT_FOUND)
        return uex_fail(fault, UEX_KAFKA_TOPICS, "topic %s does not exist; to create it: exportctl topics create",
                        trigger->config->topics_command);
    return err;
}

static void add_item(struct uex_table *table, const struct uex_trigger *trigger, const struct uex_awaited *item)
{
    const struct uex_status_row *row = item->outcome;
    char rows[UEX_CELL_SIZE], bytes[UEX_CELL_SIZE], duration[UEX_CELL_SIZE], attempts[UEX_CELL_SIZE];
    char at[UEX_TIME_TEXT_SIZE] = "", next[UEX_TIME_TEXT_SIZE] = "";
    const char *const nothing[] = {item->group_id,
                                   item->command_id,
                                   uex_cell_text(trigger->run_id),
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
        uex_cell_text(trigger->run_id),
        uex_status_text(row->status),
        uex_cell_text(row->reason),
        uex_cell_text(at),
        uex_cell_number(row->rows, rows),
        uex_cell_number(row->bytes, bytes),
        uex_cell_number(row->duration_ms == UEX_NO_TIME ? UEX_UNKNOWN : (uint64_t)row->duration_ms, duration),
        uex_cell_number(row->attempts, attempts),
        uex_cell_text(next),
        uex_cell_text(row->file_path),
        uex_cell_text(row->sha256),
    };
    uex_table_add(table, cells);
}

bool uex_trigger_print(const struct uex_trigger *trigger)
{
    static const struct uex_column_of_table columns[] = {
        {"groupId", "GROUP", UEX_CELL_TEXT},    {"commandId", "COMMAND", UEX_CELL_ID},
        {"runId", NULL, UEX_CELL_TEXT},         {"outcome", NULL, UEX_CELL_TEXT},
        {"reason", NULL, UEX_CELL_TEXT},        {"at", NULL, UEX_CELL_TIME},
        {"rows", NULL, UEX_CELL_NUMBER},        {"bytes", NULL, UEX_CELL_NUMBER},
        {"durationMs", NULL, UEX_CELL_NUMBER},  {"attempts", NULL, UEX_CELL_NUMBER},
        {"nextAttemptAt", NULL, UEX_CELL_TIME}, {"filePath", NULL, UEX_CELL_TEXT},
        {"sha256", NULL, UEX_CELL_TEXT},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};
    struct uex_buffer out = {.cap_bytes = SIZE_MAX / 2};
    bool printed = false;

    table.cells.cap_bytes = SIZE_MAX / 2;
    for (size_t i = 0; i < trigger->commands.count; i++)
        add_item(&table, trigger, &trigger->commands.items[i]);
    uex_table_write(&table, trigger->format, &out);
    if (trigger->format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "\n");
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}

#define PRINTED_AT_ONCE_BYTES ((size_t)64 << 10)

bool uex_trigger_print_values(const struct uex_trigger *trigger)
{
    bool is_json = trigger->format == UEX_OUTPUT_JSON, printed = true;
    struct uex_buffer out = {0};

    uex_buffer_append_text(&out, is_json ? "[" : "");
    for (size_t i = 0; i < trigger->commands.count && printed && !uex_output_closed(); i++) {
        struct uex_bytes key = {0};

        uex_buffer_append_text(&out, !is_json ? "" : i == 0 ? "\n  " : ",\n  ");
        command_of((void *)(uintptr_t)trigger, i, &key, &out);
        uex_buffer_append_text(&out, is_json ? "" : "\n");
        if (out.size_bytes < PRINTED_AT_ONCE_BYTES && !uex_buffer_failed(&out))
            continue;
        printed = uex_output_print(&out);
        uex_buffer_reset(&out);
    }
    uex_buffer_append_text(&out, is_json ? "\n]\n" : "");
    printed = printed && uex_output_print(&out);
    uex_buffer_clear(&out);
    return printed;
}
