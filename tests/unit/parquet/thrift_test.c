/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as thrift-compact-protocol.md describes them, computed by hand. */
#include "parquet/thrift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct uex_buffer out;

static struct uex_thrift_writer begun(void)
{
    struct uex_thrift_writer writer = {.out = &out};

    uex_buffer_reset(&out);
    uex_thrift_begin(&writer);
    return writer;
}

static void assert_written(struct uex_thrift_writer *writer, const char *bytes, size_t size_bytes)
{
    uex_thrift_end(writer);
    assert_int_equal(writer->depth, 0);
    assert_false(uex_buffer_failed(&out));
    assert_int_equal(out.size_bytes, size_bytes);
    assert_memory_equal(out.data, bytes, size_bytes);
}

static void write__integers__are_zigzag_varints(void **state)
{
    struct uex_thrift_writer writer = begun();

    (void)state;
    uex_thrift_i32(&writer, 1, 0);
    uex_thrift_i32(&writer, 2, -1);
    uex_thrift_i32(&writer, 3, 50399 / 2 + 1); /* zigzag 50400 */
    uex_thrift_i64(&writer, 4, INT64_MIN);
    uex_thrift_i64(&writer, 5, INT64_MAX);
    assert_written(&writer,
                   "\x15\x00"
                   "\x15\x01"
                   "\x15\xe0\x89\x03"
                   "\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                   "\x16\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                   "\x00",
                   31);
}

static void write__distance_over_15__has_the_id_behind_the_header(void **state)
{
    struct uex_thrift_writer writer = begun();

    (void)state;
    uex_thrift_bool(&writer, 15, true);
    uex_thrift_bool(&writer, 31, false);
    assert_written(&writer, "\xf1\x02\x3e\x00", 4);
}

static void write__struct_in_a_struct__counts_ids_from_0(void **state)
{
    struct uex_thrift_writer writer = begun();

    (void)state;
    uex_thrift_i32(&writer, 3, 1);
    uex_thrift_begin_field(&writer, 5);
    uex_thrift_i32(&writer, 1, 2);
    uex_thrift_end(&writer);
    uex_thrift_text(&writer, 6, "ab");
    assert_written(&writer,
                   "\x35\x02\x2c\x15\x04\x00\x18\x02"
                   "ab\x00",
                   11);
}

static void write__list__has_a_short_and_a_long_header(void **state)
{
    struct uex_thrift_writer writer = begun();

    (void)state;
    uex_thrift_list(&writer, 1, UEX_THRIFT_I32, 2);
    uex_thrift_element_i32(&writer, 3);
    uex_thrift_element_i32(&writer, -3);
    uex_thrift_list(&writer, 2, UEX_THRIFT_BINARY, 15);
    for (int i = 0; i < 15; i++)
        uex_thrift_element_text(&writer, "");
    assert_written(&writer, "\x19\x25\x06\x05\x19\xf8\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 23);
}

static void write__structs_nested_too_deep__fails(void **state)
{
    struct uex_thrift_writer writer = begun();

    (void)state;
    for (int i = 0; i < UEX_THRIFT_DEPTH_MAX; i++)
        uex_thrift_begin_field(&writer, 1);
    assert_true(uex_buffer_failed(&out));
}

/* What was written is read back; what is not asked for is skipped. */
static void read__every_type__is_read_or_skipped(void **state)
{
    /* map<i32, bool>, set<double>, uuid, i8, i16, list<bool>, then an i64 of 7. */
    static const char BYTES[] = "\x1b\x01\x51\x02\x01"
                                "\x1a\x17\0\0\0\0\0\0\0\0"
                                "\x1d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\x13\x05"
                                "\x14\x05"
                                "\x19\x22\x01\x00"
                                "\x16\x0e";
    struct uex_thrift_reader reader = uex_thrift_reader_of(uex_bytes_of(BYTES, sizeof(BYTES)));
    enum uex_thrift_type type;
    int16_t id = 0;
    int64_t value = 0;

    (void)state;
    while (uex_thrift_next(&reader, &id, &type)) {
        if (id == 7)
            value = uex_thrift_read_integer(&reader);
        else
            uex_thrift_skip(&reader, type);
    }
    assert_false(reader.failed);
    assert_int_equal(value, 7);
    assert_int_equal(reader.end - reader.at, 0);
}

static bool reads(const void *bytes, size_t size_bytes)
{
    void *block = malloc(size_bytes == 0 ? 1 : size_bytes);
    struct uex_thrift_reader reader;

    assert_non_null(block);
    memcpy(block, bytes, size_bytes);
    reader = uex_thrift_reader_of(uex_bytes_of(block, size_bytes));
    uex_thrift_skip(&reader, UEX_THRIFT_STRUCT);
    free(block);
    return !reader.failed;
}

static void read__cut_anywhere__fails(void **state)
{
    static const char BYTES[] = "\x15\x80\x01\x18\x02xy\x19\x25\x06\x05\x1c\x11\x00\x00";

    (void)state;
    assert_true(reads(BYTES, sizeof(BYTES) - 1));
    for (size_t size_bytes = 0; size_bytes + 1 < sizeof(BYTES); size_bytes++)
        assert_false(reads(BYTES, size_bytes));
}

static void read__lengths_that_lie__fail(void **state)
{
    (void)state;
    assert_false(reads("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 12));     /* a binary of 2^64 - 1 bytes */
    assert_false(reads("\x19\xf5\xff\xff\xff\xff\x0f\x00", 8));                      /* a list of 2^32 - 1 */
    assert_false(reads("\x1b\xff\xff\xff\xff\x0f\x00\x00", 8));                      /* a map of nothing */
    assert_false(reads("\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00", 12));     /* an integer of 65 bits */
    assert_false(reads("\x16\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00", 13)); /* no end of an integer */
    assert_false(reads("\x1e\x00\x00", 3));                                          /* there is no type 14 */
    assert_false(reads("\x05\x01\x00\x00", 4));                                      /* the id -1 */
}

static void read__nested_without_end__fails(void **state)
{
    char lists[4096];

    (void)state;
    memset(lists, 0x19, sizeof(lists)); /* a list of one list of one list … */
    assert_false(reads(lists, sizeof(lists)));
    memset(lists, 0x1c, sizeof(lists));
    assert_false(reads(lists, sizeof(lists)));
}

static int clear(void **state)
{
    (void)state;
    uex_buffer_clear(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__integers__are_zigzag_varints),
        cmocka_unit_test(write__distance_over_15__has_the_id_behind_the_header),
        cmocka_unit_test(write__struct_in_a_struct__counts_ids_from_0),
        cmocka_unit_test(write__list__has_a_short_and_a_long_header),
        cmocka_unit_test(write__structs_nested_too_deep__fails),
        cmocka_unit_test(read__every_type__is_read_or_skipped),
        cmocka_unit_test(read__cut_anywhere__fails),
        cmocka_unit_test(read__lengths_that_lie__fail),
        cmocka_unit_test(read__nested_without_end__fails),
    };

    return cmocka_run_group_tests(tests, NULL, clear);
}
