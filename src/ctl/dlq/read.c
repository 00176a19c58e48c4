/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "ctl/dlq/dlq.h"
#include "ctl/topic_reader.h"
#include "export/text.h"

#define LETTERS_MAX_BYTES ((size_t)256 << 20)

struct pass {
    const struct uex_dlq_visitor *visitor;
    struct uex_fault *fault;
};

static enum uex_error take(void *context, const rd_kafka_message_t *message)
{
    const struct pass *pass = context;
    struct uex_record *record = uex_record_copy(message);
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
    enum uex_error err = uex_topic_reader_open(config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take, &pass, fault);
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
                        "%zu letters and more fit, too many to show at once; narrow it with --group, --error, --since "
                        "or --until",
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
