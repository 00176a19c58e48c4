/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/group_progress.h"

#define ID "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

#define WHOLE(state_)                                                                                                  \
    "{\"groupId\":\"पुणे \\\"1\\\"\",\"commandId\":\"" ID "\",\"worker\":\"pod-1:17\"" state_                            \
    ",\"rows\":1200000,\"bytes\":4096,"                                                                                \
    "\"startedAt\":\"2026-11-22T17:49:58.000Z\",\"at\":\"2026-11-22T17:50:00.500Z\"}"

static void read__records_of_a_worker__are_understood(void **state)
{
    static const struct {
        const char *text;
        bool ended;
    } records[] = {{WHOLE(""), false},
                   {WHOLE(",\"state\":\"running\""), false},
                   {WHOLE(",\"state\":null"), false},
                   {WHOLE(",\"state\":\"ended\""), true}};

    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        struct uex_group_progress progress = {0};

        assert_int_equal(uex_group_progress_read(uex_bytes_of_text(records[i].text), &progress, NULL), UEX_OK);
        assert_string_equal(progress.group_id, "पुणे \"1\"");
        assert_string_equal(progress.command_id, ID);
        assert_string_equal(progress.worker, "pod-1:17");
        assert_true(progress.ended == records[i].ended);
        assert_true(progress.row_count == 1200000 && progress.object_bytes == 4096);
        assert_true(progress.started_at_ms == AT - 2500 && progress.at_ms == AT);
    }
}

#define RECORD(group_, rows_, at_)                                                                                     \
    "{\"groupId\":" group_ ",\"commandId\":\"" ID "\",\"worker\":\"w\",\"rows\":" rows_                                \
    ",\"bytes\":0,\"startedAt\":\"2026-11-22T17:49:58Z\",\"at\":" at_ ",\"later\":[1]}"

static void read__fields_of_a_wrong_kind__are_malformed(void **state)
{
    static const char *const texts[] = {"",
                                        "7",
                                        "{}",
                                        RECORD("\"\"", "1", "\"2026-11-22T17:50:00Z\""),
                                        RECORD("null", "1", "\"2026-11-22T17:50:00Z\""),
                                        RECORD("\"g\"", "-1", "\"2026-11-22T17:50:00Z\""),
                                        RECORD("\"g\"", "null", "\"2026-11-22T17:50:00Z\""),
                                        RECORD("\"g\"", "1", "\"now\""),
                                        RECORD("\"g\"", "1", "null"),
                                        WHOLE(",\"state\":\"lost\""),
                                        WHOLE(",\"state\":1")};
    struct uex_group_progress progress = {0};
    struct uex_fault fault = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(uex_group_progress_read(uex_bytes_of_text(texts[i]), &progress, &fault), UEX_MALFORMED);
    assert_int_equal(
        uex_group_progress_read(uex_bytes_of_text(RECORD("\"g\"", "1", "\"2026-11-22T17:50:00Z\"")), &progress, &fault),
        UEX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__records_of_a_worker__are_understood),
        cmocka_unit_test(read__fields_of_a_wrong_kind__are_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
