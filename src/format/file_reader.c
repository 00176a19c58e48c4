/* SPDX-License-Identifier: Apache-2.0 */
#include "export/file_reader.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/gzip.h"
#include "export/layout.h"
#include "export/parquet_footer.h"

struct uex_file_reader {
    enum uex_format format;
    struct uex_gzip_reader *gzip; /* of text */
    /* Of Parquet: the last bytes that came, twice as many at most as a footer may have. */
    struct uex_buffer tail;
    struct uex_digest *digest;
    uint64_t size_bytes;
};

#define TAIL_KEPT_BYTES (UEX_BUFFER_CAP_BYTES / 4)

struct uex_file_reader *uex_file_reader_new(enum uex_format format)
{
    struct uex_file_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return NULL;
    reader->format = format;
    if (format == UEX_FORMAT_PARQUET)
        reader->digest = uex_digest_new();
    else
        reader->gzip = uex_gzip_reader_new(format == UEX_FORMAT_CSV ? UEX_GZIP_CSV : UEX_GZIP_JSON_LINES);
    if (reader->digest != NULL || reader->gzip != NULL)
        return reader;
    free(reader);
    return NULL;
}

void uex_file_reader_free(struct uex_file_reader *reader)
{
    if (reader == NULL)
        return;
    uex_gzip_reader_free(reader->gzip);
    uex_digest_free(reader->digest);
    uex_buffer_clear(&reader->tail);
    free(reader);
}

static enum uex_error keep_tail(struct uex_file_reader *reader, struct uex_bytes data, struct uex_fault *fault)
{
    struct uex_buffer *tail = &reader->tail;

    if (data.size_bytes >= TAIL_KEPT_BYTES) {
        uex_buffer_reset(tail);
        data = uex_bytes_of(data.data + data.size_bytes - TAIL_KEPT_BYTES, TAIL_KEPT_BYTES);
    } else if (tail->size_bytes + data.size_bytes > 2 * TAIL_KEPT_BYTES) {
        memmove(tail->data, tail->data + tail->size_bytes - TAIL_KEPT_BYTES, TAIL_KEPT_BYTES);
        tail->size_bytes = TAIL_KEPT_BYTES;
    }
    uex_buffer_append(tail, data.data, data.size_bytes);
    return uex_buffer_failed(tail) ? uex_fail(fault, UEX_NO_MEMORY, "not enough memory to read a file") : UEX_OK;
}

enum uex_error uex_file_reader_write(struct uex_file_reader *reader, struct uex_bytes data, struct uex_fault *fault)
{
    enum uex_error err;

    if (reader->gzip != NULL)
        return uex_gzip_reader_write(reader->gzip, data, fault);
    reader->size_bytes += data.size_bytes;
    err = uex_digest_add(reader->digest, data);
    return err == UEX_OK ? keep_tail(reader, data, fault) : err;
}

static void append_name(struct uex_file_facts *facts, const char *name, size_t size)
{
    const size_t used = strlen(facts->header), room = sizeof(facts->header) - used;

    (void)snprintf(facts->header + used, room, "%s%.*s", used == 0 ? "" : ",", (int)size, name);
}

/* A first row that was cut is no JSON: then the names are not known. */
static void name_members(const char *line, struct uex_file_facts *facts)
{
    cJSON *object = cJSON_Parse(line);
    const cJSON *member = NULL;

    cJSON_ArrayForEach(member, object)
    {
        if (member->string != NULL)
            append_name(facts, member->string, strlen(member->string));
    }
    cJSON_Delete(object);
}

static enum uex_error finish_text(struct uex_file_reader *reader, struct uex_file_facts *facts, struct uex_fault *fault)
{
    struct uex_gzip_facts *text = calloc(1, sizeof(*text));
    uint64_t before = 0;
    enum uex_error err;

    if (text == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory to read a file");
    err = uex_gzip_reader_finish(reader->gzip, text, fault);
    if (err == UEX_OK) {
        facts->size_bytes = text->size_bytes;
        facts->text_bytes = text->text_bytes;
        memcpy(facts->sha256, text->sha256, sizeof(facts->sha256));
    }
    if (err == UEX_OK && reader->format == UEX_FORMAT_CSV) {
        facts->has_comment =
            strncmp(text->first_line, UEX_VERSION_COMMENT_START, strlen(UEX_VERSION_COMMENT_START)) == 0;
        before = facts->has_comment ? 2 : 1;
        (void)snprintf(facts->header, sizeof(facts->header), "%s",
                       facts->has_comment ? text->second_line : text->first_line);
        if (text->line_count < before)
            err = uex_fail(fault, UEX_OBJECT_BROKEN, "the object has no header line");
    } else if (err == UEX_OK) {
        name_members(text->first_line, facts);
    }
    facts->row_count = text->line_count - before;
    free(text);
    return err;
}

static enum uex_error finish_parquet(struct uex_file_reader *reader, struct uex_file_facts *facts,
                                     struct uex_fault *fault)
{
    struct uex_parquet_footer footer = {0};
    struct uex_bytes tail = uex_buffer_bytes(&reader->tail);
    size_t footer_bytes = 0;
    enum uex_error err = uex_parquet_footer_measure(tail, reader->size_bytes, &footer_bytes, fault);

    if (err == UEX_OK && footer_bytes > tail.size_bytes)
        err = uex_fail(fault, UEX_OBJECT_BROKEN, "the object's footer has more than %zu bytes", tail.size_bytes);
    if (err == UEX_OK)
        err = uex_parquet_footer_read(tail, &footer, fault);
    if (err == UEX_OK)
        err = uex_digest_finish(reader->digest, facts->sha256);
    if (err != UEX_OK)
        return err;
    facts->size_bytes = facts->text_bytes = reader->size_bytes;
    facts->row_count = footer.row_count;
    for (size_t i = 0; i < footer.column_count; i++)
        append_name(facts, (const char *)footer.columns[i].data, footer.columns[i].size_bytes);
    uex_parquet_footer_clear(&footer);
    return UEX_OK;
}

enum uex_error uex_file_reader_finish(struct uex_file_reader *reader, struct uex_file_facts *facts,
                                      struct uex_fault *fault)
{
    *facts = (struct uex_file_facts){0};
    return reader->gzip != NULL ? finish_text(reader, facts, fault) : finish_parquet(reader, facts, fault);
}
