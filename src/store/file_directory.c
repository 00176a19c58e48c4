/* SPDX-License-Identifier: Apache-2.0 */
/* The directory that an object is in: open it, lock it, sync it, publish a file in it; what errno means there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/file_store.h"

#define DIRECTORY_MODE 0750
#define LOCK_WAIT_MS 10000
#define LOCK_SLICE_MS 20

enum uex_error uex_file_fail(const struct uex_file_store *store, struct uex_fault *fault, int error_number,
                             const char *what, enum uex_error missing)
{
    enum uex_error error;

    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        error = UEX_STORE_FULL;
        break;
    case ENOENT:
        error = missing;
        break;
    case ENAMETOOLONG:
        error = UEX_LIMIT;
        break;
    case EEXIST:
        error = UEX_OBJECT_EXISTS;
        break;
    case EROFS:
        error = UEX_STORE_BUCKET;
        break;
    case EACCES:
    case EPERM:
        /* Is it the whole store, which is an outage, or this object's directory alone? */
        error = access(store->directory, R_OK | W_OK | X_OK) == 0 ? UEX_STORE_DENIED : UEX_STORE_BUCKET;
        break;
    case ENOMEM:
        error = UEX_NO_MEMORY;
        break;
    default:
        error = UEX_STORE_FAILED;
    }
    return uex_fail(fault, error, "%s: %s", what, strerrordesc_np(error_number));
}

static bool is_unsupported(int error_number)
{
    return error_number == EPERM || error_number == EINVAL || error_number == ENOSYS || error_number == EOPNOTSUPP;
}

int uex_file_publish(int directory_fd, const char *part_name, const char *name)
{
    if (linkat(directory_fd, part_name, directory_fd, name, 0) == 0)
        return 0;
    if (!is_unsupported(errno))
        return -1;
    if (renameat2(directory_fd, part_name, directory_fd, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (is_unsupported(errno))
        errno = EOPNOTSUPP;
    return -1;
}

int uex_file_sync_directory(int directory_fd)
{
    if (fsync(directory_fd) == 0)
        return 0;
    return is_unsupported(errno) ? syncfs(directory_fd) : -1;
}

/* Open the entry `name` of a directory as a directory; if `make`, create it where it is missing. */
static int open_entry(int above_fd, const char *name, bool make)
{
    int fd = openat(above_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    if (mkdirat(above_fd, name, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return -1;
    (void)!uex_file_sync_directory(above_fd); /* the new name must outlast a crash as the object in it does */
    return openat(above_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int uex_file_descend(int fd, const char *path, size_t path_size, bool make)
{
    while (fd >= 0 && path_size > 0) {
        char name[UEX_FILE_NAME_SIZE];
        const char *slash = memchr(path, '/', path_size);
        size_t size = slash == NULL ? path_size : (size_t)(slash - path);
        int next = -1;

        if (size >= sizeof(name)) {
            errno = ENAMETOOLONG;
        } else {
            memcpy(name, path, size);
            name[size] = '\0';
            next = open_entry(fd, name, make);
        }
        int error_number = errno;
        close(fd);
        errno = error_number;
        fd = next;
        path += size + (slash != NULL);
        path_size -= size + (slash != NULL);
    }
    return fd;
}

enum uex_error uex_file_open_directory(const struct uex_file_store *store, const char *key, bool make,
                                       int *directory_fd, const char **name, struct uex_fault *fault)
{
    if (!uex_object_key_valid(key))
        return uex_fail(fault, UEX_INTERNAL, "an object key with empty or relative segments");
    int fd = open(store->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return uex_file_fail(store, fault, errno, "opening the directory of storage.url", UEX_STORE_BUCKET);
    const char *slash = strrchr(key, '/');
    *name = slash == NULL ? key : slash + 1;
    *directory_fd = uex_file_descend(fd, key, slash == NULL ? 0 : (size_t)(slash - key), make);
    if (*directory_fd < 0)
        return uex_file_fail(store, fault, errno, "opening an object's directory",
                             make ? UEX_STORE_BUCKET : UEX_NOT_FOUND);
    return UEX_OK;
}

bool uex_file_name(char out[UEX_FILE_NAME_SIZE], const char *before, const char *name, const char *after)
{
    int size = snprintf(out, UEX_FILE_NAME_SIZE, "%s%s%s", before, name, after);
    return size > 0 && size < UEX_FILE_NAME_SIZE;
}

char *uex_file_url(const struct uex_file_store *store, const char *key)
{
    struct uex_buffer url = {0};
    const char *const parts[] = {store->directory, "/", key};

    uex_buffer_append_text(&url, "file://");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (const char *at = parts[i]; *at != '\0'; at++)
            uex_buffer_append(&url, *at == '%' ? "%25" : at, *at == '%' ? 3 : 1);
    if (uex_buffer_failed(&url))
        uex_buffer_clear(&url);
    return (char *)url.data;
}

enum uex_error uex_file_lock(const struct uex_file_store *store, int directory_fd, struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + LOCK_WAIT_MS;

    while (flock(directory_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return UEX_OK; /* no such lock here, as on some network file systems */
        if (uex_monotonic_ms() >= until_ms)
            return uex_fail(fault, UEX_STORE_UNAVAILABLE, "another writer holds the lock of an object's directory");
        if (!uex_sleep_ms(LOCK_SLICE_MS, store->base.cancel))
            return uex_fail(fault, UEX_CANCELLED, "publishing an object was cancelled");
    }
    return UEX_OK;
}
