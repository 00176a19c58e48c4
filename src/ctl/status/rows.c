/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status/rows.h"

#include <search.h>
#include <stdlib.h>

#include "export/text.h"
#include "run/outcomes.h"

static const char *const texts[] = {
    [UEX_STATUS_DEAD_LETTERED] = "dead-lettered",
    [UEX_STATUS_UNREADABLE] = "unreadable",
    [UEX_STATUS_RETRIED] = "retried",
    [UEX_STATUS_NOT_SCHEDULED] = "not-scheduled",
    [UEX_STATUS_RUNNING] = "running",
    [UEX_STATUS_QUEUED] = "queued",
    [UEX_STATUS_UNKNOWN] = "unknown",
    [UEX_STATUS_SKIPPED] = "skipped",
    [UEX_STATUS_EXPORTED] = "exported",
};

const char *uex_status_text(enum uex_status status)
{
    return texts[status];
}

const char *uex_status_colour(const char *text)
{
    if (strcmp(text, texts[UEX_STATUS_DEAD_LETTERED]) == 0 || strcmp(text, texts[UEX_STATUS_UNREADABLE]) == 0)
        return "31";
    if (strcmp(text, texts[UEX_STATUS_EXPORTED]) == 0)
        return "32";
    if (strcmp(text, texts[UEX_STATUS_SKIPPED]) == 0 || strcmp(text, texts[UEX_STATUS_RUNNING]) == 0)
        return NULL;
    return "33";
}

static enum uex_status status_of(enum uex_outcome_kind outcome)
{
    switch (outcome) {
    case UEX_OUTCOME_EXPORTED:
        return UEX_STATUS_EXPORTED;
    case UEX_OUTCOME_SKIPPED:
        return UEX_STATUS_SKIPPED;
    case UEX_OUTCOME_RETRIED:
        return UEX_STATUS_RETRIED;
    default:
        return UEX_STATUS_DEAD_LETTERED;
    }
}

bool uex_status_is_outcome(enum uex_status status)
{
    return status == UEX_STATUS_DEAD_LETTERED || status == UEX_STATUS_RETRIED || status == UEX_STATUS_SKIPPED ||
           status == UEX_STATUS_EXPORTED;
}

bool uex_status_is_open(enum uex_status status)
{
    return status == UEX_STATUS_NOT_SCHEDULED || status == UEX_STATUS_RUNNING || status == UEX_STATUS_QUEUED;
}

void uex_status_row_free(struct uex_status_row *row)
{
    free(row);
}

/* ---- from a state record to a row */

/* The texts and the status of a row; borrowed from a state record. */
struct row_source {
    enum uex_status status;
    const char *reason, *error, *run_id, *file_path, *sha256;
};

static void take_record(const struct uex_state_record *record, struct uex_status_row *row, struct row_source *source)
{
    *source = (struct row_source){.status = status_of(record->outcome),
                                  .reason = record->reason,
                                  .error = record->error,
                                  .run_id = record->run_id,
                                  .file_path = record->file_path,
                                  .sha256 = record->sha256};
    memcpy(row->command_id, record->command_id, UEX_UUID_TEXT_SIZE);
    row->at_ms = record->at_ms;
    row->snapshot_at_ms = record->snapshot_at_ms;
    row->duration_ms = record->duration_ms;
    row->next_attempt_at_ms = record->next_attempt_at_ms;
    row->rows = record->rows;
    row->bytes = record->bytes;
    row->attempts = record->attempts;
}

/* The group's outcome in a run. */
static void take_run(const struct uex_group_state_view *view, const struct uex_run_rule *rule,
                     struct uex_run_outcome *outcome, struct uex_status_row *row, struct row_source *source)
{
    const struct uex_group_memory_view *memory = &view->memory;

    if (uex_run_outcome_of(view, rule, outcome)) {
        take_record(&outcome->record, row, source);
        return;
    }
    /* Whether it is too old is decided when all rows are there: see uex_status_rows_finish(). */
    if (memory->recent_count == UEX_RECENT_MAX) {
        source->status = UEX_STATUS_UNKNOWN;
        row->at_ms = memory->recent[0].at_ms;
    }
}

static const struct uex_status_row nothing_known = {.at_ms = UEX_NO_TIME,
                                                    .snapshot_at_ms = UEX_NO_TIME,
                                                    .duration_ms = UEX_NO_TIME,
                                                    .next_attempt_at_ms = UEX_NO_TIME,
                                                    .last_exported_at_ms = UEX_NO_TIME,
                                                    .rows = UEX_UNKNOWN,
                                                    .bytes = UEX_UNKNOWN,
                                                    .attempts = UEX_UNKNOWN,
                                                    .last_exported_rows = UEX_UNKNOWN,
                                                    .newest_at_ms = UEX_NO_TIME};

/* A row in a block of its own, with copies of the strings. */
static struct uex_status_row *row_new(const struct uex_status_row *figures, const char *group_id,
                                      const struct row_source *source)
{
    const char *const texts_of_row[] = {group_id,       source->reason,    source->error,
                                        source->run_id, source->file_path, source->sha256};
    size_t lengths[sizeof(texts_of_row) / sizeof(texts_of_row[0])], total = 0, at = 0;
    struct uex_status_row *row = NULL;
    const char **places[sizeof(texts_of_row) / sizeof(texts_of_row[0])];

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        lengths[i] = texts_of_row[i] == NULL ? 0 : strlen(texts_of_row[i]);
        total += lengths[i] + 1;
    }
    row = calloc(1, sizeof(*row) + total);
    if (row == NULL)
        return NULL;
    *row = *figures;
    row->status = source->status;
    places[0] = &row->group_id;
    places[1] = &row->reason;
    places[2] = &row->error;
    places[3] = &row->run_id;
    places[4] = &row->file_path;
    places[5] = &row->sha256;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (lengths[i] > 0)
            memcpy(row->strings + at, texts_of_row[i], lengths[i]);
        *places[i] = row->strings + at;
        at += lengths[i] + 1;
    }
    return row;
}

struct uex_status_row *uex_status_row_of_record(const struct uex_state_record *record)
{
    struct uex_status_row row = nothing_known;
    struct row_source source = {0};

    take_record(record, &row, &source);
    row.newest_at_ms = record->at_ms;
    return row_new(&row, record->group_id, &source);
}

/* The row; the run of the newest outcome goes to `runs`. */
static struct uex_status_row *row_of_state(const char *group_id, struct uex_bytes value,
                                           const struct uex_run_rule *rule, struct uex_known_runs *runs)
{
    struct uex_status_row row = nothing_known, *made = NULL;
    struct row_source source = {.status = UEX_STATUS_NOT_SCHEDULED, .run_id = rule == NULL ? NULL : rule->run_id};
    struct uex_group_state_view view = {0};
    struct uex_fault fault = {0};
    struct uex_run_outcome outcome;
    enum uex_error err = UEX_OK;

    /* The recent commands need not be read if the newest outcome is the one that was asked for. */
    if (value.data != NULL)
        err = uex_group_state_newest_read(value, &view, &fault);
    if (value.data != NULL && err == UEX_OK)
        uex_known_runs_add(runs, view.record.run_id, view.record.at_ms);
    if (value.data != NULL && err == UEX_OK && rule != NULL &&
        !uex_run_rule_ends(rule, view.record.run_id, view.record.outcome, view.record.at_ms)) {
        uex_group_state_view_clear(&view);
        err = uex_group_state_view_read(value, &view, &fault);
    }
    if (err == UEX_MALFORMED) {
        source.status = UEX_STATUS_UNREADABLE;
        source.reason = fault.text;
    } else if (err == UEX_OK && value.data != NULL) {
        if (rule == NULL)
            take_record(&view.record, &row, &source);
        else
            take_run(&view, rule, &outcome, &row, &source);
        row.newest_at_ms = view.record.at_ms;
        if (view.memory.has_last) {
            row.last_exported_at_ms = view.memory.last.at_ms;
            row.last_exported_rows = view.memory.last.rows;
        }
    }
    if (err == UEX_OK || err == UEX_MALFORMED)
        made = row_new(&row, group_id, &source);
    uex_group_state_view_clear(&view);
    return made;
}

struct uex_status_row *uex_status_row_of_state(const char *group_id, struct uex_bytes value,
                                               const struct uex_run_rule *rule)
{
    return row_of_state(group_id, value, rule, NULL);
}

/* ---- all of them */

static int compare_ids(const void *left, const void *right)
{
    return strcmp(((const struct uex_status_row *)left)->group_id, ((const struct uex_status_row *)right)->group_id);
}

static void leave(void *row)
{
    (void)row; /* the rows are freed one by one */
}

void uex_status_rows_clear(struct uex_status_rows *rows)
{
    tdestroy(rows->root, leave);
    for (size_t i = 0; i < rows->count; i++)
        uex_status_row_free(rows->items[i]);
    free(rows->items);
    *rows = (struct uex_status_rows){0};
}

struct uex_status_row *uex_status_rows_find(const struct uex_status_rows *rows, const char *group_id)
{
    const struct uex_status_row wanted = {.group_id = group_id};
    void *node = tfind(&wanted, &rows->root, compare_ids);

    return node == NULL ? NULL : *(struct uex_status_row **)node;
}

static bool make_room(struct uex_status_rows *rows)
{
    size_t capacity = rows->capacity == 0 ? 256 : rows->capacity * 2;
    struct uex_status_row **items = NULL;

    if (rows->count < rows->capacity)
        return true;
    items = realloc(rows->items, capacity * sizeof(struct uex_status_row *));
    if (items == NULL)
        return false;
    rows->items = items;
    rows->capacity = capacity;
    return true;
}

/* Does the existing row stay? In one partition the later record is newer. In two partitions, after the topic has grown,
 * their times decide. */
static bool stays(const struct uex_status_row *before, const struct uex_status_row *row)
{
    return before->partition != row->partition && row->newest_at_ms < before->newest_at_ms;
}

enum uex_error uex_status_rows_put(struct uex_status_rows *rows, struct uex_status_row *row)
{
    struct uex_status_row *before = NULL;
    void *node = make_room(rows) ? tsearch(row, &rows->root, compare_ids) : NULL;

    if (node == NULL) {
        uex_status_row_free(row);
        return UEX_NO_MEMORY;
    }
    before = *(struct uex_status_row **)node;
    if (before == row) {
        row->index = rows->count++;
    } else if (stays(before, row)) {
        uex_status_row_free(row);
        return UEX_OK;
    } else {
        row->index = before->index;
        rows->counts[before->status]--;
        *(struct uex_status_row **)node = row;
        uex_status_row_free(before);
    }
    rows->items[row->index] = row;
    rows->counts[row->status]++;
    return UEX_OK;
}

static void forget(struct uex_status_rows *rows, struct uex_status_row *row)
{
    struct uex_status_row *last = rows->items[--rows->count];

    tdelete(row, &rows->root, compare_ids);
    rows->counts[row->status]--;
    rows->items[row->index] = last;
    last->index = row->index;
    uex_status_row_free(row);
}

enum uex_error uex_status_rows_take(void *context, const rd_kafka_message_t *message)
{
    struct uex_status_rows *rows = context;
    struct uex_bytes key = uex_bytes_of(message->key, message->key == NULL ? 0 : message->key_len);
    char group_id[256] = "";
    struct uex_status_row *before = NULL, *row = NULL;

    if (!uex_group_id_valid(key))
        return UEX_OK;
    memcpy(group_id, key.data, key.size_bytes);
    if (message->payload == NULL) {
        before = uex_status_rows_find(rows, group_id);
        if (before != NULL && before->partition == message->partition) /* else the newer one is in another partition */
            forget(rows, before);
        return UEX_OK;
    }
    row = row_of_state(group_id, uex_bytes_of(message->payload, message->len), rows->rule, rows->runs);
    if (row == NULL)
        return UEX_NO_MEMORY;
    row->partition = message->partition;
    return uex_status_rows_put(rows, row);
}

void uex_status_rows_set(struct uex_status_rows *rows, struct uex_status_row *row, enum uex_status status)
{
    rows->counts[row->status]--;
    row->status = status;
    rows->counts[status]++;
}

void uex_status_rows_keep_wanted(struct uex_status_rows *rows)
{
    for (size_t i = rows->count; i-- > 0;)
        if (!rows->items[i]->is_wanted)
            forget(rows, rows->items[i]);
}

static int compare_rows(const void *left, const void *right)
{
    const struct uex_status_row *left_row = *(struct uex_status_row *const *)left;
    const struct uex_status_row *right_row = *(struct uex_status_row *const *)right;

    if (left_row->status != right_row->status)
        return left_row->status < right_row->status ? -1 : 1;
    return strcmp(left_row->group_id, right_row->group_id);
}

void uex_status_rows_finish(struct uex_status_rows *rows)
{
    int64_t first_ms = INT64_MAX;

    for (size_t i = 0; i < rows->count; i++)
        if (uex_status_is_outcome(rows->items[i]->status) && rows->items[i]->at_ms < first_ms)
            first_ms = rows->items[i]->at_ms;
    for (size_t i = 0; i < rows->count; i++) {
        struct uex_status_row *row = rows->items[i];

        if (row->status == UEX_STATUS_NOT_SCHEDULED && rows->waiting_unknown)
            uex_status_rows_set(rows, row, UEX_STATUS_UNKNOWN);
        if (row->status != UEX_STATUS_UNKNOWN)
            continue;
        /* Its recent commands go back to before the run, so an outcome in the run would be among them. */
        if (row->at_ms < first_ms && !rows->waiting_unknown)
            uex_status_rows_set(rows, row, UEX_STATUS_NOT_SCHEDULED);
        row->at_ms = UEX_NO_TIME;
    }
    if (rows->count > 1)
        qsort(rows->items, rows->count, sizeof(struct uex_status_row *), compare_rows);
    for (size_t i = 0; i < rows->count; i++)
        rows->items[i]->index = i;
}
