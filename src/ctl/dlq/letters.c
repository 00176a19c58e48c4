/* SPDX-License-Identifier: Apache-2.0 */
/* The dead-letter topic: the selection, reading it, and the marks of what was done with each dead letter. */
#include "ctl/dlq/dlq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "config/table.h"
#include "ctl/connect.h"
#include "ctl/options.h"
#include "export/text.h"

#define MARKS_MAX ((size_t)2 << 20)
#define LETTERS_MAX_BYTES ((size_t)256 << 20)

/* ---- the selection */

static bool read_place(const char *text, struct uex_dlq_place *out)
{
    char *end = NULL;
    long long partition = 0, offset = 0;

    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    partition = strtoll(text, &end, 10);
    if (*end != ':' || end[1] < '0' || end[1] > '9')
        return false;
    offset = strtoll(end + 1, &end, 10);
    *out = (struct uex_dlq_place){.partition = (int32_t)partition, .offset = offset};
    return *end == 0 && errno == 0 && partition <= INT32_MAX;
}

static int by_place(const void *left, const void *right)
{
    const struct uex_dlq_place *a = left, *b = right;

    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static enum uex_error read_places(int operand_count, char *const *operands, struct uex_dlq_filter *out)
{
    out->places = calloc((size_t)operand_count + 1, sizeof(*out->places));
    if (out->places == NULL) {
        uex_output_error("no memory");
        return UEX_NO_MEMORY;
    }
    for (int i = 0; i < operand_count; i++) {
        if (!read_place(operands[i], &out->places[out->place_count])) {
            uex_output_error("'%.60s' is not PARTITION:OFFSET, as exportctl dlq list prints it", operands[i]);
            return UEX_CONFIG;
        }
        out->place_count++;
    }
    qsort(out->places, out->place_count, sizeof(out->places[0]), by_place);
    return UEX_OK;
}

static enum uex_error read_time(const char *name, const char *text, int64_t *out)
{
    int64_t age_ms = 0;

    *out = UEX_NO_TIME;
    if (text == NULL || uex_time_parse(text, strlen(text), out))
        return UEX_OK;
    if (uex_duration_parse(text, &age_ms) && age_ms >= 0) {
        *out = uex_wall_ms() - age_ms;
        return UEX_OK;
    }
    uex_output_error(
        "%s: must be a time (2026-11-22T23:20:00+05:30) or how long ago (units ms, s, m, h), for example 12h", name);
    return UEX_CONFIG;
}

static enum uex_error check_code(const char *code)
{
    enum uex_error error = UEX_OK;

    if (code == NULL || uex_error_from_code(code, &error))
        return UEX_OK;
    uex_output_error("--error: unknown error code '%.60s'; exportctl dlq list shows the codes", code);
    return UEX_CONFIG;
}

enum uex_error uex_dlq_filter_make(int operand_count, char *const *operands, bool must_name, struct uex_dlq_filter *out)
{
    const struct uex_ctl_options *options = &uex_ctl_options;
    bool is_narrowed = operand_count > 0 || options->group != NULL || options->error != NULL ||
                       options->since != NULL || options->until != NULL;
    enum uex_error err = UEX_OK;

    *out = (struct uex_dlq_filter){
        .group = options->group, .error_code = options->error, .since_ms = UEX_NO_TIME, .until_ms = UEX_NO_TIME};
    if (must_name && !is_narrowed && !options->all) {
        uex_output_error("no dead letter selected; give PARTITION:OFFSET, --group, --error, --since, --until or --all");
        return UEX_CONFIG;
    }
    if (options->all && is_narrowed) {
        uex_output_error("--all cannot be combined with PARTITION:OFFSET, --group, --error, --since or --until");
        return UEX_CONFIG;
    }
    err = read_places(operand_count, operands, out);
    if (err == UEX_OK)
        err = check_code(options->error);
    if (err == UEX_OK)
        err = read_time("--since", options->since, &out->since_ms);
    if (err == UEX_OK)
        err = read_time("--until", options->until, &out->until_ms);
    return err;
}

void uex_dlq_filter_clear(struct uex_dlq_filter *filter)
{
    free(filter->places);
    *filter = (struct uex_dlq_filter){0};
}

static bool fits_text(const char *wanted, struct uex_bytes text)
{
    return wanted == NULL ||
           (text.data != NULL && strlen(wanted) == text.size_bytes && memcmp(wanted, text.data, text.size_bytes) == 0);
}

bool uex_dlq_filter_fits(struct uex_dlq_filter *filter, const struct uex_record *record)
{
    struct uex_dlq_place key = {.partition = record->partition, .offset = record->offset};
    struct uex_dlq_place *place = NULL;

    if (filter->place_count > 0) {
        place = bsearch(&key, filter->places, filter->place_count, sizeof(key), by_place);
        if (place == NULL)
            return false;
        place->found = true;
    }
    return fits_text(filter->group, record->key) && fits_text(filter->error_code, record->envelope.error_code) &&
           (filter->since_ms == UEX_NO_TIME || record->timestamp_ms >= filter->since_ms) &&
           (filter->until_ms == UEX_NO_TIME || record->timestamp_ms < filter->until_ms);
}

bool uex_dlq_filter_report_missing(const struct uex_dlq_filter *filter)
{
    bool any = false;

    for (size_t i = 0; i < filter->place_count; i++) {
        const struct uex_dlq_place *place = &filter->places[i];

        if (place->found || (i > 0 && by_place(place, place - 1) == 0))
            continue;
        uex_output_error("no dead letter at %" PRId32 ":%" PRId64, place->partition, place->offset);
        any = true;
    }
    return any;
}

/* ---- the marks */

/* Successive marks mostly have the same person and reason, so repeated texts are kept once. */
struct uex_dlq_text {
    struct uex_dlq_text *next;
    char text[];
};

static const char *keep_text(struct uex_dlq_marks *marks, const char *text, const char **last)
{
    struct uex_dlq_text *kept = NULL;

    if (*last != NULL && strcmp(*last, text) == 0)
        return *last;
    kept = malloc(sizeof(*kept) + strlen(text) + 1);
    if (kept == NULL)
        return NULL;
    memcpy(kept->text, text, strlen(text) + 1);
    kept->next = marks->texts;
    marks->texts = kept;
    *last = kept->text;
    return kept->text;
}

static bool make_room(struct uex_dlq_marks *marks)
{
    size_t capacity = marks->capacity == 0 ? 256 : marks->capacity * 2;
    void *items = NULL;

    if (marks->count < marks->capacity)
        return true;
    items = marks->count >= MARKS_MAX ? NULL : realloc(marks->items, capacity * sizeof(marks->items[0]));
    if (items == NULL)
        return false;
    marks->items = items;
    marks->capacity = capacity;
    return true;
}

enum uex_error uex_dlq_marks_add(struct uex_dlq_marks *marks, const struct uex_record *record,
                                 const struct uex_dlq_mark *mark, struct uex_fault *fault)
{
    const char *by = keep_text(marks, mark->by, &marks->last_by);
    const char *reason = keep_text(marks, mark->reason, &marks->last_reason);
    struct uex_dlq_done *done = NULL;

    if (by == NULL || reason == NULL || !make_room(marks))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the marks of %zu dead letters", marks->count);
    done = &marks->items[marks->count++];
    *done = (struct uex_dlq_done){.partition = mark->partition,
                                  .offset = mark->offset,
                                  .mark_offset = record->offset,
                                  .at_ms = mark->at_ms,
                                  .action = mark->action,
                                  .by = by,
                                  .reason = reason};
    memcpy(done->command_id, mark->command_id, sizeof(done->command_id));
    marks->is_sorted = false;
    return UEX_OK;
}

static int compare(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

static int by_letter(const void *left, const void *right)
{
    const struct uex_dlq_done *a = left, *b = right;
    int order = compare(a->partition, b->partition);

    if (order == 0)
        order = compare(a->offset, b->offset);
    return order != 0 ? order : compare(a->mark_offset, b->mark_offset);
}

const struct uex_dlq_done *uex_dlq_marks_find(struct uex_dlq_marks *marks, int32_t partition, int64_t offset,
                                              size_t *count)
{
    struct uex_dlq_done key = {.partition = partition, .offset = offset, .mark_offset = -1};
    size_t low = 0, high = marks->count;

    if (!marks->is_sorted && marks->count > 0)
        qsort(marks->items, marks->count, sizeof(marks->items[0]), by_letter);
    marks->is_sorted = true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_letter(&marks->items[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low;
         high < marks->count && marks->items[high].partition == partition && marks->items[high].offset == offset;)
        high++;
    *count = high - low;
    return *count == 0 ? NULL : &marks->items[low];
}

void uex_dlq_marks_clear(struct uex_dlq_marks *marks)
{
    while (marks->texts != NULL) {
        struct uex_dlq_text *next = marks->texts->next;

        free(marks->texts);
        marks->texts = next;
    }
    free(marks->items);
    *marks = (struct uex_dlq_marks){0};
}

/* ---- reading the topic */

struct pass {
    const struct uex_dlq_visitor *visitor;
    struct uex_fault *fault;
};

static enum uex_error take_record(void *context, const rd_kafka_message_t *message)
{
    const struct pass *pass = context;
    struct uex_record *record = uex_record_copy(message, NULL);
    struct uex_dlq_mark mark;
    enum uex_error err = UEX_OK;
    bool kept = false;

    if (record == NULL)
        return uex_fail(pass->fault, UEX_NO_MEMORY, "no memory for a dead letter");
    if (uex_dlq_mark_read(record, &mark)) {
        if (pass->visitor->marks != NULL)
            err = uex_dlq_marks_add(pass->visitor->marks, record, &mark, pass->fault);
    } else if (pass->visitor->letter != NULL) {
        err = pass->visitor->letter(pass->visitor->context, record, &kept, pass->fault);
    }
    if (!kept)
        uex_record_free(record);
    return err;
}

enum uex_error uex_dlq_read(const struct uex_config *config, const struct uex_dlq_visitor *visitor,
                            struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = config->topics_dlq, .from = UEX_READ_ALL, .whole = true};
    struct pass pass = {.visitor = visitor, .fault = fault};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_record, &pass, fault);
    uex_topic_reader_close(reader);
    return err;
}

const char *uex_dlq_group(const struct uex_record *record)
{
    return record->key.data != NULL && uex_group_id_valid(record->key) ? (const char *)record->key.data : NULL;
}

static enum uex_error collect_one(void *context, struct uex_record *record, bool *kept, struct uex_fault *fault)
{
    struct uex_dlq_letters *letters = context;

    if (!uex_dlq_filter_fits(letters->filter, record))
        return UEX_OK;
    letters->size_bytes += uex_record_size_bytes(record);
    if (letters->size_bytes > LETTERS_MAX_BYTES)
        return uex_fail(fault, UEX_LIMIT,
                        "more than %zu dead letters (256 MiB) match; narrow the selection with --group, --error, "
                        "--since or --until",
                        letters->count);
    if (letters->count == letters->capacity) {
        size_t capacity = letters->capacity == 0 ? 256 : letters->capacity * 2;
        void *items = realloc(letters->items, capacity * sizeof(letters->items[0]));

        if (items == NULL)
            return uex_fail(fault, UEX_NO_MEMORY, "no memory for %zu dead letters", letters->count);
        letters->items = items;
        letters->capacity = capacity;
    }
    letters->items[letters->count++] = record;
    *kept = true;
    return UEX_OK;
}

static int by_time(const void *left, const void *right)
{
    const struct uex_record *a = *(struct uex_record *const *)left, *b = *(struct uex_record *const *)right;

    if (a->timestamp_ms != b->timestamp_ms)
        return a->timestamp_ms < b->timestamp_ms ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

enum uex_error uex_dlq_collect(const struct uex_config *config, struct uex_dlq_letters *letters,
                               struct uex_fault *fault)
{
    const struct uex_dlq_visitor visitor = {.marks = &letters->marks, .letter = collect_one, .context = letters};
    enum uex_error err = uex_dlq_read(config, &visitor, fault);

    if (err == UEX_OK && letters->count > 0)
        qsort(letters->items, letters->count, sizeof(letters->items[0]), by_time);
    return err;
}

void uex_dlq_letters_clear(struct uex_dlq_letters *letters)
{
    for (size_t i = 0; i < letters->count; i++)
        uex_record_free(letters->items[i]);
    free(letters->items);
    uex_dlq_marks_clear(&letters->marks);
    *letters = (struct uex_dlq_letters){0};
}
