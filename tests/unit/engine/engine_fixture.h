/* SPDX-License-Identifier: Apache-2.0 */
/* An engine without Kafka and without a clock of its own: the test plays the consumer, the transactions, the time, and
 * whatever another thread does while the engine waits. Everything happens in the test's one thread, in microseconds.
 *
 * A test that includes this is linked with --wrap for the clock, the log, uex_sleep_ms(), uex_engine_wait_synced() and
 * what the start asks of Kafka (tests/CMakeLists.txt). One engine at a time: `world`.
 */
#ifndef TESTS_ENGINE_FIXTURE_H
#define TESTS_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/settle.h"
#include "kafka/headers.h"
#include "kafka/partitioner.h"

#define FIXTURE_UNUSED __attribute__((unused))
#define FIXTURE_LIST_MAX 64
#define COMMANDS "commands"
#define RETRIES "retry-0"
#define STATES "states"
#define GROUP "workers"
#define MEMBER "member-1"
#define STARTED_WALL_MS INT64_C(1750000000000)

/* A record of the state topic that the reader brings. */
struct fixture_state {
    int32_t partition;
    int64_t offset;
    const char *key, *value; /* key NULL: the end of the partition */
    rd_kafka_resp_err_t code;
};

/* A record that was produced in a transaction. */
struct fixture_produced {
    char topic[32];
    char key[64];
    char *value; /* NULL: none */
    size_t value_bytes;
    int32_t partition;
    int64_t timestamp_ms;        /* 0: the broker's */
    rd_kafka_headers_t *headers; /* NULL: none */
    struct uex_inflight *inflight;
    bool is_over; /* its transaction has ended */
    bool is_committed;
};

struct fixture_line {
    enum uex_log_level level;
    char fields[256]; /* "name=value name=value", without those that are left out */
};

struct fixture_world {
    struct uex_engine engine;
    struct uex_config config;
    int64_t retry_delays_ms[UEX_RETRY_TIERS_MAX];
    int64_t now_ms;         /* monotonic; the wall stands STARTED_WALL_MS ahead of it */
    void (*on_wait)(void);  /* what others do while the engine waits for a condition; called each time, locked */
    void (*on_sleep)(void); /* the same while a thread sleeps, not locked */
    unsigned wait_count, sleep_count; /* a test that waits for ever fails at FIXTURE_WAITS_MAX */

    /* ---- the consumer that is played */
    rd_kafka_topic_partition_list_t *group_offsets; /* what is committed: topic, partition, offset, metadata */
    rd_kafka_resp_err_t committed_code;             /* of the next calls, until it is changed */
    unsigned committed_calls;
    rd_kafka_topic_partition_list_t *assigned; /* of the last assign(); NULL: a revoke */
    unsigned assign_calls;
    rd_kafka_topic_partition_list_t *paused, *resumed, *sought; /* of the last call; NULL: none */
    rd_kafka_resp_err_t pause_code, seek_code, subscribe_code;
    /* Of the elements of a list whose call succeeds. */
    rd_kafka_resp_err_t committed_element_code, pause_element_code, seek_element_code;
    unsigned subscribe_calls, leave_calls, close_calls;
    bool is_lost;
    bool has_no_metadata; /* the client gives none: it is no member */
    int32_t generation;
    bool holds; /* the coordinator names the partitions for this member */
    enum uex_error confirm_error, count_error, state_count_error;
    unsigned confirm_calls, count_calls;
    int32_t command_partitions;
    rd_kafka_resp_err_t watermark_code, state_assign_code;
    int64_t state_low[FIXTURE_LIST_MAX], state_high[FIXTURE_LIST_MAX]; /* by partition */
    struct fixture_state states[FIXTURE_LIST_MAX];
    size_t state_count, state_next;
    rd_kafka_topic_partition_list_t *state_assigned; /* of the last state_assign(); NULL: none */
    struct uex_fetched fetched[FIXTURE_LIST_MAX];
    size_t fetched_count, fetched_next;

    struct uex_tier tiers[4]; /* what there is beside the command topic; retry-0 to begin with */
    size_t tier_count;
    enum uex_error tiers_error, cluster_error;
    int64_t known_low, known_high; /* of an input partition, as of the last fetch; known_high 0: not known */

    /* ---- the transactions that are played: each step's error, until it is changed */
    enum uex_error prepare_error, begin_error, produce_error, flush_error, offsets_error, commit_error;
    rd_kafka_resp_err_t txn_code; /* last_code while a step fails */
    bool txn_is_lost, txn_was_fenced, txn_has_no_producer;
    bool commits_unseen;               /* a commit that fails has happened all the same */
    void (*on_step)(const char *step); /* called before each: "prepare", "begin", "produce", … */
    uint64_t rebuild_count;
    struct uex_txn_age txn_age;
    rd_kafka_topic_partition_list_t *txn_offsets; /* sent with the open transaction */
    const rd_kafka_consumer_group_metadata_t *txn_metadata;
    struct fixture_produced produced[FIXTURE_LIST_MAX];
    size_t produced_count;
    unsigned commit_calls, abort_calls, begin_calls, prepare_calls, close_producer_calls;

    /* ---- the observer */
    unsigned committed_seen, rebalanced_seen, transaction_seen;
    const char *transaction_result;
    size_t adopted, cancelled; /* of the last rebalance */

    unsigned logged[UEX_EVENT_COUNT];           /* log lines by their event; none is written */
    struct fixture_line lines[UEX_EVENT_COUNT]; /* the last of each */
    char work_dir[32];
    struct uex_spool_dir *spool_dir; /* in it; NULL until fixture_finish_list() */
};

static struct fixture_world world;
#define FIXTURE_WAITS_MAX 100000

/* ---- time and waits */

FIXTURE_UNUSED int64_t __wrap_uex_monotonic_ms(void)
{
    return world.now_ms;
}

FIXTURE_UNUSED int64_t __wrap_uex_monotonic_us(void)
{
    return world.now_ms * 1000;
}

FIXTURE_UNUSED int64_t __wrap_uex_wall_ms(void)
{
    return STARTED_WALL_MS + world.now_ms;
}

FIXTURE_UNUSED bool __wrap_uex_sleep_ms(int64_t delay_ms, const struct uex_cancel *cancel)
{
    assert_true(++world.sleep_count < FIXTURE_WAITS_MAX);
    if (world.on_sleep != NULL)
        world.on_sleep();
    world.now_ms += delay_ms;
    return !uex_cancel_requested(cancel);
}

/* Each wait takes 100 ms, or up to its bound. */
FIXTURE_UNUSED bool __wrap_uex_engine_wait_synced(struct uex_engine *engine, pthread_cond_t *condition,
                                                  int64_t until_ms)
{
    (void)engine;
    (void)condition;
    assert_true(++world.wait_count < FIXTURE_WAITS_MAX);
    if (world.on_wait != NULL)
        world.on_wait();
    world.now_ms += 100;
    if (until_ms == UEX_NO_TIME || world.now_ms < until_ms)
        return true;
    world.now_ms = until_ms;
    return false;
}

/* ---- log lines: kept, not written */

FIXTURE_UNUSED void __wrap_uex_log_write(enum uex_log_level level, enum uex_event event, const char *message,
                                         const struct uex_log_field *fields, size_t field_count)
{
    struct fixture_line *line = &world.lines[event];
    size_t used = 0;

    assert_non_null(message);
    world.logged[event]++;
    line->level = level;
    line->fields[0] = '\0';
    for (size_t i = 0; i < field_count && used < sizeof(line->fields); i++) {
        const struct uex_log_field *field = &fields[i];
        const char *space = used == 0 ? "" : " ";

        if (field->kind == UEX_LOG_NONE || (field->kind == UEX_LOG_STRING && field->text == NULL))
            continue;
        if (field->kind == UEX_LOG_STRING)
            used += (size_t)snprintf(line->fields + used, sizeof(line->fields) - used, "%s%s=%s", space, field->name,
                                     field->text);
        else
            used += (size_t)snprintf(line->fields + used, sizeof(line->fields) - used, "%s%s=%lld", space, field->name,
                                     field->kind == UEX_LOG_UNSIGNED ? (long long)field->number
                                                                     : (long long)field->integer);
    }
}

/* Does the last line of this event have the field, as "name=value"? */
FIXTURE_UNUSED static bool fixture_logged(enum uex_event event, const char *field)
{
    const char *at = world.lines[event].fields;
    const size_t size = strlen(field);

    while ((at = strstr(at, field)) != NULL) {
        if ((at == world.lines[event].fields || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
            return true;
        at++;
    }
    return false;
}

/* ---- the consumer */

static void fixture_keep(rd_kafka_topic_partition_list_t **place, const rd_kafka_topic_partition_list_t *list)
{
    if (*place != NULL)
        rd_kafka_topic_partition_list_destroy(*place);
    *place = list == NULL ? NULL : rd_kafka_topic_partition_list_copy(list);
}

static rd_kafka_resp_err_t fixture_subscribe(void *context, const rd_kafka_topic_partition_list_t *topics,
                                             bool leave_first)
{
    (void)context;
    assert_int_equal(topics->cnt, (int)world.engine.input_topic_count);
    world.subscribe_calls++;
    world.leave_calls += leave_first ? 1 : 0;
    return world.subscribe_code;
}

static bool fixture_poll(void *context, int timeout_ms, struct uex_fetched *out)
{
    (void)context;
    if (world.fetched_next < world.fetched_count) {
        *out = world.fetched[world.fetched_next++];
        return true;
    }
    world.now_ms += timeout_ms;
    return false;
}

static rd_kafka_resp_err_t fixture_pause(void *context, rd_kafka_topic_partition_list_t *list)
{
    (void)context;
    fixture_keep(&world.paused, list);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].err = world.pause_element_code;
    return world.pause_code;
}

static rd_kafka_resp_err_t fixture_resume(void *context, rd_kafka_topic_partition_list_t *list)
{
    (void)context;
    fixture_keep(&world.resumed, list);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t fixture_seek(void *context, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    (void)context;
    (void)timeout_ms;
    fixture_keep(&world.sought, list);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].err = world.seek_element_code;
    return world.seek_code;
}

static void fixture_assign_answer(void *context, const rd_kafka_topic_partition_list_t *list)
{
    (void)context;
    world.assign_calls++;
    fixture_keep(&world.assigned, list);
}

static bool fixture_is_lost(void *context)
{
    (void)context;
    return world.is_lost;
}

static rd_kafka_consumer_group_metadata_t *fixture_metadata(void *context)
{
    (void)context;
    return world.has_no_metadata
               ? rd_kafka_consumer_group_metadata_new(GROUP)
               : rd_kafka_consumer_group_metadata_new_with_genid(GROUP, world.generation, MEMBER, NULL);
}

static enum uex_error fixture_confirm(void *context, const rd_kafka_topic_partition_list_t *partitions,
                                      int64_t timeout_ms, int32_t *coordinator, bool *holds, struct uex_fault *fault)
{
    (void)context;
    (void)partitions;
    (void)timeout_ms;
    (void)coordinator;
    world.confirm_calls++;
    *holds = world.holds;
    return world.confirm_error == UEX_OK ? UEX_OK : uex_fail(fault, world.confirm_error, "as the test wants it");
}

static rd_kafka_resp_err_t fixture_committed(void *context, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    (void)context;
    (void)timeout_ms;
    world.committed_calls++;
    for (int i = 0; i < list->cnt && world.committed_code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        rd_kafka_topic_partition_t *place = &list->elems[i];
        const rd_kafka_topic_partition_t *known =
            rd_kafka_topic_partition_list_find(world.group_offsets, place->topic, place->partition);

        place->err = world.committed_element_code;
        place->offset = known == NULL ? RD_KAFKA_OFFSET_INVALID : known->offset;
        place->metadata = NULL;
        place->metadata_size = 0;
        if (known != NULL && known->metadata_size > 0) {
            place->metadata = malloc(known->metadata_size);
            memcpy(place->metadata, known->metadata, known->metadata_size);
            place->metadata_size = known->metadata_size;
        }
    }
    return world.committed_code;
}

static void fixture_leave(void *context)
{
    (void)context;
    world.close_calls++;
}

static enum uex_error fixture_count(enum uex_error error, int32_t *count, struct uex_fault *fault)
{
    *count = world.command_partitions;
    return error == UEX_OK ? UEX_OK : uex_fail(fault, error, "as the test wants it");
}

static enum uex_error fixture_command_partitions(void *context, int64_t timeout_ms, int32_t *count,
                                                 struct uex_fault *fault)
{
    (void)context;
    (void)timeout_ms;
    world.count_calls++;
    return fixture_count(world.count_error, count, fault);
}

static enum uex_error fixture_state_partitions(void *context, int64_t timeout_ms, int32_t *count,
                                               struct uex_fault *fault)
{
    (void)context;
    (void)timeout_ms;
    return fixture_count(world.state_count_error, count, fault);
}

static rd_kafka_resp_err_t fixture_watermarks(void *context, int32_t partition, int64_t *low, int64_t *high,
                                              int timeout_ms)
{
    (void)context;
    (void)timeout_ms;
    *low = world.state_low[partition];
    *high = world.state_high[partition];
    return world.watermark_code;
}

static rd_kafka_resp_err_t fixture_state_assign(void *context, const rd_kafka_topic_partition_list_t *list)
{
    (void)context;
    fixture_keep(&world.state_assigned, list);
    return world.state_assign_code;
}

FIXTURE_UNUSED enum uex_error __wrap_uex_consumer_tiers(struct uex_consumer_handles *handles, int64_t timeout_ms,
                                                        struct uex_tier *tiers, size_t *count, struct uex_fault *fault)
{
    (void)handles;
    (void)timeout_ms;
    memcpy(tiers, world.tiers, world.tier_count * sizeof(*tiers));
    *count = world.tier_count;
    return world.tiers_error == UEX_OK ? UEX_OK : uex_fail(fault, world.tiers_error, "as the test wants it");
}

FIXTURE_UNUSED enum uex_error __wrap_uex_consumer_cluster_id(struct uex_consumer_handles *handles, int64_t timeout_ms,
                                                             char *out, struct uex_fault *fault)
{
    (void)handles;
    (void)timeout_ms;
    (void)snprintf(out, UEX_KAFKA_CLUSTER_ID_SIZE, "another-cluster");
    return world.cluster_error == UEX_OK ? UEX_OK : uex_fail(fault, world.cluster_error, "as the test wants it");
}

FIXTURE_UNUSED bool __wrap_uex_consumer_known_range(struct uex_consumer_handles *handles, const char *topic,
                                                    int32_t partition, int64_t *low, int64_t *high)
{
    (void)handles;
    (void)topic;
    (void)partition;
    *low = world.known_low;
    *high = world.known_high;
    return world.known_high > 0;
}

/* The next of world.states; NULL, and time goes on, when there is none. */
static rd_kafka_message_t *fixture_state_poll(void *context, int timeout_ms)
{
    const struct fixture_state *next = NULL;
    rd_kafka_message_t *message = NULL;

    (void)context;
    world.now_ms += timeout_ms;
    if (world.state_next == world.state_count)
        return NULL;
    next = &world.states[world.state_next++];
    message = calloc(1, sizeof(*message));
    message->partition = next->partition;
    message->offset = next->offset;
    message->err = next->code != RD_KAFKA_RESP_ERR_NO_ERROR ? next->code
                   : next->key == NULL                      ? RD_KAFKA_RESP_ERR__PARTITION_EOF
                                                            : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (next->key != NULL) {
        message->key = (void *)(uintptr_t)next->key;
        message->key_len = strlen(next->key);
    }
    if (next->value != NULL) {
        message->payload = (void *)(uintptr_t)next->value;
        message->len = strlen(next->value);
    }
    return message;
}

static void fixture_state_release(void *context, rd_kafka_message_t *message)
{
    (void)context;
    free(message);
}

/* ---- transactions */

static enum uex_error fixture_step(const char *step, enum uex_error error, struct uex_fault *fault)
{
    if (world.on_step != NULL)
        world.on_step(step);
    return error == UEX_OK ? UEX_OK : uex_fail(fault, error, "%s fails as the test wants it", step);
}

static enum uex_error fixture_prepare(void *context, int timeout_ms, struct uex_fault *fault)
{
    (void)context;
    (void)timeout_ms;
    world.prepare_calls++;
    return fixture_step("prepare", world.prepare_error, fault);
}

static enum uex_error fixture_begin(void *context, struct uex_fault *fault)
{
    (void)context;
    world.begin_calls++;
    return fixture_step("begin", world.begin_error, fault);
}

static enum uex_error fixture_produce(void *context, const struct uex_txn_record *record, struct uex_fault *fault)
{
    struct fixture_produced *produced = &world.produced[world.produced_count];

    (void)context;
    if (world.produce_error != UEX_OK) {
        if (record->headers != NULL)
            rd_kafka_headers_destroy(record->headers);
        return fixture_step("produce", world.produce_error, fault);
    }
    assert_true(++world.produced_count <= FIXTURE_LIST_MAX);
    *produced = (struct fixture_produced){.partition = record->partition,
                                          .timestamp_ms = record->timestamp_ms,
                                          .headers = record->headers,
                                          .inflight = record->opaque,
                                          .value_bytes = record->value.size_bytes};
    (void)snprintf(produced->topic, sizeof(produced->topic), "%s", record->topic);
    if (record->key.data != NULL)
        (void)snprintf(produced->key, sizeof(produced->key), "%.*s", (int)record->key.size_bytes, record->key.data);
    if (record->value.data != NULL) {
        produced->value = calloc(1, record->value.size_bytes + 1);
        memcpy(produced->value, record->value.data, record->value.size_bytes);
    }
    return fixture_step("produce", UEX_OK, fault);
}

static enum uex_error fixture_flush(void *context, struct uex_fault *fault)
{
    (void)context;
    return fixture_step("flush", world.flush_error, fault);
}

static enum uex_error fixture_send_offsets(void *context, const rd_kafka_topic_partition_list_t *offsets,
                                           const rd_kafka_consumer_group_metadata_t *metadata, struct uex_fault *fault)
{
    (void)context;
    fixture_keep(&world.txn_offsets, offsets);
    world.txn_metadata = metadata;
    return fixture_step("offsets", world.offsets_error, fault);
}

static void fixture_end_transaction(bool committed)
{
    for (size_t i = 0; i < world.produced_count; i++) {
        if (!world.produced[i].is_over)
            world.produced[i].is_committed = committed;
        world.produced[i].is_over = true;
    }
    for (int i = 0; committed && world.txn_offsets != NULL && i < world.txn_offsets->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &world.txn_offsets->elems[i];
        rd_kafka_topic_partition_t *known = NULL;

        (void)rd_kafka_topic_partition_list_del(world.group_offsets, place->topic, place->partition);
        known = rd_kafka_topic_partition_list_add(world.group_offsets, place->topic, place->partition);
        known->offset = place->offset;
        known->metadata = malloc(place->metadata_size + 1);
        memcpy(known->metadata, place->metadata, place->metadata_size);
        known->metadata_size = place->metadata_size;
    }
    fixture_keep(&world.txn_offsets, NULL);
}

static enum uex_error fixture_commit(void *context, struct uex_fault *fault)
{
    const enum uex_error error = fixture_step("commit", world.commit_error, fault);

    (void)context;
    world.commit_calls++;
    if (error == UEX_OK || world.commits_unseen)
        fixture_end_transaction(true);
    return error;
}

static void fixture_abort(void *context)
{
    (void)context;
    world.abort_calls++;
    (void)fixture_step("abort", UEX_OK, NULL);
    fixture_end_transaction(false);
}

static struct uex_transaction_facts fixture_facts(void *context)
{
    (void)context;
    return (struct uex_transaction_facts){.is_lost = world.txn_is_lost,
                                          .was_fenced = world.txn_was_fenced,
                                          .has_producer = !world.txn_has_no_producer,
                                          .last_code = world.txn_code,
                                          .rebuild_count = world.rebuild_count,
                                          .transactional_id = "workers-1"};
}

static void fixture_forget_error(void *context)
{
    (void)context;
}

static struct uex_txn_age fixture_age(void *context, int64_t now_ms)
{
    (void)context;
    (void)now_ms;
    return world.txn_age;
}

static void fixture_close_producer(void *context)
{
    (void)context;
    world.close_producer_calls++;
}

/* ---- the observer */

static void fixture_on_committed(void *context, const struct uex_inflight *inflight)
{
    (void)context;
    (void)inflight;
    world.committed_seen++;
}

static void fixture_on_transaction(void *context, const char *result, int64_t duration_us, size_t outcome_count)
{
    (void)context;
    (void)duration_us;
    (void)outcome_count;
    world.transaction_seen++;
    world.transaction_result = result;
}

static void fixture_on_rebalanced(void *context, size_t partition_count, size_t adopted, size_t cancelled)
{
    (void)context;
    (void)partition_count;
    world.rebalanced_seen++;
    world.adopted = adopted;
    world.cancelled = cancelled;
}

/* ---- set up: an engine with a command topic and one retry topic, without partitions */

FIXTURE_UNUSED static int fixture_open(void **state)
{
    static const struct uex_consumer consumer = {
        .subscribe = fixture_subscribe,
        .poll = fixture_poll,
        .pause = fixture_pause,
        .resume = fixture_resume,
        .seek = fixture_seek,
        .assign = fixture_assign_answer,
        .is_lost = fixture_is_lost,
        .group_metadata = fixture_metadata,
        .confirm = fixture_confirm,
        .committed = fixture_committed,
        .close = fixture_leave,
        .command_partitions = fixture_command_partitions,
        .state_partitions = fixture_state_partitions,
        .state_watermarks = fixture_watermarks,
        .state_assign = fixture_state_assign,
        .state_poll = fixture_state_poll,
        .state_release = fixture_state_release,
    };
    static const struct uex_transaction transaction = {
        .prepare = fixture_prepare,
        .begin = fixture_begin,
        .produce = fixture_produce,
        .flush = fixture_flush,
        .send_offsets = fixture_send_offsets,
        .commit = fixture_commit,
        .abort = fixture_abort,
        .facts = fixture_facts,
        .forget_error = fixture_forget_error,
        .age = fixture_age,
        .close = fixture_close_producer,
    };
    struct uex_engine *engine = &world.engine;

    (void)state;
    memset(&world, 0, sizeof(world));
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_JSON);
    world.now_ms = 1000000;
    world.holds = true;
    world.generation = 1;
    world.command_partitions = 1;
    world.group_offsets = rd_kafka_topic_partition_list_new(4);
    world.retry_delays_ms[0] = 60000;
    world.tiers[0] = (struct uex_tier){.topic = RETRIES, .partition_count = 1, .configured = true};
    world.tier_count = 1;
    world.config = (struct uex_config){.kafka_group_id = (char *)GROUP,
                                       .topics_command = (char *)COMMANDS,
                                       .topics_state = (char *)STATES,
                                       .topics_result = (char *)"results",
                                       .topics_dlq = (char *)"dead-letters",
                                       .topics_retry = (char *)"retry",
                                       .retry_crashes = 3,
                                       .retry_tier_count = 1,
                                       .export_lanes = 2,
                                       .commit_max_list_bytes = 1 << 20};
    memcpy(world.config.retry_delays_ms, world.retry_delays_ms, sizeof(world.config.retry_delays_ms));
    uex_engine_init(engine, &world.config);
    engine->observer = (struct uex_engine_observer){
        .committed = fixture_on_committed, .transaction = fixture_on_transaction, .rebalanced = fixture_on_rebalanced};
    engine->consumer = consumer;
    engine->transaction = transaction;
    engine->cluster_id = strdup("cluster");
    engine->input_topics[0].topic = strdup(COMMANDS);
    engine->input_topics[1].topic = strdup(RETRIES);
    engine->input_topic_count = 2;
    return 0;
}

FIXTURE_UNUSED static int fixture_close(void **state)
{
    (void)state;
    uex_rebalance_abandon(&world.engine);
    uex_restore_cancel(&world.engine);
    for (int32_t i = 0; i < world.engine.synced.partition_count; i++) {
        for (size_t input_topic = 0; input_topic < world.engine.input_topic_count; input_topic++)
            uex_reset_forget_backpressured_synced(&world.engine.synced.partitions[i].inputs[input_topic]);
    }
    for (size_t i = world.fetched_next; i < world.fetched_count; i++)
        uex_record_free(world.fetched[i].record);
    for (size_t i = 0; i < world.produced_count; i++) {
        free(world.produced[i].value);
        if (world.produced[i].headers != NULL)
            rd_kafka_headers_destroy(world.produced[i].headers);
    }
    uex_engine_close(&world.engine);
    if (world.spool_dir != NULL) {
        uex_spool_dir_close(world.spool_dir);
        (void)rmdir(world.work_dir);
    }
    fixture_keep(&world.assigned, NULL);
    fixture_keep(&world.paused, NULL);
    fixture_keep(&world.resumed, NULL);
    fixture_keep(&world.sought, NULL);
    fixture_keep(&world.state_assigned, NULL);
    fixture_keep(&world.txn_offsets, NULL);
    fixture_keep(&world.group_offsets, NULL);
    return 0;
}

/* ---- steps of a test */

/* What the group has committed for a partition; metadata NULL: none. */
FIXTURE_UNUSED static void fixture_set_committed(const char *topic, int32_t partition, int64_t offset,
                                                 const char *metadata)
{
    rd_kafka_topic_partition_t *place = NULL;

    (void)rd_kafka_topic_partition_list_del(world.group_offsets, topic, partition);
    place = rd_kafka_topic_partition_list_add(world.group_offsets, topic, partition);
    place->offset = offset;
    if (metadata != NULL) {
        place->metadata = strdup(metadata);
        place->metadata_size = strlen(metadata);
    }
}

FIXTURE_UNUSED static const rd_kafka_topic_partition_t *fixture_committed_of(const char *topic, int32_t partition)
{
    return rd_kafka_topic_partition_list_find(world.group_offsets, topic, partition);
}

/* The metadata of a committed offset as text; "" without. In a static buffer. */
FIXTURE_UNUSED static const char *fixture_committed_text(const char *topic, int32_t partition)
{
    static char text[UEX_WINDOW_METADATA_MAX + 1];
    const rd_kafka_topic_partition_t *place = fixture_committed_of(topic, partition);

    (void)snprintf(text, sizeof(text), "%.*s", place == NULL ? 0 : (int)place->metadata_size,
                   place == NULL || place->metadata == NULL ? "" : (const char *)place->metadata);
    return text;
}

/* Partitions [first, first + count) of every source are assigned; what is not known yet stays pending. */
FIXTURE_UNUSED static void fixture_assign(int32_t first, int32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    for (size_t input_topic = 0; input_topic < world.engine.input_topic_count; input_topic++) {
        for (int32_t i = first; i < first + count; i++)
            (void)rd_kafka_topic_partition_list_add(list, world.engine.input_topics[input_topic].topic, i);
    }
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
}

FIXTURE_UNUSED static void fixture_revoke(void)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* In how many ms the worker joins the consumer group again; FIXTURE_NEVER: it has no reason to. */
#define FIXTURE_NEVER INT64_C(-1)
FIXTURE_UNUSED static int64_t fixture_rejoins_in_ms(void)
{
    const int64_t at_ms = world.engine.membership.resubscribe_at_ms;

    return at_ms == 0 ? FIXTURE_NEVER : at_ms - world.now_ms;
}

/* Read the state topic to its end. */
FIXTURE_UNUSED static void fixture_restore(void)
{
    while (uex_restore_step(&world.engine, 20))
        assert_true(++world.wait_count < FIXTURE_WAITS_MAX);
}

/* The usual beginning: `count` partitions, committed at offset 0 with the given metadata ("": a clean end), assigned
 * and restored. */
FIXTURE_UNUSED static void fixture_begin_at(int32_t count, const char *metadata)
{
    world.command_partitions = count;
    for (int32_t i = 0; i < count; i++) {
        fixture_set_committed(COMMANDS, i, 0, metadata);
        fixture_set_committed(RETRIES, i, 0, metadata);
    }
    fixture_assign(0, count);
    fixture_restore();
}

/* The group number `index` among those that belong to a partition of `count`. In one of eight static buffers. */
FIXTURE_UNUSED static const char *fixture_group(int32_t partition, int32_t count, unsigned index)
{
    static char names[8][16];
    static unsigned next;
    char *name = names[next++ % 8];

    for (unsigned i = 0;; i++) {
        (void)snprintf(name, sizeof(names[0]), "g%u", i);
        if (uex_partition_of(uex_bytes_of_text(name), count) == partition && index-- == 0)
            return name;
    }
}

/* A record as the consumer brings it. `value` NULL: a command of the group that is the key. Topics are borrowed. */
FIXTURE_UNUSED static struct uex_record *fixture_record(const char *topic, int32_t partition, int64_t offset,
                                                        const char *key, const char *value)
{
    /* As record.c lays it out: one block, its size behind the public struct, then the bytes. */
    struct block {
        struct uex_record record;
        size_t size_bytes;
        char bytes[512];
    } *block = calloc(1, sizeof(*block));
    struct uex_record *record = &block->record;
    const int key_bytes = key == NULL ? 0 : snprintf(block->bytes, 200, "%s", key);
    char *text = block->bytes + key_bytes + 1;

    block->size_bytes = sizeof(*block);
    *record = (struct uex_record){
        .topic = topic, .partition = partition, .offset = offset, .timestamp_ms = STARTED_WALL_MS + world.now_ms};
    if (key != NULL)
        record->key = uex_bytes_of(block->bytes, (size_t)key_bytes);
    if (value != NULL)
        (void)snprintf(text, 300, "%s", value);
    else
        (void)snprintf(text, 300, "{\"groupId\":\"%s\"}", key);
    record->value = uex_bytes_of(text, strlen(text));
    uex_envelope_read(record, COMMANDS);
    return record;
}

/* A command in the retry topic: its second attempt, not before `due_ms` (wall). The headers live until the next call.
 */
FIXTURE_UNUSED static struct uex_record *fixture_retry(int32_t partition, int64_t offset, const char *group,
                                                       int64_t due_ms)
{
    static uint8_t attempts[4], due[8];
    static struct uex_record_header headers[2];
    struct uex_record *record = fixture_record(RETRIES, partition, offset, group, NULL);

    attempts[3] = 2;
    for (size_t i = 0; i < sizeof(due); i++)
        due[i] = (uint8_t)((uint64_t)due_ms >> (8 * (7 - i)));
    headers[0] = (struct uex_record_header){UEX_HEADER_RETRY_ATTEMPTS, uex_bytes_of(attempts, sizeof(attempts))};
    headers[1] = (struct uex_record_header){UEX_HEADER_RETRY_DUE, uex_bytes_of(due, sizeof(due))};
    record->headers = headers;
    record->header_count = 2;
    uex_envelope_read(record, COMMANDS);
    return record;
}

/* The intake's next poll brings this. */
FIXTURE_UNUSED static void fixture_fetch(struct uex_record *record)
{
    assert_true(world.fetched_count < FIXTURE_LIST_MAX);
    world.fetched[world.fetched_count++] = (struct uex_fetched){.kind = UEX_FETCHED_RECORD,
                                                                .topic = record->topic,
                                                                .partition = record->partition,
                                                                .offset = record->offset,
                                                                .record = record};
}

/* The intake's next poll says that a partition ends there, or brings an error. */
FIXTURE_UNUSED static void fixture_fetch_end(const char *topic, int32_t partition, int64_t offset)
{
    assert_true(world.fetched_count < FIXTURE_LIST_MAX);
    world.fetched[world.fetched_count++] =
        (struct uex_fetched){.kind = UEX_FETCHED_END, .topic = topic, .partition = partition, .offset = offset};
}

FIXTURE_UNUSED static void fixture_fetch_error(rd_kafka_resp_err_t code)
{
    assert_true(world.fetched_count < FIXTURE_LIST_MAX);
    world.fetched[world.fetched_count++] =
        (struct uex_fetched){.kind = UEX_FETCHED_ERROR, .code = code, .error_text = "as the test wants it"};
}

/* One round of the intake for each record that was given, and one more. */
FIXTURE_UNUSED static void fixture_intake(void)
{
    struct uex_intake intake = {0};

    while (world.fetched_next < world.fetched_count)
        uex_intake_step(&world.engine, &intake);
    uex_intake_step(&world.engine, &intake);
}

/* A command that is read by the intake, its command; NULL: it is backpressured, known or over. */
FIXTURE_UNUSED static struct uex_inflight *fixture_command(int32_t partition, int64_t offset, const char *group)
{
    struct uex_inflight *inflight = NULL;

    fixture_fetch(fixture_record(COMMANDS, partition, offset, group, NULL));
    fixture_intake();
    uex_engine_lock(&world.engine);
    inflight = uex_dispatch_find_synced(&world.engine, 0, partition, offset);
    uex_engine_unlock(&world.engine);
    return inflight;
}

/* What a lane gets now; NULL where it would wait. */
FIXTURE_UNUSED static struct uex_inflight *fixture_take(void)
{
    struct uex_inflight *inflight = NULL;

    uex_engine_lock(&world.engine);
    inflight = uex_dispatch_next_synced(&world.engine);
    uex_engine_unlock(&world.engine);
    return inflight;
}

/* The job of a command ends: skipped as empty, or failed with `error`. */
FIXTURE_UNUSED static void fixture_finish(struct uex_inflight *inflight, enum uex_error error)
{
    struct uex_job_outcome job = {.error = error, .skip = UEX_SKIP_EMPTY};

    if (error != UEX_OK)
        (void)uex_fail(&job.fault, error, "the job failed as the test wants it");
    uex_engine_finish(&world.engine, inflight, &job);
}

/* The job of a command ends: exported, its result `part_count` messages of `part_bytes` each, whose bytes are the
 * number of the message. */
FIXTURE_UNUSED static void fixture_finish_list(struct uex_inflight *inflight, size_t part_count, size_t part_bytes)
{
    struct uex_job_outcome job = {.row_count = part_count, .snapshot_at_ms = 1, .part_count = part_count};
    uint8_t *bytes = malloc(part_bytes + 1);
    struct uex_fault fault = {0};

    if (world.spool_dir == NULL) {
        (void)snprintf(world.work_dir, sizeof(world.work_dir), "/tmp/engine-test-XXXXXX");
        assert_non_null(mkdtemp(world.work_dir));
        assert_int_equal(uex_spool_dir_open(world.work_dir, &world.spool_dir, &fault), UEX_OK);
    }
    assert_int_equal(uex_spool_new(world.spool_dir, &job.lists, &fault), UEX_OK);
    job.parts = calloc(part_count + 1, sizeof(*job.parts));
    for (size_t i = 0; i < part_count; i++) {
        memset(bytes, '1' + (int)i % 9, part_bytes);
        job.parts[i] = (struct uex_result_part){.offset = i * part_bytes, .size_bytes = (uint32_t)part_bytes};
        assert_int_equal(uex_spool_append(job.lists, uex_bytes_of(bytes, part_bytes), &fault), UEX_OK);
    }
    free(bytes);
    uex_engine_finish(&world.engine, inflight, &job);
}

/* Rounds of the committer until it has nothing to do; `rounds` at most. */
FIXTURE_UNUSED static void fixture_commits(unsigned rounds)
{
    struct uex_committer *committer = uex_committer_new(&world.engine);

    assert_non_null(committer);
    uex_engine_lock(&world.engine);
    for (unsigned i = 0; i < rounds; i++)
        uex_committer_step_synced(committer);
    uex_engine_unlock(&world.engine);
    uex_committer_free(committer);
}

/* The last header of that name of a record that was produced, as text; NULL: there is none. In a static buffer. */
FIXTURE_UNUSED static const char *fixture_header(const struct fixture_produced *produced, const char *name)
{
    static char text[512];
    const void *value = NULL;
    size_t size_bytes = 0;

    if (produced->headers == NULL ||
        rd_kafka_header_get_last(produced->headers, name, &value, &size_bytes) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return NULL;
    (void)snprintf(text, sizeof(text), "%.*s", (int)size_bytes, (const char *)value);
    return text;
}

/* For on_wait: the committer works while another thread of the engine waits. */
FIXTURE_UNUSED static void fixture_committer_works(void)
{
    void (*const before)(void) = world.on_wait;
    struct uex_committer *committer = uex_committer_new(&world.engine);

    assert_non_null(committer);
    world.on_wait = NULL; /* the committer's own waits */
    uex_committer_step_synced(committer);
    world.on_wait = before;
    uex_committer_free(committer);
}

/* What a worker thread is given, the start of a suspect committed; NULL: nothing for UEX_LANE_IDLE_MS. The committer
 * works meanwhile, unless on_wait is the test's own. */
FIXTURE_UNUSED static struct uex_inflight *fixture_lane(void)
{
    void (*const before)(void) = world.on_wait;
    struct uex_inflight *inflight = NULL;
    bool idle = false;

    if (before == NULL)
        world.on_wait = fixture_committer_works;
    inflight = uex_engine_take(&world.engine, &idle);
    world.on_wait = before;
    return inflight;
}

/* How many committed records went to a topic. */
FIXTURE_UNUSED static size_t fixture_committed_records(const char *topic)
{
    size_t count = 0;

    for (size_t i = 0; i < world.produced_count; i++) {
        if (world.produced[i].is_committed && strcmp(world.produced[i].topic, topic) == 0)
            count++;
    }
    return count;
}
#endif
