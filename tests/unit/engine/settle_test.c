/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a transaction that lived for its timeout. Without Kafka. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/batch.h"
#include "engine/settle.h"

#define TIMEOUT_MS 10000

static struct uex_engine engine;
static struct uex_spool_dir *dir;
static char work_dir[] = "/tmp/settle-test-XXXXXX";
static char topic[] = "commands";
#define LIST_BYTES (1 << 20)
#define OUTAGE_ROUNDS 1000
/* Half of the list was acknowledged, part after part. */
static const struct uex_txn_age slow = {.age_ms = TIMEOUT_MS,
                                        .timeout_ms = TIMEOUT_MS,
                                        .timed_out = true,
                                        .was_sending = true,
                                        .acked_bytes = LIST_BYTES / 2,
                                        .moved_bytes = LIST_BYTES * 4 / 10,
                                        .moving_ms = TIMEOUT_MS * 8 / 10};
static const struct uex_txn_age outage = {.age_ms = TIMEOUT_MS, .timeout_ms = TIMEOUT_MS, .timed_out = true};

static int set_up_group(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    (void)pthread_mutex_init(&engine.synced.lock, NULL);
    (void)pthread_cond_init(&engine.synced.work_changed, NULL);
    (void)pthread_cond_init(&engine.synced.between, NULL);
    return mkdtemp(work_dir) != NULL && uex_spool_dir_open(work_dir, &dir, &fault) == UEX_OK ? 0 : -1;
}

static int tear_down_group(void **state)
{
    (void)state;
    uex_spool_dir_close(dir);
    (void)rmdir(work_dir);
    return 0;
}

/* An exported command whose list has so many bytes; 0: a file. */
static struct uex_inflight *exported(size_t list_bytes)
{
    struct uex_record *record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */
    struct uex_inflight *inflight = NULL;
    uint8_t *bytes = calloc(1, list_bytes + 1);
    struct uex_fault fault = {0};

    record->topic = topic;
    inflight = uex_inflight_new(record, 0);
    inflight->holds_group = true;
    inflight->outcome.kind = UEX_OUTCOME_EXPORTED;
    if (list_bytes > 0) {
        assert_int_equal(uex_spool_new(dir, &inflight->outcome.job.lists, &fault), UEX_OK);
        assert_int_equal(uex_spool_append(inflight->outcome.job.lists, uex_bytes_of(bytes, list_bytes), &fault),
                         UEX_OK);
    }
    free(bytes);
    return inflight;
}

/* A transaction with these fails; they are queued again. */
static void fails(struct uex_batch *batch, const struct uex_txn_age *age)
{
    uex_settle_age(batch, age);
    uex_settle_synced(&engine, batch, false);
    engine.synced.outbox.first = engine.synced.outbox.last = NULL;
}

static void age__lone_list_sent_all_the_while__is_a_dead_letter_the_third_time(void **state)
{
    struct uex_batch batch = {.count = 1, .commands = {exported(LIST_BYTES)}};
    struct uex_inflight *inflight = batch.commands[0];

    (void)state;
    fails(&batch, &slow);
    fails(&batch, &slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
    fails(&batch, &slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(inflight->outcome.fault.error, UEX_RESULT_REFUSED);
    assert_non_null(strstr(inflight->outcome.fault.text, "transaction.timeout.ms"));
    assert_false(inflight->outcome.keeps_no_state);
    uex_inflight_free(inflight);
}

/* However long it lasts: the list goes through when the broker is back. */
static void stays_exported(const struct uex_txn_age *age)
{
    struct uex_batch batch = {.count = 1, .commands = {exported(LIST_BYTES)}};
    struct uex_inflight *inflight = batch.commands[0];

    for (int i = 0; i < OUTAGE_ROUNDS; i++)
        fails(&batch, age);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
    uex_inflight_free(inflight);
}

static void age__nothing_acknowledged__is_not_the_lists_fault(void **state)
{
    (void)state;
    stays_exported(&outage);
}

static void age__transaction_that_did_not_time_out__is_not_the_lists_fault(void **state)
{
    struct uex_txn_age young = slow;

    (void)state;
    young.timed_out = false;
    stays_exported(&young);
}

/* It lost half of the time to a pause, and half of the list went out in a quarter of it. */
static void age__pace_that_is_enough_but_for_a_pause__is_not_the_lists_fault(void **state)
{
    struct uex_txn_age paused = slow;

    (void)state;
    paused.moving_ms = TIMEOUT_MS / 4;
    stays_exported(&paused);
}

/* The coordinator of the consumer group is down: the records are out, the committed offsets are not. */
static void age__all_of_it_acknowledged__is_not_the_lists_fault(void **state)
{
    struct uex_txn_age sent = slow;

    (void)state;
    sent.acked_bytes = LIST_BYTES;
    stays_exported(&sent);
}

static void age__outages_between_slow_ends__begin_the_count_anew(void **state)
{
    struct uex_batch batch = {.count = 1, .commands = {exported(LIST_BYTES)}};
    struct uex_inflight *inflight = batch.commands[0];

    (void)state;
    for (int i = 0; i < 10 * UEX_SLOW_ENDS_MAX; i++)
        fails(&batch, i % UEX_SLOW_ENDS_MAX == 0 ? &outage : &slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
    fails(&batch, &slow);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    uex_inflight_free(inflight);
}

static void age__several_outcomes__lists_go_alone_and_nobody_is_charged(void **state)
{
    struct uex_inflight *list = exported(LIST_BYTES), *file = exported(0);
    struct uex_batch batch = {.count = 2, .commands = {list, file}};

    (void)state;
    for (int i = 0; i < OUTAGE_ROUNDS; i++)
        fails(&batch, &slow);
    assert_true(list->commit_by_itself);
    assert_false(file->commit_by_itself);
    assert_int_equal(list->outcome.kind, UEX_OUTCOME_EXPORTED);
    batch = (struct uex_batch){.count = 1, .commands = {file}};
    for (int i = 0; i < OUTAGE_ROUNDS; i++)
        fails(&batch, &slow);
    assert_int_equal(file->outcome.kind, UEX_OUTCOME_EXPORTED);
    uex_inflight_free(list);
    uex_inflight_free(file);
}

static void txn_age__acknowledgements__tell_a_slow_link_from_an_outage(void **state)
{
    struct uex_kafka_property property = {.name = (char *)"transaction.timeout.ms", .value = (char *)"10000"};
    const struct uex_config config = {.kafka = &property, .kafka_count = 1};
    struct uex_txn txn = {.setup.config = &config,
                          .begun_ms = 1000,
                          .acked_ms = 10500,
                          .quiet_ms = 2000,
                          .quiet_bytes = 3000,
                          .acked_bytes = 10000};

    (void)state;
    assert_false(uex_txn_age(&txn, 10900).timed_out);
    assert_true(uex_txn_age(&txn, 11000).timed_out);
    assert_true(uex_txn_age(&txn, 11000).was_sending);
    assert_true(uex_txn_age(&txn, 30000).was_sending); /* after its end there is nothing to be acknowledged */
    assert_int_equal(uex_txn_age(&txn, 11000).acked_bytes, 10000);
    assert_int_equal(uex_txn_age(&txn, 11000).moved_bytes, 7000);
    assert_int_equal(uex_txn_age(&txn, 11000).moving_ms, 7500);
    txn.acked_ms = 5000; /* then an outage */
    assert_true(uex_txn_age(&txn, 12000).timed_out);
    assert_false(uex_txn_age(&txn, 12000).was_sending);
    txn.acked_ms = 10500;
    txn.quiet_ms = 6000; /* an outage in the middle */
    assert_false(uex_txn_age(&txn, 12000).was_sending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(age__lone_list_sent_all_the_while__is_a_dead_letter_the_third_time),
        cmocka_unit_test(age__nothing_acknowledged__is_not_the_lists_fault),
        cmocka_unit_test(age__transaction_that_did_not_time_out__is_not_the_lists_fault),
        cmocka_unit_test(age__pace_that_is_enough_but_for_a_pause__is_not_the_lists_fault),
        cmocka_unit_test(age__all_of_it_acknowledged__is_not_the_lists_fault),
        cmocka_unit_test(age__outages_between_slow_ends__begin_the_count_anew),
        cmocka_unit_test(age__several_outcomes__lists_go_alone_and_nobody_is_charged),
        cmocka_unit_test(txn_age__acknowledgements__tell_a_slow_link_from_an_outage),
    };

    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
