/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of footers: files of ours, and bytes that are none. */
#include "export/parquet_footer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "parquet/thrift.h"
#include "writing.h"

static struct uex_buffer out;
static struct uex_fault fault;

/* From a block of exactly that size, so that a sanitizer sees a read outside. */
static enum uex_error read_bytes(const void *data, size_t size_bytes)
{
    struct uex_parquet_footer footer;
    void *block = malloc(size_bytes == 0 ? 1 : size_bytes);
    enum uex_error err;

    assert_non_null(block);
    memcpy(block, data, size_bytes);
    fault = (struct uex_fault){0};
    err = uex_parquet_footer_read(uex_bytes_of(block, size_bytes), &footer, &fault);
    if (err != UEX_OK) {
        assert_true(fault.text[0] != '\0');
        assert_null(footer.columns);
        assert_null(footer.pairs);
    }
    uex_parquet_footer_clear(&footer);
    free(block);
    return err;
}

/* A file of ours; returns where its footer begins. */
static size_t write_file(void)
{
    const struct uex_parquet_format format = {.columns = WRITING_COLUMNS, .column_count = WRITING_COLUMN_COUNT};
    size_t footer_bytes = 0;

    uex_buffer_reset(&out);
    assert_int_equal(writing_write(&format, 5, 3, &out), UEX_OK);
    assert_int_equal(uex_parquet_footer_measure(uex_buffer_bytes(&out), out.size_bytes, &footer_bytes, &fault), UEX_OK);
    return out.size_bytes - footer_bytes;
}

static void measure__last_bytes_of_a_file__say_how_long_its_footer_is(void **state)
{
    const size_t footer_at = write_file();
    const struct uex_bytes tail = uex_bytes_of(out.data + out.size_bytes - 8, 8);
    size_t footer_bytes = 0;

    (void)state;
    assert_int_equal(uex_parquet_footer_measure(tail, out.size_bytes, &footer_bytes, &fault), UEX_OK);
    assert_int_equal(footer_bytes, out.size_bytes - footer_at);
    assert_int_equal(read_bytes(out.data + footer_at, footer_bytes), UEX_OK);
    assert_int_equal(read_bytes(out.data + footer_at + 1, footer_bytes - 1), UEX_OBJECT_BROKEN);
}

static void measure__what_is_no_end_of_a_file__is_broken(void **state)
{
    static const struct {
        const char *tail;
        size_t size_bytes;
        uint64_t file_bytes;
    } CASES[] = {{"", 0, 0},
                 {"\1\0\0PAR1", 7, 7},
                 {"\1\0\0\0PAR2", 8, 1000},
                 {"\1\0\0\0PARE", 8, 1000},
                 {"\1\0\0\0PAR1", 8, 12},
                 {"\1\0\0\0PAR1", 8, 7},
                 {"\xff\xff\xff\xffPAR1", 8, 1000},
                 {"\xff\xff\xff\xffPAR1", 8, UINT64_C(1) << 40}};
    size_t footer_bytes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        fault = (struct uex_fault){0};
        assert_int_equal(uex_parquet_footer_measure(uex_bytes_of(CASES[i].tail, CASES[i].size_bytes),
                                                    CASES[i].file_bytes, &footer_bytes, &fault),
                         UEX_OBJECT_BROKEN);
        assert_true(fault.text[0] != '\0');
    }
    assert_int_equal(uex_parquet_footer_measure(uex_bytes_of("\1\0\0\0PAR1", 8), 13, &footer_bytes, &fault), UEX_OK);
}

/* A footer with another end: what is cut off is missing in front of its length. */
static void read__cut_anywhere__is_broken(void **state)
{
    const size_t footer_at = write_file(), footer_bytes = out.size_bytes - footer_at - 8;
    uint8_t *cut = malloc(footer_bytes + 8);

    (void)state;
    assert_non_null(cut);
    for (size_t kept = 0; kept < footer_bytes; kept++) {
        memcpy(cut, out.data + footer_at, kept);
        memcpy(cut + kept, (const uint8_t[]){(uint8_t)kept, (uint8_t)(kept >> 8), 0, 0, 'P', 'A', 'R', '1'}, 8);
        assert_int_equal(read_bytes(cut, kept + 8), UEX_OBJECT_BROKEN);
    }
    free(cut);
}

/* Any result is right but a crash, a read outside or an allocation without a bound. */
static void read__every_byte_changed__is_read_or_broken(void **state)
{
    static const uint8_t BYTES[] = {0x00, 0x01, 0x0c, 0x19, 0x1c, 0x7f, 0x80, 0xf9, 0xfc, 0xff};
    const size_t footer_at = write_file();

    (void)state;
    for (size_t at = footer_at; at < out.size_bytes - 4; at++) {
        const uint8_t kept = out.data[at];

        for (size_t i = 0; i < sizeof(BYTES); i++) {
            enum uex_error err;

            out.data[at] = BYTES[i];
            err = read_bytes(out.data + footer_at, out.size_bytes - footer_at);
            assert_true(err == UEX_OK || err == UEX_OBJECT_BROKEN);
        }
        out.data[at] = kept;
    }
}

/* A footer by hand: a schema of one column (or another number that the root claims), the rows of the file and of its
 * group. */
static enum uex_error read_made(int32_t child_count, int64_t row_count, int64_t group_row_count)
{
    struct uex_buffer made = {0};
    struct uex_thrift_writer writer = {.out = &made};
    enum uex_error err;

    uex_thrift_begin(&writer);
    uex_thrift_list(&writer, 2, UEX_THRIFT_STRUCT, 2);
    uex_thrift_begin(&writer);
    uex_thrift_i32(&writer, 5, child_count);
    uex_thrift_end(&writer);
    uex_thrift_begin(&writer);
    uex_thrift_text(&writer, 4, "c");
    uex_thrift_end(&writer);
    uex_thrift_i64(&writer, 3, row_count);
    uex_thrift_list(&writer, 4, UEX_THRIFT_STRUCT, 1);
    uex_thrift_begin(&writer);
    uex_thrift_i64(&writer, 3, group_row_count);
    uex_thrift_end(&writer);
    uex_thrift_end(&writer);
    uex_buffer_append(&made, (const uint8_t[]){(uint8_t)made.size_bytes, 0, 0, 0, 'P', 'A', 'R', '1'}, 8);
    err = read_bytes(made.data, made.size_bytes);
    uex_buffer_clear(&made);
    return err;
}

static void read__counts_that_do_not_agree__are_broken(void **state)
{
    (void)state;
    assert_int_equal(read_made(1, 3, 3), UEX_OK);
    assert_int_equal(read_made(1, 3, 2), UEX_OBJECT_BROKEN);
    assert_int_equal(read_made(1, -1, -1), UEX_OBJECT_BROKEN);
    assert_int_equal(read_made(1, INT64_MAX, INT64_MAX), UEX_OBJECT_BROKEN);
    assert_int_equal(read_made(0, 3, 3), UEX_OBJECT_BROKEN);
    assert_int_equal(read_made(2, 3, 3), UEX_OBJECT_BROKEN);
    assert_int_equal(read_made(-1, 3, 3), UEX_OBJECT_BROKEN);
    assert_int_equal(read_made(INT32_MAX, 3, 3), UEX_OBJECT_BROKEN);
}

/* Another writer may have nested columns: a struct of two, then a plain one. */
static void read__nested_columns__gives_the_outermost_names(void **state)
{
    static const struct {
        const char *name;
        int32_t child_count;
    } ELEMENTS[] = {{"root", 2}, {"outer", 2}, {"left", 0}, {"right", 1}, {"inner", 0}, {"plain", 0}};
    struct uex_thrift_writer writer = {.out = &out};
    struct uex_parquet_footer footer;

    (void)state;
    uex_buffer_reset(&out);
    uex_thrift_begin(&writer);
    uex_thrift_list(&writer, 2, UEX_THRIFT_STRUCT, 6);
    for (size_t i = 0; i < 6; i++) {
        uex_thrift_begin(&writer);
        uex_thrift_text(&writer, 4, ELEMENTS[i].name);
        if (ELEMENTS[i].child_count > 0)
            uex_thrift_i32(&writer, 5, ELEMENTS[i].child_count);
        uex_thrift_end(&writer);
    }
    uex_thrift_i64(&writer, 3, 0);
    uex_thrift_list(&writer, 4, UEX_THRIFT_STRUCT, 0);
    uex_thrift_end(&writer);
    uex_buffer_append(&out, (const uint8_t[]){(uint8_t)out.size_bytes, 0, 0, 0, 'P', 'A', 'R', '1'}, 8);
    assert_int_equal(uex_parquet_footer_read(uex_buffer_bytes(&out), &footer, &fault), UEX_OK);
    assert_int_equal(footer.column_count, 2);
    assert_memory_equal(footer.columns[0].data, "outer", 5);
    assert_memory_equal(footer.columns[1].data, "plain", 5);
    uex_parquet_footer_clear(&footer);
}

static int clear(void **state)
{
    (void)state;
    fields_reset();
    uex_buffer_clear(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(measure__last_bytes_of_a_file__say_how_long_its_footer_is, clear),
        cmocka_unit_test_teardown(measure__what_is_no_end_of_a_file__is_broken, clear),
        cmocka_unit_test_teardown(read__cut_anywhere__is_broken, clear),
        cmocka_unit_test_teardown(read__every_byte_changed__is_read_or_broken, clear),
        cmocka_unit_test_teardown(read__counts_that_do_not_agree__are_broken, clear),
        cmocka_unit_test_teardown(read__nested_columns__gives_the_outermost_names, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
