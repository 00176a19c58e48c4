/* SPDX-License-Identifier: Apache-2.0 */
/* Logs that are cut, or deleted and created again under a worker; and what a partition costs. Without Kafka. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>

#include "engine/batch.h"
#include "engine/settle.h"
#include "export/thread.h"

static struct uex_engine engine;
static struct uex_config config;
static char command_topic[] = "commands", tier_topic[] = "commands-retry-0", late_topic[] = "commands-retry-1";

static int set_up(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof(engine));
    config.retry_crashes = 5;
    engine.config = &config;
    engine.input_topics[0].topic = command_topic;
    engine.input_topics[1].topic = tier_topic;
    engine.input_topic_count = 2;
    engine.outcomes_max = 100;
    (void)pthread_mutex_init(&engine.synced.lock, NULL);
    uex_cond_init(&engine.synced.work_changed);
    uex_cond_init(&engine.synced.outcomes_changed);
    uex_cond_init(&engine.synced.between);
    return uex_epoch_resize_synced(&engine, 1) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    while (engine.synced.in_flight.first != NULL) {
        struct uex_inflight *next = engine.synced.in_flight.first->next;

        uex_inflight_free(engine.synced.in_flight.first);
        engine.synced.in_flight.first = next;
    }
    uex_engine_lock(&engine);
    uex_engine_unlock(&engine); /* frees what is over */
    uex_group_table_clear(&engine.synced.in_flight.groups);
    free(engine.synced.partitions[0].inputs);
    free(engine.synced.partitions);
    (void)pthread_mutex_destroy(&engine.synced.lock);
    (void)pthread_cond_destroy(&engine.synced.work_changed);
    (void)pthread_cond_destroy(&engine.synced.outcomes_changed);
    (void)pthread_cond_destroy(&engine.synced.between);
    return 0;
}

static struct uex_input *input_of(size_t input_topic)
{
    return &engine.synced.partitions[0].inputs[input_topic];
}

/* The group assigns both topics; the command topic's committed offset is `offset`, RD_KAFKA_OFFSET_INVALID for none. */
static void assign(int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2);
    size_t adopted = 0, cancelled = 0;

    rd_kafka_topic_partition_list_add(list, command_topic, 0)->offset = offset;
    rd_kafka_topic_partition_list_add(list, tier_topic, 0)->offset = RD_KAFKA_OFFSET_INVALID;
    uex_epoch_begin_synced(&engine, list, &adopted, &cancelled);
    rd_kafka_topic_partition_list_destroy(list);
}

/* The logs of these tests: a record's timestamp says which log it is of. */
enum { OLD_LOG = 1000000, NEW_LOG = 2000000 };

static struct uex_inflight *new_inflight(int64_t log, int64_t offset)
{
    struct uex_record *record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */

    record->topic = command_topic;
    record->offset = offset;
    record->timestamp_ms = log + offset;
    return uex_inflight_new(record, 0);
}

static enum uex_step notice_record(int64_t log, int64_t offset)
{
    struct uex_record record = {.topic = command_topic, .offset = offset, .timestamp_ms = log + offset};
    int64_t read_until = 0;

    return uex_reset_notice_synced(&engine, 0, 0, offset, &record, &read_until);
}

static enum uex_step notice_end(int64_t offset)
{
    int64_t read_until = 0;

    return uex_reset_notice_synced(&engine, 0, 0, offset, NULL, &read_until);
}

/* A record is read, and its command runs. */
static struct uex_inflight *running(int64_t log, int64_t offset)
{
    struct uex_inflight *inflight = new_inflight(log, offset);

    assert_int_equal(notice_record(log, offset), UEX_STEP_ON);
    uex_window_see(&input_of(0)->window, offset);
    uex_dispatch_add_synced(&engine, inflight);
    inflight->state = UEX_INFLIGHT_RUNNING;
    engine.synced.in_flight.running_count++;
    return inflight;
}

/* A record is read, and its command has its outcome. */
static void finished(int64_t log, int64_t offset)
{
    assert_int_equal(notice_record(log, offset), UEX_STEP_ON);
    uex_window_see(&input_of(0)->window, offset);
    uex_window_complete(&input_of(0)->window, offset);
}

/* As the intake has done what a step asked for. */
static int64_t sought(void)
{
    const int64_t seek_to = input_of(0)->seek_to;

    input_of(0)->seek_to = UEX_OFFSET_NONE;
    return seek_to;
}

/* The consumer reads these again, and none of them is taken. */
static void read_again(int64_t log, int64_t from, int64_t until)
{
    for (int64_t offset = from; offset < until; offset++)
        assert_int_equal(notice_record(log, offset), UEX_STEP_DROP);
}

/* From here on the partition is read as if nothing of it were known. */
static void assert_anew(void)
{
    assert_int_equal(sought(), RD_KAFKA_OFFSET_BEGINNING);
    assert_true(input_of(0)->window.base == UEX_OFFSET_NONE);
    assert_true(input_of(0)->committed_base == UEX_OFFSET_NONE);
    assert_true(input_of(0)->starts_dirty);
}

/* 500 runs, all else up to 1003 is finished, but for 999 and 1001, which run too. */
static struct uex_inflight *read_to_1003(struct uex_inflight **before_cut, struct uex_inflight **behind_cut)
{
    struct uex_inflight *first = NULL;

    assign(500);
    first = running(OLD_LOG, 500);
    for (int64_t offset = 501; offset < 1003; offset++) {
        if (offset == 999)
            *before_cut = running(OLD_LOG, offset);
        else if (offset == 1001)
            *behind_cut = running(OLD_LOG, offset);
        else
            finished(OLD_LOG, offset);
    }
    return first;
}

static void assert_cut_at_1000(const struct uex_inflight *first, const struct uex_inflight *before_cut,
                               const struct uex_inflight *behind_cut)
{
    const struct uex_window *window = &input_of(0)->window;

    assert_int_equal(sought(), 1000);
    assert_false(uex_cancel_requested(&first->cancel));
    assert_false(uex_cancel_requested(&before_cut->cancel));
    assert_true(uex_cancel_requested(&behind_cut->cancel));
    assert_int_equal(window->base, 500);
    assert_int_equal(window->next, 1000);
    assert_true(uex_window_finished(window, 998));
    assert_false(uex_window_finished(window, 999));
    for (int64_t offset = 1000; offset < 1003; offset++)
        assert_false(uex_window_finished(window, offset));
    assert_true(input_of(0)->starts_dirty); /* the bits of the lost end are in Kafka */
    (void)running(NEW_LOG, 1000);
    (void)running(NEW_LOG, 1001);
}

static void notice__log_cut_at_its_new_end__commands_before_the_cut_go_on(void **state)
{
    struct uex_inflight *first = NULL, *before_cut = NULL, *behind_cut = NULL;

    (void)state;
    first = read_to_1003(&before_cut, &behind_cut);
    input_of(0)->starts_dirty = false;
    assert_int_equal(notice_end(1000), UEX_STEP_CHECK); /* where the client's validation puts it */
    assert_int_equal(sought(), 500);
    read_again(OLD_LOG, 500, 1000);
    assert_int_equal(notice_end(1000), UEX_STEP_CUT);
    assert_cut_at_1000(first, before_cut, behind_cut);
}

static void notice__log_cut_and_written_again__the_first_other_record_is_the_cut(void **state)
{
    struct uex_inflight *first = NULL, *before_cut = NULL, *behind_cut = NULL;

    (void)state;
    first = read_to_1003(&before_cut, &behind_cut);
    assert_int_equal(notice_record(NEW_LOG, 1000), UEX_STEP_CHECK);
    assert_int_equal(notice_record(NEW_LOG, 1001), UEX_STEP_DROP); /* until the consumer has gone back */
    assert_int_equal(sought(), 500);
    read_again(OLD_LOG, 500, 1000);
    assert_int_equal(notice_record(NEW_LOG, 1000), UEX_STEP_CUT);
    assert_cut_at_1000(first, before_cut, behind_cut);
}

static void notice__log_cut_and_read_from_its_beginning__commands_before_the_cut_go_on(void **state)
{
    struct uex_inflight *first = NULL, *before_cut = NULL, *behind_cut = NULL;

    (void)state;
    first = read_to_1003(&before_cut, &behind_cut);
    assert_int_equal(notice_record(OLD_LOG, 100), UEX_STEP_CHECK); /* out of range: auto.offset.reset, all versions */
    assert_int_equal(sought(), 500);
    read_again(OLD_LOG, 500, 1000);
    assert_int_equal(notice_end(1000), UEX_STEP_CUT);
    assert_cut_at_1000(first, before_cut, behind_cut);
}

static void notice__log_cut_below_the_base__goes_on_at_the_cut(void **state)
{
    (void)state;
    assign(0);
    for (int64_t offset = 0; offset < 100; offset++)
        finished(OLD_LOG, offset);
    assert_int_equal(notice_end(97), UEX_STEP_CHECK);
    assert_int_equal(sought(), 100 - UEX_KNOWN_RECORDS);
    read_again(OLD_LOG, 100 - UEX_KNOWN_RECORDS, 97);
    assert_int_equal(notice_end(97), UEX_STEP_CUT);
    assert_int_equal(sought(), 97);
    assert_int_equal(input_of(0)->window.base, 97);
    assert_false(uex_window_finished(&input_of(0)->window, 97));
    (void)running(NEW_LOG, 97);
}

static void notice__finished_records_between_two_known_ones__are_kept_only_if_a_later_one_is_the_same(void **state)
{
    const struct uex_inflight *first = NULL;

    (void)state;
    assign(0);
    first = running(OLD_LOG, 0);
    for (int64_t offset = 1; offset < 200; offset++)
        finished(OLD_LOG, offset);
    assert_int_equal(notice_end(120), UEX_STEP_CHECK);
    assert_int_equal(sought(), 0);
    read_again(OLD_LOG, 0, 120); /* what was at 1 to 135 is not known any more */
    assert_int_equal(notice_end(120), UEX_STEP_CUT);
    assert_int_equal(sought(), 1);
    assert_false(uex_cancel_requested(&first->cancel));
    assert_false(uex_window_finished(&input_of(0)->window, 1));
}

static void notice__topic_created_again__is_read_from_its_beginning(void **state)
{
    struct uex_inflight *first = NULL, *second = NULL, *third = NULL;

    (void)state;
    first = read_to_1003(&second, &third);
    input_of(0)->first_backpressured = input_of(0)->last_backpressured = new_inflight(OLD_LOG, 1003);
    assert_int_equal(notice_record(NEW_LOG, 0), UEX_STEP_CHECK);
    assert_null(input_of(0)->first_backpressured);
    assert_int_equal(sought(), 500);
    read_again(NEW_LOG, 0, 10); /* 500 is out of range */
    assert_int_equal(notice_end(10), UEX_STEP_ANEW);
    assert_anew();
    assert_true(uex_cancel_requested(&first->cancel) && uex_cancel_requested(&second->cancel) &&
                uex_cancel_requested(&third->cancel));
    for (int64_t offset = 0; offset < 10; offset++)
        (void)running(NEW_LOG, offset);
    assert_int_equal(input_of(0)->window.base, 0);
}

static void notice__new_topic_outgrew_the_base__is_read_from_its_beginning(void **state)
{
    struct uex_inflight *first = NULL, *second = NULL, *third = NULL;

    (void)state;
    first = read_to_1003(&second, &third);
    assert_int_equal(notice_end(700), UEX_STEP_CHECK); /* the validation of a higher leader epoch: at the new end */
    assert_int_equal(sought(), 500);
    assert_int_equal(notice_record(NEW_LOG, 500), UEX_STEP_ANEW);
    assert_anew();
    assert_true(uex_cancel_requested(&first->cancel));
    (void)running(NEW_LOG, 0);
    assert_int_equal(input_of(0)->window.base, 0);
}

static void notice__new_topic_is_empty__begins_at_its_end(void **state)
{
    (void)state;
    assign(100);
    assert_int_equal(notice_end(100), UEX_STEP_ON); /* the end of the old topic */
    assert_int_equal(notice_end(0), UEX_STEP_ANEW); /* nothing is known that could be compared */
    assert_anew();
    assert_int_equal(notice_end(0), UEX_STEP_ON);
    (void)running(NEW_LOG, 0);
}

static void notice__nothing_was_ever_committed__new_topic_is_taken_from_its_beginning(void **state)
{
    const struct uex_inflight *inflight = NULL;

    (void)state;
    assign(RD_KAFKA_OFFSET_INVALID); /* nothing was committed yet: any offset may come first */
    for (int64_t offset = 0; offset < 3; offset++)
        finished(OLD_LOG, offset);
    inflight = running(OLD_LOG, 3);
    assert_int_equal(notice_record(NEW_LOG, 1), UEX_STEP_CHECK);
    assert_int_equal(sought(), 0);
    assert_int_equal(notice_record(NEW_LOG, 0), UEX_STEP_ANEW);
    assert_anew();
    assert_true(uex_cancel_requested(&inflight->cancel));
    (void)running(NEW_LOG, 0);
    (void)running(NEW_LOG, 1);
    assert_false(uex_window_finished(&input_of(0)->window, 1));
}

static void notice__other_record_at_an_adopted_offset__is_checked(void **state)
{
    const struct uex_inflight *inflight = NULL;

    (void)state;
    assign(10);
    inflight = running(OLD_LOG, 10);
    assign(10);
    assert_int_equal(notice_record(NEW_LOG, 10), UEX_STEP_CHECK);
    assert_int_equal(sought(), 10);
    assert_int_equal(notice_record(NEW_LOG, 10), UEX_STEP_ANEW);
    assert_true(uex_cancel_requested(&inflight->cancel));
}

static void notice__record_delivered_again__changes_nothing(void **state)
{
    struct uex_inflight *first = NULL, *second = NULL, *third = NULL;

    (void)state;
    first = read_to_1003(&second, &third);
    assert_int_equal(notice_record(OLD_LOG, 1001), UEX_STEP_DROP); /* it runs */
    assert_int_equal(notice_record(OLD_LOG, 1002), UEX_STEP_DROP); /* finished */
    assert_int_equal(notice_record(OLD_LOG, 600), UEX_STEP_CHECK); /* finished long ago */
    assert_int_equal(sought(), 500);
    read_again(OLD_LOG, 500, 1003);
    assert_int_equal(notice_record(OLD_LOG, 1004), UEX_STEP_SAME); /* taken */
    assert_false(input_of(0)->checking);
    assert_false(uex_cancel_requested(&first->cancel) || uex_cancel_requested(&second->cancel) ||
                 uex_cancel_requested(&third->cancel));
    assert_int_equal(input_of(0)->window.base, 500);
    assert_true(uex_window_finished(&input_of(0)->window, 1002));
}

static void notice__check_while_records_are_held__they_are_read_again(void **state)
{
    (void)state;
    assign(10);
    (void)running(OLD_LOG, 10);
    assert_int_equal(notice_record(OLD_LOG, 11), UEX_STEP_ON);
    input_of(0)->first_backpressured = input_of(0)->last_backpressured = new_inflight(OLD_LOG, 11);
    assert_int_equal(notice_record(OLD_LOG, 9), UEX_STEP_CHECK);
    assert_int_equal(sought(), 10);
    read_again(OLD_LOG, 10, 11);
    assert_int_equal(notice_record(OLD_LOG, 11), UEX_STEP_SAME); /* taken */
}

static void settle__commit_of_before_a_cut__leaves_the_position_to_be_committed_again(void **state)
{
    struct uex_batch_offset committed = {.partition = 0};
    struct uex_batch batch = {.offsets = &committed, .offset_count = 1};

    (void)state;
    assign(10);
    (void)running(OLD_LOG, 10);
    finished(OLD_LOG, 11);
    committed.window = input_of(0)->window;
    uex_markers_init(&committed.markers);
    batch.epoch = engine.synced.epoch;
    assert_int_equal(notice_end(11), UEX_STEP_CHECK);
    (void)sought();
    read_again(OLD_LOG, 10, 11);
    assert_int_equal(notice_end(11), UEX_STEP_CUT);
    uex_settle_synced(&engine, &batch, true);
    assert_true(input_of(0)->starts_dirty);
}

static void begin__position_is_gone__running_command_of_the_old_topic_is_not_adopted(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    assign(10);
    inflight = running(OLD_LOG, 12);
    assign(RD_KAFKA_OFFSET_INVALID);
    assert_true(uex_cancel_requested(&inflight->cancel));
}

static void begin__first_transaction_is_under_way__its_commands_are_not_taken_again(void **state)
{
    struct uex_batch_offset committed = {.partition = 0};
    struct uex_batch batch = {.offsets = &committed, .offset_count = 1, .count = 1};

    (void)state;
    assign(RD_KAFKA_OFFSET_INVALID);
    batch.commands[0] = running(OLD_LOG, 0);
    batch.commands[0]->state = UEX_INFLIGHT_COMMITTING;
    batch.epoch = engine.synced.epoch;
    committed.window = input_of(0)->window;
    uex_markers_init(&committed.markers);
    uex_window_complete(&committed.window, 0);
    assign(RD_KAFKA_OFFSET_INVALID); /* its committed offset was not sent yet, and is accepted all the same */
    assert_false(uex_cancel_requested(&batch.commands[0]->cancel));
    uex_settle_synced(&engine, &batch, true);
    assert_true(uex_window_finished(&input_of(0)->window, 0));
    assert_int_equal(notice_record(OLD_LOG, 0), UEX_STEP_ON);
    assert_int_equal(input_of(0)->window.base, 1);
    assert_true(input_of(0)->starts_dirty);
}

static void begin__position_stays__running_command_is_adopted(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    assign(10);
    inflight = running(OLD_LOG, 12);
    assign(11);
    assert_false(uex_cancel_requested(&inflight->cancel));
    assert_int_equal(inflight->epoch, engine.synced.epoch);
}

static void begin__position_near_the_end_of_the_range__counts_as_none(void **state)
{
    (void)state;
    assign(INT64_MAX - 1);
    assert_true(input_of(0)->window.base == UEX_OFFSET_NONE);
    assert_true(input_of(0)->committed_base == UEX_OFFSET_NONE);
}

static void resize__two_topics__costs_two_slots_and_grows_with_a_third(void **state)
{
    (void)state;
    assert_true(malloc_usable_size(engine.synced.partitions[0].inputs) < 3 * sizeof(struct uex_input));
    assign(10);
    assert_true(uex_epoch_reserve_input_topics_synced(&engine, 3));
    engine.input_topics[engine.input_topic_count++].topic = late_topic;
    assert_int_equal(input_of(0)->window.base, 10);
    assert_true(input_of(2)->window.base == UEX_OFFSET_NONE);
    assert_false(input_of(2)->assigned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(notice__log_cut_at_its_new_end__commands_before_the_cut_go_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(notice__log_cut_and_written_again__the_first_other_record_is_the_cut, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(notice__log_cut_and_read_from_its_beginning__commands_before_the_cut_go_on,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(notice__log_cut_below_the_base__goes_on_at_the_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            notice__finished_records_between_two_known_ones__are_kept_only_if_a_later_one_is_the_same, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(notice__topic_created_again__is_read_from_its_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notice__new_topic_outgrew_the_base__is_read_from_its_beginning, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(notice__new_topic_is_empty__begins_at_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notice__nothing_was_ever_committed__new_topic_is_taken_from_its_beginning,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(notice__other_record_at_an_adopted_offset__is_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notice__record_delivered_again__changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notice__check_while_records_are_held__they_are_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settle__commit_of_before_a_cut__leaves_the_position_to_be_committed_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(begin__position_is_gone__running_command_of_the_old_topic_is_not_adopted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(begin__first_transaction_is_under_way__its_commands_are_not_taken_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(begin__position_stays__running_command_is_adopted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(begin__position_near_the_end_of_the_range__counts_as_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resize__two_topics__costs_two_slots_and_grows_with_a_third, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
