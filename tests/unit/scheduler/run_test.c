/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scheduler/run.h"
#include "scheduler/wait.h"

static void command__same_run_and_group__has_the_same_id(void **state)
{
    struct uex_run run = {
        .run_id = "2026-11-22", .domain_id = "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11", .requested_at_ms = 1700000000123};
    struct uex_buffer value = {0};
    struct uex_command first = {0}, second = {0};
    struct uex_fault fault = {0};
    char id[UEX_UUID_TEXT_SIZE];

    (void)state;
    uex_run_command(&run, "g \"1\"", &value);
    assert_int_equal(uex_command_parse(uex_bytes_of_text("g \"1\""), uex_buffer_bytes(&value), &first, &fault), UEX_OK);
    uex_buffer_reset(&value);
    run.requested_at_ms += 1000;
    uex_run_command(&run, "g \"1\"", &value);
    assert_int_equal(uex_command_parse((struct uex_bytes){0}, uex_buffer_bytes(&value), &second, &fault), UEX_OK);
    uex_command_id_of_schedule("2026-11-22", "g \"1\"", id);
    assert_string_equal(first.command_id, id);
    assert_string_equal(second.command_id, id);
    assert_string_equal(first.group_id, "g \"1\"");
    assert_string_equal(first.run_id, "2026-11-22");
    assert_string_equal(first.domain_id, run.domain_id);
    assert_string_equal(first.requested_by, "export-scheduler");
    assert_true(first.requested_at_ms == 1700000000123);
    uex_command_clear(&first);
    uex_command_clear(&second);
    uex_buffer_clear(&value);
}

static void run_id__length__is_counted_in_characters(void **state)
{
    char text[300] = "";

    (void)state;
    assert_true(uex_run_id_valid(uex_bytes_of_text("2026-11-22")));
    assert_false(uex_run_id_valid(uex_bytes_of_text("")));
    assert_false(uex_run_id_valid(uex_bytes_of_text("a\tb")));
    for (int i = 0; i < 64; i++)
        strcat(text, "é");
    assert_true(uex_run_id_valid(uex_bytes_of_text(text)));
    strcat(text, "x");
    assert_false(uex_run_id_valid(uex_bytes_of_text(text)));
}

static void wait_left__known_run__counts_from_its_start(void **state)
{
    const struct uex_config config = {.schedule_wait_ms = 100000, .startup_timeout_ms = 10000};
    const struct uex_config shortest = {.schedule_wait_ms = 1000, .startup_timeout_ms = 10000};
    struct uex_run_record run = {.started_at_ms = 5000000};

    (void)state;
    assert_int_equal(uex_wait_left_ms(&config, &run, false, 5000000), 100000);
    assert_int_equal(uex_wait_left_ms(&config, &run, false, 5070000), 100000);
    assert_int_equal(uex_wait_left_ms(&config, &run, true, 5000000), 100000);
    assert_int_equal(uex_wait_left_ms(&config, &run, true, 5070000), 30000);
    assert_int_equal(uex_wait_left_ms(&config, &run, true, 5089999), 10001);
    /* A late start, and a time that is shorter than its floor. */
    assert_int_equal(uex_wait_left_ms(&config, &run, true, 5095000), 10000);
    assert_int_equal(uex_wait_left_ms(&config, &run, true, 9000000), 10000);
    assert_int_equal(uex_wait_left_ms(&shortest, &run, true, 9000000), 1000);
    /* The starter's clock is ahead; it is not known when it was started. */
    assert_int_equal(uex_wait_left_ms(&config, &run, true, 4000000), 100000);
    run.started_at_ms = UEX_NO_TIME;
    assert_int_equal(uex_wait_left_ms(&config, &run, true, 5070000), 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command__same_run_and_group__has_the_same_id),
        cmocka_unit_test(run_id__length__is_counted_in_characters),
        cmocka_unit_test(wait_left__known_run__counts_from_its_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
