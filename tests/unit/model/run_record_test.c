/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/run_record.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define STARTED INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

static void write__a_start__has_null_for_what_is_not_known(void **state)
{
    const struct uex_run_record record = {.run_id = (char *)"night \"7\"",
                                          .groups = 3,
                                          .exported = UEX_UNKNOWN,
                                          .skipped = UEX_UNKNOWN,
                                          .dead_lettered = UEX_UNKNOWN,
                                          .unfinished = UEX_UNKNOWN,
                                          .rows = UEX_UNKNOWN,
                                          .bytes = UEX_UNKNOWN,
                                          .started_at_ms = STARTED,
                                          .ended_at_ms = UEX_NO_TIME,
                                          .requested_by = (char *)"export-scheduler"};
    struct uex_buffer out = {0};

    (void)state;
    uex_run_record_write_json(&record, &out);
    assert_string_equal(uex_buffer_text(&out),
                        "{\"version\":1,\"runId\":\"night \\\"7\\\"\",\"status\":\"started\",\"groups\":3,"
                        "\"exported\":null,\"skipped\":null,\"deadLettered\":null,\"unfinished\":null,\"rows\":null,"
                        "\"bytes\":null,\"startedAt\":\"2026-11-22T17:50:00.500Z\",\"endedAt\":null,"
                        "\"requestedBy\":\"export-scheduler\",\"manifestPath\":null,\"manifestSha256\":null}");
    uex_buffer_clear(&out);
}

static void parse__what_was_written__is_the_same(void **state)
{
    static const enum uex_run_status statuses[] = {UEX_RUN_STARTED, UEX_RUN_COMPLETED, UEX_RUN_INCOMPLETE};

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct uex_run_record record = {.run_id = (char *)"पुणे",
                                        .status = statuses[i],
                                        .groups = 1000000,
                                        .exported = 999990,
                                        .skipped = 4,
                                        .dead_lettered = 3,
                                        .unfinished = 3,
                                        .rows = UINT64_C(1) << 40,
                                        .bytes = 0,
                                        .started_at_ms = STARTED,
                                        .ended_at_ms = STARTED + 1,
                                        .requested_by = (char *)"a person",
                                        .manifest_path = (char *)"s3://b/_runs/x.jsonl.gz",
                                        .manifest_sha256 = DIGEST};
        struct uex_run_record read = {0}, copy = {0};
        struct uex_buffer first = {0}, second = {0};

        uex_run_record_write_json(&record, &first);
        assert_int_equal(uex_run_record_parse(uex_buffer_bytes(&first), &read, NULL), UEX_OK);
        assert_int_equal(uex_run_record_copy(&read, &copy), UEX_OK);
        uex_run_record_clear(&read);
        uex_run_record_write_json(&copy, &second);
        assert_string_equal(uex_buffer_text(&first), uex_buffer_text(&second));
        assert_int_equal(copy.status, statuses[i]);
        uex_run_record_clear(&copy);
        uex_buffer_clear(&first);
        uex_buffer_clear(&second);
    }
}

static void parse__unknown_and_missing_fields__are_ignored_and_unknown(void **state)
{
    struct uex_run_record read = {0};

    (void)state;
    assert_int_equal(uex_run_record_parse(uex_bytes_of_text("{\"later\":[1],\"status\":\"incomplete\",\"runId\":\"r\","
                                                            "\"version\":1,\"requestedBy\":null}"),
                                          &read, NULL),
                     UEX_OK);
    assert_string_equal(read.run_id, "r");
    assert_int_equal(read.status, UEX_RUN_INCOMPLETE);
    assert_true(read.groups == UEX_UNKNOWN && read.exported == UEX_UNKNOWN && read.bytes == UEX_UNKNOWN);
    assert_true(read.started_at_ms == UEX_NO_TIME && read.ended_at_ms == UEX_NO_TIME);
    assert_null(read.requested_by);
    assert_null(read.manifest_path);
    assert_string_equal(read.manifest_sha256, "");
    uex_run_record_clear(&read);
}

#define RECORD(more_) "{\"version\":1,\"runId\":\"r\",\"status\":\"started\"" more_ "}"

static void parse__not_a_run_record__is_malformed(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"version\":2,\"runId\":\"r\",\"status\":\"started\"}",
                                        "{\"version\":1,\"status\":\"started\"}",
                                        "{\"version\":1,\"runId\":\"\",\"status\":\"started\"}",
                                        "{\"version\":1,\"runId\":7,\"status\":\"started\"}",
                                        "{\"version\":1,\"runId\":\"r\"}",
                                        "{\"version\":1,\"runId\":\"r\",\"status\":\"ended\"}",
                                        RECORD(",\"groups\":-1"),
                                        RECORD(",\"groups\":1.5"),
                                        RECORD(",\"rows\":\"1\""),
                                        RECORD(",\"startedAt\":\"yesterday\""),
                                        RECORD(",\"endedAt\":1"),
                                        RECORD(",\"requestedBy\":[]"),
                                        RECORD(",\"manifestSha256\":\"beef\"")};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct uex_run_record read = {0};
        struct uex_fault fault = {0};

        assert_int_equal(uex_run_record_parse(uex_bytes_of_text(texts[i]), &read, &fault), UEX_MALFORMED);
        assert_true(fault.text[0] != 0);
        uex_run_record_clear(&read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__a_start__has_null_for_what_is_not_known),
        cmocka_unit_test(parse__what_was_written__is_the_same),
        cmocka_unit_test(parse__unknown_and_missing_fields__are_ignored_and_unknown),
        cmocka_unit_test(parse__not_a_run_record__is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
