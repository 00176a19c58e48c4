/* SPDX-License-Identifier: Apache-2.0 */
/* The probe of the S3 store: what is refused to everybody is told from what concerns one object, and nothing is left.
 */
#include "fake_s3.h"
#include "store/s3_unfinished.h"

#define DOMAIN_ID "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
#define PROBE_KEY "p/" DOMAIN_ID "/users-export-probe"
#define DENIED "<Error><Code>AccessDenied</Code></Error>"

struct bench {
    struct fake_s3 *fake;
    struct uex_config config;
    struct uex_object_store *store;
    struct uex_fault fault;
};

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    bench->fake = fake_start();
    bench->config = s3_config("s3://bucket/p", bench->fake->endpoint);
    bench->config.export_domain_id = (char *)DOMAIN_ID;
    *state = bench;
    return uex_object_store_new(&bench->config, &bench->store, NULL) == UEX_OK ? 0 : -1;
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
    bench->store->destroy(bench->store);
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
                 {"PUT", "?partNumber=", 307, "", "HTTP 307"},
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
                 /* another worker's probe tidied the upload away */
                 {"PUT", "?partNumber=", 404, "<Error><Code>NoSuchUpload</Code></Error>", UEX_OK},
                 {"POST", "?uploadId=", 404, "<Error><Code>NoSuchUpload</Code></Error>", UEX_OK},
                 /* a server has its own way to say that these two make no sense */
                 {"POST", "?uploadId=", 500, "<Error><Code>InternalError</Code></Error>", UEX_OK},
                 {"POST", "?uploadId=", 404, "", UEX_OK},
                 {"GET", "&uploads=", 403, DENIED, UEX_OK}};
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

static void probe__an_earlier_one_was_killed__its_upload_is_tidied(void **state)
{
    struct bench *bench = *state;

    fake_add(bench->fake, FAKE_UPLOAD, "/bucket/" PROBE_KEY, "up-1")->headers = strdup("");
    bench->fake->upload_count = 1;
    assert_int_equal(probe(bench), UEX_OK);
}

static void probe__answer_of_the_upload_is_lost__it_is_aborted_all_the_same(void **state)
{
    struct bench *bench = *state;

    bench->config.s3_stall_timeout_ms = 500;
    bench->fake->rules[0] = (struct fake_rule){"POST", "?uploads=", 0, 9, FAKE_LOSE, 0, NULL};
    assert_int_equal(probe(bench), UEX_STORE_UNAVAILABLE);
    bench->fake->rules[0].count = 0;
}

static int global_setup(void **state)
{
    (void)state;
    return uex_object_store_global_init() == UEX_OK ? 0 : -1;
}

static int global_teardown(void **state)
{
    (void)state;
    uex_object_store_global_cleanup();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(probe__all_is_well__tries_each_kind_of_request_below_the_domain),
        TEST(probe__what_every_export_needs_is_refused__is_an_outage),
        TEST(probe__store_away_busy_or_credentials_refused__is_told_apart),
        TEST(probe__server_takes_the_wrong_requests__their_object_is_removed),
        TEST(probe__an_earlier_one_was_killed__its_upload_is_tidied),
        TEST(probe__answer_of_the_upload_is_lost__it_is_aborted_all_the_same),
    };
    return cmocka_run_group_tests(tests, global_setup, global_teardown);
}
