/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/retry_record.h"

static void header__given_twice__is_the_last(void **state)
{
    struct record_fixture fixture;
    struct uex_bytes value = {0};

    (void)state;
    fixture_record(&fixture, TOPIC);
    fixture_header_text(&fixture, "a", "first");
    fixture_header_text(&fixture, "a", "second");
    fixture_header_text(&fixture, "null", NULL);
    assert_true(uex_record_header(&fixture.record, "a", &value));
    assert_int_equal(value.size_bytes, 6);
    assert_memory_equal(value.data, "second", 6);
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
    origin = fixture.record.envelope.origin;
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
    origin = fixture.record.envelope.origin;
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
        origin = fixture.record.envelope.origin;
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
    assert_int_equal(fixture.record.envelope.attempt, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_record(&fixture, TIER);
        fixture_header(&fixture, "retry_topic-attempts", cases[i].value, cases[i].size_bytes);
        assert_int_equal(fixture.record.envelope.attempt, cases[i].attempt);
    }
}

static void attempt__command_topic__counts_only_beside_our_own_header(void **state)
{
    struct record_fixture fixture;

    (void)state;
    fixture_record(&fixture, TOPIC); /* copied from another application */
    fixture_header(&fixture, "retry_topic-attempts", three, 4);
    add_origin(&fixture);
    assert_int_equal(fixture.record.envelope.attempt, 1);
    fixture_header_text(&fixture, "export-attempts", "1");
    assert_int_equal(fixture.record.envelope.attempt, 1);
    fixture_header_text(&fixture, "export-attempts", "2"); /* as it was rerouted from a retry topic */
    assert_int_equal(fixture.record.envelope.attempt, 3);
    fixture_header(&fixture, "retry_topic-attempts", "\x7f\xff\xff\xff", 4);
    fixture_header_text(&fixture, "export-attempts", "2147483646");
    assert_int_equal(fixture.record.envelope.attempt, UEX_ATTEMPT_MAX);
}

static void due__int64_and_big_integer__are_read(void **state)
{
    struct record_fixture fixture;

    (void)state;
    fixture_record(&fixture, TIER);
    assert_true(fixture.record.envelope.due_ms == UEX_NO_TIME);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", "\0\0\x01\x8b\xcf\xe5\x68\x00", 8);
    assert_true(fixture.record.envelope.due_ms == 1700000000000);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", "\x01\x8b\xcf\xe5\x68\x00", 6);
    assert_true(fixture.record.envelope.due_ms == 1700000000000);
    fixture_header(&fixture, "retry_topic-backoff-timestamp", "\0\0\0\0\0\0\0\0\1", 9);
    assert_true(fixture.record.envelope.due_ms == UEX_NO_TIME);
}

static void command_id__not_a_uuid__is_none(void **state)
{
    struct record_fixture fixture;

    (void)state;
    fixture_record(&fixture, TOPIC);
    assert_string_equal(fixture.record.envelope.command_id, "");
    fixture_header_text(&fixture, "export-command-id", "0B6E3B52-9DF1-4B4F-8A0C-0A2F3B6C7D8E");
    assert_string_equal(fixture.record.envelope.command_id, ID);
    fixture_header_text(&fixture, "export-command-id", "nonsense");
    assert_string_equal(fixture.record.envelope.command_id, "");
    fixture_header_text(&fixture, "export-command-id", NULL);
    assert_string_equal(fixture.record.envelope.command_id, "");
}

static void trace__header__is_parsed_and_kept_as_it_is(void **state)
{
    struct record_fixture fixture;
    const struct uex_envelope *envelope = &fixture.record.envelope;

    (void)state;
    fixture_record(&fixture, TOPIC);
    assert_false(envelope->has_traceparent);
    assert_false(envelope->has_trace);
    fixture_header_text(&fixture, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_true(envelope->has_traceparent);
    assert_true(envelope->has_trace);
    assert_string_equal(envelope->trace.trace_id, "0af7651916cd43dd8448eb211c80319c");
    assert_string_equal(envelope->trace.span_id, "b7ad6b7169203331");
    assert_true(envelope->trace.is_sampled);
    fixture_header_text(&fixture, "traceparent", "00-aa-bb-01"); /* of another form: passed on, and means nothing */
    assert_true(envelope->has_traceparent);
    assert_int_equal(envelope->traceparent.size_bytes, 11);
    assert_false(envelope->has_trace);
}

static void kind__of_a_header__is_what_is_done_with_it_when_it_is_sent_on(void **state)
{
    (void)state;
    assert_int_equal(uex_header_kind("traceparent"), UEX_HEADER_FOREIGN);
    assert_int_equal(uex_header_kind("anything"), UEX_HEADER_FOREIGN);
    assert_int_equal(uex_header_kind("export-command-id"), UEX_HEADER_OURS);
    assert_int_equal(uex_header_kind("kafka_original-topic"), UEX_HEADER_OURS);
    assert_int_equal(uex_header_kind("kafka_dlt-exception-message"), UEX_HEADER_OURS);
    assert_int_equal(uex_header_kind("retry_topic-attempts"), UEX_HEADER_OURS_AND_KEPT);
}

static void record__that_is_no_command__has_no_origin_elsewhere_and_no_attempts(void **state)
{
    struct record_fixture fixture;

    (void)state;
    fixture_record(&fixture, "flairbit-users");
    add_origin(&fixture);
    fixture_header(&fixture, "retry_topic-attempts", three, 4);
    uex_envelope_read(&fixture.record, NULL);
    assert_string_equal(fixture.record.envelope.origin.topic, "flairbit-users");
    assert_int_equal(fixture.record.envelope.attempt, 1);
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
        cmocka_unit_test(trace__header__is_parsed_and_kept_as_it_is),
        cmocka_unit_test(kind__of_a_header__is_what_is_done_with_it_when_it_is_sent_on),
        cmocka_unit_test(record__that_is_no_command__has_no_origin_elsewhere_and_no_attempts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
