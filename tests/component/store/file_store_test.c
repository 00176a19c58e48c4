/* SPDX-License-Identifier: Apache-2.0 */
/* The file store on a real directory. */
#include "file_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>

static void commit__new_object__has_content_facts_and_metadata(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_object_facts written, found;
    uint8_t digest[UEX_SHA256_SIZE];
    char url[256];
    struct stat status;

    assert_int_equal(store->commit(begin(store, KEY, COMMAND, "hello"), 3, &written, NULL), UEX_OK);
    snprintf(url, sizeof(url), "file://%s/x%%25y/d0/a%%2520b/" COMMAND ".csv.gz", place->directory);
    assert_string_equal(written.url, url);
    assert_int_equal(written.size_bytes, 5);
    uex_sha256(uex_bytes_of_text("hello"), digest);
    assert_true(written.has_sha256);
    assert_memory_equal(written.sha256, digest, sizeof(digest));
    assert_int_equal(store->find(store, KEY, &found, NULL), UEX_OK);
    assert_string_equal(found.url, url);
    assert_int_equal(found.size_bytes, 5);
    assert_int_equal(found.row_count, 3);
    assert_string_equal(found.command_id, COMMAND);
    assert_int_equal(found.snapshot_at_ms, 1795000000123);
    assert_memory_equal(found.sha256, digest, sizeof(digest));
    assert_content(store, KEY, "hello");
    assert_int_equal(entry_count(place), 2);
    snprintf(url, sizeof(url), "%s/x%%y/%s", place->directory, KEY);
    assert_int_equal(stat(url, &status), 0);
    assert_int_equal(status.st_mode & 0137, 0);
    assert_int_equal(status.st_nlink, 1);
    uex_object_facts_clear(&written);
    uex_object_facts_clear(&found);
}

static void find__nothing_there__is_not_found(void **state)
{
    struct uex_object_store *store = ((struct place *)*state)->store;
    struct uex_object_facts facts;
    struct uex_buffer out = {0};

    assert_int_equal(store->find(store, KEY, &facts, NULL), UEX_NOT_FOUND);
    assert_int_equal(store->read(store, KEY, (struct uex_sink){.write = collect, .context = &out}, NULL),
                     UEX_NOT_FOUND);
    put(store, KEY, COMMAND, "x");
    assert_int_equal(store->find(store, "d0/a%20b/other.csv.gz", &facts, NULL), UEX_NOT_FOUND);
}

static void commit__key_is_taken__changes_nothing(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_object_facts facts;

    put(store, KEY, COMMAND, "first");
    assert_int_equal(store->commit(begin(store, KEY, OTHER, "second"), 9, &facts, NULL), UEX_OBJECT_EXISTS);
    assert_content(store, KEY, "first");
    assert_int_equal(store->find(store, KEY, &facts, NULL), UEX_OK);
    assert_string_equal(facts.command_id, COMMAND);
    assert_int_equal(facts.row_count, 3);
    assert_int_equal(entry_count(place), 2);
    uex_object_facts_clear(&facts);
}

struct rival {
    struct uex_object_writer *writer;
    enum uex_error result;
};

static void *commit_rival(void *context)
{
    struct rival *rival = context;
    struct uex_object_facts facts;
    struct uex_object_store *store = *(struct uex_object_store **)rival->writer; /* the writer's first member */

    rival->result = store->commit(rival->writer, 7, &facts, NULL);
    uex_object_facts_clear(&facts);
    return NULL;
}

static void commit__two_at_once__metadata_are_the_winners(void **state)
{
    struct place *place = *state;

    for (int round = 0; round < 50; round++) {
        struct uex_object_store *stores[2];
        struct rival rivals[2];
        pthread_t threads[2];
        struct uex_object_facts facts;
        struct uex_buffer content = {0};

        for (int i = 0; i < 2; i++) {
            assert_int_equal(uex_object_store_new(place->service, &stores[i], NULL), UEX_OK);
            rivals[i].writer = begin(stores[i], KEY, i == 0 ? COMMAND : OTHER, i == 0 ? COMMAND : OTHER);
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, commit_rival, &rivals[i]), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal((rivals[0].result == UEX_OK) + (rivals[1].result == UEX_OK), 1);
        assert_int_equal((rivals[0].result == UEX_OBJECT_EXISTS) + (rivals[1].result == UEX_OBJECT_EXISTS), 1);
        assert_int_equal(place->store->find(place->store, KEY, &facts, NULL), UEX_OK);
        assert_int_equal(place->store->read(place->store, KEY, (struct uex_sink){collect, &content}, NULL), UEX_OK);
        assert_string_equal(uex_buffer_text(&content), facts.command_id);
        uex_object_facts_clear(&facts);
        uex_buffer_clear(&content);
        assert_int_equal(entry_count(place), 2);
        assert_int_equal(place->store->remove(place->store, KEY, NULL), UEX_OK);
        for (int i = 0; i < 2; i++)
            stores[i]->destroy(stores[i]);
    }
}

static void abort__a_begun_object__leaves_nothing(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;

    store->abort(begin(store, KEY, COMMAND, "half"));
    assert_int_equal(entry_count(place), 0);
    store->abort(NULL);
}

static void abort_incomplete__of_this_key__removes_only_its_own(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_object_writer *mine = begin(store, KEY, COMMAND, "half");
    struct uex_object_writer *others = begin(store, "d0/a%20b/" OTHER ".csv.gz", OTHER, "half");
    struct uex_object_facts facts;
    char path[256];

    snprintf(path, sizeof(path), "%s/x%%y/%s.meta.json", place->directory, KEY);
    int fd = open(path, O_WRONLY | O_CREAT, 0640);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(entry_count(place), 3);
    assert_int_equal(store->abort_incomplete(store, KEY, NULL), UEX_OK);
    assert_int_equal(entry_count(place), 1);
    assert_int_equal(store->commit(mine, 1, &facts, NULL), UEX_STORE_RACE);
    assert_int_equal(store->find(store, KEY, &facts, NULL), UEX_NOT_FOUND);
    assert_int_equal(store->commit(others, 1, &facts, NULL), UEX_OK);
    uex_object_facts_clear(&facts);
    assert_int_equal(entry_count(place), 2);
    assert_int_equal(store->abort_incomplete(store, "never/there/x.csv.gz", NULL), UEX_OK);
}

static void abort_incomplete__object_is_there__keeps_its_metadata(void **state)
{
    struct place *place = *state;

    put(place->store, KEY, COMMAND, "whole");
    assert_int_equal(place->store->abort_incomplete(place->store, KEY, NULL), UEX_OK);
    assert_int_equal(entry_count(place), 2);
}

static void commit__metadata_of_a_dead_writer__are_replaced(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_object_writer *writer = begin(store, KEY, COMMAND, "x");
    struct uex_object_facts facts;
    char path[256];

    snprintf(path, sizeof(path), "%s/x%%y/%s.meta.json", place->directory, KEY);
    FILE *file = fopen(path, "w");
    fputs("{\"export-command-id\":\"" OTHER "\"}", file);
    fclose(file);
    assert_int_equal(store->commit(writer, 1, &facts, NULL), UEX_OK);
    uex_object_facts_clear(&facts);
    assert_int_equal(store->find(store, KEY, &facts, NULL), UEX_OK);
    assert_string_equal(facts.command_id, COMMAND);
    uex_object_facts_clear(&facts);
}

static void find__metadata_missing_or_damaged__object_is_not_ours(void **state)
{
    static const char *const texts[] = {"", "{", "[]", "{\"export-command-id\":5}", "\xff", NULL};
    struct place *place = *state;
    struct uex_object_facts facts;
    char path[256];

    put(place->store, KEY, COMMAND, "x");
    snprintf(path, sizeof(path), "%s/x%%y/%s.meta.json", place->directory, KEY);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i] != NULL) {
            FILE *file = fopen(path, "w");
            fputs(texts[i], file);
            fclose(file);
        } else {
            unlink(path);
        }
        assert_int_equal(place->store->find(place->store, KEY, &facts, NULL), UEX_OK);
        assert_string_equal(facts.command_id, "");
        assert_int_equal(facts.size_bytes, 1);
        uex_object_facts_clear(&facts);
    }
}

static void begin__keys_that_climb_or_are_too_long__are_refused(void **state)
{
    struct uex_object_store *store = ((struct place *)*state)->store;
    struct uex_object_writer *writer = NULL;
    char key[700] = "d0/";

    assert_int_equal(store->begin(store, "../x", &writer, NULL), UEX_INTERNAL);
    assert_int_equal(store->begin(store, "/etc/x", &writer, NULL), UEX_INTERNAL);
    memset(key + 3, 'g', 300);
    strcat(key, "/x.csv.gz");
    assert_int_equal(store->begin(store, key, &writer, NULL), UEX_LIMIT);
    memset(key, 0, sizeof(key));
    memset(key, 'n', 250);
    assert_int_equal(store->begin(store, key, &writer, NULL), UEX_LIMIT);
    assert_null(writer);
}

static void probe__directory_is_gone__is_a_bucket_error(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_object_writer *writer = NULL;
    char path[128];

    assert_int_equal(store->probe(store, NULL), UEX_OK);
    snprintf(path, sizeof(path), "%s/x%%y", place->directory);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(store->probe(store, NULL), UEX_STORE_BUCKET);
    assert_int_equal(store->begin(store, KEY, &writer, NULL), UEX_STORE_BUCKET);
    assert_int_equal(store->prepare(store, NULL), UEX_OK);
    assert_int_equal(store->probe(store, NULL), UEX_OK);
}

static void write__cancelled__says_so_and_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_cancel cancel = {0};
    struct uex_object_writer *writer = begin(store, KEY, COMMAND, "half");
    struct uex_object_facts facts;

    store->cancel = &cancel;
    uex_cancel_request(&cancel);
    assert_int_equal(store->write(writer, uex_bytes_of_text("more"), NULL), UEX_CANCELLED);
    assert_int_equal(store->commit(writer, 1, &facts, NULL), UEX_CANCELLED);
    assert_int_equal(entry_count(place), 0);
    store->cancel = NULL;
}

static void write__disk_is_full__is_store_full(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_object_writer *writer = NULL;
    struct uex_fault fault = {0};
    char path[128];
    static const char data[1 << 20] = {0};

    snprintf(path, sizeof(path), "%s/x%%y", place->directory);
    if (mount("tmpfs", path, "tmpfs", 0, "size=64k") != 0)
        skip(); /* needs root */
    assert_int_equal(store->begin(store, KEY, &writer, NULL), UEX_OK);
    enum uex_error err = store->write(writer, uex_bytes_of(data, sizeof(data)), &fault);
    store->abort(writer);
    assert_int_equal(umount(path), 0);
    assert_int_equal(err, UEX_STORE_FULL);
    assert_int_equal(fault.error, UEX_STORE_FULL);
}

static enum uex_error refuse(void *context, struct uex_bytes data)
{
    (void)context;
    (void)data;
    return UEX_OBJECT_BROKEN;
}

static void read__sink_stops__its_error_comes_back(void **state)
{
    struct uex_object_store *store = ((struct place *)*state)->store;

    put(store, KEY, COMMAND, "x");
    assert_int_equal(store->read(store, KEY, (struct uex_sink){.write = refuse}, NULL), UEX_OBJECT_BROKEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commit__new_object__has_content_facts_and_metadata),
        TEST(find__nothing_there__is_not_found),
        TEST(commit__key_is_taken__changes_nothing),
        TEST(commit__two_at_once__metadata_are_the_winners),
        TEST(abort__a_begun_object__leaves_nothing),
        TEST(abort_incomplete__of_this_key__removes_only_its_own),
        TEST(abort_incomplete__object_is_there__keeps_its_metadata),
        TEST(commit__metadata_of_a_dead_writer__are_replaced),
        TEST(find__metadata_missing_or_damaged__object_is_not_ours),
        TEST(begin__keys_that_climb_or_are_too_long__are_refused),
        TEST(probe__directory_is_gone__is_a_bucket_error),
        TEST(write__cancelled__says_so_and_leaves_nothing),
        TEST(write__disk_is_full__is_store_full),
        TEST(read__sink_stops__its_error_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
