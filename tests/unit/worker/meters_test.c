/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "worker/meters.h"

static char command_topic[] = "export-group";
static const struct uex_config config = {
    .topics_command = command_topic, .metrics_max_groups = 3, .export_lanes = 2, .retry_tier_count = 2};

static int start(void **state)
{
    struct uex_meters *meters = calloc(1, sizeof(*meters));

    assert_int_equal(uex_meters_init(meters, &config, NULL), UEX_OK);
    *state = meters;
    return 0;
}

static int stop(void **state)
{
    uex_meters_clear(*state);
    free(*state);
    return 0;
}

/* A line of /metrics; the caller compares. -1: there is no such series. */
static double value_of(struct uex_meters *meters, const char *series)
{
    struct uex_scrape *scrape = uex_scrape_new(meters->registry);
    struct uex_buffer text = {0};
    char piece[4096], wanted[300];
    const char *found = NULL;
    double value = -1;
    size_t got = 0;

    uex_buffer_append_text(&text, "\n");
    while ((got = uex_scrape_read(scrape, piece, sizeof(piece))) > 0)
        uex_buffer_append(&text, piece, got);
    uex_scrape_free(scrape);
    (void)snprintf(wanted, sizeof(wanted), "\n%s ", series);
    found = strstr(uex_buffer_text(&text), wanted);
    if (found != NULL)
        value = strtod(found + strlen(wanted), NULL);
    uex_buffer_clear(&text);
    return value;
}

static void expect(struct uex_meters *meters, const char *series, double value)
{
    const double found = value_of(meters, series);

    if (found != value)
        print_message("%s is %g, not %g\n", series, found, value);
    assert_true(found == value);
}

static struct uex_group group_of(const char *group_id, const char *type)
{
    struct uex_group group = {.type = uex_group_type_of(&(const struct uex_config){0}, type), .active = true};

    (void)snprintf(group.group_id, sizeof(group.group_id), "%s", group_id);
    (void)snprintf(group.type_text, sizeof(group.type_text), "%s", type);
    return group;
}

/* A command as the engine shows it; nothing in it is freed. */
struct sample {
    struct uex_record record;
    struct uex_inflight inflight;
    char group_id[32];
};

static struct uex_inflight *deliver(struct sample *sample, const char *group_id, const char *type,
                                    enum uex_outcome_kind kind)
{
    struct uex_job_outcome *job = &sample->inflight.outcome.job;

    memset(sample, 0, sizeof(*sample));
    (void)snprintf(sample->group_id, sizeof(sample->group_id), "%s", group_id);
    sample->record.topic = command_topic;
    sample->inflight.record = &sample->record;
    sample->inflight.command.group_id = sample->group_id;
    sample->inflight.command.requested_at_ms = UEX_NO_TIME;
    sample->inflight.outcome.kind = kind;
    sample->inflight.outcome.at_ms = uex_wall_ms();
    job->group = group_of(group_id, type);
    job->started_at_ms = uex_wall_ms() - 400;
    job->duration_ms = 400;
    job->row_count = 250;
    job->csv_duration_ms = 300;
    return &sample->inflight;
}

static void init__families_of_the_contract__are_there_with_their_fixed_series(void **state)
{
    struct uex_meters *meters = *state;

    expect(meters, "users_export_commands_total{outcome=\"exported\"}", 0);
    expect(meters, "users_export_commands_total{outcome=\"skipped\"}", 0);
    expect(meters, "users_export_commands_total{outcome=\"retried\"}", 0);
    expect(meters, "users_export_commands_total{outcome=\"dead-lettered\"}", 0);
    expect(meters, "users_export_commands_total{outcome=\"rerouted\"}", 0);
    expect(meters, "users_export_retries_total{tier=\"1\"}", 0);
    expect(meters, "users_export_retries_total{tier=\"2\"}", -1);
    expect(meters, "users_export_transactions_total{result=\"unknown\"}", 0);
    expect(meters, "users_export_bytes_total{direction=\"written\"}", 0);
    expect(meters, "users_export_failed_attempts_total{code=\"database-data\"}", 0);
    expect(meters, "users_export_failed_attempts_total{code=\"ok\"}", -1);
    expect(meters, "users_export_in_flight", 0);
    expect(meters, "users_export_lanes", 2);
    expect(meters, "users_export_build_info{version=\"" UEX_VERSION "\"}", 1);
}

static void table__every_family__stands_in_the_documentation(void **state)
{
    char text[65536] = "";
    FILE *file = fopen(UEX_SOURCE_DIR "/docs/metrics.md", "r");

    (void)state;
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    for (size_t i = 0; i < UEX_METER_COUNT; i++) {
        char cell[200];

        (void)snprintf(cell, sizeof(cell), "| `%s", uex_meter_table[i].name);
        if (strstr(text, cell) == NULL)
            print_message("docs/metrics.md lacks %s\n", uex_meter_table[i].name);
        assert_non_null(strstr(text, cell));
    }
}

static void seen__first_command_of_a_group__series_are_there_with_0(void **state)
{
    struct uex_meters *meters = *state;
    char group_id[] = "g-1";
    const struct uex_command command = {.group_id = group_id, .requested_at_ms = UEX_NO_TIME};
    const struct uex_group group = group_of("g-1", "COST_BASED");

    uex_meters_seen(meters, &command);
    expect(meters, "users_export_batch_duration_seconds_count{groupId=\"g-1\"}", 0);
    expect(meters, "users_export_batch_failures_total{groupId=\"g-1\"}", 0);
    expect(meters, "users_export_batch_processed_total{groupId=\"g-1\"}", 0);
    expect(meters, "users_export_csv_processed_total{groupId=\"g-1\"}", 0);
    expect(meters, "users_export_csv_failures_total{groupId=\"g-1\"}", 0);
    expect(meters, "users_export_failures_total{groupId=\"g-1\",groupType=\"UNKNOWN\"}", 0);
    expect(meters, "export_to_dlq_total{key=\"g-1\",topic=\"export-group\"}", 0);
    uex_meters_group_known(meters, &group);
    expect(meters, "users_export_duration_seconds_count{groupId=\"g-1\",groupType=\"COST_BASED\"}", 0);
    expect(meters, "users_export_group_duration_seconds_count{groupId=\"g-1\",groupType=\"COST_BASED\"}", 0);
    expect(meters, "users_export_failures_total{groupId=\"g-1\",groupType=\"COST_BASED\"}", 0);
    expect(meters, "users_export_invalid_group_type_total{groupId=\"g-1\",groupType=\"COST_BASED\"}", 0);
}

static void unreadable__record_with_a_key__series_of_its_group_are_there_with_0(void **state)
{
    struct uex_meters *meters = *state;
    struct uex_record record = {.key = uex_bytes_of_text("g-9")};
    const struct uex_inflight inflight = {.record = &record};

    uex_meters_unreadable(meters, &inflight);
    expect(meters, "users_export_failures_total{groupId=\"g-9\",groupType=\"UNKNOWN\"}", 0);
    expect(meters, "export_to_dlq_total{key=\"g-9\",topic=\"export-group\"}", 0);
}

static void seen__more_groups_than_allowed__share_other(void **state)
{
    struct uex_meters *meters = *state;

    for (int i = 0; i < 10; i++) {
        char group_id[16];
        struct uex_group group;

        (void)snprintf(group_id, sizeof(group_id), "g-%d", i);
        group = group_of(group_id, "COST_BASED");
        uex_meters_batch(meters, &group, 10, 5);
        uex_meters_batch(meters, &group, 1, 0);
    }
    expect(meters, "users_export_batch_processed_total{groupId=\"g-2\"}", 11);
    expect(meters, "users_export_batch_processed_total{groupId=\"g-3\"}", -1);
    expect(meters, "users_export_batch_processed_total{groupId=\"_other\"}", 77);
    expect(meters, "users_export_batch_duration_seconds_count{groupId=\"_other\"}", 14);
    expect(meters, "users_export_rows_total", 110);
}

static void group_known__strange_types__are_bounded(void **state)
{
    struct uex_meters *meters = *state;

    for (int i = 0; i < 50; i++) {
        char type[16];
        struct uex_group group;

        (void)snprintf(type, sizeof(type), "TYPE%d", i);
        group = group_of("g", type);
        uex_meters_group_known(meters, &group);
    }
    expect(meters, "users_export_failures_total{groupId=\"g\",groupType=\"TYPE19\"}", 0);
    expect(meters, "users_export_failures_total{groupId=\"g\",groupType=\"TYPE20\"}", -1);
    expect(meters, "users_export_failures_total{groupId=\"g\",groupType=\"_other\"}", 0);
}

static void committed__exported_file__counts_rows_and_durations(void **state)
{
    struct uex_meters *meters = *state;
    struct sample sample;
    static char url[] = "s3://bucket/key";

    deliver(&sample, "g", "COST_BASED", UEX_OUTCOME_EXPORTED)->outcome.job.object.url = url;
    uex_meters_committed(meters, &sample.inflight);
    expect(meters, "users_export_commands_total{outcome=\"exported\"}", 1);
    expect(meters, "users_export_csv_processed_total{groupId=\"g\"}", 250);
    expect(meters, "users_export_duration_seconds_bucket{groupId=\"g\",groupType=\"COST_BASED\",le=\"0.25\"}", 0);
    expect(meters, "users_export_duration_seconds_count{groupId=\"g\",groupType=\"COST_BASED\"}", 1);
    expect(meters, "users_export_group_duration_seconds_sum{groupId=\"g\",groupType=\"COST_BASED\"}", 0.3);
    /* Found and announced again: nothing was written. */
    sample.inflight.outcome.job.object_was_there = true;
    sample.inflight.outcome.job.group.type_text[0] = '\0';
    uex_meters_committed(meters, &sample.inflight);
    expect(meters, "users_export_csv_processed_total{groupId=\"g\"}", 250);
    expect(meters, "users_export_duration_seconds_count{groupId=\"g\",groupType=\"COST_BASED\"}", 2);
    expect(meters, "users_export_group_duration_seconds_count{groupId=\"g\",groupType=\"COST_BASED\"}", 1);
}

static void committed__list_of_usernames__is_no_csv(void **state)
{
    struct uex_meters *meters = *state;
    struct sample sample;

    uex_meters_committed(meters, deliver(&sample, "g", "NON_COST_BASED", UEX_OUTCOME_EXPORTED));
    expect(meters, "users_export_csv_processed_total{groupId=\"g\"}", -1);
    expect(meters, "users_export_group_duration_seconds_count{groupId=\"g\",groupType=\"NON_COST_BASED\"}", 1);
}

static void committed__retries_and_a_dead_letter__only_the_last_is_a_failure(void **state)
{
    struct uex_meters *meters = *state;
    struct sample sample;

    deliver(&sample, "g", "COST_BASED", UEX_OUTCOME_RETRIED)->outcome.job.error = UEX_STORE_FAILED;
    sample.inflight.outcome.fault.error = UEX_STORE_FAILED;
    sample.inflight.outcome.tier = 1;
    uex_meters_attempt(meters, &sample.inflight.outcome.job);
    uex_meters_committed(meters, &sample.inflight);
    expect(meters, "users_export_failures_total{groupId=\"g\",groupType=\"COST_BASED\"}", -1);
    expect(meters, "users_export_retries_total{tier=\"1\"}", 1);
    expect(meters, "users_export_batch_failures_total{groupId=\"g\"}", 1);
    expect(meters, "users_export_csv_failures_total{groupId=\"g\"}", 1);
    sample.inflight.outcome.kind = UEX_OUTCOME_DEAD_LETTERED;
    uex_meters_attempt(meters, &sample.inflight.outcome.job);
    uex_meters_committed(meters, &sample.inflight);
    expect(meters, "users_export_failures_total{groupId=\"g\",groupType=\"COST_BASED\"}", 1);
    expect(meters, "export_to_dlq_total{key=\"g\",topic=\"export-group\"}", 1);
    expect(meters, "users_export_batch_failures_total{groupId=\"g\"}", 2);
    expect(meters, "users_export_failed_attempts_total{code=\"store-failed\"}", 2);
    expect(meters, "users_export_duration_seconds_count{groupId=\"g\",groupType=\"COST_BASED\"}", 2);
    expect(meters, "users_export_commands_total{outcome=\"dead-lettered\"}", 1);
}

static void committed__refused_by_kafka__is_a_failed_batch_of_a_job_that_went_well(void **state)
{
    struct uex_meters *meters = *state;
    struct sample sample;

    deliver(&sample, "g", "NON_COST_BASED", UEX_OUTCOME_DEAD_LETTERED)->outcome.fault.error = UEX_RESULT_REFUSED;
    uex_meters_attempt(meters, &sample.inflight.outcome.job);
    uex_meters_committed(meters, &sample.inflight);
    expect(meters, "users_export_batch_failures_total{groupId=\"g\"}", 1);
    expect(meters, "users_export_csv_failures_total{groupId=\"g\"}", -1);
}

static void attempt__given_up_or_without_a_group__is_no_failed_batch(void **state)
{
    struct uex_meters *meters = *state;
    struct sample sample;

    deliver(&sample, "g", "COST_BASED", UEX_OUTCOME_RETRIED)->outcome.job.error = UEX_CANCELLED;
    uex_meters_attempt(meters, &sample.inflight.outcome.job);
    sample.inflight.outcome.job.error = UEX_DB_UNAVAILABLE;
    sample.inflight.outcome.job.group.type_text[0] = '\0';
    uex_meters_attempt(meters, &sample.inflight.outcome.job);
    expect(meters, "users_export_batch_failures_total{groupId=\"g\"}", -1);
}

static void committed__malformed_record__is_counted_by_its_key(void **state)
{
    static const struct {
        struct uex_bytes key;
        const char *label;
    } samples[] = {
        {{(const uint8_t *)"g-17", 4}, "g-17"}, {{NULL, 0}, "_other"}, {{(const uint8_t *)"a\0b", 3}, "_other"}};
    struct uex_meters *meters = *state;
    struct sample sample;

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        char series[120];

        deliver(&sample, "", "", UEX_OUTCOME_DEAD_LETTERED)->outcome.fault.error = UEX_MALFORMED;
        sample.inflight.command.group_id = NULL;
        sample.inflight.outcome.job = (struct uex_job_outcome){0};
        sample.record.key = samples[i].key;
        uex_meters_committed(meters, &sample.inflight);
        (void)snprintf(series, sizeof(series), "export_to_dlq_total{key=\"%s\",topic=\"export-group\"}",
                       samples[i].label);
        expect(meters, series, i == 2 ? 2 : 1);
        (void)snprintf(series, sizeof(series), "users_export_failures_total{groupId=\"%s\",groupType=\"UNKNOWN\"}",
                       samples[i].label);
        expect(meters, series, i == 2 ? 2 : 1);
    }
    expect(meters, "users_export_duration_seconds_count{groupId=\"g-17\",groupType=\"UNKNOWN\"}", -1);
}

static void committed__skipped__by_reason_and_strange_type(void **state)
{
    struct uex_meters *meters = *state;
    struct sample sample;

    deliver(&sample, "g", "LOTTERY", UEX_OUTCOME_SKIPPED)->outcome.skip = UEX_SKIP_INVALID_GROUP_TYPE;
    uex_meters_committed(meters, &sample.inflight);
    deliver(&sample, "g", "", UEX_OUTCOME_SKIPPED)->outcome.skip = UEX_SKIP_DUPLICATE;
    sample.inflight.outcome.job = (struct uex_job_outcome){0};
    uex_meters_committed(meters, &sample.inflight);
    expect(meters, "users_export_invalid_group_type_total{groupId=\"g\",groupType=\"LOTTERY\"}", 1);
    expect(meters, "users_export_skipped_total{reason=\"invalid-group-type\"}", 1);
    expect(meters, "users_export_skipped_total{reason=\"duplicate\"}", 1);
    expect(meters, "users_export_skipped_total{reason=\"empty\"}", 0);
    expect(meters, "users_export_commands_total{outcome=\"skipped\"}", 2);
    expect(meters, "users_export_duration_seconds_count{groupId=\"g\",groupType=\"LOTTERY\"}", 1);
}

static void seen__scheduled_commands__only_they_move_the_time_and_only_forwards(void **state)
{
    struct uex_meters *meters = *state;
    char group_id[] = "g", run_id[] = "2026-11-22";
    struct uex_command command = {.group_id = group_id, .run_id = run_id, .requested_at_ms = 1795000000000};

    uex_meters_seen(meters, &command); /* an operator's: its id is none of the scheduler's */
    assert_int_equal(meters->last_scheduled_ms, 0);
    uex_command_id_of_schedule(run_id, group_id, command.command_id);
    uex_meters_seen(meters, &command);
    assert_int_equal(meters->last_scheduled_ms, 1795000000000);
    command.requested_at_ms = 1794000000000;
    uex_meters_seen(meters, &command);
    command.requested_at_ms = UEX_NO_TIME;
    uex_meters_seen(meters, &command);
    assert_int_equal(meters->last_scheduled_ms, 1795000000000);
}

static void request__status__is_the_code(void **state)
{
    struct uex_meters *meters = *state;

    uex_meters_request(meters, "PUT", 200, 40);
    uex_meters_request(meters, "PUT", 0, 5000);
    uex_meters_request(meters, "GET", 99999, 1);
    expect(meters, "users_export_s3_requests_total{method=\"PUT\",code=\"200\"}", 1);
    expect(meters, "users_export_s3_requests_total{method=\"PUT\",code=\"none\"}", 1);
    expect(meters, "users_export_s3_requests_total{method=\"GET\",code=\"strange\"}", 1);
    expect(meters, "users_export_s3_request_seconds_sum{method=\"PUT\"}", 5.04);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(init__families_of_the_contract__are_there_with_their_fixed_series),
        TEST(table__every_family__stands_in_the_documentation),
        TEST(seen__first_command_of_a_group__series_are_there_with_0),
        TEST(unreadable__record_with_a_key__series_of_its_group_are_there_with_0),
        TEST(seen__more_groups_than_allowed__share_other),
        TEST(group_known__strange_types__are_bounded),
        TEST(committed__exported_file__counts_rows_and_durations),
        TEST(committed__list_of_usernames__is_no_csv),
        TEST(committed__retries_and_a_dead_letter__only_the_last_is_a_failure),
        TEST(committed__refused_by_kafka__is_a_failed_batch_of_a_job_that_went_well),
        TEST(attempt__given_up_or_without_a_group__is_no_failed_batch),
        TEST(committed__malformed_record__is_counted_by_its_key),
        TEST(committed__skipped__by_reason_and_strange_type),
        TEST(seen__scheduled_commands__only_they_move_the_time_and_only_forwards),
        TEST(request__status__is_the_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
