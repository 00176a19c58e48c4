/* SPDX-License-Identifier: Apache-2.0 */
/* dlq replay, dlq discard. First fence other replays, then read the marks, then write. So all marks of a dead letter
 * are committed when it is decided what to do with it. */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/await.h"
#include "ctl/dlq/replay.h"
#include "ctl/options.h"
#include "ctl/state_reader.h"
#include "ctl/subcommands.h"
#include "export/command.h"
#include "export/group_state_view.h"

struct act {
    const struct uex_replay_order *order;
    struct uex_replay_report *report;
    struct uex_dlq_marks marks;
    void *groups;                /* of tsearch(3): the groups of the matching dead letters */
    struct uex_state_set states; /* of these groups */
    struct uex_dlq_sender *sender;
    struct uex_dlq_item chunk[UEX_DLQ_CHUNK_MAX];
    size_t chunk_count, chunk_bytes;
};

/* ---- which groups are looked up */

static int compare_texts(const void *left, const void *right)
{
    return strcmp(left, right);
}

static enum uex_error note_group(void *context, struct uex_record *record, bool *kept, struct uex_fault *fault)
{
    struct act *act = context;
    const char *group_id = uex_dlq_group(record);
    char *copy = NULL, **found = NULL;

    (void)kept;
    if (group_id == NULL || !uex_dlq_filter_fits(act->order->filter, record))
        return UEX_OK;
    copy = strdup(group_id);
    found = copy == NULL ? NULL : tsearch(copy, &act->groups, compare_texts);
    if (found == NULL) {
        free(copy);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the groups of the dead letters");
    }
    if (*found != copy)
        free(copy);
    return UEX_OK;
}

static enum uex_error take_state(void *context, const rd_kafka_message_t *message)
{
    struct act *act = context;
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1] = "";

    if (message->key == NULL || message->key_len > UEX_GROUP_ID_MAX_BYTES)
        return UEX_OK;
    memcpy(group_id, message->key, message->key_len);
    return tfind(group_id, &act->groups, compare_texts) == NULL ? UEX_OK : uex_state_set_take(&act->states, message);
}

static enum uex_error read_states(struct act *act, struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = act->order->config->topics_state, .from = UEX_READ_ALL};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(act->order->config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_state, act, fault);
    if (err == UEX_NO_MEMORY)
        err = uex_fail(fault, err, "no memory for the states of the groups");
    uex_topic_reader_close(reader);
    return err;
}

/* When this command had its last outcome, as the group's state says; UEX_NO_TIME: it says nothing of it. */
static enum uex_error read_last_outcome(struct uex_bytes state, const char *command_id, int64_t *out)
{
    struct uex_group_state_view view;
    uint8_t bytes[16];
    enum uex_error err = uex_group_state_view_read(state, &view, NULL);

    *out = UEX_NO_TIME;
    uex_uuid_to_bytes(command_id, bytes);
    for (size_t i = 0; err == UEX_OK && i < view.memory.recent_count; i++)
        if (memcmp(view.memory.recent[i].command_id, bytes, sizeof(bytes)) == 0)
            *out = view.memory.recent[i].at_ms;
    uex_group_state_view_clear(&view);
    return err;
}

/* Would the worker take this command for a duplicate: is its id among the group's recent ones as exported or skipped?
 */
static enum uex_error look_at_state(const struct act *act, const char *group_id, struct uex_replay_row *row,
                                    bool *ended, struct uex_fault *fault)
{
    struct uex_bytes value = group_id == NULL ? (struct uex_bytes){0} : uex_state_set_find(&act->states, group_id);
    struct uex_group_memory *memory = NULL;
    enum uex_error err = UEX_OK;

    *ended = false;
    if (row->command_id[0] == 0 || value.data == NULL)
        return UEX_OK;
    err = uex_group_state_read(value, &memory, fault);
    *ended = err == UEX_OK && uex_group_memory_is_duplicate(memory, row->command_id);
    uex_group_memory_free(memory);
    if (err == UEX_OK)
        err = read_last_outcome(value, row->command_id, &row->known_at_ms);
    return err == UEX_NO_MEMORY ? err : UEX_OK; /* the worker ignores an unreadable state too */
}

/* ---- what is done with a dead letter */

/* The command id as the worker reads it: from the value, else from the header. */
static enum uex_error name_command(const struct uex_record *record, char *out, bool *is_malformed,
                                   struct uex_fault *fault)
{
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(record->key, record->value, &command, fault);

    *is_malformed = err == UEX_MALFORMED;
    if (err == UEX_OK && command.command_id[0] != 0)
        memcpy(out, command.command_id, UEX_UUID_TEXT_SIZE);
    else
        memcpy(out, record->envelope.command_id, UEX_UUID_TEXT_SIZE);
    uex_command_clear(&command);
    return err == UEX_NO_MEMORY ? err : UEX_OK; /* a dead letter may be malformed */
}

/* A command id that was exported or skipped does not run again, so the command gets another one. If the value has the
 * old id, only that changes in it. */
static enum uex_error rename_command(const struct uex_record *record, struct uex_dlq_item *item,
                                     struct uex_replay_row *row, enum uex_replay_result *out, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    uex_uuid_random(item->command_id);
    err = uex_command_reissue(record->key, record->value, item->command_id, &item->value, fault);
    if (err != UEX_OK)
        uex_buffer_clear(&item->value);
    if (err == UEX_NO_MEMORY)
        return err;
    *out = UEX_REPLAY_NO_NEW_ID;
    if (err != UEX_OK && err != UEX_NOT_FOUND)
        return UEX_OK;
    memcpy(row->new_id, item->command_id, sizeof(row->new_id));
    row->known_at_ms = UEX_NO_TIME;
    *out = UEX_REPLAY_REPLAYED;
    return UEX_OK;
}

/* Decide what to do with the dead letter. UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error decide_result(struct act *act, const struct uex_record *record, struct uex_dlq_item *item,
                                    struct uex_replay_row *row, enum uex_replay_result *out, struct uex_fault *fault)
{
    const struct uex_replay_order *order = act->order;
    size_t mark_count = 0;
    const struct uex_dlq_done *done = uex_dlq_marks_find(&act->marks, record->partition, record->offset, &mark_count);
    enum uex_error err = name_command(record, item->command_id, &row->is_malformed, fault);
    bool ended = false;

    memcpy(row->command_id, item->command_id, sizeof(row->command_id));
    row->known_at_ms = UEX_NO_TIME;
    *out = UEX_REPLAY_REPLAYED;
    if (err != UEX_OK)
        return err;
    if (done != NULL && !order->again)
        *out = done[mark_count - 1].action == UEX_DLQ_REPLAYED ? UEX_REPLAY_LEFT_REPLAYED : UEX_REPLAY_LEFT_DISCARDED;
    else if (order->action == UEX_DLQ_DISCARDED)
        *out = UEX_REPLAY_DISCARDED;
    else if (record->value.data == NULL)
        *out = UEX_REPLAY_NO_VALUE;
    else
        err = look_at_state(act, uex_dlq_group(record), row, &ended, fault);
    if (ended && order->again)
        return rename_command(record, item, row, out, fault);
    if (ended)
        *out = UEX_REPLAY_LEFT_ENDED;
    return err;
}

static void clear_item(struct uex_dlq_item *item)
{
    uex_record_free(item->record);
    uex_buffer_clear(&item->value);
    *item = (struct uex_dlq_item){0};
}

/* The audit line: who did what with which dead letter. */
static void log_audit(const struct uex_replay_order *order, const struct uex_dlq_item *item, const char *old_id)
{
    uex_log_audit(UEX_LOG_INFO, UEX_EVENT_DLQ,
                  order->action == UEX_DLQ_REPLAYED ? "dead letter replayed" : "dead letter discarded",
                  UEX_STR("action", uex_dlq_action_text(order->action)), UEX_STR("topic", order->config->topics_dlq),
                  UEX_INT("partition", item->record->partition), UEX_INT("offset", item->record->offset),
                  UEX_STR("group", uex_dlq_group(item->record)), UEX_STR("command", item->command_id),
                  UEX_STR("old_command", old_id), UEX_STR("by", order->by), UEX_STR("reason", order->reason));
}

static void record_result(struct act *act, struct uex_dlq_item *item, enum uex_replay_result result)
{
    struct uex_replay_row *row =
        item->row < act->report->row_count ? &act->report->rows[item->row] : NULL; /* further ones are only counted */
    bool is_renamed = row != NULL && row->new_id[0] != 0;

    act->report->counts[result]++;
    if (row != NULL)
        row->result = result;
    if (result == UEX_REPLAY_REPLAYED || result == UEX_REPLAY_DISCARDED)
        log_audit(act->order, item, is_renamed ? row->command_id : NULL);
    clear_item(item);
}

static enum uex_error send_chunk(struct act *act, struct uex_fault *fault)
{
    enum uex_replay_result done = act->order->action == UEX_DLQ_REPLAYED ? UEX_REPLAY_REPLAYED : UEX_REPLAY_DISCARDED;
    enum uex_error err = UEX_OK;

    if (act->chunk_count > 0)
        err = uex_dlq_sender_send(act->sender, act->chunk, act->chunk_count, fault);
    for (size_t i = 0; i < act->chunk_count; i++)
        record_result(act, &act->chunk[i],
                      err != UEX_OK                                         ? UEX_REPLAY_NOT_DONE
                      : act->chunk[i].refused != RD_KAFKA_RESP_ERR_NO_ERROR ? UEX_REPLAY_REFUSED
                                                                            : done);
    act->chunk_count = 0;
    act->chunk_bytes = 0;
    return err;
}

static enum uex_error take_letter(void *context, struct uex_record *record, bool *kept, struct uex_fault *fault)
{
    struct act *act = context;
    struct uex_dlq_item item = {0};
    struct uex_replay_row spare = {0}, *row = NULL;
    enum uex_replay_result result = UEX_REPLAY_NOT_DONE;
    enum uex_error err = UEX_OK;

    if (!uex_dlq_filter_fits(act->order->filter, record))
        return UEX_OK;
    item.row = act->report->row_count;
    err = uex_replay_report_add(act->report, record, &row);
    if (err == UEX_LIMIT)
        row = &spare;
    else if (err != UEX_OK)
        return uex_fail(fault, err, "no memory for the report");
    err = decide_result(act, record, &item, row, &result, fault);
    if (err != UEX_OK) {
        act->report->counts[UEX_REPLAY_NOT_DONE]++;
        return err;
    }
    if ((result == UEX_REPLAY_REPLAYED || result == UEX_REPLAY_DISCARDED) && !act->order->dry_run) {
        item.record = record;
        *kept = true;
        act->chunk[act->chunk_count++] = item;
        act->chunk_bytes += uex_record_size_bytes(record);
        if (act->chunk_count < UEX_DLQ_CHUNK_MAX && act->chunk_bytes < UEX_DLQ_CHUNK_BYTES)
            return UEX_OK;
        return send_chunk(act, fault);
    }
    if (result == UEX_REPLAY_REPLAYED)
        result = UEX_REPLAY_WOULD_REPLAY;
    else if (result == UEX_REPLAY_DISCARDED)
        result = UEX_REPLAY_WOULD_DISCARD;
    row->result = result;
    act->report->counts[result]++;
    uex_buffer_clear(&item.value);
    return UEX_OK;
}

static enum uex_error make_passes(struct act *act, struct uex_fault *fault)
{
    const struct uex_replay_order *order = act->order;
    const struct uex_dlq_visitor look = {.marks = &act->marks, .letter = note_group, .context = act};
    const struct uex_dlq_visitor work = {.letter = take_letter, .context = act};
    enum uex_error err = UEX_OK;

    if (!order->dry_run)
        err = uex_dlq_sender_open(order->config, order->action, order->by, order->reason, &act->sender, fault);
    if (err == UEX_OK)
        err = uex_dlq_read(order->config, &look, fault);
    if (err == UEX_OK && order->action == UEX_DLQ_REPLAYED && act->groups != NULL)
        err = read_states(act, fault);
    if (err == UEX_OK)
        err = uex_dlq_read(order->config, &work, fault);
    if (err == UEX_OK)
        err = send_chunk(act, fault);
    return err;
}

/* Do it. The report is filled in any case; dead letters of a transaction that was not committed are in it as "not
 * done". Errors as of uex_dlq_read() and uex_dlq_sender_…(). */
static enum uex_error act_on_letters(const struct uex_replay_order *order, struct uex_replay_report *report,
                                     struct uex_fault *fault)
{
    struct act *act = calloc(1, sizeof(*act));
    enum uex_error err = UEX_OK;

    if (act == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a replay");
    act->order = order;
    act->report = report;
    err = make_passes(act, fault);
    /* What was collected before an error ended the reading. */
    for (size_t i = 0; i < act->chunk_count; i++)
        record_result(act, &act->chunk[i], UEX_REPLAY_NOT_DONE);
    uex_dlq_sender_close(act->sender);
    uex_state_set_clear(&act->states);
    uex_dlq_marks_clear(&act->marks);
    tdestroy(act->groups, free);
    free(act);
    return err;
}

/* ---- --wait */

/* A replay, and the commands that it sent. */
struct waiting {
    const struct uex_replay_order *order;
    struct uex_replay_report *report;
    enum uex_output format;
    struct uex_awaited_set commands;
};

/* The report once more, with the outcomes: for JSON, where it is one document. */
static bool print_with_outcomes(void *context)
{
    const struct waiting *waiting = context;

    for (size_t i = 0; i < waiting->commands.count; i++)
        waiting->report->rows[waiting->commands.items[i].row].outcome = waiting->commands.items[i].outcome;
    return uex_replay_report_print(waiting->report, waiting->order, waiting->format);
}

/* The replayed commands that will have an outcome in the state topic. A malformed one becomes a dead letter again, and
 * has no state. */
static enum uex_error choose_commands(struct waiting *waiting, size_t *left_out)
{
    const struct uex_replay_report *report = waiting->report;
    struct uex_awaited_set *commands = &waiting->commands;

    commands->items = calloc(report->row_count + 1, sizeof(*commands->items));
    if (commands->items == NULL)
        return UEX_NO_MEMORY;
    for (size_t i = 0; i < report->row_count; i++) {
        const struct uex_replay_row *row = &report->rows[i];
        struct uex_awaited *item = &commands->items[commands->count];

        if (row->result != UEX_REPLAY_REPLAYED || row->is_malformed || row->group_id == NULL || row->command_id[0] == 0)
            continue;
        *item = (struct uex_awaited){.group_id = row->group_id, .known_at_ms = row->known_at_ms, .row = i};
        memcpy(item->command_id, row->new_id[0] != 0 ? row->new_id : row->command_id, sizeof(item->command_id));
        commands->count++;
    }
    *left_out = report->counts[UEX_REPLAY_REPLAYED] - commands->count;
    uex_awaited_sort(commands);
    return UEX_OK;
}

/* Returns the exit code. */
static int wait_for_commands(const struct uex_replay_order *order, struct uex_replay_report *report,
                             enum uex_output format, struct uex_await *await)
{
    struct waiting waiting = {.order = order, .report = report, .format = format};
    struct uex_fault fault = {0};
    size_t left_out = 0;
    int code = UEX_EXIT_DONE;
    enum uex_error err = choose_commands(&waiting, &left_out);

    if (err != UEX_OK)
        return uex_output_fail(err, &fault);
    waiting.commands.timeout_ms = order->timeout_ms;
    waiting.commands.format = format;
    waiting.commands.print = print_with_outcomes;
    waiting.commands.context = &waiting;
    if (left_out > 0)
        uex_output_error("%zu replayed commands are not waited for: they are malformed or have no id, or the list is "
                         "too long; exportctl dlq list and exportctl status show what becomes of them",
                         left_out);
    code = uex_await_outcomes(await, &waiting.commands);
    uex_awaited_clear(&waiting.commands);
    return code;
}

/* ---- the subcommands */

static int report_failure(const struct uex_replay_order *order, const struct uex_replay_report *report,
                          enum uex_error err, const struct uex_fault *fault)
{
    const char *done = uex_dlq_action_text(order->action);

    if (err == UEX_TIMEOUT)
        uex_output_error(
            "it is unknown whether the last dead letters were %s; run the same command again: none is done twice",
            done);
    uex_output_error("%s (%s); %zu were %s", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text,
                     uex_error_code(err), uex_replay_sum_up(report).done, done);
    /* An unknown outcome is not UEX_EXIT_UNREACHABLE, which means that nothing was done. */
    return err == UEX_TIMEOUT ? UEX_EXIT_FAILED : uex_exit_of(err);
}

/* Do it, print it and, with --wait, see what becomes of it. Returns the exit code. */
static int act_and_report(const struct uex_replay_order *order, enum uex_output format)
{
    struct uex_replay_report report = {0};
    struct uex_await *await = NULL;
    struct uex_fault fault = {0};
    enum uex_error err = order->wait ? uex_await_open(order->config, &await, &fault) : UEX_OK;
    int code = UEX_EXIT_DONE, waited = UEX_EXIT_DONE;
    bool printed = true;

    if (err == UEX_OK)
        err = act_on_letters(order, &report, &fault);
    /* After an error print what was done before it, if anything. With --wait a JSON document is printed at the end. */
    if ((err == UEX_OK && (!order->wait || format == UEX_OUTPUT_TABLE)) ||
        (err != UEX_OK && uex_replay_sum_up(&report).done > 0))
        printed = uex_replay_report_print(&report, order, format);
    if (err == UEX_OK && order->wait && printed)
        waited = wait_for_commands(order, &report, format, await);
    if (!printed || uex_replay_sum_up(&report).failed > 0)
        code = UEX_EXIT_FAILED;
    if (err == UEX_OK && uex_dlq_filter_report_missing(order->filter))
        code = UEX_EXIT_FAILED;
    if (err != UEX_OK)
        code = report_failure(order, &report, err, &fault);
    uex_await_close(await);
    uex_replay_report_clear(&report);
    return code == UEX_EXIT_DONE ? waited : code;
}

static int replay_or_discard(const struct uex_config *config, enum uex_dlq_action action, int operand_count,
                             char **operands)
{
    const struct uex_ctl_options *given = &uex_ctl_options;
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_dlq_filter filter = {0};
    char who[UEX_WHO_SIZE];
    struct uex_replay_order order = {.config = config,
                                     .action = action,
                                     .filter = &filter,
                                     .by = who,
                                     .reason = given->reason != NULL ? given->reason : "",
                                     .again = given->again,
                                     .dry_run = given->dry_run,
                                     .wait = given->wait};
    int code = UEX_EXIT_USAGE;

    if (uex_output_format(given->output, &format) != UEX_OK ||
        uex_option_text("--by", given->by, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--reason", given->reason, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_wait(&order.timeout_ms) != UEX_OK ||
        uex_dlq_filter_make(operand_count, operands, true, &filter) != UEX_OK)
        goto done;
    uex_option_by(who);
    code = act_and_report(&order, format);
done:
    uex_dlq_filter_clear(&filter);
    return code;
}

int uex_dlq_replay_run(const struct uex_config *config, int operand_count, char **operands)
{
    return replay_or_discard(config, UEX_DLQ_REPLAYED, operand_count, operands);
}

int uex_dlq_discard_run(const struct uex_config *config, int operand_count, char **operands)
{
    if (uex_ctl_options.reason == NULL) {
        uex_output_error("--reason is required for dlq discard");
        return UEX_EXIT_USAGE;
    }
    return replay_or_discard(config, UEX_DLQ_DISCARDED, operand_count, operands);
}
