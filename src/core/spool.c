/* SPDX-License-Identifier: Apache-2.0 */
#include "export/spool.h"

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

#define TAIL_BYTES ((size_t)256 << 10) /* what gathers in memory before it goes to the file */

struct uex_spool_dir {
    int fd;
    char *path;                  /* owned */
    _Atomic size_t memory_bytes; /* that the spools of this directory hold in memory */
};

/* ---- the directory */

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

/* Nobody else may write to our own directory. Its mode is changed rather than refused: Kubernetes gives a volume's
 * group the right to write each time it is mounted (fsGroup). The sticky bit (/tmp, a tmpfs) serves as well. */
static bool keep_others_out(int fd, const char *path, const struct stat *facts)
{
    const mode_t writable = S_IWGRP | S_IWOTH;

    if ((facts->st_mode & writable) == 0 || (facts->st_mode & S_ISVTX) != 0)
        return true;
    if (fchmod(fd, facts->st_mode & 07777 & ~writable) != 0)
        return false;
    uex_log(UEX_LOG_WARN, UEX_EVENT_WORK_DIR_MADE_PRIVATE,
            "others could write to export.work_dir; removed the write permission of group and others",
            UEX_STR("path", path));
    return true;
}

/* The work directory often is in /tmp, where anybody may have made something of its name before us. It must be ours or
 * root's, and no link: O_NOFOLLOW looks at the last component only, so a slash at the end is taken off. A volume of
 * root is taken as it is: a container's user cannot change it, and nobody else is there. */
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
        return uex_fail(fault, UEX_CONFIG, "export.work_dir %s cannot be created: %m", path);
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

/* Says errno that another way of making a file would meet the same? */
static bool is_shortage(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOSPC || code == EDQUOT || code == EROFS ||
           code == EACCES;
}

/* A file without a name, open for reading and writing; it goes with its descriptor. -1 with errno. Where the file
 * system knows no O_TMPFILE (NFS, some FUSE), the file has a name for a moment; which errno says so differs (open(2)
 * has EOPNOTSUPP, EISDIR and ENOENT). */
static int new_file(const struct uex_spool_dir *dir)
{
    char name[sizeof("spool-") + UEX_UUID_TEXT_SIZE] = "spool-";
    int fd = openat(dir->fd, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || is_shortage(errno))
        return fd;
    uex_uuid_random(name + strlen(name));
    fd = openat(dir->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && unlinkat(dir->fd, name, 0) != 0) {
        const int reason = errno;

        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* Can files be made? */
static bool try_file(const struct uex_spool_dir *dir)
{
    const int fd = new_file(dir);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

enum uex_error uex_spool_dir_open(const char *work_dir, struct uex_spool_dir **out, struct uex_fault *fault)
{
    struct uex_spool_dir *dir = calloc(1, sizeof(*dir));
    enum uex_error error = UEX_OK;

    *out = NULL;
    if (dir == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the spool");
    dir->fd = -1;
    error = open_work_dir(work_dir, &dir->fd, fault);
    if (error == UEX_OK && (dir->path = strdup(work_dir)) == NULL)
        error = uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the spool");
    if (error == UEX_OK && !try_file(dir))
        error = uex_fail(fault, UEX_CONFIG, "export.work_dir %s cannot be written: %m", work_dir);
    if (error != UEX_OK) {
        uex_spool_dir_close(dir);
        return error;
    }
    /* While it is locked, systemd-tmpfiles leaves an idle directory in /tmp alone. */
    (void)flock(dir->fd, LOCK_SH | LOCK_NB);
    *out = dir;
    return UEX_OK;
}

void uex_spool_dir_close(struct uex_spool_dir *dir)
{
    if (dir == NULL)
        return;
    if (dir->fd >= 0)
        (void)close(dir->fd);
    free(dir->path);
    free(dir);
}

/* Take from the memory that all spools of the directory share. False: it is used up, and nothing was taken. */
static bool reserve(struct uex_spool_dir *dir, size_t size_bytes)
{
    if (atomic_fetch_add(&dir->memory_bytes, size_bytes) + size_bytes <= UEX_SPOOL_TOTAL_BYTES)
        return true;
    (void)atomic_fetch_sub(&dir->memory_bytes, size_bytes);
    return false;
}

static void release(struct uex_spool_dir *dir, size_t size_bytes)
{
    (void)atomic_fetch_sub(&dir->memory_bytes, size_bytes);
}

/* ---- one spool */

/* The bytes are those of the file and then those in memory. */
struct uex_spool {
    struct uex_spool_dir *dir; /* borrowed */
    int fd;                    /* -1: all in memory */
    uint64_t file_bytes;
    struct uex_buffer memory;
};

enum uex_error uex_spool_new(struct uex_spool_dir *dir, struct uex_spool **out, struct uex_fault *fault)
{
    struct uex_spool *spool = calloc(1, sizeof(*spool));

    *out = spool;
    if (spool == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a spool");
    spool->dir = dir;
    spool->fd = -1;
    spool->memory.cap_bytes = UEX_SPOOL_MEMORY_BYTES;
    return UEX_OK;
}

/* Behind file_bytes, which is raised only when all is there: after a failure the spool is as it was. */
static enum uex_error write_file(struct uex_spool *spool, struct uex_bytes data, uint64_t at, struct uex_fault *fault)
{
    while (data.size_bytes > 0) {
        ssize_t written = pwrite(spool->fd, data.data, data.size_bytes, (off_t)at);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return uex_fail(fault, UEX_SPOOL, "writing to %s: %m", spool->dir->path);
        data.data += written;
        data.size_bytes -= (size_t)written;
        at += (uint64_t)written;
    }
    return UEX_OK;
}

static enum uex_error open_file(struct uex_spool *spool, struct uex_fault *fault)
{
    if (spool->fd < 0)
        spool->fd = new_file(spool->dir);
    if (spool->fd < 0)
        return uex_fail(fault, UEX_SPOOL, "creating a file in %s: %m", spool->dir->path);
    return UEX_OK;
}

/* All that is in memory goes to the file, and with it `data`. */
static enum uex_error flush(struct uex_spool *spool, struct uex_bytes data, struct uex_fault *fault)
{
    struct uex_bytes memory = uex_buffer_bytes(&spool->memory);
    enum uex_error error = open_file(spool, fault);

    if (error == UEX_OK)
        error = write_file(spool, memory, spool->file_bytes, fault);
    if (error == UEX_OK)
        error = write_file(spool, data, spool->file_bytes + memory.size_bytes, fault);
    if (error != UEX_OK)
        return error;
    spool->file_bytes += memory.size_bytes + data.size_bytes;
    release(spool->dir, memory.size_bytes);
    /* What was kept for a whole small spool is given back; from now on only the tail is kept. */
    if (spool->memory.capacity_bytes > 2 * TAIL_BYTES)
        uex_buffer_clear(&spool->memory);
    else
        uex_buffer_reset(&spool->memory);
    return UEX_OK;
}

enum uex_error uex_spool_append(struct uex_spool *spool, struct uex_bytes data, struct uex_fault *fault)
{
    size_t room_bytes = spool->fd < 0 ? UEX_SPOOL_MEMORY_BYTES : TAIL_BYTES;

    if (data.size_bytes > room_bytes || spool->memory.size_bytes > room_bytes - data.size_bytes ||
        !reserve(spool->dir, data.size_bytes))
        return flush(spool, data, fault);
    uex_buffer_append(&spool->memory, data.data, data.size_bytes);
    if (uex_buffer_failed(&spool->memory)) {
        release(spool->dir, data.size_bytes);
        spool->memory.failed = false; /* it is as it was */
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the spool");
    }
    return UEX_OK;
}

uint64_t uex_spool_size_bytes(const struct uex_spool *spool)
{
    return spool->file_bytes + spool->memory.size_bytes;
}

static enum uex_error read_file(struct uex_spool *spool, uint64_t offset, uint8_t *out, size_t size_bytes,
                                struct uex_fault *fault)
{
    while (size_bytes > 0) {
        ssize_t got = pread(spool->fd, out, size_bytes, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return uex_fail(fault, UEX_SPOOL, "reading from %s: %m", spool->dir->path);
        if (got == 0)
            return uex_fail(fault, UEX_SPOOL, "a file in %s was truncated", spool->dir->path);
        out += got;
        offset += (uint64_t)got;
        size_bytes -= (size_t)got;
    }
    return UEX_OK;
}

enum uex_error uex_spool_read(struct uex_spool *spool, uint64_t offset, uint8_t *out, size_t size_bytes,
                              struct uex_fault *fault)
{
    uint64_t size_of_all = uex_spool_size_bytes(spool);

    if (offset > size_of_all || size_bytes > size_of_all - offset)
        return uex_fail(fault, UEX_INTERNAL, "internal error: range outside the spool");
    if (offset < spool->file_bytes && size_bytes > 0) {
        uint64_t there = spool->file_bytes - offset;
        size_t part_bytes = there < size_bytes ? (size_t)there : size_bytes;
        enum uex_error error = read_file(spool, offset, out, part_bytes, fault);

        if (error != UEX_OK)
            return error;
        out += part_bytes;
        offset += part_bytes;
        size_bytes -= part_bytes;
    }
    if (size_bytes > 0)
        memcpy(out, spool->memory.data + (offset - spool->file_bytes), size_bytes);
    return UEX_OK;
}

void uex_spool_free(struct uex_spool *spool)
{
    if (spool == NULL)
        return;
    release(spool->dir, spool->memory.size_bytes);
    if (spool->fd >= 0)
        (void)close(spool->fd);
    uex_buffer_clear(&spool->memory);
    free(spool);
}
