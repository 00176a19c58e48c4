/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/dead_letter.h"

#include "unit/kafka/kafka_fixture.h"

#define DLQ "flairbit-dlq"
#define ID "0b6e3b52-9df1-4b4f-8a0c-0a2f3b6c7d8e"

static const uint8_t three[] = {0, 0, 0, 3};
static const uint8_t place[] = {0, 0, 0, 0, 0, 0, 1, 2};

/* Turn built headers into a record of the dead letters, so that what is written is also what is read. */
static void reread(rd_kafka_headers_t *headers, struct record_fixture *out)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t size_bytes = 0;

    assert_non_null(headers);
    fixture_record(out, DLQ);
    out->record.value = (struct uex_bytes){0};
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size_bytes) == 0; i++)
        fixture_header(out, name, value, size_bytes);
}

static void add_letter(struct record_fixture *fixture)
{
    fixture_record(fixture, DLQ);
    fixture_header_text(fixture, "who", "somebody");
    fixture_header_text(fixture, "export-command-id", ID);
    fixture_header_text(fixture, "kafka_dlt-original-topic", "export-group");
    fixture_header(fixture, "kafka_dlt-original-partition", three, 4);
    fixture_header(fixture, "kafka_dlt-original-offset", place, 8);
    fixture_header(fixture, "kafka_dlt-original-timestamp", place, 8);
    fixture_header_text(fixture, "kafka_dlt-exception-message", "a sentence");
    fixture_header_text(fixture, "export-error-code", "database-data");
    fixture_header_text(fixture, "export-error", "a sentence");
    fixture_header_text(fixture, "export-attempts", "4");
}

static void mark__written_and_read__is_the_same(void **state)
{
    const struct uex_dlq_mark written = {.partition = 5,
                                         .offset = 12,
                                         .action = UEX_DLQ_DISCARDED,
                                         .at_ms = 1700000000123,
                                         .by = "asha@ops",
                                         .reason = "closed",
                                         .command_id = ID};
    struct record_fixture fixture;
    struct uex_dlq_mark read;
    rd_kafka_headers_t *headers = uex_dlq_mark_headers(&written);

    (void)state;
    reread(headers, &fixture);
    assert_true(uex_dlq_mark_read(&fixture.record, &read));
    assert_int_equal(read.partition, 5);
    assert_int_equal(read.offset, 12);
    assert_int_equal(read.action, UEX_DLQ_DISCARDED);
    assert_true(read.at_ms == written.at_ms);
    assert_string_equal(read.by, "asha@ops");
    assert_string_equal(read.reason, "closed");
    assert_string_equal(read.command_id, ID);
    rd_kafka_headers_destroy(headers);
}

static void mark__odd_ones__are_letters(void **state)
{
    static const struct {
        const char *of, *action;
        bool has_value, is_dead;
        const char *why;
    } cases[] = {
        {"5:12", "replayed", true, false, "a value"},
        {"5:12", "replayed", false, true, "dead-lettered itself"},
        {"4:12", "replayed", false, false, "of another partition"},
        {"5:77", "replayed", false, false, "of itself"},
        {"5:78", "replayed", false, false, "of a later record"},
        {"5:12", "eaten", false, false, "an unknown action"},
        {"5:-1", "replayed", false, false, "a negative offset"},
        {"5:12x", "replayed", false, false, "more behind it"},
        {"5", "replayed", false, false, "no offset"},
        {"", "replayed", false, false, "nothing"},
        {"99999999999:1", "replayed", false, false, "too large"},
        {"5:99999999999999999999", "replayed", false, false, "too large"},
        {NULL, "replayed", false, false, "no place"},
        {"5:12", NULL, false, false, "no action"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct record_fixture fixture;
        struct uex_dlq_mark mark;

        fixture_record(&fixture, DLQ);
        fixture.record.value = cases[i].has_value ? uex_bytes_of_text("{}") : (struct uex_bytes){0};
        if (cases[i].of != NULL)
            fixture_header_text(&fixture, "export-dlq-of", cases[i].of);
        if (cases[i].action != NULL)
            fixture_header_text(&fixture, "export-dlq-action", cases[i].action);
        if (cases[i].is_dead)
            fixture_header_text(&fixture, "kafka_dlt-original-topic", "export-group");
        if (uex_dlq_mark_read(&fixture.record, &mark))
            fail_msg("taken for a mark: %s", cases[i].why);
    }
}

static void letter__of_the_worker__is_laid_open(void **state)
{
    struct record_fixture fixture;
    struct uex_dead_letter letter;

    (void)state;
    add_letter(&fixture);
    uex_dead_letter_read(&fixture.record, &letter);
    assert_string_equal(letter.error_code, "database-data");
    assert_string_equal(letter.error, "a sentence");
    assert_int_equal(letter.attempts, 4);
    assert_string_equal(letter.command_id, ID);
    assert_true(letter.has_origin);
    assert_string_equal(letter.origin.topic, "export-group");
    assert_int_equal(letter.origin.partition, 3);
    assert_int_equal(letter.origin.offset, 258);
}

static void letter__of_anybody__says_nothing_rather_than_nonsense(void **state)
{
    struct record_fixture fixture;
    struct uex_dead_letter letter;

    (void)state;
    fixture_record(&fixture, DLQ);
    fixture_header(&fixture, "export-error-code", "a\0b", 3);
    fixture_header(&fixture, "export-error", "\xff", 1);
    fixture_header_text(&fixture, "export-attempts", "many");
    fixture_header_text(&fixture, "export-command-id", "no uuid");
    fixture_header_text(&fixture, "kafka_dlt-original-topic", "a b");
    uex_dead_letter_read(&fixture.record, &letter);
    assert_string_equal(letter.error_code, "");
    assert_string_equal(letter.error, "");
    assert_int_equal(letter.attempts, -1);
    assert_string_equal(letter.command_id, "");
    assert_false(letter.has_origin);
}

static void replay__headers__are_the_commands_own(void **state)
{
    static const char other[] = "ffffffff-9df1-4b4f-8a0c-0a2f3b6c7d8e";
    struct record_fixture fixture, again;
    rd_kafka_headers_t *headers = NULL;

    (void)state;
    add_letter(&fixture);
    fixture_header(&fixture, "blob", "\0\xff", 2);
    fixture_header_text(&fixture, "retry_topic-attempts", "x");
    fixture_header_text(&fixture, "kafka_dlt-exception-fqcn", "of Spring's tools");
    fixture_header_text(&fixture, "kafka_original-topic", "x");
    fixture_header_text(&fixture, "export-dlq-of", "1:1");
    fixture_header_text(&fixture, "who", "twice");
    headers = uex_headers_replay(&fixture.record, other);
    reread(headers, &again);
    assert_int_equal(again.record.header_count, 4);
    assert_string_equal(again.headers[0].name, "who");
    assert_string_equal(again.headers[1].name, "blob");
    assert_int_equal(again.headers[1].value.size_bytes, 2);
    assert_string_equal(again.headers[2].name, "who");
    assert_string_equal(again.headers[3].name, "export-command-id");
    assert_memory_equal(again.headers[3].value.data, other, 36);
    assert_int_equal(again.record.envelope.attempt, 1);
    rd_kafka_headers_destroy(headers);
    headers = uex_headers_replay(&fixture.record, "");
    reread(headers, &again);
    assert_int_equal(again.record.header_count, 3);
    rd_kafka_headers_destroy(headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mark__written_and_read__is_the_same),
        cmocka_unit_test(mark__odd_ones__are_letters),
        cmocka_unit_test(letter__of_the_worker__is_laid_open),
        cmocka_unit_test(letter__of_anybody__says_nothing_rather_than_nonsense),
        cmocka_unit_test(replay__headers__are_the_commands_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
