/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <zlib.h>

#include "encode/csv_counter.h"
#include "export/gzip.h"

#define WINDOW_BITS_GZIP (15 + 16) /* gzip only, no zlib header */
#define STEP_MAX_BYTES ((size_t)1 << 30)
#define OUT_BYTES ((size_t)64 << 10)
#define KEPT_LINES 2

/* Lines that are objects: `last` is the last byte before, '\n' at the beginning of a line. */
struct line_counter {
    uint64_t count;
    bool has_begun;
    uint8_t last;
};

struct uex_gzip_reader {
    z_stream stream;
    bool is_open;            /* inflateEnd() is due */
    bool has_ended;          /* the trailer was read and is right */
    struct uex_fault broken; /* what was found first; sticks */
    struct uex_digest *digest;
    enum uex_gzip_text text;
    struct uex_csv_counter counter; /* of CSV */
    struct line_counter lines;      /* of JSON Lines */
    struct uex_gzip_facts facts;
    size_t line, line_used; /* of the first two, which are kept */
    uint8_t out[OUT_BYTES];
};

struct uex_gzip_reader *uex_gzip_reader_new(enum uex_gzip_text text)
{
    struct uex_gzip_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return NULL;
    reader->text = text;
    reader->digest = uex_digest_new();
    reader->is_open = inflateInit2(&reader->stream, WINDOW_BITS_GZIP) == Z_OK;
    if (reader->digest == NULL || !reader->is_open) {
        uex_gzip_reader_free(reader);
        return NULL;
    }
    return reader;
}

static void keep_first_lines(struct uex_gzip_reader *reader, char byte)
{
    char *line = reader->line == 0 ? reader->facts.first_line : reader->facts.second_line;

    if (byte == '\n') {
        reader->line++;
        reader->line_used = 0;
    } else if (reader->line_used < sizeof(reader->facts.first_line) - 1) {
        line[reader->line_used++] = byte;
    }
}

static bool count_lines(struct line_counter *lines, struct uex_bytes text)
{
    for (size_t at = 0; at < text.size_bytes; at++) {
        const uint8_t byte = text.data[at];
        const bool begins = !lines->has_begun || lines->last == '\n';

        if ((begins && byte != '{') || (byte == '\n' && lines->last != '}'))
            return false;
        lines->count += byte == '\n';
        lines->has_begun = true;
        lines->last = byte;
    }
    return true;
}

static enum uex_error count_text(struct uex_gzip_reader *reader, struct uex_bytes text)
{
    reader->facts.text_bytes += text.size_bytes;
    for (size_t at = 0; at < text.size_bytes && reader->line < KEPT_LINES; at++)
        keep_first_lines(reader, (char)text.data[at]);
    if (reader->text == UEX_GZIP_JSON_LINES)
        return count_lines(&reader->lines, text)
                   ? UEX_OK
                   : uex_fail(&reader->broken, UEX_OBJECT_BROKEN, "the object is not JSON Lines: a line is no object");
    if (!uex_csv_counter_add(&reader->counter, text))
        return uex_fail(&reader->broken, UEX_OBJECT_BROKEN, "the object is not CSV: %s", reader->counter.reason);
    return UEX_OK;
}

/* One call of inflate(): takes some of `data`, gives some text. */
static enum uex_error step(struct uex_gzip_reader *reader, struct uex_bytes *data)
{
    size_t in_bytes = data->size_bytes > STEP_MAX_BYTES ? STEP_MAX_BYTES : data->size_bytes;
    z_stream *stream = &reader->stream;

    stream->next_in = (z_const Bytef *)data->data;
    stream->avail_in = (uInt)in_bytes;
    stream->next_out = reader->out;
    stream->avail_out = OUT_BYTES;
    int result = inflate(stream, Z_NO_FLUSH);
    data->data += in_bytes - stream->avail_in;
    data->size_bytes -= in_bytes - stream->avail_in;
    if (result == Z_MEM_ERROR)
        return uex_fail(&reader->broken, UEX_NO_MEMORY, "not enough memory to read the object");
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return uex_fail(&reader->broken, UEX_OBJECT_BROKEN, "the object is not gzip: %s",
                        stream->msg == NULL ? "it cannot be read" : stream->msg);
    reader->has_ended = result == Z_STREAM_END;
    return count_text(reader, uex_bytes_of(reader->out, OUT_BYTES - stream->avail_out));
}

static enum uex_error inflate_bytes(struct uex_gzip_reader *reader, struct uex_bytes data)
{
    bool is_full = false; /* inflate() may have more text than fits into one step */

    while (data.size_bytes > 0 || is_full) {
        if (reader->has_ended && data.size_bytes > 0)
            return uex_fail(&reader->broken, UEX_OBJECT_BROKEN, "there is data after the object's gzip member");
        if (reader->has_ended)
            break;
        enum uex_error error = step(reader, &data);
        if (error != UEX_OK)
            return error;
        is_full = reader->stream.avail_out == 0;
    }
    return UEX_OK;
}

static enum uex_error pass_on(const struct uex_gzip_reader *reader, struct uex_fault *fault)
{
    return uex_fail(fault, reader->broken.error, "%s", reader->broken.text);
}

enum uex_error uex_gzip_reader_write(struct uex_gzip_reader *reader, struct uex_bytes data, struct uex_fault *fault)
{
    if (reader->broken.error != UEX_OK)
        return pass_on(reader, fault);
    if (uex_digest_add(reader->digest, data) != UEX_OK)
        (void)uex_fail(&reader->broken, UEX_NO_MEMORY, "the object's SHA-256 cannot be computed");
    reader->facts.size_bytes += data.size_bytes;
    if (reader->broken.error != UEX_OK || inflate_bytes(reader, data) != UEX_OK)
        return pass_on(reader, fault);
    return UEX_OK;
}

enum uex_error uex_gzip_reader_finish(struct uex_gzip_reader *reader, struct uex_gzip_facts *facts,
                                      struct uex_fault *fault)
{
    if (reader->broken.error != UEX_OK)
        return pass_on(reader, fault);
    if (!reader->has_ended)
        (void)uex_fail(&reader->broken, UEX_OBJECT_BROKEN,
                       reader->facts.size_bytes == 0 ? "the object is empty" : "the object ends too early");
    else if (reader->lines.has_begun && reader->lines.last != '\n')
        (void)uex_fail(&reader->broken, UEX_OBJECT_BROKEN, "the object is not JSON Lines: its last line has no end");
    else if (reader->text == UEX_GZIP_CSV && !uex_csv_counter_finish(&reader->counter))
        (void)uex_fail(&reader->broken, UEX_OBJECT_BROKEN, "the object is not CSV: %s", reader->counter.reason);
    else if (uex_digest_finish(reader->digest, reader->facts.sha256) != UEX_OK)
        (void)uex_fail(&reader->broken, UEX_NO_MEMORY, "the object's SHA-256 cannot be computed");
    if (reader->broken.error != UEX_OK)
        return pass_on(reader, fault);
    reader->facts.line_count = reader->text == UEX_GZIP_CSV ? reader->counter.record_count : reader->lines.count;
    *facts = reader->facts;
    return UEX_OK;
}

void uex_gzip_reader_free(struct uex_gzip_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->is_open)
        (void)inflateEnd(&reader->stream);
    uex_digest_free(reader->digest);
    free(reader);
}
