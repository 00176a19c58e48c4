/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the engine fails once: what a record is, its group, the groups' histories, committed offsets.
 * Where memory is short the engine is broken, or the step is tried again; no command is malformed, forgotten or done
 * twice.
 */
#include "failing_memory.h"

#include "engine/batch.h"
#include "engine/settle.h"
#include "export/thread.h"

#define COMMAND_ID "00000000-0000-4000-8000-000000000007"

static struct uex_engine engine;
static struct uex_config config;

/* A restore takes its assignment back. */
static rd_kafka_resp_err_t state_assign(void *context, const rd_kafka_topic_partition_list_t *list)
{
    (void)context;
    assert_null(list);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
static char command_topic[] = "commands", state_topic[] = "states", cluster_id[] = "cluster";

/* An engine whose one partition is assigned, restored and open; not counted. */
static void set_up(void)
{
    struct uex_input *input = NULL;

    uex_torture_count(false);
    memset(&engine, 0, sizeof(engine));
    config = (struct uex_config){.retry_crashes = 5, .topics_state = state_topic};
    engine.config = &config;
    engine.cluster_id = cluster_id;
    engine.input_topics[0].topic = command_topic;
    engine.input_topic_count = 1;
    engine.outcomes_max = 100;
    engine.synced.partition_count = 1;
    engine.synced.partitions = calloc(1, sizeof(struct uex_partition));
    engine.synced.partitions[0].inputs = calloc(UEX_INPUT_TOPICS_MAX, sizeof(struct uex_input));
    engine.synced.partitions[0].assigned = true;
    engine.synced.partitions[0].restored = true;
    input = &engine.synced.partitions[0].inputs[0];
    input->assigned = true;
    uex_window_restore(&input->window, 0, (struct uex_bytes){0}, &input->markers);
    uex_starts_restore_synced(input, &input->markers);
    input->committed_until = 1000;
    engine.synced.assignment = UEX_ASSIGNMENT_HELD;
    engine.synced.epoch = 1;
    (void)pthread_mutex_init(&engine.synced.lock, NULL);
    uex_cond_init(&engine.synced.work_changed);
    uex_cond_init(&engine.synced.outcomes_changed);
    uex_cond_init(&engine.synced.between);
    uex_torture_count(true);
}

static bool is_broken(void)
{
    return engine.synced.failure == UEX_FAILURE_BROKEN;
}

/* UEX_NO_MEMORY: the engine is broken. */
static enum uex_error tear_down(enum uex_error err)
{
    uex_torture_count(false);
    while (engine.synced.in_flight.first != NULL)
        uex_dispatch_release_synced(&engine, engine.synced.in_flight.first);
    uex_engine_lock(&engine);
    uex_engine_unlock(&engine); /* frees what is over */
    uex_group_table_clear(&engine.synced.in_flight.groups);
    free(engine.synced.partitions[0].inputs);
    free(engine.synced.partitions);
    assert_true(engine.synced.starved == NULL || (is_broken() && engine.synced.lifecycle == UEX_LIFECYCLE_LEAVING));
    return is_broken() ? UEX_NO_MEMORY : err;
}

/* A command of this command; not counted. */
static struct uex_inflight *arrive(const char *value)
{
    struct uex_inflight *inflight = NULL;
    struct uex_record *record = NULL;

    uex_torture_count(false);
    record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */
    record->topic = command_topic;
    record->offset = 7;
    record->timestamp_ms = 1000;
    record->key = uex_bytes_of_text("g");
    record->value = uex_bytes_of_text(value);
    inflight = uex_inflight_new(record, 0);
    uex_torture_count(true);
    return inflight;
}

static void adopt(struct uex_inflight *inflight)
{
    uex_window_see(&engine.synced.partitions[0].inputs[0].window, inflight->offset);
    uex_dispatch_add_synced(&engine, inflight);
}

/* What the record is, and what is taken for a lane. */
static enum uex_error classify_and_take(const char *value)
{
    struct uex_inflight *inflight = NULL;
    bool ended = false;
    enum uex_backpressure backpressure = UEX_BACKPRESSURE_NONE;

    set_up();
    inflight = arrive(value);
    backpressure = uex_classify(&engine, inflight, &ended);
    adopt(inflight);
    if (backpressure == UEX_BACKPRESSURE_NONE && !ended)
        uex_dispatch_enqueue_synced(&engine, inflight);
    if (!is_broken()) {
        assert_int_equal(backpressure, UEX_BACKPRESSURE_NONE);
        inflight = ended ? inflight : uex_dispatch_next_synced(&engine);
        uex_torture_note("ended=%d kind=%d fault=%s id=%s group=%s", ended, (int)inflight->outcome.kind,
                         inflight->outcome.fault.text, inflight->command.command_id, inflight->command.group_id);
    }
    return tear_down(UEX_OK);
}

static enum uex_error classify_command(void)
{
    return classify_and_take("{\"groupId\":\"g\",\"commandId\":\"" COMMAND_ID "\",\"reason\":\"because\"}");
}

static enum uex_error classify_malformed_command(void)
{
    return classify_and_take("{\"groupId\":\"g\",\"commandId\":\"" COMMAND_ID "\",\"domainId\":\"x\"}");
}

/* A state of the topic is read back, and its command is a duplicate. */
static enum uex_error restore_state(void)
{
    static const char value[] = "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"exported\",\"commandId\":\"" COMMAND_ID
                                "\",\"at\":\"2026-01-01T00:00:00Z\",\"recent\":[{\"commandId\":\"" COMMAND_ID
                                "\",\"runId\":\"r\",\"outcome\":\"exported\",\"at\":\"2026-01-01T00:00:00Z\"}]}";
    rd_kafka_message_t message = {
        .key = (void *)(uintptr_t) "g", .key_len = 1, .payload = (void *)(uintptr_t)value, .len = sizeof(value) - 1};
    const struct uex_group_entry *entry = NULL;

    set_up();
    uex_restore_begin(&engine);
    if (!is_broken())
        uex_restore_take(&engine, &message);
    if (!is_broken()) {
        entry = uex_group_table_find(&engine.synced.in_flight.groups, "g");
        uex_torture_note("duplicate=%d", entry != NULL && entry->memory != NULL &&
                                             uex_group_memory_is_duplicate(entry->memory, COMMAND_ID));
    }
    uex_torture_count(false);
    engine.consumer.state_assign = state_assign;
    uex_restore_cancel(&engine);
    return tear_down(UEX_OK);
}

/* An outcome is collected, its committed offset written, committed and settled: the group remembers it. */
static enum uex_error commit_outcome(void)
{
    struct uex_batch batch = {0};
    struct uex_buffer metadata = {0};
    const struct uex_group_entry *entry = NULL;
    struct uex_inflight *inflight = NULL;
    enum uex_error err = UEX_OK;

    set_up();
    inflight = arrive("");
    uex_torture_count(false);
    inflight->command.group_id = strdup("g");
    inflight->command.run_id = strdup("r");
    memcpy(inflight->command.command_id, COMMAND_ID, sizeof(COMMAND_ID));
    adopt(inflight);
    uex_torture_count(true);
    inflight->outcome.kind = UEX_OUTCOME_SKIPPED;
    inflight->outcome.skip = UEX_SKIP_EMPTY;
    inflight->outcome.at_ms = 1000;
    uex_dispatch_submit_synced(&engine, inflight);
    if (!uex_batch_collect_synced(&engine, 10, &batch) || batch.count != 1) {
        err = UEX_NO_MEMORY; /* the outcome waits for the next time */
        assert_ptr_equal(engine.synced.outbox.first, inflight);
    } else {
        uex_window_encode(&batch.offsets[0].window, &batch.offsets[0].markers, &metadata);
        err = uex_buffer_failed(&metadata) ? UEX_NO_MEMORY : UEX_OK;
        uex_settle_synced(&engine, &batch, err == UEX_OK);
    }
    if (err == UEX_OK && !is_broken()) {
        entry = uex_group_table_find(&engine.synced.in_flight.groups, "g");
        uex_torture_note("%s duplicate=%d", uex_buffer_text(&metadata),
                         entry != NULL && entry->memory != NULL &&
                             uex_group_memory_is_duplicate(entry->memory, COMMAND_ID));
    }
    uex_buffer_clear(&metadata);
    uex_batch_clear(&batch);
    return tear_down(err);
}

static void torture__engine__right_result_or_broken(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "a command", .run = classify_command},
        {.name = "a malformed command", .run = classify_malformed_command},
        {.name = "a state is restored", .run = restore_state},
        {.name = "an outcome is committed", .run = commit_outcome},
    };

    (void)state;
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_JSON);
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture__engine__right_result_or_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
