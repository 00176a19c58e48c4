/* SPDX-License-Identifier: Apache-2.0 */
/* What a store does when two workers are at one command, or when it fails: the real store with one call replaced. */
#include "job_fixture.h"

#include <stdlib.h>

static struct uex_object_store real; /* the calls before they were replaced */
static struct uex_job_runner *rival; /* the other worker */
static int commits, aborts, finds, failures_left;

static void replace_store(void)
{
    real = *fixture.runner->store;
    commits = aborts = finds = failures_left = 0;
}

/* Another worker publishes the same command just before. */
static enum uex_error commit_second(struct uex_object_writer *writer, uint64_t row_count,
                                    struct uex_object_facts *facts, struct uex_fault *fault)
{
    if (commits++ == 0) {
        struct uex_job_outcome theirs = {0};

        uex_job_run(rival, &fixture.command, NULL, NULL, NULL, &theirs);
        assert_int_equal(theirs.error, UEX_OK);
        uex_job_outcome_clear(&theirs);
    }
    return real.commit(writer, row_count, facts, fault);
}

static void run__another_was_first__announces_its_object(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 10);
    assert_int_equal(uex_job_runner_new(fixture.services, fixture.spools, fixture.runner->limits, &rival, NULL),
                     UEX_OK);
    replace_store();
    fixture.runner->store->commit = commit_second;
    run_job_well();
    assert_true(fixture.out.object_was_there);
    assert_int_equal(fixture.out.row_count, 10);
    assert_int_equal(commits, 1);
    assert_int_equal(stored_files(), 2);
    uex_job_runner_free(rival);
    rival = NULL;
}

static enum uex_error commit_undecided(struct uex_object_writer *writer, uint64_t row_count,
                                       struct uex_object_facts *facts, struct uex_fault *fault)
{
    commits++;
    if (failures_left-- > 0) {
        real.abort(writer);
        return uex_fail(fault, UEX_STORE_RACE, "409");
    }
    return real.commit(writer, row_count, facts, fault);
}

static void run__race_without_a_winner__is_run_again(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 10);
    replace_store();
    failures_left = 2;
    fixture.runner->store->commit = commit_undecided;
    run_job_well();
    assert_false(fixture.out.object_was_there);
    assert_int_equal(commits, 3);
    assert_int_equal(fixture.out.row_count, 10);
}

static void run__race_for_ever__ends_after_three_repetitions(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 10);
    replace_store();
    failures_left = 100;
    fixture.runner->store->commit = commit_undecided;
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_STORE_RACE);
    assert_int_equal(commits, 4);
    assert_int_equal(stored_files(), 0);
}

static enum uex_error write_fails(struct uex_object_writer *writer, struct uex_bytes data, struct uex_fault *fault)
{
    (void)writer;
    (void)data;
    return uex_fail(fault, UEX_STORE_FULL, "no room at all");
}

static void count_abort(struct uex_object_writer *writer)
{
    aborts++;
    real.abort(writer);
}

static void run__store_full__aborts_and_says_so(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 10);
    replace_store();
    fixture.runner->store->write = write_fails;
    fixture.runner->store->abort = count_abort;
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_STORE_FULL);
    assert_string_equal(fixture.out.fault.text, "no room at all");
    assert_int_equal(aborts, 1);
    assert_int_equal(stored_files(), 0);
}

static enum uex_error find_fails(struct uex_object_store *store, const char *key, struct uex_object_facts *facts,
                                 struct uex_fault *fault)
{
    (void)store;
    (void)key;
    (void)facts;
    finds++;
    return uex_fail(fault, UEX_STORE_UNAVAILABLE, "no answer");
}

static void run__store_unavailable__is_not_repeated_here(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 10);
    replace_store();
    fixture.runner->store->find = find_fails;
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_STORE_UNAVAILABLE);
    assert_int_equal(finds, 1);
}

static void run__wish_to_stop_while_failing__is_a_cancel(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 10);
    uex_cancel_request(&fixture.cancel);
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_CANCELLED);
    assert_int_equal(fixture.out.fault.error, UEX_CANCELLED);
}

int main(void)
{
#define RACE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        RACE_TEST(run__another_was_first__announces_its_object),
        RACE_TEST(run__race_without_a_winner__is_run_again),
        RACE_TEST(run__race_for_ever__ends_after_three_repetitions),
        RACE_TEST(run__store_full__aborts_and_says_so),
        RACE_TEST(run__store_unavailable__is_not_repeated_here),
        RACE_TEST(run__wish_to_stop_while_failing__is_a_cancel),
    };

    return cmocka_run_group_tests(tests, database_create, database_drop);
}
