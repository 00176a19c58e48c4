/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#include "export/buffer.h"
#include "export/gzip.h"

/* A member made by zlib itself. */
static void add_member(struct uex_buffer *out, const void *text, size_t size_bytes)
{
    z_stream stream = {0};
    size_t room_bytes = size_bytes + size_bytes / 100 + 1000;
    uint8_t *place = uex_buffer_reserve(out, room_bytes);

    assert_non_null(place);
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)size_bytes;
    stream.next_out = place;
    stream.avail_out = (uInt)room_bytes;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out->size_bytes += room_bytes - stream.avail_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
}

/* Read in pieces; the first error, or that of finish. */
static enum uex_error read_object(struct uex_bytes object, size_t piece_bytes, struct uex_gzip_facts *facts,
                                  struct uex_fault *fault)
{
    struct uex_gzip_reader *reader = uex_gzip_reader_new(UEX_GZIP_CSV);
    enum uex_error error = UEX_OK;

    assert_non_null(reader);
    for (size_t at = 0; at < object.size_bytes && error == UEX_OK; at += piece_bytes) {
        size_t more = object.size_bytes - at < piece_bytes ? object.size_bytes - at : piece_bytes;
        uint8_t *copy = malloc(more); /* so that sanitizers see reading beyond a piece */

        assert_non_null(copy);
        memcpy(copy, object.data + at, more);
        error = uex_gzip_reader_write(reader, uex_bytes_of(copy, more), fault);
        free(copy);
    }
    if (error == UEX_OK)
        error = uex_gzip_reader_finish(reader, facts, fault);
    else
        assert_int_equal(uex_gzip_reader_finish(reader, facts, NULL), error); /* it sticks */
    uex_gzip_reader_free(reader);
    return error;
}

static void assert_lines(const char *text, uint64_t line_count)
{
    static const size_t PIECES[] = {1, 2, 3, 7, 1 << 20};
    struct uex_buffer object = {0};

    add_member(&object, text, strlen(text));
    for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
        struct uex_gzip_facts facts = {0};
        struct uex_fault fault = {0};

        if (read_object(uex_buffer_bytes(&object), PIECES[i], &facts, &fault) != UEX_OK)
            fail_msg("%s: %s", text, fault.text);
        assert_int_equal(facts.line_count, line_count);
        assert_int_equal(facts.text_bytes, strlen(text));
        assert_int_equal(facts.size_bytes, object.size_bytes);
    }
    uex_buffer_clear(&object);
}

static void assert_broken(struct uex_bytes object, const char *reason)
{
    static const size_t PIECES[] = {1, 5, 1 << 20};

    for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
        struct uex_gzip_facts facts = {0};
        struct uex_fault fault = {0};

        assert_int_equal(read_object(object, PIECES[i], &facts, &fault), UEX_OBJECT_BROKEN);
        assert_int_equal(fault.error, UEX_OBJECT_BROKEN);
        if (strstr(fault.text, reason) == NULL)
            fail_msg("%s", fault.text);
        assert_int_equal(facts.line_count, 0);
    }
}

static void assert_not_csv(const char *text, size_t size_bytes, const char *reason)
{
    struct uex_buffer object = {0};

    add_member(&object, text, size_bytes);
    assert_broken(uex_buffer_bytes(&object), reason);
    uex_buffer_clear(&object);
}

static void reader__records_with_quotes_and_newlines__are_counted(void **state)
{
    (void)state;
    assert_lines("a,b\n", 1);
    assert_lines("# ExportVersion: 1.0\na,b\n1,2\n", 3);
    assert_lines("a,b\n\"x\ny\",2\n", 2);
    assert_lines("a,b\n\"x \"\"y\"\"\n\n\"\"\",\"\"\n,\n", 3);
    assert_lines("a\n\n\n", 3);
    assert_lines("a\n\"\"\n", 2);
    assert_lines("a\n\"\"\"\"\n\"\"\"\n\"\"\"\n", 3);
    assert_lines("a,b\n\xF0\x9F\x98\x80,\"\xC3\xA9,\r\n\"\n", 2);
}

static void reader__facts__are_those_of_the_stored_bytes(void **state)
{
    static const char TEXT[] = "username,groupId\nann,g-1\n\"b\nob\",g-1\n";
    struct uex_buffer object = {0};
    struct uex_gzip_facts facts = {0};
    uint8_t hash[UEX_SHA256_SIZE];

    (void)state;
    add_member(&object, TEXT, strlen(TEXT));
    assert_int_equal(read_object(uex_buffer_bytes(&object), 4, &facts, NULL), UEX_OK);
    uex_sha256(uex_buffer_bytes(&object), hash);
    assert_memory_equal(facts.sha256, hash, sizeof(hash));
    assert_string_equal(facts.first_line, "username,groupId");
    assert_int_equal(facts.line_count, 3);
    uex_buffer_clear(&object);
}

static void reader__comment_before_the_header__is_the_first_line(void **state)
{
    static const char text[] = "# ExportVersion: 1.0\nusername,groupId\nu-1,g-17\n";
    static const size_t PIECES[] = {1, 1 << 20};
    struct uex_buffer object = {0};

    (void)state;
    add_member(&object, text, strlen(text));
    for (size_t i = 0; i < sizeof(PIECES) / sizeof(PIECES[0]); i++) {
        struct uex_gzip_facts facts = {0};

        assert_int_equal(read_object(uex_buffer_bytes(&object), PIECES[i], &facts, NULL), UEX_OK);
        assert_string_equal(facts.first_line, "# ExportVersion: 1.0");
        assert_string_equal(facts.second_line, "username,groupId");
        assert_int_equal(facts.line_count, 3);
    }
    uex_buffer_clear(&object);
}

static void reader__long_first_line__is_cut(void **state)
{
    char text[40001];
    struct uex_buffer object = {0};
    struct uex_gzip_facts facts = {0};

    (void)state;
    memset(text, 'x', 40000);
    text[40000] = '\n';
    add_member(&object, text, sizeof(text));
    assert_int_equal(read_object(uex_buffer_bytes(&object), 1 << 20, &facts, NULL), UEX_OK);
    assert_int_equal(strlen(facts.first_line), sizeof(facts.first_line) - 1);
    uex_buffer_clear(&object);
}

static enum uex_error write_reader(void *context, struct uex_bytes data)
{
    return uex_gzip_reader_write(context, data, NULL);
}

static void reader__what_the_compressor_writes__is_read_at_every_level(void **state)
{
    struct uex_buffer text = {0};

    (void)state;
    uex_buffer_append_text(&text, "username,bio\n");
    for (int i = 0; i < 20000; i++)
        uex_buffer_append_format(&text, "user%d,\"line one\nline \"\"two\"\" of %d\"\n", i, i * 7919);
    for (int level = 1; level <= 9; level++) {
        struct uex_gzip *gzip = uex_gzip_new(level, NULL);
        struct uex_gzip_reader *reader = uex_gzip_reader_new(UEX_GZIP_CSV);
        struct uex_gzip_facts facts = {0};

        assert_non_null(gzip);
        assert_non_null(reader);
        uex_gzip_begin(gzip, (struct uex_sink){.write = write_reader, .context = reader});
        assert_int_equal(uex_gzip_write(gzip, uex_buffer_bytes(&text)), UEX_OK);
        assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
        assert_int_equal(uex_gzip_reader_finish(reader, &facts, NULL), UEX_OK);
        assert_int_equal(facts.line_count, 20001);
        assert_int_equal(facts.size_bytes, uex_gzip_bytes_out(gzip));
        assert_int_equal(facts.text_bytes, text.size_bytes);
        assert_string_equal(facts.first_line, "username,bio");
        uex_gzip_reader_free(reader);
        uex_gzip_free(gzip);
    }
    uex_gzip_reader_free(NULL);
    uex_buffer_clear(&text);
}

static void reader__highly_compressed_text__is_read_in_small_steps(void **state)
{
    size_t size_bytes = (size_t)20 << 20;
    char *text = malloc(size_bytes);
    struct uex_buffer object = {0};
    struct uex_gzip_facts facts = {0};

    (void)state;
    assert_non_null(text);
    memset(text, '\n', size_bytes);
    add_member(&object, text, size_bytes);
    assert_true(object.size_bytes < 100000);
    assert_int_equal(read_object(uex_buffer_bytes(&object), 1 << 20, &facts, NULL), UEX_OK);
    assert_int_equal(facts.line_count, size_bytes);
    assert_int_equal(read_object(uex_buffer_bytes(&object), 1, &facts, NULL), UEX_OK);
    assert_int_equal(facts.text_bytes, size_bytes);
    uex_buffer_clear(&object);
    free(text);
}

static void reader__empty_object__is_broken(void **state)
{
    (void)state;
    assert_broken(uex_bytes_of("", 0), "is empty");
}

static void reader__every_prefix__is_broken(void **state)
{
    static const char TEXT[] = "username,groupId\nann,g-1\nbob,g-1\n";
    struct uex_buffer object = {0};

    (void)state;
    add_member(&object, TEXT, strlen(TEXT));
    for (size_t size_bytes = 1; size_bytes < object.size_bytes; size_bytes++)
        assert_broken(uex_bytes_of(object.data, size_bytes), "too early");
    uex_buffer_clear(&object);
}

static void reader__every_bit_turned__is_broken_or_gives_the_same_text(void **state)
{
    static const char TEXT[] = "username,groupId\nann,g-1\nbob,g-1\n";
    struct uex_buffer object = {0};
    unsigned idle_count = 0;

    (void)state;
    add_member(&object, TEXT, strlen(TEXT));
    for (size_t bit = 0; bit < object.size_bytes * 8; bit++) {
        struct uex_gzip_facts facts = {0};

        object.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum uex_error error = read_object(uex_buffer_bytes(&object), 1 << 20, &facts, NULL);
        /* Not all bits mean something: time, system and flags of the header, and up to 7 before the trailer. */
        if (error == UEX_OK) {
            assert_int_equal(facts.line_count, 3);
            assert_string_equal(facts.first_line, "username,groupId");
            idle_count += bit >= 80 ? 1 : 0;
        } else {
            assert_int_equal(error, UEX_OBJECT_BROKEN);
        }
        object.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(idle_count <= 7);
    uex_buffer_clear(&object);
}

static void reader__second_member_or_bytes_behind__is_broken(void **state)
{
    struct uex_buffer object = {0};

    (void)state;
    add_member(&object, "a\n", 2);
    uex_buffer_append(&object, "\0", 1);
    assert_broken(uex_buffer_bytes(&object), "after the object");
    object.size_bytes--;
    add_member(&object, "b\n", 2);
    assert_broken(uex_buffer_bytes(&object), "after the object");
    uex_buffer_clear(&object);
}

static void reader__other_formats__are_broken(void **state)
{
    static const uint8_t ZLIB[] = {0x78, 0x9c, 0x4b, 0xe4, 0x02, 0x00, 0x00, 0x6c, 0x00, 0x6c};

    (void)state;
    assert_broken(uex_bytes_of_text("a,b\n1,2\n"), "is not gzip");
    assert_broken(uex_bytes_of_text("PK\x03\x04 zip"), "is not gzip");
    assert_broken(uex_bytes_of(ZLIB, sizeof(ZLIB)), "is not gzip");
    assert_broken(uex_bytes_of("\x1F\x8B\x07\x00\x00\x00\x00\x00\x00\x03", 10), "is not gzip");
}

static void reader__text_that_is_not_csv__is_broken(void **state)
{
    (void)state;
    assert_not_csv("", 0, "no header line");
    assert_not_csv("a,b", 3, "inside a record");
    assert_not_csv("a,b\n1,", 6, "inside a record");
    assert_not_csv("a,b\n\"1", 6, "inside quotes");
    assert_not_csv("a,b\n\"1\"", 7, "inside a record");
    assert_not_csv("a\"b\n", 4, "quote in an unquoted field");
    assert_not_csv("\"a\"b\n", 5, "after the closing quote");
    assert_not_csv("\"a\"\r\n", 5, "after the closing quote");
    assert_not_csv("a\n\0b\n", 5, "zero byte");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader__records_with_quotes_and_newlines__are_counted),
        cmocka_unit_test(reader__facts__are_those_of_the_stored_bytes),
        cmocka_unit_test(reader__comment_before_the_header__is_the_first_line),
        cmocka_unit_test(reader__long_first_line__is_cut),
        cmocka_unit_test(reader__what_the_compressor_writes__is_read_at_every_level),
        cmocka_unit_test(reader__highly_compressed_text__is_read_in_small_steps),
        cmocka_unit_test(reader__empty_object__is_broken),
        cmocka_unit_test(reader__every_prefix__is_broken),
        cmocka_unit_test(reader__every_bit_turned__is_broken_or_gives_the_same_text),
        cmocka_unit_test(reader__second_member_or_bytes_behind__is_broken),
        cmocka_unit_test(reader__other_formats__are_broken),
        cmocka_unit_test(reader__text_that_is_not_csv__is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
