/* SPDX-License-Identifier: Apache-2.0 */
/* The groups that a worker knows. */
#include "failing_memory.h"

#include "engine/group_table.h"

#define MANY 3000 /* more than the buckets at first */

static struct uex_group_table table;

static int clear(void **state)
{
    (void)state;
    uex_group_table_clear(&table);
    return 0;
}

static const char *name_of(int number)
{
    static char name[16];

    (void)snprintf(name, sizeof(name), "group-%d", number);
    return name;
}

static struct uex_group_entry *get(const char *group_id)
{
    struct uex_group_entry *entry = uex_group_table_get(&table, group_id);

    assert_non_null(entry);
    return entry;
}

static void get__unknown_group__is_made_and_nothing_is_known_of_it(void **state)
{
    const struct uex_group_entry *entry = NULL;

    (void)state;
    assert_null(uex_group_table_find(&table, "a")); /* an empty table */
    entry = get("a");
    assert_string_equal(entry->group_id, "a");
    assert_null(entry->memory);
    assert_int_equal(entry->memory_partition, -1);
    assert_null(entry->holder);
    assert_ptr_equal(get("a"), entry);
    assert_ptr_equal(uex_group_table_find(&table, "a"), entry);
    assert_null(uex_group_table_find(&table, "b"));
    assert_null(uex_group_table_find(&table, "A"));
    assert_int_equal(table.entry_count, 1);
}

static void get__many_groups__entries_stay_where_they_are_while_the_table_grows(void **state)
{
    static struct uex_group_entry *entries[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        entries[i] = get(name_of(i));
    assert_int_equal(table.entry_count, MANY);
    assert_true(table.bucket_count >= MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(uex_group_table_find(&table, name_of(i)), entries[i]);
    assert_null(uex_group_table_find(&table, name_of(MANY)));
}

static bool is_even(void *context, struct uex_group_entry *entry)
{
    (*(int *)context)++;
    return (entry->group_id[strlen(entry->group_id) - 1] - '0') % 2 == 0;
}

static void filter__every_second_group__the_others_are_gone(void **state)
{
    int calls = 0;

    (void)state;
    for (int i = 0; i < MANY; i++)
        get(name_of(i))->memory = uex_group_memory_new();
    uex_group_table_filter(&table, is_even, &calls);
    assert_int_equal(calls, MANY);
    assert_int_equal(table.entry_count, MANY / 2);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(uex_group_table_find(&table, name_of(i)) != NULL, i % 2 == 0);
}

static void release__entry_that_somebody_needs__stays(void **state)
{
    struct uex_inflight somebody = {0};
    struct uex_group_entry *entry = NULL;

    (void)state;
    entry = get("a");
    entry->memory = uex_group_memory_new();
    uex_group_table_release(&table, entry);
    assert_ptr_equal(uex_group_table_find(&table, "a"), entry);
    uex_group_memory_free(entry->memory);
    entry->memory = NULL;
    entry->holder = &somebody;
    uex_group_table_release(&table, entry);
    entry->holder = NULL;
    entry->first_waiting = &somebody;
    uex_group_table_release(&table, entry);
    entry->first_waiting = NULL;
    entry->ready = true;
    uex_group_table_release(&table, entry);
    assert_ptr_equal(uex_group_table_find(&table, "a"), entry);
    entry->ready = false;
    uex_group_table_release(&table, entry);
    assert_null(uex_group_table_find(&table, "a"));
    assert_int_equal(table.entry_count, 0);
}

static void release__entries_of_one_bucket__the_others_are_found(void **state)
{
    (void)state;
    for (int i = 0; i < 1024; i++) /* some share a bucket */
        (void)get(name_of(i));
    for (int i = 0; i < 1024; i += 2)
        uex_group_table_release(&table, get(name_of(i)));
    assert_int_equal(table.entry_count, 512);
    for (int i = 0; i < 1024; i++)
        assert_int_equal(uex_group_table_find(&table, name_of(i)) != NULL, i % 2 == 1);
}

static void release__entry_of_another_table__changes_nothing(void **state)
{
    struct uex_group_entry foreign = {.group_id = (char *)(uintptr_t) "a"};

    (void)state;
    (void)get("a");
    uex_group_table_release(&table, &foreign);
    assert_int_equal(table.entry_count, 1);
}

static void clear__twice__leaves_an_empty_table(void **state)
{
    (void)clear(state);
    get("a")->memory = uex_group_memory_new();
    (void)clear(state);
    (void)clear(state);
    assert_int_equal(table.entry_count, 0);
    assert_null(uex_group_table_find(&table, "a"));
}

/* Longer chains are slower, not wrong. */
static void get__no_memory_to_grow__goes_on_with_longer_chains(void **state)
{
    (void)state;
    for (int i = 0; i < 1024; i++)
        (void)get(name_of(i));
    uex_torture.count = 0;
    uex_torture.failing = 1; /* the larger array */
    uex_torture.from_then_on = false;
    uex_torture_count(true);
    assert_non_null(uex_group_table_get(&table, "one more"));
    uex_torture_count(false);
    assert_int_equal(table.bucket_count, 1024);
    assert_int_equal(table.entry_count, 1025);
    for (int i = 0; i < 1024; i++)
        assert_non_null(uex_group_table_find(&table, name_of(i)));
}

static enum uex_error get_first(void)
{
    const bool is_there = uex_group_table_get(&table, "a") != NULL;

    uex_torture_count(false);
    assert_int_equal(table.entry_count, is_there ? 1 : 0);
    assert_int_equal(uex_group_table_find(&table, "a") != NULL, is_there);
    uex_torture_note("found");
    uex_group_table_clear(&table);
    return is_there ? UEX_OK : UEX_NO_MEMORY;
}

static void torture__first_group__is_there_or_the_table_is_as_before(void **state)
{
    static const struct uex_torture_case operations[] = {{.name = "a group", .run = get_first}};

    (void)state;
    uex_torture_all(operations, 1);
}

int main(void)
{
#define TABLE_TEST(function) cmocka_unit_test_teardown(function, clear)
    const struct CMUnitTest tests[] = {
        TABLE_TEST(get__unknown_group__is_made_and_nothing_is_known_of_it),
        TABLE_TEST(get__many_groups__entries_stay_where_they_are_while_the_table_grows),
        TABLE_TEST(filter__every_second_group__the_others_are_gone),
        TABLE_TEST(release__entry_that_somebody_needs__stays),
        TABLE_TEST(release__entries_of_one_bucket__the_others_are_found),
        TABLE_TEST(release__entry_of_another_table__changes_nothing),
        TABLE_TEST(clear__twice__leaves_an_empty_table),
        TABLE_TEST(get__no_memory_to_grow__goes_on_with_longer_chains),
        TABLE_TEST(torture__first_group__is_there_or_the_table_is_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
