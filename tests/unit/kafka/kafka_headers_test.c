/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/kafka_fixture.h"

#define TOPIC "export-group"
#define TIER "export-group-retry-0"
#define ID "0b6e3b52-9df1-4b4f-8a0c-0a2f3b6c7d8e"

static const uint8_t three[] = {0, 0, 0, 3};
static const uint8_t place[] = {0, 0, 0, 0, 0, 0, 1, 2};

static void add_origin(struct record_fixture *fixture)
{
    fixture_header_text(fixture, "kafka_original-topic", TOPIC);
    fixture_header(fixture, "kafka_original-partition", three, 4);
    fixture_header(fixture, "kafka_original-offset", place, 8);
    fixture_header(fixture, "kafka_original-timestamp", place, 8);
}

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

static void header__given_twice__is_the_last(void **state)
{
    struct record_fixture fixture;
    struct uex_bytes value = {0};

    (void)state;
    fixture_record(&fixture, TOPIC);
    fixture_header_text(&fixture, "a", "first");
    fixture_header_text(&fixture, "a", "second");
    fixture_header_text(&fixture, "null", NULL);
    assert_text(&fixture, "a", "second");
    assert_true(uex_record_header(&fixture.record, "null", &value));
    assert_null(value.data);
    assert_false(uex_record_header(&fixture.record, "b", &value));
}

static void origin__tier_record__is_what_its_headers_say(void **state)
{
    struct record_fixture fixture;
    struct uex_origin origin;

    (void)state;
    fixture_record(&fixture, TIER);
    add_origin(&fixture);
    uex_record_origin(&fixture.record, TOPIC, &origin);
    assert_string_equal(origin.topic, TOPIC);
    assert_int_equal(origin.partition, 3);
    assert_int_equal(origin.offset, 258);
    assert_int_equal(origin.timestamp_ms, 258);
}

static void origin__command_record__is_its_own_place(void **state)
{
    struct record_fixture fixture;
    struct uex_origin origin;

    (void)state;
    fixture_record(&fixture, TOPIC);
    add_origin(&fixture); /* left by a tool: a record of the command topic stands where it stands */
    uex_record_origin(&fixture.record, TOPIC, &origin);
    assert_string_equal(origin.topic, TOPIC);
    assert_int_equal(origin.partition, 5);
    assert_int_equal(origin.offset, 77);
    assert_true(origin.timestamp_ms == 1700000000123);
}

static void origin__bad_header__is_the_records_own_place(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        size_t size_bytes;
    } cases[] = {
        {"kafka_original-topic", "bad topic!", 10},    {"kafka_original-topic", "", 0},
        {"kafka_original-topic", "a\0b", 3},           {"kafka_original-partition", "\0\0\1", 3},
        {"kafka_original-offset", "\0\0\0\1", 4},      {"kafka_original-timestamp", "1700000000", 10},
        {"kafka_original-partition", "\xff\0\0\0", 4}, {"kafka_original-offset", "\xff\0\0\0\0\0\0\0", 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record_fixture fixture;
        struct uex_origin origin;

        fixture_record(&fixture, TIER);
        add_origin(&fixture);
        fixture_header(&fixture, cases[i].name, cases[i].value, cases[i].size_bytes);
        uex_record_origin(&fixture.record, TOPIC, &origin);
        assert_string_equal(origin.topic, TIER);
        assert_int_equal(origin.offset, 77);
    }
}

static void attempt__forms__are_read_as_spring_does(void **state)
{
    static const struct {
        const char *value;
        size_t size_bytes;
        int32_t attempt;
    } cases[] = {
        {"\0\0\0\2", 4, 2},
        {"\3", 1, 3},
        {"\0\0\0\0", 4, 1},
        {"\xff\xff\xff\xff", 4, 1},
        {"\0\1", 2, 1},
        {"", 0, 1},
        {"\x7f\xff\xff\xff", 4, 32767},
        {"2", 1, '2'},
        {"\0\0\0\0\0\0\0\2", 8, 1},
    };
    struct record_fixture fixture;

    (void)state;
    fixture_record(&fixture, TIER);
    assert_int_equal(uex_record_attempt(&fixture.record, TOPIC), 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_record(&fixture, TIER);
        fixture_header(&fixture, "retry_topic-attempts", cases[i].value, cases[i].size_bytes);
        assert_int_equal(uex_record_attempt(&fixture.record, TOPIC), cases[i].attempt);
    }
}

static void attempt__command_topic__counts_only_beside_our_own_header(void **state)
{
    struct record_fixture fixture, out;
    struct uex_origin origin;
    rd_kafka_headers_t *headers = NULL;

    (void)state;
    fixture_record(&fixture, TOPIC); /* copied from another application */
    fixture_header(&fixture, "retry_topic-attempts", three, 4);
    fixture_header(&fixture, "retry_topic-original-timestamp", place, 8);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", place, 8);
    add_origin(&fixture);
    assert_int_equal(uex_record_attempt(&fixture.record, TOPIC), 1);
    fixture_header_text(&fixture, "export-attempts", "1");
    assert_int_equal(uex_record_attempt(&fixture.record, TOPIC), 1);
    uex_record_origin(&fixture.record, TOPIC, &origin);
    headers = uex_headers_retry(&fixture.record, &origin, ID, 2, 9, "timeout", "y");
    reread(headers, TIER, &out);
    assert_bytes(&out, "retry_topic-original-timestamp", "\0\0\x01\x8b\xcf\xe5\x68\x7b", 8);
    rd_kafka_headers_destroy(headers);
    fixture_header_text(&fixture, "export-attempts", "2"); /* as it was moved from a tier */
    assert_int_equal(uex_record_attempt(&fixture.record, TOPIC), 3);
}

static void due__int64_and_big_integer__are_read(void **state)
{
    struct record_fixture fixture;

    (void)state;
    fixture_record(&fixture, TIER);
    assert_true(uex_record_due_ms(&fixture.record) == UEX_NO_TIME);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", "\0\0\x01\x8b\xcf\xe5\x68\x00", 8);
    assert_true(uex_record_due_ms(&fixture.record) == 1700000000000);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", "\x01\x8b\xcf\xe5\x68\x00", 6);
    assert_true(uex_record_due_ms(&fixture.record) == 1700000000000);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", "\0\0\0\0\0\0\0\0\1", 9);
    assert_true(uex_record_due_ms(&fixture.record) == UEX_NO_TIME);
}

static void command_id__not_a_uuid__is_none(void **state)
{
    struct record_fixture fixture;
    char id[UEX_UUID_TEXT_SIZE];

    (void)state;
    fixture_record(&fixture, TOPIC);
    assert_false(uex_record_command_id(&fixture.record, id));
    fixture_header_text(&fixture, "export-command-id", "0B6E3B52-9DF1-4B4F-8A0C-0A2F3B6C7D8E");
    assert_true(uex_record_command_id(&fixture.record, id));
    assert_string_equal(id, ID);
    fixture_header_text(&fixture, "export-command-id", "nonsense");
    assert_false(uex_record_command_id(&fixture.record, id));
    assert_string_equal(id, "");
    fixture_header_text(&fixture, "export-command-id", NULL);
    assert_false(uex_record_command_id(&fixture.record, id));
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
    uex_record_origin(&first.record, TOPIC, &origin);
    one = uex_headers_retry(&first.record, &origin, ID, 2, 1700000030123, "database-unavailable", "gone");
    reread(one, TIER, &second);
    uex_record_origin(&second.record, TOPIC, &origin);
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
    assert_int_equal(uex_record_attempt(&third.record, TOPIC), 3);
    assert_true(uex_record_due_ms(&third.record) == 1700000330123);
    uex_record_origin(&third.record, TOPIC, &origin);
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
    uex_record_origin(&fixture.record, TOPIC, &origin);
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
    uex_record_origin(&fixture.record, TOPIC, &origin);
    headers = uex_headers_dead_letter(&fixture.record, &origin, ID, "database-data", "x", 3);
    reread(headers, TOPIC, &dead);                           /* copied back as it is */
    fixture_header(&dead, "retry_topic-attempts", three, 4); /* as Spring would have left it */
    fixture_header(&dead, "retry_topic-original-timestamp", place, 8);
    fixture_header(&dead, "retry_topic-backoff-timestamp", place, 8);
    assert_true(uex_record_is_replay(&dead.record));
    assert_int_equal(uex_record_attempt(&dead.record, TOPIC), 1);
    assert_true(uex_record_due_ms(&dead.record) == UEX_NO_TIME);
    uex_record_origin(&dead.record, TOPIC, &origin);
    assert_int_equal(origin.offset, 77);
    retry = uex_headers_retry(&dead.record, &origin, ID, 2, 9, "timeout", "y");
    reread(retry, TIER, &again);
    assert_false(uex_record_is_replay(&again.record));
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
    assert_int_equal(uex_record_attempt(&out.record, TOPIC), 3);
    assert_true(uex_record_due_ms(&out.record) == 258);
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
    assert_text(&out, "export-row-count", "100000");
    assert_text(&out, "export-snapshot-at", "2023-11-14T22:13:20.123Z");
    assert_text(&out, "export-part", "1");
    assert_text(&out, "export-part-count", "1");
    assert_text(&out, "export-byte-count", "12345678901");
    assert_text(&out, "export-sha256", "ab01000000000000000000000000000000000000000000000000000000000000");
    assert_text(&out, "traceparent", "00-aa-bb-01");
    assert_int_equal(out.record.header_count, 10);
    rd_kafka_headers_destroy(headers);
}

static void result__list_part__has_no_file_headers(void **state)
{
    struct record_fixture out;
    struct uex_result_facts facts = {
        .command_id = ID, .run_id = "", .row_count = 5, .snapshot_at_ms = UEX_NO_TIME, .part = 2, .part_count = 3};
    rd_kafka_headers_t *headers = uex_headers_result(NULL, &facts);

    (void)state;
    reread(headers, "flairbit-users", &out);
    assert_text(&out, "export-run-id", "");
    assert_text(&out, "export-part", "2");
    assert_text(&out, "export-part-count", "3");
    assert_int_equal(out.record.header_count, 6);
    rd_kafka_headers_destroy(headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header__given_twice__is_the_last),
        cmocka_unit_test(origin__tier_record__is_what_its_headers_say),
        cmocka_unit_test(origin__command_record__is_its_own_place),
        cmocka_unit_test(origin__bad_header__is_the_records_own_place),
        cmocka_unit_test(attempt__forms__are_read_as_spring_does),
        cmocka_unit_test(attempt__command_topic__counts_only_beside_our_own_header),
        cmocka_unit_test(due__int64_and_big_integer__are_read),
        cmocka_unit_test(command_id__not_a_uuid__is_none),
        cmocka_unit_test(retry__several_attempts__headers_do_not_pile_up),
        cmocka_unit_test(retry__forms__are_springs),
        cmocka_unit_test(dead_letter__tier_record__has_dlt_headers_only),
        cmocka_unit_test(replay__record_with_dlt_headers__starts_afresh),
        cmocka_unit_test(move__tier_record__keeps_its_retry_headers),
        cmocka_unit_test(result__file__has_all_headers),
        cmocka_unit_test(result__list_part__has_no_file_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
