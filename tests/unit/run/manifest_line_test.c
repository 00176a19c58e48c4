/* SPDX-License-Identifier: Apache-2.0 */
/* What a line of the manifest says, what the object is called, and which outcome of a state is that of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "run/manifest.h"
#include "run/manifest_line.h"
#include "run/outcomes.h"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ID_1 "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define ID_2 "a0eebc99-9c0b-4ef8-bb6d-000000000002"
#define ID_3 "a0eebc99-9c0b-4ef8-bb6d-000000000003"
#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */
#define RUN "2026-11-22"

static struct uex_state_record record_of(enum uex_outcome_kind outcome, const char *command_id, const char *run_id)
{
    bool is_exported = outcome == UEX_OUTCOME_EXPORTED;

    return (struct uex_state_record){.group_id = "पुणे \"1\"",
                                     .outcome = outcome,
                                     .reason = is_exported ? NULL : "database-data",
                                     .command_id = command_id,
                                     .run_id = run_id,
                                     .at_ms = AT,
                                     .rows = is_exported ? 11 : UEX_UNKNOWN,
                                     .bytes = is_exported ? 12345 : UEX_UNKNOWN,
                                     .file_path = is_exported ? "s3://b/g.csv.gz" : NULL,
                                     .sha256 = is_exported ? SHA : NULL,
                                     .snapshot_at_ms = is_exported ? AT - 1000 : UEX_NO_TIME,
                                     .duration_ms = 250,
                                     .attempts = 1,
                                     .next_attempt_at_ms = UEX_NO_TIME};
}

static void assert_line(const struct uex_state_record *record, const char *expected)
{
    struct uex_buffer line = {0};

    uex_manifest_line_write(record, &line);
    assert_string_equal(uex_buffer_text(&line), expected);
    uex_buffer_clear(&line);
}

static void line__exported_group__has_all_fields_in_their_order(void **state)
{
    struct uex_state_record record = record_of(UEX_OUTCOME_EXPORTED, ID_1, RUN);

    (void)state;
    assert_line(&record, "{\"groupId\":\"पुणे \\\"1\\\"\",\"outcome\":\"exported\",\"reason\":null,\"commandId\":\"" ID_1
                         "\",\"filePath\":\"s3://b/g.csv.gz\",\"sha256\":\"" SHA
                         "\",\"rows\":11,\"bytes\":12345,\"snapshotAt\":\"2026-11-22T17:49:59.500Z\"}\n");
}

static void line__nothing_known_but_the_outcome__has_nulls(void **state)
{
    struct uex_state_record record = record_of(UEX_OUTCOME_DEAD_LETTERED, "", RUN);

    (void)state;
    record.reason = "";
    assert_line(&record,
                "{\"groupId\":\"पुणे \\\"1\\\"\",\"outcome\":\"dead-lettered\",\"reason\":null,\"commandId\":null,"
                "\"filePath\":null,\"sha256\":null,\"rows\":null,\"bytes\":null,\"snapshotAt\":null}\n");
}

static void assert_key(const char *run_id, const char *expected)
{
    struct uex_buffer key = {0};

    uex_run_manifest_key(run_id, AT, &key);
    assert_string_equal(uex_buffer_text(&key), expected);
    uex_buffer_clear(&key);
}

static void key__any_run__is_encoded_as_in_keys_of_objects(void **state)
{
    (void)state;
    assert_key(RUN, "_runs/2026-11-22/20261122T175000Z.jsonl.gz");
    assert_key("रा/ 7", "_runs/%E0%A4%B0%E0%A4%BE%2F%207/20261122T175000Z.jsonl.gz");
    assert_key("..", "_runs/%2E%2E/20261122T175000Z.jsonl.gz");
}

/* The state after these outcomes, laid open. */
static void view_after(const struct uex_state_record *records, size_t count, struct uex_group_state_view *view)
{
    struct uex_group_memory *memory = uex_group_memory_new();
    struct uex_buffer value = {0};

    assert_non_null(memory);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(uex_group_memory_add(memory, &records[i]), UEX_OK);
    uex_group_state_write(&records[count - 1], memory, &value);
    assert_int_equal(uex_group_state_view_read(uex_buffer_bytes(&value), view, NULL), UEX_OK);
    uex_group_memory_free(memory);
    uex_buffer_clear(&value);
}

/* In a run that was started again then; 0: it was not. */
static bool outcome_of(const struct uex_group_state_view *view, const char *run_id, int64_t again_ms,
                       struct uex_run_outcome *out)
{
    const struct uex_run_rule rule = {
        .run_id = run_id, .started_at_ms = again_ms == 0 ? AT + 60000 : again_ms, .started_again = again_ms != 0};

    return uex_run_outcome_of(view, &rule, out);
}

static void outcome__newest_of_the_run__is_the_record_itself(void **state)
{
    struct uex_state_record records[] = {record_of(UEX_OUTCOME_EXPORTED, ID_1, RUN),
                                         record_of(UEX_OUTCOME_EXPORTED, ID_2, RUN)};
    struct uex_group_state_view view;
    struct uex_run_outcome outcome;

    (void)state;
    view_after(records, 2, &view);
    assert_true(outcome_of(&view, RUN, 0, &outcome));
    assert_string_equal(outcome.record.command_id, ID_2);
    assert_true(outcome.record.bytes == 12345 && outcome.record.snapshot_at_ms == AT - 1000);
    assert_false(outcome_of(&view, "2026-11-23", 0, &outcome));
    uex_group_state_view_clear(&view);
}

static void outcome__other_run_came_later__is_found_among_recent(void **state)
{
    struct uex_state_record records[] = {record_of(UEX_OUTCOME_DEAD_LETTERED, ID_1, RUN),
                                         record_of(UEX_OUTCOME_EXPORTED, ID_2, RUN),
                                         record_of(UEX_OUTCOME_RETRIED, ID_3, "by hand")};
    struct uex_group_state_view view;
    struct uex_run_outcome outcome;

    (void)state;
    view_after(records, 3, &view);
    assert_true(outcome_of(&view, RUN, 0, &outcome));
    assert_int_equal(outcome.record.outcome, UEX_OUTCOME_EXPORTED);
    assert_string_equal(outcome.record.command_id, ID_2);
    /* What lastExported knows of the same command. */
    assert_string_equal(outcome.record.file_path, "s3://b/g.csv.gz");
    assert_string_equal(outcome.record.sha256, SHA);
    assert_true(outcome.record.rows == 11);
    assert_true(outcome.record.bytes == UEX_UNKNOWN && outcome.record.snapshot_at_ms == UEX_NO_TIME);
    uex_group_state_view_clear(&view);
    records[2] = record_of(UEX_OUTCOME_EXPORTED, ID_3, "by hand");
    records[2].file_path = "s3://b/other.csv.gz";
    view_after(records, 3, &view);
    assert_true(outcome_of(&view, RUN, 0, &outcome));
    assert_string_equal(outcome.record.command_id, ID_2);
    assert_string_equal(outcome.record.file_path, "");
    assert_true(outcome.record.rows == UEX_UNKNOWN);
    uex_group_state_view_clear(&view);
}

static void outcome__retry_of_the_run__counts_where_nothing_has_ended(void **state)
{
    struct uex_state_record records[] = {record_of(UEX_OUTCOME_EXPORTED, ID_1, RUN),
                                         record_of(UEX_OUTCOME_RETRIED, ID_2, RUN)};
    struct uex_group_state_view view;
    struct uex_run_outcome outcome;

    (void)state;
    view_after(&records[1], 1, &view);
    assert_true(outcome_of(&view, RUN, 0, &outcome));
    assert_int_equal(outcome.record.outcome, UEX_OUTCOME_RETRIED);
    uex_group_state_view_clear(&view);
    view_after(records, 2, &view);
    assert_true(outcome_of(&view, RUN, 0, &outcome));
    assert_string_equal(outcome.record.command_id, ID_1);
    uex_group_state_view_clear(&view);
}

static void outcome__dead_letter_before_the_start_again__is_none(void **state)
{
    struct uex_state_record records[] = {record_of(UEX_OUTCOME_SKIPPED, ID_1, "2026-11-21"),
                                         record_of(UEX_OUTCOME_DEAD_LETTERED, ID_2, RUN)};
    struct uex_group_state_view view;
    struct uex_run_outcome outcome;

    (void)state;
    view_after(records, 2, &view);
    assert_true(outcome_of(&view, RUN, 0, &outcome));
    assert_string_equal(outcome.record.reason, "database-data");
    assert_true(outcome_of(&view, RUN, AT, &outcome));
    assert_false(outcome_of(&view, RUN, AT + 1, &outcome));
    uex_group_state_view_clear(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line__exported_group__has_all_fields_in_their_order),
        cmocka_unit_test(line__nothing_known_but_the_outcome__has_nulls),
        cmocka_unit_test(key__any_run__is_encoded_as_in_keys_of_objects),
        cmocka_unit_test(outcome__newest_of_the_run__is_the_record_itself),
        cmocka_unit_test(outcome__other_run_came_later__is_found_among_recent),
        cmocka_unit_test(outcome__retry_of_the_run__counts_where_nothing_has_ended),
        cmocka_unit_test(outcome__dead_letter_before_the_start_again__is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
