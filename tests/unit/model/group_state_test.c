/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/group_state.h"
#include "model/group_memory.h"

#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define AT INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

/* The id of command `number`. */
static const char *id_of(unsigned number)
{
    static char ids[8][UEX_UUID_TEXT_SIZE];
    static unsigned next;
    char *id = ids[next++ % 8];

    (void)snprintf(id, UEX_UUID_TEXT_SIZE, "a0eebc99-9c0b-4ef8-bb6d-%012x", number);
    return id;
}

static struct uex_state_record record_of(enum uex_outcome_kind outcome, unsigned number)
{
    return (struct uex_state_record){.group_id = "g",
                                     .outcome = outcome,
                                     .command_id = id_of(number),
                                     .run_id = "2026-11-22",
                                     .at_ms = AT + number,
                                     .rows = 10 + number,
                                     .bytes = UEX_UNKNOWN,
                                     .snapshot_at_ms = UEX_NO_TIME,
                                     .duration_ms = UEX_NO_TIME,
                                     .attempts = 1,
                                     .next_attempt_at_ms = UEX_NO_TIME};
}

static void add(struct uex_group_memory *memory, enum uex_outcome_kind outcome, const char *reason, unsigned number)
{
    struct uex_state_record record = record_of(outcome, number);

    record.reason = reason;
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
}

/* The JSON of this memory under a fixed record. */
static char *json_of(const struct uex_group_memory *memory)
{
    struct uex_state_record record = record_of(UEX_OUTCOME_RETRIED, 0);
    struct uex_buffer out = {0};

    uex_group_state_write(&record, memory, &out);
    assert_false(uex_buffer_failed(&out));
    return (char *)out.data;
}

static struct uex_group_memory *new_memory(void)
{
    struct uex_group_memory *memory = uex_group_memory_new();

    assert_non_null(memory);
    return memory;
}

static void write__first_export__has_every_field_in_order(void **state)
{
    struct uex_group_memory *memory = new_memory();
    struct uex_state_record record = record_of(UEX_OUTCOME_EXPORTED, 1);
    struct uex_buffer out = {0};
    (void)state;
    record.file_path = "s3://b/g \"1\".csv.gz";
    record.sha256 = SHA;
    record.bytes = 12345;
    record.snapshot_at_ms = AT - 1000;
    record.duration_ms = 250;
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
    uex_group_state_write(&record, memory, &out);
    assert_string_equal(
        uex_buffer_text(&out),
        "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"exported\",\"reason\":null,"
        "\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"runId\":\"2026-11-22\","
        "\"at\":\"2026-11-22T17:50:00.501Z\",\"rows\":11,\"bytes\":12345,\"filePath\":\"s3://b/g \\\"1\\\".csv.gz\","
        "\"sha256\":\"" SHA "\",\"snapshotAt\":\"2026-11-22T17:49:59.500Z\",\"durationMs\":250,\"attempts\":1,"
        "\"nextAttemptAt\":null,\"error\":null,\"recent\":[{\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\","
        "\"runId\":\"2026-11-22\",\"outcome\":\"exported\",\"reason\":null,\"at\":\"2026-11-22T17:50:00.501Z\"}],"
        "\"lastExported\":{\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"runId\":\"2026-11-22\","
        "\"at\":\"2026-11-22T17:50:00.501Z\",\"filePath\":\"s3://b/g \\\"1\\\".csv.gz\",\"sha256\":\"" SHA
        "\",\"rows\":11,\"layout\":null}}");
    uex_buffer_clear(&out);
    uex_group_memory_free(memory);
}

static void write__retry_without_history__has_nulls(void **state)
{
    struct uex_group_memory *memory = new_memory();
    struct uex_state_record record = record_of(UEX_OUTCOME_RETRIED, 1);
    struct uex_buffer out = {0};
    (void)state;
    record.reason = "database-unavailable";
    record.run_id = "";
    record.rows = UEX_UNKNOWN;
    record.next_attempt_at_ms = AT;
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
    assert_int_equal(uex_group_memory_at_ms(memory), AT + 1);
    uex_group_state_write(&record, memory, &out);
    assert_string_equal(
        uex_buffer_text(&out),
        "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"retried\",\"reason\":\"database-unavailable\","
        "\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"runId\":null,"
        "\"at\":\"2026-11-22T17:50:00.501Z\",\"rows\":null,\"bytes\":null,\"filePath\":null,"
        "\"sha256\":null,\"snapshotAt\":null,\"durationMs\":null,\"attempts\":1,"
        "\"nextAttemptAt\":\"2026-11-22T17:50:00.500Z\",\"error\":null,\"recent\":[],\"lastExported\":null}");
    uex_buffer_clear(&out);
    uex_group_memory_free(memory);
}

static void write__error_of_a_failure__stands_behind_its_next_attempt(void **state)
{
    struct uex_group_memory *memory = new_memory();
    struct uex_state_record record = record_of(UEX_OUTCOME_RETRIED, 1);
    struct uex_buffer out = {0};

    (void)state;
    record.next_attempt_at_ms = AT;
    record.error = "view \"users\" is missing";
    uex_group_state_write(&record, memory, &out);
    assert_non_null(strstr(uex_buffer_text(&out), "\"nextAttemptAt\":\"2026-11-22T17:50:00.500Z\","
                                                  "\"error\":\"view \\\"users\\\" is missing\",\"recent\":[]"));
    uex_buffer_reset(&out);
    record.error = "";
    uex_group_state_write(&record, memory, &out);
    assert_non_null(strstr(uex_buffer_text(&out), "\"error\":null,"));
    uex_buffer_clear(&out);
    uex_group_memory_free(memory);
}

/* A state that cannot be read loses the group's history, and with it the command is exported again. */
static void write__counts_beyond_what_json_carries__are_unknown_and_can_be_read(void **state)
{
    static const uint64_t counts[] = {UEX_COUNT_MAX, UEX_COUNT_MAX + 1, INT64_MAX, UEX_UNKNOWN - 1, UEX_UNKNOWN};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct uex_group_memory *memory = new_memory(), *read = NULL;
        struct uex_state_record record = record_of(UEX_OUTCOME_EXPORTED, 1);
        struct uex_buffer out = {0};
        struct uex_fault fault = {0};

        record.rows = record.bytes = counts[i];
        record.file_path = "s3://b/g";
        assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
        uex_group_state_write(&record, memory, &out);
        if (uex_group_state_read(uex_buffer_bytes(&out), &read, &fault) != UEX_OK)
            fail_msg("%s: %s", fault.text, uex_buffer_text(&out));
        assert_true(uex_group_memory_is_duplicate(read, id_of(1)));
        assert_int_equal(strstr(uex_buffer_text(&out), "\"rows\":null") != NULL, counts[i] > UEX_COUNT_MAX);
        uex_group_memory_free(memory);
        uex_group_memory_free(read);
        uex_buffer_clear(&out);
    }
}

static void add__ended_outcomes__decide_about_duplicates(void **state)
{
    struct uex_group_memory *memory = new_memory();
    (void)state;
    assert_true(uex_group_memory_at_ms(memory) == UEX_NO_TIME);
    assert_false(uex_group_memory_is_duplicate(memory, id_of(1)));
    add(memory, UEX_OUTCOME_EXPORTED, NULL, 1);
    add(memory, UEX_OUTCOME_SKIPPED, "empty", 2);
    add(memory, UEX_OUTCOME_DEAD_LETTERED, "database-data", 3);
    add(memory, UEX_OUTCOME_RETRIED, "timeout", 4);
    add(memory, UEX_OUTCOME_REROUTED, NULL, 5);
    assert_true(uex_group_memory_is_duplicate(memory, id_of(1)));
    assert_true(uex_group_memory_is_duplicate(memory, id_of(2)));
    assert_true(uex_group_memory_is_duplicate(memory, "A0EEBC99-9C0B-4EF8-BB6D-000000000002"));
    assert_false(uex_group_memory_is_duplicate(memory, id_of(3)));
    assert_false(uex_group_memory_is_duplicate(memory, id_of(4)));
    assert_false(uex_group_memory_is_duplicate(memory, id_of(5)));
    assert_false(uex_group_memory_is_duplicate(memory, ""));
    assert_false(uex_group_memory_is_duplicate(memory, NULL));
    assert_int_equal(uex_group_memory_at_ms(memory), AT + 4);
    /* the replayed dead letter takes its old entry's place at the end */
    add(memory, UEX_OUTCOME_EXPORTED, NULL, 3);
    assert_true(uex_group_memory_is_duplicate(memory, id_of(3)));
    char *json = json_of(memory);
    assert_null(strstr(json, "dead-lettered"));
    assert_non_null(strstr(json, "000000000002\",\"runId\":\"2026-11-22\",\"outcome\":\"skipped\",\"reason\":\"empty\","
                                 "\"at\":\"2026-11-22T17:50:00.502Z\"},{\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-"
                                 "000000000003\""));
    free(json);
    uex_group_memory_free(memory);
}

static void add__skipped_as_duplicate__leaves_the_exported_entry(void **state)
{
    struct uex_group_memory *memory = new_memory();
    (void)state;
    add(memory, UEX_OUTCOME_EXPORTED, NULL, 1);
    char *before = json_of(memory);
    add(memory, UEX_OUTCOME_SKIPPED, "duplicate", 1);
    char *after = json_of(memory);
    assert_string_equal(before, after);
    free(before);
    free(after);
    uex_group_memory_free(memory);
}

static void follows__history_of_the_other__is_known_whatever_the_times(void **state)
{
    struct uex_group_memory *before = new_memory();
    struct uex_group_memory *after = NULL;

    (void)state;
    assert_false(uex_group_memory_follows(before, before));
    add(before, UEX_OUTCOME_EXPORTED, NULL, 9); /* the later clock */
    after = uex_group_memory_copy(before);
    assert_non_null(after);
    add(after, UEX_OUTCOME_SKIPPED, "empty", 1);
    assert_true(uex_group_memory_follows(after, before));
    assert_false(uex_group_memory_follows(before, after));
    for (unsigned i = 20; i < 36; i++)
        add(after, UEX_OUTCOME_SKIPPED, "empty", i);
    assert_false(uex_group_memory_follows(after, before)); /* too long ago */
    uex_group_memory_free(before);
    uex_group_memory_free(after);
}

static void add__17_commands__forgets_the_first(void **state)
{
    struct uex_group_memory *memory = new_memory();
    (void)state;
    for (unsigned i = 1; i <= 17; i++)
        add(memory, i == 2 ? UEX_OUTCOME_EXPORTED : UEX_OUTCOME_SKIPPED, i == 2 ? NULL : "empty", i);
    assert_false(uex_group_memory_is_duplicate(memory, id_of(1)));
    for (unsigned i = 2; i <= 17; i++)
        assert_true(uex_group_memory_is_duplicate(memory, id_of(i)));
    for (unsigned i = 18; i <= 40; i++)
        add(memory, UEX_OUTCOME_SKIPPED, "empty", i);
    assert_false(uex_group_memory_is_duplicate(memory, id_of(2)));
    /* lastExported stays when its entry has gone */
    char *json = json_of(memory);
    assert_non_null(strstr(json, "\"lastExported\":{\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000002\""));
    free(json);
    uex_group_memory_free(memory);
}

static void add__bad_records__leave_it_unchanged(void **state)
{
    struct uex_group_memory *memory = new_memory();
    struct uex_state_record record = record_of(UEX_OUTCOME_EXPORTED, 2);
    char *path = malloc(70001);
    (void)state;
    assert_non_null(path);
    memset(path, 'x', 70000);
    path[70000] = '\0';
    add(memory, UEX_OUTCOME_EXPORTED, NULL, 1);
    char *before = json_of(memory);
    record.file_path = path;
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_LIMIT);
    record.file_path = NULL;
    record.command_id = "no uuid";
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_INTERNAL);
    record.command_id = NULL;
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_INTERNAL);
    char *after = json_of(memory);
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(path);
    uex_group_memory_free(memory);
}

/* Heap bytes that it takes. */
static size_t memory_size(const struct uex_group_memory *memory)
{
    /* malloc keeps the size of each piece before it */
    size_t size_bytes = malloc_usable_size((void *)memory) + sizeof(size_t);
    if (memory->recent != NULL)
        size_bytes += malloc_usable_size(memory->recent) + sizeof(size_t);
    return size_bytes;
}

/* 16 nights, each with its own run, and an object's path: what a worker holds for each group. */
static void size__16_recent__stays_near_a_kibibyte(void **state)
{
    struct uex_group_memory *memory = new_memory();
    size_t empty_bytes = memory_size(memory), full_bytes;
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        struct uex_state_record record = record_of(i % 4 == 0 ? UEX_OUTCOME_SKIPPED : UEX_OUTCOME_EXPORTED, i);
        char run_id[16];
        (void)snprintf(run_id, sizeof run_id, "2026-11-%02u", i + 1);
        record.run_id = run_id;
        record.reason = i % 4 == 0 ? "empty" : NULL;
        record.file_path = "s3://exports/users/a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11/group-000017/"
                           "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11.csv.gz";
        record.sha256 = SHA;
        assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
    }
    full_bytes = memory_size(memory);
    print_message("a group's memory: %zu bytes without history, %zu with 16 recent commands\n", empty_bytes,
                  full_bytes);
    assert_in_range(empty_bytes, 1, 64);
    assert_in_range(full_bytes, 512, 1152);
    uex_group_memory_free(memory);
}

static void copy__changed__leaves_the_original(void **state)
{
    struct uex_group_memory *memory = new_memory(), *copy;
    (void)state;
    add(memory, UEX_OUTCOME_EXPORTED, NULL, 1);
    copy = uex_group_memory_copy(memory);
    assert_non_null(copy);
    char *before = json_of(memory), *same = json_of(copy);
    assert_string_equal(before, same);
    assert_int_equal(uex_group_memory_at_ms(copy), uex_group_memory_at_ms(memory));
    add(copy, UEX_OUTCOME_SKIPPED, "inactive", 2);
    char *after = json_of(memory);
    assert_string_equal(before, after);
    assert_false(uex_group_memory_is_duplicate(memory, id_of(2)));
    free(before);
    free(same);
    free(after);
    uex_group_memory_free(memory);
    assert_true(uex_group_memory_is_duplicate(copy, id_of(2)));
    uex_group_memory_free(copy);
    uex_group_memory_free(NULL);
    memory = new_memory();
    copy = uex_group_memory_copy(memory);
    assert_non_null(copy);
    uex_group_memory_free(memory);
    uex_group_memory_free(copy);
}

static enum uex_error read_text(const char *text, struct uex_group_memory **out, struct uex_fault *fault)
{
    return uex_group_state_read(uex_bytes_of_text(text), out, fault);
}

static void read__what_was_written__is_the_same_memory(void **state)
{
    struct uex_group_memory *memory = new_memory(), *back = NULL;
    struct uex_state_record record = record_of(UEX_OUTCOME_EXPORTED, 20);
    struct uex_fault fault = {0};
    struct uex_buffer out = {0};
    (void)state;
    for (unsigned i = 1; i <= 16; i++)
        add(memory, i % 3 == 0 ? UEX_OUTCOME_DEAD_LETTERED : UEX_OUTCOME_EXPORTED, i % 3 == 0 ? "database-data" : NULL,
            i);
    record.file_path = "file:///x/%25\xC3\xA9 \"\\\n";
    record.sha256 = SHA;
    record.run_id = "\xF0\x9F\x98\x80";
    assert_int_equal(uex_group_memory_add(memory, &record), UEX_OK);
    uex_group_state_write(&record, memory, &out);
    assert_int_equal(uex_group_state_read(uex_buffer_bytes(&out), &back, &fault), UEX_OK);
    assert_int_equal(uex_group_memory_at_ms(back), AT + 20);
    assert_int_equal(memory_size(back), memory_size(memory));
    char *before = json_of(memory), *after = json_of(back);
    assert_string_equal(before, after);
    free(before);
    free(after);
    uex_buffer_clear(&out);
    uex_group_memory_free(memory);
    uex_group_memory_free(back);
}

static void read__other_writers_form__is_taken(void **state)
{
    struct uex_group_memory *memory = NULL;
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(read_text("{\"lastExported\":{\"rows\":1e3,\"new\":[],\"at\":\"2026-11-22T23:20:00+05:30\","
                               "\"sha256\":\"00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF\","
                               "\"commandId\":\"A0EEBC99-9C0B-4EF8-BB6D-000000000009\"},\"recent\":["
                               "{\"at\":null,\"outcome\":\"skipped\",\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-"
                               "000000000001\"},{\"outcome\":\"dead-lettered\",\"reason\":\"x\",\"commandId\":"
                               "\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"new\":1}],\"new\":{\"x\":null},"
                               "\"rows\":\"not used\",\"outcome\":\"retried\",\"groupId\":\"g\",\"version\":1.0}",
                               &memory, &fault),
                     UEX_OK);
    assert_true(uex_group_memory_at_ms(memory) == UEX_NO_TIME);
    assert_false(uex_group_memory_is_duplicate(memory, id_of(1))); /* the last entry of an id counts */
    char *json = json_of(memory);
    assert_non_null(strstr(json, "\"recent\":[{\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"runId\":null,"
                                 "\"outcome\":\"dead-lettered\",\"reason\":\"x\",\"at\":null}],\"lastExported\":"
                                 "{\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000009\",\"runId\":null,\"at\":"
                                 "\"2026-11-22T17:50:00.000Z\",\"filePath\":null,\"sha256\":\"" SHA
                                 "\",\"rows\":1000,\"layout\":null}}"));
    free(json);
    uex_group_memory_free(memory);
    assert_int_equal(read_text("{\"version\":1,\"groupId\":\"g\",\"outcome\":\"skipped\"}", &memory, &fault), UEX_OK);
    uex_group_memory_free(memory);
    assert_int_equal(read_text("{\"version\":1,\"groupId\":\"g\",\"outcome\":\"skipped\",\"recent\":null,"
                               "\"lastExported\":null}",
                               &memory, &fault),
                     UEX_OK);
    uex_group_memory_free(memory);
}

static void read__more_than_16_recent__keeps_the_last(void **state)
{
    struct uex_group_memory *memory = NULL;
    struct uex_fault fault = {0};
    struct uex_buffer text = {0};
    (void)state;
    uex_buffer_append_text(&text, "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"skipped\",\"recent\":[");
    for (unsigned i = 1; i <= 100; i++)
        uex_buffer_append_format(&text, "%s{\"commandId\":\"%s\",\"outcome\":\"exported\"}", i == 1 ? "" : ",",
                                 id_of(i));
    uex_buffer_append_text(&text, "]}");
    assert_int_equal(read_text(uex_buffer_text(&text), &memory, &fault), UEX_OK);
    assert_false(uex_group_memory_is_duplicate(memory, id_of(84)));
    for (unsigned i = 85; i <= 100; i++)
        assert_true(uex_group_memory_is_duplicate(memory, id_of(i)));
    uex_buffer_clear(&text);
    uex_group_memory_free(memory);
}

#define HEAD "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"exported\","
#define ENTRY "\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"outcome\":\"exported\""

static void read__anything_else__is_malformed(void **state)
{
    static const char *const texts[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"version\":1}",
        "{\"version\":2,\"groupId\":\"g\",\"outcome\":\"exported\"}",
        "{\"version\":\"1\",\"groupId\":\"g\",\"outcome\":\"exported\"}",
        "{\"version\":1,\"groupId\":\"\",\"outcome\":\"exported\"}",
        "{\"version\":1,\"groupId\":7,\"outcome\":\"exported\"}",
        "{\"version\":1,\"groupId\":\"g\"}",
        "{\"version\":1,\"groupId\":\"g\",\"outcome\":\"EXPORTED\"}",
        "{\"version\":1,\"groupId\":\"g\",\"outcome\":1}",
        HEAD "\"at\":\"yesterday\"}",
        HEAD "\"at\":1}",
        HEAD "\"recent\":{}}",
        HEAD "\"recent\":[1]}",
        HEAD "\"recent\":[null]}",
        HEAD "\"recent\":[{}]}",
        HEAD "\"recent\":[{\"commandId\":\"x\",\"outcome\":\"exported\"}]}",
        HEAD "\"recent\":[{\"commandId\":\"a0eebc99-9c0b-4ef8-bb6d-000000000001\",\"outcome\":\"?\"}]}",
        HEAD "\"recent\":[{" ENTRY ",\"runId\":1}]}",
        HEAD "\"recent\":[{" ENTRY ",\"runId\":\"12345678901234567890123456789012345678901234567890123456789012345"
             "\"}]}",
        HEAD "\"recent\":[{" ENTRY ",\"reason\":[]}]}",
        HEAD "\"recent\":[{" ENTRY ",\"at\":\"\"}]}",
        HEAD "\"lastExported\":[]}",
        HEAD "\"lastExported\":{}}",
        HEAD "\"lastExported\":{" ENTRY ",\"sha256\":\"00\"}}",
        HEAD "\"lastExported\":{" ENTRY ",\"rows\":-1}}",
        HEAD "\"lastExported\":{" ENTRY ",\"rows\":1.5}}",
        HEAD "\"lastExported\":{" ENTRY ",\"rows\":1e300}}",
        HEAD "\"lastExported\":{" ENTRY ",\"rows\":1e999}}",
        HEAD "\"lastExported\":{" ENTRY ",\"rows\":\"1\"}}",
        HEAD "\"lastExported\":{" ENTRY ",\"filePath\":1}}",
        HEAD "\"recent\":[],\"recent\":[]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct uex_group_memory *memory = (void *)1;
        struct uex_fault fault = {0};
        if (read_text(texts[i], &memory, &fault) != UEX_MALFORMED || memory != NULL || fault.text[0] == '\0')
            fail_msg("taken: %s", texts[i]);
    }
}

static void read__over_long_path__is_malformed(void **state)
{
    struct uex_group_memory *memory = NULL;
    struct uex_fault fault = {0};
    struct uex_buffer text = {0};
    (void)state;
    uex_buffer_append_text(&text, HEAD "\"lastExported\":{" ENTRY ",\"filePath\":\"");
    for (int i = 0; i < UEX_STATE_PATH_MAX_BYTES / 2; i++)
        uex_buffer_append_text(&text, "\xC3\xA9");
    struct uex_buffer longer = {0};
    uex_buffer_append(&longer, text.data, text.size_bytes);
    uex_buffer_append_text(&text, "\"}}");
    uex_buffer_append_text(&longer, "x\"}}");
    assert_int_equal(read_text(uex_buffer_text(&text), &memory, &fault), UEX_OK);
    uex_group_memory_free(memory);
    assert_int_equal(read_text(uex_buffer_text(&longer), &memory, &fault), UEX_MALFORMED);
    uex_buffer_clear(&text);
    uex_buffer_clear(&longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__first_export__has_every_field_in_order),
        cmocka_unit_test(write__retry_without_history__has_nulls),
        cmocka_unit_test(write__error_of_a_failure__stands_behind_its_next_attempt),
        cmocka_unit_test(write__counts_beyond_what_json_carries__are_unknown_and_can_be_read),
        cmocka_unit_test(add__ended_outcomes__decide_about_duplicates),
        cmocka_unit_test(add__skipped_as_duplicate__leaves_the_exported_entry),
        cmocka_unit_test(follows__history_of_the_other__is_known_whatever_the_times),
        cmocka_unit_test(add__17_commands__forgets_the_first),
        cmocka_unit_test(add__bad_records__leave_it_unchanged),
        cmocka_unit_test(size__16_recent__stays_near_a_kibibyte),
        cmocka_unit_test(copy__changed__leaves_the_original),
        cmocka_unit_test(read__what_was_written__is_the_same_memory),
        cmocka_unit_test(read__other_writers_form__is_taken),
        cmocka_unit_test(read__more_than_16_recent__keeps_the_last),
        cmocka_unit_test(read__anything_else__is_malformed),
        cmocka_unit_test(read__over_long_path__is_malformed),
    };
    return cmocka_run_group_tests_name("group_state", tests, NULL, NULL);
}
