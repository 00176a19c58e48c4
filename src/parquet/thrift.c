/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/thrift.h"

#define VARINT_BYTES_MAX ((size_t)10)
/* "List and Set": a size of so many or more stands behind the header. */
#define LIST_SHORT_MAX ((size_t)14)

static void put_byte(struct uex_thrift_writer *writer, uint8_t byte)
{
    uex_buffer_append(writer->out, &byte, 1);
}

static void put_varint(struct uex_thrift_writer *writer, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t count = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[count++] = (uint8_t)(value | 0x80);
    bytes[count++] = (uint8_t)value;
    uex_buffer_append(writer->out, bytes, count);
}

static uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static void put_binary(struct uex_thrift_writer *writer, struct uex_bytes value)
{
    put_varint(writer, value.size_bytes);
    uex_buffer_append(writer->out, value.data, value.size_bytes);
}

static void put_header(struct uex_thrift_writer *writer, int16_t id, enum uex_thrift_type type)
{
    int16_t *last_id = &writer->last_id[writer->depth - 1];
    const int delta = id - *last_id;

    if (delta >= 1 && delta <= 15) {
        put_byte(writer, (uint8_t)(delta << 4 | (int)type));
    } else {
        put_byte(writer, (uint8_t)type);
        put_varint(writer, zigzag(id));
    }
    *last_id = id;
}

void uex_thrift_begin(struct uex_thrift_writer *writer)
{
    if (writer->depth == UEX_THRIFT_DEPTH_MAX) { /* an error of ours, but no reason to write outside */
        writer->out->failed = true;
        writer->depth--;
    }
    writer->last_id[writer->depth++] = 0;
}

void uex_thrift_begin_field(struct uex_thrift_writer *writer, int16_t id)
{
    put_header(writer, id, UEX_THRIFT_STRUCT);
    uex_thrift_begin(writer);
}

void uex_thrift_end(struct uex_thrift_writer *writer)
{
    put_byte(writer, UEX_THRIFT_STOP);
    if (writer->depth > 0)
        writer->depth--;
}

void uex_thrift_i32(struct uex_thrift_writer *writer, int16_t id, int32_t value)
{
    put_header(writer, id, UEX_THRIFT_I32);
    put_varint(writer, zigzag(value));
}

void uex_thrift_i64(struct uex_thrift_writer *writer, int16_t id, int64_t value)
{
    put_header(writer, id, UEX_THRIFT_I64);
    put_varint(writer, zigzag(value));
}

void uex_thrift_bool(struct uex_thrift_writer *writer, int16_t id, bool value)
{
    put_header(writer, id, value ? UEX_THRIFT_TRUE : UEX_THRIFT_FALSE);
}

void uex_thrift_binary(struct uex_thrift_writer *writer, int16_t id, struct uex_bytes value)
{
    put_header(writer, id, UEX_THRIFT_BINARY);
    put_binary(writer, value);
}

void uex_thrift_text(struct uex_thrift_writer *writer, int16_t id, const char *value)
{
    uex_thrift_binary(writer, id, uex_bytes_of_text(value));
}

void uex_thrift_list(struct uex_thrift_writer *writer, int16_t id, enum uex_thrift_type element, size_t count)
{
    put_header(writer, id, UEX_THRIFT_LIST);
    if (count <= LIST_SHORT_MAX) {
        put_byte(writer, (uint8_t)(count << 4 | (size_t)element));
    } else {
        put_byte(writer, (uint8_t)(0xf0 | (int)element));
        put_varint(writer, count);
    }
}

void uex_thrift_element_i32(struct uex_thrift_writer *writer, int32_t value)
{
    put_varint(writer, zigzag(value));
}

void uex_thrift_element_text(struct uex_thrift_writer *writer, const char *value)
{
    put_binary(writer, uex_bytes_of_text(value));
}

struct uex_thrift_reader uex_thrift_reader_of(struct uex_bytes bytes)
{
    return (struct uex_thrift_reader){.at = bytes.data, .end = bytes.data + bytes.size_bytes};
}

static void fail(struct uex_thrift_reader *reader)
{
    reader->failed = true;
    reader->at = reader->end;
}

static uint8_t take_byte(struct uex_thrift_reader *reader)
{
    if (reader->at == reader->end) {
        fail(reader);
        return 0;
    }
    return *reader->at++;
}

static uint64_t take_varint(struct uex_thrift_reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = take_byte(reader);

        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return reader->failed ? 0 : value;
    }
    fail(reader);
    return 0;
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

/* Go on by as many bytes as the input says. */
static void pass(struct uex_thrift_reader *reader, uint64_t size_bytes)
{
    if (size_bytes > (uint64_t)(reader->end - reader->at))
        fail(reader);
    else
        reader->at += size_bytes;
}

bool uex_thrift_next(struct uex_thrift_reader *reader, int16_t *last_id, enum uex_thrift_type *type)
{
    const uint8_t header = take_byte(reader);
    const uint8_t delta = header >> 4;
    int64_t id;

    *type = (enum uex_thrift_type)(header & 0x0f);
    if (reader->failed || *type == UEX_THRIFT_STOP)
        return false;
    id = delta == 0 ? unzigzag(take_varint(reader)) : *last_id + delta;
    if (*type > UEX_THRIFT_UUID || id < 0 || id > INT16_MAX)
        fail(reader);
    *last_id = (int16_t)(reader->failed ? 0 : id);
    return !reader->failed;
}

int64_t uex_thrift_read_integer(struct uex_thrift_reader *reader)
{
    return unzigzag(take_varint(reader));
}

struct uex_bytes uex_thrift_read_binary(struct uex_thrift_reader *reader)
{
    const uint64_t size_bytes = take_varint(reader);
    const uint8_t *data = reader->at;

    pass(reader, size_bytes);
    return reader->failed ? uex_bytes_of("", 0) : uex_bytes_of(data, (size_t)size_bytes);
}

size_t uex_thrift_read_list(struct uex_thrift_reader *reader, enum uex_thrift_type *element)
{
    const uint8_t header = take_byte(reader);
    uint64_t count = header >> 4;

    *element = (enum uex_thrift_type)(header & 0x0f);
    if (count > LIST_SHORT_MAX)
        count = take_varint(reader);
    if (*element == UEX_THRIFT_STOP || *element > UEX_THRIFT_UUID || count > (uint64_t)(reader->end - reader->at))
        fail(reader);
    return reader->failed ? 0 : (size_t)count;
}

static void skip_value(struct uex_thrift_reader *reader, enum uex_thrift_type type, bool is_element, unsigned depth);

static void skip_list(struct uex_thrift_reader *reader, unsigned depth)
{
    enum uex_thrift_type element;
    size_t count = uex_thrift_read_list(reader, &element);

    for (; count > 0 && !reader->failed; count--)
        skip_value(reader, element, true, depth);
}

/* "Map": size, then the types of keys and values in one byte. */
static void skip_map(struct uex_thrift_reader *reader, unsigned depth)
{
    uint64_t count = take_varint(reader);
    const uint8_t types = count == 0 ? 0 : take_byte(reader);

    for (; count > 0 && !reader->failed; count--) {
        skip_value(reader, (enum uex_thrift_type)(types >> 4), true, depth);
        skip_value(reader, (enum uex_thrift_type)(types & 0x0f), true, depth);
    }
}

static void skip_struct(struct uex_thrift_reader *reader, unsigned depth)
{
    enum uex_thrift_type type;
    int16_t id = 0;

    while (uex_thrift_next(reader, &id, &type))
        skip_value(reader, type, false, depth);
}

/* `depth`: how many values may still stand in one another. */
static void skip_value(struct uex_thrift_reader *reader, enum uex_thrift_type type, bool is_element, unsigned depth)
{
    if (depth == 0) {
        fail(reader);
        return;
    }
    switch (type) {
    case UEX_THRIFT_TRUE:
    case UEX_THRIFT_FALSE:
        pass(reader, is_element ? 1 : 0);
        return;
    case UEX_THRIFT_I8:
        pass(reader, 1);
        return;
    case UEX_THRIFT_I16:
    case UEX_THRIFT_I32:
    case UEX_THRIFT_I64:
        (void)take_varint(reader);
        return;
    case UEX_THRIFT_DOUBLE:
        pass(reader, 8);
        return;
    case UEX_THRIFT_BINARY:
        (void)uex_thrift_read_binary(reader);
        return;
    case UEX_THRIFT_LIST:
    case UEX_THRIFT_SET:
        skip_list(reader, depth - 1);
        return;
    case UEX_THRIFT_MAP:
        skip_map(reader, depth - 1);
        return;
    case UEX_THRIFT_STRUCT:
        skip_struct(reader, depth - 1);
        return;
    case UEX_THRIFT_UUID:
        pass(reader, 16);
        return;
    case UEX_THRIFT_STOP:
    default:
        fail(reader);
    }
}

void uex_thrift_skip(struct uex_thrift_reader *reader, enum uex_thrift_type type)
{
    skip_value(reader, type, false, UEX_THRIFT_DEPTH_MAX);
}

void uex_thrift_skip_element(struct uex_thrift_reader *reader, enum uex_thrift_type type)
{
    skip_value(reader, type, true, UEX_THRIFT_DEPTH_MAX);
}
