/* SPDX-License-Identifier: Apache-2.0 */
/* The probe of the S3 store: what is refused to everybody is told from what concerns one object, and nothing is left.
 */
#include "fake_s3.h"
#include "store/s3_store.h"

#define DOMAIN_ID "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
#define OTHER_DOMAIN_ID "6f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
#define PROBE_NAME "/users-export-probe/00000000-0000-4000-8000-000000000000.csv.gz"
#define PROBE_KEY "p/" DOMAIN_ID PROBE_NAME
#define DENIED "<Error><Code>AccessDenied</Code></Error>"

struct bench {
    struct fake_s3 *fake;
    struct uex_config config;
    struct uex_store_service *service;
    struct uex_object_store *store;
    struct uex_fault fault;
};

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->fake = fake_start();
    bench->config = s3_config("s3://bucket/p", bench->fake->endpoint);
    bench->config.export_domain_id = (char *)DOMAIN_ID;
    bench->config.retry_attempts = 0;
    *state = bench;
    return store_open(&bench->config, &bench->service, &bench->store, NULL) == UEX_OK ? 0 : -1;
}

static void assert_nothing_left(struct bench *bench)
{
    assert_int_equal(fake_item_count(bench->fake, FAKE_OBJECT), 0);
    assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 0);
    assert_int_equal(fake_item_count(bench->fake, FAKE_PART), 0);
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    assert_nothing_left(bench);
    store_close(bench->service, bench->store);
    fake_stop(bench->fake);
    free(bench);
    return 0;
}

static enum uex_error probe(struct bench *bench)
{
    bench->fault = (struct uex_fault){0};
    bench->fake->log_count = 0;
    return bench->store->probe(bench->store, &bench->fault);
}

static void probe__all_is_well__tries_each_kind_of_request_below_the_domain(void **state)
{
    struct bench *bench = *state;

    if (probe(bench) != UEX_OK)
        fail_msg("%s", bench->fault.text);
    assert_int_equal(fake_count(bench->fake, "HEAD", "/bucket/" PROBE_KEY), 1);
    assert_int_equal(fake_count(bench->fake, "POST", "/bucket/" PROBE_KEY "?uploads="), 1);
    assert_int_equal(fake_count(bench->fake, "PUT", "/bucket/" PROBE_KEY "?partNumber=1"), 1);
    assert_int_equal(fake_count(bench->fake, "POST", "/bucket/" PROBE_KEY "?uploadId="), 1);
    assert_int_equal(fake_count(bench->fake, "PUT", PROBE_KEY), 2);
    assert_int_equal(fake_count(bench->fake, "DELETE", "?uploadId="), 1);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 1);
}

static void probe__what_every_export_needs_is_refused__is_an_outage(void **state)
{
    static const struct {
        const char *method, *target;
        int status;
        const char *body, *said;
    } cases[] = {{"HEAD", "probe", 403, "", "HTTP 403"},
                 {"HEAD", "probe", 400, "", "HTTP 400"},
                 {"HEAD", "probe", 405, "", "HTTP 405"},
                 {"HEAD", "probe", 501, "", "HTTP 501"},
                 {"HEAD", "probe", 307, "", "HTTP 307"},
                 {"POST", "?uploads=", 403, DENIED, "HTTP 403 AccessDenied"},
                 {"POST", "?uploads=", 403, "<html>no</html>", "HTTP 403"},
                 {"POST", "?uploads=", 400, "<Error><Code>InvalidRequest</Code></Error>", "HTTP 400 InvalidRequest"},
                 {"POST", "?uploads=", 501, "<Error><Code>NotImplemented</Code></Error>", "HTTP 501 NotImplemented"},
                 {"POST", "?uploads=", 307, "", "HTTP 307"},
                 {"PUT", "?partNumber=", 403, DENIED, "HTTP 403 AccessDenied"},
                 {"POST", "?uploads=", 409, "", "HTTP 409"},
                 {"PUT", "?partNumber=", 307, "", "HTTP 307"},
                 {"PUT", "?partNumber=", 409, "", "HTTP 409"},
                 {"POST", "?uploadId=", 403, DENIED, "HTTP 403 AccessDenied"},
                 {"POST", "?uploadId=", 501, "<Error><Code>NotImplemented</Code></Error>", "HTTP 501 NotImplemented"},
                 {"PUT", NULL, 403, DENIED, "HTTP 403 AccessDenied"},
                 {"PUT", NULL, 405, "", "HTTP 405"},
                 {"PUT", NULL, 307, "<Error><Code>TemporaryRedirect</Code></Error>", "HTTP 307 TemporaryRedirect"},
                 {"PUT", NULL, 501, "<Error><Code>NotImplemented</Code></Error>", "HTTP 501 NotImplemented"}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int skip = cases[i].target == NULL ? 1 : 0; /* the PUT after that of a part */
        bench->fake->rules[0] =
            (struct fake_rule){cases[i].method, cases[i].target, skip, 1, FAKE_ANSWER, cases[i].status, cases[i].body};
        if (probe(bench) != UEX_STORE_REFUSED || bench->fault.error != UEX_STORE_REFUSED)
            fail_msg("case %zu: %s (%s)", i, uex_error_code(bench->fault.error), bench->fault.text);
        assert_non_null(strstr(bench->fault.text, cases[i].said));
        assert_int_equal(bench->fake->rules[0].count, 0);
        assert_nothing_left(bench);
        assert_int_equal(probe(bench), UEX_OK);
    }
}

static void probe__store_away_busy_or_credentials_refused__is_told_apart(void **state)
{
    static const struct {
        const char *method, *target;
        int status;
        const char *body;
        enum uex_error error;
    } cases[] = {{"HEAD", "probe", 503, "", UEX_STORE_UNAVAILABLE},
                 {"POST", "?uploads=", 503, "<Error><Code>SlowDown</Code></Error>", UEX_STORE_UNAVAILABLE},
                 {"PUT", "?partNumber=", 500, "", UEX_STORE_UNAVAILABLE},
                 {"POST", "?uploads=", 507, "", UEX_STORE_FULL},
                 {"POST", "?uploads=", 404, "<Error><Code>NoSuchBucket</Code></Error>", UEX_STORE_BUCKET},
                 {"POST", "?uploads=", 403, "<Error><Code>InvalidAccessKeyId</Code></Error>", UEX_STORE_AUTH},
                 /* somebody else aborted the upload */
                 {"PUT", "?partNumber=", 404, "<Error><Code>NoSuchUpload</Code></Error>", UEX_OK},
                 {"POST", "?uploadId=", 404, "<Error><Code>NoSuchUpload</Code></Error>", UEX_OK},
                 /* a server has its own way to say that these two make no sense */
                 {"POST", "?uploadId=", 500, "<Error><Code>InternalError</Code></Error>", UEX_OK},
                 {"POST", "?uploadId=", 404, "", UEX_OK}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bench->fake->rules[0] =
            (struct fake_rule){cases[i].method, cases[i].target, 0, 1, FAKE_ANSWER, cases[i].status, cases[i].body};
        const enum uex_error err = probe(bench);
        if (err != cases[i].error)
            fail_msg("case %zu: %s (%s)", i, uex_error_code(err), bench->fault.text);
        assert_int_equal(bench->fake->rules[0].count, 0);
        assert_nothing_left(bench);
    }
}

static void probe__server_takes_the_wrong_requests__their_object_is_removed(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] = (struct fake_rule){"POST",
                                               "?uploadId=",
                                               0,
                                               1,
                                               FAKE_ANSWER,
                                               200,
                                               "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"};
    bench->fake->rules[1] = (struct fake_rule){"PUT", NULL, 1, 1, FAKE_ANSWER, 200, ""};
    assert_int_equal(probe(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 3);
    assert_int_equal(fake_count(bench->fake, "DELETE", "?uploadId="), 1);
}

/* An object in one request, or in parts; it is gone again if it was made. */
static enum uex_error put(struct bench *bench, const char *domain_id, bool in_parts)
{
    struct uex_object_facts facts;
    char key[160];
    enum uex_error err = UEX_OK;

    snprintf(key, sizeof(key), "%s/g/%s.csv.gz", domain_id, COMMAND);
    snprintf(bench->store->domain_id, sizeof(bench->store->domain_id), "%s", domain_id);
    assert_int_equal(bench->store->find(bench->store, key, &facts, NULL), UEX_NOT_FOUND);
    err = s3_put(bench->store, key, COMMAND, in_parts ? PART_BYTES + 1 : 10, &facts, &bench->fault);
    uex_object_facts_clear(&facts);
    assert_int_equal(bench->store->remove(bench->store, key, NULL), UEX_OK);
    return err;
}

static void probe__publishing_is_busy_full_or_without_an_answer__is_an_outage(void **state)
{
    static const struct {
        const char *method, *target;
        enum fake_action action;
        int status;
        const char *body;
        enum uex_error error;
    } cases[] = {
        {"POST", "?uploadId=", FAKE_ANSWER, 503, "", UEX_STORE_UNAVAILABLE},
        {"POST", "?uploadId=", FAKE_ANSWER, 502, "", UEX_STORE_UNAVAILABLE},
        {"POST", "?uploadId=", FAKE_ANSWER, 507, "", UEX_STORE_FULL},
        {"POST", "?uploadId=", FAKE_ANSWER, 200, "<Error><Code>SlowDown</Code></Error>", UEX_STORE_UNAVAILABLE},
        {"POST", "?uploadId=", FAKE_RESET, 0, NULL, UEX_STORE_UNAVAILABLE},
        {"PUT", NULL, FAKE_ANSWER, 503, "<Error><Code>SlowDown</Code></Error>", UEX_STORE_UNAVAILABLE},
        {"PUT", NULL, FAKE_ANSWER, 504, "", UEX_STORE_UNAVAILABLE},
        {"PUT", NULL, FAKE_ANSWER, 507, "", UEX_STORE_FULL},
        {"PUT", NULL, FAKE_ANSWER, 403, "<Error><Code>QuotaExceeded</Code></Error>", UEX_STORE_FULL},
        {"PUT", NULL, FAKE_ANSWER, 401, "", UEX_STORE_AUTH},
        {"PUT", NULL, FAKE_RESET, 0, NULL, UEX_STORE_UNAVAILABLE}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int skip = cases[i].target == NULL ? 1 : 0; /* the PUT after that of a part */
        bench->fake->rules[0] = (struct fake_rule){cases[i].method, cases[i].target, skip,         9,
                                                   cases[i].action, cases[i].status, cases[i].body};
        const enum uex_error err = probe(bench);
        if (err != cases[i].error)
            fail_msg("case %zu: %s (%s)", i, uex_error_code(err), bench->fault.text);
        bench->fake->rules[0].count = 0;
        assert_nothing_left(bench);
        assert_int_equal(probe(bench), UEX_OK);
    }
}

/* Servers say in many ways that a request is wrong. Only if the command met the same answer is it everybody's. */
static void probe__publishing_is_refused_as_the_command_was__is_an_outage(void **state)
{
    static const struct {
        bool in_parts;
        int status;
        const char *body;
        bool is_unavailable; /* the answer says come again */
    } cases[] = {{false, 400, "<Error><Code>InvalidRequest</Code></Error>", false},
                 {false, 400, "<Error><Code>InvalidArgument</Code></Error>", false},
                 {false, 400, "", false},
                 {false, 404, "", false},
                 {false, 409, "", false},
                 {false, 411, "<Error><Code>MissingContentLength</Code></Error>", false},
                 {false, 412, "<Error><Code>PreconditionFailed</Code></Error>", false},
                 {false, 413, "", false},
                 {false, 500, "<Error><Code>InternalError</Code></Error>", true},
                 {true, 400, "<Error><Code>InvalidRequest</Code></Error>", false},
                 {true, 404, "", false},
                 {true, 409, "", false},
                 {true, 412, "<Error><Code>PreconditionFailed</Code></Error>", false},
                 {true, 500, "", true}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct fake_rule rule = {cases[i].in_parts ? "POST" : "PUT",
                                       cases[i].in_parts ? "?uploadId=" : NULL,
                                       0,
                                       1,
                                       FAKE_ANSWER,
                                       cases[i].status,
                                       cases[i].body};
        const enum uex_error wanted = cases[i].is_unavailable ? UEX_STORE_UNAVAILABLE : UEX_STORE_REFUSED;

        bench->fake->rules[0] = rule;
        bench->fake->rules[0].skip = cases[i].in_parts ? 0 : 1;
        if (probe(bench) != UEX_OK)
            fail_msg("case %zu: before any command: %s", i, bench->fault.text);
        for (int again = 0; again < 4; again++) { /* twice in each of two outages */
            if (again == 2)
                assert_int_equal(put(bench, DOMAIN_ID, cases[i].in_parts), UEX_OK);
            bench->fake->rules[0] = rule;
            if (again % 2 == 0 && put(bench, DOMAIN_ID, cases[i].in_parts) == UEX_OK)
                fail_msg("case %zu: the object was taken", i);
            bench->fake->rules[0] = rule;
            bench->fake->rules[0].skip = cases[i].in_parts ? 0 : 1;
            if (probe(bench) != wanted || bench->fault.error != wanted)
                fail_msg("case %zu: %s (%s)", i, uex_error_code(bench->fault.error), bench->fault.text);
            assert_int_equal(bench->fake->rules[0].count, 0);
        }
        assert_int_equal(probe(bench), UEX_OK);
        assert_nothing_left(bench);
    }
}

static void probe__another_answer_than_the_command_had__is_the_commands_own(void **state)
{
    static const struct {
        int status, probe_status;
        const char *body, *probe_body;
    } cases[] = {
        {400, 400, "<Error><Code>KeyTooLongError</Code></Error>", "<Error><Code>InvalidRequest</Code></Error>"},
        {413, 400, "", ""},
        {503, 500, "", "<Error><Code>XAmzContentSHA256Mismatch</Code></Error>"},
        {400, 400, "<Error><Code>BadDigest</Code></Error>", "<Error><Code>BadDigest</Code></Error>"},
        {403, 403, "<Error><Code>ExpiredToken</Code></Error>", "<Error><Code>SignatureDoesNotMatch</Code></Error>"}};
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bench->fake->rules[0] = (struct fake_rule){"PUT", NULL, 0, 1, FAKE_ANSWER, cases[i].status, cases[i].body};
        assert_int_not_equal(put(bench, DOMAIN_ID, false), UEX_OK);
        bench->fake->rules[0] =
            (struct fake_rule){"PUT", NULL, 1, 1, FAKE_ANSWER, cases[i].probe_status, cases[i].probe_body};
        if (probe(bench) != UEX_OK)
            fail_msg("case %zu: %s", i, bench->fault.text);
        assert_int_equal(bench->fake->rules[0].count, 0);
    }
}

/* A store whose way it is to answer a wrong request so, shown by what was published since. */
static void probe__answer_was_the_same_when_all_was_well__is_the_commands_own(void **state)
{
    static const char unclear[] = "<Error><Code>InvalidRequest</Code></Error>";
    struct bench *bench = *state;

    for (int in_parts = 0; in_parts < 2; in_parts++)
        for (int again = 0; again < 2; again++) {
            const struct fake_rule rule = {
                in_parts ? "POST" : "PUT", in_parts ? "?uploadId=" : NULL, 0, 1, FAKE_ANSWER, 400, unclear};

            bench->fake->rules[0] = rule;
            bench->fake->rules[0].skip = in_parts ? 0 : 1;
            assert_int_equal(probe(bench), UEX_OK);
            assert_int_equal(put(bench, DOMAIN_ID, in_parts), UEX_OK);
            bench->fake->rules[0] = rule;
            assert_int_equal(put(bench, DOMAIN_ID, in_parts), UEX_STORE_FAILED);
            bench->fake->rules[0] = rule;
            bench->fake->rules[0].skip = in_parts ? 0 : 1;
            if (probe(bench) != UEX_OK)
                fail_msg("%s", bench->fault.text);
        }
}

static void probe__error_inside_a_200__is_no_object(void **state)
{
    struct bench *bench = *state;

    bench->fake->rules[0] =
        (struct fake_rule){"POST", "?uploadId=", 0, 1, FAKE_ANSWER, 200, " <Error><Code>InvalidPart</Code></Error>"};
    assert_int_equal(probe(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "DELETE", NULL), 1); /* of the upload; none of a name that is not there */
    bench->fake->rules[0] =
        (struct fake_rule){"POST", "?uploadId=", 0, 1, FAKE_ANSWER, 200, " <Error><Code>AccessDenied</Code></Error>"};
    assert_int_equal(probe(bench), UEX_STORE_REFUSED);
    assert_non_null(strstr(bench->fault.text, "HTTP 200 AccessDenied"));
}

static void probe__an_object_of_an_earlier_one_stays__is_fine(void **state)
{
    struct bench *bench = *state;
    struct uex_object_facts facts;

    assert_int_equal(s3_put(bench->store, &PROBE_KEY[2], COMMAND, 1, &facts, NULL), UEX_OK);
    uex_object_facts_clear(&facts);
    bench->fake->rules[0] = (struct fake_rule){"PUT", "/g/", 0, 1, FAKE_ANSWER, 412, ""};
    assert_int_equal(put(bench, DOMAIN_ID, false), UEX_OBJECT_EXISTS);
    assert_int_equal(probe(bench), UEX_OK);
    assert_int_equal(bench->store->remove(bench->store, &PROBE_KEY[2], NULL), UEX_OK);
}

/* Rights may be those of domains, and which ones only commands know. */
static void probe__no_domain_in_the_configuration__tries_that_of_the_command(void **state)
{
    struct bench *bench = *state;

    bench->config.export_domain_id = (char *)"";
    assert_int_equal(probe(bench), UEX_OK);
    assert_int_equal(bench->fake->log_count, 1); /* the bucket */
    bench->fake->rules[0] = (struct fake_rule){"PUT", OTHER_DOMAIN_ID, 0, 99, FAKE_ANSWER, 403, DENIED};
    assert_int_equal(put(bench, OTHER_DOMAIN_ID, false), UEX_STORE_DENIED);
    assert_int_equal(probe(bench), UEX_STORE_REFUSED); /* for all that is known */
    assert_int_equal(fake_count(bench->fake, "HEAD", "/bucket/p/" OTHER_DOMAIN_ID PROBE_NAME), 1);
    assert_int_equal(put(bench, DOMAIN_ID, false), UEX_OK);
    assert_int_equal(put(bench, OTHER_DOMAIN_ID, false), UEX_STORE_DENIED);
    assert_int_equal(probe(bench), UEX_OK); /* others are exported */
    assert_int_equal(fake_count(bench->fake, "HEAD", "/bucket/" PROBE_KEY), 1);
    bench->fake->rules[0].target = NULL;
    bench->fake->rules[0].count = 99;
    assert_int_equal(probe(bench), UEX_STORE_REFUSED);
    bench->fake->rules[0].count = 0;
}

/* Another lane or worker probes at the same moment: without its upload it would take the store for broken. */
static void probe__beside_another_one__leaves_its_upload_alone(void **state)
{
    struct bench *bench = *state;

    fake_add(bench->fake, FAKE_UPLOAD, "/bucket/" PROBE_KEY, "up-1")->headers = strdup("");
    bench->fake->upload_count = 1;
    assert_int_equal(probe(bench), UEX_OK);
    assert_int_equal(fake_item_count(bench->fake, FAKE_UPLOAD), 1);
    assert_int_equal(fake_count(bench->fake, "DELETE", "up-1"), 0);
    assert_int_equal(bench->store->abort_incomplete(bench->store, DOMAIN_ID PROBE_NAME, NULL), UEX_OK);
}

static void probe__answer_of_the_upload_is_lost__it_is_aborted_all_the_same(void **state)
{
    struct bench *bench = *state;

    bench->config.s3_stall_timeout_ms = 500;
    bench->fake->rules[0] = (struct fake_rule){"POST", "?uploads=", 0, 9, FAKE_LOSE, 0, NULL};
    assert_int_equal(probe(bench), UEX_STORE_UNAVAILABLE);
    bench->fake->rules[0].count = 0;
}

/* Neither the answer with the upload's id arrived nor the list of uploads: the next probe that can aborts it. */
static void probe__answer_and_list_are_lost__the_next_probe_aborts_the_upload(void **state)
{
    struct bench *bench = *state;

    bench->config.s3_stall_timeout_ms = 500;
    bench->fake->rules[0] = (struct fake_rule){"POST", "?uploads=", 0, 9, FAKE_LOSE, 0, NULL};
    bench->fake->rules[1] = (struct fake_rule){"GET", "uploads=", 0, 9, FAKE_LOSE, 0, NULL};
    assert_int_equal(probe(bench), UEX_STORE_UNAVAILABLE);
    assert_true(fake_item_count(bench->fake, FAKE_UPLOAD) > 0);
    bench->fake->rules[0].count = 0;
    assert_int_equal(probe(bench), UEX_OK);
    assert_true(fake_item_count(bench->fake, FAKE_UPLOAD) > 0); /* the list is still lost */
    bench->fake->rules[1].count = 0;
    assert_int_equal(probe(bench), UEX_OK);
    assert_nothing_left(bench);
    assert_int_equal(probe(bench), UEX_OK);
    assert_int_equal(fake_count(bench->fake, "GET", "uploads="), 0); /* asked no more */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(probe__all_is_well__tries_each_kind_of_request_below_the_domain),
        TEST(probe__what_every_export_needs_is_refused__is_an_outage),
        TEST(probe__store_away_busy_or_credentials_refused__is_told_apart),
        TEST(probe__server_takes_the_wrong_requests__their_object_is_removed),
        TEST(probe__publishing_is_busy_full_or_without_an_answer__is_an_outage),
        TEST(probe__publishing_is_refused_as_the_command_was__is_an_outage),
        TEST(probe__another_answer_than_the_command_had__is_the_commands_own),
        TEST(probe__answer_was_the_same_when_all_was_well__is_the_commands_own),
        TEST(probe__error_inside_a_200__is_no_object),
        TEST(probe__an_object_of_an_earlier_one_stays__is_fine),
        TEST(probe__no_domain_in_the_configuration__tries_that_of_the_command),
        TEST(probe__beside_another_one__leaves_its_upload_alone),
        TEST(probe__answer_of_the_upload_is_lost__it_is_aborted_all_the_same),
        TEST(probe__answer_and_list_are_lost__the_next_probe_aborts_the_upload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
