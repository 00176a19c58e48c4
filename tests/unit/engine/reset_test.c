/* SPDX-License-Identifier: Apache-2.0 */
/* A topic that is deleted and created again under a worker, and what a partition costs. Without Kafka. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>

#include "engine/engine.h"

static struct uex_engine engine;
static struct uex_config config;
static char command_topic[] = "commands", tier_topic[] = "commands-retry-0", late_topic[] = "commands-retry-1";

static int set_up(void **state)
{
    (void)state;
    memset(&engine, 0, sizeof(engine));
    config.retry_crashes = 5;
    engine.config = &config;
    engine.sources[0].topic = command_topic;
    engine.sources[1].topic = tier_topic;
    engine.source_count = 2;
    engine.outcomes_max = 100;
    (void)pthread_mutex_init(&engine.lock, NULL);
    (void)pthread_cond_init(&engine.work_changed, NULL);
    (void)pthread_cond_init(&engine.outcomes_changed, NULL);
    (void)pthread_cond_init(&engine.between, NULL);
    return uex_epoch_resize(&engine, 1) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    while (engine.deliveries != NULL) {
        struct uex_delivery *next = engine.deliveries->next;

        uex_delivery_free(engine.deliveries);
        engine.deliveries = next;
    }
    uex_group_table_clear(&engine.groups);
    free(engine.partitions[0].slots);
    free(engine.partitions);
    (void)pthread_mutex_destroy(&engine.lock);
    (void)pthread_cond_destroy(&engine.work_changed);
    (void)pthread_cond_destroy(&engine.outcomes_changed);
    (void)pthread_cond_destroy(&engine.between);
    return 0;
}

static struct uex_slot *slot_of(size_t source)
{
    return &engine.partitions[0].slots[source];
}

/* The group assigns both topics; the command topic's position is `offset`, RD_KAFKA_OFFSET_INVALID for none. */
static void assign(int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(2);
    size_t adopted = 0, cancelled = 0;

    rd_kafka_topic_partition_list_add(list, command_topic, 0)->offset = offset;
    rd_kafka_topic_partition_list_add(list, tier_topic, 0)->offset = RD_KAFKA_OFFSET_INVALID;
    uex_epoch_begin(&engine, list, &adopted, &cancelled);
    rd_kafka_topic_partition_list_destroy(list);
}

static struct uex_delivery *new_delivery(int64_t offset)
{
    struct uex_record *record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */

    record->topic = command_topic;
    record->offset = offset;
    return uex_delivery_new(record, 0);
}

/* A command that was read and runs. */
static struct uex_delivery *running(int64_t offset)
{
    struct uex_delivery *delivery = new_delivery(offset);

    uex_window_see(&slot_of(0)->window, offset);
    uex_dispatch_adopt_new(&engine, delivery);
    delivery->state = UEX_DELIVERY_RUNNING;
    engine.running_count++;
    return delivery;
}

static void notice__record_below_what_was_read__begins_a_new_window(void **state)
{
    int64_t read_next = 0;
    struct uex_delivery *delivery = NULL;

    (void)state;
    assign(RD_KAFKA_OFFSET_INVALID); /* nothing was committed yet: any offset may come first */
    for (int64_t offset = 0; offset < 3; offset++) {
        assert_false(uex_reset_notice(&engine, 0, 0, offset, &read_next));
        uex_window_see(&slot_of(0)->window, offset);
        uex_window_complete(&slot_of(0)->window, offset);
    }
    delivery = running(3);
    assert_false(uex_reset_notice(&engine, 0, 0, 3, &read_next));
    slot_of(0)->first_held = slot_of(0)->last_held = new_delivery(4);
    assert_true(uex_reset_notice(&engine, 0, 0, 1, &read_next));
    assert_int_equal(read_next, 3);
    assert_false(uex_window_finished(&slot_of(0)->window, 1));
    assert_false(uex_window_finished(&slot_of(0)->window, 2));
    assert_true(uex_cancel_requested(&delivery->cancel));
    assert_null(slot_of(0)->first_held);
    assert_false(uex_reset_notice(&engine, 0, 0, 2, &read_next));
    assert_false(uex_window_finished(&slot_of(0)->window, 2));
}

static void notice__end_below_what_was_read__begins_a_new_window(void **state)
{
    int64_t read_next = 0;

    (void)state;
    assign(100);
    assert_false(uex_reset_notice(&engine, 0, 0, 100, &read_next)); /* the end of the old topic */
    assert_true(uex_reset_notice(&engine, 0, 0, 0, &read_next));    /* the new one is empty */
    assert_int_equal(slot_of(0)->window.base, 0);
    assert_false(uex_window_finished(&slot_of(0)->window, 7));
}

static void begin__position_is_gone__running_command_of_the_old_topic_is_not_adopted(void **state)
{
    struct uex_delivery *delivery = NULL;

    (void)state;
    assign(10);
    delivery = running(12);
    assign(RD_KAFKA_OFFSET_INVALID);
    assert_true(uex_cancel_requested(&delivery->cancel));
}

static void begin__position_stays__running_command_is_adopted(void **state)
{
    struct uex_delivery *delivery = NULL;

    (void)state;
    assign(10);
    delivery = running(12);
    assign(11);
    assert_false(uex_cancel_requested(&delivery->cancel));
    assert_int_equal(delivery->epoch, engine.epoch);
}

static void begin__position_near_the_end_of_the_range__counts_as_none(void **state)
{
    (void)state;
    assign(INT64_MAX - 1);
    assert_true(slot_of(0)->window.base == UEX_OFFSET_NONE);
    assert_true(slot_of(0)->committed_base == UEX_OFFSET_NONE);
}

static void resize__two_topics__costs_two_slots_and_grows_with_a_third(void **state)
{
    (void)state;
    assert_true(malloc_usable_size(engine.partitions[0].slots) < 3 * sizeof(struct uex_slot));
    assign(10);
    assert_true(uex_epoch_reserve_sources(&engine, 3));
    engine.sources[engine.source_count++].topic = late_topic;
    assert_int_equal(slot_of(0)->window.base, 10);
    assert_true(slot_of(2)->window.base == UEX_OFFSET_NONE);
    assert_false(slot_of(2)->assigned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(notice__record_below_what_was_read__begins_a_new_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notice__end_below_what_was_read__begins_a_new_window, set_up, tear_down),
        cmocka_unit_test_setup_teardown(begin__position_is_gone__running_command_of_the_old_topic_is_not_adopted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(begin__position_stays__running_command_is_adopted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(begin__position_near_the_end_of_the_range__counts_as_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resize__two_topics__costs_two_slots_and_grows_with_a_third, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
