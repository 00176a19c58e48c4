/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>

#include "model/command_fields.h"

#define ID "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
#define HEAD "\xC3\x01\xC4\xA4\x1D\x0D\x14\x4A\x0C\xC0"
#define HEAD_SIZE 10

/* By hand from schemas/export_group_command.avsc, after the rules of "Parsing Canonical Form for Schemas". */
static const char canonical_form[] =
    "{\"name\":\"usersexport.ExportGroupCommand\",\"type\":\"record\",\"fields\":["
    "{\"name\":\"groupId\",\"type\":[\"null\",\"string\"]},{\"name\":\"commandId\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"runId\",\"type\":[\"null\",\"string\"]},{\"name\":\"domainId\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"requestedAt\",\"type\":[\"null\",\"long\"]},{\"name\":\"requestedBy\",\"type\":[\"null\","
    "\"string\"]},{\"name\":\"reason\",\"type\":[\"null\",\"string\"]}]}";

/* Avro 1.11 specification, "Schema Fingerprints". */
static uint64_t crc_64_avro(const char *text)
{
    const uint64_t empty = UINT64_C(0xc15d213aa4d7a795);
    uint64_t fingerprint = empty;

    for (; *text != '\0'; text++) {
        uint64_t entry = (fingerprint ^ (uint8_t)*text) & 0xff;
        for (int bit = 0; bit < 8; bit++)
            entry = (entry >> 1) ^ (empty & (0 - (entry & 1)));
        fingerprint = (fingerprint >> 8) ^ entry;
    }
    return fingerprint;
}

static enum uex_error parse(const char *bytes, size_t size_bytes, const char *key, struct uex_command *out,
                            struct uex_fault *fault)
{
    /* exactly as much heap as there is text, so that asan sees a read beyond it */
    uint8_t *copy = malloc(size_bytes == 0 ? 1 : size_bytes);
    enum uex_error error;

    assert_non_null(copy);
    memcpy(copy, bytes, size_bytes);
    error = uex_command_parse(uex_bytes_of_text(key), uex_bytes_of(copy, size_bytes), out, fault);
    free(copy);
    return error;
}

/* HEAD and this body must be refused with a reason that holds `says`. */
static void assert_malformed(const char *body, size_t size_bytes, const char *says)
{
    struct uex_buffer value = {0};
    struct uex_command command;
    struct uex_fault fault = {0};

    uex_buffer_append(&value, HEAD, HEAD_SIZE);
    uex_buffer_append(&value, body, size_bytes);
    assert_int_equal(parse((const char *)value.data, value.size_bytes, "g", &command, &fault), UEX_MALFORMED);
    if (strstr(fault.text, says) == NULL)
        fail_msg("'%s' instead of '%s'", fault.text, says);
    uex_command_clear(&command);
    uex_buffer_clear(&value);
}

#define BODY(text) (text), sizeof(text) - 1

static void schema__embedded_text__is_the_file(void **state)
{
    char text[4096];
    FILE *file = fopen(UEX_SOURCE_DIR "/schemas/export_group_command.avsc", "rb");
    size_t size;
    (void)state;
    assert_non_null(file);
    size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    assert_string_equal(uex_command_avro_schema, text);
}

static void schema__fingerprint__is_that_of_the_canonical_form(void **state)
{
    (void)state;
    assert_true(crc_64_avro("\"null\"") == UINT64_C(0x63dd24e7cc258f8a)); /* a published vector */
    assert_true(crc_64_avro(canonical_form) == UEX_COMMAND_AVRO_FINGERPRINT);
}

static void parse__bytes_by_hand__are_read(void **state)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    /* zig-zag of 1795369800500 is 3590739601000 */
    assert_int_equal(parse(BODY(HEAD "\x02\x08g-17"
                                     "\x02\x48" ID "\x02\x02r"
                                     "\x00\x02\xE8\xCC\x88\xC6\xC0\x68\x02\x04\xC3\xA9\x00"),
                           NULL, &command, &fault),
                     UEX_OK);
    assert_string_equal(command.group_id, "g-17");
    assert_string_equal(command.command_id, ID);
    assert_string_equal(command.run_id, "r");
    assert_string_equal(command.domain_id, "");
    assert_int_equal(command.requested_at_ms, INT64_C(1795369800500));
    assert_string_equal(command.requested_by, "\xC3\xA9");
    assert_string_equal(command.reason, "");
    uex_command_clear(&command);
}

static void parse__all_null__takes_the_key(void **state)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(parse(BODY(HEAD "\0\0\0\0\0\0\0"), "k", &command, &fault), UEX_OK);
    assert_string_equal(command.group_id, "k");
    assert_true(command.requested_at_ms == UEX_NO_TIME);
    uex_command_clear(&command);
    assert_int_equal(parse(BODY(HEAD "\0\0\0\0\0\0\0"), NULL, &command, &fault), UEX_MALFORMED);
    uex_command_clear(&command);
    assert_int_equal(parse(BODY(HEAD "\x02\x02x\0\0\0\0\0\0"), "k", &command, &fault), UEX_MALFORMED);
    uex_command_clear(&command);
}

static void parse__bad_bodies__are_malformed(void **state)
{
    (void)state;
    assert_malformed(BODY(""), "ends too early");
    assert_malformed(BODY("\0\0\0\0\0\0"), "ends too early");
    assert_malformed(BODY("\0\0\0\0\0\0\0\0"), "after the record");
    assert_malformed(BODY("\x04\0\0\0\0\0\0"), "union branch");
    assert_malformed(BODY("\x01\0\0\0\0\0\0"), "union branch");             /* branch -1 */
    assert_malformed(BODY("\x02\x01\0\0\0\0\0\0"), "longer than the rest"); /* length -1 */
    assert_malformed(BODY("\x02\x10g\0\0\0\0\0\0"), "longer than the rest");
    /* lengths INT64_MAX, INT64_MIN, 4 GiB */
    assert_malformed(BODY("\x02\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01g\0\0\0\0\0\0"), "longer than the rest");
    assert_malformed(BODY("\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01g\0\0\0\0\0\0"), "longer than the rest");
    assert_malformed(BODY("\x02\x80\x80\x80\x80\x20g\0\0\0\0\0\0"), "longer than the rest");
    /* numbers of over 64 bits or without an end */
    assert_malformed(BODY("\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02g\0\0\0\0\0\0"), "bad number");
    assert_malformed(BODY("\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01g\0\0\0\0\0\0"), "bad number");
    assert_malformed(BODY("\0\0\0\0\x02\xFF\xFF"), "ends too early");
    /* the same rules for the strings as in JSON */
    assert_malformed(BODY("\x02\0\0\0\0\0\0\0"), "groupId is not");
    assert_malformed(BODY("\x02\x04g\0\0\0\0\0\0\0"), "groupId is not"); /* "g" and a NUL inside the string */
    assert_malformed(BODY("\0\x02\x02x\0\0\0\0\0"), "commandId is not a UUID");
    assert_malformed(BODY("\0\x02\0\0\0\0\0\0"), "commandId is not a UUID");
    assert_malformed(BODY("\0\0\x02\x02\xFF\0\0\0\0"), "runId is not valid UTF-8");
    assert_malformed(BODY("\0\0\x02\x04r\0\0\0\0\0"), "runId holds U+0000");
    assert_malformed(BODY("\0\0\0\x02\x02x\0\0\0"), "domainId is not a UUID");
    /* requestedAt INT64_MIN, INT64_MAX */
    assert_malformed(BODY("\0\0\0\0\x02\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\0\0"), "years 1 to 9999");
}

static void parse__over_long_text__is_malformed(void **state)
{
    struct uex_buffer body = {0};
    (void)state;
    uex_buffer_append(&body, "\0\0\0\0\0\x02\x80\x04", 8); /* requestedBy of 256 bytes */
    for (int i = 0; i < 256; i++)
        uex_buffer_append(&body, "x", 1);
    uex_buffer_append(&body, "\0", 1);
    assert_malformed((const char *)body.data, body.size_bytes, "requestedBy is longer than 255 characters");
    uex_buffer_clear(&body);
}

static void parse__smallest_time__counts_as_given(void **state)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    /* INT64_MIN is UEX_NO_TIME inside, so it must not pass for a missing time */
    assert_int_equal(
        parse(BODY(HEAD "\0\0\0\0\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\0\0"), "g", &command, &fault),
        UEX_MALFORMED);
    uex_command_clear(&command);
    /* 1970-01-01 */
    assert_int_equal(parse(BODY(HEAD "\0\0\0\0\x02\0\0\0"), "g", &command, &fault), UEX_OK);
    assert_int_equal(command.requested_at_ms, 0);
    uex_command_clear(&command);
}

static void parse__other_schema_or_short_head__is_malformed(void **state)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    for (size_t size = 2; size < HEAD_SIZE; size++) {
        assert_int_equal(parse(HEAD, size, "g", &command, &fault), UEX_MALFORMED);
        assert_non_null(strstr(fault.text, "ends too early"));
        uex_command_clear(&command);
    }
    assert_int_equal(parse(BODY("\xC3\x01\xC4\xA4\x1D\x0D\x14\x4A\x0C\xC1\0\0\0\0\0\0\0"), "g", &command, &fault),
                     UEX_MALFORMED);
    assert_non_null(strstr(fault.text, "another schema: fingerprint c10c4a140d1da4c4"));
    uex_command_clear(&command);
    /* neither JSON nor Avro */
    assert_int_equal(parse(BODY("\xC3"), "g", &command, &fault), UEX_MALFORMED);
    uex_command_clear(&command);
    assert_int_equal(parse(BODY("\x00\x00\x00\x00\x01{}"), "g", &command, &fault), UEX_MALFORMED);
    uex_command_clear(&command);
    assert_int_equal(parse(BODY("Obj\x01"), "g", &command, &fault), UEX_MALFORMED);
    uex_command_clear(&command);
}

static void write_avro__all_and_no_fields__are_read_back(void **state)
{
    char group_id[] = "g\xC3\xA9", run_id[] = "2026-11-22", by[] = "b\n", reason[] = "why";
    struct uex_command command = {.group_id = group_id,
                                  .command_id = ID,
                                  .run_id = run_id,
                                  .domain_id = ID,
                                  .requested_at_ms = -62135596800000,
                                  .requested_by = by,
                                  .reason = reason};
    struct uex_command empty = {.requested_at_ms = UEX_NO_TIME}, back;
    struct uex_fault fault = {0};
    struct uex_buffer out = {0};
    (void)state;
    uex_buffer_append_text(&out, "before");
    assert_int_equal(uex_command_write_avro(&command, &out), UEX_OK);
    assert_memory_equal(out.data, "before" HEAD, 6 + HEAD_SIZE);
    assert_int_equal(parse((const char *)out.data + 6, out.size_bytes - 6, "g\xC3\xA9", &back, &fault), UEX_OK);
    assert_string_equal(back.group_id, group_id);
    assert_string_equal(back.command_id, ID);
    assert_string_equal(back.run_id, run_id);
    assert_string_equal(back.domain_id, ID);
    assert_int_equal(back.requested_at_ms, command.requested_at_ms);
    assert_string_equal(back.requested_by, by);
    assert_string_equal(back.reason, reason);
    uex_command_clear(&back);
    /* every prefix is refused */
    for (size_t size = 6; size < out.size_bytes; size++) {
        assert_int_equal(parse((const char *)out.data + 6, size - 6, "g\xC3\xA9", &back, &fault), UEX_MALFORMED);
        uex_command_clear(&back);
    }
    uex_buffer_reset(&out);
    assert_int_equal(uex_command_write_avro(&empty, &out), UEX_OK);
    assert_int_equal(out.size_bytes, HEAD_SIZE + 7);
    assert_memory_equal(out.data, HEAD "\0\0\0\0\0\0\0", HEAD_SIZE + 7);
    uex_buffer_clear(&out);
}

static void write_avro__full_buffer__fails_cleanly(void **state)
{
    char group_id[] = "a group";
    struct uex_command command = {.group_id = group_id, .requested_at_ms = UEX_NO_TIME};
    struct uex_buffer out = {.cap_bytes = 16};
    (void)state;
    assert_int_equal(uex_command_write_avro(&command, &out), UEX_NO_MEMORY);
    uex_buffer_clear(&out);
}

/* Changes of single bytes: whatever comes out, nothing breaks. */
static void parse__flipped_bytes__end_cleanly(void **state)
{
    char value[] = HEAD "\x02\x08g-17\x02\x48" ID "\x02\x02r\x00\x02\xE8\xCC\x88\xC6\xC0\x68\x02\x04\xC3\xA9\x02\x02x";
    size_t size = sizeof value - 1;
    (void)state;
    for (size_t at = 0; at < size; at++) {
        char kept = value[at];
        for (int byte = 0; byte < 256; byte++) {
            struct uex_command command;
            struct uex_fault fault = {0};
            value[at] = (char)byte;
            enum uex_error error = parse(value, size, NULL, &command, &fault);
            assert_true(error == UEX_OK || error == UEX_MALFORMED);
            uex_command_clear(&command);
        }
        value[at] = kept;
    }
}

static void *parse_many(void *result)
{
    *(bool *)result = true;
    for (int i = 0; i < 2000; i++) {
        struct uex_command command;
        struct uex_fault fault = {0};
        if (uex_command_parse(uex_bytes_of("k", 1), uex_bytes_of(BODY(HEAD "\x02\x02k\0\0\x02\x02r\0\0")), &command,
                              &fault) == UEX_OK)
            *(bool *)result = false;
        uex_command_clear(&command);
        if (uex_command_parse(uex_bytes_of("k", 1), uex_bytes_of(BODY(HEAD "\x02\x02k\0\x02\x02r\0\0\0\0")), &command,
                              &fault) != UEX_OK)
            *(bool *)result = false;
        uex_command_clear(&command);
    }
    return NULL;
}

static void parse__several_threads__do_not_disturb_each_other(void **state)
{
    pthread_t threads[4];
    bool results[4] = {false};
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, parse_many, &results[i]), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(results[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__several_threads__do_not_disturb_each_other),
        cmocka_unit_test(schema__embedded_text__is_the_file),
        cmocka_unit_test(schema__fingerprint__is_that_of_the_canonical_form),
        cmocka_unit_test(parse__bytes_by_hand__are_read),
        cmocka_unit_test(parse__all_null__takes_the_key),
        cmocka_unit_test(parse__bad_bodies__are_malformed),
        cmocka_unit_test(parse__over_long_text__is_malformed),
        cmocka_unit_test(parse__smallest_time__counts_as_given),
        cmocka_unit_test(parse__other_schema_or_short_head__is_malformed),
        cmocka_unit_test(write_avro__all_and_no_fields__are_read_back),
        cmocka_unit_test(write_avro__full_buffer__fails_cleanly),
        cmocka_unit_test(parse__flipped_bytes__end_cleanly),
    };
    return cmocka_run_group_tests_name("command_avro", tests, NULL, NULL);
}
