/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/group_state_head.h"

#define GROUP "g é \x7E"
#define ID "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */
#define HEAD_FROM_RUN ",\"commandId\":\"" ID "\",\"runId\":\"r\",\"at\":\"2026-11-22T17:50:00.500Z\",\"rows\":30"
#define HEAD                                                                                                           \
    "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":null" HEAD_FROM_RUN ",\"bytes\":400"

static bool read_head(const char *text, size_t size_bytes, struct uex_state_head *out)
{
    /* exactly as much heap as there is text, so that asan sees a read beyond it; run_id is looked at before the free */
    char *copy = malloc(size_bytes == 0 ? 1 : size_bytes);
    bool is_read;

    assert_non_null(copy);
    memcpy(copy, text, size_bytes);
    is_read = uex_group_state_head_read(uex_bytes_of(copy, size_bytes), uex_bytes_of_text(GROUP), out);
    if (is_read && out->run_id.size_bytes > 0)
        assert_memory_equal(out->run_id.data, "r", 1);
    free(copy);
    return is_read;
}

static struct uex_state_head written_and_read(const struct uex_state_record *record)
{
    struct uex_group_memory *memory = uex_group_memory_new();
    struct uex_buffer text = {0};
    struct uex_state_head head = {0};

    assert_non_null(memory);
    uex_group_state_write(record, memory, &text);
    assert_true(read_head(uex_buffer_text(&text), text.size_bytes, &head));
    uex_buffer_clear(&text);
    uex_group_memory_free(memory);
    return head;
}

static void read__what_was_written__comes_back(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < UEX_OUTCOME_COUNT; kind++) {
        struct uex_state_record record = {.group_id = GROUP,
                                          .outcome = (enum uex_outcome_kind)kind,
                                          .reason = "store-refused",
                                          .command_id = ID,
                                          .run_id = "r",
                                          .at_ms = AT,
                                          .rows = UEX_COUNT_MAX / 10,
                                          .bytes = 0};
        struct uex_state_head head = written_and_read(&record);

        assert_int_equal(head.outcome, kind);
        assert_int_equal(head.run_id.size_bytes, 1);
        assert_int_equal(head.at_ms, AT);
        assert_int_equal(head.rows, UEX_COUNT_MAX / 10);
        assert_int_equal(head.bytes, 0);
        record = (struct uex_state_record){.group_id = GROUP,
                                           .outcome = (enum uex_outcome_kind)kind,
                                           .command_id = ID,
                                           .at_ms = UEX_NO_TIME,
                                           .rows = UEX_UNKNOWN,
                                           .bytes = UEX_UNKNOWN};
        head = written_and_read(&record);
        assert_int_equal(head.outcome, kind);
        assert_int_equal(head.run_id.size_bytes, 0);
        assert_int_equal(head.at_ms, UEX_NO_TIME);
        assert_true(head.rows == UEX_UNKNOWN && head.bytes == UEX_UNKNOWN);
    }
}

static void read__any_other_form__is_left_to_the_strict_reading(void **state)
{
    static const char *const heads[] = {
        "",
        "{}",
        " " HEAD,
        "{ \"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":null" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":2,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":null" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"other\",\"outcome\":\"exported\",\"reason\":null" HEAD_FROM_RUN ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "2\",\"outcome\":\"exported\",\"reason\":null" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"groupId\":\"" GROUP "\",\"version\":1,\"outcome\":\"exported\",\"reason\":null" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"lost\",\"reason\":null" HEAD_FROM_RUN ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"export\",\"reason\":null" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\"" HEAD_FROM_RUN ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":\"a\\u0062\"" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":\"\x01\"" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":\"\xC3\"" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":true" HEAD_FROM_RUN
        ",\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":null,\"commandId\":\"1\","
        "\"runId\":\"r\",\"at\":\"2026-11-22T17:50:00.500Z\",\"rows\":30,\"bytes\":400",
        "{\"version\":1,\"groupId\":\"" GROUP "\",\"outcome\":\"exported\",\"reason\":null,\"commandId\":\"" ID
        "\",\"runId\":\"r\",\"at\":\"2026-02-30T17:50:00.500Z\",\"rows\":30,\"bytes\":400",
        HEAD "0000000000000",
        HEAD ".5",
        HEAD "e3",
        HEAD " ",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct uex_state_head head;
        char text[512];

        (void)snprintf(text, sizeof(text), "%s,\"filePath\":null}", heads[i]);
        if (read_head(text, strlen(text), &head))
            fail_msg("%s was read", text);
    }
}

static void read__counts_that_json_does_not_have__are_left_to_the_strict_reading(void **state)
{
    static const char *const counts[] = {"", "-1", "007", "1000000000000001", "\"1\"", "nul", "1x"};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct uex_state_head head;
        char text[512];

        (void)snprintf(text, sizeof(text), "%.*s%s}", (int)(strlen(HEAD) - 3), HEAD, counts[i]);
        if (read_head(text, strlen(text), &head))
            fail_msg("%s was read", text);
    }
}

static void read__a_record_that_ends_early__is_left_to_the_strict_reading(void **state)
{
    struct uex_state_head head;

    (void)state;
    for (size_t size_bytes = 0; size_bytes <= strlen(HEAD); size_bytes++)
        assert_false(read_head(HEAD, size_bytes, &head));
    assert_true(read_head(HEAD "}", strlen(HEAD) + 1, &head));
    assert_int_equal(head.rows, 30);
    assert_int_equal(head.bytes, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read__what_was_written__comes_back),
        cmocka_unit_test(read__any_other_form__is_left_to_the_strict_reading),
        cmocka_unit_test(read__counts_that_json_does_not_have__are_left_to_the_strict_reading),
        cmocka_unit_test(read__a_record_that_ends_early__is_left_to_the_strict_reading),
    };

    return cmocka_run_group_tests_name("group_state_head", tests, NULL, NULL);
}
