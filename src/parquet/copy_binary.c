/* SPDX-License-Identifier: Apache-2.0 */
#include "export/copy_binary.h"

#include "parquet/load.h"

/* The manual, "File Header": the signature with its zero byte, the flags, the length of the extension area. */
static const uint8_t SIGNATURE[11] = "PGCOPY\n\377\r\n";
#define HEADER_BYTES (sizeof(SIGNATURE) + 4 + 4)
/* Bits 16 to 31 are critical: a reader that does not know one has to stop. Bit 16 was "with object ids", which no
 * server since 12 sends. Bits 0 to 15 are to be ignored. */
#define FLAGS_CRITICAL UINT32_C(0xffff0000)

static enum uex_error read_header(struct uex_bytes *message, struct uex_fault *fault)
{
    uint32_t extension_bytes;

    if (message->size_bytes < HEADER_BYTES || memcmp(message->data, SIGNATURE, sizeof(SIGNATURE)) != 0)
        return uex_fail(fault, UEX_DB_QUERY, "database: the rows do not begin as COPY's binary format does");
    if ((uex_load_be32(message->data + sizeof(SIGNATURE)) & FLAGS_CRITICAL) != 0)
        return uex_fail(fault, UEX_DB_QUERY,
                        "database: COPY's binary format has flags that this program does not know");
    extension_bytes = uex_load_be32(message->data + sizeof(SIGNATURE) + 4);
    if (extension_bytes > message->size_bytes - HEADER_BYTES)
        return uex_fail(fault, UEX_DB_QUERY, "database: the header of COPY's binary format is cut off");
    message->data += HEADER_BYTES + extension_bytes;
    message->size_bytes -= HEADER_BYTES + extension_bytes;
    return UEX_OK;
}

static enum uex_error fail_row(struct uex_fault *fault)
{
    return uex_fail(fault, UEX_DB_QUERY,
                    "database: a row of COPY's binary format is cut off, or its lengths are wrong");
}

static enum uex_error read_fields(struct uex_bytes rest, struct uex_copy_field *fields, size_t field_count,
                                  struct uex_fault *fault)
{
    const uint8_t *at = rest.data, *const end = rest.data + rest.size_bytes;

    for (size_t i = 0; i < field_count; i++) {
        int32_t size_bytes;

        if (end - at < 4)
            return fail_row(fault);
        size_bytes = (int32_t)uex_load_be32(at);
        at += 4;
        if (size_bytes < -1 || size_bytes > end - at)
            return fail_row(fault);
        fields[i] = (struct uex_copy_field){.data = size_bytes < 0 ? NULL : at, .size_bytes = size_bytes};
        at += size_bytes < 0 ? 0 : size_bytes;
    }
    return at == end ? UEX_OK : fail_row(fault);
}

enum uex_error uex_copy_binary_read(struct uex_copy_binary *stream, struct uex_bytes message,
                                    struct uex_copy_field *fields, struct uex_fault *fault)
{
    int16_t field_count;

    if (stream->has_trailer)
        return uex_fail(fault, UEX_DB_QUERY, "database: there is more after the end of the rows");
    if (!stream->has_header) {
        enum uex_error err = read_header(&message, fault);

        if (err != UEX_OK)
            return err;
        stream->has_header = true;
        if (message.size_bytes == 0)
            return UEX_NOT_FOUND;
    }
    if (message.size_bytes < 2)
        return fail_row(fault);
    field_count = (int16_t)uex_load_be16(message.data);
    message.data += 2;
    message.size_bytes -= 2;
    if (field_count == -1 && message.size_bytes == 0) {
        stream->has_trailer = true;
        return UEX_END;
    }
    if (field_count < 0 || (size_t)field_count != stream->field_count)
        return uex_fail(fault, UEX_DB_QUERY, "database: a row has %d fields, not %zu", field_count,
                        stream->field_count);
    return read_fields(message, fields, stream->field_count, fault);
}

enum uex_error uex_copy_binary_finish(const struct uex_copy_binary *stream, struct uex_fault *fault)
{
    if (!stream->has_trailer)
        return uex_fail(fault, UEX_DB_QUERY, "database: the rows ended without the trailer of COPY's binary format");
    return UEX_OK;
}
