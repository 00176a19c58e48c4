/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/state_reader.h"

static void take(struct uex_state_set *set, const char *key, const char *value, int32_t partition)
{
    rd_kafka_message_t message = {.partition = partition,
                                  .key = (void *)(uintptr_t)key,
                                  .key_len = key == NULL ? 0 : strlen(key),
                                  .payload = (void *)(uintptr_t)value,
                                  .len = value == NULL ? 0 : strlen(value)};

    assert_int_equal(uex_state_set_take(set, &message), UEX_OK);
}

static const char *text_of(const struct uex_state_set *set, const char *group_id)
{
    return (const char *)uex_state_set_find(set, group_id).data;
}

static void collect(void *context, const char *group_id, struct uex_bytes value)
{
    uex_buffer_append_format(context, "%s=%.*s;", group_id, (int)value.size_bytes, (const char *)value.data);
}

static void take__records_of_one_partition__keep_the_last(void **state)
{
    struct uex_state_set set = {0};
    struct uex_buffer all = {0};

    (void)state;
    take(&set, "b", "1", 0);
    take(&set, "a", "2", 1);
    take(&set, "b", "3", 0);
    take(&set, "पुणे", "4", 0);
    assert_int_equal(set.count, 3);
    assert_string_equal(text_of(&set, "b"), "3");
    assert_null(text_of(&set, "c"));
    uex_state_set_each(&set, collect, &all);
    assert_string_equal(uex_buffer_text(&all), "a=2;b=3;पुणे=4;");
    uex_buffer_clear(&all);
    uex_state_set_clear(&set);
    assert_int_equal(set.count, 0);
    uex_state_set_clear(&set);
}

static void take__a_record_without_value__forgets_its_group(void **state)
{
    struct uex_state_set set = {0};

    (void)state;
    take(&set, "a", "1", 0);
    take(&set, "a", NULL, 0);
    take(&set, "b", NULL, 0);
    assert_int_equal(set.count, 0);
    take(&set, "a", "2", 0);
    take(&set, "a", NULL, 1); /* of the partition where it stood before the topic grew */
    assert_string_equal(text_of(&set, "a"), "2");
    uex_state_set_clear(&set);
}

#define RECORD(at_)                                                                                                    \
    "{\"version\":1,\"groupId\":\"a\",\"outcome\":\"skipped\",\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\"," \
    "\"at\":\"2026-11-22T17:50:" at_ "Z\"}"

static void take__records_of_a_grown_topic__keep_the_newest_by_its_time(void **state)
{
    struct uex_state_set set = {0};

    (void)state;
    take(&set, "a", RECORD("10"), 3);
    take(&set, "a", RECORD("05"), 1);
    assert_string_equal(text_of(&set, "a"), RECORD("10"));
    take(&set, "a", RECORD("15"), 1);
    assert_string_equal(text_of(&set, "a"), RECORD("15"));
    uex_state_set_clear(&set);
}

static void take__keys_that_are_no_group__are_counted(void **state)
{
    struct uex_state_set set = {0};

    (void)state;
    take(&set, NULL, "1", 0);
    take(&set, "", "1", 0);
    take(&set, "a\nb", "1", 0);
    take(&set, "\xff", "1", 0);
    assert_int_equal(set.count, 0);
    assert_int_equal(set.bad_keys, 4);
    uex_state_set_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__records_of_one_partition__keep_the_last),
        cmocka_unit_test(take__a_record_without_value__forgets_its_group),
        cmocka_unit_test(take__records_of_a_grown_topic__keep_the_newest_by_its_time),
        cmocka_unit_test(take__keys_that_are_no_group__are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
