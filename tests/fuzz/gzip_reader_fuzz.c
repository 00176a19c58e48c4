/* SPDX-License-Identifier: Apache-2.0 */
/* Objects. The first byte says how: as they are, in pieces; or as the text of a member that our own compressor makes,
 * because no fuzzer guesses a CRC. */
#include <stdlib.h>

#include "export/gzip.h"

static enum uex_error write_reader(void *context, struct uex_bytes data)
{
    struct uex_fault fault = {0};
    enum uex_error error = uex_gzip_reader_write(context, data, &fault);

    if ((error != UEX_OK) != (fault.text[0] != '\0'))
        abort();
    return error;
}

static uint64_t newlines_of(struct uex_bytes text)
{
    uint64_t count = 0;

    for (size_t at = 0; at < text.size_bytes; at++)
        count += text.data[at] == '\n' ? 1 : 0;
    return count;
}

static void read_raw(struct uex_gzip_reader *reader, struct uex_bytes object, size_t piece_bytes)
{
    struct uex_gzip_facts facts;
    struct uex_fault fault = {0};

    for (size_t at = 0; at < object.size_bytes; at += piece_bytes) {
        size_t more = object.size_bytes - at < piece_bytes ? object.size_bytes - at : piece_bytes;

        if (write_reader(reader, uex_bytes_of(object.data + at, more)) != UEX_OK)
            break;
    }
    if (uex_gzip_reader_finish(reader, &facts, &fault) == UEX_OK && facts.size_bytes != object.size_bytes)
        abort();
}

static void read_compressed(struct uex_gzip_reader *reader, struct uex_bytes text, int level)
{
    struct uex_gzip *gzip = uex_gzip_new(level, NULL);
    struct uex_gzip_facts facts;
    enum uex_error error;

    if (gzip == NULL)
        return;
    uex_gzip_begin(gzip, (struct uex_sink){.write = write_reader, .context = reader});
    error = uex_gzip_write(gzip, text);
    if (error == UEX_OK)
        error = uex_gzip_finish(gzip);
    if (error == UEX_OK)
        error = uex_gzip_reader_finish(reader, &facts, NULL);
    if (error != UEX_OK && error != UEX_OBJECT_BROKEN)
        abort();
    if (error == UEX_OK && (facts.text_bytes != text.size_bytes || facts.line_count > newlines_of(text)))
        abort();
    uex_gzip_free(gzip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct uex_gzip_reader *reader = uex_gzip_reader_new(UEX_GZIP_CSV);

    if (reader != NULL && size_bytes > 0) {
        struct uex_bytes rest = uex_bytes_of(data + 1, size_bytes - 1);

        if (data[0] < 128)
            read_raw(reader, rest, (size_t)data[0] + 1);
        else
            read_compressed(reader, rest, data[0] % 9 + 1);
    }
    uex_gzip_reader_free(reader);
    return 0;
}
