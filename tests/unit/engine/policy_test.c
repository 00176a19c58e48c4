/* SPDX-License-Identifier: Apache-2.0 */
/* From the facts of a job to an outcome: which tier a failed command goes to, and when; what is a dead letter; what its
 * state record says. And when a record of a retry topic is due. */
#include "engine_fixture.h"

#define NOW_MS 1700000000000
#define SKEW_MS 5000
#define MINUTE_MS 60000
#define TIERS 2
#define ID "0123abcd-0000-4000-8000-000000000001"

/* Two tiers of 30 s and 5 minutes, and one that is no longer configured. */
static int open_engine(void **state)
{
    static const char *const topics[] = {"retry-1", "retry-9"};

    (void)fixture_open(state);
    world.config.retry_tier_count = world.engine.tier_count = TIERS;
    world.config.retry_delays_ms[0] = 30000;
    world.config.retry_delays_ms[1] = 5 * MINUTE_MS;
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        world.engine.input_topics[world.engine.input_topic_count++].topic = strdup(topics[i]);
    return 0;
}

/* ---- when a retry is due */

/* When a record of a source is due that was written and read at these times and carries this header. */
static int64_t due_ms(size_t input_topic, int64_t written_ms, int64_t read_ms, int64_t header_ms, bool is_ours)
{
    static const uint8_t two[] = {0, 0, 0, 2};
    uint8_t due[8];
    struct uex_record_header headers[] = {
        {.name = (char *)"retry_topic-attempts", .value = uex_bytes_of(two, sizeof(two))},
        {.name = (char *)"retry_topic-backoff-timestamp", .value = uex_bytes_of(due, sizeof(due))},
        {.name = (char *)"export-attempts", .value = uex_bytes_of_text("1")}};
    struct uex_record record = {.topic = world.engine.input_topics[input_topic].topic,
                                .timestamp_ms = written_ms,
                                .headers = headers,
                                .header_count = is_ours ? 3 : 2};
    struct uex_inflight inflight = {.record = &record, .input_topic = input_topic, .taken_at_ms = read_ms};

    for (size_t i = 0; i < sizeof(due); i++)
        due[i] = (uint8_t)((uint64_t)header_ms >> (8 * (7 - i)));
    uex_envelope_read(&record, COMMANDS);
    return uex_policy_due_ms(&world.engine, &inflight);
}

static void due__within_the_tiers_delay__is_what_the_header_says(void **state)
{
    (void)state;
    assert_true(due_ms(1, NOW_MS, NOW_MS + 10, NOW_MS + 30000, true) == NOW_MS + 30000);
    assert_true(due_ms(2, NOW_MS, NOW_MS + 10, NOW_MS + 5 * MINUTE_MS, true) == NOW_MS + 5 * MINUTE_MS);
    assert_true(due_ms(1, NOW_MS, NOW_MS + 10, NOW_MS - MINUTE_MS, true) == NOW_MS - MINUTE_MS);
}

static void due__beyond_the_tiers_delay__is_bounded_by_it(void **state)
{
    const int64_t day_ms = (int64_t)24 * 60 * MINUTE_MS;

    (void)state;
    assert_true(due_ms(1, NOW_MS, NOW_MS + 10, NOW_MS + day_ms, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(1, NOW_MS - day_ms, NOW_MS, NOW_MS + day_ms, true) == NOW_MS - day_ms + 30000 + SKEW_MS);
    /* a writer's clock that is a day ahead */
    assert_true(due_ms(1, NOW_MS + day_ms, NOW_MS, NOW_MS + day_ms + 30000, true) == NOW_MS + 30000 + SKEW_MS);
    /* a tier that is not configured any more */
    assert_true(due_ms(3, NOW_MS, NOW_MS + 10, NOW_MS + day_ms, true) == NOW_MS + 5 * MINUTE_MS + SKEW_MS);
}

static void due__numbers_at_the_ends_of_the_range__do_not_overflow(void **state)
{
    (void)state;
    assert_true(due_ms(1, NOW_MS, NOW_MS, INT64_MIN + 1, true) == INT64_MIN + 1);
    assert_true(due_ms(1, NOW_MS, NOW_MS, INT64_MAX, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(1, INT64_MAX, NOW_MS, INT64_MAX, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(1, INT64_MIN, NOW_MS, INT64_MAX, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(0, NOW_MS, NOW_MS, INT64_MIN + 1, true) == INT64_MIN + 1);
    assert_true(due_ms(0, NOW_MS, NOW_MS, INT64_MAX, true) == UEX_NO_TIME);
}

static void due__command_topic__counts_for_a_rerouted_retry_only(void **state)
{
    (void)state;
    assert_true(due_ms(0, NOW_MS, NOW_MS, NOW_MS + 2000, true) == NOW_MS + 2000);
    assert_true(due_ms(0, NOW_MS, NOW_MS, NOW_MS + MINUTE_MS, true) == UEX_NO_TIME);
    assert_true(due_ms(0, NOW_MS, NOW_MS, NOW_MS + 2000, false) == UEX_NO_TIME);
}

static void due__record_of_a_retry_topic_without_a_time__is_at_once(void **state)
{
    struct uex_inflight *inflight = uex_inflight_new(fixture_record(RETRIES, 0, 0, "g", NULL), 1);

    (void)state;
    assert_true(uex_policy_due_ms(&world.engine, inflight) == UEX_NO_TIME);
    uex_inflight_free(inflight);
}

/* A record without a timestamp of its own is bounded from when it was read. */
static void due__record_without_a_timestamp__is_bounded_from_its_reading(void **state)
{
    (void)state;
    assert_true(due_ms(1, -1, NOW_MS, NOW_MS + MINUTE_MS, true) == NOW_MS + 30000 + SKEW_MS);
    assert_true(due_ms(1, 0, NOW_MS, NOW_MS + MINUTE_MS, true) == NOW_MS + 30000 + SKEW_MS);
}

/* ---- what a job came to */

/* A command that was read for that attempt, and whose job has ended so. To be freed. */
static struct uex_inflight *decided(unsigned attempt, struct uex_job_outcome *job)
{
    struct uex_inflight *inflight = uex_inflight_new(fixture_record(COMMANDS, 0, 0, "g", NULL), 0);

    inflight->attempt = attempt;
    inflight->command.group_id = strdup("g");
    inflight->command.run_id = strdup("night");
    memcpy(inflight->command.command_id, ID, sizeof(ID));
    uex_policy_decide(&world.engine, inflight, job);
    return inflight;
}

static struct uex_inflight *failed(unsigned attempt, enum uex_error error)
{
    struct uex_job_outcome job = {.error = error};

    (void)uex_fail(&job.fault, UEX_INTERNAL, "what a person needs to know");
    return decided(attempt, &job);
}

static void decide__job_without_error__is_exported_and_its_facts_move(void **state)
{
    struct uex_job_outcome job = {.row_count = 7, .object.url = strdup("file:///x")};
    struct uex_inflight *inflight = decided(1, &job);

    (void)state;
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_EXPORTED);
    assert_int_equal(inflight->outcome.job.row_count, 7);
    assert_int_equal(inflight->outcome.at_ms, STARTED_WALL_MS + world.now_ms);
    assert_null(job.object.url); /* it has one owner */
    uex_inflight_free(inflight);
}

static void decide__skip_reason__is_skipped_for_it(void **state)
{
    struct uex_job_outcome job = {.skip = UEX_SKIP_INACTIVE};
    struct uex_inflight *inflight = decided(1, &job);

    (void)state;
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_SKIPPED);
    assert_int_equal(inflight->outcome.skip, UEX_SKIP_INACTIVE);
    uex_inflight_free(inflight);
}

static void decide__error_that_may_pass__goes_one_tier_further_each_time(void **state)
{
    (void)state;
    for (unsigned attempt = 1; attempt <= TIERS; attempt++) {
        struct uex_inflight *inflight = failed(attempt, UEX_DB_QUERY);

        assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_RETRIED);
        assert_int_equal(inflight->outcome.tier, attempt - 1);
        assert_int_equal(inflight->outcome.due_at_ms,
                         STARTED_WALL_MS + world.now_ms + world.config.retry_delays_ms[attempt - 1]);
        assert_int_equal(inflight->outcome.fault.error, UEX_DB_QUERY);
        assert_string_equal(inflight->outcome.fault.text, "what a person needs to know");
        assert_false(inflight->outcome.keeps_no_state);
        uex_inflight_free(inflight);
    }
}

static void decide__no_tier_left__is_a_dead_letter(void **state)
{
    (void)state;
    for (unsigned attempt = TIERS + 1; attempt <= UEX_ATTEMPT_MAX; attempt += UEX_ATTEMPT_MAX - TIERS - 1) {
        struct uex_inflight *inflight = failed(attempt, UEX_DB_QUERY);

        assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
        assert_int_equal(inflight->outcome.fault.error, UEX_DB_QUERY);
        uex_inflight_free(inflight);
    }
}

/* No retry can fix it. */
static void decide__error_that_no_retry_can_fix__is_a_dead_letter_at_once(void **state)
{
    static const enum uex_error errors[] = {UEX_NO_DOMAIN,     UEX_RESULT_REFUSED,  UEX_FORMULA_REJECTED,
                                            UEX_DB_DATA,       UEX_DB_DENIED,       UEX_STORE_DENIED,
                                            UEX_OBJECT_BROKEN, UEX_OBJECT_CONFLICT, UEX_LIMIT};

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct uex_inflight *inflight = failed(1, errors[i]);

        assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
        assert_false(inflight->outcome.keeps_no_state);
        uex_inflight_free(inflight);
    }
}

/* The probe has answered, or the outage lasts for longer than a command waits: it is charged like any other failure. */
static void decide__outage_that_reaches_the_policy__is_charged_a_retry(void **state)
{
    static const enum uex_error errors[] = {UEX_DB_UNAVAILABLE, UEX_DB_AUTH, UEX_STORE_UNAVAILABLE, UEX_STORE_BUCKET,
                                            UEX_NO_MEMORY};

    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct uex_inflight *inflight = failed(1, errors[i]);

        assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_RETRIED);
        uex_inflight_free(inflight);
    }
}

static void decide__no_tiers_configured__is_a_dead_letter_at_once(void **state)
{
    struct uex_inflight *inflight = NULL;

    (void)state;
    world.config.retry_tier_count = world.engine.tier_count = 0;
    inflight = failed(1, UEX_DB_UNAVAILABLE);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    uex_inflight_free(inflight);
}

/* ---- dead letters without a job */

/* What is no command has no group whose state it could be. */
static void dead_letter__malformed__keeps_no_state(void **state)
{
    struct uex_inflight *inflight = failed(1, UEX_DB_QUERY);
    struct uex_fault fault = {0};

    (void)state;
    (void)uex_fail(&fault, UEX_MALFORMED, "the value is null");
    uex_policy_dead_letter(inflight, &fault);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(inflight->outcome.fault.error, UEX_MALFORMED);
    assert_string_equal(inflight->outcome.fault.text, "the value is null");
    assert_true(inflight->outcome.keeps_no_state);
    uex_inflight_free(inflight);
}

/* Of a group that is not held here the history is not known: its state would lose it. */
static void dead_letter__worker_crashed__keeps_a_state_where_the_group_is_held(void **state)
{
    struct uex_inflight *inflight = failed(1, UEX_DB_QUERY);
    struct uex_fault fault = {0};

    (void)state;
    (void)uex_fail(&fault, UEX_WORKER_CRASHED, "three times");
    uex_policy_dead_letter(inflight, &fault);
    assert_true(inflight->outcome.keeps_no_state);
    inflight->holds_group = true;
    uex_policy_dead_letter(inflight, &fault);
    assert_false(inflight->outcome.keeps_no_state);
    assert_int_equal(inflight->outcome.fault.error, UEX_WORKER_CRASHED);
    uex_inflight_free(inflight);
}

/* What was exported is lost with the file: the command is done again, and charged. */
static void spool_failed__list_cannot_be_read_back__command_goes_to_the_next_tier(void **state)
{
    struct uex_job_outcome job = {.row_count = 7, .part_count = 1, .parts = calloc(1, sizeof(struct uex_result_part))};
    struct uex_inflight *inflight = decided(2, &job);

    (void)state;
    inflight->spool_failed = true;
    uex_policy_spool_failed(&world.engine, inflight);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_RETRIED);
    assert_int_equal(inflight->outcome.tier, 1);
    assert_int_equal(inflight->outcome.fault.error, UEX_SPOOL);
    assert_int_equal(inflight->outcome.due_at_ms, STARTED_WALL_MS + world.now_ms + 5 * MINUTE_MS);
    assert_null(inflight->outcome.job.parts);
    assert_false(inflight->spool_failed); /* this outcome needs no list */
    inflight->attempt = TIERS + 1;
    uex_policy_spool_failed(&world.engine, inflight);
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    uex_inflight_free(inflight);
}

/* ---- a record of the outcome that Kafka refuses */

/* Each refusal takes more away, down to a few hundred bytes that say where the command stands. */
static void refused__again_and_again__ends_with_the_bare_dead_letter(void **state)
{
    struct uex_inflight *inflight = failed(1, UEX_DB_QUERY);
    struct uex_outcome *outcome = &inflight->outcome;

    (void)state;
    inflight->holds_group = true;
    assert_true(uex_policy_refused(inflight, "results", "too large"));
    assert_int_equal(outcome->kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_int_equal(outcome->fault.error, UEX_RESULT_REFUSED);
    assert_non_null(strstr(outcome->fault.text, "results: too large"));
    assert_false(outcome->keeps_no_state); /* the group's state says it too */
    assert_false(outcome->value_refused);
    assert_true(uex_policy_refused(inflight, "dead-letters", "too large"));
    assert_true(outcome->value_refused);
    assert_false(outcome->headers_refused);
    assert_non_null(strstr(outcome->fault.text, "results: too large")); /* the first reason stays */
    assert_true(uex_policy_refused(inflight, NULL, "too large"));
    assert_true(outcome->headers_refused);
    assert_true(outcome->keeps_no_state);
    assert_false(uex_policy_refused(inflight, NULL, "too large"));
    uex_inflight_free(inflight);
}

static void refused__topic_is_not_known__is_a_dead_letter_all_the_same(void **state)
{
    struct uex_inflight *inflight = failed(1, UEX_DB_QUERY);

    (void)state;
    assert_true(uex_policy_refused(inflight, NULL, "too large"));
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_true(inflight->outcome.keeps_no_state); /* of its group nothing is known here */
    uex_inflight_free(inflight);
}

/* The reroute is given up; its dead letter has all headers again. */
static void refused__reroute_without_our_header_too__is_a_whole_dead_letter(void **state)
{
    struct uex_inflight *inflight = failed(1, UEX_DB_QUERY);

    (void)state;
    inflight->has_own_id = true;
    uex_policy_reroute(inflight, 3);
    assert_true(uex_policy_refused(inflight, COMMANDS, "too large"));
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_REROUTED);
    assert_int_equal(inflight->outcome.to_partition, 3);
    assert_true(inflight->outcome.headers_refused);
    assert_true(uex_policy_refused(inflight, COMMANDS, "too large"));
    assert_int_equal(inflight->outcome.kind, UEX_OUTCOME_DEAD_LETTERED);
    assert_false(inflight->outcome.headers_refused);
    assert_false(inflight->outcome.value_refused);
    uex_inflight_free(inflight);
}

/* ---- the state record */

static void state__exported_file__says_what_is_in_the_store(void **state)
{
    struct uex_job_outcome job = {.row_count = 7,
                                  .object = {.url = strdup("file:///x"), .size_bytes = 99, .has_sha256 = true},
                                  .snapshot_at_ms = 5,
                                  .started_at_ms = 3,
                                  .duration_ms = 12};
    struct uex_inflight *inflight = NULL;
    struct uex_state_record record;
    char hex[UEX_SHA256_HEX_SIZE];

    (void)state;
    memset(job.object.sha256, 0xab, sizeof(job.object.sha256));
    inflight = decided(2, &job);
    uex_policy_state_record(inflight, hex, &record);
    assert_int_equal(record.outcome, UEX_OUTCOME_EXPORTED);
    assert_string_equal(record.group_id, "g");
    assert_string_equal(record.command_id, ID);
    assert_string_equal(record.run_id, "night");
    assert_string_equal(record.reason, "");
    assert_int_equal(record.rows, 7);
    assert_int_equal(record.bytes, 99);
    assert_string_equal(record.file_path, "file:///x");
    assert_int_equal(strlen(record.sha256), 64);
    assert_memory_equal(record.sha256, "abab", 4);
    assert_int_equal(record.snapshot_at_ms, 5);
    assert_int_equal(record.duration_ms, 12);
    assert_int_equal(record.attempts, 2);
    assert_true(record.next_attempt_at_ms == UEX_NO_TIME);
    uex_inflight_free(inflight);
}

/* An object that was there before tells no digest, if it was stored by hand. */
static void state__exported_file_without_digest__leaves_it_out(void **state)
{
    struct uex_job_outcome job = {.object = {.url = strdup("file:///x")}};
    struct uex_inflight *inflight = decided(1, &job);
    struct uex_state_record record;
    char hex[UEX_SHA256_HEX_SIZE];

    (void)state;
    uex_policy_state_record(inflight, hex, &record);
    assert_null(record.sha256);
    assert_true(record.snapshot_at_ms == UEX_NO_TIME);
    assert_true(record.duration_ms == UEX_NO_TIME);
    uex_inflight_free(inflight);
}

static void state__exported_list__has_rows_and_no_file(void **state)
{
    struct uex_job_outcome job = {.row_count = 7, .snapshot_at_ms = 5};
    struct uex_inflight *inflight = decided(1, &job);
    struct uex_state_record record;
    char hex[UEX_SHA256_HEX_SIZE];

    (void)state;
    uex_policy_state_record(inflight, hex, &record);
    assert_int_equal(record.rows, 7);
    assert_true(record.bytes == UEX_UNKNOWN);
    assert_null(record.file_path);
    assert_null(record.sha256);
    uex_inflight_free(inflight);
}

static void state__retried__says_why_and_when_it_goes_on(void **state)
{
    struct uex_inflight *inflight = failed(1, UEX_DB_QUERY);
    struct uex_state_record record;
    char hex[UEX_SHA256_HEX_SIZE];

    (void)state;
    inflight->outcome.job.row_count = 3; /* what was read before it failed is nobody's business */
    inflight->outcome.job.snapshot_at_ms = 5;
    inflight->outcome.job.object.url = strdup("file:///x");
    uex_policy_state_record(inflight, hex, &record);
    assert_int_equal(record.outcome, UEX_OUTCOME_RETRIED);
    assert_string_equal(record.reason, "database-query");
    assert_string_equal(record.error, "what a person needs to know");
    inflight->outcome.fault.text[0] = '\0';
    uex_policy_state_record(inflight, hex, &record);
    assert_string_equal(record.error, uex_error_sentence(UEX_DB_QUERY));
    assert_true(record.next_attempt_at_ms == STARTED_WALL_MS + world.now_ms + 30000);
    assert_true(record.rows == UEX_UNKNOWN);
    assert_null(record.file_path);
    assert_true(record.snapshot_at_ms == UEX_NO_TIME);
    uex_inflight_free(inflight);
}

static void state__dead_letter_and_skip__say_why(void **state)
{
    struct uex_job_outcome job = {.skip = UEX_SKIP_EMPTY};
    struct uex_inflight *dead = failed(1, UEX_DB_DATA), *skipped = decided(1, &job);
    struct uex_state_record record;
    char hex[UEX_SHA256_HEX_SIZE];

    (void)state;
    (void)uex_fail(&dead->outcome.fault, UEX_DB_DATA, "column bio");
    uex_policy_state_record(dead, hex, &record);
    assert_string_equal(record.reason, "database-data");
    assert_string_equal(record.error, "column bio");
    assert_true(record.next_attempt_at_ms == UEX_NO_TIME);
    uex_policy_state_record(skipped, hex, &record);
    assert_string_equal(record.reason, "empty");
    assert_null(record.error);
    uex_inflight_free(dead);
    uex_inflight_free(skipped);
}

int main(void)
{
#define POLICY_TEST(function) cmocka_unit_test_setup_teardown(function, open_engine, fixture_close)
    const struct CMUnitTest tests[] = {
        POLICY_TEST(due__within_the_tiers_delay__is_what_the_header_says),
        POLICY_TEST(due__beyond_the_tiers_delay__is_bounded_by_it),
        POLICY_TEST(due__numbers_at_the_ends_of_the_range__do_not_overflow),
        POLICY_TEST(due__command_topic__counts_for_a_rerouted_retry_only),
        POLICY_TEST(due__record_of_a_retry_topic_without_a_time__is_at_once),
        POLICY_TEST(due__record_without_a_timestamp__is_bounded_from_its_reading),
        POLICY_TEST(decide__job_without_error__is_exported_and_its_facts_move),
        POLICY_TEST(decide__skip_reason__is_skipped_for_it),
        POLICY_TEST(decide__error_that_may_pass__goes_one_tier_further_each_time),
        POLICY_TEST(decide__no_tier_left__is_a_dead_letter),
        POLICY_TEST(decide__error_that_no_retry_can_fix__is_a_dead_letter_at_once),
        POLICY_TEST(decide__outage_that_reaches_the_policy__is_charged_a_retry),
        POLICY_TEST(decide__no_tiers_configured__is_a_dead_letter_at_once),
        POLICY_TEST(dead_letter__malformed__keeps_no_state),
        POLICY_TEST(dead_letter__worker_crashed__keeps_a_state_where_the_group_is_held),
        POLICY_TEST(spool_failed__list_cannot_be_read_back__command_goes_to_the_next_tier),
        POLICY_TEST(refused__again_and_again__ends_with_the_bare_dead_letter),
        POLICY_TEST(refused__topic_is_not_known__is_a_dead_letter_all_the_same),
        POLICY_TEST(refused__reroute_without_our_header_too__is_a_whole_dead_letter),
        POLICY_TEST(state__exported_file__says_what_is_in_the_store),
        POLICY_TEST(state__exported_file_without_digest__leaves_it_out),
        POLICY_TEST(state__exported_list__has_rows_and_no_file),
        POLICY_TEST(state__retried__says_why_and_when_it_goes_on),
        POLICY_TEST(state__dead_letter_and_skip__say_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
