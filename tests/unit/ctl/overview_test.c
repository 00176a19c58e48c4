/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cJSON.h>
#include <cmocka.h>

#include "ctl/status/overview.h"

#define SINCE INT64_C(1795369800500) /* 2026-11-22T17:50:00.500Z */

static struct uex_overview quiet_night(void)
{
    struct uex_overview overview;

    uex_overview_init(&overview, "");
    overview.workers.count = 3;
    overview.waiting.count = overview.retrying.count = overview.open_letters.count = overview.breakers.count = 0;
    return overview;
}

static void add_breaker(struct uex_overview *overview)
{
    overview->breaker[overview->breakers.count++] = (struct uex_overview_breaker){
        .dependency = "postgres", .code = "database-unavailable", .since_ms = SINCE, .worker_count = 2};
}

static void check_line(const struct uex_overview *overview, const char *expected)
{
    struct uex_buffer out = {0};

    uex_overview_write(overview, &out);
    assert_string_equal(uex_buffer_text(&out), expected);
    uex_buffer_clear(&out);
}

static void write__each_figure__is_in_one_line(void **state)
{
    struct uex_overview overview = quiet_night();

    (void)state;
    check_line(&overview, "3 workers; 0 waiting; 0 retrying; no open dead letter; no open breaker");
    overview.workers.count = 0;
    overview.waiting.count = 12345;
    overview.retrying.count = 2;
    overview.next_retry_ms = SINCE;
    overview.open_letters.count = 1;
    add_breaker(&overview);
    check_line(&overview,
               "no worker; 12,345 waiting; 2 retrying, next at 2026-11-22T17:50:00.500Z; 1 open dead letter; "
               "circuit breaker of postgres open since 2026-11-22T17:50:00.500Z (database-unavailable)");
}

static void write__unknown_figures__say_why(void **state)
{
    struct uex_overview overview = quiet_night();

    (void)state;
    overview.workers.count = overview.open_letters.count = UEX_UNKNOWN;
    (void)snprintf(overview.workers.why_not, sizeof(overview.workers.why_not), "no right \033[31m");
    (void)snprintf(overview.open_letters.why_not, sizeof(overview.open_letters.why_not), "no topic");
    check_line(&overview,
               "workers unknown: no right ?[31m; 0 waiting; 0 retrying; open dead letters unknown: no topic; "
               "no open breaker");
    uex_overview_init(&overview, "Kafka is away");
    check_line(&overview, "workers unknown: Kafka is away; waiting unknown: Kafka is away; retrying unknown: Kafka is "
                          "away; open dead letters unknown: Kafka is away; breakers unknown: Kafka is away");
}

static void write_json__known_and_unknown__is_one_object(void **state)
{
    struct uex_overview overview = quiet_night();
    struct uex_buffer out = {0};
    cJSON *read = NULL;
    const cJSON *breaker = NULL;

    (void)state;
    overview.retrying.count = UEX_UNKNOWN;
    (void)snprintf(overview.retrying.why_not, sizeof(overview.retrying.why_not), "said \"no\"");
    add_breaker(&overview);
    uex_overview_write_json(&overview, &out);
    read = cJSON_Parse(uex_buffer_text(&out));
    assert_non_null(read);
    assert_int_equal(cJSON_GetObjectItem(read, "workers")->valueint, 3);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(read, "retrying")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(read, "nextRetryAt")));
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(read, "unknown"), "retrying")->valuestring,
                        "said \"no\"");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(read, "unknown")), 1);
    breaker = cJSON_GetArrayItem(cJSON_GetObjectItem(read, "breakers"), 0);
    assert_string_equal(cJSON_GetObjectItem(breaker, "dependency")->valuestring, "postgres");
    assert_string_equal(cJSON_GetObjectItem(breaker, "since")->valuestring, "2026-11-22T17:50:00.500Z");
    assert_string_equal(cJSON_GetObjectItem(breaker, "code")->valuestring, "database-unavailable");
    assert_int_equal(cJSON_GetObjectItem(breaker, "workers")->valueint, 2);
    cJSON_Delete(read);
    uex_buffer_clear(&out);
}

static void check_why(const struct uex_overview *overview, enum uex_hindrance expected, const char *sentence)
{
    struct uex_buffer out = {0};

    assert_int_equal(uex_overview_why(overview, &out), expected);
    assert_string_equal(uex_buffer_text(&out), sentence);
    uex_buffer_clear(&out);
}

static void why__several_reasons__names_the_first_to_mend(void **state)
{
    struct uex_overview overview = quiet_night();

    (void)state;
    check_why(&overview, UEX_HINDRANCE_NONE, "");
    overview.next_retry_ms = SINCE;
    check_why(&overview, UEX_HINDRANCE_RETRY, "the next retry is due at 2026-11-22T17:50:00.500Z");
    overview.waiting.count = 1;
    check_why(&overview, UEX_HINDRANCE_QUEUE, "1 command waits for 3 workers");
    add_breaker(&overview);
    check_why(&overview, UEX_HINDRANCE_BREAKER,
              "circuit breaker of postgres open since 2026-11-22T17:50:00.500Z (database-unavailable); commands start "
              "again when it closes");
    overview.workers.count = 0;
    check_why(&overview, UEX_HINDRANCE_NO_WORKER, "no worker runs; 1 command waits");
    overview.waiting.count = UEX_UNKNOWN;
    check_why(&overview, UEX_HINDRANCE_NO_WORKER, "no worker runs");
    uex_overview_init(&overview, "?"); /* nothing is known: nothing is said */
    check_why(&overview, UEX_HINDRANCE_NONE, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__each_figure__is_in_one_line),
        cmocka_unit_test(write__unknown_figures__say_why),
        cmocka_unit_test(write_json__known_and_unknown__is_one_object),
        cmocka_unit_test(why__several_reasons__names_the_first_to_mend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
