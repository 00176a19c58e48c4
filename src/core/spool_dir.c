/* SPDX-License-Identifier: Apache-2.0 */
#include "core/spool_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/log.h"
#include "export/uuid.h"

#define PREFIX "spool-"
#define NAME_SIZE (sizeof(PREFIX) - 1 + UEX_UUID_TEXT_SIZE)
#define TRIES 10

struct uex_spool_dir {
    int work_fd, own_fd; /* own_fd carries the lock */
    char name[NAME_SIZE];
    char *path; /* owned; for messages */
    unsigned file_count;
    _Atomic size_t memory_bytes; /* that the spools of this folder hold in memory */
};

/* mkdir -p: what is there already is left as it is. */
static bool make_folders(const char *path)
{
    char part[PATH_MAX];
    size_t size_bytes = strlen(path);

    if (size_bytes == 0 || size_bytes >= sizeof(part)) {
        errno = size_bytes == 0 ? ENOENT : ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, size_bytes + 1);
    for (size_t at = 1; at <= size_bytes; at++) {
        if (part[at] != '/' && part[at] != '\0')
            continue;
        part[at] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
        part[at] = path[at];
    }
    return true;
}

/* Nobody else may move what we make in our own directory. Its mode is changed rather than refused: Kubernetes gives a
 * volume's group the right to write each time it is mounted (fsGroup). The sticky bit (/tmp, a tmpfs) serves as well.
 */
static bool keep_others_out(int fd, const char *path, const struct stat *facts)
{
    const mode_t writable = S_IWGRP | S_IWOTH;

    if ((facts->st_mode & writable) == 0 || (facts->st_mode & S_ISVTX) != 0)
        return true;
    if (fchmod(fd, facts->st_mode & 07777 & ~writable) != 0)
        return false;
    uex_log(UEX_LOG_WARN, UEX_EVENT_WORK_DIR_MADE_PRIVATE,
            "export.work_dir could be written by its group or by others; this right was taken away",
            UEX_STR("path", path));
    return true;
}

/* The work directory often is in /tmp, where everybody may have made something of its name before us. Ours or root's it
 * must be, and no link: O_NOFOLLOW looks at the last component only, so a slash at the end is taken off. A volume of
 * root's is taken as it is: a container's user cannot change it, and nobody else is there. What we make in it is
 * checked again. */
static enum uex_error open_work_dir(const char *work_dir, int *out, struct uex_fault *fault)
{
    char path[PATH_MAX];
    struct stat facts;
    size_t size_bytes = work_dir == NULL ? 0 : strnlen(work_dir, sizeof(path));

    while (size_bytes > 1 && work_dir[size_bytes - 1] == '/')
        size_bytes--;
    if (size_bytes == 0 || size_bytes >= sizeof(path))
        return uex_fail(fault, UEX_CONFIG, "export.work_dir is empty or too long");
    memcpy(path, work_dir, size_bytes);
    path[size_bytes] = '\0';
    if (!make_folders(path))
        return uex_fail(fault, UEX_CONFIG, "export.work_dir %s cannot be made: %m", path);
    if (lstat(path, &facts) == 0 && S_ISLNK(facts.st_mode))
        return uex_fail(fault, UEX_CONFIG, "export.work_dir %s is a symbolic link; name its target", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return uex_fail(fault, UEX_CONFIG, "export.work_dir %s cannot be opened: %m", path);
    if (fstat(fd, &facts) != 0 || (facts.st_uid != geteuid() && facts.st_uid != 0)) {
        (void)close(fd);
        return uex_fail(fault, UEX_CONFIG, "export.work_dir %s belongs to user %u, neither to user %u nor to root",
                        path, (unsigned)facts.st_uid, (unsigned)geteuid());
    }
    if (facts.st_uid == geteuid() && !keep_others_out(fd, path, &facts)) {
        (void)uex_fail(fault, UEX_CONFIG,
                       "export.work_dir %s can be written by others, and its mode cannot be changed: %m", path);
        (void)close(fd);
        return UEX_CONFIG;
    }
    *out = fd;
    return UEX_OK;
}

/* Open a process folder and take its lock. -1: it is not ours, not a folder, or somebody lives in it. */
static int open_and_lock(int work_fd, const char *name)
{
    struct stat facts;
    int fd = openat(work_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (fstat(fd, &facts) == 0 && facts.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void remove_files(int fd)
{
    int listing_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = listing_fd < 0 ? NULL : fdopendir(listing_fd);

    if (listing == NULL) {
        if (listing_fd >= 0)
            (void)close(listing_fd);
        return;
    }
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing))
        (void)unlinkat(fd, entry->d_name, 0); /* "." and ".." are no files */
    (void)closedir(listing);
}

static bool is_process_folder(const char *name)
{
    char uuid[UEX_UUID_TEXT_SIZE];

    return strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
           uex_uuid_parse(name + strlen(PREFIX), strlen(name + strlen(PREFIX)), uuid);
}

/* The lock is held until the folder is gone, so that an owner who makes it at this moment sees that he has lost it. */
static void remove_dead(int work_fd)
{
    int listing_fd = openat(work_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = listing_fd < 0 ? NULL : fdopendir(listing_fd);

    if (listing == NULL) {
        if (listing_fd >= 0)
            (void)close(listing_fd);
        return;
    }
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        if (!is_process_folder(entry->d_name))
            continue;
        int fd = open_and_lock(work_fd, entry->d_name);
        if (fd < 0)
            continue;
        remove_files(fd);
        (void)unlinkat(work_fd, entry->d_name, AT_REMOVEDIR);
        (void)close(fd);
    }
    (void)closedir(listing);
}

/* Between mkdir and flock another process may take the new folder for a dead one and remove it: then again. */
static bool make_own_folder(struct uex_spool_dir *dir)
{
    for (int made = 0; made < TRIES; made++) {
        char uuid[UEX_UUID_TEXT_SIZE];
        struct stat facts, named;

        uex_uuid_random(uuid);
        (void)snprintf(dir->name, sizeof(dir->name), PREFIX "%s", uuid);
        if (mkdirat(dir->work_fd, dir->name, 0700) != 0) {
            if (errno == EEXIST)
                continue;
            return false;
        }
        dir->own_fd = open_and_lock(dir->work_fd, dir->name);
        if (dir->own_fd < 0)
            continue;
        if (fstatat(dir->work_fd, dir->name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(dir->own_fd, &facts) == 0 &&
            facts.st_ino == named.st_ino && facts.st_dev == named.st_dev && fchmod(dir->own_fd, 0700) == 0)
            return true;
        (void)close(dir->own_fd);
        dir->own_fd = -1;
    }
    errno = EAGAIN;
    return false;
}

enum uex_error uex_spool_dir_open(const char *work_dir, struct uex_spool_dir **out, struct uex_fault *fault)
{
    struct uex_spool_dir *dir = calloc(1, sizeof(*dir));
    enum uex_error error;

    *out = NULL;
    if (dir == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the spool");
    dir->work_fd = -1;
    dir->own_fd = -1;
    error = open_work_dir(work_dir, &dir->work_fd, fault);
    if (error != UEX_OK)
        goto done;
    remove_dead(dir->work_fd);
    if (!make_own_folder(dir)) {
        error = uex_fail(fault, UEX_CONFIG, "export.work_dir %s cannot be written: %m", work_dir);
        goto done;
    }
    if (asprintf(&dir->path, "%s/%s", work_dir, dir->name) < 0) {
        dir->path = NULL;
        error = uex_fail(fault, UEX_NO_MEMORY, "no memory for the spool");
        goto done;
    }
    *out = dir;
    dir = NULL;
done:
    uex_spool_dir_close(dir);
    return error;
}

void uex_spool_dir_close(struct uex_spool_dir *dir)
{
    if (dir == NULL)
        return;
    if (dir->own_fd >= 0) {
        remove_files(dir->own_fd);
        (void)unlinkat(dir->work_fd, dir->name, AT_REMOVEDIR);
        (void)close(dir->own_fd);
    }
    if (dir->work_fd >= 0)
        (void)close(dir->work_fd);
    free(dir->path);
    free(dir);
}

int uex_spool_dir_new_file(struct uex_spool_dir *dir, char name[UEX_SPOOL_NAME_SIZE])
{
    unsigned number = __atomic_add_fetch(&dir->file_count, 1, __ATOMIC_RELAXED);

    (void)snprintf(name, UEX_SPOOL_NAME_SIZE, "%u", number);
    int fd = openat(dir->own_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && unlinkat(dir->own_fd, name, 0) == 0)
        name[0] = '\0';
    return fd;
}

void uex_spool_dir_remove(struct uex_spool_dir *dir, const char *name)
{
    if (name[0] != '\0')
        (void)unlinkat(dir->own_fd, name, 0);
}

bool uex_spool_dir_reserve(struct uex_spool_dir *dir, size_t size_bytes)
{
    if (atomic_fetch_add(&dir->memory_bytes, size_bytes) + size_bytes <= UEX_SPOOL_TOTAL_BYTES)
        return true;
    (void)atomic_fetch_sub(&dir->memory_bytes, size_bytes);
    return false;
}

void uex_spool_dir_release(struct uex_spool_dir *dir, size_t size_bytes)
{
    (void)atomic_fetch_sub(&dir->memory_bytes, size_bytes);
}

const char *uex_spool_dir_path(const struct uex_spool_dir *dir)
{
    return dir->path;
}
