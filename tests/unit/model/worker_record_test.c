/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/group_progress.h"
#include "export/worker_record.h"

#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

#define BREAKER "{\"dependency\":\"postgres\",\"since\":\"2026-11-22T17:49:58.000Z\",\"code\":\"database-unavailable\"}"
#define RECORD(breakers_, stopping_)                                                                                   \
    "{\"version\":1,\"worker\":\"pod-1:17\",\"at\":\"2026-11-22T17:50:00.500Z\",\"running\":2,\"queued\":15,"          \
    "\"breakers\":[" breakers_ "],\"stopping\":" stopping_ "}"

static struct uex_worker_record record_of(void)
{
    return (struct uex_worker_record){.worker = (char *)"pod-1:17", .at_ms = AT, .running = 2, .queued = 15};
}

static struct uex_worker_record broken_record(void)
{
    struct uex_worker_record record = record_of();

    record.breakers[record.breaker_count++] =
        (struct uex_worker_breaker){.dependency = "postgres", .since_ms = AT - 2500, .code = "database-unavailable"};
    record.stopping = true;
    return record;
}

static void expect_json(const struct uex_worker_record *record, const char *expected)
{
    struct uex_buffer out = {0};

    uex_worker_record_write_json(record, &out);
    assert_string_equal(uex_buffer_text(&out), expected);
    uex_buffer_clear(&out);
}

static void write__every_field__stands_in_the_json(void **state)
{
    struct uex_worker_record record = record_of();

    (void)state;
    expect_json(&record, RECORD("", "false"));
    record = broken_record();
    expect_json(&record, RECORD(BREAKER, "true"));
    record.breakers[record.breaker_count++] = record.breakers[0];
    expect_json(&record, RECORD(BREAKER "," BREAKER, "true"));
}

static void parse__what_was_written__is_the_same(void **state)
{
    const struct uex_worker_record written = broken_record();
    struct uex_worker_record parsed = {0};

    (void)state;
    assert_int_equal(uex_worker_record_parse(uex_bytes_of_text(RECORD(BREAKER, "true")), &parsed, NULL), UEX_OK);
    assert_string_equal(parsed.worker, "pod-1:17");
    assert_int_equal(parsed.at_ms, AT);
    assert_true(uex_worker_record_same(&parsed, &written));
    uex_worker_record_clear(&parsed);
    assert_null(parsed.worker);
}

static void parse__fields_and_breakers_of_later_versions__are_passed_over(void **state)
{
    struct uex_worker_record parsed = {0};

    (void)state;
    assert_int_equal(uex_worker_record_parse(
                         uex_bytes_of_text(RECORD(BREAKER "," BREAKER "," BREAKER "," BREAKER ",{}", "true,\"x\":[7]")),
                         &parsed, NULL),
                     UEX_OK);
    assert_int_equal(parsed.breaker_count, UEX_WORKER_BREAKERS_MAX);
    uex_worker_record_clear(&parsed);
}

#define HEAD "{\"version\":1,\"worker\":\"w\",\"at\":\"2026-11-22T17:50:00Z\","

static void parse__anything_else__is_malformed(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"version\":2,\"worker\":\"w\",\"at\":\"2026-11-22T17:50:00Z\",\"running\":0,\"queued\":0,\"breakers\":[],"
        "\"stopping\":false}",
        "{\"version\":1,\"worker\":\"\",\"at\":\"2026-11-22T17:50:00Z\",\"running\":0,\"queued\":0,\"breakers\":[],"
        "\"stopping\":false}",
        "{\"version\":1,\"worker\":\"w\",\"at\":\"now\",\"running\":0,\"queued\":0,\"breakers\":[],\"stopping\":false}",
        HEAD "\"running\":-1,\"queued\":0,\"breakers\":[],\"stopping\":false}",
        HEAD "\"running\":0,\"queued\":null,\"breakers\":[],\"stopping\":false}",
        HEAD "\"running\":0,\"queued\":0,\"breakers\":null,\"stopping\":false}",
        HEAD "\"running\":0,\"queued\":0,\"breakers\":[7],\"stopping\":false}",
        HEAD "\"running\":0,\"queued\":0,\"breakers\":[{\"dependency\":\"a dependency of a long name\",\"since\":"
             "\"2026-11-22T17:49:58Z\",\"code\":\"c\"}],\"stopping\":false}",
        HEAD "\"running\":0,\"queued\":0,\"breakers\":[],\"stopping\":null}",
    };
    struct uex_worker_record parsed = {0};
    struct uex_fault fault = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(uex_worker_record_parse(uex_bytes_of_text(texts[i]), &parsed, &fault), UEX_MALFORMED);
        uex_worker_record_clear(&parsed);
    }
}

/* A group may be named like a worker's key: the value tells. */
static void parse__progress_of_a_group__is_refused_and_the_other_way_round(void **state)
{
    static const char group[] =
        "{\"groupId\":\"worker:pod-1:17\",\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\","
        "\"worker\":\"pod-1:17\",\"state\":\"running\",\"rows\":1,\"bytes\":2,\"startedAt\":"
        "\"2026-11-22T17:49:58.000Z\",\"at\":\"2026-11-22T17:50:00.500Z\"";
    static const char *const more[] = {"}",
                                       ",\"version\":1,\"running\":0,\"queued\":0,\"breakers\":[],\"stopping\":false}"};
    struct uex_worker_record parsed = {0};
    struct uex_group_progress progress = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        struct uex_buffer text = {0};

        uex_buffer_append_text(&text, group);
        uex_buffer_append_text(&text, more[i]);
        assert_int_equal(uex_worker_record_parse(uex_buffer_bytes(&text), &parsed, NULL), UEX_MALFORMED);
        uex_worker_record_clear(&parsed);
        assert_int_equal(uex_group_progress_read(uex_buffer_bytes(&text), &progress, NULL), UEX_OK);
        uex_buffer_clear(&text);
    }
    assert_int_equal(uex_group_progress_read(uex_bytes_of_text(RECORD("", "false")), &progress, NULL), UEX_MALFORMED);
}

static void same__any_change_but_the_time__is_seen(void **state)
{
    const struct uex_worker_record record = broken_record();
    struct uex_worker_record other = record;

    (void)state;
    other.at_ms++;
    assert_true(uex_worker_record_same(&record, &other));
    other.running++;
    assert_false(uex_worker_record_same(&record, &other));
    other = record;
    other.queued = 0;
    assert_false(uex_worker_record_same(&record, &other));
    other = record;
    other.stopping = false;
    assert_false(uex_worker_record_same(&record, &other));
    other = record;
    other.breaker_count = 0;
    assert_false(uex_worker_record_same(&record, &other));
    other = record;
    other.breakers[0].since_ms++;
    assert_false(uex_worker_record_same(&record, &other));
    other = record;
    other.breakers[0].code[0] = 's';
    assert_false(uex_worker_record_same(&record, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__every_field__stands_in_the_json),
        cmocka_unit_test(parse__what_was_written__is_the_same),
        cmocka_unit_test(parse__fields_and_breakers_of_later_versions__are_passed_over),
        cmocka_unit_test(parse__anything_else__is_malformed),
        cmocka_unit_test(parse__progress_of_a_group__is_refused_and_the_other_way_round),
        cmocka_unit_test(same__any_change_but_the_time__is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
