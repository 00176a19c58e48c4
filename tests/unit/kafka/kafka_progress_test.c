/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/clock.h"
#include "kafka/progress.h"

static void expect_written(const struct uex_progress_record *record, const char *worker, const char *expected)
{
    struct uex_buffer out = {0};

    uex_progress_write(record, worker, &out);
    assert_string_equal(uex_buffer_text(&out), expected);
    uex_buffer_clear(&out);
}

static void write__running_and_ended__are_json_with_all_fields(void **state)
{
    struct uex_progress_record record = {.group_id = "pune \"chai\" ☕",
                                         .command_id = "10731def-ce10-4a86-a579-f4438f52a638",
                                         .rows = 1000,
                                         .bytes = UINT64_C(9007199254740992),
                                         .started_at_ms = 1795336071201,
                                         .at_ms = 1795336072000};

    (void)state;
    expect_written(&record, "host:17",
                   "{\"groupId\":\"pune \\\"chai\\\" ☕\",\"commandId\":\"10731def-ce10-4a86-a579-f4438f52a638\","
                   "\"worker\":\"host:17\",\"state\":\"running\",\"rows\":1000,\"bytes\":9007199254740992,"
                   "\"startedAt\":\"2026-11-22T08:27:51.201Z\",\"at\":\"2026-11-22T08:27:52.000Z\"}");
    record = (struct uex_progress_record){.group_id = "g", .command_id = "c", .ended = true};
    expect_written(&record, "w",
                   "{\"groupId\":\"g\",\"commandId\":\"c\",\"worker\":\"w\",\"state\":\"ended\",\"rows\":0,\"bytes\":0,"
                   "\"startedAt\":\"1970-01-01T00:00:00.000Z\",\"at\":\"1970-01-01T00:00:00.000Z\"}");
}

static void send__no_broker__never_blocks_and_drops_what_does_not_fit(void **state)
{
    struct uex_kafka_property property = {.name = (char[]){"bootstrap.servers"}, .value = (char[]){"127.0.0.1:1"}};
    const struct uex_config config = {.kafka = &property,
                                      .kafka_count = 1,
                                      .kafka_group_id = (char[]){"workers"},
                                      .topics_progress = (char[]){"progress"}};
    const struct uex_progress_record record = {.group_id = "g", .command_id = "c"};
    struct uex_progress_counts counts = {0};
    struct uex_progress *progress = NULL;
    struct uex_fault fault = {0};
    int64_t from_ms = 0;

    (void)state;
    assert_int_equal(uex_progress_new(&config, &progress, &fault), UEX_OK);
    from_ms = uex_monotonic_ms();
    for (int i = 0; i < 5000; i++)
        uex_progress_send(progress, &record);
    uex_progress_poll(progress);
    assert_true(uex_monotonic_ms() - from_ms < 2000);
    uex_progress_counts(progress, &counts);
    assert_true(counts.dropped >= 3000 && counts.dropped < 5000);
    assert_int_equal(counts.sent, 0);
    from_ms = uex_monotonic_ms();
    uex_progress_free(progress);
    assert_true(uex_monotonic_ms() - from_ms < 5000);
}

static void send_worker__no_broker__is_dropped_like_the_others(void **state)
{
    struct uex_kafka_property property = {.name = (char[]){"bootstrap.servers"}, .value = (char[]){"127.0.0.1:1"}};
    const struct uex_config config = {.kafka = &property,
                                      .kafka_count = 1,
                                      .kafka_group_id = (char[]){"workers"},
                                      .topics_progress = (char[]){"progress"}};
    const struct uex_worker_record record = {.running = 1};
    struct uex_progress_counts counts = {0};
    struct uex_progress *progress = NULL;
    struct uex_fault fault = {0};

    (void)state;
    uex_progress_send_worker(NULL, &record);
    assert_int_equal(uex_progress_new(&config, &progress, &fault), UEX_OK);
    for (int i = 0; i < 5000; i++)
        uex_progress_send_worker(progress, &record);
    uex_progress_counts(progress, &counts);
    assert_true(counts.dropped >= 3000 && counts.dropped < 5000);
    uex_progress_free(progress);
}

static void send__without_a_producer_or_a_group__does_nothing(void **state)
{
    const struct uex_progress_record record = {.group_id = "g", .command_id = "c"};
    struct uex_progress_counts counts = {.sent = 1};

    (void)state;
    uex_progress_send(NULL, &record);
    uex_progress_poll(NULL);
    uex_progress_counts(NULL, &counts);
    assert_int_equal(counts.sent, 0);
    uex_progress_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__running_and_ended__are_json_with_all_fields),
        cmocka_unit_test(send__no_broker__never_blocks_and_drops_what_does_not_fit),
        cmocka_unit_test(send_worker__no_broker__is_dropped_like_the_others),
        cmocka_unit_test(send__without_a_producer_or_a_group__does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
