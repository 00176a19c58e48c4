/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/group_list.h"
#include "export/log.h"

static void list__added_ids__come_back_in_order(void **state)
{
    struct uex_group_list list = {0};
    const char *id = NULL;

    (void)state;
    assert_null(uex_group_list_next(&list, NULL));
    assert_int_equal(uex_group_list_add(&list, "g-1"), UEX_OK);
    assert_int_equal(uex_group_list_add(&list, "पुणे"), UEX_OK);
    assert_int_equal(uex_group_list_add(&list, "g-2"), UEX_OK);
    assert_int_equal(list.count, 3);
    id = uex_group_list_next(&list, NULL);
    assert_string_equal(id, "g-1");
    id = uex_group_list_next(&list, id);
    assert_string_equal(id, "पुणे");
    id = uex_group_list_next(&list, id);
    assert_string_equal(id, "g-2");
    assert_null(uex_group_list_next(&list, id));
    uex_group_list_clear(&list);
    assert_int_equal(list.count, 0);
}

static void list__ids_no_command_may_carry__are_left_out_and_counted(void **state)
{
    struct uex_group_list list = {0};
    char id[300];

    (void)state;
    uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_TEXT);
    memset(id, 'x', sizeof(id));
    id[256] = 0;
    assert_int_equal(uex_group_list_add(&list, id), UEX_OK);
    assert_int_equal(uex_group_list_add(&list, ""), UEX_OK);
    assert_int_equal(uex_group_list_add(&list, "a\nb"), UEX_OK);
    assert_int_equal(uex_group_list_add(&list, "\xff"), UEX_OK);
    assert_int_equal(list.left_out, 4);
    assert_int_equal(list.count, 0);
    id[255] = 0;
    assert_int_equal(uex_group_list_add(&list, id), UEX_OK);
    assert_int_equal(list.count, 1);
    uex_group_list_clear(&list);
}

/* A server that sends without end is not read without end, whatever it sends. */
static void list__left_out_without_end__reaches_the_limit(void **state)
{
    struct uex_group_list list = {0};
    size_t size = (size_t)1 << 20;
    char *id = malloc(size);
    enum uex_error err = UEX_OK;

    (void)state;
    assert_non_null(id);
    memset(id, 'x', size - 1);
    id[size - 1] = '\0';
    for (int i = 0; err == UEX_OK && i < 1000; i++)
        err = uex_group_list_add(&list, id);
    assert_int_equal(err, UEX_LIMIT);
    assert_int_equal(list.count, 0);
    free(id);
    uex_group_list_clear(&list);
}

static void list__hundred_thousand_groups__take_a_few_megabytes(void **state)
{
    struct uex_group_list list = {0};
    char id[32];
    uint64_t count = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        snprintf(id, sizeof(id), "group-%d", i);
        assert_int_equal(uex_group_list_add(&list, id), UEX_OK);
    }
    for (const char *at = uex_group_list_next(&list, NULL); at != NULL; at = uex_group_list_next(&list, at))
        count++;
    assert_int_equal(count, 100000);
    assert_true(list.ids.capacity_bytes < (size_t)4 << 20);
    uex_group_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list__added_ids__come_back_in_order),
        cmocka_unit_test(list__ids_no_command_may_carry__are_left_out_and_counted),
        cmocka_unit_test(list__left_out_without_end__reaches_the_limit),
        cmocka_unit_test(list__hundred_thousand_groups__take_a_few_megabytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
