/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/group_state_view.h"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ID_1 "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define ID_2 "a0eebc99-9c0b-4ef8-bb6d-000000000002"
#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

/* A record with `field_` in the place of a field that is named in it. */
#define RECORD(fields_)                                                                                                \
    "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"exported\",\"commandId\":\"" ID_1                                  \
    "\",\"at\":\"2026-11-22T17:50:00.500Z\"" fields_ "}"

static enum uex_error read_text(const char *text, struct uex_group_state_view *view)
{
    struct uex_fault fault = {0};
    enum uex_error error = uex_group_state_view_read(uex_bytes_of_text(text), view, &fault);

    if (error != UEX_OK)
        assert_true(fault.text[0] != '\0');
    return error;
}

static void read__what_was_written__comes_back(void **state)
{
    struct uex_state_record record = {.group_id = "पुणे \"1\"",
                                      .outcome = UEX_OUTCOME_EXPORTED,
                                      .command_id = ID_1,
                                      .run_id = "2026-11-22",
                                      .at_ms = AT,
                                      .rows = 11,
                                      .bytes = 12345,
                                      .file_path = "s3://b/g.csv.gz",
                                      .sha256 = SHA,
                                      .snapshot_at_ms = AT - 1000,
                                      .duration_ms = 250,
                                      .attempts = 2,
                                      .next_attempt_at_ms = UEX_NO_TIME};
    struct uex_group_memory *memory = uex_group_memory_new();
    struct uex_group_state_view view = {0};
    struct uex_buffer out = {0};

    (void)state;
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
    record.outcome = UEX_OUTCOME_RETRIED;
    record.command_id = ID_2;
    record.reason = "timeout";
    record.next_attempt_at_ms = AT + 30000;
    record.error = "it took \"too\" long";
    uex_group_state_write(&record, memory, &out);
    assert_int_equal(read_text(uex_buffer_text(&out), &view), UEX_OK);
    assert_string_equal(view.record.group_id, "पुणे \"1\"");
    assert_int_equal(view.record.outcome, UEX_OUTCOME_RETRIED);
    assert_string_equal(view.record.reason, "timeout");
    assert_string_equal(view.record.command_id, ID_2);
    assert_string_equal(view.record.run_id, "2026-11-22");
    assert_true(view.record.at_ms == AT);
    assert_true(view.record.rows == 11 && view.record.bytes == 12345 && view.record.attempts == 2);
    assert_string_equal(view.record.file_path, "s3://b/g.csv.gz");
    assert_string_equal(view.record.sha256, SHA);
    assert_true(view.record.snapshot_at_ms == AT - 1000 && view.record.duration_ms == 250);
    assert_true(view.record.next_attempt_at_ms == AT + 30000);
    assert_string_equal(view.record.error, "it took \"too\" long");
    assert_int_equal(view.memory.recent_count, 1);
    assert_string_equal(view.memory.recent[0].run_id, "2026-11-22");
    assert_true(view.memory.has_last && view.memory.last.has_sha256 && view.memory.last.rows == 11);
    assert_string_equal(view.memory.last.file_path, "s3://b/g.csv.gz");
    uex_group_state_view_clear(&view);
    uex_group_state_view_clear(&view);
    assert_int_equal(uex_group_state_newest_read(uex_buffer_bytes(&out), &view, NULL), UEX_OK);
    assert_string_equal(view.record.command_id, ID_2);
    assert_int_equal(view.memory.recent_count, 0);
    assert_true(view.memory.has_last && view.memory.last.rows == 11);
    uex_group_state_view_clear(&view);
    uex_buffer_clear(&out);
    uex_group_memory_free(memory);
}

static void read__missing_and_null_fields__are_unknown(void **state)
{
    static const char *const texts[] = {
        RECORD(""),
        RECORD(",\"reason\":null,\"runId\":null,\"rows\":null,\"bytes\":null,\"filePath\":null,\"sha256\":null,"
               "\"snapshotAt\":null,\"durationMs\":null,\"attempts\":null,\"nextAttemptAt\":null,\"recent\":null,"
               "\"lastExported\":null,\"later\":{\"a\":[1]}"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct uex_group_state_view view = {0};

        assert_int_equal(read_text(texts[i], &view), UEX_OK);
        assert_string_equal(view.record.reason, "");
        assert_string_equal(view.record.error, "");
        assert_string_equal(view.record.run_id, "");
        assert_string_equal(view.record.file_path, "");
        assert_string_equal(view.record.sha256, "");
        assert_true(view.record.rows == UEX_UNKNOWN && view.record.bytes == UEX_UNKNOWN);
        assert_true(view.record.attempts == UEX_UNKNOWN && view.record.duration_ms == UEX_NO_TIME);
        assert_true(view.record.snapshot_at_ms == UEX_NO_TIME && view.record.next_attempt_at_ms == UEX_NO_TIME);
        assert_int_equal(view.memory.recent_count, 0);
        assert_false(view.memory.has_last);
        uex_group_state_view_clear(&view);
    }
}

static void read__escapes_anywhere__are_decoded(void **state)
{
    struct uex_group_state_view view = {0};

    (void)state;
    assert_int_equal(read_text(" {\t\"version\" : 1 , \"group\\u0049d\":\"a\\u00e9\\ud83d\\ude00\\\"\\\\\\/\",\r\n"
                               "\"outcome\":\"exp\\u006frted\",\"commandId\":\"" ID_1 "\",\"unknown\":\"}]\\\"{[\","
                               "\"deeper\":[{\"recent\":[\"]\"]}, [ ] ,{ }],\"reason\":\"b\\b\\f\\n\\r\\t\\u0915\","
                               "\"recent\" : [ {\"commandId\":\"" ID_2
                               "\",\"runId\":\"r\\u0031\",\"outcome\":\"skipped\"}"
                               " , {\"outcome\":\"exported\",\"commandId\":\"" ID_1 "\",\"runId\":\"\"} ] } ",
                               &view),
                     UEX_OK);
    assert_string_equal(view.record.group_id, "aé😀\"\\/");
    assert_string_equal(view.record.reason, "b\b\f\n\r\tक");
    assert_int_equal(view.record.outcome, UEX_OUTCOME_EXPORTED);
    assert_int_equal(view.memory.recent_count, 2);
    assert_string_equal(view.memory.recent[0].run_id, "r1");
    assert_string_equal(view.memory.recent[1].run_id, "");
    uex_group_state_view_clear(&view);
}

static void read__counts_of_any_form__are_exact(void **state)
{
    static const struct {
        const char *text;
        uint64_t rows;
    } cases[] = {
        {"0", 0},
        {"999999999999999", UINT64_C(999999999999999)},
        {"1000000000000001", UINT64_C(1000000000000001)},
        {"9007199254740992", UINT64_C(1) << 53},
        {"1.5e3", 1500},
        {"-0", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_group_state_view view = {0};
        char text[256];

        (void)snprintf(text, sizeof(text), RECORD(",\"rows\":%s"), cases[i].text);
        assert_int_equal(read_text(text, &view), UEX_OK);
        assert_int_equal(view.record.rows, cases[i].rows);
        uex_group_state_view_clear(&view);
    }
}

static void read__upper_case_command_id__is_lower_case(void **state)
{
    struct uex_group_state_view view = {0};

    (void)state;
    assert_int_equal(read_text("{\"version\":1,\"groupId\":\"g\",\"outcome\":\"skipped\",\"commandId\":"
                               "\"A0EEBC99-9C0B-4EF8-BB6D-000000000001\",\"at\":\"2026-11-22T17:50:00.500Z\"}",
                               &view),
                     UEX_OK);
    assert_string_equal(view.record.command_id, ID_1);
    uex_group_state_view_clear(&view);
}

static void read__fields_of_a_wrong_kind__are_malformed(void **state)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"version\":2,\"groupId\":\"g\",\"outcome\":\"exported\",\"commandId\":\"" ID_1 "\"}",
        "{\"version\":1,\"groupId\":\"\",\"outcome\":\"exported\",\"commandId\":\"" ID_1 "\"}",
        "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"lost\",\"commandId\":\"" ID_1 "\"}",
        "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"exported\",\"commandId\":\"1\"}",
        "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"exported\"}",
        RECORD(",\"rows\":1,\"rows\":1"),
        RECORD(",\"row\\u0073\":1,\"rows\":1"),
        RECORD(",\"rows\":-1"),
        RECORD(",\"rows\":9007199254740994"),
        RECORD(",\"rows\":1.5"),
        RECORD(",\"bytes\":\"1\""),
        RECORD(",\"attempts\":1e300"),
        RECORD(",\"durationMs\":true"),
        RECORD(",\"sha256\":\"12\""),
        RECORD(",\"filePath\":7"),
        RECORD(",\"reason\":[]"),
        RECORD(",\"runId\":{}"),
        RECORD(",\"snapshotAt\":\"yesterday\""),
        RECORD(",\"nextAttemptAt\":1"),
        RECORD(",\"recent\":[1]"),
        RECORD(",\"lastExported\":\"x\""),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct uex_group_state_view view = {0};

        assert_int_equal(read_text(texts[i], &view), UEX_MALFORMED);
        uex_group_state_view_clear(&view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__what_was_written__comes_back),
        cmocka_unit_test(read__missing_and_null_fields__are_unknown),
        cmocka_unit_test(read__escapes_anywhere__are_decoded),
        cmocka_unit_test(read__counts_of_any_form__are_exact),
        cmocka_unit_test(read__upper_case_command_id__is_lower_case),
        cmocka_unit_test(read__fields_of_a_wrong_kind__are_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
