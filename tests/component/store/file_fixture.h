/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/store/file_fixture.h — what the tests of the file store share: a directory, objects in it. */
#ifndef COMPONENT_STORE_FILE_FIXTURE_H
#define COMPONENT_STORE_FILE_FIXTURE_H

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_open.h"

#define COMMAND "0f0e0d0c-0b0a-4908-8706-050403020100"
#define OTHER "1f0e0d0c-0b0a-4908-8706-050403020100"
#define KEY "d0/a%20b/" COMMAND ".csv.gz"

struct place {
    char directory[64];
    char url[128];
    struct uex_config config;
    struct uex_store_service *service;
    struct uex_object_store *store;
};

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    snprintf(place->directory, sizeof(place->directory), "/tmp/file_store_test.XXXXXX");
    if (mkdtemp(place->directory) == NULL)
        return -1;
    snprintf(place->url, sizeof(place->url), "file://%s/x%%25y", place->directory);
    place->config.storage_url = place->url;
    *state = place;
    return store_open(&place->config, &place->service, &place->store, NULL) == UEX_OK &&
                   place->store->prepare(place->store, NULL) == UEX_OK
               ? 0
               : -1;
}

static inline int teardown(void **state)
{
    struct place *place = *state;

    store_close(place->service, place->store);
    nftw(place->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

static inline struct uex_object_writer *begin(struct uex_object_store *store, const char *key, const char *command_id,
                                              const char *text)
{
    struct uex_object_tags tags = {.snapshot_at_ms = 1795000000123};
    struct uex_object_writer *writer = NULL;

    memcpy(tags.command_id, command_id, sizeof(tags.command_id));
    assert_int_equal(store->begin(store, key, &writer, NULL), UEX_OK);
    store->set_tags(writer, &tags);
    assert_int_equal(store->write(writer, uex_bytes_of_text(text), NULL), UEX_OK);
    return writer;
}

static inline void put(struct uex_object_store *store, const char *key, const char *command_id, const char *text)
{
    struct uex_object_facts facts;

    assert_int_equal(store->commit(begin(store, key, command_id, text), 3, &facts, NULL), UEX_OK);
    uex_object_facts_clear(&facts);
}

static inline enum uex_error collect(void *context, struct uex_bytes data)
{
    uex_buffer_append(context, data.data, data.size_bytes);
    return UEX_OK;
}

static inline void assert_content(struct uex_object_store *store, const char *key, const char *text)
{
    struct uex_buffer out = {0};

    assert_int_equal(store->read(store, key, (struct uex_sink){.write = collect, .context = &out}, NULL), UEX_OK);
    assert_string_equal(uex_buffer_text(&out), text);
    uex_buffer_clear(&out);
}

/* Entries of the key's directory, without "." and "..". */
static inline int entry_count(const struct place *place)
{
    char path[256];
    int count = 0;

    snprintf(path, sizeof(path), "%s/x%%y/d0/a%%20b", place->directory);
    DIR *entries = opendir(path);
    if (entries == NULL)
        return -1;
    while (readdir(entries) != NULL)
        count++;
    closedir(entries);
    return count - 2;
}
#endif
