/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/group_progress.h"

#define ID "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

static void write__all_fields__is_the_json_of_the_schema(void **state)
{
    static const struct uex_group_progress progress = {.group_id = "पुणे \"1\"",
                                                       .command_id = ID,
                                                       .worker = "pod-1/17",
                                                       .row_count = 1200000,
                                                       .object_bytes = 4096,
                                                       .started_at_ms = AT - 2500,
                                                       .at_ms = AT};
    struct uex_group_progress again = {0};
    struct uex_fault fault = {0};
    struct uex_buffer out = {0};

    (void)state;
    uex_group_progress_write(&progress, &out);
    assert_string_equal(uex_buffer_text(&out),
                        "{\"groupId\":\"पुणे \\\"1\\\"\",\"commandId\":\"" ID "\",\"worker\":\"pod-1/17\","
                        "\"rows\":1200000,\"bytes\":4096,\"startedAt\":\"2026-11-22T17:49:58.000Z\","
                        "\"at\":\"2026-11-22T17:50:00.500Z\"}");
    assert_int_equal(uex_group_progress_read(uex_buffer_bytes(&out), &again, &fault), UEX_OK);
    assert_memory_equal(&again, &progress, sizeof(again));
    uex_buffer_clear(&out);
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
                                        RECORD("\"g\"", "1", "null")};
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
        cmocka_unit_test(write__all_fields__is_the_json_of_the_schema),
        cmocka_unit_test(read__fields_of_a_wrong_kind__are_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
