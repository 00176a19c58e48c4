/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a transaction, and what does not: an engine whose one partition is assigned and restored, without
 * Kafka. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/batch.h"

static struct uex_engine engine;
static struct uex_config config;
static struct uex_batch batch;
static char command_topic[] = "commands";

static int set_up(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof(engine));
    memset(&config, 0, sizeof(config));
    config.retry_crashes = 5;
    engine.config = &config;
    engine.input_topics[0].topic = command_topic;
    engine.input_topic_count = 1;
    engine.outcomes_max = 100;
    engine.synced.partition_count = 1;
    engine.synced.partitions = calloc(1, sizeof(struct uex_partition));
    engine.synced.partitions[0].inputs = calloc(UEX_INPUT_TOPICS_MAX, sizeof(struct uex_input));
    engine.synced.partitions[0].assigned = true;
    engine.synced.partitions[0].restored = true;
    engine.synced.partitions[0].inputs[0].assigned = true;
    uex_window_restore(&engine.synced.partitions[0].inputs[0].window, 0, (struct uex_bytes){0},
                       &engine.synced.partitions[0].inputs[0].markers);
    uex_starts_restore_synced(&engine.synced.partitions[0].inputs[0], &engine.synced.partitions[0].inputs[0].markers);
    engine.synced.partitions[0].inputs[0].committed_until = 1000;
    engine.synced.assignment = UEX_ASSIGNMENT_HELD;
    engine.synced.epoch = 2;
    (void)pthread_mutex_init(&engine.synced.lock, NULL);
    (void)pthread_cond_init(&engine.synced.work_changed, NULL);
    (void)pthread_cond_init(&engine.synced.outcomes_changed, NULL);
    (void)pthread_cond_init(&engine.synced.between, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    uex_batch_clear(&batch);
    uex_engine_lock(&engine);
    uex_engine_unlock(&engine); /* frees what is over */
    while (engine.synced.in_flight.first != NULL) {
        struct uex_inflight *next = engine.synced.in_flight.first->next;

        uex_inflight_free(engine.synced.in_flight.first);
        engine.synced.in_flight.first = next;
    }
    uex_group_table_clear(&engine.synced.in_flight.groups);
    free(engine.synced.partitions[0].inputs);
    free(engine.synced.partitions);
    (void)pthread_mutex_destroy(&engine.synced.lock);
    (void)pthread_cond_destroy(&engine.synced.work_changed);
    (void)pthread_cond_destroy(&engine.synced.outcomes_changed);
    (void)pthread_cond_destroy(&engine.synced.between);
    return 0;
}

/* A command of a group whose job has ended: exported. */
static struct uex_inflight *ended(const char *group, int64_t offset)
{
    struct uex_record *record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */
    struct uex_inflight *inflight = NULL;

    record->topic = command_topic;
    record->offset = offset;
    inflight = uex_inflight_new(record, 0);
    inflight->command.group_id = strdup(group);
    inflight->command.run_id = strdup("");
    (void)snprintf(inflight->command.command_id, sizeof(inflight->command.command_id),
                   "00000000-0000-4000-8000-%012lld", (long long)offset);
    uex_window_see(&engine.synced.partitions[0].inputs[0].window, offset);
    uex_dispatch_add_synced(&engine, inflight);
    uex_group_table_get(&engine.synced.in_flight.groups, group)->holder = inflight;
    inflight->holds_group = true;
    inflight->outcome.kind = UEX_OUTCOME_EXPORTED;
    inflight->outcome.job.row_count = 3;
    inflight->outcome.job.snapshot_at_ms = 1;
    uex_dispatch_submit_synced(&engine, inflight);
    return inflight;
}

/* As a restore would, after another owner has exported the command. */
static void know(const char *group, const char *command_id)
{
    struct uex_group_entry *entry = uex_group_table_get(&engine.synced.in_flight.groups, group);
    const struct uex_state_record record = {.group_id = group,
                                            .outcome = UEX_OUTCOME_EXPORTED,
                                            .command_id = command_id,
                                            .run_id = "",
                                            .at_ms = 1,
                                            .snapshot_at_ms = UEX_NO_TIME,
                                            .duration_ms = UEX_NO_TIME,
                                            .next_attempt_at_ms = UEX_NO_TIME};

    entry->memory = uex_group_memory_new();
    assert_int_equal(uex_group_memory_add(entry->memory, &record), UEX_OK);
}

static void collect__id_became_known_after_the_job_began__says_nothing_again(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);

    (void)state;
    know("g", inflight->command.command_id);
    assert_true(uex_batch_collect_synced(&engine, UEX_BATCH_MAX, &batch));
    assert_int_equal(batch.count, 1);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_SKIPPED);
    assert_int_equal(inflight->outcome.skip, UEX_SKIP_DUPLICATE);
    assert_true(inflight->outcome.keeps_no_state);
    assert_true(uex_window_finished(&batch.offsets[0].window, 7));
}

static void collect__outcome_of_an_older_epoch__stays_where_it_is(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);

    (void)state;
    inflight->epoch = engine.synced.epoch - 1;
    (void)uex_batch_collect_synced(&engine, UEX_BATCH_MAX, &batch);
    assert_int_equal(batch.count, 0);
    assert_ptr_equal(engine.synced.outbox.first, inflight);
}

static void collect__partition_not_restored__outcome_waits_for_the_history_of_its_group(void **state)
{
    struct uex_inflight *inflight = ended("g", 7);

    (void)state;
    engine.synced.partitions[0].restored = false;
    (void)uex_batch_collect_synced(&engine, UEX_BATCH_MAX, &batch);
    assert_int_equal(batch.count, 0);
    inflight->outcome.keeps_no_state = true;
    assert_true(uex_batch_collect_synced(&engine, UEX_BATCH_MAX, &batch));
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.offsets[0].markers.partition_count, 0); /* the next owner reads all of the state topic */
}

static void collect__one_that_was_refused__goes_alone_and_is_not_joined(void **state)
{
    struct uex_inflight *guilty = ended("a", 1);
    struct uex_inflight *other = ended("b", 2);

    (void)state;
    guilty->commit_by_itself = true;
    assert_true(uex_batch_collect_synced(&engine, UEX_BATCH_MAX, &batch));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], guilty);
    assert_true(uex_batch_collect_synced(&engine, UEX_BATCH_MAX, &batch));
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.commands[0], other);
}

static void collect__more_than_may_be_said_now__is_bounded(void **state)
{
    (void)state;
    (void)ended("a", 1);
    (void)ended("b", 2);
    (void)ended("c", 3);
    assert_true(uex_batch_collect_synced(&engine, 2, &batch));
    assert_int_equal(batch.count, 2);
    assert_int_equal(engine.synced.outbox.count, 1);
}

#define UEX_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UEX_TEST(collect__id_became_known_after_the_job_began__says_nothing_again),
        UEX_TEST(collect__outcome_of_an_older_epoch__stays_where_it_is),
        UEX_TEST(collect__partition_not_restored__outcome_waits_for_the_history_of_its_group),
        UEX_TEST(collect__one_that_was_refused__goes_alone_and_is_not_joined),
        UEX_TEST(collect__more_than_may_be_said_now__is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
