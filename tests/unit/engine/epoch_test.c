/* SPDX-License-Identifier: Apache-2.0 */
/* A new epoch: which partitions are worked, where they are read from, what becomes of the commands that are in flight.
 */
#include "failing_memory.h"

#include "engine_fixture.h"

static struct uex_partition *partition_at(int32_t number)
{
    return &world.engine.synced.partitions[number];
}

static struct uex_input *input_at(size_t input_topic, int32_t partition)
{
    return uex_engine_input(&world.engine, input_topic, partition);
}

static int64_t assigned_offset(const char *topic, int32_t partition)
{
    return rd_kafka_topic_partition_list_find(world.assigned, topic, partition)->offset;
}

/* A group of the only partition there is; once there are two, of this one. */
static const char *group_that_will_be_at(int32_t partition)
{
    return fixture_group(partition, 2, 0);
}

static struct uex_inflight *find(int32_t partition, int64_t offset)
{
    struct uex_inflight *inflight = NULL;

    uex_engine_lock(&world.engine);
    inflight = uex_dispatch_find_synced(&world.engine, 0, partition, offset);
    uex_engine_unlock(&world.engine);
    return inflight;
}

/* A command that is read and runs. */
static struct uex_inflight *run(int32_t partition, int64_t offset, const char *group)
{
    struct uex_inflight *inflight = fixture_command(partition, offset, group);

    assert_non_null(inflight);
    if (fixture_take() == NULL) { /* its crash marker comes first */
        fixture_commits(3);
        assert_ptr_equal(fixture_take(), inflight);
    }
    assert_int_equal(inflight->state, UEX_INFLIGHT_RUNNING);
    return inflight;
}

/* A record that is no command: it has its outcome at once, and holds no group. */
static void read_malformed(int32_t partition, int64_t offset, const char *key)
{
    fixture_fetch(fixture_record(COMMANDS, partition, offset, key, "no command"));
    fixture_intake();
    assert_int_equal(find(partition, offset)->state, UEX_INFLIGHT_ENDED);
}

static bool has_open_mark(int32_t partition)
{
    return strstr(fixture_committed_text(COMMANDS, partition), ";u=") != NULL;
}

/* The revoke and the assignment of a rebalance. The crash markers are taken back as a clean revoke does it, but no
 * outcome that waits is committed. */
static void rebalance(int32_t first, int32_t count)
{
    char closed[32];

    world.is_lost = true;
    fixture_revoke();
    world.is_lost = false;
    (void)snprintf(closed, sizeof(closed), "uex1;n=%d", (int)world.engine.synced.partition_count);
    for (int32_t i = 0; i < world.engine.synced.partition_count; i++) {
        if (has_open_mark(i))
            fixture_set_committed(COMMANDS, i, fixture_committed_of(COMMANDS, i)->offset, closed);
    }
    world.generation++;
    fixture_assign(first, count);
}

/* ---- how many partitions and topics there are */

static void assign__broker_reports_fewer_partitions_than_before__count_stays(void **state)
{
    (void)state;
    fixture_begin_at(3, "uex1;n=3");
    world.command_partitions = 2;
    rebalance(0, 2);
    assert_int_equal(world.engine.synced.partition_count, 3);
    assert_true(partition_at(1)->assigned);
    assert_false(partition_at(2)->assigned);
    assert_false(partition_at(0)->full_scan);
}

static void resize__no_memory__says_so_and_can_be_repeated(void **state)
{
    (void)state;
    for (size_t failing = 1; failing <= 2; failing++) {
        bool resized = true;

        uex_engine_lock(&world.engine);
        uex_torture_from(failing);
        resized = uex_epoch_resize_synced(&world.engine, 1);
        uex_torture.armed = false;
        uex_engine_unlock(&world.engine);
        assert_false(resized);
        assert_int_equal(world.engine.synced.partition_count, 0);
    }
    fixture_begin_at(1, "uex1;n=1");
    assert_non_null(fixture_command(0, 0, "g"));
}

static enum uex_error count_and_starve(void *context, int64_t timeout_ms, int32_t *count, struct uex_fault *fault)
{
    (void)context;
    (void)timeout_ms;
    (void)fault;
    *count = 1;
    uex_torture_from(1);
    return UEX_OK;
}

static void assign__no_memory_for_its_partitions__engine_is_broken(void **state)
{
    (void)state;
    world.engine.consumer.command_partitions = count_and_starve;
    fixture_assign(0, 1);
    uex_torture.armed = false;
    assert_int_equal(uex_engine_failure(&world.engine), UEX_FAILURE_BROKEN);
    assert_int_equal(uex_engine_lifecycle(&world.engine), UEX_LIFECYCLE_LEAVING);
    assert_string_equal(world.engine.synced.starved, "partitions");
    assert_int_equal(world.engine.synced.epoch, 0);
    assert_int_equal(world.assign_calls, 0); /* uex_rebalance_abandon() answers it when the worker leaves */
}

static void reserve_input_topics__one_more_topic__input_partitions_of_the_others_stay(void **state)
{
    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    assert_non_null(fixture_command(1, 0, fixture_group(1, 2, 0)));
    uex_engine_lock(&world.engine);
    assert_true(uex_epoch_reserve_input_topics_synced(&world.engine, 3));
    world.engine.input_topics[2].topic = strdup("retry-1");
    world.engine.input_topic_count = 3;
    uex_engine_unlock(&world.engine);
    assert_int_equal(input_at(0, 1)->window.next, 1);
    assert_true(input_at(0, 1)->assigned);
    for (int32_t i = 0; i < 2; i++) {
        assert_false(input_at(2, i)->assigned);
        assert_int_equal(input_at(2, i)->window.base, UEX_OFFSET_NONE);
        assert_int_equal(input_at(2, i)->committed_base, UEX_OFFSET_NONE);
        assert_int_equal(input_at(2, i)->seek_to, UEX_OFFSET_NONE);
        assert_int_equal(input_at(2, i)->read_next, UEX_OFFSET_NONE);
    }
}

static void reserve_input_topics__no_memory__what_there_was_stays_usable(void **state)
{
    bool reserved = true;

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    uex_engine_lock(&world.engine);
    uex_torture_from(2); /* of the second partition */
    reserved = uex_epoch_reserve_input_topics_synced(&world.engine, 3);
    uex_torture.armed = false;
    uex_engine_unlock(&world.engine);
    assert_false(reserved);
    assert_non_null(fixture_command(0, 0, fixture_group(0, 2, 0)));
    assert_non_null(fixture_command(1, 0, fixture_group(1, 2, 0)));
}

/* ---- partition numbers that are worked */

/* The command topic's partitions 0 and 1, and the retry topic's 0 only. */
static void assign_split(void)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);

    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, 0);
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, 1);
    (void)rd_kafka_topic_partition_list_add(list, RETRIES, 0);
    world.command_partitions = 2;
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Commands and retries of a group would be at two workers. */
static void assign__number_not_owned_in_every_topic__is_not_worked(void **state)
{
    (void)state;
    assign_split();
    assert_true(partition_at(0)->assigned);
    assert_false(partition_at(1)->assigned);
    assert_false(input_at(0, 1)->assigned);
    assert_int_equal(world.assigned->cnt, 2);
    assert_null(rd_kafka_topic_partition_list_find(world.assigned, COMMANDS, 1));
    assert_int_equal(world.logged[UEX_EVENT_PARTITION_SPLIT], 1);
    assert_null(fixture_command(1, 0, fixture_group(1, 2, 0)));
}

static void assign__number_not_owned_in_every_topic_again_and_again__rejoins_after_growing_pauses(void **state)
{
    static const int64_t pauses_ms[] = {6000, 12000, 24000, 48000, 96000, 96000};

    (void)state;
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        assign_split();
        assert_int_equal(fixture_rejoins_in_ms(), pauses_ms[i]);
        world.now_ms += pauses_ms[i];
        fixture_intake();
        assert_int_equal(world.subscribe_calls, i + 1);
        assert_int_equal(world.leave_calls, i + 1); /* so that the group assigns the partitions that there are now */
    }
    rebalance(0, 2);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
    assign_split();
    assert_int_equal(fixture_rejoins_in_ms(), pauses_ms[0]);
}

static void assign__numbers_of_other_members__are_no_reason_to_rejoin(void **state)
{
    (void)state;
    world.command_partitions = 4;
    fixture_assign(1, 2);
    assert_false(partition_at(0)->assigned);
    assert_true(partition_at(1)->assigned && partition_at(2)->assigned);
    assert_false(partition_at(3)->assigned);
    assert_int_equal(fixture_rejoins_in_ms(), FIXTURE_NEVER);
    assert_int_equal(world.logged[UEX_EVENT_PARTITION_SPLIT], 0);
}

/* A retry topic that is not read any more may be in an assignment that was made before. */
static void assign__topic_that_is_not_read__is_left_out(void **state)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);

    (void)state;
    (void)rd_kafka_topic_partition_list_add(list, "retry-7", 0);
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, 0);
    (void)rd_kafka_topic_partition_list_add(list, RETRIES, 0);
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
    assert_int_equal(world.assigned->cnt, 2);
    assert_null(rd_kafka_topic_partition_list_find(world.assigned, "retry-7", 0));
    assert_true(partition_at(0)->assigned);
}

/* ---- where they are read from */

static void assign__offset_that_no_log_has__is_read_from_the_beginning(void **state)
{
    (void)state;
    fixture_set_committed(COMMANDS, 0, UEX_OFFSET_MAX + 1, "uex1;n=1");
    fixture_assign(0, 1);
    assert_int_equal(assigned_offset(COMMANDS, 0), RD_KAFKA_OFFSET_BEGINNING);
    assert_int_equal(input_at(0, 0)->committed_base, UEX_OFFSET_NONE);
}

/* The bitmap begins with finished offsets: the first unfinished one is where it goes on. */
static void assign__offsets_above_the_committed_one_are_finished__are_not_taken_again(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1;b=Ag==");
    assert_int_equal(assigned_offset(COMMANDS, 0), 0);
    assert_non_null(fixture_command(0, 0, "g"));
    assert_null(fixture_command(0, 1, "h"));
    assert_non_null(fixture_command(0, 2, "i"));
}

static void assign__partition_count_is_that_of_the_offset__reads_its_own_state_only(void **state)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2);

    (void)state;
    world.state_high[0] = world.state_high[1] = 5;
    world.command_partitions = 2;
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=2");
    fixture_set_committed(RETRIES, 0, 0, "uex1;n=1"); /* what it says of the count does not matter */
    (void)rd_kafka_topic_partition_list_add(list, RETRIES, 0);
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, 0);
    uex_rebalance_callback(&world.engine, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, list);
    rd_kafka_topic_partition_list_destroy(list);
    assert_false(partition_at(0)->full_scan);
    assert_true(uex_restore_step(&world.engine, 20));
    assert_int_equal(world.state_assigned->cnt, 1);
}

static void assign__topic_has_grown_since_the_offset__reads_every_state_partition(void **state)
{
    (void)state;
    world.state_high[0] = world.state_high[1] = 5;
    world.command_partitions = 2;
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=1");
    fixture_set_committed(RETRIES, 0, 0, "uex1;n=2");
    fixture_assign(0, 1);
    assert_true(partition_at(0)->full_scan);
    assert_true(uex_restore_step(&world.engine, 20));
    assert_int_equal(world.state_assigned->cnt, 2);
}

static void assign__metadata_of_somebody_else__reads_every_state_partition(void **state)
{
    (void)state;
    fixture_set_committed(COMMANDS, 0, 4, "checkpoint 17");
    fixture_assign(0, 1);
    assert_int_equal(assigned_offset(COMMANDS, 0), 4);
    assert_true(partition_at(0)->full_scan);
}

/* The state of its groups is known up to there. */
static void assign__partition_stays__its_state_is_read_on(void **state)
{
    (void)state;
    world.state_high[0] = 5;
    world.states[world.state_count++] = (struct fixture_state){.partition = 0, .offset = 5};
    fixture_begin_at(1, "uex1;n=1");
    assert_int_equal(partition_at(0)->state_next, 5);
    rebalance(0, 1);
    assert_int_equal(partition_at(0)->state_next, 5);
    assert_false(partition_at(0)->restored); /* somebody may have added to it */
    assert_non_null(fixture_command(0, 0, "g"));
    assert_null(fixture_take());
    fixture_restore();
    assert_true(partition_at(0)->restored);
}

static void assign__partition_was_elsewhere__its_state_is_read_anew(void **state)
{
    (void)state;
    world.state_high[0] = 5;
    world.states[world.state_count++] = (struct fixture_state){.partition = 0, .offset = 5};
    fixture_begin_at(2, "uex1;n=2");
    rebalance(1, 1);
    fixture_restore();
    rebalance(0, 2);
    assert_int_equal(partition_at(0)->state_next, 0);
}

static void assign__topic_has_grown__known_state_is_read_anew_too(void **state)
{
    (void)state;
    world.state_high[0] = 5;
    world.states[world.state_count++] = (struct fixture_state){.partition = 0, .offset = 5};
    fixture_begin_at(1, "uex1;n=1");
    world.command_partitions = 2;
    rebalance(0, 1);
    assert_true(partition_at(0)->full_scan);
    assert_int_equal(partition_at(0)->state_next, 0);
}

static void assign__open_crash_marker__previous_owner_has_crashed(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    assert_int_equal(world.logged[UEX_EVENT_PREVIOUS_OWNER_CRASHED], 0);
    fixture_set_committed(RETRIES, 0, 0, "uex1;n=1;u=9");
    rebalance(0, 1);
    assert_int_equal(world.logged[UEX_EVENT_PREVIOUS_OWNER_CRASHED], 1);
    assert_int_equal(input_at(1, 0)->suspect_until, 9);
    assert_int_equal(input_at(0, 0)->suspect_until, UEX_OFFSET_NONE);
}

/* ---- what is in flight: adopted only where its offset is unfinished in the committed offset that was just read */

static void assign__running_command_is_unfinished__is_adopted(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    inflight = run(0, 0, "g");
    rebalance(0, 1);
    assert_int_equal(world.adopted, 1);
    assert_int_equal(world.cancelled, 0);
    assert_int_equal(inflight->epoch, 2);
    assert_false(uex_cancel_requested(&inflight->cancel));
    assert_int_equal(world.lines[UEX_EVENT_EXPORT_ADOPTED].level, UEX_LOG_INFO);
    assert_true(fixture_logged(UEX_EVENT_EXPORT_ADOPTED, "group=g"));
    fixture_restore();
    fixture_finish(inflight, UEX_OK);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
}

/* Its record is read again, and must not run a second time. */
static void assign__adopted_command_is_read_again__is_known(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)run(0, 0, "g");
    rebalance(0, 1);
    fixture_restore();
    (void)fixture_command(0, 0, "g");
    assert_int_equal(world.engine.synced.in_flight.count, 1);
    assert_null(fixture_take());
}

/* Each assignment reads from its committed offsets: nothing was read before. */
static void assign__records_are_read_again__is_no_log_that_goes_back(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)fixture_command(0, 0, "g");
    (void)fixture_command(0, 1, "h");
    input_at(0, 0)->seek_to = 1; /* a seek that was wanted is none any more */
    rebalance(0, 1);
    assert_non_null(fixture_command(0, 0, "g"));
    assert_non_null(fixture_command(0, 1, "i"));
    assert_int_equal(world.logged[UEX_EVENT_LOG_CHECK], 0);
    assert_null(world.sought);
}

static void assign__another_worker_finished_the_running_command__is_cancelled(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    inflight = run(0, 0, "g");
    fixture_set_committed(COMMANDS, 0, 1, "uex1;n=1");
    rebalance(0, 1);
    assert_int_equal(world.adopted, 0);
    assert_int_equal(world.cancelled, 1);
    assert_true(uex_cancel_requested(&inflight->cancel));
    fixture_restore();
    fixture_finish(inflight, UEX_OK);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 0);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
}

static void assign__bitmap_says_that_the_running_command_is_finished__is_cancelled(void **state)
{
    const struct uex_inflight *first = NULL, *second = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    first = run(0, 0, "g");
    second = run(0, 1, "h");
    fixture_set_committed(COMMANDS, 0, 0, "uex1;n=1;b=Ag==");
    rebalance(0, 1);
    assert_int_equal(world.adopted, 1);
    assert_int_equal(world.cancelled, 1);
    assert_false(uex_cancel_requested(&first->cancel));
    assert_true(uex_cancel_requested(&second->cancel));
}

static void assign__partition_went_elsewhere__its_command_is_cancelled_for_good(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    inflight = run(0, 0, fixture_group(0, 2, 0));
    rebalance(1, 1);
    assert_int_equal(world.cancelled, 1);
    assert_true(uex_cancel_requested(&inflight->cancel));
    rebalance(0, 2); /* it is back, and the job has not noticed yet */
    assert_int_equal(world.adopted, 0);
    assert_int_equal(world.cancelled, 0); /* that was counted before */
}

/* By the new count its group is of another partition, perhaps at another worker. */
static void assign__topic_has_grown_and_the_group_moved__its_command_is_cancelled(void **state)
{
    const struct uex_inflight *moved = NULL, *stays = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    stays = run(0, 0, group_that_will_be_at(0));
    moved = run(0, 1, group_that_will_be_at(1));
    world.command_partitions = 2;
    rebalance(0, 2);
    assert_int_equal(world.adopted, 1);
    assert_int_equal(world.cancelled, 1);
    assert_false(uex_cancel_requested(&stays->cancel));
    assert_true(uex_cancel_requested(&moved->cancel));
}

static void assign__outcome_waits_and_its_offset_is_unfinished__is_adopted(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_finish(run(0, 0, "g"), UEX_OK);
    rebalance(0, 1);
    assert_int_equal(world.adopted, 1);
    assert_int_equal(world.lines[UEX_EVENT_EXPORT_ADOPTED].level, UEX_LOG_DEBUG); /* nothing runs */
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 0); /* its state record needs the group's history */
    fixture_restore();
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
}

static void assign__outcome_waits_and_another_worker_has_finished_it__is_dropped(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_finish(run(0, 0, "g"), UEX_OK);
    fixture_set_committed(COMMANDS, 0, 1, "uex1;n=1");
    rebalance(0, 1);
    assert_int_equal(world.cancelled, 1);
    assert_int_equal(world.engine.synced.outbox.count, 0);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    fixture_restore();
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 0);
}

/* A dead letter of a record that is no command: its key says nothing of where it belongs. */
static void assign__topic_has_grown_and_an_outcome_holds_no_group__is_adopted(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    read_malformed(0, 0, group_that_will_be_at(1));
    world.command_partitions = 2;
    rebalance(0, 2);
    assert_int_equal(world.adopted, 1);
    fixture_restore();
    fixture_commits(3);
    assert_int_equal(fixture_committed_records("dead-letters"), 1);
}

/* The new owner of the crash markers: a crash now must find the command among the suspects. */
static void assign__running_command_is_adopted__crash_marker_is_committed_again(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    inflight = run(0, 0, "g");
    rebalance(0, 1);
    assert_false(has_open_mark(0));
    assert_int_equal(input_at(0, 0)->started_until, inflight->offset + 1);
    fixture_restore();
    fixture_commits(3);
    assert_true(has_open_mark(0));
}

static void assign__running_command_is_cancelled__no_crash_marker_is_needed(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    (void)run(0, 0, "g");
    fixture_set_committed(COMMANDS, 0, 1, "uex1;n=1");
    rebalance(0, 1);
    assert_int_equal(input_at(0, 0)->started_until, UEX_OFFSET_NONE);
    fixture_restore();
    fixture_commits(3);
    assert_false(has_open_mark(0));
}

/* The start of a suspected poison pill is counted in each epoch in which it runs. */
static void assign__running_suspect_is_adopted__its_start_is_counted_again(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1;u=1");
    fixture_fetch(fixture_record(COMMANDS, 0, 0, "g", NULL));
    fixture_intake();
    inflight = fixture_lane();
    assert_non_null(inflight);
    rebalance(0, 1);
    assert_int_equal(world.adopted, 1);
    fixture_restore();
    fixture_commits(3);
    assert_non_null(strstr(fixture_committed_text(COMMANDS, 0), ";s=0:1"));
    fixture_finish(inflight, UEX_OK);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
}

/* ---- offsets that go back: Kafka forgets them when a topic is deleted */

static void assign__committed_offset_went_back__work_of_the_old_topic_is_cancelled(void **state)
{
    const struct uex_inflight *inflight = NULL;
    uint64_t log_number = 0;

    (void)state;
    fixture_set_committed(COMMANDS, 0, 5, "uex1;n=1");
    fixture_assign(0, 1);
    fixture_restore();
    inflight = run(0, 5, "g");
    log_number = input_at(0, 0)->log_number;
    fixture_set_committed(COMMANDS, 0, 3, "uex1;n=1");
    rebalance(0, 1);
    assert_true(uex_cancel_requested(&inflight->cancel));
    assert_int_equal(world.adopted, 0);
    assert_int_equal(input_at(0, 0)->log_number, log_number + 1);
}

static void assign__committed_offset_is_gone__work_of_the_old_topic_is_cancelled(void **state)
{
    const struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    inflight = run(0, 0, "g");
    (void)rd_kafka_topic_partition_list_del(world.group_offsets, COMMANDS, 0);
    rebalance(0, 1);
    assert_true(uex_cancel_requested(&inflight->cancel));
    assert_int_equal(assigned_offset(COMMANDS, 0), RD_KAFKA_OFFSET_BEGINNING);
}

static void assign__committed_offset_is_the_same__log_is_the_same(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    rebalance(0, 1);
    assert_int_equal(input_at(0, 0)->log_number, 0);
}

/* The first transaction of all may still be under way. */
static void assign__there_never_was_a_committed_offset__work_is_adopted(void **state)
{
    (void)state;
    fixture_assign(0, 1);
    fixture_restore();
    read_malformed(0, 0, "g");
    rebalance(0, 1);
    assert_int_equal(world.adopted, 1);
    assert_int_equal(input_at(0, 0)->log_number, 0);
}

/* ---- an outcome whose transaction is running: the offsets that the assignment reads say how it ended */

static int32_t next_first;
static int64_t next_offset;

static void rebalance_in_commit(const char *step)
{
    if (strcmp(step, "commit") != 0)
        return;
    world.on_step = NULL;
    fixture_set_committed(COMMANDS, 0, next_offset, "uex1;n=2");
    rebalance(next_first, 1);
    fixture_restore();
}

/* A command of partition 0 of 2; while its outcome is committed, partition `first` alone is assigned, and the commit
 * fails. */
static void commit_while_assigned(int32_t first, int64_t offset)
{
    struct uex_inflight *inflight = NULL;

    fixture_begin_at(2, "uex1;n=2");
    inflight = run(0, 0, fixture_group(0, 2, 0));
    fixture_finish(inflight, UEX_OK);
    next_first = first;
    next_offset = offset;
    world.on_step = rebalance_in_commit;
    world.commit_error = UEX_KAFKA;
    fixture_commits(1);
    world.commit_error = UEX_OK;
    world.now_ms += 1000; /* the pause after an abort */
}

static void assign__running_transaction_is_in_the_offsets__its_outcome_is_committed(void **state)
{
    (void)state;
    commit_while_assigned(0, 1);
    assert_int_equal(world.committed_seen, 1);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
}

static void assign__running_transaction_is_not_in_the_offsets__its_outcome_is_committed_again(void **state)
{
    (void)state;
    commit_while_assigned(0, 0);
    assert_int_equal(world.committed_seen, 0);
    assert_int_equal(world.engine.synced.outbox.count, 1);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 1);
    assert_int_equal(fixture_committed_of(COMMANDS, 0)->offset, 1);
}

static void assign__partition_of_the_running_transaction_went_elsewhere__its_outcome_is_given_up(void **state)
{
    (void)state;
    commit_while_assigned(1, 0);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 0);
    assert_int_equal(fixture_committed_records(STATES), 0);
}

static void grow_in_commit(const char *step)
{
    if (strcmp(step, "commit") != 0)
        return;
    world.on_step = NULL;
    world.command_partitions = 2;
    rebalance(0, 2);
}

static void assign__topic_has_grown_and_the_group_moved__outcome_of_a_running_transaction_is_given_up(void **state)
{
    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_finish(run(0, 0, group_that_will_be_at(1)), UEX_OK);
    world.on_step = grow_in_commit;
    world.commit_error = UEX_KAFKA;
    fixture_commits(1);
    assert_int_equal(world.engine.synced.in_flight.count, 0);
    assert_int_equal(world.committed_seen, 0);
}

/* ---- groups */

static const struct uex_group_entry *entry_of(const char *group)
{
    return uex_group_table_find(&world.engine.synced.in_flight.groups, group);
}

static void assign__partition_stays__memory_of_its_groups_stays(void **state)
{
    const char *stays = fixture_group(0, 2, 0), *goes = fixture_group(1, 2, 0);

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    fixture_finish(run(0, 0, stays), UEX_OK);
    fixture_finish(run(1, 0, goes), UEX_OK);
    fixture_commits(3);
    assert_non_null(entry_of(stays)->memory);
    assert_non_null(entry_of(goes)->memory);
    rebalance(0, 1);
    assert_non_null(entry_of(stays)->memory);
    assert_null(entry_of(goes)); /* its owner adds to it, and this worker would not know */
}

/* The group stays locked until its job has ended, over rebalances too. */
static void assign__partition_went_elsewhere_while_a_job_runs__its_group_stays_locked(void **state)
{
    const char *group = fixture_group(0, 2, 0);
    struct uex_inflight *inflight = NULL;

    (void)state;
    fixture_begin_at(2, "uex1;n=2");
    fixture_finish(run(0, 0, group), UEX_OK);
    fixture_commits(3);
    inflight = run(0, 1, group);
    rebalance(1, 1);
    assert_ptr_equal(entry_of(group)->holder, inflight);
    assert_null(entry_of(group)->memory);
    rebalance(0, 2);
    fixture_restore();
    assert_non_null(fixture_command(0, 2, group));
    fixture_commits(3);
    assert_null(fixture_take());
    fixture_finish(inflight, UEX_CANCELLED);
    assert_null(fixture_take()); /* asks for the crash marker */
    fixture_commits(3);
    assert_non_null(fixture_take());
}

/* ---- membership */

/* A broker takes offsets under such metadata from anybody, unchecked. */
static void begin__membership_is_over__nothing_is_committed_before_the_next_assignment(void **state)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    size_t adopted = 0, cancelled = 0;

    (void)state;
    fixture_begin_at(1, "uex1;n=1");
    fixture_finish(run(0, 0, "g"), UEX_OK);
    fixture_revoke();
    list = rd_kafka_topic_partition_list_new(2);
    (void)rd_kafka_topic_partition_list_add(list, COMMANDS, 0);
    (void)rd_kafka_topic_partition_list_add(list, RETRIES, 0);
    world.engine.membership.pending_metadata = rd_kafka_consumer_group_metadata_new(GROUP);
    uex_engine_lock(&world.engine);
    partition_at(0)->restored = true;
    uex_epoch_begin_synced(&world.engine, list, &adopted, &cancelled);
    uex_engine_unlock(&world.engine);
    rd_kafka_topic_partition_list_destroy(list);
    assert_int_equal(world.engine.synced.assignment, UEX_ASSIGNMENT_FENCED);
    assert_int_equal(world.logged[UEX_EVENT_MEMBERSHIP_LOST], 1);
    fixture_commits(3);
    assert_int_equal(world.committed_seen, 0);
}

int main(void)
{
#define EPOCH_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        EPOCH_TEST(assign__broker_reports_fewer_partitions_than_before__count_stays),
        EPOCH_TEST(resize__no_memory__says_so_and_can_be_repeated),
        EPOCH_TEST(assign__no_memory_for_its_partitions__engine_is_broken),
        EPOCH_TEST(reserve_input_topics__one_more_topic__input_partitions_of_the_others_stay),
        EPOCH_TEST(reserve_input_topics__no_memory__what_there_was_stays_usable),
        EPOCH_TEST(assign__number_not_owned_in_every_topic__is_not_worked),
        EPOCH_TEST(assign__number_not_owned_in_every_topic_again_and_again__rejoins_after_growing_pauses),
        EPOCH_TEST(assign__numbers_of_other_members__are_no_reason_to_rejoin),
        EPOCH_TEST(assign__topic_that_is_not_read__is_left_out),
        EPOCH_TEST(assign__offset_that_no_log_has__is_read_from_the_beginning),
        EPOCH_TEST(assign__offsets_above_the_committed_one_are_finished__are_not_taken_again),
        EPOCH_TEST(assign__partition_count_is_that_of_the_offset__reads_its_own_state_only),
        EPOCH_TEST(assign__topic_has_grown_since_the_offset__reads_every_state_partition),
        EPOCH_TEST(assign__metadata_of_somebody_else__reads_every_state_partition),
        EPOCH_TEST(assign__partition_stays__its_state_is_read_on),
        EPOCH_TEST(assign__partition_was_elsewhere__its_state_is_read_anew),
        EPOCH_TEST(assign__topic_has_grown__known_state_is_read_anew_too),
        EPOCH_TEST(assign__open_crash_marker__previous_owner_has_crashed),
        EPOCH_TEST(assign__running_command_is_unfinished__is_adopted),
        EPOCH_TEST(assign__adopted_command_is_read_again__is_known),
        EPOCH_TEST(assign__records_are_read_again__is_no_log_that_goes_back),
        EPOCH_TEST(assign__another_worker_finished_the_running_command__is_cancelled),
        EPOCH_TEST(assign__bitmap_says_that_the_running_command_is_finished__is_cancelled),
        EPOCH_TEST(assign__partition_went_elsewhere__its_command_is_cancelled_for_good),
        EPOCH_TEST(assign__topic_has_grown_and_the_group_moved__its_command_is_cancelled),
        EPOCH_TEST(assign__outcome_waits_and_its_offset_is_unfinished__is_adopted),
        EPOCH_TEST(assign__outcome_waits_and_another_worker_has_finished_it__is_dropped),
        EPOCH_TEST(assign__topic_has_grown_and_an_outcome_holds_no_group__is_adopted),
        EPOCH_TEST(assign__running_command_is_adopted__crash_marker_is_committed_again),
        EPOCH_TEST(assign__running_command_is_cancelled__no_crash_marker_is_needed),
        EPOCH_TEST(assign__running_suspect_is_adopted__its_start_is_counted_again),
        EPOCH_TEST(assign__committed_offset_went_back__work_of_the_old_topic_is_cancelled),
        EPOCH_TEST(assign__committed_offset_is_gone__work_of_the_old_topic_is_cancelled),
        EPOCH_TEST(assign__committed_offset_is_the_same__log_is_the_same),
        EPOCH_TEST(assign__there_never_was_a_committed_offset__work_is_adopted),
        EPOCH_TEST(assign__running_transaction_is_in_the_offsets__its_outcome_is_committed),
        EPOCH_TEST(assign__running_transaction_is_not_in_the_offsets__its_outcome_is_committed_again),
        EPOCH_TEST(assign__partition_of_the_running_transaction_went_elsewhere__its_outcome_is_given_up),
        EPOCH_TEST(assign__topic_has_grown_and_the_group_moved__outcome_of_a_running_transaction_is_given_up),
        EPOCH_TEST(assign__partition_stays__memory_of_its_groups_stays),
        EPOCH_TEST(assign__partition_went_elsewhere_while_a_job_runs__its_group_stays_locked),
        EPOCH_TEST(begin__membership_is_over__nothing_is_committed_before_the_next_assignment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
