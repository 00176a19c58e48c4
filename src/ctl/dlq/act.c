/* SPDX-License-Identifier: Apache-2.0 */
/* Order of things in a replay: become the only one, then read what was done before, then do. A letter is decided on by
 * marks that are all committed, because whoever could write another one is fenced. */
#include "ctl/dlq/act.h"

#include <search.h>
#include <stdlib.h>

#include "export/command.h"

struct act {
    const struct uex_dlq_order *order;
    struct uex_dlq_report *report;
    struct uex_dlq_marks marks;
    void *groups;                /* of tsearch(3): the groups of letters that fit */
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
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the groups of the letters");
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
    enum uex_error err = uex_topic_reader_open(act->order->config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_state, act, fault);
    if (err == UEX_NO_MEMORY)
        err = uex_fail(fault, err, "no memory for the states of the groups");
    uex_topic_reader_close(reader);
    return err;
}

/* Would the worker pass this command over, because its id is among the group's recent ones as exported or skipped? */
static enum uex_error has_ended(const struct act *act, const char *group_id, const char *command_id, bool *ended,
                                struct uex_fault *fault)
{
    struct uex_bytes value = group_id == NULL ? (struct uex_bytes){0} : uex_state_set_find(&act->states, group_id);
    struct uex_group_memory *memory = NULL;
    enum uex_error err = UEX_OK;

    *ended = false;
    if (command_id[0] == 0 || value.data == NULL)
        return UEX_OK;
    err = uex_group_state_read(value, &memory, fault);
    *ended = err == UEX_OK && uex_group_memory_is_duplicate(memory, command_id);
    uex_group_memory_free(memory);
    return err == UEX_NO_MEMORY ? err : UEX_OK; /* the worker passes an unreadable state over too */
}

/* ---- the report */

/* UEX_LIMIT: there are UEX_DLQ_ROWS_MAX rows; this letter is only counted. UEX_NO_MEMORY. */
static enum uex_error add_row(struct uex_dlq_report *report, const struct uex_record *record, struct uex_dlq_row **out)
{
    const char *group_id = uex_dlq_group(record);
    char *copy = NULL;

    if (report->row_count >= UEX_DLQ_ROWS_MAX)
        return UEX_LIMIT;
    if (report->row_count == report->row_capacity) {
        size_t capacity = report->row_capacity == 0 ? 256 : report->row_capacity * 2;
        void *rows = realloc(report->rows, capacity * sizeof(report->rows[0]));

        if (rows == NULL)
            return UEX_NO_MEMORY;
        report->rows = rows;
        report->row_capacity = capacity;
    }
    copy = group_id == NULL ? NULL : strdup(group_id);
    if (group_id != NULL && copy == NULL)
        return UEX_NO_MEMORY;
    *out = &report->rows[report->row_count++];
    **out = (struct uex_dlq_row){
        .partition = record->partition, .offset = record->offset, .group_id = copy, .result = UEX_DLQ_NOT_DONE_RESULT};
    return UEX_OK;
}

void uex_dlq_report_clear(struct uex_dlq_report *report)
{
    for (size_t i = 0; i < report->row_count; i++)
        free(report->rows[i].group_id);
    free(report->rows);
    *report = (struct uex_dlq_report){0};
}

/* ---- what is done with a letter */

/* The id that the command goes by: its value's own, else the header's, as the worker reads it. */
static enum uex_error name_command(const struct uex_record *record, char *out, struct uex_fault *fault)
{
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(record->key, record->value, &command, fault);

    if (err == UEX_OK && command.command_id[0] != 0)
        memcpy(out, command.command_id, UEX_UUID_TEXT_SIZE);
    else if (!uex_record_command_id(record, out))
        out[0] = 0;
    uex_command_clear(&command);
    return err == UEX_NO_MEMORY ? err : UEX_OK; /* a letter may be malformed */
}

/* An id that was exported or skipped runs no second time, so the command gets another one; where its value says the
 * old one, that is the only thing in it that changes. */
static enum uex_error rename_command(const struct uex_record *record, struct uex_dlq_item *item,
                                     struct uex_dlq_row *row, enum uex_dlq_result *out, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    uex_uuid_random(item->command_id);
    err = uex_command_reissue(record->key, record->value, item->command_id, &item->value, fault);
    if (err != UEX_OK)
        uex_buffer_clear(&item->value);
    if (err == UEX_NO_MEMORY)
        return err;
    *out = UEX_DLQ_NO_NEW_ID_RESULT;
    if (err != UEX_OK && err != UEX_NOT_FOUND)
        return UEX_OK;
    memcpy(row->new_id, item->command_id, sizeof(row->new_id));
    *out = UEX_DLQ_REPLAYED_RESULT;
    return UEX_OK;
}

/* What is to be done with the letter. UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error decide(struct act *act, const struct uex_record *record, struct uex_dlq_item *item,
                             struct uex_dlq_row *row, enum uex_dlq_result *out, struct uex_fault *fault)
{
    const struct uex_dlq_order *order = act->order;
    size_t mark_count = 0;
    const struct uex_dlq_done *done = uex_dlq_marks_find(&act->marks, record->partition, record->offset, &mark_count);
    enum uex_error err = name_command(record, item->command_id, fault);
    bool ended = false;

    memcpy(row->command_id, item->command_id, sizeof(row->command_id));
    *out = UEX_DLQ_REPLAYED_RESULT;
    if (err != UEX_OK)
        return err;
    if (done != NULL && !order->again)
        *out = done[mark_count - 1].action == UEX_DLQ_REPLAYED ? UEX_DLQ_LEFT_REPLAYED_RESULT
                                                               : UEX_DLQ_LEFT_DISCARDED_RESULT;
    else if (order->action == UEX_DLQ_DISCARDED)
        *out = UEX_DLQ_DISCARDED_RESULT;
    else if (record->value.data == NULL)
        *out = UEX_DLQ_NO_VALUE_RESULT;
    else
        err = has_ended(act, uex_dlq_group(record), item->command_id, &ended, fault);
    if (ended && order->again)
        return rename_command(record, item, row, out, fault);
    if (ended)
        *out = UEX_DLQ_LEFT_ENDED_RESULT;
    return err;
}

static void clear_item(struct uex_dlq_item *item)
{
    uex_record_free(item->record);
    uex_buffer_clear(&item->value);
    *item = (struct uex_dlq_item){0};
}

/* The audit: who did what with which letter. */
static void say(const struct uex_dlq_order *order, const struct uex_dlq_item *item, const char *old_id)
{
    uex_log_audit(UEX_LOG_INFO, UEX_EVENT_DLQ,
                  order->action == UEX_DLQ_REPLAYED ? "dead letter replayed" : "dead letter discarded",
                  UEX_STR("action", uex_dlq_action_text(order->action)), UEX_STR("topic", order->config->topics_dlq),
                  UEX_INT("partition", item->record->partition), UEX_INT("offset", item->record->offset),
                  UEX_STR("group", uex_dlq_group(item->record)), UEX_STR("command", item->command_id),
                  UEX_STR("old_command", old_id), UEX_STR("by", order->by), UEX_STR("reason", order->reason));
}

static void settle(struct act *act, struct uex_dlq_item *item, enum uex_dlq_result result)
{
    struct uex_dlq_row *row =
        item->row < act->report->row_count ? &act->report->rows[item->row] : NULL; /* beyond they are only counted */
    bool is_renamed = row != NULL && row->new_id[0] != 0;

    act->report->counts[result]++;
    if (row != NULL)
        row->result = result;
    if (result == UEX_DLQ_REPLAYED_RESULT || result == UEX_DLQ_DISCARDED_RESULT)
        say(act->order, item, is_renamed ? row->command_id : NULL);
    clear_item(item);
}

static enum uex_error send_chunk(struct act *act, struct uex_fault *fault)
{
    enum uex_dlq_result done =
        act->order->action == UEX_DLQ_REPLAYED ? UEX_DLQ_REPLAYED_RESULT : UEX_DLQ_DISCARDED_RESULT;
    enum uex_error err = UEX_OK;

    if (act->chunk_count > 0)
        err = uex_dlq_sender_send(act->sender, act->chunk, act->chunk_count, fault);
    for (size_t i = 0; i < act->chunk_count; i++)
        settle(act, &act->chunk[i],
               err != UEX_OK                                         ? UEX_DLQ_NOT_DONE_RESULT
               : act->chunk[i].refused != RD_KAFKA_RESP_ERR_NO_ERROR ? UEX_DLQ_REFUSED_RESULT
                                                                     : done);
    act->chunk_count = 0;
    act->chunk_bytes = 0;
    return err;
}

static enum uex_error take_letter(void *context, struct uex_record *record, bool *kept, struct uex_fault *fault)
{
    struct act *act = context;
    struct uex_dlq_item item = {0};
    struct uex_dlq_row spare = {0}, *row = NULL;
    enum uex_dlq_result result = UEX_DLQ_NOT_DONE_RESULT;
    enum uex_error err = UEX_OK;

    if (!uex_dlq_filter_fits(act->order->filter, record))
        return UEX_OK;
    item.row = act->report->row_count;
    err = add_row(act->report, record, &row);
    if (err == UEX_LIMIT)
        row = &spare;
    else if (err != UEX_OK)
        return uex_fail(fault, err, "no memory for the report on the letters");
    err = decide(act, record, &item, row, &result, fault);
    if (err != UEX_OK) {
        act->report->counts[UEX_DLQ_NOT_DONE_RESULT]++;
        return err;
    }
    if ((result == UEX_DLQ_REPLAYED_RESULT || result == UEX_DLQ_DISCARDED_RESULT) && !act->order->dry_run) {
        item.record = record;
        *kept = true;
        act->chunk[act->chunk_count++] = item;
        act->chunk_bytes += uex_record_size_bytes(record);
        if (act->chunk_count < UEX_DLQ_CHUNK_MAX && act->chunk_bytes < UEX_DLQ_CHUNK_BYTES)
            return UEX_OK;
        return send_chunk(act, fault);
    }
    if (result == UEX_DLQ_REPLAYED_RESULT)
        result = UEX_DLQ_WOULD_REPLAY_RESULT;
    else if (result == UEX_DLQ_DISCARDED_RESULT)
        result = UEX_DLQ_WOULD_DISCARD_RESULT;
    row->result = result;
    act->report->counts[result]++;
    uex_buffer_clear(&item.value);
    return UEX_OK;
}

static enum uex_error run(struct act *act, struct uex_fault *fault)
{
    const struct uex_dlq_order *order = act->order;
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

enum uex_error uex_dlq_act(const struct uex_dlq_order *order, struct uex_dlq_report *report, struct uex_fault *fault)
{
    struct act *act = calloc(1, sizeof(*act));
    enum uex_error err = UEX_OK;

    if (act == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a replay");
    act->order = order;
    act->report = report;
    err = run(act, fault);
    /* What was collected when the reading broke off. */
    for (size_t i = 0; i < act->chunk_count; i++)
        settle(act, &act->chunk[i], UEX_DLQ_NOT_DONE_RESULT);
    uex_dlq_sender_close(act->sender);
    uex_state_set_clear(&act->states);
    uex_dlq_marks_clear(&act->marks);
    tdestroy(act->groups, free);
    free(act);
    return err;
}
