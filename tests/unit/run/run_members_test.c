/* SPDX-License-Identifier: Apache-2.0 */
/* The groups of a run: found again, each once, however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "run/members.h"

#define MANY 50000

static void add(struct uex_run_members *members, const char *id)
{
    assert_int_equal(uex_run_members_add(members, uex_bytes_of_text(id)), UEX_OK);
}

static void add__many_groups__are_found_by_their_ids(void **state)
{
    struct uex_run_members members = {0};
    char id[32];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof(id), "g-%d", i);
        add(&members, id);
    }
    assert_int_equal(members.count, MANY);
    for (int i = 0; i < MANY; i++) {
        struct uex_run_member *member = NULL;

        (void)snprintf(id, sizeof(id), "g-%d", i);
        member = uex_run_members_find(&members, uex_bytes_of_text(id));
        assert_non_null(member);
        assert_string_equal(uex_run_member_id(&members, member), id);
        assert_ptr_equal(member, &members.items[i]);
        assert_false(uex_run_member_has_ended(member));
        assert_true(member->offset == -1);
    }
    uex_run_members_clear(&members);
    uex_run_members_clear(&members);
}

static void add__a_group_twice__stays_as_it_is(void **state)
{
    struct uex_run_members members = {0};

    (void)state;
    add(&members, "a");
    members.items[0].outcome = UEX_OUTCOME_EXPORTED;
    add(&members, "a");
    assert_int_equal(members.count, 1);
    assert_true(uex_run_member_has_ended(uex_run_members_find(&members, uex_bytes_of_text("a"))));
    uex_run_members_clear(&members);
}

static void find__ids_that_are_not_there__are_none(void **state)
{
    struct uex_run_members members = {0};

    (void)state;
    assert_null(uex_run_members_find(&members, uex_bytes_of_text("a")));
    add(&members, "abc");
    add(&members, "a");
    assert_null(uex_run_members_find(&members, (struct uex_bytes){0}));
    assert_null(uex_run_members_find(&members, uex_bytes_of_text("")));
    assert_null(uex_run_members_find(&members, uex_bytes_of_text("ab")));
    assert_null(uex_run_members_find(&members, uex_bytes_of_text("abcd")));
    assert_null(uex_run_members_find(&members, uex_bytes_of("a\0c", 3)));
    assert_non_null(uex_run_members_find(&members, uex_bytes_of("abcd", 3)));
    uex_run_members_clear(&members);
}

static void reserve__room_for_all__nothing_moves(void **state)
{
    struct uex_run_members members = {0};
    const struct uex_run_member *items = NULL;
    const char *ids = NULL;
    char id[32];

    (void)state;
    assert_int_equal(uex_run_members_reserve(&members, MANY, MANY * sizeof(id)), UEX_OK);
    items = members.items;
    ids = members.ids;
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof(id), "g-%d", i);
        add(&members, id);
    }
    assert_ptr_equal(items, members.items);
    assert_ptr_equal(ids, members.ids);
    uex_run_members_clear(&members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add__many_groups__are_found_by_their_ids),
        cmocka_unit_test(add__a_group_twice__stays_as_it_is),
        cmocka_unit_test(find__ids_that_are_not_there__are_none),
        cmocka_unit_test(reserve__room_for_all__nothing_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
