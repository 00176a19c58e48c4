/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/catalogue.h"
#include "export/columns.h"
#include "export/outcome_kind.h"

static void columns__table__is_the_contracts(void **state)
{
    static const char expected[] =
        "username,groupId,displayName,gender,dateOfBirth,location,intent,bio,smokes,drinks,wantsKids,education,"
        "religion,"
        "occupation,preferredGenders,preferredMinAge,preferredMaxAge,relationshipType,openToLongDistance,"
        "readyForMatching";
    char line[sizeof expected + 64];
    struct uex_buffer header = {0};
    (void)state;
    uex_columns_header(UEX_VERSION_NONE, &header);
    (void)snprintf(line, sizeof line, "%s\n", expected);
    assert_string_equal(uex_buffer_text(&header), line);
    uex_buffer_reset(&header);
    uex_columns_header(UEX_VERSION_COLUMN, &header);
    (void)snprintf(line, sizeof line, "%s,exportVersion\n", expected);
    assert_string_equal(uex_buffer_text(&header), line);
    uex_buffer_reset(&header);
    uex_columns_header(UEX_VERSION_COMMENT, &header);
    (void)snprintf(line, sizeof line, "# ExportVersion: 1.0\n%s\n", expected);
    assert_string_equal(uex_buffer_text(&header), line);
    uex_buffer_clear(&header);
}

/* The view's names are the file's names in snake_case. */
static void columns__sql_names__are_snake_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < UEX_COLUMN_COUNT; i++) {
        char snake[64] = "";
        size_t size = 0;
        for (const char *at = uex_columns[i].name; *at != '\0'; at++) {
            if (*at >= 'A' && *at <= 'Z')
                snake[size++] = '_';
            snake[size++] = (char)(*at | 0x20);
        }
        assert_string_equal(uex_columns[i].sql_name, snake);
    }
}

static void columns__types__are_the_contracts(void **state)
{
    size_t counts[4] = {0};
    (void)state;
    for (size_t i = 0; i < UEX_COLUMN_COUNT; i++)
        counts[uex_columns[i].type]++;
    assert_int_equal(counts[UEX_COLUMN_TEXT], 12);
    assert_int_equal(counts[UEX_COLUMN_DATE], 1);
    assert_int_equal(counts[UEX_COLUMN_BOOLEAN], 5);
    assert_int_equal(counts[UEX_COLUMN_INTEGER], 2);
}

static void masks_parse__nothing__masks_nothing(void **state)
{
    struct uex_masks masks;
    struct uex_fault fault = {0};
    static const char *const texts[] = {"", "  "};
    (void)state;
    for (size_t t = 0; t < 2; t++) {
        memset(&masks, 1, sizeof masks);
        assert_int_equal(uex_masks_parse(texts[t], false, &masks, &fault), UEX_OK);
        for (size_t i = 0; i < UEX_COLUMN_COUNT; i++)
            assert_int_equal(masks.actions[i], UEX_MASK_NONE);
    }
    assert_int_equal(uex_masks_parse(NULL, false, &masks, &fault), UEX_OK);
}

static void masks_parse__all_actions__are_taken(void **state)
{
    struct uex_masks masks;
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(
        uex_masks_parse("username:hash, bio:redact ,dateOfBirth:year,smokes:null,groupId : null", true, &masks, &fault),
        UEX_OK);
    assert_int_equal(masks.actions[0], UEX_MASK_HASH);
    assert_int_equal(masks.actions[1], UEX_MASK_NULL);
    assert_int_equal(masks.actions[2], UEX_MASK_NONE);
    assert_int_equal(masks.actions[4], UEX_MASK_YEAR);
    assert_int_equal(masks.actions[7], UEX_MASK_REDACT);
    assert_int_equal(masks.actions[8], UEX_MASK_NULL);
}

static void masks_parse__mistakes__are_configuration_errors(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"bio", "column:action"},
        {",", "column:action"},
        {"bio:redact,", "column:action"},
        {",bio:redact", "column:action"},
        {"bio:redact,,intent:null", "column:action"},
        {":null", "no column ''"},
        {"Bio:null", "no column 'Bio'"},
        {"display_name:null", "readyForMatching"},
        {"bio:", "null, redact, hash, year"},
        {"bio:none", "null, redact, hash, year"},
        {"bio:NULL", "null, redact, hash, year"},
        {"bio:null:null", "null, redact, hash, year"},
        {"bio:redact,bio:null", "has an action already"},
        {"smokes:redact", "text columns only"},
        {"preferredMinAge:redact", "text columns only"},
        {"dateOfBirth:redact", "text columns only"},
        {"bio:year", "date columns only"},
        {"bio:hash", "export.mask_key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct uex_masks masks;
        struct uex_fault fault = {0};
        assert_int_equal(uex_masks_parse(cases[i].text, false, &masks, &fault), UEX_CONFIG);
        if (strstr(fault.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, fault.text);
        for (size_t c = 0; c < UEX_COLUMN_COUNT; c++)
            assert_int_equal(masks.actions[c], UEX_MASK_NONE);
    }
}

static void masks_parse__hash_on_a_number__is_refused_with_a_key_too(void **state)
{
    struct uex_masks masks;
    struct uex_fault fault = {0};
    (void)state;
    assert_int_equal(uex_masks_parse("preferredMinAge:hash", true, &masks, &fault), UEX_CONFIG);
}

static void outcome_text__every_kind__goes_both_ways(void **state)
{
    enum uex_outcome_kind kind;
    (void)state;
    for (unsigned i = 0; i < UEX_OUTCOME_COUNT; i++) {
        assert_true(uex_outcome_from_text(uex_outcome_text((enum uex_outcome_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_string_equal(uex_outcome_text(UEX_OUTCOME_DEAD_LETTERED), "dead-lettered");
    assert_false(uex_outcome_from_text("Exported", &kind));
    assert_false(uex_outcome_from_text(NULL, &kind));
    assert_string_equal(uex_outcome_text(UEX_OUTCOME_COUNT), "");
    assert_string_equal(uex_skip_text(UEX_SKIP_NONE), "");
    assert_string_equal(uex_skip_text(UEX_SKIP_UNKNOWN_GROUP), "unknown-group");
    assert_string_equal(uex_skip_text(UEX_SKIP_COUNT), "");
}

static void group_type_of__texts__are_exact(void **state)
{
    (void)state;
    assert_int_equal(uex_group_type_of("COST_BASED"), UEX_GROUP_COST_BASED);
    assert_int_equal(uex_group_type_of("NON_COST_BASED"), UEX_GROUP_NON_COST_BASED);
    assert_int_equal(uex_group_type_of("cost_based"), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of("COST_BASED "), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(""), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(NULL), UEX_GROUP_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns__table__is_the_contracts),
        cmocka_unit_test(columns__sql_names__are_snake_case),
        cmocka_unit_test(columns__types__are_the_contracts),
        cmocka_unit_test(masks_parse__nothing__masks_nothing),
        cmocka_unit_test(masks_parse__all_actions__are_taken),
        cmocka_unit_test(masks_parse__mistakes__are_configuration_errors),
        cmocka_unit_test(masks_parse__hash_on_a_number__is_refused_with_a_key_too),
        cmocka_unit_test(outcome_text__every_kind__goes_both_ways),
        cmocka_unit_test(group_type_of__texts__are_exact),
    };
    return cmocka_run_group_tests_name("columns", tests, NULL, NULL);
}
