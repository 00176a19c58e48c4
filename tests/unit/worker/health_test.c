/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "engine/engine.h"
#include "worker/health.h"

static const struct uex_config config = {.postgres_stall_timeout_ms = 60000,
                                         .s3_stall_timeout_ms = 30000,
                                         .s3_connect_timeout_ms = 5000,
                                         .retry_attempts = 3};

struct fixture {
    struct uex_engine engine;
    struct uex_lane lane[2];
    struct uex_lanes lanes;
    struct uex_health health;
    struct uex_partition partitions[3];
};

static int start(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const int64_t now_ms = uex_monotonic_ms();

    (void)pthread_mutex_init(&fixture->engine.synced.lock, NULL);
    fixture->engine.synced.partitions = fixture->partitions;
    fixture->engine.synced.partition_count = 3;
    fixture->engine.intake_heartbeat_ms = now_ms;
    fixture->engine.committer_heartbeat_ms = now_ms;
    fixture->lanes = (struct uex_lanes){.lanes = fixture->lane, .count = 2};
    uex_health_init(&fixture->health, &config, &fixture->lanes);
    fixture->health.engine = &fixture->engine;
    fixture->health.monitor_heartbeat_ms = now_ms;
    fixture->health.phase = UEX_PHASE_RUNNING;
    *state = fixture;
    return 0;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;

    (void)pthread_mutex_destroy(&fixture->engine.synced.lock);
    free(fixture);
    return 0;
}

typedef bool (*question)(const struct uex_health *health, bool verbose, struct uex_buffer *body);

static bool ask(const struct fixture *fixture, question ask_it, bool verbose, const char *part)
{
    struct uex_buffer body = {0};
    const bool answer = ask_it(&fixture->health, verbose, &body);

    if (strstr(uex_buffer_text(&body), part) == NULL)
        print_message("%s\n", uex_buffer_text(&body));
    assert_non_null(strstr(uex_buffer_text(&body), part));
    uex_buffer_clear(&body);
    return answer;
}

static void live__all_come_round__is_ok(void **state)
{
    assert_true(ask(*state, uex_health_live, false, "ok\n"));
    assert_true(ask(*state, uex_health_live, true, "{\"name\": \"lane-1\", \"status\": \"idle\""));
}

static void live__outside_of_running__is_ok_whatever_the_threads_do(void **state)
{
    struct fixture *fixture = *state;

    fixture->engine.intake_heartbeat_ms = 1;
    fixture->health.phase = UEX_PHASE_STARTING;
    assert_true(ask(fixture, uex_health_live, true, "\"phase\": \"starting\", \"checks\": []"));
    fixture->health.phase = UEX_PHASE_WAITING;
    assert_true(ask(fixture, uex_health_live, false, "ok\n"));
    fixture->health.phase = UEX_PHASE_STOPPING;
    assert_true(ask(fixture, uex_health_live, false, "ok\n"));
}

static void live__intake_or_monitor_overdue__is_stuck(void **state)
{
    struct fixture *fixture = *state;

    fixture->engine.intake_heartbeat_ms = uex_monotonic_ms() - fixture->health.intake_bound_ms - 100;
    assert_false(ask(fixture, uex_health_live, false, "stuck: intake has not come round"));
    assert_false(ask(fixture, uex_health_live, true, "{\"name\": \"intake\", \"status\": \"stuck\""));
    fixture->engine.intake_heartbeat_ms = uex_monotonic_ms();
    fixture->health.monitor_heartbeat_ms = uex_monotonic_ms() - fixture->health.monitor_bound_ms - 100;
    assert_false(ask(fixture, uex_health_live, false, "stuck: monitor"));
    fixture->engine.intake_heartbeat_ms = 0; /* not started yet */
    fixture->health.monitor_heartbeat_ms = 0;
    assert_true(ask(fixture, uex_health_live, false, "ok\n"));
}

static void live__lane_with_a_job_that_does_not_move__is_stuck(void **state)
{
    struct fixture *fixture = *state;

    /* 4 tries of a query of 60 s, a connection of 5 s and a request of 30 s, with their pauses. */
    assert_true(fixture->health.lane_bound_ms > 4 * (60000 + 30000 + 5000));
    fixture->lane[1].moved_ms = uex_monotonic_ms() - fixture->health.lane_bound_ms - 100;
    assert_true(ask(fixture, uex_health_live, false, "ok\n"));
    fixture->lane[1].busy = true;
    assert_false(ask(fixture, uex_health_live, false, "stuck: lane-1"));
    fixture->lane[1].moved_ms = uex_monotonic_ms();
    assert_true(ask(fixture, uex_health_live, false, "ok\n"));
}

static void live__committer_overdue__is_stuck_only_while_kafka_answers(void **state)
{
    struct fixture *fixture = *state;

    fixture->engine.committer_heartbeat_ms = uex_monotonic_ms() - fixture->health.committer_bound_ms - 100;
    assert_true(ask(fixture, uex_health_live, false, "ok\n"));
    fixture->health.kafka_answers_since_ms = uex_monotonic_ms() - 10000; /* it is just back */
    assert_true(ask(fixture, uex_health_live, false, "ok\n"));
    fixture->health.kafka_answers_since_ms = uex_monotonic_ms() - 121000;
    assert_false(ask(fixture, uex_health_live, false, "stuck: committer"));
}

static void init__transaction_timeout_of_the_configuration__is_in_the_committers_bound(void **state)
{
    struct fixture *fixture = *state;
    struct uex_kafka_property property = {.name = (char[]){"transaction.timeout.ms"}, .value = (char[]){"600000"}};
    struct uex_config other = config;
    const int64_t before_ms = fixture->health.committer_bound_ms;

    other.kafka = &property;
    other.kafka_count = 1;
    uex_health_init(&fixture->health, &other, &fixture->lanes);
    fixture->health.engine = &fixture->engine;
    assert_int_equal(fixture->health.committer_bound_ms - before_ms, 2 * (600000 - 15000));
}

static void ready__until_joined_and_restored__is_not(void **state)
{
    struct fixture *fixture = *state;

    fixture->health.phase = UEX_PHASE_WAITING;
    assert_false(ask(fixture, uex_health_ready, false, "not ready: waiting for dependencies\n"));
    fixture->health.phase = UEX_PHASE_RUNNING;
    assert_false(ask(fixture, uex_health_ready, false, "not ready: joining the consumer group\n"));
    fixture->engine.synced.assignment = UEX_ASSIGNMENT_HELD;
    assert_false(ask(fixture, uex_health_ready, false, "not ready: waiting for the transactional producer\n"));
    fixture->engine.synced.outbox.can_commit = true;
    fixture->partitions[0].assigned = true;
    fixture->partitions[2].assigned = true;
    fixture->partitions[2].restored = true;
    assert_false(ask(fixture, uex_health_ready, false, "not ready: restoring the groups' states\n"));
    assert_false(ask(fixture, uex_health_ready, true, "\"partitions\": 2, \"restored\": 1"));
    fixture->partitions[0].restored = true;
    assert_true(ask(fixture, uex_health_ready, false, "ok\n"));
    fixture->health.phase = UEX_PHASE_STOPPING;
    assert_false(ask(fixture, uex_health_ready, false, "not ready: stopping\n"));
}

static void ready__without_partitions_or_with_an_open_breaker__is_ready(void **state)
{
    struct fixture *fixture = *state;

    fixture->engine.synced.assignment = UEX_ASSIGNMENT_HELD;
    fixture->engine.synced.outbox.can_commit = true;
    assert_true(ask(fixture, uex_health_ready, false, "ok\n"));
    fixture->engine.synced.breakers[UEX_DEPENDENCY_STORE].open = true;
    assert_true(ask(fixture, uex_health_ready, true, "\"breakers\": {\"postgres\": \"closed\", \"store\": \"open\"}}"));
}

/* Topics of unequal partition counts: it joins again and again, and can do nothing. */
static void ready__only_partitions_that_are_not_whole__is_not(void **state)
{
    struct fixture *fixture = *state;

    fixture->engine.synced.assignment = UEX_ASSIGNMENT_HELD;
    fixture->engine.synced.outbox.can_commit = true;
    fixture->engine.synced.partial_count = 1;
    assert_false(ask(fixture, uex_health_ready, false, "not ready: no partition is owned in all command"));
    fixture->partitions[1].assigned = true;
    fixture->partitions[1].restored = true;
    assert_true(ask(fixture, uex_health_ready, false, "ok\n"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(live__all_come_round__is_ok),
        TEST(live__outside_of_running__is_ok_whatever_the_threads_do),
        TEST(live__intake_or_monitor_overdue__is_stuck),
        TEST(live__lane_with_a_job_that_does_not_move__is_stuck),
        TEST(live__committer_overdue__is_stuck_only_while_kafka_answers),
        TEST(init__transaction_timeout_of_the_configuration__is_in_the_committers_bound),
        TEST(ready__until_joined_and_restored__is_not),
        TEST(ready__without_partitions_or_with_an_open_breaker__is_ready),
        TEST(ready__only_partitions_that_are_not_whole__is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
