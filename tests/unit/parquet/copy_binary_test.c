/* SPDX-License-Identifier: Apache-2.0 */
#include "export/copy_binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define HEADER_BYTES ((size_t)19)
/* Two fields: "ab" and NULL. */
#define ROW "\0\2\0\0\0\2ab\377\377\377\377"
#define ROW_BYTES ((size_t)12)
#define TRAILER "\377\377"

static struct uex_copy_field fields[4];
static struct uex_fault fault;

/* From a block of exactly that size, so that a sanitizer sees a read outside. */
static enum uex_error read_bytes(struct uex_copy_binary *stream, const void *data, size_t size_bytes)
{
    static void *block;
    struct uex_bytes message;

    free(block);
    block = malloc(size_bytes == 0 ? 1 : size_bytes);
    assert_non_null(block);
    memcpy(block, data, size_bytes);
    message = uex_bytes_of(block, size_bytes);
    fault = (struct uex_fault){0};
    return uex_copy_binary_read(stream, message, fields, &fault);
}

static struct uex_copy_binary begun(void)
{
    struct uex_copy_binary stream = {.field_count = 2};

    assert_int_equal(read_bytes(&stream, HEADER, HEADER_BYTES), UEX_NOT_FOUND);
    return stream;
}

static void assert_row(void)
{
    assert_int_equal(fields[0].size_bytes, 2);
    assert_memory_equal(fields[0].data, "ab", 2);
    assert_int_equal(fields[1].size_bytes, -1);
    assert_null(fields[1].data);
}

static void read__header_and_first_row_in_one_message__gives_the_row(void **state)
{
    struct uex_copy_binary stream = {.field_count = 2};

    (void)state;
    assert_int_equal(read_bytes(&stream, HEADER ROW, HEADER_BYTES + ROW_BYTES), UEX_OK);
    assert_row();
    assert_int_equal(read_bytes(&stream, ROW, ROW_BYTES), UEX_OK);
    assert_row();
    assert_int_equal(uex_copy_binary_finish(&stream, &fault), UEX_DB_QUERY);
    assert_int_equal(read_bytes(&stream, TRAILER, 2), UEX_END);
    assert_int_equal(uex_copy_binary_finish(&stream, &fault), UEX_OK);
}

static void read__header_alone__says_that_there_is_no_row(void **state)
{
    struct uex_copy_binary stream = begun();

    (void)state;
    assert_int_equal(read_bytes(&stream, ROW, ROW_BYTES), UEX_OK);
    assert_row();
}

static void read__header_and_trailer__is_the_end(void **state)
{
    struct uex_copy_binary stream = {.field_count = 2};

    (void)state;
    assert_int_equal(read_bytes(&stream, HEADER TRAILER, HEADER_BYTES + 2), UEX_END);
    assert_int_equal(uex_copy_binary_finish(&stream, &fault), UEX_OK);
}

static void read__extension_area__is_skipped(void **state)
{
    struct uex_copy_binary stream = {.field_count = 2};
    static const char MESSAGE[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\3xyz" ROW;

    (void)state;
    assert_int_equal(read_bytes(&stream, MESSAGE, HEADER_BYTES + 3 + ROW_BYTES), UEX_OK);
    assert_row();
}

static void read__flags_that_may_be_ignored__are(void **state)
{
    struct uex_copy_binary stream = {.field_count = 2};
    static const char MESSAGE[] = "PGCOPY\n\377\r\n\0\0\0\377\377\0\0\0\0" ROW;

    (void)state;
    assert_int_equal(read_bytes(&stream, MESSAGE, HEADER_BYTES + ROW_BYTES), UEX_OK);
}

static void read__critical_flag__is_refused(void **state)
{
    struct uex_copy_binary stream = {.field_count = 2};
    static const char MESSAGE[] = "PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0" ROW;

    (void)state;
    assert_int_equal(read_bytes(&stream, MESSAGE, HEADER_BYTES + ROW_BYTES), UEX_DB_QUERY);
    assert_non_null(strstr(fault.text, "flags"));
}

static void read__wrong_signature__is_refused(void **state)
{
    (void)state;
    for (size_t at = 0; at < 11; at++) {
        struct uex_copy_binary stream = {.field_count = 2};
        char message[HEADER_BYTES + ROW_BYTES];

        memcpy(message, HEADER ROW, sizeof(message));
        message[at] = (char)(message[at] ^ 1);
        assert_int_equal(read_bytes(&stream, message, sizeof(message)), UEX_DB_QUERY);
        assert_true(fault.text[0] != '\0');
    }
}

static void read__first_message_cut_anywhere__is_refused(void **state)
{
    (void)state;
    for (size_t size_bytes = 0; size_bytes < HEADER_BYTES + ROW_BYTES; size_bytes++) {
        struct uex_copy_binary stream = {.field_count = 2};
        enum uex_error expected = size_bytes == HEADER_BYTES ? UEX_NOT_FOUND : UEX_DB_QUERY;

        assert_int_equal(read_bytes(&stream, HEADER ROW, size_bytes), expected);
    }
}

static void read__row_cut_anywhere_or_too_long__is_refused(void **state)
{
    (void)state;
    for (size_t size_bytes = 0; size_bytes <= ROW_BYTES + 1; size_bytes++) {
        struct uex_copy_binary stream = begun();

        if (size_bytes != ROW_BYTES)
            assert_int_equal(read_bytes(&stream, ROW "\0", size_bytes), UEX_DB_QUERY);
    }
}

static void read__length_of_an_extension_beyond_the_message__is_refused(void **state)
{
    struct uex_copy_binary stream = {.field_count = 2};
    static const char MESSAGE[] = "PGCOPY\n\377\r\n\0\0\0\0\0\377\377\377\377" ROW;

    (void)state;
    assert_int_equal(read_bytes(&stream, MESSAGE, HEADER_BYTES + ROW_BYTES), UEX_DB_QUERY);
}

static void read__length_of_a_field_that_lies__is_refused(void **state)
{
    static const char *const LENGTHS[] = {"\377\377\377\376", "\200\0\0\0", "\177\377\377\377", "\0\0\0\3", "\0\0\1\2"};

    (void)state;
    for (size_t i = 0; i < sizeof(LENGTHS) / sizeof(LENGTHS[0]); i++) {
        struct uex_copy_binary stream = begun();
        char row[ROW_BYTES];

        memcpy(row, ROW, sizeof(row));
        memcpy(row + 2, LENGTHS[i], 4);
        assert_int_equal(read_bytes(&stream, row, sizeof(row)), UEX_DB_QUERY);
    }
}

static void read__another_number_of_fields__is_refused(void **state)
{
    static const char *const COUNTS[] = {"\0\0", "\0\1", "\0\3", "\177\377", "\200\0", "\377\376", "\377\377"};

    (void)state;
    for (size_t i = 0; i < sizeof(COUNTS) / sizeof(COUNTS[0]); i++) {
        struct uex_copy_binary stream = begun();
        char row[ROW_BYTES];

        memcpy(row, ROW, sizeof(row));
        memcpy(row, COUNTS[i], 2);
        assert_int_equal(read_bytes(&stream, row, sizeof(row)), UEX_DB_QUERY);
    }
}

static void read__anything_after_the_trailer__is_refused(void **state)
{
    struct uex_copy_binary stream = begun();

    (void)state;
    assert_int_equal(read_bytes(&stream, TRAILER, 2), UEX_END);
    assert_int_equal(read_bytes(&stream, ROW, ROW_BYTES), UEX_DB_QUERY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__header_and_first_row_in_one_message__gives_the_row),
        cmocka_unit_test(read__header_alone__says_that_there_is_no_row),
        cmocka_unit_test(read__header_and_trailer__is_the_end),
        cmocka_unit_test(read__extension_area__is_skipped),
        cmocka_unit_test(read__flags_that_may_be_ignored__are),
        cmocka_unit_test(read__critical_flag__is_refused),
        cmocka_unit_test(read__wrong_signature__is_refused),
        cmocka_unit_test(read__first_message_cut_anywhere__is_refused),
        cmocka_unit_test(read__row_cut_anywhere_or_too_long__is_refused),
        cmocka_unit_test(read__length_of_an_extension_beyond_the_message__is_refused),
        cmocka_unit_test(read__length_of_a_field_that_lies__is_refused),
        cmocka_unit_test(read__another_number_of_fields__is_refused),
        cmocka_unit_test(read__anything_after_the_trailer__is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
