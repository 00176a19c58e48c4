/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the object stores fails once: keys, URLs, signatures, answers, and a whole object as a file. */
#include "failing_memory.h"

#include "store/aws_identity.h"
#include "store/file_store.h"
#include "store/s3_http.h"
#include "store/s3_xml.h"

#define ID "00000000-0000-4000-8000-000000000007"

static char directory[] = "/tmp/store_memory_test.XXXXXX";

static enum uex_error note(enum uex_error err, struct uex_buffer *text)
{
    if (err == UEX_OK && uex_buffer_failed(text))
        err = UEX_NO_MEMORY;
    if (err == UEX_OK)
        uex_torture_note("%s\n", uex_buffer_text(text));
    uex_buffer_clear(text);
    return err;
}

static enum uex_error object_key(void)
{
    struct uex_buffer key = {0};

    uex_object_key(ID, "a group/with ä", ID, ".csv.gz", &key);
    return note(UEX_OK, &key);
}

static enum uex_error storage_urls(void)
{
    static const char *const texts[] = {"s3://bucket/a//prefix", "file:///var/lib/a%20b/c", "file:///../x"};
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && err != UEX_NO_MEMORY; i++) {
        struct uex_storage_url url;

        err = uex_storage_url_parse(texts[i], &url, NULL);
        if (err != UEX_NO_MEMORY)
            uex_torture_note("%s %s %s %s\n", uex_error_code(err), url.bucket == NULL ? "" : url.bucket,
                             url.prefix == NULL ? "" : url.prefix, url.directory == NULL ? "" : url.directory);
        uex_storage_url_clear(&url);
    }
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

static enum uex_error s3_settings(void)
{
    static char url[] = "s3://bucket/p", endpoint[] = "https://S3.example.com:8443/", region[] = "eu-west-1";
    const struct uex_config config = {.storage_url = url, .s3_endpoint = endpoint, .s3_region = region};
    struct uex_s3_settings settings;
    enum uex_error err = uex_s3_settings_init(&settings, &config, NULL);

    if (err == UEX_OK)
        uex_torture_note("%s %s %s", settings.scheme, settings.host, settings.url.prefix);
    uex_s3_settings_clear(&settings);
    return err;
}

static const struct uex_config s3_config = {.storage_url = (char *)(uintptr_t) "s3://bucket/p",
                                            .s3_region = (char *)(uintptr_t) "eu-west-1",
                                            .s3_access_key_id = (char *)(uintptr_t) "a",
                                            .s3_secret_access_key = (char *)(uintptr_t) "s"};

/* A service, a store of it, and other credentials: those of before or the new ones, nothing between. */
static enum uex_error service(void)
{
    const struct uex_config other = {.s3_access_key_id = (char *)(uintptr_t) "b",
                                     .s3_secret_access_key = (char *)(uintptr_t) "t"};
    struct uex_store_service *made = NULL;
    struct uex_object_store *store = NULL;
    bool changed = false;
    enum uex_error err = uex_store_service_new(&s3_config, &made, NULL);

    if (err == UEX_OK)
        err = uex_object_store_new(made, &store, NULL);
    if (err == UEX_OK)
        err = uex_store_service_replace_credentials(made, &other, &changed);
    if (err == UEX_OK)
        uex_torture_note("%d", changed);
    else
        assert_false(changed);
    if (store != NULL)
        store->destroy(store);
    uex_store_service_free(made);
    return err;
}

static enum uex_error s3_query(void)
{
    static const struct uex_s3_param params[] = {{"uploads", ""}, {"prefix", "a b"}, {"key-marker", "x/y"}};
    struct uex_buffer query = {0};

    return note(uex_s3_encode_query(&query, params, 3), &query);
}

/* An answer whose code decides what becomes of a command. */
static enum uex_error s3_answer(void)
{
    struct uex_s3_xml_answer answer;
    const bool read = uex_s3_xml_answer_read(
        uex_bytes_of_text("<Error><Code>ExpiredToken</Code><Message>m</Message><RequestId>r</RequestId></Error>"),
        &answer);

    if (answer.starved)
        return UEX_NO_MEMORY;
    uex_torture_note("%d %s %s %s", read, answer.root, answer.code, answer.request_id);
    return UEX_OK;
}

static enum uex_error issuer_url(void)
{
    static const char *const urls[] = {"http:/127.0.0.1/x", "https://sts.amazonaws.com/", "http://other/"};
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]) && err != UEX_NO_MEMORY; i++) {
        struct uex_buffer asked = {0};
        bool is_plain = false;

        err = uex_aws_url_read(urls[i], &asked, &is_plain);
        if (err != UEX_NO_MEMORY)
            uex_torture_note("%s %s %d\n", uex_error_code(err), uex_buffer_text(&asked), is_plain);
        uex_buffer_clear(&asked);
    }
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

static enum uex_error note_credentials(enum uex_error err, struct uex_s3_credentials *found, int64_t expires_ms)
{
    if (err == UEX_OK)
        uex_torture_note("%s %s %s %lld", found->access_key_id, found->secret_access_key, found->session_token,
                         (long long)expires_ms);
    uex_s3_credentials_clear(found);
    return err;
}

static enum uex_error issuer_xml(void)
{
    struct uex_s3_credentials found = {0};
    int64_t expires_ms = 0;
    const enum uex_error err = uex_aws_read_sts(
        uex_bytes_of_text("<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
                          "<AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t"
                          "</SessionToken><Expiration>2026-01-01T00:00:00Z</Expiration></Credentials>"
                          "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"),
        &found, &expires_ms);

    return note_credentials(err, &found, expires_ms);
}

static enum uex_error issuer_json(void)
{
    struct uex_s3_credentials found = {0};
    int64_t expires_ms = 0;
    const enum uex_error err =
        uex_aws_read_container(uex_bytes_of_text("{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
                                                 "\"Expiration\":\"2026-01-01T00:00:00Z\"}"),
                               &found, &expires_ms);

    return note_credentials(err, &found, expires_ms);
}

/* A file that an earlier attempt left is found again, with what says that it is ours. */
static enum uex_error file_object(void)
{
    static const struct uex_object_tags tags = {.command_id = ID, .snapshot_at_ms = 1000};
    struct uex_object_store *store = NULL;
    struct uex_object_writer *writer = NULL;
    struct uex_object_facts written = {0}, found = {0};
    enum uex_error err = uex_file_store_new(directory, NULL, NULL, &store, NULL);

    if (err == UEX_OK)
        err = store->begin(store, "d/g/c.csv.gz", &writer, NULL);
    if (err == UEX_OK) {
        store->set_tags(writer, &tags);
        err = store->write(writer, uex_bytes_of_text("bytes"), NULL);
        if (err == UEX_OK)
            err = store->commit(writer, 1, &written, NULL);
        else
            store->abort(writer);
    }
    if (err == UEX_OK)
        err = store->find(store, "d/g/c.csv.gz", &found, NULL);
    if (err == UEX_OK)
        uex_torture_note("%s %s %d %d %d", found.url, found.command_id, (int)found.row_count, (int)found.size_bytes,
                         found.has_sha256);
    uex_torture_count(false);
    uex_object_facts_clear(&written);
    uex_object_facts_clear(&found);
    if (store != NULL) {
        assert_int_equal(store->remove(store, "d/g/c.csv.gz", NULL), UEX_OK);
        store->destroy(store);
    }
    return err;
}

static void torture__store__right_result_or_no_memory(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "the key of an object", .run = object_key}, {.name = "storage.url", .run = storage_urls},
        {.name = "settings of S3", .run = s3_settings},      {.name = "a query of S3", .run = s3_query},
        {.name = "an answer of S3", .run = s3_answer},       {.name = "an object as a file", .run = file_object},
        {.name = "an issuer's address", .run = issuer_url},  {.name = "credentials as XML", .run = issuer_xml},
        {.name = "credentials as JSON", .run = issuer_json}, {.name = "a service and its store", .run = service},
    };

    struct uex_store_service *kept = NULL; /* with libcurl's global state, which is made once */

    (void)state;
    assert_int_equal(uex_store_service_new(&s3_config, &kept, NULL), UEX_OK);
    assert_non_null(mkdtemp(directory));
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
    for (size_t i = 0; i < 3; i++) {
        static const char *const folders[] = {"/d/g", "/d", ""};
        char path[64];

        snprintf(path, sizeof(path), "%s%s", directory, folders[i]);
        assert_int_equal(rmdir(path), 0);
    }
    uex_store_service_free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture__store__right_result_or_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
