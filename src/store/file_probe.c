/* SPDX-License-Identifier: Apache-2.0 */
/* What a directory refuses to everybody: a file is written and published as an export's is, and removed. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file_store.h"

#define PROBE_NAME ".users-export-probe"

/* Where exports are made: the directory of export.domain_id once it is there, before that the store's. */
static int open_probe_directory(const struct uex_file_store *store)
{
    const int fd = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int domain_fd = -1;

    if (fd < 0 || store->domain_id == NULL || store->domain_id[0] == '\0')
        return fd;
    domain_fd = openat(fd, store->domain_id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (domain_fd < 0 && errno == ENOENT)
        return fd;
    int error_number = errno;
    close(fd);
    errno = error_number;
    return domain_fd;
}

/* Write and publish a file as a writer does. Other workers may do the same at this moment, and one that was killed may
 * have left its file: a name that is taken or gone is no failure. */
static int try_publishing(int directory_fd)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    int fd = -1, synced = -1;

    (void)unlinkat(directory_fd, PROBE_NAME, 0);
    (void)unlinkat(directory_fd, PROBE_NAME UEX_FILE_PART_SUFFIX, 0);
    fd = openat(directory_fd, PROBE_NAME UEX_FILE_PART_SUFFIX, flags, 0640);
    if (fd < 0)
        return errno == EEXIST ? 0 : -1;
    synced = write(fd, "0", 1) == 1 ? fsync(fd) : -1;
    int error_number = errno;
    close(fd);
    errno = error_number;
    if (synced != 0)
        return -1;
    if (uex_file_publish(directory_fd, PROBE_NAME UEX_FILE_PART_SUFFIX, PROBE_NAME) != 0 && errno != EEXIST &&
        errno != ENOENT)
        return -1;
    return uex_file_sync_directory(directory_fd);
}

static enum uex_error try_writing(const struct uex_file_store *store, struct uex_fault *fault)
{
    const int fd = open_probe_directory(store);
    enum uex_error err = UEX_OK;

    if (fd < 0 || try_publishing(fd) != 0)
        err = errno == EOPNOTSUPP ? uex_fail(fault, UEX_STORE_REFUSED,
                                             "the file system of storage.url can neither link files nor rename them "
                                             "without replacing others: use another one")
                                  : uex_file_fail(store, fault, errno, "writing a probe into the directory of exports",
                                                  UEX_STORE_BUCKET);
    if (fd >= 0) {
        (void)unlinkat(fd, PROBE_NAME UEX_FILE_PART_SUFFIX, 0);
        (void)unlinkat(fd, PROBE_NAME, 0);
        close(fd);
    }
    if (err == UEX_STORE_DENIED || err == UEX_STORE_FAILED) {
        err = UEX_STORE_REFUSED;
        if (fault != NULL)
            fault->error = err;
    }
    return err;
}

enum uex_error uex_file_probe(struct uex_object_store *base, struct uex_fault *fault)
{
    struct uex_file_store *store = (struct uex_file_store *)base;
    struct stat status;

    base->is_missing = false;
    if (stat(store->directory, &status) != 0) {
        base->is_missing = errno == ENOENT;
        return uex_fail(fault, UEX_STORE_BUCKET, "the directory of storage.url: %s", strerrordesc_np(errno));
    }
    if (!S_ISDIR(status.st_mode) || access(store->directory, R_OK | W_OK | X_OK) != 0)
        return uex_fail(fault, UEX_STORE_BUCKET, "the directory of storage.url cannot be entered and written");
    return try_writing(store, fault);
}
