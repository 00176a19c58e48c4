/* SPDX-License-Identifier: Apache-2.0 */
#include "export/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void code__every_error__is_found_again_and_is_unique(void **state)
{
    (void)state;
    for (int i = 0; i < UEX_ERROR_COUNT; i++) {
        enum uex_error error = (enum uex_error)i, found = UEX_OK;

        assert_non_null(uex_error_code(error));
        assert_true(strlen(uex_error_sentence(error)) > 0);
        assert_true(uex_error_from_code(uex_error_code(error), &found));
        assert_int_equal(found, error);
    }
}

static void code__known_errors__have_their_outside_names(void **state)
{
    (void)state;
    assert_string_equal(uex_error_code(UEX_OK), "ok");
    assert_string_equal(uex_error_code(UEX_DB_DATA), "database-data");
    assert_string_equal(uex_error_code(UEX_RESULT_REFUSED), "result-refused");
    assert_string_equal(uex_error_code(UEX_OBJECT_CONFLICT), "object-conflict");
    assert_string_equal(uex_error_code(UEX_WORKER_CRASHED), "worker-crashed");
}

static void code__number_outside_the_table__is_internal(void **state)
{
    (void)state;
    assert_string_equal(uex_error_code((enum uex_error)9999), "internal");
    assert_non_null(uex_error_sentence((enum uex_error)9999));
    assert_int_equal(uex_error_disposition((enum uex_error)9999), UEX_DISPOSITION_RETRY_LATER);
}

static void from_code__unknown_or_null__is_false(void **state)
{
    enum uex_error found = UEX_KAFKA;

    (void)state;
    assert_false(uex_error_from_code("no-such-error", &found));
    assert_false(uex_error_from_code("", &found));
    assert_false(uex_error_from_code(NULL, &found));
    assert_int_equal(found, UEX_KAFKA);
}

static void disposition__data_and_outages__are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(uex_error_disposition(UEX_OK), UEX_DISPOSITION_NONE);
    assert_int_equal(uex_error_disposition(UEX_DB_DATA), UEX_DISPOSITION_REJECT);
    assert_int_equal(uex_error_disposition(UEX_DB_AUTH), UEX_DISPOSITION_OUTAGE);
    assert_int_equal(uex_error_disposition(UEX_DB_UNAVAILABLE), UEX_DISPOSITION_RETRY_STEP);
    assert_int_equal(uex_error_disposition(UEX_SPOOL), UEX_DISPOSITION_RETRY_LATER);
    assert_int_equal(uex_error_disposition(UEX_CONFIG), UEX_DISPOSITION_FATAL);
}

static void fail__with_format__fills_the_fault_and_returns_the_error(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_fail(&fault, UEX_DB_DATA, "column %s, SQLSTATE %d", "bio", 22021), UEX_DB_DATA);
    assert_int_equal(fault.error, UEX_DB_DATA);
    assert_string_equal(fault.text, "column bio, SQLSTATE 22021");
}

static void fail__no_fault__only_returns_the_error(void **state)
{
    (void)state;
    assert_int_equal(uex_fail(NULL, UEX_TIMEOUT, "%s", "x"), UEX_TIMEOUT);
}

static void fail__control_characters__become_spaces(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    (void)uex_fail(&fault, UEX_KAFKA,
                   "a\nb\tc\x7F"
                   "d\x1B[31m");
    assert_string_equal(fault.text, "a b c d [31m");
    (void)uex_fail(&fault, UEX_KAFKA, "x\xC2\x85y"); /* NEL, a C1 control */
    assert_string_equal(fault.text, "x  y");
}

static void fail__bytes_that_are_not_utf8__are_replaced(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    (void)uex_fail(&fault, UEX_KAFKA, "caf\xE9 ok");
    assert_string_equal(fault.text, "caf? ok");
}

static void fail__text_too_long__is_cut_at_a_character(void **state)
{
    struct uex_fault fault = {0};
    char text[400];

    (void)state;
    /* 317 bytes, then characters of 4 bytes: none of them fits into 319 */
    memset(text, 'a', 317);
    for (size_t at = 317; at + 4 < sizeof(text); at += 4)
        memcpy(text + at, "\xF0\x9F\x98\x80\0", 5);
    (void)uex_fail(&fault, UEX_KAFKA, "%s", text);
    assert_int_equal(strlen(fault.text), 317);
    /* a cut between characters loses nothing */
    memset(text, 'b', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    (void)uex_fail(&fault, UEX_KAFKA, "%s", text);
    assert_int_equal(strlen(fault.text), sizeof(fault.text) - 1);
}

static void fail__text_of_the_fault_itself_as_argument__is_kept(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    (void)uex_fail(&fault, UEX_KAFKA, "inner");
    (void)uex_fail(&fault, UEX_STORE_FAILED, "outer: %s", fault.text);
    assert_string_equal(fault.text, "outer: inner");
    assert_int_equal(fault.error, UEX_STORE_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code__every_error__is_found_again_and_is_unique),
        cmocka_unit_test(code__known_errors__have_their_outside_names),
        cmocka_unit_test(code__number_outside_the_table__is_internal),
        cmocka_unit_test(from_code__unknown_or_null__is_false),
        cmocka_unit_test(disposition__data_and_outages__are_told_apart),
        cmocka_unit_test(fail__with_format__fills_the_fault_and_returns_the_error),
        cmocka_unit_test(fail__no_fault__only_returns_the_error),
        cmocka_unit_test(fail__control_characters__become_spaces),
        cmocka_unit_test(fail__bytes_that_are_not_utf8__are_replaced),
        cmocka_unit_test(fail__text_too_long__is_cut_at_a_character),
        cmocka_unit_test(fail__text_of_the_fault_itself_as_argument__is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
