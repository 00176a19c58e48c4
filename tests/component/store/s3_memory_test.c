/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of requests to the S3 store fails once: that memory was short must not look like an answer of the
 * store, since some of them end a command. */
#include "failing_memory.h"

#include "fake_s3.h"
#include "store/s3_multipart.h"

#define WHOLE_KEY "d0/g/" COMMAND ".csv.gz"

/* Each run is in a process of its own, with a server of its own: signing ends the program where there is no memory. */
static struct fake_s3 *fake;
static struct uex_config config;
static struct uex_store_service *service, *kept;
static struct uex_object_store *store;

static struct uex_s3_store *prepare(struct fake_rule rule)
{
    uex_torture_count(false);
    fake = fake_start();
    fake->rules[0] = rule;
    config = s3_config("s3://bucket", fake->endpoint);
    assert_int_equal(store_open(&config, &service, &store, NULL), UEX_OK);
    uex_torture_count(true);
    return (struct uex_s3_store *)store;
}

/* Two ways of libcurl's own: it tells a lack of memory as a failed connection at times, which is tried again; and up to
 * 8.0 it may send a request without its query, which a real server refuses, as the signature is of another request. */
static enum uex_error memory_or(enum uex_error err, const char *method)
{
    const bool lost_query = fake_count(fake, method, NULL) > fake_count(fake, method, "uploads=");

    return err == UEX_STORE_UNAVAILABLE || lost_query ? UEX_NO_MEMORY : err;
}

/* A refusal whose code says that it is none: without the code it would be store-denied, which rejects the command. */
static enum uex_error refused_request(void)
{
    struct uex_s3_store *s3 = prepare((struct fake_rule){
        "PUT", NULL, 0, 9, FAKE_ANSWER, 403, "<Error><Code>ExpiredToken</Code><Message>m</Message></Error>"});
    const struct uex_s3_request request = {
        .method = "PUT", .key = WHOLE_KEY, .body = uex_bytes_of_text("x"), .what = "an object"};
    struct uex_s3_response response = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_s3_send(s3->client, &request, &response, &fault);

    if (err == UEX_STORE_AUTH) {
        uex_torture_note("%s %s", response.code, fault.text);
        err = UEX_OK;
    }
    uex_s3_response_clear(&response);
    return err == UEX_STORE_UNAVAILABLE ? UEX_NO_MEMORY : err;
}

static enum uex_error begun_upload(void)
{
    struct uex_s3_store *s3 = prepare((struct fake_rule){0});
    const struct uex_object_meta meta = {.row_count = UEX_UNKNOWN};
    struct uex_fault fault = {0};
    char upload_id[UEX_S3_UPLOAD_ID_SIZE];
    bool stray = false;
    enum uex_error err = uex_s3_upload_create(s3, WHOLE_KEY, &meta, 0, upload_id, &stray, &fault);

    if (err == UEX_OK)
        uex_torture_note("begun");
    uex_torture_count(false);
    assert_int_equal(uex_s3_uploads_abort(s3, WHOLE_KEY, NULL, 5000, NULL, NULL), UEX_OK);
    assert_int_equal(fake_item_count(fake, FAKE_UPLOAD), 0);
    assert_true(err == UEX_OK || err == UEX_STORE_UNAVAILABLE || fault.error == err);
    return memory_or(err, "POST");
}

/* That memory was short for the list is no word of the store's on it: nothing is logged of uploads that stay. */
static enum uex_error incomplete_uploads(void)
{
    struct uex_s3_store *s3 = prepare((struct fake_rule){0});

    return memory_or(uex_s3_uploads_abort(s3, WHOLE_KEY, NULL, 5000, NULL, NULL), "GET");
}

static void torture__requests__right_result_or_no_memory(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "a request that is refused", .run = refused_request, .in_child = true},
        {.name = "an upload that is begun", .run = begun_upload, .in_child = true},
        {.name = "a list of uploads", .run = incomplete_uploads, .in_child = true},
    };

    (void)state;
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
}

/* What libraries make once is made here, before the processes part. */
static int setup(void **state)
{
    struct uex_object_facts facts;

    (void)state;
    (void)prepare((struct fake_rule){0});
    uex_torture_count(false);
    assert_int_equal(store->find(store, "d0/g/x.csv.gz", &facts, NULL), UEX_NOT_FOUND);
    store->destroy(store);
    fake_stop(fake);
    kept = service; /* with libcurl's global state */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    uex_store_service_free(kept);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture__requests__right_result_or_no_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
