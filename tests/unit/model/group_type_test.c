/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/catalogue.h"

static struct uex_config with(const char *file_types, const char *list_types)
{
    return (struct uex_config){.export_file_types = (char *)(uintptr_t)file_types,
                               .export_list_types = (char *)(uintptr_t)list_types};
}

static void group_type_of__defaults__texts_are_exact(void **state)
{
    const struct uex_config config = {0};

    (void)state;
    assert_int_equal(uex_group_type_of(&config, "COST_BASED"), UEX_GROUP_FILE);
    assert_int_equal(uex_group_type_of(&config, "NON_COST_BASED"), UEX_GROUP_LIST);
    assert_int_equal(uex_group_type_of(&config, "cost_based"), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(&config, "COST_BASED "), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(&config, ""), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(&config, NULL), UEX_GROUP_INVALID);
}

static void group_type_of__lists_of_types__are_looked_through(void **state)
{
    const struct uex_config config = with("PREMIUM, gold plus,é", " BASIC ,FREE");

    (void)state;
    assert_int_equal(uex_group_type_of(&config, "PREMIUM"), UEX_GROUP_FILE);
    assert_int_equal(uex_group_type_of(&config, "gold plus"), UEX_GROUP_FILE);
    assert_int_equal(uex_group_type_of(&config, "é"), UEX_GROUP_FILE);
    assert_int_equal(uex_group_type_of(&config, "BASIC"), UEX_GROUP_LIST);
    assert_int_equal(uex_group_type_of(&config, "FREE"), UEX_GROUP_LIST);
    assert_int_equal(uex_group_type_of(&config, "COST_BASED"), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(&config, "PREMIUM, gold plus"), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(&config, "PREM"), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(&config, ""), UEX_GROUP_INVALID);
}

static void group_type_of__empty_setting__has_no_types(void **state)
{
    const struct uex_config no_lists = with("A", ""), no_files = with("", "A");

    (void)state;
    assert_int_equal(uex_group_type_of(&no_lists, "A"), UEX_GROUP_FILE);
    assert_int_equal(uex_group_type_of(&no_files, "A"), UEX_GROUP_LIST);
    assert_int_equal(uex_group_type_of(&no_lists, ""), UEX_GROUP_INVALID);
    assert_int_equal(uex_group_type_of(&no_files, "NON_COST_BASED"), UEX_GROUP_INVALID);
}

static void group_types_write__all_of_both__with_the_separator(void **state)
{
    const struct uex_config defaults = {0}, other = with(" A , b c", ""), none = with("", "");
    struct uex_buffer out = {0};

    (void)state;
    uex_group_types_write(&defaults, " or ", &out);
    assert_string_equal(uex_buffer_text(&out), "COST_BASED or NON_COST_BASED");
    uex_buffer_reset(&out);
    uex_group_types_write(&other, ",", &out);
    assert_string_equal(uex_buffer_text(&out), "A,b c");
    uex_buffer_reset(&out);
    uex_group_types_write(&none, ",", &out);
    assert_string_equal(uex_buffer_text(&out), "");
    uex_buffer_clear(&out);
    assert_int_equal(uex_group_file_type(&other).size_bytes, 1);
    assert_int_equal(uex_group_file_type(&none).size_bytes, strlen("COST_BASED"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_type_of__defaults__texts_are_exact),
        cmocka_unit_test(group_type_of__lists_of_types__are_looked_through),
        cmocka_unit_test(group_type_of__empty_setting__has_no_types),
        cmocka_unit_test(group_types_write__all_of_both__with_the_separator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
