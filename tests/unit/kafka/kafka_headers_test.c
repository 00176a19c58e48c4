/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/retry_record.h"

/* Turn built headers into a record, so that what is written is also what is read. */
static void reread(rd_kafka_headers_t *headers, const char *topic, struct record_fixture *out)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t size_bytes = 0;

    assert_non_null(headers);
    fixture_record(out, topic);
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size_bytes) == 0; i++)
        fixture_header(out, name, value, size_bytes);
}

static void assert_text(const struct record_fixture *fixture, const char *name, const char *text)
{
    struct uex_bytes value = {0};

    assert_true(uex_record_header(&fixture->record, name, &value));
    assert_int_equal(value.size_bytes, strlen(text));
    assert_memory_equal(value.data, text, value.size_bytes);
}

static void assert_bytes(const struct record_fixture *fixture, const char *name, const char *bytes, size_t size_bytes)
{
    struct uex_bytes value = {0};

    assert_true(uex_record_header(&fixture->record, name, &value));
    assert_int_equal(value.size_bytes, size_bytes);
    assert_memory_equal(value.data, bytes, size_bytes);
}

static size_t count_of(const struct record_fixture *fixture, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < fixture->record.header_count; i++)
        count += strcmp(fixture->headers[i].name, name) == 0;
    return count;
}

/* Its time of a first attempt is another application's. */
static void retry__first_attempt_with_foreign_headers__writes_its_own_time(void **state)
{
    struct record_fixture fixture, out;
    rd_kafka_headers_t *headers = NULL;

    (void)state;
    fixture_record(&fixture, TOPIC);
    fixture_header(&fixture, "retry_topic-attempts", three, 4);
    fixture_header(&fixture, "retry_topic-original-timestamp", place, 8);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", place, 8);
    add_origin(&fixture);
    headers = uex_headers_retry(&fixture.record, &fixture.record.envelope.origin, ID, 2, 9, "timeout", "y");
    reread(headers, TIER, &out);
    assert_bytes(&out, "retry_topic-original-timestamp", "\0\0\x01\x8b\xcf\xe5\x68\x7b", 8);
    rd_kafka_headers_destroy(headers);
}

static void retry__several_attempts__headers_do_not_pile_up(void **state)
{
    struct record_fixture first, second, third;
    struct uex_origin origin;
    rd_kafka_headers_t *one = NULL, *two = NULL;

    (void)state;
    fixture_record(&first, TOPIC);
    fixture_header_text(&first, "traceparent", "00-aa-bb-01");
    fixture_header_text(&first, "x", "1");
    fixture_header_text(&first, "x", "2");
    fixture_header_text(&first, "nothing", NULL);
    fixture_header_text(&first, "empty", "");
    origin = first.record.envelope.origin;
    one = uex_headers_retry(&first.record, &origin, ID, 2, 1700000030123, "database-unavailable", "gone");
    reread(one, TIER, &second);
    origin = second.record.envelope.origin;
    two = uex_headers_retry(&second.record, &origin, ID, 3, 1700000330123, "store-failed", "no");
    reread(two, "export-group-retry-1", &third);

    assert_int_equal(second.record.header_count, third.record.header_count);
    for (size_t i = 0; i < third.record.header_count; i++)
        assert_true(count_of(&third, third.headers[i].name) == (strcmp(third.headers[i].name, "x") == 0 ? 2U : 1U));
    assert_string_equal(third.headers[0].name, "traceparent");
    assert_memory_equal(third.headers[1].value.data, "1", 1);
    assert_memory_equal(third.headers[2].value.data, "2", 1);
    assert_null(third.headers[3].value.data);
    assert_non_null(third.headers[4].value.data);
    assert_int_equal(third.headers[4].value.size_bytes, 0);
    assert_int_equal(third.record.envelope.attempt, 3);
    assert_true(third.record.envelope.due_ms == 1700000330123);
    origin = third.record.envelope.origin;
    assert_string_equal(origin.topic, TOPIC);
    assert_int_equal(origin.partition, 5);
    assert_int_equal(origin.offset, 77);
    assert_bytes(&third, "retry_topic-original-timestamp", "\0\0\x01\x8b\xcf\xe5\x68\x7b", 8);
    assert_text(&third, "export-attempts", "2");
    assert_text(&third, "export-error-code", "store-failed");
    assert_text(&third, "export-command-id", ID);
    rd_kafka_headers_destroy(one);
    rd_kafka_headers_destroy(two);
}

static void retry__forms__are_springs(void **state)
{
    struct record_fixture fixture, out;
    struct uex_origin origin = {.topic = TOPIC, .partition = 258, .offset = 1LL << 33, .timestamp_ms = -1};
    rd_kafka_headers_t *headers = NULL;

    (void)state;
    fixture_record(&fixture, TIER);
    fixture_header(&fixture, "retry_topic-original-timestamp", "\x01\x8b\xcf\xe5\x68\x00", 6); /* Spring's BigInteger */
    headers = uex_headers_retry(&fixture.record, &origin, NULL, 3, 1, "timeout", "late");
    reread(headers, TIER, &out);
    assert_bytes(&out, "retry_topic-attempts", "\0\0\0\3", 4);
    assert_bytes(&out, "retry_topic-backoff-timestamp", "\0\0\0\0\0\0\0\1", 8);
    assert_bytes(&out, "retry_topic-original-timestamp", "\0\0\x01\x8b\xcf\xe5\x68\0", 8);
    assert_text(&out, "kafka_original-topic", TOPIC);
    assert_bytes(&out, "kafka_original-partition", "\0\0\1\2", 4);
    assert_bytes(&out, "kafka_original-offset", "\0\0\0\2\0\0\0\0", 8);
    assert_bytes(&out, "kafka_original-timestamp", "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_int_equal(count_of(&out, "export-command-id"), 0);
    rd_kafka_headers_destroy(headers);
}

static void dead_letter__tier_record__has_dlt_headers_only(void **state)
{
    struct record_fixture fixture, out;
    struct uex_origin origin;
    rd_kafka_headers_t *headers = NULL;

    (void)state;
    fixture_record(&fixture, TIER);
    fixture_header_text(&fixture, "mine", "stays");
    add_origin(&fixture);
    fixture_header(&fixture, "retry_topic-attempts", three, 4);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", place, 8);
    origin = fixture.record.envelope.origin;
    headers = uex_headers_dead_letter(&fixture.record, &origin, ID, "database-data", "SQLSTATE 22P02", 3);
    reread(headers, "flairbit-dlq", &out);
    assert_text(&out, "mine", "stays");
    assert_text(&out, "kafka_dlt-original-topic", TOPIC);
    assert_bytes(&out, "kafka_dlt-original-partition", "\0\0\0\3", 4);
    assert_bytes(&out, "kafka_dlt-original-offset", "\0\0\0\0\0\0\1\2", 8);
    assert_bytes(&out, "kafka_dlt-original-timestamp", "\0\0\0\0\0\0\1\2", 8);
    assert_text(&out, "kafka_dlt-exception-message", "SQLSTATE 22P02");
    assert_text(&out, "export-error", "SQLSTATE 22P02");
    assert_text(&out, "export-error-code", "database-data");
    assert_text(&out, "export-attempts", "3");
    assert_int_equal(count_of(&out, "kafka_original-topic"), 0);
    assert_int_equal(count_of(&out, "retry_topic-attempts"), 0);
    assert_int_equal(count_of(&out, "retry_topic-backoff-timestamp"), 0);
    rd_kafka_headers_destroy(headers);
}

static void replay__record_with_dlt_headers__starts_afresh(void **state)
{
    struct record_fixture fixture, dead, again, moved;
    struct uex_origin origin;
    rd_kafka_headers_t *headers = NULL, *retry = NULL, *move = NULL;

    (void)state;
    fixture_record(&fixture, TIER);
    add_origin(&fixture);
    origin = fixture.record.envelope.origin;
    headers = uex_headers_dead_letter(&fixture.record, &origin, ID, "database-data", "x", 3);
    reread(headers, TOPIC, &dead);                           /* copied back as it is */
    fixture_header(&dead, "retry_topic-attempts", three, 4); /* as Spring would have left it */
    fixture_header(&dead, "retry_topic-original-timestamp", place, 8);
    fixture_header(&dead, "retry_topic-backoff-timestamp", place, 8);
    assert_true(dead.record.envelope.is_replay);
    assert_int_equal(dead.record.envelope.attempt, 1);
    assert_true(dead.record.envelope.due_ms == UEX_NO_TIME);
    origin = dead.record.envelope.origin;
    assert_int_equal(origin.offset, 77);
    retry = uex_headers_retry(&dead.record, &origin, ID, 2, 9, "timeout", "y");
    reread(retry, TIER, &again);
    assert_false(again.record.envelope.is_replay);
    assert_bytes(&again, "retry_topic-original-timestamp", "\0\0\x01\x8b\xcf\xe5\x68\x7b", 8);
    move = uex_headers_move(&dead.record, ID);
    reread(move, TOPIC, &moved);
    assert_int_equal(moved.record.header_count, 1);
    assert_text(&moved, "export-command-id", ID);
    rd_kafka_headers_destroy(headers);
    rd_kafka_headers_destroy(retry);
    rd_kafka_headers_destroy(move);
}

static void move__tier_record__keeps_its_retry_headers(void **state)
{
    struct record_fixture fixture, out;
    rd_kafka_headers_t *headers = NULL;

    (void)state;
    fixture_record(&fixture, TIER);
    fixture_header_text(&fixture, "mine", "stays");
    fixture_header(&fixture, "retry_topic-attempts", three, 4);
    fixture_header_text(&fixture, "export-attempts", "2");
    fixture_header(&fixture, "retry_topic-backoff-timestamp", place, 8);
    add_origin(&fixture);
    headers = uex_headers_move(&fixture.record, ID);
    reread(headers, TOPIC, &out);
    assert_text(&out, "mine", "stays");
    assert_int_equal(out.record.envelope.attempt, 3);
    assert_true(out.record.envelope.due_ms == 258);
    assert_int_equal(count_of(&out, "kafka_original-topic"), 0);
    assert_text(&out, "export-command-id", ID);
    rd_kafka_headers_destroy(headers);
}

static void result__file__has_all_headers(void **state)
{
    struct record_fixture fixture, out;
    uint8_t sha256[UEX_SHA256_SIZE] = {0xab, 0x01};
    struct uex_result_facts facts = {.command_id = ID,
                                     .run_id = "2026-11-22",
                                     .version = "1.0",
                                     .layout = "0123456789abcdef",
                                     .row_count = 100000,
                                     .snapshot_at_ms = 1700000000123,
                                     .part = 1,
                                     .part_count = 1,
                                     .is_file = true,
                                     .byte_count = 12345678901,
                                     .sha256 = sha256};
    rd_kafka_headers_t *headers = NULL;

    (void)state;
    fixture_record(&fixture, TOPIC);
    fixture_header_text(&fixture, "traceparent", "00-aa-bb-01");
    fixture_header_text(&fixture, "mine", "is not handed on");
    headers = uex_headers_result(&fixture.record, &facts);
    reread(headers, "flairbit-users", &out);
    assert_text(&out, "export-command-id", ID);
    assert_text(&out, "export-run-id", "2026-11-22");
    assert_text(&out, "export-version", "1.0");
    assert_text(&out, "export-layout", "0123456789abcdef");
    assert_text(&out, "export-row-count", "100000");
    assert_text(&out, "export-snapshot-at", "2023-11-14T22:13:20.123Z");
    assert_text(&out, "export-part", "1");
    assert_text(&out, "export-part-count", "1");
    assert_text(&out, "export-byte-count", "12345678901");
    assert_text(&out, "export-sha256", "ab01000000000000000000000000000000000000000000000000000000000000");
    assert_text(&out, "traceparent", "00-aa-bb-01");
    assert_int_equal(out.record.header_count, 11);
    rd_kafka_headers_destroy(headers);
}

static void result__list_part__has_no_file_headers(void **state)
{
    struct record_fixture out;
    struct uex_result_facts facts = {.command_id = ID,
                                     .run_id = "",
                                     .version = "1.0",
                                     .row_count = 5,
                                     .snapshot_at_ms = UEX_NO_TIME,
                                     .part = 2,
                                     .part_count = 3};
    rd_kafka_headers_t *headers = uex_headers_result(NULL, &facts);

    (void)state;
    reread(headers, "flairbit-users", &out);
    assert_text(&out, "export-run-id", "");
    assert_text(&out, "export-part", "2");
    assert_text(&out, "export-part-count", "3");
    assert_int_equal(out.record.header_count, 6);
    rd_kafka_headers_destroy(headers);
}

static void result__empty_group__has_the_reason(void **state)
{
    struct record_fixture out;
    struct uex_result_facts facts = {.command_id = ID,
                                     .run_id = "",
                                     .version = "1.0",
                                     .row_count = 0,
                                     .snapshot_at_ms = UEX_NO_TIME,
                                     .part = 1,
                                     .part_count = 1,
                                     .reason = "inactive"};
    rd_kafka_headers_t *headers = uex_headers_result(NULL, &facts);

    (void)state;
    reread(headers, "flairbit-users", &out);
    assert_text(&out, "export-reason", "inactive");
    assert_text(&out, "export-row-count", "0");
    assert_int_equal(out.record.header_count, 7);
    rd_kafka_headers_destroy(headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry__first_attempt_with_foreign_headers__writes_its_own_time),
        cmocka_unit_test(retry__several_attempts__headers_do_not_pile_up),
        cmocka_unit_test(retry__forms__are_springs),
        cmocka_unit_test(dead_letter__tier_record__has_dlt_headers_only),
        cmocka_unit_test(replay__record_with_dlt_headers__starts_afresh),
        cmocka_unit_test(move__tier_record__keeps_its_retry_headers),
        cmocka_unit_test(result__file__has_all_headers),
        cmocka_unit_test(result__list_part__has_no_file_headers),
        cmocka_unit_test(result__empty_group__has_the_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
