/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/dlq/dlq.h"
#include "ctl/options.h"

static const struct uex_record_header code_header[] = {{"export-error-code", {(const uint8_t *)"database-data", 13}}};

static struct uex_record letter(int32_t partition, int64_t offset, const char *group_id, int64_t at_ms)
{
    struct uex_record record = {.topic = "flairbit-dlq",
                                .partition = partition,
                                .offset = offset,
                                .timestamp_ms = at_ms,
                                .key = uex_bytes_of_text(group_id),
                                .headers = code_header,
                                .header_count = 1};

    uex_envelope_read(&record, NULL);
    return record;
}

static enum uex_error make(struct uex_ctl_options options, const char *operand, bool must_name,
                           struct uex_dlq_filter *out)
{
    char *operands[] = {(char *)(uintptr_t)operand};

    uex_ctl_options = options;
    return uex_dlq_filter_make(operand == NULL ? 0 : 1, operands, must_name, out);
}

static void filter__what_is_allowed__is_told_apart(void **state)
{
    static const struct {
        struct uex_ctl_options options;
        const char *operand;
        bool must_name;
        enum uex_error error;
    } cases[] = {
        {{0}, NULL, false, UEX_OK},
        {{0}, NULL, true, UEX_CONFIG},
        {{.all = true}, NULL, true, UEX_OK},
        {{.group = "g", .all = true}, NULL, true, UEX_CONFIG},
        {{.group = "g"}, NULL, true, UEX_OK},
        {{.error = "store-denied"}, NULL, true, UEX_OK},
        {{.error = "store_denied"}, NULL, true, UEX_CONFIG},
        {{.since = "2h"}, NULL, true, UEX_OK},
        {{.since = "2026-11-22T23:20:00+05:30"}, NULL, true, UEX_OK},
        {{.since = "22 November"}, NULL, true, UEX_CONFIG},
        {{.until = "now"}, NULL, true, UEX_CONFIG},
        {{0}, "0:0", true, UEX_OK},
        {{0}, "3:9223372036854775807", true, UEX_OK},
        {{0}, "3:9223372036854775808", true, UEX_CONFIG},
        {{0}, "2147483648:1", true, UEX_CONFIG},
        {{0}, "3", true, UEX_CONFIG},
        {{0}, "3:", true, UEX_CONFIG},
        {{0}, ":3", true, UEX_CONFIG},
        {{0}, "-1:3", true, UEX_CONFIG},
        {{0}, "1:-3", true, UEX_CONFIG},
        {{0}, "1:3 ", true, UEX_CONFIG},
        {{0}, " 1:3", true, UEX_CONFIG},
        {{0}, "1:3:4", true, UEX_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_dlq_filter filter;

        if (make(cases[i].options, cases[i].operand, cases[i].must_name, &filter) != cases[i].error)
            fail_msg("case %zu", i);
        uex_dlq_filter_clear(&filter);
    }
}

static void filter__all_that_is_asked_for__has_to_fit(void **state)
{
    struct uex_dlq_filter filter;
    struct uex_record record = letter(1, 7, "g-1", 5000), other = letter(1, 8, "g-1", 5000);

    (void)state;
    assert_int_equal(make((struct uex_ctl_options){.group = "g-1", .error = "database-data"}, "1:7", true, &filter),
                     UEX_OK);
    assert_true(uex_dlq_filter_report_missing(&filter)); /* nothing was found yet */
    assert_true(uex_dlq_filter_fits(&filter, &record));
    assert_false(uex_dlq_filter_fits(&filter, &other));
    assert_false(uex_dlq_filter_report_missing(&filter));
    filter.group = "g-10";
    assert_false(uex_dlq_filter_fits(&filter, &record));
    filter.group = "g-";
    assert_false(uex_dlq_filter_fits(&filter, &record));
    filter.group = NULL;
    filter.error_code = "database";
    assert_false(uex_dlq_filter_fits(&filter, &record));
    filter.error_code = NULL;
    filter.since_ms = 5000;
    filter.until_ms = 5001;
    assert_true(uex_dlq_filter_fits(&filter, &record));
    filter.until_ms = 5000;
    assert_false(uex_dlq_filter_fits(&filter, &record));
    filter.until_ms = UEX_NO_TIME;
    filter.since_ms = 5001;
    assert_false(uex_dlq_filter_fits(&filter, &record));
    uex_dlq_filter_clear(&filter);
}

static void add_mark(struct uex_dlq_marks *marks, int32_t partition, int64_t offset, int64_t mark_offset,
                     enum uex_dlq_action action)
{
    struct uex_record record = letter(partition, mark_offset, "g", 0);
    const struct uex_dlq_mark mark = {
        .partition = partition, .offset = offset, .action = action, .by = "asha", .reason = ""};

    assert_int_equal(uex_dlq_marks_add(marks, &record, &mark, NULL), UEX_OK);
}

static void marks__in_any_order__are_found_oldest_first(void **state)
{
    struct uex_dlq_marks marks = {0};
    const struct uex_dlq_done *found = NULL;
    size_t count = 0;

    (void)state;
    assert_null(uex_dlq_marks_find(&marks, 0, 0, &count));
    assert_int_equal(count, 0);
    for (int64_t i = 0; i < 1000; i++) /* grows */
        add_mark(&marks, 2, 999 - i, 5000 + i, UEX_DLQ_REPLAYED);
    add_mark(&marks, 1, 500, 9001, UEX_DLQ_REPLAYED);
    add_mark(&marks, 1, 500, 9000, UEX_DLQ_DISCARDED);
    found = uex_dlq_marks_find(&marks, 1, 500, &count);
    assert_int_equal(count, 2);
    assert_int_equal(found[0].action, UEX_DLQ_DISCARDED);
    assert_int_equal(found[1].action, UEX_DLQ_REPLAYED);
    assert_string_equal(found[1].by, "asha");
    for (int64_t i = 0; i < 1000; i++) {
        assert_non_null(uex_dlq_marks_find(&marks, 2, i, &count));
        assert_int_equal(count, 1);
    }
    assert_null(uex_dlq_marks_find(&marks, 2, 1000, &count));
    assert_null(uex_dlq_marks_find(&marks, 0, 500, &count));
    add_mark(&marks, 0, 500, 9002, UEX_DLQ_REPLAYED); /* sorted anew */
    assert_non_null(uex_dlq_marks_find(&marks, 0, 500, &count));
    uex_dlq_marks_clear(&marks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter__what_is_allowed__is_told_apart),
        cmocka_unit_test(filter__all_that_is_asked_for__has_to_fit),
        cmocka_unit_test(marks__in_any_order__are_found_oldest_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
