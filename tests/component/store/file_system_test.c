/* SPDX-License-Identifier: Apache-2.0 */
/* The file store on file systems that lack something: hard links, syncing a directory, the right to write. */
#include "file_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "store/file_store.h"

/* These stand before the C library's: a file system that lacks something. */
static struct {
    int link_errno, rename_errno, sync_errno; /* 0: as it is */
    int rename_count;
} lacks;

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    if (lacks.link_errno == 0)
        return (int)syscall(SYS_linkat, from_fd, from, to_fd, to, flags);
    errno = lacks.link_errno;
    return -1;
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    lacks.rename_count++;
    if (lacks.rename_errno == 0)
        return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
    errno = lacks.rename_errno;
    return -1;
}

int fsync(int fd)
{
    struct stat status;

    if (lacks.sync_errno == 0 || fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode))
        return (int)syscall(SYS_fsync, fd);
    errno = lacks.sync_errno;
    return -1;
}

static const int unsupported[] = {EPERM, EINVAL, ENOSYS, EOPNOTSUPP};

static void commit__no_hard_links__is_renamed_and_create_only_all_the_same(void **state)
{
    struct place *place = *state;
    struct uex_object_store *store = place->store;
    struct uex_object_facts facts = {0};

    for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++) {
        struct uex_object_writer *one = begin(store, KEY, COMMAND, "one"), *other = begin(store, KEY, OTHER, "other");

        lacks.link_errno = unsupported[i];
        lacks.rename_count = 0;
        assert_int_equal(store->probe(store, NULL), UEX_OK);
        assert_int_equal(store->commit(one, 1, &facts, NULL), UEX_OK);
        assert_int_equal(lacks.rename_count, 2);
        uex_object_facts_clear(&facts);
        assert_int_equal(store->commit(other, 1, &facts, NULL), UEX_OBJECT_EXISTS);
        assert_int_equal(store->find(store, KEY, &facts, NULL), UEX_OK);
        assert_string_equal(facts.command_id, COMMAND);
        uex_object_facts_clear(&facts);
        assert_int_equal(store->remove(store, KEY, NULL), UEX_OK);
        assert_int_equal(entry_count(place), 0);
        lacks.link_errno = 0;
    }
}

static void commit__name_taken_by_a_program_without_the_lock__is_not_replaced(void **state)
{
    struct place *place = *state;
    int fd = open(place->directory, O_RDONLY | O_DIRECTORY);

    lacks.link_errno = EPERM;
    assert_int_equal(close(openat(fd, "part", O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(close(openat(fd, "name", O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(uex_file_publish(fd, "part", "name"), -1);
    assert_int_equal(errno, EEXIST);
    lacks.link_errno = 0;
    close(fd);
}

static void probe__neither_links_nor_renames__is_refused_with_the_reason(void **state)
{
    struct place *place = *state;
    struct uex_fault fault = {0};
    struct uex_object_facts facts = {0};

    lacks.link_errno = EPERM;
    lacks.rename_errno = EINVAL;
    assert_int_equal(place->store->probe(place->store, &fault), UEX_STORE_REFUSED);
    assert_int_equal(fault.error, UEX_STORE_REFUSED);
    assert_non_null(strstr(fault.text, "neither link"));
    assert_int_equal(place->store->commit(begin(place->store, KEY, COMMAND, "x"), 1, &facts, &fault), UEX_STORE_FAILED);
    assert_int_equal(entry_count(place), 0);
    lacks.link_errno = lacks.rename_errno = 0;
    assert_int_equal(place->store->probe(place->store, &fault), UEX_OK);
}

static void commit__directories_cannot_be_synced__their_file_system_is(void **state)
{
    struct place *place = *state;

    for (size_t i = 0; i < sizeof(unsupported) / sizeof(unsupported[0]); i++) {
        lacks.sync_errno = unsupported[i];
        assert_int_equal(place->store->probe(place->store, NULL), UEX_OK);
        put(place->store, KEY, COMMAND, "x");
        assert_int_equal(place->store->remove(place->store, KEY, NULL), UEX_OK);
    }
    lacks.sync_errno = EIO;
    assert_int_equal(place->store->probe(place->store, NULL), UEX_STORE_REFUSED);
    lacks.sync_errno = 0;
}

/* Refused to everybody below the domain, though the store's own directory may be written. */
static void probe__directory_of_the_domain_cannot_be_written__is_refused(void **state)
{
    struct place *place = *state;
    struct uex_store_service *service = NULL;
    struct uex_object_store *store = NULL;
    struct uex_fault fault = {0};
    char path[128];

    place->config.export_domain_id = (char *)"d0";
    assert_int_equal(store_open(&place->config, &service, &store, NULL), UEX_OK);
    assert_int_equal(store->probe(store, &fault), UEX_OK);
    snprintf(path, sizeof(path), "%s/x%%y/d0", place->directory);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0); /* what root cannot write either: no directory */
    assert_int_equal(store->probe(store, &fault), UEX_STORE_REFUSED);
    assert_non_null(strstr(fault.text, "Not a directory"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(store->probe(store, &fault), UEX_OK);
    assert_int_equal(rmdir(path), 0);
    store_close(service, store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commit__no_hard_links__is_renamed_and_create_only_all_the_same),
        TEST(commit__name_taken_by_a_program_without_the_lock__is_not_replaced),
        TEST(probe__neither_links_nor_renames__is_refused_with_the_reason),
        TEST(commit__directories_cannot_be_synced__their_file_system_is),
        TEST(probe__directory_of_the_domain_cannot_be_written__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
