/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a column chunk, taken apart by the rules of parquet.thrift and Encodings.md. */
#include "parquet/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "parquet/load.h"

#include "fields.h"

struct page {
    int64_t type, raw_bytes, stored_bytes, value_count, encoding;
    struct uex_bytes body;
};

static struct uex_parquet_column column;
static struct uex_chunk chunk;
static struct uex_chunk_facts facts;
static struct uex_region scratch, out;
static struct uex_fault fault;

static void begin(enum uex_parquet_kind kind)
{
    column = (struct uex_parquet_column){.name = "c", .kind = kind, .precision = 38, .scale = 0};
    assert_true(uex_chunk_init(&chunk, &column));
}

static void write_pages(uint32_t row_count)
{
    struct uex_codec *codec = uex_codec_new(UEX_PARQUET_NONE);

    assert_non_null(codec);
    assert_int_equal(uex_pages_write(&chunk, row_count, codec, &scratch, &out, &facts, &fault), UEX_OK);
    assert_int_equal(facts.value_count, row_count);
    assert_int_equal(facts.compressed_bytes, out.used_bytes);
    assert_int_equal(facts.uncompressed_bytes, out.used_bytes);
    uex_codec_free(codec);
}

/* DataPageHeader or DictionaryPageHeader; both begin with the number of values and the encoding. */
static void read_kind_header(struct uex_thrift_reader *reader, struct page *page)
{
    enum uex_thrift_type type;
    int16_t id = 0;

    while (uex_thrift_next(reader, &id, &type)) {
        int64_t value = uex_thrift_read_integer(reader);

        if (id == 1)
            page->value_count = value;
        else if (id == 2)
            page->encoding = value;
        else
            assert_int_equal(value, 3); /* levels are RLE */
    }
}

static struct page read_page(size_t *at)
{
    struct uex_thrift_reader reader = uex_thrift_reader_of(uex_bytes_of(out.data + *at, out.used_bytes - *at));
    struct page page = {0};
    enum uex_thrift_type type;
    int16_t id = 0;

    while (uex_thrift_next(&reader, &id, &type)) {
        if (type == UEX_THRIFT_STRUCT)
            read_kind_header(&reader, &page);
        else if (id == 1)
            page.type = uex_thrift_read_integer(&reader);
        else if (id == 2)
            page.raw_bytes = uex_thrift_read_integer(&reader);
        else
            page.stored_bytes = uex_thrift_read_integer(&reader);
    }
    assert_false(reader.failed);
    assert_int_equal(page.raw_bytes, page.stored_bytes);
    assert_true(page.stored_bytes <= reader.end - reader.at);
    page.body = uex_bytes_of(reader.at, (size_t)page.stored_bytes);
    *at = (size_t)(reader.at - out.data) + page.body.size_bytes;
    return page;
}

/* Levels of a row that are all packed, or all the same: what the tests make. Returns where the values begin. */
static const uint8_t *check_levels(const struct page *page, uint32_t first_row, bool (*is_null)(uint32_t))
{
    const uint8_t *at = page->body.data + 4, *const end = at + uex_load_le32(page->body.data);
    uint32_t row = first_row;

    while (at < end) {
        uint64_t header = 0;
        unsigned shift = 0;

        do {
            header |= (uint64_t)(*at & 0x7f) << shift;
            shift += 7;
        } while ((*at++ & 0x80) != 0);
        for (uint64_t i = 0; i < header >> 1 << ((header & 1) != 0 ? 3 : 0); i++) {
            const unsigned level = (header & 1) != 0 ? (unsigned)at[i / 8] >> (i % 8) & 1U : at[0];

            if (row < first_row + page->value_count)
                assert_int_equal(level, is_null(row) ? 0 : 1);
            row++;
        }
        at += (header & 1) != 0 ? header >> 1 : 1;
    }
    assert_ptr_equal(at, end);
    assert_in_range(row, first_row + (uint32_t)page->value_count, first_row + (uint32_t)page->value_count + 7);
    return end;
}

static bool never_null(uint32_t row)
{
    (void)row;
    return false;
}

static bool always_null(uint32_t row)
{
    (void)row;
    return true;
}

/* Long runs of both, and a stretch of single ones. */
static bool sometimes_null(uint32_t row)
{
    return row % 1000 < 300 || (row % 1000 < 400 && row % 3 == 0);
}

static void write__texts_of_several_mebibytes__are_pages_of_one(void **state)
{
    const uint32_t row_count = 50001;
    char text[101];
    uint32_t row = 0;
    int32_t page_count = 0;

    (void)state;
    begin(UEX_PARQUET_TEXT);
    for (row = 0; row < row_count; row++) {
        (void)snprintf(text, sizeof(text), "%0*u", (int)(row % 90 + 10), row);
        assert_int_equal(uex_chunk_add(&chunk, row, sometimes_null(row) ? field_null() : field_text(text), &fault),
                         UEX_OK);
        fields_reset();
    }
    write_pages(row_count);
    assert_int_equal(facts.dictionary_offset, -1);
    assert_int_equal(facts.data_offset, 0);
    row = 0;
    for (size_t at = 0; at < out.used_bytes; page_count++) {
        const struct page page = read_page(&at);
        const uint8_t *value = check_levels(&page, row, sometimes_null);
        const uint32_t end = row + (uint32_t)page.value_count;

        assert_int_equal(page.type, 0);
        assert_int_equal(page.encoding, 0);
        assert_true(page.body.size_bytes < UEX_PAGE_BYTES + 8192);
        for (; row < end; row++) {
            if (sometimes_null(row))
                continue;
            (void)snprintf(text, sizeof(text), "%0*u", (int)(row % 90 + 10), row);
            assert_int_equal(uex_load_le32(value), strlen(text));
            assert_memory_equal(value + 4, text, strlen(text));
            value += 4 + strlen(text);
        }
        assert_ptr_equal(value, page.body.data + page.body.size_bytes);
    }
    assert_int_equal(row, row_count);
    assert_int_equal(page_count, facts.data_page_count);
    assert_in_range(page_count, 2, 3);
    assert_int_equal(facts.statistics.null_count, row_count - chunk.value_count);
}

static void write__wide_numbers__are_pages_of_a_mebibyte(void **state)
{
    const uint32_t row_count = UEX_PARQUET_GROUP_ROWS;
    uint32_t row = 0;

    (void)state;
    begin(UEX_PARQUET_DECIMAL);
    for (row = 0; row < row_count; row++) {
        assert_int_equal(
            uex_chunk_add(&chunk, row, FIELD_NUMERIC(1, 0, 0, (int)(row >> 12) + 1, (int)(row & 4095)), &fault),
            UEX_OK);
        fields_reset();
    }
    write_pages(row_count);
    row = 0;
    for (size_t at = 0; at < out.used_bytes;) {
        const struct page page = read_page(&at);
        const uint8_t *value = check_levels(&page, row, never_null);

        assert_int_equal(page.value_count, UEX_PAGE_BYTES / 16);
        for (uint32_t i = 0; i < page.value_count; i++, row++, value += 16)
            assert_int_equal(uex_load_be64(value + 8), ((row >> 12) + 1) * 10000 + (row & 4095));
    }
    assert_int_equal(row, row_count);
    assert_int_equal(facts.data_page_count, 2);
}

static void write__few_distinct_texts__are_a_dictionary_and_one_page(void **state)
{
    static const char *const TEXTS[] = {"red", "green", "blue"};
    const uint32_t row_count = 1000;
    struct page page;
    const uint8_t *indexes;
    size_t at = 0;

    (void)state;
    begin(UEX_PARQUET_TEXT);
    for (uint32_t row = 0; row < row_count; row++)
        assert_int_equal(
            uex_chunk_add(&chunk, row, sometimes_null(row) ? field_null() : field_text(TEXTS[row % 3]), &fault),
            UEX_OK);
    write_pages(row_count);
    assert_int_equal(facts.dictionary_offset, 0);
    page = read_page(&at);
    assert_int_equal(page.type, 2);
    assert_int_equal(page.encoding, 0);
    assert_int_equal(page.value_count, 3);
    assert_int_equal(facts.data_offset, at);
    assert_int_equal(page.body.size_bytes, 3 * 4 + 3 + 5 + 4);
    page = read_page(&at);
    assert_int_equal(page.type, 0);
    assert_int_equal(page.encoding, 8);
    assert_int_equal(page.value_count, row_count);
    indexes = check_levels(&page, 0, sometimes_null);
    assert_int_equal(indexes[0], 2); /* the bits of an index */
    assert_int_equal(at, out.used_bytes);
    assert_int_equal(facts.data_page_count, 1);
    assert_int_equal(facts.statistics.min.size_bytes, 4);
    assert_memory_equal(facts.statistics.min.data, "blue", 4);
}

static void write__no_value__is_a_page_of_levels(void **state)
{
    struct page page;
    size_t at = 0;

    (void)state;
    begin(UEX_PARQUET_INT8);
    for (uint32_t row = 0; row < 20; row++)
        assert_int_equal(uex_chunk_add(&chunk, row, field_null(), &fault), UEX_OK);
    write_pages(20);
    page = read_page(&at);
    assert_int_equal(page.value_count, 20);
    assert_ptr_equal(check_levels(&page, 0, always_null), page.body.data + page.body.size_bytes);
    assert_int_equal(facts.statistics.null_count, 20);
    assert_false(facts.statistics.min.is_known);
}

static int clear(void **state)
{
    (void)state;
    fields_reset();
    uex_chunk_free(&chunk);
    uex_region_free(&scratch);
    uex_region_free(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(write__texts_of_several_mebibytes__are_pages_of_one, clear),
        cmocka_unit_test_teardown(write__wide_numbers__are_pages_of_a_mebibyte, clear),
        cmocka_unit_test_teardown(write__few_distinct_texts__are_a_dictionary_and_one_page, clear),
        cmocka_unit_test_teardown(write__no_value__is_a_page_of_levels, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
