/* SPDX-License-Identifier: Apache-2.0 */
#include "export/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/uuid_internal.h"

#define NAMESPACE_DNS "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
#define NAMESPACE_URL "6ba7b811-9dad-11d1-80b4-00c04fd430c8"

static void named_in__vectors_of_rfc_9562_and_python__are_met(void **state)
{
    static const struct {
        const char *name_space, *name, *uuid;
    } VECTORS[] = {
        {NAMESPACE_DNS, "www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2"}, /* RFC 9562, A.4 */
        {NAMESPACE_DNS, "python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d"},
        {NAMESPACE_URL, "http://python.org/", "4c565f0d-3f5a-5890-b41b-20cf47701c5e"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        uint8_t name_space[16];
        char out[UEX_UUID_TEXT_SIZE];

        uex_uuid_to_bytes(VECTORS[i].name_space, name_space);
        uex_uuid_named_in(name_space, VECTORS[i].name, strlen(VECTORS[i].name), out);
        assert_string_equal(out, VECTORS[i].uuid);
    }
}

static void named__scheduled_command__is_what_other_languages_make(void **state)
{
    char out[UEX_UUID_TEXT_SIZE];

    (void)state;
    /* python3: uuid.uuid5(uuid.UUID("10731def-ce10-4a86-a579-f4438f52a638"), "schedule/2026-11-22/g-17") */
    uex_uuid_named("schedule/2026-11-22/g-17", 24, out);
    assert_string_equal(out, "89811b65-e690-5557-adc4-a853265161eb");
}

static void parse__any_letter_case__is_written_in_lower_case(void **state)
{
    static const char TEXT[] = "10731DEF-ce10-4A86-a579-F4438f52A638";
    char out[UEX_UUID_TEXT_SIZE] = "";

    (void)state;
    assert_true(uex_uuid_parse(TEXT, strlen(TEXT), out));
    assert_string_equal(out, "10731def-ce10-4a86-a579-f4438f52a638");
}

static void parse__in_place__works(void **state)
{
    char text[UEX_UUID_TEXT_SIZE] = "10731DEF-CE10-4A86-A579-F4438F52A638";

    (void)state;
    assert_true(uex_uuid_parse(text, 36, text));
    assert_string_equal(text, "10731def-ce10-4a86-a579-f4438f52a638");
}

static void parse__anything_else__is_false_and_leaves_out_alone(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "10731def-ce10-4a86-a579-f4438f52a63",
        "10731def-ce10-4a86-a579-f4438f52a6380",
        "10731defce104a86a579f4438f52a638",
        "{10731def-ce10-4a86-a579-f4438f52a638}",
        "urn:uuid:10731def-ce10-4a86-a579-f4438f52a638",
        "10731deg-ce10-4a86-a579-f4438f52a638",
        "10731def_ce10-4a86-a579-f4438f52a638",
        "10731de-fce10-4a86-a579-f4438f52a638",
        "10731def-ce10-4a86-a579-f4438f52a63 ",
        " 0731def-ce10-4a86-a579-f4438f52a638",
        "10731def-ce10-4a86-a579-f4438f52a6\xC3\xA9",
    };
    char out[UEX_UUID_TEXT_SIZE] = "unchanged";

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_false(uex_uuid_parse(TEXTS[i], strlen(TEXTS[i]), out));
    assert_false(uex_uuid_parse(NULL, 36, out));
    assert_false(uex_uuid_parse("10731def-ce10-4a86-a579\0f4438f52a638", 36, out));
    assert_string_equal(out, "unchanged");
}

static void bytes__there_and_back__is_the_same(void **state)
{
    uint8_t bytes[16];
    char out[UEX_UUID_TEXT_SIZE];

    (void)state;
    uex_uuid_to_bytes("00112233-4455-6677-8899-aabbccddeeff", bytes);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(bytes[i], i * 0x11);
    uex_uuid_from_bytes(bytes, out);
    assert_string_equal(out, "00112233-4455-6677-8899-aabbccddeeff");
}

static void random__many__have_version_4_and_differ(void **state)
{
    char first[UEX_UUID_TEXT_SIZE], next[UEX_UUID_TEXT_SIZE], parsed[UEX_UUID_TEXT_SIZE];

    (void)state;
    uex_uuid_random(first);
    for (int i = 0; i < 100; i++) {
        uex_uuid_random(next);
        assert_true(uex_uuid_parse(next, strlen(next), parsed));
        assert_string_equal(next, parsed);
        assert_int_equal(next[14], '4');
        assert_non_null(strchr("89ab", next[19]));
        assert_string_not_equal(first, next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_in__vectors_of_rfc_9562_and_python__are_met),
        cmocka_unit_test(named__scheduled_command__is_what_other_languages_make),
        cmocka_unit_test(parse__any_letter_case__is_written_in_lower_case),
        cmocka_unit_test(parse__in_place__works),
        cmocka_unit_test(parse__anything_else__is_false_and_leaves_out_alone),
        cmocka_unit_test(bytes__there_and_back__is_the_same),
        cmocka_unit_test(random__many__have_version_4_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
