/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/status/running.h"

#define ID_1 "a0eebc99-9c0b-4ef8-bb6d-000000000001"
#define ID_2 "a0eebc99-9c0b-4ef8-bb6d-000000000002"

/* A record that was written `at_s` seconds after 17:50, of an attempt that began `started_s` seconds after it. */
static const struct uex_running_export *take(struct uex_running *running, const char *command_id, const char *worker,
                                             const char *state, unsigned rows, unsigned started_s, unsigned at_s)
{
    char text[600];

    snprintf(text, sizeof(text),
             "{\"groupId\":\"g\",\"commandId\":\"%s\",\"worker\":\"%s\",\"state\":\"%s\",\"rows\":%u,\"bytes\":2048,"
             "\"startedAt\":\"2026-11-22T17:50:%02u.000Z\",\"at\":\"2026-11-22T17:50:%02u.000Z\"}",
             command_id, worker, state, rows, started_s, at_s);
    return uex_running_take(running, uex_bytes_of_text(text), (int64_t)at_s * 1000);
}

static void take__records_of_one_export__give_its_rate(void **state)
{
    struct uex_running running = {0};
    const struct uex_running_export *item = take(&running, ID_1, "w:1", "running", 500, 0, 5);
    struct uex_buffer out = {0};

    (void)state;
    assert_int_equal(item->rows_per_s, 100); /* since it began */
    item = take(&running, ID_1, "w:1", "running", 1500, 0, 7);
    assert_int_equal(item->rows_per_s, 500);                   /* since the record before */
    item = take(&running, ID_1, "w:1", "running", 1500, 0, 7); /* the same again tells nothing */
    assert_int_equal(item->rows_per_s, 500);
    assert_int_equal(running.count, 1);
    uex_running_write(item, item->progress.started_at_ms + 8000, &out);
    assert_string_equal(uex_buffer_text(&out), "g  running  1,500 rows  500 rows/s  8.0 s  2.0 KiB  on w:1");
    uex_buffer_reset(&out);
    uex_running_write_json(item, &out);
    assert_string_equal(uex_buffer_text(&out),
                        "{\"event\": \"progress\", \"groupId\": \"g\", \"commandId\": \"" ID_1
                        "\", \"worker\": \"w:1\", \"rows\": 1500, \"rowsPerSecond\": 500, \"bytes\": 2048, "
                        "\"startedAt\": \"2026-11-22T17:50:00.000Z\", \"at\": \"2026-11-22T17:50:07.000Z\", "
                        "\"lastRows\": null}");
    uex_buffer_clear(&out);
    uex_running_clear(&running);
}

static void write__rows_of_the_last_export_known__tells_the_share_and_the_time_left(void **state)
{
    static const struct {
        uint64_t last_rows;
        const char *share;
    } cases[] = {
        {UEX_UNKNOWN, ""}, {0, ""}, {2000, "50 %, 10 s left  "}, {1000, "100 %, 0.0 s left  "}, {999, "over 100 %  "}};
    struct uex_running running = {0};
    struct uex_running_export *item = NULL;
    struct uex_buffer out = {0}, expected = {0};

    (void)state;
    take(&running, ID_1, "w:1", "running", 1000, 0, 10);
    item = &running.items[0];
    item->progress.object_bytes = 0; /* nothing is sent yet */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        item->last_rows = cases[i].last_rows;
        uex_buffer_reset(&out);
        uex_buffer_reset(&expected);
        uex_running_write(item, item->progress.started_at_ms + 10000, &out);
        uex_buffer_append_format(&expected, "g  running  1,000 rows  %s100 rows/s  10 s  on w:1", cases[i].share);
        assert_string_equal(uex_buffer_text(&out), uex_buffer_text(&expected));
    }
    uex_buffer_clear(&out);
    uex_buffer_clear(&expected);
    uex_running_clear(&running);
}

static void take__another_attempt__begins_anew(void **state)
{
    struct uex_running running = {0};
    const struct uex_running_export *item = NULL;

    (void)state;
    take(&running, ID_1, "w:1", "running", 5000, 0, 5);
    item = take(&running, ID_1, "w:1", "running", 20, 8, 10);
    assert_int_equal(item->rows_per_s, 10);
    assert_int_equal(running.count, 1);
    item = take(&running, ID_1, "w:2", "running", 30, 8, 10); /* for a moment two workers are at it */
    assert_int_equal(running.count, 2);
    assert_null(take(&running, ID_1, "w:1", "ended", 40, 8, 11));
    assert_int_equal(running.count, 1);
    assert_string_equal(running.items[0].progress.worker, "w:2");
    uex_running_clear(&running);
}

static void end__outcome__takes_it_away_for_good(void **state)
{
    struct uex_running running = {0};

    (void)state;
    take(&running, ID_1, "w:1", "running", 5, 0, 5);
    take(&running, ID_2, "w:1", "running", 5, 0, 5);
    uex_running_end(&running, ID_1);
    assert_int_equal(running.count, 1);
    assert_null(take(&running, ID_1, "w:1", "running", 9, 0, 9)); /* later than the outcome */
    assert_int_equal(running.count, 1);
    for (unsigned i = 0; i < UEX_RUNNING_ENDED_MAX; i++)
        uex_running_end(&running, ID_2);
    assert_int_equal(running.count, 0);
    uex_running_clear(&running);
}

static void expire__silence__takes_it_away(void **state)
{
    struct uex_running running = {0};

    (void)state;
    take(&running, ID_1, "w:1", "running", 5, 0, 5);
    take(&running, ID_2, "w:1", "running", 5, 0, 20);
    uex_running_expire(&running, 5000 + UEX_RUNNING_SILENT_MS);
    assert_int_equal(running.count, 2);
    uex_running_expire(&running, 5001 + UEX_RUNNING_SILENT_MS);
    assert_int_equal(running.count, 1);
    assert_string_equal(running.items[0].progress.command_id, ID_2);
    uex_running_clear(&running);
}

static void take__what_cannot_be_read__is_passed_over(void **state)
{
    struct uex_running running = {0};

    (void)state;
    assert_null(uex_running_take(&running, uex_bytes_of_text("{}"), 0));
    assert_null(uex_running_take(&running, (struct uex_bytes){0}, 0));
    assert_int_equal(running.count, 0);
    uex_running_clear(&running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take__records_of_one_export__give_its_rate),
        cmocka_unit_test(write__rows_of_the_last_export_known__tells_the_share_and_the_time_left),
        cmocka_unit_test(take__another_attempt__begins_anew),
        cmocka_unit_test(end__outcome__takes_it_away_for_good),
        cmocka_unit_test(expire__silence__takes_it_away),
        cmocka_unit_test(take__what_cannot_be_read__is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
