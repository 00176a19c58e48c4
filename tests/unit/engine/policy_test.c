/* SPDX-License-Identifier: Apache-2.0 */
/* When a retry is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "engine/engine.h"

#define NOW_MS 1700000000000
#define SKEW_MS 5000
#define MINUTE_MS 60000

static char command_topic[] = "commands", tier_topic[] = "commands-retry-0", old_tier_topic[] = "commands-retry-9";
static struct uex_config config = {.retry_tier_count = 2, .retry_delays_ms = {30000, 5 * MINUTE_MS}};
static struct uex_engine engine = {.config = &config,
                                   .input_topics = {{command_topic}, {tier_topic}, {tier_topic}, {old_tier_topic}},
                                   .input_topic_count = 4,
                                   .tier_count = 2};

/* When a record of a source is due that was written and read at these times and carries this header. */
static int64_t due_ms(size_t input_topic, int64_t written_ms, int64_t read_ms, int64_t header_ms, bool is_ours)
{
    static const uint8_t two[] = {0, 0, 0, 2};
    uint8_t due[8];
    struct uex_record_header headers[] = {
        {.name = (char *)"retry_topic-attempts", .value = uex_bytes_of(two, sizeof(two))},
        {.name = (char *)"retry_topic-backoff-timestamp", .value = uex_bytes_of(due, sizeof(due))},
        {.name = (char *)"export-attempts", .value = uex_bytes_of_text("1")}};
    struct uex_record record = {.topic = engine.input_topics[input_topic].topic,
                                .timestamp_ms = written_ms,
                                .headers = headers,
                                .header_count = is_ours ? 3 : 2};
    struct uex_inflight inflight = {.record = &record, .input_topic = input_topic, .taken_at_ms = read_ms};

    for (size_t i = 0; i < sizeof(due); i++)
        due[i] = (uint8_t)((uint64_t)header_ms >> (8 * (7 - i)));
    uex_envelope_read(&record, command_topic);
    return uex_policy_due_ms(&engine, &inflight);
}

static void due__within_the_tiers_delay__is_what_the_header_says(void **state)
{
    (void)state;
    assert_true(due_ms(1, NOW_MS, NOW_MS + 10, NOW_MS + 30000, true) == NOW_MS + 30000);
    assert_true(due_ms(2, NOW_MS, NOW_MS + 10, NOW_MS + 5 * MINUTE_MS, true) == NOW_MS + 5 * MINUTE_MS);
    assert_true(due_ms(1, NOW_MS, NOW_MS + 10, NOW_MS - MINUTE_MS, true) == NOW_MS - MINUTE_MS);
}

static void due__beyond_the_tiers_delay__is_bounded_by_it(void **state)
{
    const int64_t day_ms = (int64_t)24 * 60 * MINUTE_MS;

    (void)state;
    assert_true(due_ms(1, NOW_MS, NOW_MS + 10, NOW_MS + day_ms, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(1, NOW_MS - day_ms, NOW_MS, NOW_MS + day_ms, true) == NOW_MS - day_ms + 30000 + SKEW_MS);
    /* a writer's clock that is a day ahead */
    assert_true(due_ms(1, NOW_MS + day_ms, NOW_MS, NOW_MS + day_ms + 30000, true) == NOW_MS + 30000 + SKEW_MS);
    /* a tier that is not configured any more */
    assert_true(due_ms(3, NOW_MS, NOW_MS + 10, NOW_MS + day_ms, true) == NOW_MS + 5 * MINUTE_MS + SKEW_MS);
}

static void due__numbers_at_the_ends_of_the_range__do_not_overflow(void **state)
{
    (void)state;
    assert_true(due_ms(1, NOW_MS, NOW_MS, INT64_MIN + 1, true) == INT64_MIN + 1);
    assert_true(due_ms(1, NOW_MS, NOW_MS, INT64_MAX, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(1, INT64_MAX, NOW_MS, INT64_MAX, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(1, INT64_MIN, NOW_MS, INT64_MAX, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(0, NOW_MS, NOW_MS, INT64_MIN + 1, true) == INT64_MIN + 1);
    assert_true(due_ms(0, NOW_MS, NOW_MS, INT64_MAX, true) == UEX_NO_TIME);
}

static void due__command_topic__counts_for_a_moved_retry_only(void **state)
{
    (void)state;
    assert_true(due_ms(0, NOW_MS, NOW_MS, NOW_MS + 2000, true) == NOW_MS + 2000);
    assert_true(due_ms(0, NOW_MS, NOW_MS, NOW_MS + MINUTE_MS, true) == UEX_NO_TIME);
    assert_true(due_ms(0, NOW_MS, NOW_MS, NOW_MS + 2000, false) == UEX_NO_TIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due__within_the_tiers_delay__is_what_the_header_says),
        cmocka_unit_test(due__beyond_the_tiers_delay__is_bounded_by_it),
        cmocka_unit_test(due__numbers_at_the_ends_of_the_range__do_not_overflow),
        cmocka_unit_test(due__command_topic__counts_for_a_moved_retry_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
