/* SPDX-License-Identifier: Apache-2.0 */
/* One in-flight command: what it is at first, and what it owns. */
#include "failing_memory.h"

#include "engine_fixture.h"

static void new__record_of_a_retry_topic__has_its_place_and_time(void **state)
{
    struct uex_record *record = fixture_retry(3, 17, "g", 0);
    struct uex_inflight *inflight = uex_inflight_new(record, 1);

    (void)state;
    assert_non_null(inflight);
    assert_ptr_equal(inflight->record, record);
    assert_int_equal(inflight->input_topic, 1);
    assert_int_equal(inflight->partition, 3);
    assert_int_equal(inflight->offset, 17);
    assert_int_equal(inflight->taken_at_ms, STARTED_WALL_MS + world.now_ms);
    assert_int_equal(inflight->attempt, 1); /* until its headers are looked at */
    assert_int_equal(inflight->state, UEX_INFLIGHT_QUEUED);
    assert_int_equal(inflight->verdict, UEX_VERDICT_NONE);
    assert_true(uex_inflight_size_bytes(inflight) >= sizeof(*inflight) + uex_record_size_bytes(record));
    uex_inflight_free(inflight); /* the record goes with it */
    uex_inflight_free(NULL);
}

/* A refused outcome becomes another one: nothing of the first may stay in it. */
static void clear__outcome_with_everything__is_as_new(void **state)
{
    struct uex_outcome outcome = {.kind = UEX_OUTCOME_DEAD_LETTERED,
                                  .keeps_no_state = true,
                                  .value_refused = true,
                                  .at_ms = 7,
                                  .memory = uex_group_memory_new(),
                                  .job.object.url = strdup("file:///x")};
    static const struct uex_outcome none;

    (void)state;
    (void)uex_fail(&outcome.fault, UEX_WORKER_CRASHED, "why");
    uex_outcome_clear(&outcome);
    assert_memory_equal(&outcome, &none, sizeof(none));
}

static enum uex_error make(void)
{
    struct uex_record *record = NULL;
    struct uex_inflight *inflight = NULL;

    uex_torture_count(false);
    record = fixture_record(COMMANDS, 0, 0, "g", NULL);
    uex_torture_count(true);
    inflight = uex_inflight_new(record, 0);
    uex_torture_count(false);
    uex_torture_note("made");
    if (inflight == NULL)
        uex_record_free(record); /* it is still the caller's */
    uex_inflight_free(inflight);
    return inflight == NULL ? UEX_NO_MEMORY : UEX_OK;
}

static void torture__new__is_made_or_the_record_stays_the_callers(void **state)
{
    static const struct uex_torture_case operations[] = {{.name = "an in-flight command", .run = make}};

    (void)state;
    uex_torture_all(operations, 1);
}

int main(void)
{
#define DELIVERY_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        DELIVERY_TEST(new__record_of_a_retry_topic__has_its_place_and_time),
        DELIVERY_TEST(clear__outcome_with_everything__is_as_new),
        DELIVERY_TEST(torture__new__is_made_or_the_record_stays_the_callers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
