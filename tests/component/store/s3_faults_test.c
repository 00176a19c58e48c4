/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store where a server fails, stalls, loses answers or lies: single requests. */
#include "fake_s3.h"

#define KEY "d0/a%20b/" COMMAND ".csv.gz"
#define SOON_MS 250 /* the flag is looked at every 50 ms; the rest is for a busy machine */
#define SECRET "wJalrXUtnFEMI-secret"

struct bench {
    struct fake_s3 *fake;
    struct uex_config config;
    struct uex_store_service *service;
    struct uex_object_store *store;
    struct uex_fault fault;
    struct uex_object_facts facts;
};

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->fake = fake_start();
    bench->config = s3_config("s3://bucket/p", bench->fake->endpoint);
    bench->config.s3_secret_access_key = (char *)SECRET;
    *state = bench;
    return store_open(&bench->config, &bench->service, &bench->store, NULL) == UEX_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    assert_null(strstr(bench->fault.text, SECRET));
    assert_null(strstr(bench->fault.text, "test-key-id"));
    assert_null(strstr(bench->fault.text, "Signature="));
    uex_object_facts_clear(&bench->facts);
    store_close(bench->service, bench->store);
    fake_stop(bench->fake);
    free(bench);
    return 0;
}

static enum uex_error put(struct bench *bench)
{
    uex_object_facts_clear(&bench->facts);
    return s3_put(bench->store, KEY, COMMAND, 1000, &bench->facts, &bench->fault);
}

/* An object of somebody else under the key. */
static void put_other(struct bench *bench)
{
    struct uex_object_facts facts;

    assert_int_equal(s3_put(bench->store, KEY, OTHER, 5, &facts, NULL), UEX_OK);
    uex_object_facts_clear(&facts);
    bench->fake->log_count = 0;
}

static void commit__one_put__has_the_headers_of_the_contract(void **state)
{
    struct bench *bench = *state;
    bool changed = false;
    struct fake_request request;
    char value[128], hex[UEX_SHA256_HEX_SIZE];

    bench->config.s3_session_token = (char *)"session-1";
    assert_int_equal(uex_store_service_replace_credentials(bench->service, &bench->config, &changed), UEX_OK);
    assert_true(changed);
    bench->config.s3_sse = (char *)"AES256";
    assert_int_equal(put(bench), UEX_OK);
    memcpy(request.headers, bench->fake->last_headers, sizeof(request.headers));
    uex_hex(bench->facts.sha256, UEX_SHA256_SIZE, hex);
    const char *const expected[][2] = {{"If-None-Match", "*"},
                                       {"Content-Type", "application/gzip"},
                                       {"Content-Length", "1000"},
                                       {"x-amz-content-sha256", hex},
                                       {"x-amz-security-token", "session-1"},
                                       {"x-amz-server-side-encryption", "AES256"},
                                       {"x-amz-meta-export-version", "1.0"},
                                       {"x-amz-meta-export-command-id", COMMAND},
                                       {"x-amz-meta-export-row-count", "17"},
                                       {"x-amz-meta-export-sha256", hex}};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        assert_non_null(fake_header(&request, expected[i][0], value, sizeof(value)));
        assert_string_equal(value, expected[i][1]);
    }
    assert_non_null(fake_header(&request, "x-amz-meta-export-snapshot-at", value, sizeof(value)));
    assert_null(fake_header(&request, "Content-Encoding", value, sizeof(value)));
    assert_null(fake_header(&request, "Expect", value, sizeof(value)));
    assert_string_equal(bench->fake->log[0], "PUT /bucket/p/d0/a%2520b/" COMMAND ".csv.gz");
    assert_string_equal(bench->facts.url, "s3://bucket/p/" KEY);
}

static void send__many_requests__share_a_connection(void **state)
{
    struct bench *bench = *state;

    for (int i = 0; i < 5; i++) {
        assert_int_equal(put(bench), UEX_OK);
        assert_int_equal(bench->store->remove(bench->store, KEY, NULL), UEX_OK);
    }
    assert_int_equal(bench->fake->connection_count, 1);
}

static void commit__two_times_503__succeeds_with_the_third(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] =
        (struct fake_rule){"PUT", NULL, 0, 2, FAKE_ANSWER, 503, "<Error><Code>SlowDown</Code></Error>"};
    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 3);
}

static void commit__nothing_but_503__ends_after_the_repetitions(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] =
        (struct fake_rule){"PUT", NULL, 0, 99, FAKE_ANSWER, 503, "<Error><Code>SlowDown</Code></Error>"};
    assert_int_equal(put(bench), UEX_STORE_UNAVAILABLE);
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 3);
    assert_non_null(strstr(bench->fault.text, "PUT of an object in bucket bucket: HTTP 503 SlowDown, request REQ503"));
}

static void commit__final_answers__are_not_repeated(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum uex_error error;
    } cases[] = {{403, "<Error><Code>AccessDenied</Code></Error>", UEX_STORE_DENIED},
                 {403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", UEX_STORE_AUTH},
                 {403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", UEX_STORE_AUTH},
                 {400, "<Error><Code>ExpiredToken</Code></Error>", UEX_STORE_AUTH},
                 {404, "<Error><Code>NoSuchBucket</Code></Error>", UEX_STORE_BUCKET},
                 {404, "", UEX_STORE_BUCKET},
                 {507, "", UEX_STORE_FULL},
                 {400, "not xml at all", UEX_STORE_FAILED},
                 {412, "<Error><Code>PreconditionFailed</Code></Error>", UEX_OBJECT_EXISTS}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bench->fake->log_count = 0;
        bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, cases[i].status, cases[i].body};
        assert_int_equal(put(bench), cases[i].error);
        assert_int_equal(bench->fault.error, cases[i].error);
        assert_int_equal(fake_count(bench->fake, "PUT", NULL), 1);
    }
}

static void commit__transient_answers__are_repeated(void **state)
{
    static const struct {
        int status;
        const char *body;
    } cases[] = {{500, "<Error><Code>InternalError</Code></Error>"},
                 {429, ""},
                 {408, ""},
                 {502, "<html>"},
                 {400, "<Error><Code>RequestTimeout</Code></Error>"}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bench->fake->log_count = 0;
        bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, cases[i].status, cases[i].body};
        assert_int_equal(put(bench), UEX_OK);
        assert_int_equal(fake_count(bench->fake, "PUT", NULL), 2);
        assert_int_equal(bench->store->remove(bench->store, KEY, NULL), UEX_OK);
    }
}

static void commit__answer_lost_after_storing__is_found_and_not_sent_again(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_LOSE, 0, NULL};
    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 1);
    assert_int_equal(fake_count(bench->fake, "HEAD", NULL), 1);
    assert_object_is(bench->store, KEY, &bench->facts);
}

static void commit__last_answer_lost_after_storing__is_found(void **state)
{
    struct bench *bench = *state;

    bench->config.retry_attempts = 0;
    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_LOSE, 0, NULL};
    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 1);
}

static void commit__connection_reset_before_storing__is_sent_again(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_RESET, 0, NULL};
    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 2);
    assert_object_is(bench->store, KEY, &bench->facts);
}

static void commit__answer_500_after_storing__repetition_finds_its_own_object(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_LOSE, 0, NULL};
    bench->fake->rules[1] = (struct fake_rule){"HEAD", NULL, 0, 1, FAKE_ANSWER, 404, ""};
    assert_int_equal(put(bench), UEX_OK); /* the first HEAD does not see it yet, the second PUT is told 412 */
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 2);
    assert_int_equal(fake_count(bench->fake, "HEAD", NULL), 2);
}

static void commit__answer_lost_and_another_object_there__is_object_exists(void **state)
{
    struct bench *bench = *state;

    put_other(bench);
    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_LOSE, 0, NULL};
    assert_int_equal(put(bench), UEX_OBJECT_EXISTS);
    assert_int_equal(bench->store->find(bench->store, KEY, &bench->facts, NULL), UEX_OK);
    assert_string_equal(bench->facts.command_id, OTHER);
}

static void commit__409__is_a_race_or_an_object_that_exists(void **state)
{
    static const char conflict[] = "<Error><Code>ConditionalRequestConflict</Code></Error>";
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, 409, conflict};
    assert_int_equal(put(bench), UEX_STORE_RACE);
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 1);
    put_other(bench);
    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, 409, conflict};
    assert_int_equal(put(bench), UEX_OBJECT_EXISTS);
}

static void commit__server_stalls__ends_by_the_stall_timeout(void **state)
{
    struct bench *bench = *state;

    bench->config.s3_stall_timeout_ms = 300;
    bench->config.retry_attempts = 0;
    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 9, FAKE_STALL, 0, NULL};
    int64_t begun_at_ms = uex_monotonic_ms();
    assert_int_equal(put(bench), UEX_STORE_UNAVAILABLE);
    assert_true(uex_monotonic_ms() - begun_at_ms < 2000);
    assert_non_null(strstr(bench->fault.text, "no byte moved for 300 ms"));
}

static void commit__line_is_slow__is_no_stall(void **state)
{
    struct bench *bench = *state;

    bench->config.s3_stall_timeout_ms = 500;
    bench->config.retry_attempts = 0;
    bench->fake->pause_us = 15000; /* 8 MiB take 2 s */
    if (s3_put(bench->store, KEY, COMMAND, PART_BYTES, &bench->facts, &bench->fault) != UEX_OK)
        fail_msg("%s", bench->fault.text);
}

struct timed_cancel {
    struct uex_cancel cancel;
    int64_t requested_at_ms;
};

static void *cancel_soon(void *context)
{
    struct timed_cancel *timed = context;

    usleep(200000);
    timed->requested_at_ms = uex_monotonic_ms();
    uex_cancel_request(&timed->cancel);
    return NULL;
}

static void commit__cancelled_while_the_server_stalls__ends_soon(void **state)
{
    struct bench *bench = *state;
    struct timed_cancel timed = {{0}, 0};
    pthread_t thread;

    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 9, FAKE_STALL, 0, NULL};
    bench->store->cancel = &timed.cancel;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &timed), 0);
    assert_int_equal(put(bench), UEX_CANCELLED);
    int64_t ended_at_ms = uex_monotonic_ms();
    pthread_join(thread, NULL);
    assert_true(ended_at_ms - timed.requested_at_ms < SOON_MS);
    bench->store->cancel = NULL;
}

static void commit__cancelled_in_a_pause__ends_soon(void **state)
{
    struct bench *bench = *state;
    struct timed_cancel timed = {{0}, 0};
    pthread_t thread;

    bench->config.retry_attempts = 9;
    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 99, FAKE_ANSWER, 503, ""};
    bench->store->cancel = &timed.cancel;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &timed), 0);
    assert_int_equal(put(bench), UEX_CANCELLED);
    int64_t ended_at_ms = uex_monotonic_ms();
    pthread_join(thread, NULL);
    assert_true(ended_at_ms - timed.requested_at_ms < SOON_MS);
    bench->store->cancel = NULL;
}

static void read__connection_lost_midway__goes_on_where_it_stopped(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(s3_put(bench->store, KEY, COMMAND, 3000000, &bench->facts, NULL), UEX_OK);
    bench->fake->log_count = 0;
    bench->fake->last_headers[0] = '\0';
    bench->fake->rules[0] = (struct fake_rule){"GET", NULL, 0, 2, FAKE_HALF, 0, NULL};
    assert_object_is(bench->store, KEY, &bench->facts);
    assert_int_equal(fake_count(bench->fake, "GET", NULL), 3);
}

static enum uex_error refuse(void *context, struct uex_bytes data)
{
    (void)context;
    (void)data;
    return UEX_OBJECT_BROKEN;
}

static void read__sink_stops__its_error_comes_back_and_is_not_repeated(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(put(bench), UEX_OK);
    assert_int_equal(bench->store->read(bench->store, KEY, (struct uex_sink){.write = refuse}, &bench->fault),
                     UEX_OBJECT_BROKEN);
    assert_int_equal(fake_count(bench->fake, "GET", NULL), 1);
    assert_int_equal(bench->store->read(bench->store, "d0/g/absent", (struct uex_sink){.write = refuse}, NULL),
                     UEX_NOT_FOUND);
}

static void find__403_without_a_body__is_explained_by_a_get(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"HEAD", NULL, 0, 2, FAKE_ANSWER, 403, ""};
    bench->fake->rules[1] =
        (struct fake_rule){"GET", NULL, 0, 1, FAKE_ANSWER, 403, "<Error><Code>InvalidAccessKeyId</Code></Error>"};
    assert_int_equal(bench->store->find(bench->store, KEY, &bench->facts, &bench->fault), UEX_STORE_AUTH);
    bench->fake->rules[1] =
        (struct fake_rule){"GET", NULL, 0, 1, FAKE_ANSWER, 403, "<Error><Code>AccessDenied</Code></Error>"};
    assert_int_equal(bench->store->find(bench->store, KEY, &bench->facts, &bench->fault), UEX_STORE_DENIED);
    assert_non_null(strstr(bench->fault.text, "s3:ListBucket"));
}

static void find__object_without_our_metadata__has_no_command_id(void **state)
{
    struct bench *bench = *state;
    struct uex_object_writer *writer = NULL;

    assert_int_equal(bench->store->begin(bench->store, KEY, &writer, NULL), UEX_OK);
    assert_int_equal(bench->store->commit(writer, UEX_UNKNOWN, &bench->facts, NULL), UEX_OK);
    uex_object_facts_clear(&bench->facts);
    assert_int_equal(bench->store->find(bench->store, KEY, &bench->facts, NULL), UEX_OK);
    assert_string_equal(bench->facts.command_id, "");
    assert_true(bench->facts.row_count == UEX_UNKNOWN);
    assert_int_equal(bench->facts.size_bytes, 0);
}

static void prepare__bucket_is_missing__is_made_where_the_region_says_and_only_once(void **state)
{
    struct bench *bench = *state;

    bench->config.s3_region = (char *)"eu-central-1";
    bench->fake->no_bucket = true;
    assert_int_equal(bench->store->prepare(bench->store, &bench->fault), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "PUT", NULL), 1);
    assert_int_equal(bench->store->prepare(bench->store, &bench->fault), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "HEAD", NULL), 1);
    assert_non_null(strstr(bench->fake->last_headers, "eu-central-1")); /* signed for it; the body is not kept */
}

static void prepare__bucket_cannot_be_made__is_a_bucket_error(void **state)
{
    struct bench *bench = *state;

    bench->fake->no_bucket = true;
    bench->fake->rules[0] =
        (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, 403, "<Error><Code>AccessDenied</Code></Error>"};
    assert_int_equal(bench->store->prepare(bench->store, &bench->fault), UEX_STORE_BUCKET);
    assert_non_null(strstr(bench->fault.text, "cannot be created"));
    bench->fake->rules[0] =
        (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, 409, "<Error><Code>BucketAlreadyOwnedByYou</Code></Error>"};
    assert_int_equal(bench->store->prepare(bench->store, &bench->fault), UEX_OK);
}

static void probe__may_not_look_at_the_bucket__is_fine_but_bad_credentials_are_not(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"HEAD", NULL, 0, 1, FAKE_ANSWER, 403, ""};
    bench->fake->rules[1] =
        (struct fake_rule){"GET", "list-type", 0, 1, FAKE_ANSWER, 403, "<Error><Code>AccessDenied</Code></Error>"};
    assert_int_equal(bench->store->probe(bench->store, &bench->fault), UEX_OK);
    assert_int_equal(bench->fake->rules[0].count + bench->fake->rules[1].count, 0);
    bench->fake->rules[0].count = bench->fake->rules[2].count = 1;
    bench->fake->rules[2] =
        (struct fake_rule){"GET", "list-type", 0, 1, FAKE_ANSWER, 400, "<Error><Code>ExpiredToken</Code></Error>"};
    assert_int_equal(bench->store->probe(bench->store, &bench->fault), UEX_STORE_AUTH);
    assert_false(bench->store->is_missing);
    bench->fake->no_bucket = true;
    assert_int_equal(bench->store->probe(bench->store, &bench->fault), UEX_STORE_BUCKET);
    assert_true(bench->store->is_missing);
}

static void commit__endless_error_body__is_judged_by_its_status(void **state)
{
    static char body[(6 << 20) + 1]; /* static: the server may still send it when the client has had enough */
    struct bench *bench = *state;

    memset(body, 'x', sizeof(body) - 1);
    bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, 403, body};
    assert_int_equal(put(bench), UEX_STORE_DENIED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commit__one_put__has_the_headers_of_the_contract),
        TEST(send__many_requests__share_a_connection),
        TEST(commit__two_times_503__succeeds_with_the_third),
        TEST(commit__nothing_but_503__ends_after_the_repetitions),
        TEST(commit__final_answers__are_not_repeated),
        TEST(commit__transient_answers__are_repeated),
        TEST(commit__answer_lost_after_storing__is_found_and_not_sent_again),
        TEST(commit__last_answer_lost_after_storing__is_found),
        TEST(commit__connection_reset_before_storing__is_sent_again),
        TEST(commit__answer_500_after_storing__repetition_finds_its_own_object),
        TEST(commit__answer_lost_and_another_object_there__is_object_exists),
        TEST(commit__409__is_a_race_or_an_object_that_exists),
        TEST(commit__server_stalls__ends_by_the_stall_timeout),
        TEST(commit__line_is_slow__is_no_stall),
        TEST(commit__cancelled_while_the_server_stalls__ends_soon),
        TEST(commit__cancelled_in_a_pause__ends_soon),
        TEST(read__connection_lost_midway__goes_on_where_it_stopped),
        TEST(read__sink_stops__its_error_comes_back_and_is_not_repeated),
        TEST(find__403_without_a_body__is_explained_by_a_get),
        TEST(find__object_without_our_metadata__has_no_command_id),
        TEST(prepare__bucket_is_missing__is_made_where_the_region_says_and_only_once),
        TEST(prepare__bucket_cannot_be_made__is_a_bucket_error),
        TEST(probe__may_not_look_at_the_bucket__is_fine_but_bad_credentials_are_not),
        TEST(commit__endless_error_body__is_judged_by_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
