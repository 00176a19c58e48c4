/* SPDX-License-Identifier: Apache-2.0 */
/* dlq replay, dlq discard. First fence other replays, then read the marks, then write. So all marks of a dead letter
 * are committed when it is decided what to do with it. */
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/dlq/dlq.h"
#include "ctl/options.h"
#include "ctl/state_reader.h"
#include "ctl/subcommands.h"
#include "export/command.h"

/* X(name, code in JSON, words in tables) */
#define RESULTS(X)                                                                                                     \
    X(REPLAYED, "replayed", "replayed")                                                                                \
    X(DISCARDED, "discarded", "discarded")                                                                             \
    X(WOULD_REPLAY, "would-replay", "would be replayed")                                                               \
    X(WOULD_DISCARD, "would-discard", "would be discarded")                                                            \
    X(LEFT_REPLAYED, "left-replayed", "left: already replayed")                                                        \
    X(LEFT_DISCARDED, "left-discarded", "left: already discarded")                                                     \
    X(LEFT_ENDED, "left-ended", "left: its command was exported or skipped since")                                     \
    X(NO_VALUE, "no-value", "cannot be replayed: its value was too large to be kept")                                  \
    X(NO_NEW_ID, "no-new-id", "cannot be replayed again: the id in its value cannot be replaced")                      \
    X(REFUSED, "refused", "refused by Kafka")                                                                          \
    X(NOT_DONE, "not-done", "not done")

enum result {
#define RESULT_ENUM(name, code, words) RESULT_##name,
    RESULTS(RESULT_ENUM)
#undef RESULT_ENUM
        RESULT_COUNT
};

/* One dead letter that matches. */
struct row {
    int32_t partition;
    int64_t offset;
    char *group_id;                      /* owned; NULL: it has none */
    char command_id[UEX_UUID_TEXT_SIZE]; /* its own */
    char new_id[UEX_UUID_TEXT_SIZE];     /* the one that it runs under now, if that is another; "" */
    enum result result;
};

#define ROWS_MAX 100000 /* listed one by one; further ones are only counted */

struct report {
    struct row *rows;
    size_t row_count, row_capacity;
    size_t counts[RESULT_COUNT];
};

/* The request. */
struct order {
    const struct uex_config *config;
    enum uex_dlq_action action;
    struct uex_dlq_filter *filter;
    const char *by, *reason; /* never NULL */
    bool again, dry_run;
};

struct act {
    const struct order *order;
    struct report *report;
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

/* Would the worker take this command for a duplicate: is its id among the group's recent ones as exported or skipped?
 */
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
    return err == UEX_NO_MEMORY ? err : UEX_OK; /* the worker ignores an unreadable state too */
}

/* ---- the report */

/* UEX_LIMIT: there are ROWS_MAX rows; this dead letter is only counted. UEX_NO_MEMORY. */
static enum uex_error add_letter(struct report *report, const struct uex_record *record, struct row **out)
{
    const char *group_id = uex_dlq_group(record);
    char *copy = NULL;

    if (report->row_count >= ROWS_MAX)
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
    **out = (struct row){
        .partition = record->partition, .offset = record->offset, .group_id = copy, .result = RESULT_NOT_DONE};
    return UEX_OK;
}

static void clear_report(struct report *report)
{
    for (size_t i = 0; i < report->row_count; i++)
        free(report->rows[i].group_id);
    free(report->rows);
    *report = (struct report){0};
}

/* ---- what is done with a dead letter */

/* The command id as the worker reads it: from the value, else from the header. */
static enum uex_error name_command(const struct uex_record *record, char *out, struct uex_fault *fault)
{
    struct uex_command command = {0};
    enum uex_error err = uex_command_parse(record->key, record->value, &command, fault);

    if (err == UEX_OK && command.command_id[0] != 0)
        memcpy(out, command.command_id, UEX_UUID_TEXT_SIZE);
    else
        memcpy(out, record->envelope.command_id, UEX_UUID_TEXT_SIZE);
    uex_command_clear(&command);
    return err == UEX_NO_MEMORY ? err : UEX_OK; /* a dead letter may be malformed */
}

/* A command id that was exported or skipped does not run again, so the command gets another one. If the value has the
 * old id, only that changes in it. */
static enum uex_error rename_command(const struct uex_record *record, struct uex_dlq_item *item, struct row *row,
                                     enum result *out, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    uex_uuid_random(item->command_id);
    err = uex_command_reissue(record->key, record->value, item->command_id, &item->value, fault);
    if (err != UEX_OK)
        uex_buffer_clear(&item->value);
    if (err == UEX_NO_MEMORY)
        return err;
    *out = RESULT_NO_NEW_ID;
    if (err != UEX_OK && err != UEX_NOT_FOUND)
        return UEX_OK;
    memcpy(row->new_id, item->command_id, sizeof(row->new_id));
    *out = RESULT_REPLAYED;
    return UEX_OK;
}

/* Decide what to do with the dead letter. UEX_NO_MEMORY, or UEX_OK. */
static enum uex_error decide_result(struct act *act, const struct uex_record *record, struct uex_dlq_item *item,
                                    struct row *row, enum result *out, struct uex_fault *fault)
{
    const struct order *order = act->order;
    size_t mark_count = 0;
    const struct uex_dlq_done *done = uex_dlq_marks_find(&act->marks, record->partition, record->offset, &mark_count);
    enum uex_error err = name_command(record, item->command_id, fault);
    bool ended = false;

    memcpy(row->command_id, item->command_id, sizeof(row->command_id));
    *out = RESULT_REPLAYED;
    if (err != UEX_OK)
        return err;
    if (done != NULL && !order->again)
        *out = done[mark_count - 1].action == UEX_DLQ_REPLAYED ? RESULT_LEFT_REPLAYED : RESULT_LEFT_DISCARDED;
    else if (order->action == UEX_DLQ_DISCARDED)
        *out = RESULT_DISCARDED;
    else if (record->value.data == NULL)
        *out = RESULT_NO_VALUE;
    else
        err = has_ended(act, uex_dlq_group(record), item->command_id, &ended, fault);
    if (ended && order->again)
        return rename_command(record, item, row, out, fault);
    if (ended)
        *out = RESULT_LEFT_ENDED;
    return err;
}

static void clear_item(struct uex_dlq_item *item)
{
    uex_record_free(item->record);
    uex_buffer_clear(&item->value);
    *item = (struct uex_dlq_item){0};
}

/* The audit line: who did what with which dead letter. */
static void log_audit(const struct order *order, const struct uex_dlq_item *item, const char *old_id)
{
    uex_log_audit(UEX_LOG_INFO, UEX_EVENT_DLQ,
                  order->action == UEX_DLQ_REPLAYED ? "dead letter replayed" : "dead letter discarded",
                  UEX_STR("action", uex_dlq_action_text(order->action)), UEX_STR("topic", order->config->topics_dlq),
                  UEX_INT("partition", item->record->partition), UEX_INT("offset", item->record->offset),
                  UEX_STR("group", uex_dlq_group(item->record)), UEX_STR("command", item->command_id),
                  UEX_STR("old_command", old_id), UEX_STR("by", order->by), UEX_STR("reason", order->reason));
}

static void record_result(struct act *act, struct uex_dlq_item *item, enum result result)
{
    struct row *row =
        item->row < act->report->row_count ? &act->report->rows[item->row] : NULL; /* further ones are only counted */
    bool is_renamed = row != NULL && row->new_id[0] != 0;

    act->report->counts[result]++;
    if (row != NULL)
        row->result = result;
    if (result == RESULT_REPLAYED || result == RESULT_DISCARDED)
        log_audit(act->order, item, is_renamed ? row->command_id : NULL);
    clear_item(item);
}

static enum uex_error send_chunk(struct act *act, struct uex_fault *fault)
{
    enum result done = act->order->action == UEX_DLQ_REPLAYED ? RESULT_REPLAYED : RESULT_DISCARDED;
    enum uex_error err = UEX_OK;

    if (act->chunk_count > 0)
        err = uex_dlq_sender_send(act->sender, act->chunk, act->chunk_count, fault);
    for (size_t i = 0; i < act->chunk_count; i++)
        record_result(act, &act->chunk[i],
                      err != UEX_OK                                         ? RESULT_NOT_DONE
                      : act->chunk[i].refused != RD_KAFKA_RESP_ERR_NO_ERROR ? RESULT_REFUSED
                                                                            : done);
    act->chunk_count = 0;
    act->chunk_bytes = 0;
    return err;
}

static enum uex_error take_letter(void *context, struct uex_record *record, bool *kept, struct uex_fault *fault)
{
    struct act *act = context;
    struct uex_dlq_item item = {0};
    struct row spare = {0}, *row = NULL;
    enum result result = RESULT_NOT_DONE;
    enum uex_error err = UEX_OK;

    if (!uex_dlq_filter_fits(act->order->filter, record))
        return UEX_OK;
    item.row = act->report->row_count;
    err = add_letter(act->report, record, &row);
    if (err == UEX_LIMIT)
        row = &spare;
    else if (err != UEX_OK)
        return uex_fail(fault, err, "no memory for the report");
    err = decide_result(act, record, &item, row, &result, fault);
    if (err != UEX_OK) {
        act->report->counts[RESULT_NOT_DONE]++;
        return err;
    }
    if ((result == RESULT_REPLAYED || result == RESULT_DISCARDED) && !act->order->dry_run) {
        item.record = record;
        *kept = true;
        act->chunk[act->chunk_count++] = item;
        act->chunk_bytes += uex_record_size_bytes(record);
        if (act->chunk_count < UEX_DLQ_CHUNK_MAX && act->chunk_bytes < UEX_DLQ_CHUNK_BYTES)
            return UEX_OK;
        return send_chunk(act, fault);
    }
    if (result == RESULT_REPLAYED)
        result = RESULT_WOULD_REPLAY;
    else if (result == RESULT_DISCARDED)
        result = RESULT_WOULD_DISCARD;
    row->result = result;
    act->report->counts[result]++;
    uex_buffer_clear(&item.value);
    return UEX_OK;
}

static enum uex_error make_passes(struct act *act, struct uex_fault *fault)
{
    const struct order *order = act->order;
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
static enum uex_error act_on_letters(const struct order *order, struct report *report, struct uex_fault *fault)
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
        record_result(act, &act->chunk[i], RESULT_NOT_DONE);
    uex_dlq_sender_close(act->sender);
    uex_state_set_clear(&act->states);
    uex_dlq_marks_clear(&act->marks);
    tdestroy(act->groups, free);
    free(act);
    return err;
}

/* ---- what is printed */

static const struct {
    const char *code, *words;
} results[] = {
#define RESULT_ROW(name, code, words) [RESULT_##name] = {code, words},
    RESULTS(RESULT_ROW)
#undef RESULT_ROW
};

/* The results in three numbers. */
struct sums {
    size_t done, left, failed;
};

static struct sums sum_up(const struct report *report)
{
    const size_t *counts = report->counts;

    return (struct sums){.done = counts[RESULT_REPLAYED] + counts[RESULT_DISCARDED] + counts[RESULT_WOULD_REPLAY] +
                                 counts[RESULT_WOULD_DISCARD],
                         .left =
                             counts[RESULT_LEFT_REPLAYED] + counts[RESULT_LEFT_DISCARDED] + counts[RESULT_LEFT_ENDED],
                         .failed = counts[RESULT_NO_VALUE] + counts[RESULT_NO_NEW_ID] + counts[RESULT_REFUSED] +
                                   counts[RESULT_NOT_DONE]};
}

static void add_table_row(struct uex_table *table, const struct row *row, enum uex_output format)
{
    char place[40], partition[16], offset[24];
    const char *const cells[] = {place,
                                 partition,
                                 offset,
                                 row->group_id,
                                 row->command_id[0] == 0 ? NULL : row->command_id,
                                 row->new_id[0] == 0 ? NULL : row->new_id,
                                 format == UEX_OUTPUT_JSON ? results[row->result].code : results[row->result].words};

    snprintf(place, sizeof(place), "%" PRId32 ":%" PRId64, row->partition, row->offset);
    snprintf(partition, sizeof(partition), "%" PRId32, row->partition);
    snprintf(offset, sizeof(offset), "%" PRId64, row->offset);
    uex_table_add(table, cells);
}

static void write_sums(const struct report *report, enum uex_dlq_action action, bool dry_run, struct uex_buffer *out)
{
    struct sums sums = sum_up(report);
    size_t all = sums.done + sums.left + sums.failed;

    if (all == 0) {
        uex_buffer_append_text(out, "no dead letter matches\n");
        return;
    }
    if (report->row_count < all)
        uex_buffer_append_format(out, "… and %zu more\n", all - report->row_count);
    uex_buffer_append_format(out, "\n%zu %s%s, %zu left, %zu failed%s\n", sums.done, dry_run ? "would be " : "",
                             uex_dlq_action_text(action), sums.left, sums.failed,
                             dry_run ? "; nothing was changed (--dry-run)" : "");
}

/* False when stdout failed. */
static bool print_report(const struct report *report, enum uex_dlq_action action, bool dry_run, enum uex_output format)
{
    struct uex_column_of_table columns[] = {
        {"place", "PLACE", UEX_CELL_TEXT},   {"partition", NULL, UEX_CELL_NUMBER},  {"offset", NULL, UEX_CELL_NUMBER},
        {"groupId", "GROUP", UEX_CELL_TEXT}, {"commandId", "COMMAND", UEX_CELL_ID}, {"newCommandId", NULL, UEX_CELL_ID},
        {"result", "RESULT", UEX_CELL_TEXT},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};
    struct sums sums = sum_up(report);
    struct uex_buffer out = {0};
    bool printed = false;

    for (size_t i = 0; i < report->row_count; i++) {
        if (report->rows[i].new_id[0] != 0)
            columns[5].title = "NEW COMMAND";
        add_table_row(&table, &report->rows[i], format);
    }
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_format(&out,
                                 "{\"action\": \"%s\", \"dryRun\": %s, \"done\": %zu, \"left\": %zu, \"failed\": %zu, "
                                 "\"letters\": ",
                                 action == UEX_DLQ_REPLAYED ? "replay" : "discard", dry_run ? "true" : "false",
                                 sums.done, sums.left, sums.failed);
    if (format == UEX_OUTPUT_JSON || table.row_count > 0)
        uex_table_write(&table, format, &out);
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "}\n");
    else
        write_sums(report, action, dry_run, &out);
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}

/* ---- the subcommands */

static int replay_or_discard(const struct uex_config *config, enum uex_dlq_action action, int operand_count,
                             char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_dlq_filter filter = {0};
    struct report report = {0};
    struct uex_fault fault = {0};
    char who[UEX_WHO_SIZE];
    struct order order = {.config = config,
                          .action = action,
                          .filter = &filter,
                          .by = who,
                          .reason = uex_ctl_options.reason != NULL ? uex_ctl_options.reason : "",
                          .again = uex_ctl_options.again,
                          .dry_run = uex_ctl_options.dry_run};
    int code = UEX_EXIT_USAGE;
    enum uex_error err = UEX_OK;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_text("--by", uex_ctl_options.by, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--reason", uex_ctl_options.reason, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_dlq_filter_make(operand_count, operands, true, &filter) != UEX_OK)
        goto done;
    uex_option_by(who);
    err = act_on_letters(&order, &report, &fault);
    code = err == UEX_OK && sum_up(&report).failed == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    /* After an error print what was done before it, if anything. */
    if ((err == UEX_OK || sum_up(&report).done > 0) && !print_report(&report, action, order.dry_run, format))
        code = UEX_EXIT_FAILED;
    if (err == UEX_OK && uex_dlq_filter_report_missing(&filter))
        code = UEX_EXIT_FAILED;
    if (err == UEX_TIMEOUT)
        uex_output_error(
            "it is unknown whether the last dead letters were %s; run the same command again: none is done twice",
            uex_dlq_action_text(action));
    if (err != UEX_OK) {
        uex_output_error("%s (%s); %zu were %s", fault.text[0] == 0 ? uex_error_sentence(err) : fault.text,
                         uex_error_code(err), sum_up(&report).done, uex_dlq_action_text(action));
        /* An unknown outcome is not UEX_EXIT_UNREACHABLE, which means that nothing was done. */
        code = err == UEX_TIMEOUT ? UEX_EXIT_FAILED : uex_exit_of(err);
    }
done:
    clear_report(&report);
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
