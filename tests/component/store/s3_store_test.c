/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 store on a real server: EXPORT_S3_ENDPOINT, EXPORT_S3_ACCESS_KEY_ID, EXPORT_S3_SECRET_ACCESS_KEY
 * (`deploy/lib/services env`). Without them only what needs no server is tested. */
#include "s3_fixture.h"

#include <pthread.h>
#include <unistd.h>

#define PROBE_KEY "d0/users-export-probe/00000000-0000-4000-8000-000000000000.csv.gz"

struct server {
    char url[128];
    struct uex_config config;
    struct uex_store_service *service;
    struct uex_object_store *store;
};

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value == NULL ? "" : value;
}

static int setup(void **state)
{
    struct server *server = calloc(1, sizeof(*server));

    *state = server;
    if (setting("EXPORT_S3_ENDPOINT")[0] == '\0')
        return 0;
    snprintf(server->url, sizeof(server->url), "s3://uex-test-%ld/pre%%fix", (long)getpid());
    server->config = s3_config(server->url, setting("EXPORT_S3_ENDPOINT"));
    server->config.export_domain_id = (char *)"d0";
    server->config.s3_access_key_id = (char *)setting("EXPORT_S3_ACCESS_KEY_ID");
    server->config.s3_secret_access_key = (char *)setting("EXPORT_S3_SECRET_ACCESS_KEY");
    struct uex_fault fault = {0};
    if (store_open(&server->config, &server->service, &server->store, &fault) != UEX_OK ||
        server->store->prepare(server->store, &fault) != UEX_OK) {
        print_error("%s\n", fault.text);
        return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    struct server *server = *state;

    store_close(server->service, server->store);
    free(server);
    return 0;
}

static struct uex_object_store *need_store(void **state)
{
    struct server *server = *state;

    if (server->store == NULL) {
        print_message("no S3 server: EXPORT_S3_ENDPOINT is not set\n");
        skip();
    }
    return server->store;
}

/* A key of its own for each test. */
static const char *key_of(const char *group, char *out, size_t out_size)
{
    snprintf(out, out_size, "d0/%s/" COMMAND ".csv.gz", group);
    return out;
}

/* Objects of these sizes: written, found with all metadata, read back byte for byte, announced as they stand. */
static void round_trip(struct uex_object_store *store, const char *group, size_t size)
{
    struct uex_object_facts written, found;
    struct uex_fault fault = {0};
    char key[256], url[512];

    key_of(group, key, sizeof(key));
    if (s3_put(store, key, COMMAND, size, &written, &fault) != UEX_OK)
        fail_msg("%s", fault.text);
    snprintf(url, sizeof(url), "s3://uex-test-%ld/pre%%fix/%s", (long)getpid(), key);
    assert_string_equal(written.url, url);
    assert_true(written.size_bytes == size);
    assert_int_equal(written.row_count, 17);
    assert_int_equal(store->find(store, key, &found, &fault), UEX_OK);
    assert_string_equal(found.url, url);
    assert_true(found.size_bytes == size);
    assert_string_equal(found.command_id, COMMAND);
    assert_int_equal(found.snapshot_at_ms, SNAPSHOT_AT_MS);
    assert_int_equal(found.has_sha256, size <= PART_BYTES);
    if (size <= PART_BYTES) {
        assert_int_equal(found.row_count, 17);
        assert_memory_equal(found.sha256, written.sha256, sizeof(found.sha256));
    } else {
        assert_true(found.row_count == UEX_UNKNOWN);
    }
    assert_object_is(store, key, &written);
    uex_object_facts_clear(&found);
    assert_int_equal(store->remove(store, key, &fault), UEX_OK);
    assert_int_equal(store->find(store, key, &found, NULL), UEX_NOT_FOUND);
    uex_object_facts_clear(&written);
}

static void commit__sizes_around_one_part__come_back_whole(void **state)
{
    static const size_t sizes[] = {0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 30000001};
    struct uex_object_store *store = need_store(state);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        round_trip(store, "sizes", sizes[i]);
}

static void commit__encoded_groups__keep_their_percent_signs(void **state)
{
    static const char *const groups[] = {"a%20b%2Fc", "%2E%2E", "100%25", "%C3%A4%E2%82%AC", "a+b=c&d", "x%3Fy%23z"};
    struct uex_object_store *store = need_store(state);

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        round_trip(store, groups[i], 1000);
}

static void commit__key_is_taken__changes_nothing(void **state)
{
    static const size_t sizes[] = {1000, PART_BYTES + 1000};
    struct uex_object_store *store = need_store(state);
    struct uex_object_facts first, second, found;
    char key[128];

    key_of("taken", key, sizeof(key));
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(s3_put(store, key, COMMAND, sizes[i], &first, NULL), UEX_OK);
            assert_int_equal(s3_put(store, key, OTHER, sizes[j] + 1, &second, NULL), UEX_OBJECT_EXISTS);
            assert_int_equal(store->find(store, key, &found, NULL), UEX_OK);
            assert_string_equal(found.command_id, COMMAND);
            assert_object_is(store, key, &first);
            uex_object_facts_clear(&first);
            uex_object_facts_clear(&found);
            assert_int_equal(store->remove(store, key, NULL), UEX_OK);
        }
    }
}

struct rival {
    struct uex_object_store *store;
    const char *key, *command_id;
    enum uex_error result;
    struct uex_object_facts facts;
};

static void *put_rival(void *context)
{
    struct rival *rival = context;

    rival->result = s3_put(rival->store, rival->key, rival->command_id, PART_BYTES + 5, &rival->facts, NULL);
    return NULL;
}

static void commit__two_uploads_at_once__exactly_one_wins(void **state)
{
    struct uex_object_store *store = need_store(state);
    struct server *server = *state;
    char key[128];

    key_of("rivals", key, sizeof(key));
    for (int round = 0; round < 5; round++) {
        struct rival rivals[2] = {{.key = key, .command_id = COMMAND}, {.key = key, .command_id = OTHER}};
        struct uex_object_facts found;
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            assert_int_equal(uex_object_store_new(server->service, &rivals[i].store, NULL), UEX_OK);
            assert_int_equal(pthread_create(&threads[i], NULL, put_rival, &rivals[i]), 0);
        }
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal((rivals[0].result == UEX_OK) + (rivals[1].result == UEX_OK), 1);
        int winner = rivals[0].result == UEX_OK ? 0 : 1;
        assert_true(rivals[1 - winner].result == UEX_OBJECT_EXISTS || rivals[1 - winner].result == UEX_STORE_RACE);
        assert_int_equal(store->find(store, key, &found, NULL), UEX_OK);
        assert_string_equal(found.command_id, rivals[winner].command_id);
        uex_object_facts_clear(&found);
        assert_int_equal(store->remove(store, key, NULL), UEX_OK);
        for (int i = 0; i < 2; i++) {
            uex_object_facts_clear(&rivals[i].facts);
            rivals[i].store->destroy(rivals[i].store);
        }
    }
}

/* A writer begins its upload on a thread of its own. */
static void wait_for_uploads(struct uex_object_store *store, uint64_t count)
{
    const int64_t until_ms = uex_monotonic_ms() + 30000;
    struct uex_store_inspection found = {0};

    do {
        assert_int_equal(store->inspect(store, uex_wall_ms() + 3600000, &found, NULL), UEX_OK);
        assert_true(uex_monotonic_ms() < until_ms);
    } while (found.old_uploads < count && uex_sleep_ms(10, NULL));
}

static void abort_incomplete__of_a_dead_upload__makes_its_completion_a_race(void **state)
{
    struct uex_object_store *store = need_store(state);
    struct uex_object_writer *dead, *longer;
    struct uex_object_facts facts;
    enum uex_error err;
    char key[128], longer_key[140];

    key_of("incomplete", key, sizeof(key));
    snprintf(longer_key, sizeof(longer_key), "%s.other", key);
    dead = s3_write(store, key, COMMAND, 2 * PART_BYTES, &err, NULL);
    assert_int_equal(err, UEX_OK);
    longer = s3_write(store, longer_key, COMMAND, 2 * PART_BYTES, &err, NULL);
    assert_int_equal(err, UEX_OK);
    wait_for_uploads(store, 2);
    assert_int_equal(store->abort_incomplete(store, key, NULL), UEX_OK);
    assert_int_equal(store->abort_incomplete(store, key, NULL), UEX_OK);
    assert_int_equal(store->commit(dead, 1, &facts, NULL), UEX_STORE_RACE);
    assert_int_equal(store->find(store, key, &facts, NULL), UEX_NOT_FOUND);
    assert_int_equal(store->commit(longer, 1, &facts, NULL), UEX_OK);
    assert_object_is(store, longer_key, &facts);
    uex_object_facts_clear(&facts);
    assert_int_equal(store->remove(store, longer_key, NULL), UEX_OK);
}

static void abort__an_upload_under_way__leaves_nothing(void **state)
{
    struct uex_object_store *store = need_store(state);
    struct uex_object_facts facts;
    enum uex_error err;
    char key[128];

    key_of("aborted", key, sizeof(key));
    store->abort(s3_write(store, key, COMMAND, 3 * PART_BYTES, &err, NULL));
    assert_int_equal(err, UEX_OK);
    assert_int_equal(store->find(store, key, &facts, NULL), UEX_NOT_FOUND);
    store->abort(NULL);
}

static void write__cancelled__ends_quickly(void **state)
{
    struct uex_object_store *store = need_store(state);
    struct uex_cancel cancel = {0};
    struct uex_object_facts facts;
    enum uex_error err;
    char key[128];

    key_of("cancelled", key, sizeof(key));
    store->cancel = &cancel;
    struct uex_object_writer *writer = s3_write(store, key, COMMAND, 2 * PART_BYTES, &err, NULL);
    assert_int_equal(err, UEX_OK);
    uex_cancel_request(&cancel);
    int64_t begun_at_ms = uex_monotonic_ms();
    assert_int_equal(store->commit(writer, 1, &facts, NULL), UEX_CANCELLED);
    assert_true(uex_monotonic_ms() - begun_at_ms < 2000);
    store->cancel = NULL;
    assert_int_equal(store->find(store, key, &facts, NULL), UEX_NOT_FOUND);
}

static void prepare__wrong_secret__is_an_authentication_error(void **state)
{
    (void)need_store(state);
    struct server *server = *state;
    struct uex_config config = server->config;
    struct uex_store_service *service = NULL;
    struct uex_object_store *store = NULL;
    struct uex_object_facts facts;
    struct uex_fault fault = {0};

    config.s3_secret_access_key = (char *)"not-the-secret";
    assert_int_equal(store_open(&config, &service, &store, NULL), UEX_OK);
    assert_int_equal(store->probe(store, &fault), UEX_STORE_AUTH);
    assert_non_null(strstr(fault.text, "SignatureDoesNotMatch"));
    assert_null(strstr(fault.text, "not-the-secret"));
    assert_int_equal(store->find(store, "d0/g/x.csv.gz", &facts, &fault), UEX_STORE_AUTH);
    assert_int_equal(s3_put(store, "d0/g/x.csv.gz", COMMAND, 10, &facts, &fault), UEX_STORE_AUTH);
    store_close(service, store);
    config.s3_access_key_id = (char *)"nobody";
    assert_int_equal(store_open(&config, &service, &store, NULL), UEX_OK);
    assert_int_equal(store->probe(store, &fault), UEX_STORE_AUTH);
    assert_true(strstr(fault.text, "InvalidAccessKeyId") != NULL || strstr(fault.text, "XAdminUserNotFound") != NULL);
    store_close(service, store);
}

static void probe__bucket_is_not_there__is_a_bucket_error(void **state)
{
    (void)need_store(state);
    struct server *server = *state;
    struct uex_config config = server->config;
    struct uex_store_service *service = NULL;
    struct uex_object_store *store = NULL;
    struct uex_object_facts facts;
    char url[64];

    snprintf(url, sizeof(url), "s3://uex-absent-%ld", (long)getpid());
    config.storage_url = url;
    assert_int_equal(store_open(&config, &service, &store, NULL), UEX_OK);
    assert_int_equal(store->probe(store, NULL), UEX_STORE_BUCKET);
    assert_int_equal(s3_put(store, "d0/g/x.csv.gz", COMMAND, 10, &facts, NULL), UEX_STORE_BUCKET);
    assert_int_equal(s3_put(store, "d0/g/x.csv.gz", COMMAND, 9000000, &facts, NULL), UEX_STORE_BUCKET);
    store_close(service, store);
}

/* A server's own way to refuse the two requests of the probe that make no sense. */
static void probe__real_server__takes_all_requests_and_keeps_nothing(void **state)
{
    struct uex_object_store *store = need_store(state);
    struct uex_store_inspection found;
    struct uex_object_facts facts;
    struct uex_fault fault = {0};

    for (int i = 0; i < 2; i++)
        if (store->probe(store, &fault) != UEX_OK)
            fail_msg("%s", fault.text);
    assert_int_equal(store->find(store, PROBE_KEY, &facts, NULL), UEX_NOT_FOUND);
    assert_int_equal(store->inspect(store, uex_wall_ms() + 3600000, &found, &fault), UEX_OK);
    assert_true(found.uploads_known);
    assert_int_equal(found.old_uploads, 0);
}

static void probe__nobody_listens__is_unavailable_soon(void **state)
{
    struct uex_config config = s3_config("s3://users-export", "http://127.0.0.1:1");
    struct uex_store_service *service = NULL;
    struct uex_object_store *store = NULL;
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(store_open(&config, &service, &store, NULL), UEX_OK);
    int64_t begun_at_ms = uex_monotonic_ms();
    assert_int_equal(store->probe(store, &fault), UEX_STORE_UNAVAILABLE);
    assert_true(uex_monotonic_ms() - begun_at_ms < 1000);
    assert_int_equal(store->prepare(store, &fault), UEX_STORE_UNAVAILABLE);
    store_close(service, store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commit__sizes_around_one_part__come_back_whole),
        TEST(commit__encoded_groups__keep_their_percent_signs),
        TEST(commit__key_is_taken__changes_nothing),
        TEST(commit__two_uploads_at_once__exactly_one_wins),
        TEST(abort_incomplete__of_a_dead_upload__makes_its_completion_a_race),
        TEST(abort__an_upload_under_way__leaves_nothing),
        TEST(write__cancelled__ends_quickly),
        TEST(prepare__wrong_secret__is_an_authentication_error),
        TEST(probe__bucket_is_not_there__is_a_bucket_error),
        TEST(probe__real_server__takes_all_requests_and_keeps_nothing),
        TEST(probe__nobody_listens__is_unavailable_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
