/* SPDX-License-Identifier: Apache-2.0 */
/* What a lane does with a command whose database fails; the job runner is played here (tests/CMakeLists.txt). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "export/thread.h"
#include "worker/lanes.h"

#define SOON_MS 5000

static struct uex_engine engine;
static struct uex_config config;
static struct uex_meters meters;
static struct uex_lanes lanes;
static char command_topic[] = "commands";

/* What the runner answers. */
static _Atomic enum uex_error job_error, connect_error, check_error, probe_error;
static _Atomic bool job_has_connection, is_any_connected;
static const struct uex_fault *_Atomic opens_breaker; /* while the database is probed: another lane's finding */
static _Atomic unsigned job_count, connect_count, check_count, probe_count;

void __wrap_uex_job_run(struct uex_job_runner *runner, const struct uex_command *command,
                        const struct uex_cancel *cancel, struct uex_job_progress *progress,
                        const struct uex_job_observer *observer, struct uex_job_outcome *out)
{
    (void)runner;
    (void)command;
    (void)cancel;
    (void)progress;
    (void)observer;
    job_count++;
    *out = (struct uex_job_outcome){.error = job_error, .had_connection = job_has_connection, .skip = UEX_SKIP_EMPTY};
    if (job_error != UEX_OK)
        (void)uex_fail(&out->fault, job_error, "the job failed");
}

static enum uex_error answer(enum uex_error error, struct uex_fault *fault)
{
    return error == UEX_OK ? error : uex_fail(fault, error, "as the test wants it");
}

enum uex_error __wrap_uex_job_runner_connect(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                             struct uex_fault *fault)
{
    (void)runner;
    (void)cancel;
    connect_count++;
    return answer(connect_error, fault);
}

enum uex_error __wrap_uex_job_runner_check_database(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                                    struct uex_fault *fault)
{
    (void)runner;
    (void)cancel;
    check_count++;
    return answer(check_error, fault);
}

enum uex_error __wrap_uex_job_runner_probe_database(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                                    struct uex_fault *fault)
{
    (void)runner;
    (void)cancel;
    probe_count++;
    if (opens_breaker != NULL)
        (void)uex_breaker_open(&engine, UEX_DEPENDENCY_DATABASE, opens_breaker);
    opens_breaker = NULL;
    return answer(probe_error, fault);
}

void __wrap_uex_job_runner_rest(struct uex_job_runner *runner)
{
    (void)runner;
}

bool __wrap_uex_job_runner_is_connected(const struct uex_job_runner *runner)
{
    (void)runner;
    return is_any_connected;
}

static void set_up_locks(void)
{

    (void)pthread_mutex_init(&engine.synced.lock, NULL);
    uex_cond_init(&engine.synced.work_changed);
    uex_cond_init(&engine.synced.outcomes_changed);
    uex_cond_init(&engine.synced.between);
}

static void set_up_lane(void)
{
    lanes = (struct uex_lanes){.lanes = calloc(1, sizeof(*lanes.lanes)), .count = 1};
    lanes.lanes[0].all = &lanes;
    lanes.lanes[0].engine = &engine;
    lanes.lanes[0].ending = &lanes.ending;
    lanes.lanes[0].meters = &meters;
    (void)pthread_mutex_init(&lanes.lanes[0].lock, NULL);
}

static int set_up(void **state)
{
    struct uex_input *input = NULL;

    (void)state;
    memset(&engine, 0, sizeof(engine));
    config = (struct uex_config){.topics_command = command_topic, .retry_crashes = 3, .export_lanes = 2};
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_JSON);
    assert_int_equal(uex_meters_init(&meters, &config, NULL), UEX_OK);
    engine.config = &config;
    engine.input_topics[0].topic = command_topic;
    engine.input_topic_count = 1;
    engine.outcomes_max = 100;
    engine.synced.partition_count = 1;
    engine.synced.partitions = calloc(1, sizeof(struct uex_partition));
    engine.synced.partitions[0].inputs = input = calloc(UEX_INPUT_TOPICS_MAX, sizeof(struct uex_input));
    engine.synced.partitions[0].assigned = engine.synced.partitions[0].restored = input->assigned = true;
    uex_window_restore(&input->window, 0, (struct uex_bytes){0}, &input->markers);
    uex_starts_restore_synced(input, &input->markers);
    input->committed_until = 1000;
    engine.synced.assignment = UEX_ASSIGNMENT_HELD;
    engine.synced.epoch = 1;
    set_up_locks();
    set_up_lane();
    job_error = connect_error = check_error = probe_error = UEX_OK;
    job_has_connection = is_any_connected = false;
    opens_breaker = NULL;
    job_count = connect_count = check_count = probe_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uex_engine_lock(&engine);
    engine.synced.lifecycle = UEX_LIFECYCLE_DRAINING;
    pthread_cond_broadcast(&engine.synced.work_changed);
    uex_engine_unlock(&engine);
    uex_lanes_join(&lanes);
    while (engine.synced.in_flight.first != NULL) {
        struct uex_inflight *next = engine.synced.in_flight.first->next;

        uex_inflight_free(engine.synced.in_flight.first);
        engine.synced.in_flight.first = next;
    }
    (void)pthread_mutex_destroy(&lanes.lanes[0].lock);
    free(lanes.lanes);
    uex_group_table_clear(&engine.synced.in_flight.groups);
    free(engine.synced.partitions[0].inputs);
    free(engine.synced.partitions);
    uex_meters_clear(&meters);
    (void)pthread_mutex_destroy(&engine.synced.lock);
    (void)pthread_cond_destroy(&engine.synced.work_changed);
    (void)pthread_cond_destroy(&engine.synced.outcomes_changed);
    (void)pthread_cond_destroy(&engine.synced.between);
    return 0;
}

/* One command, and the lane that takes it. */
static struct uex_inflight *begin(void)
{
    struct uex_record *record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */
    struct uex_inflight *inflight = NULL;
    struct uex_fault fault = {0};

    record->topic = command_topic;
    record->offset = 1;
    inflight = uex_inflight_new(record, 0);
    inflight->command.group_id = strdup("g");
    inflight->command.run_id = strdup("");
    (void)snprintf(inflight->command.command_id, sizeof(inflight->command.command_id),
                   "00000000-0000-4000-8000-000000000001");
    uex_engine_lock(&engine);
    uex_window_see(&engine.synced.partitions[0].inputs[0].window, 1);
    uex_dispatch_add_synced(&engine, inflight);
    uex_dispatch_enqueue_synced(&engine, inflight);
    uex_engine_unlock(&engine);
    assert_int_equal(uex_lanes_start(&lanes, &fault), UEX_OK);
    return inflight;
}

static bool is_open(void)
{
    bool open = false;

    uex_engine_lock(&engine);
    open = engine.synced.breakers[UEX_DEPENDENCY_DATABASE].open;
    uex_engine_unlock(&engine);
    return open;
}

static bool has_ended(void)
{
    bool ended = false;

    uex_engine_lock(&engine);
    ended = engine.synced.outbox.count > 0;
    uex_engine_unlock(&engine);
    return ended;
}

static bool is_refused(void)
{
    bool refused = false;

    uex_engine_lock(&engine);
    refused = engine.synced.failure == UEX_FAILURE_REFUSED;
    uex_engine_unlock(&engine);
    return refused;
}

static bool is_closed(void)
{
    return !is_open();
}

static bool waits(void)
{
    return engine.synced.shortage.lane_count > 0;
}

static bool has_probed(void)
{
    return probe_count > 0;
}

static void assert_soon(bool (*is_so)(void))
{
    const int64_t until_ms = uex_monotonic_ms() + SOON_MS;

    while (!is_so() && uex_monotonic_ms() < until_ms)
        (void)uex_sleep_ms(10, NULL);
    assert_true(is_so());
}

static void run__database_answers_nobody__is_an_outage_until_it_answers(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    job_error = probe_error = UEX_DB_SILENT;
    inflight = begin();
    assert_soon(is_open);
    (void)uex_sleep_ms(1500, NULL);
    assert_true(probe_count > 0);
    assert_true(is_open()); /* a login alone is no end of it */
    assert_false(has_ended());
    job_error = probe_error = UEX_OK;
    assert_soon(is_closed);
    assert_soon(has_ended);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_SKIPPED);
    assert_int_equal(engine.synced.breakers[UEX_DEPENDENCY_DATABASE].open_count, 1);
    assert_false(waits());
}

static void run__stalled_query_and_a_silent_probe__is_an_outage(void **state)
{
    (void)state;
    job_error = UEX_DB_STALLED;
    job_has_connection = true;
    probe_error = UEX_DB_SILENT;
    (void)begin();
    assert_soon(is_open);
    assert_false(has_ended());
}

static void run__pooler_that_serves_another_lane__is_a_shortage(void **state)
{
    (void)state;
    job_error = connect_error = UEX_DB_SILENT;
    is_any_connected = true;
    (void)begin();
    assert_soon(waits);
    (void)uex_sleep_ms(1500, NULL);
    assert_false(is_open());
    assert_int_equal(job_count, 1);
    assert_true(connect_count > 0);
    assert_int_equal(probe_count, 0);
    is_any_connected = false; /* the last one that worked: the server hangs for all */
    probe_error = UEX_DB_SILENT;
    assert_soon(is_open);
    assert_false(waits());
}

static void run__no_memory_for_the_probe__opens_no_breaker_and_ends(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    job_error = UEX_DB_UNAVAILABLE;
    probe_error = UEX_NO_MEMORY;
    inflight = begin();
    assert_soon(has_ended);
    assert_int_equal(engine.synced.breakers[UEX_DEPENDENCY_DATABASE].open_count, 0);
    assert_int_equal(job_count, config.retry_crashes);
    assert_int_equal(inflight->outcome.fault.error, UEX_DB_UNAVAILABLE);
}

static void run__connection_breaks_each_time_in_a_shortage__is_charged_in_the_end(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    job_error = UEX_DB_UNAVAILABLE;
    probe_error = UEX_DB_CONNECTIONS;
    job_has_connection = true;
    inflight = begin();
    assert_soon(has_ended);
    assert_int_equal(engine.synced.breakers[UEX_DEPENDENCY_DATABASE].open_count, 0);
    assert_int_equal(job_count, config.retry_crashes);
    assert_int_equal(inflight->outcome.fault.error, UEX_DB_UNAVAILABLE);
}

/* Another lane opened the breaker and has not closed it yet; the dependency answers this lane's probe already. */
static void run__probe_answers_before_the_breaker_is_closed__is_not_charged(void **state)
{
    const struct uex_fault outage = {.error = UEX_DB_UNAVAILABLE};
    struct uex_inflight *inflight = NULL;

    (void)state;
    opens_breaker = &outage;
    job_error = UEX_DB_UNAVAILABLE;
    inflight = begin();
    assert_soon(has_probed);
    (void)uex_sleep_ms(100, NULL);
    assert_false(has_ended());
    assert_int_equal(job_count, 1);
    job_error = UEX_OK;
    uex_breaker_close(&engine, UEX_DEPENDENCY_DATABASE);
    assert_soon(has_ended);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_SKIPPED);
    assert_int_equal(job_count, 2);
}

static bool has_tried_again(void)
{
    return connect_count > 1;
}

static void run__never_a_connection__is_not_charged(void **state)
{
    (void)state;
    config.retry_crashes = 1;
    job_error = connect_error = UEX_DB_CONNECTIONS;
    (void)begin();
    assert_soon(has_tried_again);
    assert_false(has_ended());
    connect_error = job_error = UEX_OK;
    assert_soon(has_ended);
    assert_false(waits());
}

static void start__in_a_shortage__looks_at_the_views_first(void **state)
{
    struct uex_fault fault = {.error = UEX_DB_CONNECTIONS};

    (void)state;
    check_error = UEX_DB_CONNECTIONS;
    uex_lanes_begin_short(&lanes, &fault);
    assert_true(waits());
    (void)begin();
    (void)uex_sleep_ms(1500, NULL);
    assert_true(check_count > 1);
    assert_int_equal(job_count, 0);
    check_error = UEX_OK;
    assert_soon(has_ended);
    assert_int_equal(connect_count, 0);
    assert_false(lanes.views_unchecked);
    assert_false(waits());
}

static void start__in_a_shortage_with_a_mask_that_does_not_fit__ends_the_program(void **state)
{
    struct uex_fault fault = {.error = UEX_DB_CONNECTIONS};

    (void)state;
    check_error = UEX_CONFIG;
    uex_lanes_begin_short(&lanes, &fault);
    (void)begin();
    assert_soon(is_refused);
    assert_int_equal(job_count, 0);
    assert_false(has_ended());
}

static void start__in_a_shortage_with_views_that_are_missing__is_an_outage(void **state)
{
    struct uex_fault fault = {.error = UEX_DB_CONNECTIONS};

    (void)state;
    check_error = job_error = probe_error = UEX_DB_SCHEMA;
    uex_lanes_begin_short(&lanes, &fault);
    (void)begin();
    assert_soon(is_open);
    assert_false(has_ended());
    assert_false(waits());
}

int main(void)
{
#define LANES_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LANES_TEST(run__database_answers_nobody__is_an_outage_until_it_answers),
        LANES_TEST(run__stalled_query_and_a_silent_probe__is_an_outage),
        LANES_TEST(run__pooler_that_serves_another_lane__is_a_shortage),
        LANES_TEST(run__no_memory_for_the_probe__opens_no_breaker_and_ends),
        LANES_TEST(run__connection_breaks_each_time_in_a_shortage__is_charged_in_the_end),
        LANES_TEST(run__probe_answers_before_the_breaker_is_closed__is_not_charged),
        LANES_TEST(run__never_a_connection__is_not_charged),
        LANES_TEST(start__in_a_shortage__looks_at_the_views_first),
        LANES_TEST(start__in_a_shortage_with_a_mask_that_does_not_fit__ends_the_program),
        LANES_TEST(start__in_a_shortage_with_views_that_are_missing__is_an_outage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
