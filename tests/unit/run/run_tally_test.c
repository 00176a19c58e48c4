/* SPDX-License-Identifier: Apache-2.0 */
/* What records of the state topic say of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "run/tally.h"

#define RUN "night \"7\""
#define RUN_JSON "night \\\"7\\\""
#define OTHER "2026-11-21"
#define ID_1 "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define ID_2 "a0eebc99-9c0b-4ef8-bb6d-000000000002"
#define ID_3 "a0eebc99-9c0b-4ef8-bb6d-000000000003"
#define STARTED INT64_C(1795369800000) /* 2026-11-22T17:50:00Z */

struct fixture {
    struct uex_run_members members;
    struct uex_run_tally tally;
    int64_t offset;
};

static void begin(struct fixture *fixture, uint64_t group_count)
{
    const struct uex_run_rule rule = {.run_id = RUN, .started_at_ms = STARTED};

    assert_int_equal(uex_run_tally_begin(&fixture->tally, &rule, group_count, &fixture->members), UEX_OK);
}

/* The same for a run that was started before STARTED too. */
static void begin_again(struct fixture *fixture, const char *run_id)
{
    const struct uex_run_rule rule = {.run_id = run_id, .started_at_ms = STARTED, .started_again = true};

    uex_run_tally_clear(&fixture->tally);
    assert_int_equal(uex_run_tally_begin(&fixture->tally, &rule, 2, &fixture->members), UEX_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    assert_int_equal(uex_run_members_add(&fixture->members, uex_bytes_of_text("a")), UEX_OK);
    assert_int_equal(uex_run_members_add(&fixture->members, uex_bytes_of_text("b")), UEX_OK);
    begin(fixture, 2);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    uex_run_tally_clear(&fixture->tally);
    uex_run_members_clear(&fixture->members);
    free(fixture);
    return 0;
}

static void take(struct fixture *fixture, const char *key, const char *value, int32_t partition)
{
    rd_kafka_message_t message = {.partition = partition,
                                  .offset = fixture->offset++,
                                  .key = (void *)(uintptr_t)key,
                                  .key_len = strlen(key),
                                  .payload = (void *)(uintptr_t)value,
                                  .len = value == NULL ? 0 : strlen(value)};

    assert_int_equal(uex_run_tally_take(&fixture->tally, &message), UEX_OK);
}

/* `at` is minute and second after 17:00, the run began at 50:00; `more` are further members. */
#define STATE(outcome_, run_, at_, more_)                                                                              \
    "{\"version\":1,\"groupId\":\"a\",\"outcome\":\"" outcome_ "\",\"commandId\":\"" ID_1 "\",\"runId\":\"" run_       \
    "\",\"at\":\"2026-11-22T17:" at_ "Z\",\"rows\":30,\"bytes\":400" more_ "}"
#define RECENT(id_, outcome_, run_, at_)                                                                               \
    "{\"commandId\":\"" id_ "\",\"runId\":\"" run_ "\",\"outcome\":\"" outcome_ "\",\"reason\":null,"                  \
    "\"at\":\"2026-11-22T17:" at_ "Z\"}"

/* "exported/skipped/dead-lettered/unfinished, retrying; rows and bytes" */
static void expect(const struct fixture *fixture, const char *expected)
{
    const struct uex_run_counts counts = uex_run_tally_counts(&fixture->tally);
    char text[200];

    (void)snprintf(text, sizeof(text), "%u/%u/%u/%u, %u; %u and %u", (unsigned)counts.exported,
                   (unsigned)counts.skipped, (unsigned)counts.dead_lettered, (unsigned)counts.unfinished,
                   (unsigned)counts.retrying, (unsigned)counts.rows, (unsigned)counts.bytes);
    assert_string_equal(text, expected);
    assert_int_equal(counts.groups, counts.exported + counts.skipped + counts.dead_lettered + counts.unfinished);
}

static void take__newest_outcome_is_of_the_run_and_final__has_ended(void **state)
{
    struct fixture *fixture = *state;

    expect(fixture, "0/0/0/2, 0; 0 and 0");
    take(fixture, "a", STATE("exported", RUN_JSON, "51:00", ""), 0);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
    take(fixture, "b", STATE("skipped", RUN_JSON, "51:00", ""), 0);
    expect(fixture, "1/1/0/0, 0; 30 and 400");
    take(fixture, "b", STATE("dead-lettered", RUN_JSON, "52:00", ""), 0);
    expect(fixture, "1/0/1/0, 0; 30 and 400");
}

/* A state as a worker writes it, members in their order: read by its head alone. `run_` as it stands in JSON, or null.
 */
#define WRITTEN(outcome_, run_, at_, rest_)                                                                            \
    "{\"version\":1,\"groupId\":\"a\",\"outcome\":\"" outcome_ "\",\"reason\":null,\"commandId\":\"" ID_1              \
    "\",\"runId\":" run_ ",\"at\":\"2026-11-22T17:" at_ "Z\",\"rows\":30,\"bytes\":400" rest_

static void take__a_state_as_it_is_written__counts_the_same(void **state)
{
    struct fixture *fixture = *state;

    begin_again(fixture, OTHER);
    take(fixture, "a", WRITTEN("exported", "\"2026-11-2\"", "51:00", "}"), 0);
    take(fixture, "a", WRITTEN("exported", "null", "51:00", "}"), 0);
    take(fixture, "a", WRITTEN("dead-lettered", "\"" OTHER "\"", "49:59", "}"), 0);
    expect(fixture, "0/0/0/2, 0; 0 and 0");
    take(fixture, "a", WRITTEN("retried", "\"" OTHER "\"", "51:00", "}"), 0);
    expect(fixture, "0/0/0/2, 1; 0 and 0");
    take(fixture, "a", WRITTEN("dead-lettered", "\"" OTHER "\"", "52:00", "}"), 0);
    expect(fixture, "0/0/1/1, 0; 0 and 0");
    take(fixture, "a", WRITTEN("exported", "\"" OTHER "\"", "53:00", ",\"lastExported\":null}"), 0);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
    take(fixture, "b",
         WRITTEN("exported", "\"" RUN_JSON "\"", "58:00",
                 ",\"recent\":[" RECENT(ID_3, "skipped", OTHER, "51:00") "," RECENT(ID_1, "exported", RUN_JSON,
                                                                                    "58:00") "]}"),
         0);
    expect(fixture, "1/1/0/0, 0; 30 and 400");
}

static void take__a_retry__has_not_ended(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a", STATE("retried", RUN_JSON, "51:00", ""), 0);
    expect(fixture, "0/0/0/2, 1; 0 and 0");
    take(fixture, "a", STATE("exported", RUN_JSON, "52:00", ""), 0);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
}

static void take__a_later_outcome_of_the_run__counts_with_that(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a", STATE("dead-lettered", RUN_JSON, "51:00", ""), 0);
    expect(fixture, "0/0/1/1, 0; 0 and 0");
    take(fixture, "a", STATE("exported", RUN_JSON, "55:00", ""), 0);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
    take(fixture, "a", STATE("exported", RUN_JSON, "56:00", ""), 0);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
}

static void take__other_runs__say_nothing(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a", STATE("exported", OTHER, "51:00", ""), 0);
    take(fixture, "a", STATE("exported", OTHER, "51:00", ",\"filePath\":\"" RUN_JSON "\""), 0);
    take(fixture, "nobody", STATE("exported", RUN_JSON, "51:00", ""), 0);
    take(fixture, "a", "no JSON \"" RUN_JSON "\"", 0);
    take(fixture, "a", NULL, 0);
    take(fixture, "", STATE("exported", RUN_JSON, "51:00", ""), 0);
    expect(fixture, "0/0/0/2, 0; 0 and 0");
}

static void take__one_of_the_recent_is_of_the_run__has_ended(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a",
         STATE("exported", OTHER, "58:00",
               ",\"recent\":[" RECENT(ID_3, "skipped", RUN_JSON, "50:00") "," RECENT(
                   ID_2, "dead-lettered", RUN_JSON, "51:00") "," RECENT(ID_1, "exported", OTHER, "58:00") "]"),
         0);
    expect(fixture, "0/0/1/1, 0; 0 and 0");
    take(fixture, "b",
         STATE("retried", RUN_JSON, "58:00",
               ",\"recent\":[" RECENT(ID_2, "exported", RUN_JSON,
                                      "51:00") "],\"lastExported\":{\"commandId\":\"" ID_2 "\",\"runId\":\"" RUN_JSON
                                               "\",\"at\":\"2026-11-22T17:51:00Z\",\"rows\":7}"),
         0);
    expect(fixture, "1/0/1/0, 0; 7 and 0");
}

static void take__a_dead_letter_of_a_clock_that_is_behind__has_ended(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a", WRITTEN("dead-lettered", "\"" RUN_JSON "\"", "49:30", "}"), 0);
    expect(fixture, "0/0/1/1, 0; 0 and 0");
    take(fixture, "b",
         STATE("exported", OTHER, "58:00", ",\"recent\":[" RECENT(ID_2, "dead-lettered", RUN_JSON, "49:30") "]"), 0);
    expect(fixture, "0/0/2/0, 0; 0 and 0");
}

static void take__a_dead_letter_before_the_start_again__is_no_end(void **state)
{
    struct fixture *fixture = *state;

    begin_again(fixture, RUN);
    take(fixture, "a", STATE("dead-lettered", RUN_JSON, "49:59.999", ""), 0);
    take(fixture, "b",
         STATE("exported", OTHER, "58:00", ",\"recent\":[" RECENT(ID_2, "dead-lettered", RUN_JSON, "49:59") "]"), 0);
    expect(fixture, "0/0/0/2, 0; 0 and 0");
    take(fixture, "a", STATE("dead-lettered", RUN_JSON, "50:00.000", ""), 0);
    expect(fixture, "0/0/1/1, 0; 0 and 0");
}

/* Its command is a duplicate, which has no state of its own. */
static void take__an_export_before_the_start__is_an_end(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a", STATE("exported", RUN_JSON, "20:00", ""), 0);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
}

static void take__records_of_a_grown_topic__the_newer_one_counts(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a", STATE("exported", RUN_JSON, "55:00", ""), 3);
    take(fixture, "a", STATE("dead-lettered", RUN_JSON, "51:00", ""), 1);
    take(fixture, "a", STATE("retried", RUN_JSON, "50:30", ""), 1);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
    take(fixture, "a", STATE("skipped", RUN_JSON, "56:00", ""), 1);
    expect(fixture, "0/1/0/1, 0; 0 and 0");
}

static void take__groups_whose_commands_are_gone__become_members(void **state)
{
    struct fixture *fixture = *state;

    uex_run_tally_clear(&fixture->tally);
    begin(fixture, 4);
    expect(fixture, "0/0/0/4, 0; 0 and 0");
    take(fixture, "c", STATE("exported", RUN_JSON, "51:00", ""), 0);
    take(fixture, "d", STATE("exported", OTHER, "51:00", ""), 0);
    take(fixture, "e", STATE("retried", RUN_JSON, "51:00", ""), 0);
    take(fixture, "f", STATE("exported", RUN_JSON, "51:00", ""), 0); /* there are four now */
    expect(fixture, "1/0/0/3, 1; 30 and 400");
    assert_int_equal(fixture->members.count, 4);
}

static void begin__members_that_have_ended__count(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, "a", STATE("exported", RUN_JSON, "51:00", ""), 0);
    take(fixture, "b", STATE("retried", RUN_JSON, "51:00", ""), 0);
    uex_run_tally_clear(&fixture->tally);
    begin(fixture, UEX_UNKNOWN);
    expect(fixture, "1/0/0/1, 1; 30 and 400");
}

static void take__a_record__is_remembered_by_its_place(void **state)
{
    struct fixture *fixture = *state;

    fixture->offset = 70;
    take(fixture, "a", STATE("exported", RUN_JSON, "51:00", ""), 5);
    assert_int_equal(fixture->members.items[0].partition, 5);
    assert_true(fixture->members.items[0].offset == 70);
    assert_true(fixture->members.items[1].offset == -1);
}

static void take__another_run_follows__keeps_figures_and_place(void **state)
{
    struct fixture *fixture = *state;

    fixture->offset = 70;
    take(fixture, "a", STATE("exported", RUN_JSON, "51:00", ""), 5);
    take(fixture, "a",
         STATE("skipped", OTHER, "58:00", ",\"recent\":[" RECENT(ID_2, "exported", RUN_JSON, "51:00") "]"), 5);
    expect(fixture, "1/0/0/1, 0; 30 and 400");
    assert_true(fixture->members.items[0].offset == 70);
    /* Another outcome of the run is news. */
    take(fixture, "a", STATE("skipped", OTHER, "59:00", ",\"recent\":[" RECENT(ID_2, "skipped", RUN_JSON, "57:00") "]"),
         5);
    expect(fixture, "0/1/0/1, 0; 0 and 0");
    assert_true(fixture->members.items[0].offset == 72);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(take__newest_outcome_is_of_the_run_and_final__has_ended),
        TEST(take__a_state_as_it_is_written__counts_the_same),
        TEST(take__a_retry__has_not_ended),
        TEST(take__a_later_outcome_of_the_run__counts_with_that),
        TEST(take__other_runs__say_nothing),
        TEST(take__one_of_the_recent_is_of_the_run__has_ended),
        TEST(take__a_dead_letter_of_a_clock_that_is_behind__has_ended),
        TEST(take__a_dead_letter_before_the_start_again__is_no_end),
        TEST(take__an_export_before_the_start__is_an_end),
        TEST(take__records_of_a_grown_topic__the_newer_one_counts),
        TEST(take__groups_whose_commands_are_gone__become_members),
        TEST(begin__members_that_have_ended__count),
        TEST(take__a_record__is_remembered_by_its_place),
        TEST(take__another_run_follows__keeps_figures_and_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
