/* SPDX-License-Identifier: Apache-2.0 */
/* The committer's thread and a producer that cannot be built: what ends the worker, and what is tried again. Brokers
 * are librdkafka's mock cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "export/clock.h"
#include "export/thread.h"

#include <librdkafka/rdkafka_mock.h> /* needs rdkafka.h before it */

#define COMMANDS "export-group"
#define GROUP "export-workers"
#define API_INIT_PRODUCER_ID 22
#define API_END_TXN 26
#define WAIT_MS 30000
#define TRIES 3 /* so often a build fails before it goes through */

struct fixture {
    rd_kafka_t *owner; /* of the mock cluster */
    rd_kafka_mock_cluster_t *cluster;
    struct uex_kafka_property property;
    struct uex_config config;
    struct uex_engine engine;
    pthread_t committer;
};

/* Stands before librdkafka's: what it answers while a producer must not be built; 0: it is built. */
static atomic_int build_failure;
static atomic_uint failed_builds;

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text, size_t size)
{
    rd_kafka_t *(*original)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t) = NULL;

    *(void **)&original = dlsym(RTLD_NEXT, "rd_kafka_new");
    if (build_failure == 0)
        return original(type, conf, text, size);
    failed_builds++;
    (void)strncpy(text, "made to fail", size);
    return NULL;
}

rd_kafka_resp_err_t rd_kafka_last_error(void)
{
    rd_kafka_resp_err_t (*original)(void) = NULL;

    *(void **)&original = dlsym(RTLD_NEXT, "rd_kafka_last_error");
    return build_failure == 0 ? original() : (rd_kafka_resp_err_t)build_failure;
}

static rd_kafka_t *make(rd_kafka_type_t type, const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    assert_int_equal(rd_kafka_conf_set(conf, "log_level", "0", NULL, 0), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "group.id", GROUP, NULL, 0), RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0), RD_KAFKA_CONF_OK);
    return rd_kafka_new(type, conf, NULL, 0);
}

static void set_up_engine(struct fixture *fixture)
{
    struct uex_engine *engine = &fixture->engine;
    struct uex_fault fault = {0};

    engine->config = &fixture->config;
    assert_int_equal(uex_consumer_open(&fixture->config, uex_rebalance_callback, engine, &engine->handles,
                                       &engine->consumer, &fault),
                     UEX_OK);
    assert_int_equal(uex_transaction_open(&fixture->config, uex_committer_note_delivery, &engine->transaction, &fault),
                     UEX_OK);
    engine->input_topics[0].topic = (char *)(uintptr_t)COMMANDS;
    engine->input_topic_count = 1;
    engine->synced.partition_count = 1;
    engine->synced.partitions = calloc(1, sizeof(struct uex_partition));
    engine->synced.partitions[0].inputs = calloc(1, sizeof(struct uex_input));
    engine->synced.partitions[0].assigned = engine->synced.partitions[0].restored = true;
    engine->synced.partitions[0].inputs[0].assigned = true;
    uex_window_restore(&engine->synced.partitions[0].inputs[0].window, 0, (struct uex_bytes){0},
                       &engine->synced.partitions[0].inputs[0].markers);
    uex_starts_restore_synced(&engine->synced.partitions[0].inputs[0], &engine->synced.partitions[0].inputs[0].markers);
    engine->synced.group_metadata = rd_kafka_consumer_group_metadata_new(GROUP);
    engine->synced.assignment = UEX_ASSIGNMENT_HELD;
    engine->synced.epoch = 1;
    (void)pthread_mutex_init(&engine->synced.lock, NULL);
    uex_cond_init(&engine->synced.work_changed);
    uex_cond_init(&engine->synced.outcomes_changed);
    uex_cond_init(&engine->synced.between);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    build_failure = 0;
    failed_builds = 0;
    fixture->owner = make(RD_KAFKA_PRODUCER, "");
    fixture->cluster = rd_kafka_mock_cluster_new(fixture->owner, 1);
    assert_non_null(fixture->cluster);
    assert_int_equal(rd_kafka_mock_topic_create(fixture->cluster, COMMANDS, 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
    fixture->property =
        (struct uex_kafka_property){.name = (char *)"bootstrap.servers",
                                    .value = (char *)(uintptr_t)rd_kafka_mock_cluster_bootstraps(fixture->cluster)};
    fixture->config = (struct uex_config){.kafka_group_id = (char *)GROUP,
                                          .commit_max_list_bytes = 1048576,
                                          .kafka = &fixture->property,
                                          .kafka_count = 1};
    set_up_engine(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    build_failure = 0;
    uex_engine_advance(&fixture->engine, UEX_LIFECYCLE_STOPPING);
    (void)pthread_join(fixture->committer, NULL);
    fixture->engine.input_topics[0].topic = NULL; /* it is a literal */
    uex_engine_close(&fixture->engine);
    rd_kafka_mock_cluster_destroy(fixture->cluster);
    rd_kafka_destroy(fixture->owner);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture)
{
    assert_int_equal(pthread_create(&fixture->committer, NULL, uex_committer_run, &fixture->engine), 0);
}

static bool is_set(struct uex_engine *engine, const bool *member)
{
    bool now = false;

    uex_engine_lock(engine);
    now = *member;
    uex_engine_unlock(engine);
    return now;
}

static bool becomes_true(struct uex_engine *engine, const bool *member)
{
    for (int waited_ms = 0; waited_ms < WAIT_MS && !is_set(engine, member); waited_ms += 20)
        (void)uex_sleep_ms(20, NULL);
    return is_set(engine, member);
}

static bool becomes_refused(struct uex_engine *engine)
{
    for (int waited_ms = 0; waited_ms < WAIT_MS && uex_engine_failure(engine) != UEX_FAILURE_REFUSED; waited_ms += 20)
        (void)uex_sleep_ms(20, NULL);
    return uex_engine_failure(engine) == UEX_FAILURE_REFUSED;
}

static bool builds_fail(void)
{
    for (int waited_ms = 0; waited_ms < WAIT_MS && failed_builds < TRIES; waited_ms += 20)
        (void)uex_sleep_ms(20, NULL);
    return failed_builds >= TRIES;
}

/* The partition's committed offset moves to its end, past a record that needs no outcome. */
static void move_position(struct uex_engine *engine)
{
    struct uex_input *input = &engine->synced.partitions[0].inputs[0];

    uex_engine_lock(engine);
    input->window.base = input->window.next = input->end_offset = 5;
    (void)pthread_cond_broadcast(&engine->synced.outcomes_changed);
    uex_engine_unlock(engine);
}

static bool is_committed(struct uex_engine *engine)
{
    int64_t base = 0;

    for (int waited_ms = 0; waited_ms < WAIT_MS && base != 5; waited_ms += 20) {
        (void)uex_sleep_ms(20, NULL);
        uex_engine_lock(engine);
        base = engine->synced.partitions[0].inputs[0].committed_base;
        uex_engine_unlock(engine);
    }
    return base == 5;
}

/* A commit is fenced, so that a producer must be built again, and that fails with `code` for a while. */
static void lose_producer(struct fixture *fixture, rd_kafka_resp_err_t code)
{
    struct uex_engine *engine = &fixture->engine;

    start(fixture);
    assert_true(becomes_true(engine, &engine->synced.outbox.can_commit));
    rd_kafka_mock_push_request_errors(fixture->cluster, API_END_TXN, 1, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    build_failure = (int)code;
    move_position(engine);
    assert_true(builds_fail());
    assert_int_equal(uex_engine_failure(engine), UEX_FAILURE_NONE);
    build_failure = 0;
    assert_true(is_committed(engine));
}

static void rebuild__no_thread_to_be_had__is_tried_again(void **state)
{
    lose_producer(*state, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE);
}

/* So librdkafka calls a certificate that cannot be read. */
static void rebuild__properties_refused_that_were_taken_before__is_tried_again(void **state)
{
    lose_producer(*state, RD_KAFKA_RESP_ERR__INVALID_ARG);
}

static void first_build__no_thread_to_be_had__is_tried_again(void **state)
{
    struct fixture *fixture = *state;

    build_failure = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    start(fixture);
    assert_true(builds_fail());
    build_failure = 0;
    assert_true(becomes_true(&fixture->engine, &fixture->engine.synced.outbox.can_commit));
    assert_int_equal(uex_engine_failure(&fixture->engine), UEX_FAILURE_NONE);
}

static void first_build__properties_refused__ends_the_program(void **state)
{
    struct fixture *fixture = *state;

    build_failure = RD_KAFKA_RESP_ERR__INVALID_ARG;
    start(fixture);
    assert_true(becomes_refused(&fixture->engine));
}

static void init__timeout_that_brokers_refuse__ends_the_program(void **state)
{
    struct fixture *fixture = *state;

    rd_kafka_mock_push_request_errors(fixture->cluster, API_INIT_PRODUCER_ID, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT);
    start(fixture);
    assert_true(becomes_refused(&fixture->engine));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rebuild__no_thread_to_be_had__is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rebuild__properties_refused_that_were_taken_before__is_tried_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(first_build__no_thread_to_be_had__is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(first_build__properties_refused__ends_the_program, set_up, tear_down),
        cmocka_unit_test_setup_teardown(init__timeout_that_brokers_refuse__ends_the_program, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
