/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/pages.h"

#include "parquet/load.h"
#include "parquet/thrift.h"

#define LENGTH_BYTES ((size_t)4)
/* Our page headers have less. */
#define HEADER_BYTES_MAX ((size_t)64)
/* parquet.thrift, PageType and Encoding */
#define PAGE_DATA 0
#define PAGE_DICTIONARY 2
#define ENCODING_PLAIN 0
#define ENCODING_RLE 3
#define ENCODING_RLE_DICTIONARY 8

struct pages {
    struct uex_codec *codec;
    struct uex_region *out;
    struct uex_chunk_facts *facts;
    struct uex_fault *fault;
};

static enum uex_error fail_memory(struct uex_fault *fault)
{
    return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a row group");
}

/* parquet.thrift, PageHeader. Returns its size. */
static size_t write_header(int32_t page_type, int32_t encoding, uint32_t value_count, size_t raw_bytes,
                           size_t compressed_bytes, struct uex_buffer *header)
{
    struct uex_thrift_writer writer = {.out = header};

    uex_thrift_begin(&writer);
    uex_thrift_i32(&writer, 1, page_type);
    uex_thrift_i32(&writer, 2, (int32_t)raw_bytes);
    uex_thrift_i32(&writer, 3, (int32_t)compressed_bytes);
    uex_thrift_begin_field(&writer, page_type == PAGE_DATA ? 5 : 7);
    uex_thrift_i32(&writer, 1, (int32_t)value_count);
    uex_thrift_i32(&writer, 2, encoding);
    if (page_type == PAGE_DATA) {
        uex_thrift_i32(&writer, 3, ENCODING_RLE);
        uex_thrift_i32(&writer, 4, ENCODING_RLE);
    }
    uex_thrift_end(&writer);
    uex_thrift_end(&writer);
    return header->size_bytes;
}

/* The header says how long the compressed page is, so the page is compressed behind the greatest header, and moved. */
static enum uex_error put_page(struct pages *pages, int32_t page_type, int32_t encoding, uint32_t value_count,
                               struct uex_bytes raw)
{
    struct uex_buffer header = {0};
    size_t header_bytes, compressed_bytes = 0;
    uint8_t *place;
    enum uex_error err;

    if (raw.size_bytes > INT32_MAX || uex_codec_bound(pages->codec, raw.size_bytes) > INT32_MAX)
        return uex_fail(pages->fault, UEX_LIMIT, "a value is too long for a page of a Parquet file");
    place = uex_region_reserve(pages->out, HEADER_BYTES_MAX + uex_codec_bound(pages->codec, raw.size_bytes));
    if (place == NULL)
        return fail_memory(pages->fault);
    err = uex_codec_compress(pages->codec, raw, place + HEADER_BYTES_MAX, &compressed_bytes, pages->fault);
    if (err != UEX_OK)
        return err;
    header_bytes = write_header(page_type, encoding, value_count, raw.size_bytes, compressed_bytes, &header);
    if (uex_buffer_failed(&header) || header_bytes > HEADER_BYTES_MAX) {
        uex_buffer_clear(&header);
        return fail_memory(pages->fault);
    }
    memcpy(place, header.data, header_bytes);
    memmove(place + header_bytes, place + HEADER_BYTES_MAX, compressed_bytes);
    uex_buffer_clear(&header);
    pages->out->used_bytes += header_bytes + compressed_bytes;
    pages->facts->uncompressed_bytes += (int64_t)(header_bytes + raw.size_bytes);
    pages->facts->compressed_bytes += (int64_t)(header_bytes + compressed_bytes);
    return UEX_OK;
}

static enum uex_error put_data_page(struct pages *pages, int32_t encoding, uint32_t row_count, struct uex_bytes raw)
{
    pages->facts->data_page_count++;
    return put_page(pages, PAGE_DATA, encoding, row_count, raw);
}

/* The levels of some rows, the first of which is at a multiple of eight. Returns the bytes, at most
 * UEX_CHUNK_HEAD_BYTES. */
static size_t write_levels(const struct uex_chunk *chunk, uint32_t first_row, uint32_t row_count, uint8_t *out)
{
    const size_t size_bytes = uex_hybrid_bits(chunk->present + first_row / 8, row_count, out + LENGTH_BYTES);

    uex_store_le32(out, (uint32_t)size_bytes);
    return LENGTH_BYTES + size_bytes;
}

static enum uex_error write_dictionary_pages(struct pages *pages, struct uex_chunk *chunk, uint32_t row_count,
                                             struct uex_region *scratch)
{
    const struct uex_dictionary *dictionary = &chunk->dictionary;
    const unsigned width_bits = uex_dictionary_width_bits(dictionary);
    const uint16_t *indexes = (const uint16_t *)(const void *)chunk->indexes.data;
    enum uex_error err;
    uint8_t *raw;
    size_t raw_bytes;

    pages->facts->dictionary_offset = (int64_t)pages->out->used_bytes;
    err = put_page(pages, PAGE_DICTIONARY, ENCODING_PLAIN, dictionary->entry_count,
                   uex_bytes_of(dictionary->values.data, dictionary->values.used_bytes));
    if (err != UEX_OK)
        return err;
    uex_region_reset(scratch, 0);
    raw = uex_region_reserve(scratch, UEX_CHUNK_HEAD_BYTES + 1 + uex_hybrid_max_bytes(chunk->value_count, width_bits));
    if (raw == NULL)
        return fail_memory(pages->fault);
    raw_bytes = write_levels(chunk, 0, row_count, raw);
    raw[raw_bytes++] = (uint8_t)width_bits;
    raw_bytes += uex_hybrid_indexes(indexes, chunk->value_count, width_bits, raw + raw_bytes);
    scratch->used_bytes = raw_bytes;
    pages->facts->data_offset = (int64_t)pages->out->used_bytes;
    return put_data_page(pages, ENCODING_RLE_DICTIONARY, row_count, uex_bytes_of(raw, raw_bytes));
}

/* The bytes of the next `count` values in PLAIN form. */
static size_t values_bytes(const struct uex_chunk *chunk, const uint8_t *values, unsigned count)
{
    const uint8_t *at = values;

    if (chunk->type.physical == UEX_PHYSICAL_BOOLEAN)
        return (count + 7) / 8;
    if (chunk->type.width_bytes > 0)
        return count * chunk->type.width_bytes;
    for (unsigned i = 0; i < count; i++)
        at += LENGTH_BYTES + uex_load_le32(at);
    return (size_t)(at - values);
}

/* From `first_row` on, eight rows at a time. All values of a BOOLEAN are in one page, because a page begins at a byte.
 */
static uint32_t end_of_page(const struct uex_chunk *chunk, uint32_t first_row, uint32_t row_count,
                            const uint8_t *values, size_t *page_bytes)
{
    uint32_t row = first_row;

    *page_bytes = 0;
    if (chunk->plain_bytes <= UEX_PAGE_BYTES + UEX_PAGE_BYTES / 2) {
        *page_bytes = chunk->plain_bytes;
        return row_count;
    }
    while (row < row_count && *page_bytes < UEX_PAGE_BYTES) {
        const unsigned present = (unsigned)__builtin_popcount(chunk->present[row / 8]);

        *page_bytes += values_bytes(chunk, values + *page_bytes, present);
        row += 8;
    }
    return row < row_count ? row : row_count;
}

static enum uex_error write_plain_pages(struct pages *pages, struct uex_chunk *chunk, uint32_t row_count)
{
    uint8_t levels[UEX_CHUNK_HEAD_BYTES];
    uint8_t *values = chunk->values.data + UEX_CHUNK_HEAD_BYTES;
    enum uex_error err = UEX_OK;

    pages->facts->data_offset = (int64_t)pages->out->used_bytes;
    for (uint32_t row = 0; row < row_count && err == UEX_OK;) {
        size_t page_bytes, levels_bytes;
        uint32_t end = end_of_page(chunk, row, row_count, values, &page_bytes);

        levels_bytes = write_levels(chunk, row, end - row, levels);
        memcpy(values - levels_bytes, levels, levels_bytes);
        err = put_data_page(pages, ENCODING_PLAIN, end - row,
                            uex_bytes_of(values - levels_bytes, levels_bytes + page_bytes));
        values += page_bytes;
        row = end;
    }
    return err;
}

/* All are NULL: levels and nothing else. */
static enum uex_error write_empty_page(struct pages *pages, struct uex_chunk *chunk, uint32_t row_count)
{
    uint8_t levels[UEX_CHUNK_HEAD_BYTES];
    const size_t levels_bytes = write_levels(chunk, 0, row_count, levels);

    pages->facts->data_offset = (int64_t)pages->out->used_bytes;
    return put_data_page(pages, ENCODING_PLAIN, row_count, uex_bytes_of(levels, levels_bytes));
}

static void describe(const struct uex_chunk *chunk, uint32_t row_count, struct uex_chunk_facts *facts)
{
    *facts = (struct uex_chunk_facts){.value_count = row_count, .dictionary_offset = -1};
    facts->statistics.null_count = row_count - chunk->value_count;
    facts->statistics.nan_count = chunk->nan_count;
    if (chunk->value_count == 0)
        return;
    if (chunk->is_plain)
        uex_statistics_bounds(chunk->column,
                              uex_bytes_of(chunk->values.data + UEX_CHUNK_HEAD_BYTES, chunk->plain_bytes),
                              chunk->value_count, &facts->statistics);
    else
        uex_statistics_bounds(chunk->column,
                              uex_bytes_of(chunk->dictionary.values.data, chunk->dictionary.values.used_bytes),
                              chunk->dictionary.entry_count, &facts->statistics);
}

enum uex_error uex_pages_write(struct uex_chunk *chunk, uint32_t row_count, struct uex_codec *codec,
                               struct uex_region *scratch, struct uex_region *out, struct uex_chunk_facts *facts,
                               struct uex_fault *fault)
{
    struct pages pages = {.codec = codec, .out = out, .facts = facts, .fault = fault};

    describe(chunk, row_count, facts);
    if (chunk->value_count == 0)
        return write_empty_page(&pages, chunk, row_count);
    if (!chunk->is_plain && uex_chunk_dictionary_pays(chunk))
        return write_dictionary_pages(&pages, chunk, row_count, scratch);
    if (!chunk->is_plain && uex_chunk_make_plain(chunk) != UEX_OK)
        return fail_memory(fault);
    return write_plain_pages(&pages, chunk, row_count);
}
