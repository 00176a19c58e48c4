/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kafka/txn.h"

/* Every pair of state and event: what follows, or UEX_TXN_STATE_COUNT where it cannot happen. */
static const struct {
    enum uex_txn_state state;
    enum uex_txn_state after[UEX_TXN_EVENT_COUNT]; /* PREPARED, BEGUN, NEEDS_ABORT, ABORTED, COMMITTED, BROKE */
} expected[] = {
#define NEVER UEX_TXN_STATE_COUNT
    {UEX_TXN_CLOSED, {UEX_TXN_READY, NEVER, NEVER, NEVER, NEVER, UEX_TXN_LOST}},
    {UEX_TXN_READY, {UEX_TXN_READY, UEX_TXN_OPEN, NEVER, NEVER, NEVER, UEX_TXN_LOST}},
    {UEX_TXN_OPEN, {NEVER, NEVER, UEX_TXN_FAILED, UEX_TXN_READY, UEX_TXN_READY, UEX_TXN_LOST}},
    {UEX_TXN_FAILED, {NEVER, NEVER, UEX_TXN_FAILED, UEX_TXN_READY, NEVER, UEX_TXN_LOST}},
    {UEX_TXN_LOST, {UEX_TXN_READY, NEVER, NEVER, NEVER, NEVER, UEX_TXN_LOST}},
};

static void check_row(size_t row)
{
    for (int event = 0; event < UEX_TXN_EVENT_COUNT; event++) {
        enum uex_txn_state next = UEX_TXN_STATE_COUNT;
        const bool legal = uex_txn_next_state(expected[row].state, (enum uex_txn_event)event, &next);

        assert_int_equal(legal, expected[row].after[event] != NEVER);
        assert_int_equal(next, expected[row].after[event]);
    }
}

static void next_state__closed__only_prepares_or_breaks(void **state)
{
    (void)state;
    check_row(0);
}

static void next_state__ready__begins(void **state)
{
    (void)state;
    check_row(1);
}

static void next_state__open__ends_in_every_way(void **state)
{
    (void)state;
    check_row(2);
}

static void next_state__failed__cannot_commit(void **state)
{
    (void)state;
    check_row(3);
}

static void next_state__lost__must_be_built_anew(void **state)
{
    (void)state;
    check_row(4);
}

static void next_state__unknown_state_or_event__is_refused(void **state)
{
    enum uex_txn_state next = UEX_TXN_READY;

    (void)state;
    assert_false(uex_txn_next_state(UEX_TXN_STATE_COUNT, UEX_TXN_BEGUN, &next));
    assert_false(uex_txn_next_state(UEX_TXN_READY, UEX_TXN_EVENT_COUNT, &next));
    assert_int_equal(next, UEX_TXN_READY);
}

static void init__two_processes_of_a_group__have_ids_of_their_own_with_its_prefix(void **state)
{
    char group[] = "export-workers";
    const struct uex_config config = {.kafka_group_id = group};
    struct uex_txn one;
    struct uex_txn two;

    (void)state;
    uex_txn_init(&one, &(struct uex_txn_setup){.config = &config});
    uex_txn_init(&two, &(struct uex_txn_setup){.config = &config});
    assert_memory_equal(one.transactional_id, "export-workers-", 15);
    assert_string_not_equal(one.transactional_id, two.transactional_id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_state__closed__only_prepares_or_breaks),
        cmocka_unit_test(next_state__ready__begins),
        cmocka_unit_test(next_state__open__ends_in_every_way),
        cmocka_unit_test(next_state__failed__cannot_commit),
        cmocka_unit_test(next_state__lost__must_be_built_anew),
        cmocka_unit_test(next_state__unknown_state_or_event__is_refused),
        cmocka_unit_test(init__two_processes_of_a_group__have_ids_of_their_own_with_its_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
