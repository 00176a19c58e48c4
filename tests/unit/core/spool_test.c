/* SPDX-License-Identifier: Apache-2.0 */
#include "export/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64]; /* a folder for each test */
static char work[96]; /* in it, not made yet */

/* As if the file system knew no O_TMPFILE: what it answers; 0: it knows it. */
static int no_tmpfile;

int openat(int fd, const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    if (no_tmpfile != 0 && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = no_tmpfile;
        return -1;
    }
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return (int)syscall(SYS_openat, fd, path, flags, mode);
}

static int make_base(void **state)
{
    (void)state;
    no_tmpfile = 0;
    (void)snprintf(base, sizeof(base), "/tmp/spool-test-XXXXXX");
    assert_non_null(mkdtemp(base));
    (void)snprintf(work, sizeof(work), "%s/work", base);
    return 0;
}

static int remove_base(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return system(command);
}

/* Entries of a folder but "." and "..". */
static int count_entries(const char *path)
{
    DIR *listing = opendir(path);
    int count = 0;

    assert_non_null(listing);
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
    }
    (void)closedir(listing);
    return count;
}

static mode_t mode_of(const char *path)
{
    struct stat facts;

    assert_int_equal(stat(path, &facts), 0);
    return facts.st_mode & 07777;
}

static struct uex_spool_dir *open_dir(void)
{
    struct uex_spool_dir *dir = NULL;
    struct uex_fault fault = {0};

    if (uex_spool_dir_open(work, &dir, &fault) != UEX_OK)
        fail_msg("%s", fault.text);
    return dir;
}

static void assert_refused(const char *path, const char *reason)
{
    struct uex_spool_dir *dir = NULL;
    struct uex_fault fault = {0};

    assert_int_equal(uex_spool_dir_open(path, &dir, &fault), UEX_CONFIG);
    assert_null(dir);
    if (strstr(fault.text, reason) == NULL)
        fail_msg("%s", fault.text);
}

static void fill(uint8_t *data, size_t size_bytes, uint64_t offset)
{
    for (size_t i = 0; i < size_bytes; i++)
        data[i] = (uint8_t)((offset + i) * 2654435761u >> 13);
}

static void assert_contents(struct uex_spool *spool, uint64_t offset, size_t size_bytes)
{
    uint8_t *got = malloc(size_bytes + 1), *expected = malloc(size_bytes + 1);

    assert_non_null(got);
    assert_non_null(expected);
    fill(expected, size_bytes, offset);
    assert_int_equal(uex_spool_read(spool, offset, got, size_bytes, NULL), UEX_OK);
    assert_memory_equal(got, expected, size_bytes);
    free(got);
    free(expected);
}

static void append(struct uex_spool *spool, size_t size_bytes)
{
    uint8_t *data = malloc(size_bytes + 1);

    assert_non_null(data);
    fill(data, size_bytes, uex_spool_size_bytes(spool));
    assert_int_equal(uex_spool_append(spool, uex_bytes_of(data, size_bytes), NULL), UEX_OK);
    free(data);
}

static void dir_open__new_work_dir__is_private_and_empty(void **state)
{
    mode_t before = umask(0);
    struct uex_spool_dir *dir = open_dir();

    (void)state;
    (void)umask(before);
    assert_int_equal(mode_of(work), 0700);
    assert_int_equal(count_entries(work), 0);
    uex_spool_dir_close(dir);
    assert_int_equal(count_entries(work), 0);
    uex_spool_dir_close(NULL);
}

static void dir_open__several_missing_folders_and_slashes__are_made(void **state)
{
    (void)state;
    (void)snprintf(work, sizeof(work), "%s/a//b/c//", base);
    uex_spool_dir_close(open_dir());
    assert_int_equal(count_entries(work), 0);
}

/* With a file, and then as if it were killed. */
static void die_with_a_spool(void)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        struct uex_spool_dir *dir = open_dir();
        struct uex_spool *spool = NULL;

        assert_int_equal(uex_spool_new(dir, &spool, NULL), UEX_OK);
        append(spool, UEX_SPOOL_MEMORY_BYTES + 1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void append__process_dies__leaves_no_file(void **state)
{
    (void)state;
    die_with_a_spool();
    assert_int_equal(count_entries(work), 0);
    no_tmpfile = EOPNOTSUPP;
    die_with_a_spool();
    assert_int_equal(count_entries(work), 0);
}

static void append__file_system_without_nameless_files__has_a_file_all_the_same(void **state)
{
    struct uex_spool_dir *dir;
    struct uex_spool *spool = NULL;

    (void)state;
    no_tmpfile = EOPNOTSUPP;
    dir = open_dir();
    assert_int_equal(uex_spool_new(dir, &spool, NULL), UEX_OK);
    append(spool, UEX_SPOOL_MEMORY_BYTES + 1);
    assert_contents(spool, 0, UEX_SPOOL_MEMORY_BYTES + 1);
    assert_int_equal(count_entries(work), 0);
    uex_spool_free(spool);
    uex_spool_dir_close(dir);
}

static void dir_open__other_files__are_left_alone(void **state)
{
    char path[200];

    (void)state;
    assert_int_equal(mkdir(work, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/spool-other", work);
    (void)close(creat(path, 0600));
    uex_spool_dir_close(open_dir());
    assert_int_equal(count_entries(work), 1);
}

static void dir_open__symbolic_link__is_refused(void **state)
{
    char target[96], with_slash[128];

    (void)state;
    (void)snprintf(target, sizeof(target), "%s/target", base);
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(symlink(target, work), 0);
    assert_refused(work, "symbolic link");
    (void)snprintf(with_slash, sizeof(with_slash), "%s/", work);
    assert_refused(with_slash, "symbolic link");
    assert_int_equal(count_entries(target), 0);
}

static void dir_open__folder_of_another_user__is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(work, 0777), 0);
    assert_int_equal(chmod(work, 0777), 0);
    assert_int_equal(chown(work, 12345, 12345), 0);
    assert_refused(work, "belongs to user 12345");
    assert_int_equal(count_entries(work), 0);
}

static void dir_open__folder_that_others_may_write__is_made_private(void **state)
{
    static const mode_t modes[][2] = {{0775, 0755},   {0777, 0755},   {0720, 0700}, {02770, 02750}, {0707, 0705},
                                      {01777, 01777}, {01775, 01775}, {0755, 0755}, {0700, 0700},   {0750, 0750}};

    (void)state;
    assert_int_equal(mkdir(work, 0700), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(work, modes[i][0]), 0);
        uex_spool_dir_close(open_dir());
        assert_int_equal(mode_of(work), modes[i][1]);
    }
}

/* A volume of a container: root's, everybody may write. */
static void dir_open__volume_of_root_for_an_ordinary_user__is_taken(void **state)
{
    int status = 0;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(base, 0755), 0);
    assert_int_equal(mkdir(work, 0777), 0);
    assert_int_equal(chmod(work, 0777), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct uex_spool_dir *dir = NULL;

        if (setuid(12345) != 0 || uex_spool_dir_open(work, &dir, NULL) != UEX_OK)
            _exit(1);
        uex_spool_dir_close(dir);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(count_entries(work), 0);
}

static void dir_open__file_in_the_way_or_no_path__is_refused(void **state)
{
    char below[128];

    (void)state;
    (void)close(creat(work, 0600));
    assert_refused(work, work);
    (void)snprintf(below, sizeof(below), "%s/below", work);
    assert_refused(below, below);
    assert_refused("", "export.work_dir");
    assert_refused(NULL, "export.work_dir");
    assert_refused("/proc/nothing/here", "/proc/nothing/here");
}

static void append__many_spools_at_once__share_one_memory(void **state)
{
    enum { spools = (int)(UEX_SPOOL_TOTAL_BYTES / UEX_SPOOL_MEMORY_BYTES) };
    struct uex_spool_dir *dir = open_dir();
    struct uex_spool *full[spools] = {0};
    struct uex_spool *more = NULL;
    int before = count_entries("/proc/self/fd");

    (void)state;
    for (int i = 0; i < spools; i++) {
        assert_int_equal(uex_spool_new(dir, &full[i], NULL), UEX_OK);
        append(full[i], UEX_SPOOL_MEMORY_BYTES);
    }
    assert_int_equal(count_entries("/proc/self/fd"), before);
    assert_int_equal(uex_spool_new(dir, &more, NULL), UEX_OK);
    append(more, 100);
    append(more, 17);
    assert_int_equal(count_entries("/proc/self/fd"), before + 1);
    assert_contents(more, 0, 117);
    for (int i = 0; i < spools; i++)
        uex_spool_free(full[i]);
    append(more, 50);
    assert_contents(more, 100, 67);
    uex_spool_free(more);
    assert_int_equal(uex_spool_new(dir, &more, NULL), UEX_OK);
    append(more, UEX_SPOOL_MEMORY_BYTES);
    assert_int_equal(count_entries("/proc/self/fd"), before);
    uex_spool_free(more);
    uex_spool_dir_close(dir);
}

static void append__up_to_the_memory_bound__makes_no_file(void **state)
{
    struct uex_spool_dir *dir = open_dir();
    struct uex_spool *spool = NULL;
    int before = count_entries("/proc/self/fd");

    (void)state;
    assert_int_equal(uex_spool_new(dir, &spool, NULL), UEX_OK);
    append(spool, UEX_SPOOL_MEMORY_BYTES - 5);
    append(spool, 5);
    append(spool, 0);
    assert_int_equal(uex_spool_size_bytes(spool), UEX_SPOOL_MEMORY_BYTES);
    assert_int_equal(count_entries("/proc/self/fd"), before);
    assert_contents(spool, 0, UEX_SPOOL_MEMORY_BYTES);
    append(spool, 1);
    assert_int_equal(count_entries("/proc/self/fd"), before + 1);
    assert_contents(spool, UEX_SPOOL_MEMORY_BYTES - 2, 3);
    assert_int_equal(count_entries(work), 0); /* it has no name */
    uex_spool_free(spool);
    assert_int_equal(count_entries("/proc/self/fd"), before);
    uex_spool_free(NULL);
    uex_spool_dir_close(dir);
}

static void append__many_sizes_and_ranges__are_read_back(void **state)
{
    static const size_t SIZES[] = {1, 4096, 100000, 262144, 262145, 5000000, 1, 262143, 2, 300000, 77};
    struct uex_spool_dir *dir = open_dir();
    struct uex_spool *spool = NULL;

    (void)state;
    assert_int_equal(uex_spool_new(dir, &spool, NULL), UEX_OK);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
            append(spool, SIZES[i]);
            uint64_t size_bytes = uex_spool_size_bytes(spool);
            assert_contents(spool, 0, (size_t)size_bytes);
            assert_contents(spool, size_bytes / 3, (size_t)(size_bytes / 2));
            assert_contents(spool, size_bytes - 1, 1);
            assert_contents(spool, size_bytes, 0);
        }
    }
    uex_spool_free(spool);
    uex_spool_dir_close(dir);
}

static void read__range_outside__is_internal(void **state)
{
    struct uex_spool_dir *dir = open_dir();
    struct uex_spool *spool = NULL;
    uint8_t out[16];

    (void)state;
    assert_int_equal(uex_spool_new(dir, &spool, NULL), UEX_OK);
    append(spool, 10);
    assert_int_equal(uex_spool_read(spool, 0, out, 11, NULL), UEX_INTERNAL);
    assert_int_equal(uex_spool_read(spool, 11, out, 0, NULL), UEX_INTERNAL);
    assert_int_equal(uex_spool_read(spool, UINT64_MAX, out, 2, NULL), UEX_INTERNAL);
    assert_int_equal(uex_spool_read(spool, 10, out, 0, NULL), UEX_OK);
    uex_spool_free(spool);
    uex_spool_dir_close(dir);
}

/* A limit on the size of files stands for a full disk: write(2) fails, or is cut short first. */
static void append__no_room_left__is_a_spool_error_and_keeps_what_was_there(void **state)
{
    struct rlimit before, limit;
    struct uex_spool_dir *dir = open_dir();
    struct uex_spool *spool = NULL;
    struct uex_fault fault = {0};
    uint8_t *data = calloc(1, 2000000);

    (void)state;
    assert_non_null(data);
    assert_int_equal(uex_spool_new(dir, &spool, NULL), UEX_OK);
    append(spool, UEX_SPOOL_MEMORY_BYTES + 1);
    append(spool, 10);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = UEX_SPOOL_MEMORY_BYTES + 100000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(uex_spool_append(spool, uex_bytes_of(data, 2000000), &fault), UEX_SPOOL);
        assert_non_null(strstr(fault.text, work));
        assert_int_equal(uex_spool_size_bytes(spool), UEX_SPOOL_MEMORY_BYTES + 11);
    }
    assert_contents(spool, 0, UEX_SPOOL_MEMORY_BYTES + 11);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    append(spool, 2000000);
    assert_contents(spool, 0, UEX_SPOOL_MEMORY_BYTES + 2000011);
    uex_spool_free(spool);
    uex_spool_dir_close(dir);
    free(data);
}

static void append__folder_taken_away__is_a_spool_error(void **state)
{
    struct uex_spool_dir *dir = open_dir();
    struct uex_spool *spool = NULL;
    struct uex_fault fault = {0};
    uint8_t *data = calloc(1, UEX_SPOOL_MEMORY_BYTES + 1);

    (void)state;
    assert_non_null(data);
    assert_int_equal(rmdir(work), 0);
    assert_int_equal(uex_spool_new(dir, &spool, NULL), UEX_OK);
    assert_int_equal(uex_spool_append(spool, uex_bytes_of(data, UEX_SPOOL_MEMORY_BYTES + 1), &fault), UEX_SPOOL);
    assert_int_equal(uex_spool_size_bytes(spool), 0);
    uex_spool_free(spool);
    uex_spool_dir_close(dir);
    free(data);
}

#define UEX_TEST(function) cmocka_unit_test_setup_teardown(function, make_base, remove_base)

/* Which errno says that O_TMPFILE is not known differs between file systems and kernels. */
static void dir_open__no_tmpfile_in_any_words__files_have_a_name_for_a_moment(void **state)
{
    static const int codes[] = {EOPNOTSUPP, EISDIR, ENOENT, EINVAL, ENOSYS};
    struct uex_spool_dir *dir = NULL;
    struct uex_fault fault = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        no_tmpfile = codes[i];
        assert_int_equal(uex_spool_dir_open(work, &dir, &fault), UEX_OK);
        uex_spool_dir_close(dir);
    }
    no_tmpfile = EROFS; /* no other way would help */
    assert_int_equal(uex_spool_dir_open(work, &dir, &fault), UEX_CONFIG);
    uex_spool_dir_close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UEX_TEST(dir_open__no_tmpfile_in_any_words__files_have_a_name_for_a_moment),
        UEX_TEST(dir_open__new_work_dir__is_private_and_empty),
        UEX_TEST(dir_open__several_missing_folders_and_slashes__are_made),
        UEX_TEST(dir_open__other_files__are_left_alone),
        UEX_TEST(dir_open__symbolic_link__is_refused),
        UEX_TEST(dir_open__folder_of_another_user__is_refused),
        UEX_TEST(dir_open__folder_that_others_may_write__is_made_private),
        UEX_TEST(dir_open__volume_of_root_for_an_ordinary_user__is_taken),
        UEX_TEST(dir_open__file_in_the_way_or_no_path__is_refused),
        UEX_TEST(append__process_dies__leaves_no_file),
        UEX_TEST(append__file_system_without_nameless_files__has_a_file_all_the_same),
        UEX_TEST(append__many_spools_at_once__share_one_memory),
        UEX_TEST(append__up_to_the_memory_bound__makes_no_file),
        UEX_TEST(append__many_sizes_and_ranges__are_read_back),
        UEX_TEST(read__range_outside__is_internal),
        UEX_TEST(append__no_room_left__is_a_spool_error_and_keeps_what_was_there),
        UEX_TEST(append__folder_taken_away__is_a_spool_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
