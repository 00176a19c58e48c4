/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/command.h"

#define ID "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"

static const struct uex_bytes no_key = {0};

static enum uex_error parse_value(struct uex_bytes key, const char *value, struct uex_command *out,
                                  struct uex_fault *fault)
{
    return uex_command_parse(key, uex_bytes_of_text(value), out, fault);
}

/* The value must be refused, and the reason must hold `says` but never the marker that all values carry. */
static void assert_malformed(struct uex_bytes key, const char *value, const char *says)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    enum uex_error error = parse_value(key, value, &command, &fault);

    if (error != UEX_MALFORMED)
        fail_msg("%s: %s", value, uex_error_code(error));
    if (strstr(fault.text, says) == NULL || strstr(fault.text, "MARK") != NULL)
        fail_msg("%s: '%s' instead of '%s'", value, fault.text, says);
    uex_command_clear(&command);
}

static void assert_taken(const char *value)
{
    struct uex_command command;
    struct uex_fault fault = {0};

    if (parse_value(no_key, value, &command, &fault) != UEX_OK)
        fail_msg("%s: %s", value, fault.text);
    uex_command_clear(&command);
}

/* {"groupId":"g","<name>":"<count times text>"} */
static char *with_text(const char *name, const char *text, size_t count)
{
    struct uex_buffer value = {0};

    uex_buffer_append_format(&value, "{\"groupId\":\"g\",\"%s\":\"", name);
    for (size_t i = 0; i < count; i++)
        uex_buffer_append_text(&value, text);
    uex_buffer_append_text(&value, "\"}");
    assert_false(uex_buffer_failed(&value));
    return (char *)value.data;
}

static void parse__all_fields__are_read(void **state)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(parse_value(uex_bytes_of_text("g-17"),
                                 " {\"reason\":\"r\\n\",\"requestedBy\":\"b\xC3\xA9\",\"requestedAt\":"
                                 "\"2026-11-22T23:20:00.5+05:30\",\"domainId\":\"A0EEBC99-9C0B-4EF8-BB6D-"
                                 "6BB9BD380A11\",\"runId\":\"2026-11-22\",\"commandId\":\"A0EEBC99-9c0b-4ef8-BB6D-"
                                 "6bb9bd380a11\",\"groupId\":\"g-17\",\"new\":{\"x\":[1,null]}}\n",
                                 &command, &fault),
                     UEX_OK);
    assert_string_equal(command.group_id, "g-17");
    assert_string_equal(command.command_id, ID);
    assert_string_equal(command.domain_id, ID);
    assert_string_equal(command.run_id, "2026-11-22");
    assert_int_equal(command.requested_at_ms, INT64_C(1795369800500));
    assert_string_equal(command.requested_by, "b\xC3\xA9");
    assert_string_equal(command.reason, "r\n");
    uex_command_clear(&command);
}

static void parse__only_group__leaves_the_rest_missing(void **state)
{
    static const char *const values[] = {
        "{\"groupId\":\"g\"}",
        "{\"groupId\":\"g\",\"commandId\":null,\"runId\":null,\"domainId\":null,\"requestedAt\":null,"
        "\"requestedBy\":null,\"reason\":null}",
        "{\"groupId\":\"g\",\"CommandId\":1,\"runid\":2}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct uex_command command;
        struct uex_fault fault = {0};
        assert_int_equal(parse_value(no_key, values[i], &command, &fault), UEX_OK);
        assert_string_equal(command.group_id, "g");
        assert_string_equal(command.command_id, "");
        assert_string_equal(command.run_id, "");
        assert_string_equal(command.domain_id, "");
        assert_true(command.requested_at_ms == UEX_NO_TIME);
        assert_string_equal(command.requested_by, "");
        assert_string_equal(command.reason, "");
        uex_command_clear(&command);
    }
}

static void parse__key_and_value__decide_the_group(void **state)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(parse_value(uex_bytes_of_text("k"), "{}", &command, &fault), UEX_OK);
    assert_string_equal(command.group_id, "k");
    uex_command_clear(&command);
    assert_int_equal(parse_value(uex_bytes_of_text("k"), "{\"groupId\":null}", &command, &fault), UEX_OK);
    assert_string_equal(command.group_id, "k");
    uex_command_clear(&command);
    assert_malformed(uex_bytes_of_text("k"), "{\"groupId\":\"K\"}", "differs");
    assert_malformed(uex_bytes_of_text("k"), "{\"groupId\":\"k \"}", "differs");
    assert_malformed(uex_bytes_of_text("\xC3\xA9"), "{\"groupId\":\"e\xCC\x81\"}", "differs"); /* NFC and NFD */
    assert_malformed(no_key, "{}", "missing");
    assert_malformed(no_key, "{\"groupId\":null}", "missing");
    assert_malformed(uex_bytes_of("", 0), "{}", "the key is not");
    assert_malformed(uex_bytes_of("", 0), "{\"groupId\":\"g\"}", "the key is not");
    assert_malformed(uex_bytes_of("a\0b", 3), "{}", "the key is not");
    assert_malformed(uex_bytes_of("a\0b", 3), "{\"groupId\":\"a\"}", "the key is not");
    assert_malformed(uex_bytes_of_text("\xFF"), "{}", "the key is not");
    assert_malformed(uex_bytes_of_text("a\n"), "{}", "the key is not");
}

static void parse__group_id_bounds__count_bytes(void **state)
{
    char key[257];
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    memset(key, 'k', sizeof key);
    assert_int_equal(uex_command_parse(uex_bytes_of(key, 255), uex_bytes_of_text("{}"), &command, &fault), UEX_OK);
    assert_int_equal(strlen(command.group_id), 255);
    uex_command_clear(&command);
    assert_malformed(uex_bytes_of(key, 256), "{}", "the key is not");
    struct uex_buffer text = {0};
    uex_buffer_append_text(&text, "{\"groupId\":\"");
    for (int i = 0; i < 128; i++)
        uex_buffer_append_text(&text, "\xC3\xA9"); /* 128 characters, 256 bytes */
    uex_buffer_append_text(&text, "\"}");
    assert_malformed(no_key, uex_buffer_text(&text), "groupId is not");
    uex_buffer_clear(&text);
    assert_malformed(no_key, "{\"groupId\":\"\"}", "groupId is not");
    assert_malformed(no_key, "{\"groupId\":\"a\\u0001MARK\"}", "groupId is not");
    assert_malformed(no_key, "{\"groupId\":\"\\u007f\"}", "groupId is not");
    assert_malformed(no_key, "{\"groupId\":\"\\u0085\"}", "groupId is not");
    assert_taken("{\"groupId\":\" / % .. \xE2\x80\xA8 \\uD83D\\uDE00\"}");
}

static void parse__text_bounds__count_characters(void **state)
{
    static const struct {
        const char *name;
        size_t max;
    } fields[] = {{"runId", 64}, {"requestedBy", 255}, {"reason", 255}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *value = with_text(fields[i].name, "\xF0\x9F\x98\x80", fields[i].max);
        assert_taken(value);
        free(value);
        value = with_text(fields[i].name, "\\uD83D\\uDE00", fields[i].max);
        assert_taken(value);
        free(value);
        value = with_text(fields[i].name, "\\n", fields[i].max);
        assert_taken(value);
        free(value);
        value = with_text(fields[i].name, "x", fields[i].max + 1);
        assert_malformed(no_key, value, "is longer than");
        assert_malformed(no_key, value, fields[i].name);
        free(value);
        value = with_text(fields[i].name, "", 0);
        assert_taken(value);
        free(value);
        value = with_text(fields[i].name, "MARK\\u0000", 1);
        assert_malformed(no_key, value, "U+0000");
        free(value);
    }
}

static void parse__wrong_types__name_the_field(void **state)
{
    static const char *const names[] = {"groupId",     "commandId",   "runId", "domainId",
                                        "requestedAt", "requestedBy", "reason"};
    static const char *const values[] = {"1", "true", "false", "[]", "{}", "[\"MARK\"]", "{\"MARK\":1}"};
    (void)state;
    for (size_t n = 0; n < 7; n++) {
        for (size_t v = 0; v < 7; v++) {
            char text[128], says[64];
            (void)snprintf(text, sizeof text, "{\"%s\":%s}", names[n], values[v]);
            (void)snprintf(says, sizeof says, "%s is not a string", names[n]);
            assert_malformed(uex_bytes_of_text("g"), text, says);
        }
    }
}

static void parse__bad_uuids__are_malformed(void **state)
{
    static const char *const ids[] = {
        "",
        "MARK",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
        "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d_6bb9bd380a11",
        " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1\\n",
        "urn:uuid:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"groupId\":\"g\",\"commandId\":\"%s\"}", ids[i]);
        assert_malformed(no_key, text, "commandId is not a UUID");
        (void)snprintf(text, sizeof text, "{\"groupId\":\"g\",\"domainId\":\"%s\"}", ids[i]);
        assert_malformed(no_key, text, "domainId is not a UUID");
    }
}

static void parse__bad_times__are_malformed(void **state)
{
    static const char *const times[] = {
        "",
        "MARK",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z",
        "2026-11-22T10:00Z",
        "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00+25:00",
        "2026-11-22T10:00:00Z\\n",
        "0000-01-01T00:00:00Z",
        "1795369800",
        "2026-11-22T10:00:00+0530",
    };
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "{\"groupId\":\"g\",\"requestedAt\":\"%s\"}", times[i]);
        assert_malformed(no_key, text, "requestedAt is not an RFC 3339 time");
    }
    assert_taken("{\"groupId\":\"g\",\"requestedAt\":\"2024-02-29t23:59:60.123456789z\"}");
    assert_taken("{\"groupId\":\"g\",\"requestedAt\":\"0001-01-01T00:00:00Z\"}");
    assert_taken("{\"groupId\":\"g\",\"requestedAt\":\"9999-12-31T23:59:59.999Z\"}");
    /* the offset takes it out of the years that can be written */
    assert_malformed(no_key, "{\"groupId\":\"g\",\"requestedAt\":\"9999-12-31T23:59:59-01:00\"}", "requestedAt");
    assert_malformed(no_key, "{\"groupId\":\"g\",\"requestedAt\":\"0001-01-01T00:00:00+01:00\"}", "requestedAt");
}

static void parse__not_one_object__is_malformed(void **state)
{
    struct uex_command command;
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(uex_command_parse(uex_bytes_of_text("g"), no_key, &command, &fault), UEX_MALFORMED);
    assert_string_equal(fault.text, "the value is null");
    uex_command_clear(&command);
    assert_malformed(uex_bytes_of_text("g"), "", "the value is empty");
    assert_malformed(uex_bytes_of_text("g"), "null", "not an object");
    assert_malformed(uex_bytes_of_text("g"), "[]", "not an object");
    assert_malformed(uex_bytes_of_text("g"), "\"g\"", "not an object");
    assert_malformed(uex_bytes_of_text("g"), "MARK", "not JSON");
    assert_malformed(uex_bytes_of_text("g"), "{\"groupId\":\"g\"", "not JSON");
    assert_malformed(uex_bytes_of_text("g"), "{\"groupId\":\"g\"}x", "not JSON");
    assert_malformed(uex_bytes_of_text("g"), "\xEF\xBB\xBF{\"groupId\":\"g\"}", "not JSON");
    assert_malformed(uex_bytes_of_text("g"), "{\"x\":\"MARK\xFF\"}", "invalid UTF-8");
    assert_malformed(uex_bytes_of_text("g"), "{\"x\":{\"MARK\":1,\"MARK\":2}}", "same name");
    assert_malformed(uex_bytes_of_text("g"), "{\"groupId\":\"g\",\"groupId\":\"g\"}", "same name");
    assert_malformed(no_key, "{\"groupId\":\"\\uD800\"}", "lone surrogate");
    assert_malformed(no_key, "{\"groupId\":\"a\\u0000\"}", "U+0000");
}

static void parse__over_long_value__is_malformed(void **state)
{
    char *value = with_text("x", "0123456789abcdef", (1 << 16) + 1);
    (void)state;
    assert_malformed(no_key, value, "longer than 1048576 bytes");
    free(value);
    value = with_text("x", "0123456789abcdef", (1 << 16) - 2);
    assert_taken(value);
    free(value);
}

static void write_json__set_fields__are_read_back(void **state)
{
    char group_id[] = "g \"1\"\\", run_id[] = "2026-11-22", by[] = "b\n", reason[] = "\xF0\x9F\x98\x80";
    struct uex_command command = {.group_id = group_id,
                                  .command_id = ID,
                                  .run_id = run_id,
                                  .domain_id = ID,
                                  .requested_at_ms = 1795369800500,
                                  .requested_by = by,
                                  .reason = reason};
    struct uex_command back;
    struct uex_fault fault = {0};
    struct uex_buffer out = {0};
    (void)state;
    uex_command_write_json(&command, &out);
    assert_string_equal(uex_buffer_text(&out),
                        "{\"groupId\":\"g \\\"1\\\"\\\\\",\"commandId\":\"" ID "\",\"runId\":\"2026-11-22\","
                        "\"domainId\":\"" ID "\",\"requestedAt\":\"2026-11-22T17:50:00.500Z\",\"requestedBy\":"
                        "\"b\\n\",\"reason\":\"\xF0\x9F\x98\x80\"}");
    assert_int_equal(uex_command_parse(no_key, uex_buffer_bytes(&out), &back, &fault), UEX_OK);
    assert_string_equal(back.group_id, group_id);
    assert_string_equal(back.reason, reason);
    assert_int_equal(back.requested_at_ms, command.requested_at_ms);
    uex_command_clear(&back);
    uex_buffer_clear(&out);
}

static void write_json__missing_fields__are_left_out(void **state)
{
    char group_id[] = "g", empty[] = "";
    struct uex_command command = {.group_id = group_id, .run_id = empty, .requested_at_ms = UEX_NO_TIME};
    struct uex_buffer out = {0};
    (void)state;
    uex_command_write_json(&command, &out);
    assert_string_equal(uex_buffer_text(&out), "{\"groupId\":\"g\"}");
    uex_buffer_reset(&out);
    command.group_id = NULL;
    uex_command_write_json(&command, &out);
    assert_string_equal(uex_buffer_text(&out), "{}");
    uex_buffer_clear(&out);
}

static void write_json__full_buffer__fails_cleanly(void **state)
{
    char group_id[] = "a group";
    struct uex_command command = {.group_id = group_id, .requested_at_ms = UEX_NO_TIME};
    (void)state;
    for (size_t cap = 1; cap < 20; cap++) {
        struct uex_buffer out = {.cap_bytes = cap};
        uex_command_write_json(&command, &out);
        assert_true(uex_buffer_failed(&out));
        uex_buffer_clear(&out);
    }
}

/* Expected ids by Python: uuid.uuid5(uuid.UUID("10731def-ce10-4a86-a579-f4438f52a638"), name). */
static void command_ids__names__are_uuid5_of_the_contracts(void **state)
{
    char id[UEX_UUID_TEXT_SIZE];
    (void)state;
    uex_command_id_of_record("Some-Cluster-Id", "export-group", 3, 42, 1795369800500, id);
    assert_string_equal(id, "5fcf7d67-1728-519c-831c-1311911f0f04");
    uex_command_id_of_schedule("2026-11-22", "g-17", id);
    assert_string_equal(id, "89811b65-e690-5557-adc4-a853265161eb");
}

static void clear__zeroed_or_null__is_accepted(void **state)
{
    struct uex_command command = {0};
    (void)state;
    uex_command_clear(&command);
    uex_command_clear(&command);
    uex_command_clear(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__all_fields__are_read),
        cmocka_unit_test(parse__only_group__leaves_the_rest_missing),
        cmocka_unit_test(parse__key_and_value__decide_the_group),
        cmocka_unit_test(parse__group_id_bounds__count_bytes),
        cmocka_unit_test(parse__text_bounds__count_characters),
        cmocka_unit_test(parse__wrong_types__name_the_field),
        cmocka_unit_test(parse__bad_uuids__are_malformed),
        cmocka_unit_test(parse__bad_times__are_malformed),
        cmocka_unit_test(parse__not_one_object__is_malformed),
        cmocka_unit_test(parse__over_long_value__is_malformed),
        cmocka_unit_test(write_json__set_fields__are_read_back),
        cmocka_unit_test(write_json__missing_fields__are_left_out),
        cmocka_unit_test(write_json__full_buffer__fails_cleanly),
        cmocka_unit_test(command_ids__names__are_uuid5_of_the_contracts),
        cmocka_unit_test(clear__zeroed_or_null__is_accepted),
    };
    return cmocka_run_group_tests_name("command_json", tests, NULL, NULL);
}
