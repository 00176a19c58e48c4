/* SPDX-License-Identifier: Apache-2.0 */
#include "export/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void utf8_valid__characters_of_all_lengths__is_true(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "plain",
        "\x7F",
        "\xC2\x80",
        "\xDF\xBF",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xEF\xBF\xBF",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
        "na\xC3\xAFve \xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4\xE0\xA5\x87 \xF0\x9F\x98\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_true(uex_utf8_valid(uex_bytes_of_text(TEXTS[i])));
    assert_true(uex_utf8_valid(uex_bytes_of("a\0b", 3)));
    assert_true(uex_utf8_valid(uex_bytes_of(NULL, 0)));
}

static void utf8_valid__overlong_surrogate_cut_or_stray__is_false(void **state)
{
    static const char *const TEXTS[] = {
        "\x80",             /* continuation without a start */
        "\xBF",             /* the same */
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong */
        "\xE0\x80\xAF",     /* overlong */
        "\xE0\x9F\xBF",     /* overlong */
        "\xF0\x80\x80\xAF", /* overlong */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xED\xA0\x80",     /* surrogates */
        "\xED\xBF\xBF",     /* the same */
        "\xED\xA0\xBD\xED\xB8\x80",
        "\xF4\x90\x80\x80", /* beyond U+10FFFF */
        "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "a\xC3",         /* cut */
        "a\xE2\x82",     /* cut */
        "a\xF0\x9F\x98", /* cut */
        "\xC3(",         /* start without continuation */
        "\xE2(\xA1",
        "\xF0\x9F(\x80",
        "caf\xE9",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_false(uex_utf8_valid(uex_bytes_of_text(TEXTS[i])));
}

static void group_id_valid__one_to_255_bytes__is_true(void **state)
{
    char text[255];

    (void)state;
    memset(text, 'g', sizeof(text));
    assert_true(uex_group_id_valid(uex_bytes_of(text, 255)));
    assert_true(uex_group_id_valid(uex_bytes_of_text("g")));
    assert_true(uex_group_id_valid(uex_bytes_of_text("a b/c%.. \xC3\xA9\xF0\x9F\x98\x80\xC2\xA0")));
}

static void group_id_valid__empty_long_control_or_not_utf8__is_false(void **state)
{
    static const char *const TEXTS[] = {"", "a\nb", "a\x1F", "a\x7F", "a\xC2\x80", "a\xC2\x9F", "a\xFF", "a\xC3"};
    char text[256];

    (void)state;
    memset(text, 'g', sizeof(text));
    assert_false(uex_group_id_valid(uex_bytes_of(text, 256)));
    assert_false(uex_group_id_valid(uex_bytes_of(NULL, 0)));
    assert_false(uex_group_id_valid(uex_bytes_of("a\0b", 3)));
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_false(uex_group_id_valid(uex_bytes_of_text(TEXTS[i])));
}

static void percent_encode__all_bytes__only_unreserved_stay(void **state)
{
    static const char UNRESERVED[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        struct uex_buffer out = {0};
        uint8_t pair[2] = {(uint8_t)value, 'x'};
        char expected[8];

        if (value != 0 && strchr(UNRESERVED, (int)value) != NULL)
            (void)snprintf(expected, sizeof(expected), "%cx", (char)value);
        else
            (void)snprintf(expected, sizeof(expected), "%%%02Xx", value);
        uex_percent_encode(&out, uex_bytes_of(pair, 2));
        assert_string_equal(uex_buffer_text(&out), expected);
        uex_buffer_clear(&out);
    }
}

static void percent_encode__names_that_are_dots__are_encoded_wholly(void **state)
{
    static const char *const PAIRS[][2] = {
        {".", "%2E"},     {"..", "%2E%2E"},   {"...", "..."}, {".a", ".a"},
        {"a..b", "a..b"}, {"../x", "..%2Fx"}, {"", ""},       {"g\xC3\xA9 1", "g%C3%A9%201"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        struct uex_buffer out = {0};

        uex_percent_encode(&out, uex_bytes_of_text(PAIRS[i][0]));
        assert_string_equal(uex_buffer_text(&out), PAIRS[i][1]);
        uex_buffer_clear(&out);
    }
}

static void percent_encode_keeping__some_characters__stay(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    uex_percent_encode_keeping(&out, uex_bytes_of_text("/a b/./%"), "/");
    assert_string_equal(uex_buffer_text(&out), "/a%20b/./%25");
    uex_buffer_clear(&out);
}

static void percent_decode__escapes__become_bytes(void **state)
{
    static const char *const cases[][2] = {
        {"", ""}, {"plain+", "plain+"}, {"a%20b%2Fc", "a b/c"}, {"%C3%a4", "\xC3\xA4"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *out = NULL;

        assert_int_equal(uex_percent_decode(uex_bytes_of_text(cases[i][0]), &out), UEX_OK);
        assert_string_equal(out, cases[i][1]);
        free(out);
    }
}

static void percent_decode__cut_wrong_or_zero__is_malformed(void **state)
{
    static const char *const cases[] = {"%", "%4", "a%zz", "%4g", "%00", "%%41"};
    char *out = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(uex_percent_decode(uex_bytes_of_text(cases[i]), &out), UEX_MALFORMED);
        assert_null(out);
    }
    assert_int_equal(uex_percent_decode(uex_bytes_of("%41", 2), &out), UEX_MALFORMED); /* reads no further */
}

static void hex_digit__every_byte__is_a_value_or_none(void **state)
{
    static const char digits[] = "0123456789abcdef";

    (void)state;
    for (int character = -1; character < 256; character++) {
        const char *at =
            character <= 0 ? NULL : strchr(digits, character >= 'A' && character <= 'F' ? character + 32 : character);

        assert_int_equal(uex_hex_digit(character), at == NULL ? -1 : at - digits);
    }
}

static void text_copy__bytes__are_copied_and_end_in_zero(void **state)
{
    char *copy = uex_text_copy(uex_bytes_of("abcdef", 3));

    (void)state;
    assert_string_equal(copy, "abc");
    free(copy);
    copy = uex_text_copy(uex_bytes_of(NULL, 0));
    assert_string_equal(copy, "");
    uex_secret_free(copy);
    uex_secret_free(NULL);
}

static void list__items__come_without_the_blanks_around_them(void **state)
{
    static const struct {
        const char *text, *items;
    } CASES[] = {{"", "[]"},      {"a", "[a]"},  {" a , b c,d ", "[a][b c][d]"},
                 {"a,", "[a][]"}, {",", "[][]"}, {"  ", "[]"}};

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *rest = CASES[i].text;
        struct uex_buffer out = {0};
        struct uex_bytes item;

        while (uex_list_next(&rest, &item)) {
            uex_buffer_append_text(&out, "[");
            uex_buffer_append(&out, item.data, item.size_bytes);
            uex_buffer_append_text(&out, "]");
        }
        assert_string_equal(uex_buffer_text(&out), CASES[i].items);
        uex_buffer_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list__items__come_without_the_blanks_around_them),
        cmocka_unit_test(utf8_valid__characters_of_all_lengths__is_true),
        cmocka_unit_test(utf8_valid__overlong_surrogate_cut_or_stray__is_false),
        cmocka_unit_test(group_id_valid__one_to_255_bytes__is_true),
        cmocka_unit_test(group_id_valid__empty_long_control_or_not_utf8__is_false),
        cmocka_unit_test(percent_encode__all_bytes__only_unreserved_stay),
        cmocka_unit_test(percent_encode__names_that_are_dots__are_encoded_wholly),
        cmocka_unit_test(percent_encode_keeping__some_characters__stay),
        cmocka_unit_test(percent_decode__escapes__become_bytes),
        cmocka_unit_test(percent_decode__cut_wrong_or_zero__is_malformed),
        cmocka_unit_test(hex_digit__every_byte__is_a_value_or_none),
        cmocka_unit_test(text_copy__bytes__are_copied_and_end_in_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
