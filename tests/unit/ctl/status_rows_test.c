/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/status/rows.h"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

static const char *id_of(unsigned number)
{
    static char ids[8][UEX_UUID_TEXT_SIZE];
    static unsigned next;
    char *id = ids[next++ % 8];

    (void)snprintf(id, UEX_UUID_TEXT_SIZE, "a0eebc99-9c0b-4ef8-bb6d-%012x", number);
    return id;
}

static struct uex_state_record record_of(enum uex_outcome_kind outcome, unsigned number, const char *run_id)
{
    return (struct uex_state_record){.group_id = "g",
                                     .outcome = outcome,
                                     .reason = outcome == UEX_OUTCOME_EXPORTED ? "" : "timeout",
                                     .command_id = id_of(number),
                                     .run_id = run_id,
                                     .at_ms = AT + number,
                                     .rows = outcome == UEX_OUTCOME_EXPORTED ? 10 + number : UEX_UNKNOWN,
                                     .bytes = 77,
                                     .file_path = outcome == UEX_OUTCOME_EXPORTED ? "s3://b/f" : "",
                                     .sha256 = outcome == UEX_OUTCOME_EXPORTED ? SHA : "",
                                     .snapshot_at_ms = UEX_NO_TIME,
                                     .duration_ms = 5,
                                     .attempts = 1,
                                     .next_attempt_at_ms = UEX_NO_TIME};
}

/* The state record of a group after these outcomes, command 1 first, each in its run. */
static struct uex_buffer state_after(const enum uex_outcome_kind *outcomes, const char *const *run_ids, unsigned count)
{
    struct uex_group_memory *memory = uex_group_memory_new();
    struct uex_buffer out = {0};

    for (unsigned i = 0; i < count; i++) {
        struct uex_state_record record = record_of(outcomes[i], i + 1, run_ids[i]);

        assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
        uex_buffer_reset(&out);
        uex_group_state_write(&record, memory, &out);
    }
    uex_group_memory_free(memory);
    return out;
}

static void add(struct uex_status_rows *rows, const char *group_id, const struct uex_buffer *state, const char *run_id)
{
    struct uex_bytes value = state == NULL ? (struct uex_bytes){0} : uex_buffer_bytes(state);
    const struct uex_run_rule rule = {.run_id = run_id};
    struct uex_status_row *row = uex_status_row_of_state(group_id, value, run_id == NULL ? NULL : &rule);

    assert_non_null(row);
    assert_int_equal(uex_status_rows_put(rows, row), UEX_OK);
}

static void add__without_a_run__shows_the_newest_outcome(void **state)
{
    static const enum uex_outcome_kind outcomes[] = {UEX_OUTCOME_EXPORTED, UEX_OUTCOME_RETRIED};
    static const char *const runs[] = {"r1", "r2"};
    struct uex_buffer text = state_after(outcomes, runs, 2);
    struct uex_status_rows rows = {0};

    (void)state;
    add(&rows, "g", &text, NULL);
    assert_int_equal(rows.count, 1);
    assert_int_equal(rows.items[0]->status, UEX_STATUS_RETRIED);
    assert_string_equal(rows.items[0]->reason, "timeout");
    assert_string_equal(rows.items[0]->run_id, "r2");
    assert_string_equal(rows.items[0]->command_id, id_of(2));
    assert_true(rows.items[0]->last_exported_at_ms == AT + 1);
    assert_int_equal(rows.counts[UEX_STATUS_RETRIED], 1);
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&text);
}

static void add__of_an_earlier_run__shows_what_is_remembered(void **state)
{
    static const enum uex_outcome_kind outcomes[] = {UEX_OUTCOME_DEAD_LETTERED, UEX_OUTCOME_EXPORTED,
                                                     UEX_OUTCOME_SKIPPED};
    static const char *const runs[] = {"r1", "r2", "r3"};
    struct uex_buffer text = state_after(outcomes, runs, 3);
    struct uex_status_rows rows = {0};

    (void)state;
    add(&rows, "a", &text, "r1");
    add(&rows, "b", &text, "r2");
    add(&rows, "c", &text, "r3");
    add(&rows, "d", &text, "r4");
    assert_int_equal(rows.items[0]->status, UEX_STATUS_DEAD_LETTERED);
    assert_true(rows.items[0]->rows == UEX_UNKNOWN && rows.items[0]->at_ms == AT + 1);
    assert_int_equal(rows.items[1]->status, UEX_STATUS_EXPORTED); /* lastExported tells more of it */
    assert_true(rows.items[1]->rows == 12 && rows.items[1]->bytes == UEX_UNKNOWN);
    assert_string_equal(rows.items[1]->file_path, "s3://b/f");
    assert_string_equal(rows.items[1]->sha256, SHA);
    assert_int_equal(rows.items[2]->status, UEX_STATUS_SKIPPED);
    assert_int_equal(rows.items[3]->status, UEX_STATUS_NOT_SCHEDULED);
    assert_true(rows.items[3]->at_ms == UEX_NO_TIME);
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&text);
}

/* As run show and the run's end count it. */
static void add__of_a_run_that_was_started_again__leaves_the_dead_letter_of_before_out(void **state)
{
    static const enum uex_outcome_kind outcomes[] = {UEX_OUTCOME_DEAD_LETTERED};
    static const char *const runs[] = {"r1"};
    struct uex_buffer text = state_after(outcomes, runs, 1);
    struct uex_run_rule rule = {.run_id = "r1", .started_at_ms = AT + 2};
    struct uex_status_row *row = uex_status_row_of_state("g", uex_buffer_bytes(&text), &rule);

    (void)state;
    assert_int_equal(row->status, UEX_STATUS_DEAD_LETTERED);
    uex_status_row_free(row);
    rule.started_again = true;
    row = uex_status_row_of_state("g", uex_buffer_bytes(&text), &rule);
    assert_int_equal(row->status, UEX_STATUS_NOT_SCHEDULED);
    uex_status_row_free(row);
    uex_buffer_clear(&text);
}

static void add__retried_after_an_export_of_the_run__is_exported(void **state)
{
    static const enum uex_outcome_kind outcomes[] = {UEX_OUTCOME_EXPORTED, UEX_OUTCOME_RETRIED};
    static const char *const runs[] = {"r1", "r1"};
    struct uex_buffer text = state_after(outcomes, runs, 2);
    struct uex_status_rows rows = {0};

    (void)state;
    add(&rows, "g", &text, "r1");
    assert_int_equal(rows.items[0]->status, UEX_STATUS_EXPORTED);
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&text);
}

static void finish__run_that_could_be_forgotten__is_unknown(void **state)
{
    enum uex_outcome_kind outcomes[UEX_RECENT_MAX];
    const char *runs[UEX_RECENT_MAX];
    static const enum uex_outcome_kind one[] = {UEX_OUTCOME_EXPORTED};
    static const char *const early[] = {"early"};
    struct uex_buffer full, in_early = state_after(one, early, 1), in_late = {0};
    struct uex_status_rows rows = {0};
    struct uex_group_memory *memory = uex_group_memory_new();
    struct uex_state_record record = record_of(UEX_OUTCOME_EXPORTED, 999, "late");

    (void)state;
    for (size_t i = 0; i < UEX_RECENT_MAX; i++) {
        outcomes[i] = UEX_OUTCOME_SKIPPED;
        runs[i] = "other";
    }
    full = state_after(outcomes, runs, UEX_RECENT_MAX);
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
    uex_group_state_write(&record, memory, &in_late);
    /* The run was when this group remembers only what came behind it: nobody knows. */
    add(&rows, "full", &full, "early");
    add(&rows, "one", &in_early, "early");
    rows.items[1]->at_ms = AT - 1000;
    uex_status_rows_finish(&rows);
    assert_string_equal(rows.items[0]->group_id, "full");
    assert_int_equal(rows.items[0]->status, UEX_STATUS_UNKNOWN);
    assert_true(rows.items[0]->at_ms == UEX_NO_TIME);
    assert_int_equal(rows.counts[UEX_STATUS_UNKNOWN], 1);
    uex_status_rows_clear(&rows);
    /* It remembers what was before the run: an outcome in it would be there. */
    add(&rows, "full", &full, "late");
    add(&rows, "one", &in_late, "late");
    uex_status_rows_finish(&rows);
    assert_int_equal(rows.items[0]->status, UEX_STATUS_NOT_SCHEDULED);
    assert_int_equal(rows.counts[UEX_STATUS_NOT_SCHEDULED], 1);
    assert_int_equal(rows.counts[UEX_STATUS_UNKNOWN], 0);
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&full);
    uex_buffer_clear(&in_early);
    uex_buffer_clear(&in_late);
    uex_group_memory_free(memory);
}

static void finish__all_kinds__puts_what_needs_attention_first(void **state)
{
    static const enum uex_outcome_kind kinds[] = {UEX_OUTCOME_EXPORTED, UEX_OUTCOME_SKIPPED, UEX_OUTCOME_RETRIED,
                                                  UEX_OUTCOME_DEAD_LETTERED};
    static const char *const runs[] = {"r"};
    static const char *const expected[] = {"d", "x", "c", "m", "b", "a", "a2"};
    struct uex_buffer broken = {0}, out = {0};
    struct uex_status_rows rows = {0};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct uex_buffer text = state_after(&kinds[i], runs, 1);
        char group_id[2] = {(char)('a' + i), 0};

        add(&rows, group_id, &text, NULL);
        if (i == 0)
            add(&rows, "a2", &text, NULL);
        uex_buffer_clear(&text);
    }
    uex_buffer_append_text(&broken, "{\"version\":7}");
    add(&rows, "x", &broken, NULL);
    add(&rows, "m", NULL, "r");
    uex_status_rows_finish(&rows);
    for (size_t i = 0; i < rows.count; i++)
        assert_string_equal(rows.items[i]->group_id, expected[i]);
    assert_int_equal(rows.items[1]->status, UEX_STATUS_UNREADABLE);
    assert_true(rows.items[1]->reason[0] != 0);
    uex_status_counts_write(&rows, &out);
    assert_string_equal(uex_buffer_text(&out), "7 groups: 1 dead-lettered, 1 unreadable, 1 retried, 1 not-scheduled, "
                                               "1 skipped, 2 exported");
    uex_buffer_reset(&out);
    uex_status_counts_write_json(&rows, &out);
    assert_string_equal(uex_buffer_text(&out),
                        "\"dead-lettered\": 1, \"unreadable\": 1, \"retried\": 1, \"not-scheduled\": 1, "
                        "\"running\": 0, \"queued\": 0, \"unknown\": 0, \"skipped\": 1, \"exported\": 2, "
                        "\"missing\": 1");
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&broken);
    uex_buffer_clear(&out);
}

static void take(struct uex_status_rows *rows, const char *group_id, const struct uex_buffer *state, int32_t partition)
{
    rd_kafka_message_t message = {.partition = partition,
                                  .key = (void *)(uintptr_t)group_id,
                                  .key_len = strlen(group_id),
                                  .payload = state == NULL ? NULL : state->data,
                                  .len = state == NULL ? 0 : state->size_bytes};

    assert_int_equal(uex_status_rows_take(rows, &message), UEX_OK);
}

static void take__records_of_a_topic__keep_the_newest_of_each_group(void **state)
{
    static const enum uex_outcome_kind kinds[] = {UEX_OUTCOME_EXPORTED, UEX_OUTCOME_DEAD_LETTERED};
    static const char *const runs[] = {"r", "r"};
    struct uex_buffer older = state_after(kinds, runs, 1), newer = state_after(kinds, runs, 2);
    struct uex_status_rows rows = {0};

    (void)state;
    take(&rows, "a", &older, 0);
    take(&rows, "b", &older, 1);
    take(&rows, "c", &older, 2);
    take(&rows, "a", &newer, 0);
    assert_int_equal(rows.count, 3);
    assert_int_equal(uex_status_rows_find(&rows, "a")->status, UEX_STATUS_DEAD_LETTERED);
    assert_int_equal(rows.counts[UEX_STATUS_EXPORTED], 2);
    assert_int_equal(rows.counts[UEX_STATUS_DEAD_LETTERED], 1);
    /* The topic has grown: what stands where the group was before is older, whenever it is read. */
    take(&rows, "a", &older, 5);
    take(&rows, "a", NULL, 5);
    assert_int_equal(uex_status_rows_find(&rows, "a")->status, UEX_STATUS_DEAD_LETTERED);
    take(&rows, "b", &newer, 4);
    assert_int_equal(uex_status_rows_find(&rows, "b")->status, UEX_STATUS_DEAD_LETTERED);
    take(&rows, "b", NULL, 4);
    take(&rows, "never", NULL, 4);
    take(&rows, "bad\nkey", &newer, 4);
    assert_null(uex_status_rows_find(&rows, "b"));
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.counts[UEX_STATUS_DEAD_LETTERED], 1);
    for (size_t i = 0; i < rows.count; i++)
        assert_int_equal(rows.items[i]->index, i);
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&older);
    uex_buffer_clear(&newer);
}

static void keep_wanted__others__go(void **state)
{
    static const enum uex_outcome_kind exported[] = {UEX_OUTCOME_EXPORTED};
    static const char *const runs[] = {"r"}, *const ids[] = {"b", "d", "a", "c", "e"};
    struct uex_buffer text = state_after(exported, runs, 1);
    struct uex_status_rows rows = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        add(&rows, ids[i], &text, NULL);
    uex_status_rows_find(&rows, "a")->is_wanted = true;
    uex_status_rows_find(&rows, "e")->is_wanted = true;
    uex_status_rows_keep_wanted(&rows);
    uex_status_rows_finish(&rows);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.counts[UEX_STATUS_EXPORTED], 2);
    assert_string_equal(rows.items[0]->group_id, "a");
    assert_string_equal(rows.items[1]->group_id, "e");
    assert_ptr_equal(uex_status_rows_find(&rows, "e"), rows.items[1]);
    assert_null(uex_status_rows_find(&rows, "b"));
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&text);
}

static void write__a_row__is_a_line_for_people_and_an_object_for_scripts(void **state)
{
    struct uex_state_record record = record_of(UEX_OUTCOME_DEAD_LETTERED, 1, "r");
    struct uex_status_row *row = NULL;
    struct uex_status_rows rows = {0};
    struct uex_buffer out = {0};

    (void)state;
    record.reason = "evil \033[31m\xc2\x85reason";
    record.duration_ms = 61000;
    row = uex_status_row_of_record(&record);
    assert_non_null(row);
    uex_status_row_write(row, &out);
    assert_string_equal(uex_buffer_text(&out), "g  dead-lettered  evil ?[31m?reason  in 1 min 1 s");
    uex_buffer_reset(&out);
    uex_status_row_write_json(row, &out);
    assert_non_null(strstr(uex_buffer_text(&out), "{\"event\": \"outcome\", \"groupId\": \"g\", \"outcome\": "
                                                  "\"dead-lettered\", \"reason\": \"evil \\u001b[31m"));
    assert_non_null(strstr(uex_buffer_text(&out), "\"lastExportedAt\": null, \"error\": null}"));
    assert_int_equal(uex_status_rows_put(&rows, row), UEX_OK);
    uex_buffer_reset(&out);
    uex_status_rows_write(&rows, 1, UEX_OUTPUT_TABLE, &out);
    assert_null(strchr(uex_buffer_text(&out), '\033'));
    assert_null(strstr(uex_buffer_text(&out), "s3://"));
    uex_status_rows_clear(&rows);
    uex_buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add__without_a_run__shows_the_newest_outcome),
        cmocka_unit_test(add__of_an_earlier_run__shows_what_is_remembered),
        cmocka_unit_test(add__of_a_run_that_was_started_again__leaves_the_dead_letter_of_before_out),
        cmocka_unit_test(add__retried_after_an_export_of_the_run__is_exported),
        cmocka_unit_test(finish__run_that_could_be_forgotten__is_unknown),
        cmocka_unit_test(finish__all_kinds__puts_what_needs_attention_first),
        cmocka_unit_test(take__records_of_a_topic__keep_the_newest_of_each_group),
        cmocka_unit_test(keep_wanted__others__go),
        cmocka_unit_test(write__a_row__is_a_line_for_people_and_an_object_for_scripts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
