/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "report/html.h"
#include "report/page.h"
#include "report/remedy.h"

#define STARTED INT64_C(1795369804000) /* 2026-11-22T17:50:04Z */

static struct uex_run_record run_of(const char *run_id, uint64_t exported)
{
    return (struct uex_run_record){.run_id = (char *)(uintptr_t)run_id, /* only read */
                                   .status = UEX_RUN_COMPLETED,
                                   .groups = exported,
                                   .exported = exported,
                                   .rows = exported * 10,
                                   .bytes = exported * 100,
                                   .started_at_ms = STARTED,
                                   .ended_at_ms = STARTED + 60000,
                                   .requested_by = (char *)(uintptr_t) "asha@host"};
}

static struct uex_report_group group_of(const char *group_id, enum uex_outcome_kind outcome, const char *reason)
{
    return (struct uex_report_group){.group_id = group_id,
                                     .reason = reason,
                                     .outcome = outcome,
                                     .has_outcome = true,
                                     .rows = 10,
                                     .bytes = 100,
                                     .attempts = 1,
                                     .duration_ms = 500,
                                     .at_ms = STARTED,
                                     .next_attempt_at_ms = UEX_NO_TIME};
}

static void add(struct uex_report *report, struct uex_report_group group)
{
    assert_int_equal(uex_report_add(report, &group), UEX_OK);
}

static void begin(struct uex_report *report, const struct uex_run_record *runs, size_t count)
{
    uex_report_init(report);
    report->runs = runs;
    report->run_count = count;
    report->timezone = "Asia/Kolkata";
    report->made_at_ms = STARTED + 90000;
}

/* The page of what was added; the caller frees it. */
static char *page_of(struct uex_report *report)
{
    struct uex_buffer out = {0};

    uex_report_write(report, &out);
    assert_false(uex_buffer_failed(&out));
    uex_report_clear(report);
    return (char *)out.data;
}

static bool holds(const char *page, const char *text)
{
    return strstr(page, text) != NULL;
}

static size_t count_of(const char *page, const char *text)
{
    size_t count = 0;

    for (const char *at = strstr(page, text); at != NULL; at = strstr(at + 1, text))
        count++;
    return count;
}

static int set_zone(void **state)
{
    (void)state;
    (void)setenv("TZ", "Asia/Kolkata", 1);
    tzset();
    return 0;
}

static void write__failed_group__stands_before_the_slowest_with_its_error_and_its_command(void **state)
{
    struct uex_run_record runs[] = {run_of("2026-11-22", 1), run_of("2026-11-21", 3)};
    struct uex_report_group failed = group_of("it's g-17", UEX_OUTCOME_DEAD_LETTERED, "database-data");
    struct uex_report report;
    char *page = NULL;

    (void)state;
    begin(&report, runs, 2);
    add(&report, group_of("g-1", UEX_OUTCOME_EXPORTED, NULL));
    failed.error = "column age: no number";
    add(&report, failed);
    page = page_of(&report);
    assert_true(strstr(page, "id=\"failed\"") < strstr(page, "id=\"slowest\""));
    assert_true(holds(page, "1 group failed.</strong>"));
    assert_true(holds(page, "column age: no number"));
    assert_true(holds(
        page,
        "<span>--group</span> <span>&#39;it&#39;\\&#39;&#39;s</span> <span>g-17&#39;</span> <span>--reason</span>"));
    assert_true(holds(page, "<time datetime=\"2026-11-22T17:50:04.000Z\">2026-11-22 23:20:04 IST</time>"));
    assert_true(holds(page, ">−2<")); /* exported 1, the night before 3 */
    free(page);
}

static void write__any_run__fetches_and_runs_nothing_and_names_no_person(void **state)
{
    struct uex_run_record runs[] = {run_of("2026-11-22", 1)};
    struct uex_report report;
    char *page = NULL;

    (void)state;
    begin(&report, runs, 1);
    add(&report, group_of("g-1", UEX_OUTCOME_EXPORTED, NULL));
    page = page_of(&report);
    assert_false(holds(page, "<script"));
    assert_false(holds(page, "http:"));
    assert_false(holds(page, "https:"));
    assert_false(holds(page, "url("));
    assert_false(holds(page, "asha"));
    assert_true(holds(page, "default-src 'none'"));
    assert_true(holds(page, "prefers-color-scheme:dark"));
    assert_true(holds(page, "@media print"));
    assert_false(holds(page, "Small figures")); /* there is no run before */
    free(page);
}

static void write__hostile_names__are_text(void **state)
{
    struct uex_run_record runs[] = {run_of("</title><script>x</script>", 0)};
    struct uex_report_group group = group_of("<b>&\"'", UEX_OUTCOME_DEAD_LETTERED, "<i>");
    struct uex_report report;
    char *page = NULL;

    (void)state;
    begin(&report, runs, 1);
    group.error = "</style>\x01\xff";
    add(&report, group);
    group.has_outcome = false;
    add(&report, group);
    page = page_of(&report);
    assert_true(holds(page, "<title>Run &lt;/title&gt;&lt;script&gt;x&lt;/script&gt;: "));
    assert_int_equal(count_of(page, "</style>"), 1);
    assert_int_equal(count_of(page, "<script"), 0);
    assert_int_equal(count_of(page, "<i>"), 0);
    assert_true(holds(page, "<bdi>&lt;b&gt;&amp;&quot;&#39;</bdi>"));
    assert_true(holds(page, "&lt;/style&gt; \xef\xbf\xbd"));
    free(page);
}

static void write__more_than_1000_failed__shows_1000_and_says_how_many_more(void **state)
{
    struct uex_run_record runs[] = {run_of("2026-11-22", 0)};
    struct uex_report report;
    char id[32], *page = NULL;

    (void)state;
    begin(&report, runs, 1);
    for (int i = 2500; i-- > 0;) {
        (void)snprintf(id, sizeof(id), "g-%04d", i);
        add(&report, group_of(id, UEX_OUTCOME_DEAD_LETTERED, "store-denied"));
    }
    assert_int_equal(report.failed.count, UEX_REPORT_FAILED_MAX);
    page = page_of(&report);
    assert_true(holds(page, "2,500 groups failed"));
    assert_true(holds(page, "and 1,500 more"));
    assert_true(holds(
        page,
        "<span>--error</span> <span>store-denied</span> <span>--since</span> <span>2026-11-22T17:50:04.000Z</span>"));
    assert_int_equal(count_of(page, "<span>--group</span> <span>g-"), UEX_REPORT_FAILED_MAX);
    assert_true(holds(page, "<bdi>g-0999</bdi>"));
    assert_false(holds(page, "<bdi>g-1000</bdi>"));
    free(page);
}

static void write__all_went_well__has_no_section_of_failures(void **state)
{
    struct uex_run_record runs[] = {run_of("2026-11-22", 2)};
    struct uex_report report;
    char *page = NULL;

    (void)state;
    begin(&report, runs, 1);
    add(&report, group_of("g-1", UEX_OUTCOME_EXPORTED, NULL));
    add(&report, group_of("g-2", UEX_OUTCOME_SKIPPED, "empty"));
    page = page_of(&report);
    assert_true(holds(page, "All groups have ended.</strong> 1 of 2 groups were exported, 1 had nothing to export"));
    assert_false(holds(page, "id=\"failed\""));
    assert_false(holds(page, "id=\"unfinished\""));
    free(page);
}

static void write__run_without_an_end__shows_what_is_to_come(void **state)
{
    struct uex_run_record runs[] = {run_of("2026-11-22", UEX_UNKNOWN)};
    struct uex_report_group retried = group_of("g-2", UEX_OUTCOME_RETRIED, "store-unavailable"),
                            queued = {.group_id = "g-3"};
    struct uex_report report;
    char *page = NULL;

    (void)state;
    runs[0].status = UEX_RUN_STARTED;
    runs[0].ended_at_ms = UEX_NO_TIME;
    retried.next_attempt_at_ms = STARTED + 30000;
    begin(&report, runs, 1);
    add(&report, retried);
    add(&report, queued);
    page = page_of(&report);
    assert_true(holds(page, "2 groups still to come"));
    assert_true(holds(page, "tried again <time datetime=\"2026-11-22T17:50:34.000Z\">"));
    assert_true(holds(page, "1 min 30 s")); /* so far */
    free(page);
}

static void write__replayed_since_the_end__says_both(void **state)
{
    struct uex_run_record runs[] = {run_of("2026-11-22", 1)};
    struct uex_report report;
    char *page = NULL;

    (void)state;
    runs[0].dead_lettered = 2;
    begin(&report, runs, 1);
    add(&report, group_of("g-1", UEX_OUTCOME_EXPORTED, NULL));
    page = page_of(&report);
    assert_true(holds(page, "When the run ended, 2 had failed"));
    assert_true(holds(page, "<code>exportctl run finish 2026-11-22</code>"));
    free(page);
}

static void write__states_overwritten_by_a_later_run__takes_rows_from_the_record(void **state)
{
    struct uex_run_record runs[] = {run_of("2026-11-20", 1)};
    struct uex_report_group group = group_of("g-1", UEX_OUTCOME_EXPORTED, NULL);
    struct uex_report report;
    char *page = NULL;

    (void)state;
    runs[0].rows = 4711;
    group.rows = UEX_UNKNOWN;
    group.duration_ms = UEX_NO_TIME;
    begin(&report, runs, 1);
    add(&report, group);
    page = page_of(&report);
    assert_true(holds(page, "4,711"));
    assert_true(holds(page, "Of 1 group a later command has overwritten"));
    free(page);
}

static void remedy_of__every_error_that_ends_a_command__has_one(void **state)
{
    (void)state;
    for (int i = 0; i < UEX_ERROR_COUNT; i++)
        assert_non_null(uex_remedy_of(uex_error_code((enum uex_error)i))->first);
    assert_true(uex_remedy_of("malformed-command")->is_new_command);
    assert_false(uex_remedy_of("of another release")->is_new_command);
    /* What no retry can fix needs a hand: "send it again" is not enough for it. */
    for (int i = 0; i < UEX_ERROR_COUNT; i++)
        if (uex_error_disposition((enum uex_error)i) == UEX_DISPOSITION_REJECT)
            assert_ptr_not_equal(uex_remedy_of(uex_error_code((enum uex_error)i)), uex_remedy_of("?"));
}

static void offer__more_than_fit__keeps_the_first_of_the_order(void **state)
{
    struct uex_report_groups groups = {.most = 20, .order = uex_report_by_duration};
    char id[16];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct uex_report_group group = group_of(id, UEX_OUTCOME_EXPORTED, NULL);

        (void)snprintf(id, sizeof(id), "g-%d", i);
        group.duration_ms = i * 7919 % 1000; /* each once, in no order */
        assert_int_equal(uex_report_groups_offer(&groups, &group), UEX_OK);
    }
    uex_report_groups_sort(&groups);
    assert_int_equal(groups.count, 20);
    assert_int_equal(groups.offered, 1000);
    for (size_t i = 0; i < groups.count; i++)
        assert_int_equal(groups.items[i].duration_ms, 999 - (int64_t)i);
    uex_report_groups_clear(&groups);
}

static void shell_word__odd_texts__are_one_word(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    uex_html_shell_word(&out, "g-17");
    uex_buffer_append_text(&out, " ");
    uex_html_shell_word(&out, "");
    uex_buffer_append_text(&out, " ");
    uex_html_shell_word(&out, "a b$'");
    assert_string_equal(uex_buffer_text(&out), "g-17 '' 'a b$'\\'''");
    uex_buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__failed_group__stands_before_the_slowest_with_its_error_and_its_command),
        cmocka_unit_test(write__any_run__fetches_and_runs_nothing_and_names_no_person),
        cmocka_unit_test(write__hostile_names__are_text),
        cmocka_unit_test(write__more_than_1000_failed__shows_1000_and_says_how_many_more),
        cmocka_unit_test(write__all_went_well__has_no_section_of_failures),
        cmocka_unit_test(write__run_without_an_end__shows_what_is_to_come),
        cmocka_unit_test(write__replayed_since_the_end__says_both),
        cmocka_unit_test(write__states_overwritten_by_a_later_run__takes_rows_from_the_record),
        cmocka_unit_test(remedy_of__every_error_that_ends_a_command__has_one),
        cmocka_unit_test(offer__more_than_fit__keeps_the_first_of_the_order),
        cmocka_unit_test(shell_word__odd_texts__are_one_word),
    };

    return cmocka_run_group_tests(tests, set_zone, NULL);
}
