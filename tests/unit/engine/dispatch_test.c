/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatcher without Kafka: an engine whose one partition is assigned, restored and open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"

static struct uex_engine engine;
static struct uex_config config;
static char command_topic[] = "commands";

static void set_up_locks(void)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&engine.synced.lock, NULL);
    (void)pthread_cond_init(&engine.synced.work_changed, &attributes);
    (void)pthread_cond_init(&engine.synced.outcomes_changed, &attributes);
    (void)pthread_cond_init(&engine.synced.between, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static int set_up(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof(engine));
    memset(&config, 0, sizeof(config));
    config.retry_crashes = 5;
    engine.config = &config;
    engine.sources[0].topic = command_topic;
    engine.source_count = 1;
    engine.outcomes_max = 100;
    engine.synced.partition_count = 1;
    engine.synced.partitions = calloc(1, sizeof(struct uex_partition));
    engine.synced.partitions[0].slots = calloc(UEX_SOURCES_MAX, sizeof(struct uex_slot));
    engine.synced.partitions[0].assigned = true;
    engine.synced.partitions[0].restored = true;
    engine.synced.partitions[0].slots[0].assigned = true;
    uex_window_restore(&engine.synced.partitions[0].slots[0].window, 0, (struct uex_bytes){0},
                       &engine.synced.partitions[0].slots[0].marks);
    uex_starts_restore_synced(&engine.synced.partitions[0].slots[0], &engine.synced.partitions[0].slots[0].marks);
    engine.synced.partitions[0].slots[0].committed_until = 1000;
    engine.synced.assignment = UEX_ASSIGNMENT_HELD;
    engine.synced.epoch = 1;
    set_up_locks();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uex_engine_lock(&engine);
    uex_engine_unlock(&engine); /* frees what is over */
    while (engine.synced.in_flight.first != NULL) {
        struct uex_delivery *next = engine.synced.in_flight.first->next;

        uex_delivery_free(engine.synced.in_flight.first);
        engine.synced.in_flight.first = next;
    }
    uex_group_table_clear(&engine.synced.in_flight.groups);
    free(engine.synced.partitions[0].slots);
    free(engine.synced.partitions);
    (void)pthread_mutex_destroy(&engine.synced.lock);
    (void)pthread_cond_destroy(&engine.synced.work_changed);
    (void)pthread_cond_destroy(&engine.synced.outcomes_changed);
    (void)pthread_cond_destroy(&engine.synced.between);
    return 0;
}

/* A parsed command of a group at an offset. */
static struct uex_delivery *arrive(const char *group, int64_t offset)
{
    struct uex_record *record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */
    struct uex_delivery *delivery = NULL;

    record->topic = command_topic;
    record->offset = offset;
    delivery = uex_delivery_new(record, 0);
    delivery->command.group_id = strdup(group);
    delivery->command.run_id = strdup("");
    (void)snprintf(delivery->command.command_id, sizeof(delivery->command.command_id),
                   "00000000-0000-4000-8000-%012lld", (long long)offset);
    uex_window_see(&engine.synced.partitions[0].slots[0].window, offset);
    uex_dispatch_add_synced(&engine, delivery);
    return delivery;
}

static struct uex_delivery *enqueue(const char *group, int64_t offset)
{
    struct uex_delivery *delivery = arrive(group, offset);

    uex_dispatch_enqueue_synced(&engine, delivery);
    return delivery;
}

/* What a lane gets now; NULL where it would wait. */
static struct uex_delivery *take_or_nothing(void)
{
    return uex_dispatch_next_synced(&engine);
}

static void take__two_commands_of_a_group__second_waits_for_the_commit_of_the_first(void **state)
{
    struct uex_delivery *first = enqueue("g", 1);
    struct uex_delivery *second = enqueue("g", 2);
    struct uex_job_outcome job = {0};

    (void)state;
    assert_ptr_equal(take_or_nothing(), first);
    assert_null(take_or_nothing());
    job.skip = UEX_SKIP_EMPTY;
    uex_dispatch_finish(&engine, first, &job);
    assert_null(take_or_nothing()); /* ended, not committed */
    uex_dispatch_withdraw_synced(&engine, first);
    uex_dispatch_release_synced(&engine, first);
    assert_ptr_equal(take_or_nothing(), second);
}

static void take__different_groups__run_side_by_side(void **state)
{
    struct uex_delivery *first = enqueue("a", 1);
    struct uex_delivery *second = enqueue("b", 2);

    (void)state;
    assert_ptr_equal(take_or_nothing(), first);
    assert_ptr_equal(take_or_nothing(), second);
    assert_null(take_or_nothing());
}

static void take__id_among_the_recent_ones__is_skipped_without_a_job(void **state)
{
    struct uex_group_entry *entry = uex_group_table_get(&engine.synced.in_flight.groups, "g");
    struct uex_delivery *delivery = NULL;
    const struct uex_state_record record = {.group_id = "g",
                                            .outcome = UEX_OUTCOME_EXPORTED,
                                            .command_id = "00000000-0000-4000-8000-000000000007",
                                            .run_id = "",
                                            .at_ms = 1,
                                            .snapshot_at_ms = UEX_NO_TIME,
                                            .duration_ms = UEX_NO_TIME,
                                            .next_attempt_at_ms = UEX_NO_TIME};

    (void)state;
    entry->memory = uex_group_memory_new();
    assert_int_equal(uex_group_memory_add(entry->memory, &record), UEX_OK);
    delivery = enqueue("g", 7);
    assert_null(take_or_nothing());
    assert_int_equal(delivery->state, UEX_DELIVERY_ENDED);
    assert_int_equal(delivery->outcome.skip, UEX_SKIP_DUPLICATE);
    assert_true(delivery->outcome.keeps_no_state);
    assert_ptr_equal(engine.synced.outbox.first, delivery);
}

static void enqueue__before_the_restore__waits_for_it(void **state)
{
    struct uex_delivery *delivery = NULL;

    (void)state;
    engine.synced.partitions[0].restored = false;
    delivery = enqueue("g", 1);
    assert_null(take_or_nothing());
    uex_dispatch_restored_synced(&engine, &engine.synced.partitions[0]);
    assert_ptr_equal(take_or_nothing(), delivery);
}

static void take__beyond_the_open_mark__asks_for_a_commit_first(void **state)
{
    struct uex_slot *slot = &engine.synced.partitions[0].slots[0];
    struct uex_delivery *delivery = NULL;
    struct uex_marks marks;

    (void)state;
    slot->committed_until = UEX_OFFSET_NONE;
    delivery = enqueue("g", 5);
    (void)enqueue("h", 500); /* what waits far behind does not widen the mark */
    assert_null(take_or_nothing());
    assert_true(uex_starts_need_commit_synced(&engine, slot));
    uex_starts_to_commit_synced(&engine, slot, &marks);
    assert_true(marks.open_until > 5 && marks.open_until < 100);
    uex_starts_committed_synced(&engine, 0, 0, &marks);
    assert_ptr_equal(take_or_nothing(), delivery);
    assert_null(take_or_nothing());
    uex_starts_to_commit_synced(&engine, slot, &marks);
    assert_true(marks.open_until > 500);
}

static void closing__suspects_that_never_ran_alone__stay_suspected(void **state)
{
    struct uex_slot *slot = &engine.synced.partitions[0].slots[0];
    struct uex_marks marks;

    (void)state;
    slot->suspect_until = 9;
    engine.synced.assignment = UEX_ASSIGNMENT_CLOSING;
    assert_true(uex_starts_need_commit_synced(&engine, slot));
    uex_starts_to_commit_synced(&engine, slot, &marks);
    assert_int_equal(marks.open_until, 9);
    uex_starts_committed_synced(&engine, 0, 0, &marks);
    assert_false(uex_starts_need_commit_synced(&engine, slot));
    slot->closed = false;
    slot->suspect_until = 0;
    uex_starts_to_commit_synced(&engine, slot, &marks);
    assert_int_equal(marks.open_until, UEX_OFFSET_NONE);
}

static void see_end__mark_beyond_it__what_comes_later_is_not_suspected(void **state)
{
    struct uex_slot *slot = &engine.synced.partitions[0].slots[0];
    struct uex_marks marks;

    (void)state;
    slot->suspect_until = 9;
    slot->committed_until = UEX_OFFSET_NONE;
    uex_starts_see_end_synced(&engine, slot, 12);
    assert_true(uex_starts_is_suspect_synced(slot, 8));
    assert_false(uex_starts_need_commit_synced(&engine, slot));
    uex_starts_see_end_synced(&engine, slot, 4);
    assert_true(uex_starts_is_suspect_synced(slot, 3));
    assert_false(uex_starts_is_suspect_synced(slot, 4));
    assert_true(uex_starts_need_commit_synced(&engine, slot)); /* the next owner must not suspect it either */
    uex_starts_to_commit_synced(&engine, slot, &marks);
    assert_int_equal(marks.open_until, 4);
}

static void finish__suspect_given_up__its_start_does_not_count(void **state)
{
    struct uex_slot *slot = &engine.synced.partitions[0].slots[0];
    struct uex_delivery *suspect = arrive("a", 1);
    struct uex_job_outcome job = {.error = UEX_CANCELLED};

    (void)state;
    suspect->suspect = true;
    engine.synced.poison.first_suspect = suspect;
    engine.synced.poison.last_suspect = suspect;
    assert_ptr_equal(take_or_nothing(), suspect);
    uex_marks_set_starts(&slot->marks, 1, 2);
    uex_starts_adopt_synced(&engine, suspect); /* counts its start in this epoch */
    assert_int_equal(uex_marks_starts(&slot->marks, 1), 3);
    uex_dispatch_finish(&engine, suspect, &job);
    assert_int_equal(uex_marks_starts(&slot->marks, 1), 2);
    assert_null(engine.synced.poison.exclusive);
}

static void take__open_breaker__gives_nothing(void **state)
{
    struct uex_fault fault = {.error = UEX_DB_UNAVAILABLE};

    (void)state;
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_JSON);
    (void)enqueue("g", 1);
    assert_true(uex_breaker_open(&engine, UEX_DEPENDENCY_DATABASE, &fault));
    assert_false(uex_breaker_open(&engine, UEX_DEPENDENCY_DATABASE, &fault));
    assert_null(take_or_nothing());
    uex_breaker_close(&engine, UEX_DEPENDENCY_DATABASE);
    assert_non_null(take_or_nothing());
}

static void return__outage__goes_to_the_front_and_is_not_charged(void **state)
{
    struct uex_delivery *first = enqueue("g", 1);
    struct uex_job_outcome job = {0};

    (void)state;
    (void)enqueue("g", 2);
    assert_ptr_equal(take_or_nothing(), first);
    job.error = UEX_DB_UNAVAILABLE;
    uex_dispatch_return(&engine, first, &job);
    assert_int_equal(engine.synced.in_flight.running_count, 0);
    assert_int_equal(first->attempt, 1);
    assert_null(engine.synced.outbox.first);
    assert_ptr_equal(take_or_nothing(), first);
}

static void return__at_each_of_many_openings__is_charged_in_the_end(void **state)
{
    struct uex_delivery *delivery = enqueue("g", 1);

    (void)state;
    for (int i = 0; i < config.retry_crashes; i++) {
        struct uex_job_outcome job = {.error = UEX_DB_UNAVAILABLE};

        if (i > 1) { /* it runs alone by now */
            assert_true(delivery->suspect);
            assert_ptr_equal(engine.synced.poison.first_suspect, delivery);
        }
        assert_ptr_equal(take_or_nothing(), delivery);
        delivery->holds_group = true;
        uex_dispatch_return(&engine, delivery, &job);
    }
    assert_int_equal(delivery->state, UEX_DELIVERY_ENDED);
    assert_int_equal(delivery->outcome.kind, UEX_OUTCOME_DEAD_LETTERED); /* no tiers here */
}

static void give_back__however_often__keeps_the_order_and_is_never_charged(void **state)
{
    struct uex_delivery *first = enqueue("g", 1);
    struct uex_delivery *second = enqueue("g", 2);
    struct uex_job_outcome none = {0};

    (void)state;
    for (int i = 0; i < 3 * config.retry_crashes; i++) {
        struct uex_job_outcome job = {.error = UEX_DB_CONNECTIONS};

        assert_ptr_equal(take_or_nothing(), first);
        assert_null(take_or_nothing());
        uex_dispatch_give_back(&engine, first, &job, false);
    }
    assert_int_equal(first->openings, 0);
    assert_int_equal(first->attempt, 1);
    assert_false(first->suspect);
    assert_int_equal(engine.synced.in_flight.running_count, 0);
    assert_null(engine.synced.outbox.first);
    assert_ptr_equal(take_or_nothing(), first);
    uex_dispatch_finish(&engine, first, &none);
    uex_dispatch_withdraw_synced(&engine, first);
    uex_dispatch_release_synced(&engine, first);
    assert_ptr_equal(take_or_nothing(), second);
}

static void give_back__connection_that_breaks_each_time__is_charged_in_the_end(void **state)
{
    struct uex_delivery *delivery = enqueue("g", 1);

    (void)state;
    for (int i = 0; i < config.retry_crashes; i++) {
        struct uex_job_outcome none = {0}, job = {.error = UEX_DB_CONNECTIONS, .had_connection = true};

        assert_int_equal(delivery->state, UEX_DELIVERY_QUEUED);
        assert_ptr_equal(take_or_nothing(), delivery);
        uex_dispatch_give_back(&engine, delivery, &none, false); /* refused in between */
        assert_ptr_equal(take_or_nothing(), delivery);
        uex_dispatch_give_back(&engine, delivery, &job, true);
    }
    assert_false(delivery->suspect);
    assert_int_equal(delivery->state, UEX_DELIVERY_ENDED);
    assert_int_equal(delivery->outcome.kind, UEX_OUTCOME_DEAD_LETTERED); /* no tiers here */
    assert_int_equal(delivery->outcome.fault.error, UEX_DB_CONNECTIONS);
}

static void give_back__suspect__is_alone_and_first_again(void **state)
{
    struct uex_slot *slot = &engine.synced.partitions[0].slots[0];
    struct uex_delivery *suspect = arrive("a", 1);
    struct uex_job_outcome job = {.error = UEX_DB_CONNECTIONS};

    (void)state;
    (void)enqueue("b", 2);
    suspect->suspect = true;
    engine.synced.poison.first_suspect = suspect;
    engine.synced.poison.last_suspect = suspect;
    assert_ptr_equal(take_or_nothing(), suspect);
    uex_starts_adopt_synced(&engine, suspect); /* counts its start in this epoch */
    assert_int_equal(uex_marks_starts(&slot->marks, 1), 1);
    uex_dispatch_give_back(&engine, suspect, &job, false);
    assert_int_equal(uex_marks_starts(&slot->marks, 1), 0);
    assert_null(engine.synced.poison.exclusive);
    assert_ptr_equal(take_or_nothing(), suspect);
    assert_null(take_or_nothing());
}

static void take__nothing_to_do_while_a_lane_waits__idle_after_a_moment(void **state)
{
    const struct uex_fault fault = {.error = UEX_DB_CONNECTIONS};
    const int64_t began_ms = uex_monotonic_ms();
    bool waits = false, idle = false;

    (void)state;
    config.export_lanes = 2;
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_JSON);
    uex_shortage_wait(&engine, &waits, &fault);
    assert_true(waits);
    assert_int_equal(engine.synced.shortage.lane_count, 1);
    assert_null(uex_dispatch_take(&engine, &idle));
    assert_true(idle);
    assert_true(uex_monotonic_ms() - began_ms < UEX_LANE_IDLE_MS);
    (void)enqueue("g", 1); /* what there is to do comes first */
    assert_non_null(uex_dispatch_take(&engine, &idle));
    assert_false(idle);
    uex_shortage_end(&engine, &waits);
    uex_shortage_end(&engine, &waits);
    assert_int_equal(engine.synced.shortage.lane_count, 0);
}

static void shortage_wait__engine_drains__ends_at_once(void **state)
{
    const struct uex_fault fault = {.error = UEX_DB_CONNECTIONS};
    bool waits = false;

    (void)state;
    engine.synced.lifecycle = UEX_LIFECYCLE_DRAINING;
    for (int i = 0; i < 20; i++) /* far beyond the longest pause, if each was waited for */
        uex_shortage_wait(&engine, &waits, &fault);
    assert_int_equal(engine.synced.shortage.lane_count, 1);
    uex_shortage_end(&engine, &waits);
}

static void take__suspects__run_alone_and_before_all_others(void **state)
{
    struct uex_delivery *other = enqueue("b", 3);
    struct uex_delivery *suspect = arrive("a", 1);

    (void)state;
    suspect->suspect = true;
    engine.synced.poison.first_suspect = suspect;
    engine.synced.poison.last_suspect = suspect;
    assert_ptr_equal(take_or_nothing(), suspect);
    assert_ptr_equal(engine.synced.poison.exclusive, suspect);
    assert_null(take_or_nothing());
    engine.synced.in_flight.running_count--;
    uex_dispatch_release_synced(&engine, suspect);
    assert_null(engine.synced.poison.exclusive);
    assert_ptr_equal(take_or_nothing(), other);
}

static void take__too_many_outcomes_wait__gives_nothing(void **state)
{
    struct uex_delivery *ended = arrive("a", 1);

    (void)state;
    engine.outcomes_max = 1;
    ended->outcome.keeps_no_state = true;
    uex_dispatch_submit_synced(&engine, ended);
    (void)enqueue("b", 2);
    assert_null(take_or_nothing());
}

static void drop_queued__running_stays__waiting_goes(void **state)
{
    struct uex_delivery *running = enqueue("g", 1);

    (void)state;
    (void)enqueue("g", 2);
    (void)enqueue("h", 3);
    assert_ptr_equal(take_or_nothing(), running);
    uex_dispatch_drop_queued_synced(&engine);
    assert_int_equal(engine.synced.in_flight.count, 1);
    assert_null(take_or_nothing());
    assert_ptr_equal(uex_dispatch_find_synced(&engine, 0, 0, 1), running);
    uex_cancel_request(&running->cancel);
    assert_null(uex_dispatch_find_synced(&engine, 0, 0, 1)); /* leaves room for its successor */
}

static void find__offsets_that_share_a_bucket__finds_each_until_it_is_released(void **state)
{
    struct uex_delivery *first = arrive("a", 5);
    struct uex_delivery *far = arrive("b", 5 + UEX_PLACE_BUCKETS);
    struct uex_delivery *again = NULL;

    (void)state;
    assert_ptr_equal(uex_dispatch_find_synced(&engine, 0, 0, 5), first);
    assert_ptr_equal(uex_dispatch_find_synced(&engine, 0, 0, 5 + UEX_PLACE_BUCKETS), far);
    assert_null(uex_dispatch_find_synced(&engine, 1, 0, 5));
    assert_null(uex_dispatch_find_synced(&engine, 0, 0, 6));
    uex_cancel_request(&first->cancel);
    again = arrive("a", 5);
    assert_ptr_equal(uex_dispatch_find_synced(&engine, 0, 0, 5), again);
    uex_dispatch_release_synced(&engine, first);
    assert_ptr_equal(uex_dispatch_find_synced(&engine, 0, 0, 5), again);
    uex_dispatch_release_synced(&engine, again);
    assert_null(uex_dispatch_find_synced(&engine, 0, 0, 5));
    assert_ptr_equal(uex_dispatch_find_synced(&engine, 0, 0, 5 + UEX_PLACE_BUCKETS), far);
}

#define UEX_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UEX_TEST(take__two_commands_of_a_group__second_waits_for_the_commit_of_the_first),
        UEX_TEST(take__different_groups__run_side_by_side),
        UEX_TEST(take__id_among_the_recent_ones__is_skipped_without_a_job),
        UEX_TEST(enqueue__before_the_restore__waits_for_it),
        UEX_TEST(take__beyond_the_open_mark__asks_for_a_commit_first),
        UEX_TEST(closing__suspects_that_never_ran_alone__stay_suspected),
        UEX_TEST(see_end__mark_beyond_it__what_comes_later_is_not_suspected),
        UEX_TEST(finish__suspect_given_up__its_start_does_not_count),
        UEX_TEST(take__open_breaker__gives_nothing),
        UEX_TEST(return__outage__goes_to_the_front_and_is_not_charged),
        UEX_TEST(return__at_each_of_many_openings__is_charged_in_the_end),
        UEX_TEST(give_back__however_often__keeps_the_order_and_is_never_charged),
        UEX_TEST(give_back__connection_that_breaks_each_time__is_charged_in_the_end),
        UEX_TEST(give_back__suspect__is_alone_and_first_again),
        UEX_TEST(take__nothing_to_do_while_a_lane_waits__idle_after_a_moment),
        UEX_TEST(shortage_wait__engine_drains__ends_at_once),
        UEX_TEST(take__suspects__run_alone_and_before_all_others),
        UEX_TEST(take__too_many_outcomes_wait__gives_nothing),
        UEX_TEST(drop_queued__running_stays__waiting_goes),
        UEX_TEST(find__offsets_that_share_a_bucket__finds_each_until_it_is_released),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
