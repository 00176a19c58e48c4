/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/text.h"
#include "store/file_store.h"

#define DIRECTORY_MODE 0750
#define READ_BYTES ((size_t)256 << 10)
#define LOCK_WAIT_MS 10000
#define LOCK_SLICE_MS 20
#define NAMES_MAX 1000000 /* entries looked at in one directory; a bound, not a limit of use */

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
        /* The whole store, which is everybody's trouble, or this object's directory alone? */
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

/* Open the entry `name` of a directory as a directory, making it if it may be. */
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

/* Go down `path`, all of it directories, from `fd`, which is closed. -1 with errno. */
static int descend(int fd, const char *path, size_t path_size, bool make)
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
    *directory_fd = descend(fd, key, slash == NULL ? 0 : (size_t)(slash - key), make);
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
            return uex_fail(fault, UEX_CANCELLED, "publishing an object was given up");
    }
    return UEX_OK;
}

static enum uex_error prepare(struct uex_object_store *base, struct uex_fault *fault)
{
    struct uex_file_store *store = (struct uex_file_store *)base;
    struct stat status;

    if (stat(store->directory, &status) == 0)
        return base->probe(base, fault);
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        fd = descend(fd, store->directory + 1, strlen(store->directory + 1), true);
    if (fd < 0)
        return uex_fail(fault, UEX_STORE_BUCKET, "the directory of storage.url is not there and cannot be made: %s",
                        strerrordesc_np(errno));
    close(fd);
    return base->probe(base, fault);
}

static enum uex_error find(struct uex_object_store *base, const char *key, struct uex_object_facts *facts,
                           struct uex_fault *fault)
{
    struct uex_file_store *store = (struct uex_file_store *)base;
    char meta_name[UEX_FILE_NAME_SIZE];
    const char *name = NULL;
    struct stat status;
    int fd = -1;
    enum uex_error err;

    uex_object_facts_init(facts);
    err = uex_file_open_directory(store, key, false, &fd, &name, fault);
    if (err != UEX_OK)
        return err;
    if (fstatat(fd, name, &status, 0) != 0) {
        err = uex_file_fail(store, fault, errno, "looking for an object", UEX_NOT_FOUND);
        goto done;
    }
    if (!S_ISREG(status.st_mode)) {
        err = uex_fail(fault, UEX_OBJECT_CONFLICT, "what stands under the object's name is not a file");
        goto done;
    }
    facts->size_bytes = (uint64_t)status.st_size;
    if (uex_file_name(meta_name, "", name, UEX_FILE_META_SUFFIX))
        err = uex_file_meta_read(fd, meta_name, facts);
    if (err == UEX_NO_MEMORY) {
        err = uex_fail(fault, err, "no memory for an object's metadata");
        goto done;
    }
    facts->url = uex_file_url(store, key);
    if (facts->url == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for an object's URL");
done:
    close(fd);
    return err;
}

static enum uex_error copy_out(struct uex_file_store *store, int fd, struct uex_sink sink, struct uex_fault *fault)
{
    uint8_t *buffer = malloc(READ_BYTES);
    enum uex_error err = UEX_OK;
    ssize_t size;

    if (buffer == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for reading an object");
    do {
        if (uex_cancel_requested(store->base.cancel)) {
            err = uex_fail(fault, UEX_CANCELLED, "reading an object was given up");
            break;
        }
        size = read(fd, buffer, READ_BYTES);
        if (size > 0)
            err = sink.write(sink.context, uex_bytes_of(buffer, (size_t)size));
        if (size > 0 && err != UEX_OK)
            (void)uex_fail(fault, err, "the reader of an object stopped");
        if (size < 0 && errno != EINTR)
            err = uex_file_fail(store, fault, errno, "reading an object", UEX_STORE_FAILED);
    } while (err == UEX_OK && size != 0);
    free(buffer);
    return err;
}

static enum uex_error read_object(struct uex_object_store *base, const char *key, struct uex_sink sink,
                                  struct uex_fault *fault)
{
    struct uex_file_store *store = (struct uex_file_store *)base;
    const char *name = NULL;
    int directory_fd = -1;
    enum uex_error err = uex_file_open_directory(store, key, false, &directory_fd, &name, fault);

    if (err != UEX_OK)
        return err;
    int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would block for ever */
    if (fd < 0)
        err = uex_file_fail(store, fault, errno, "opening an object", UEX_NOT_FOUND);
    else
        err = copy_out(store, fd, sink, fault);
    if (fd >= 0)
        close(fd);
    close(directory_fd);
    return err;
}

/* ".<name>.<anything>.part" */
static bool is_part_of(const char *entry, const char *name)
{
    size_t name_size = strlen(name), entry_size = strlen(entry), suffix_size = strlen(UEX_FILE_PART_SUFFIX);

    return entry_size > name_size + 2 + suffix_size && entry[0] == '.' && memcmp(entry + 1, name, name_size) == 0 &&
           entry[name_size + 1] == '.' && strcmp(entry + entry_size - suffix_size, UEX_FILE_PART_SUFFIX) == 0;
}

static enum uex_error remove_parts(struct uex_file_store *store, int directory_fd, const char *name,
                                   struct uex_fault *fault)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    enum uex_error err = UEX_OK;
    struct dirent *entry;

    if (entries == NULL) {
        err = uex_file_fail(store, fault, errno, "listing an object's directory", UEX_STORE_BUCKET);
        if (fd >= 0)
            close(fd);
        return err;
    }
    for (size_t count = 0; err == UEX_OK && count < NAMES_MAX && (entry = readdir(entries)) != NULL; count++)
        if (is_part_of(entry->d_name, name) && unlinkat(fd, entry->d_name, 0) != 0 && errno != ENOENT)
            err = uex_file_fail(store, fault, errno, "removing an unfinished file", UEX_STORE_FAILED);
    closedir(entries);
    return err;
}

/* Metadata of an object that never came. Under the lock, so as not to take those of a writer between the two steps; if
 * that takes long, they stay: the next writer replaces them. */
static void remove_orphan_meta(struct uex_file_store *store, int directory_fd, const char *name)
{
    char meta_name[UEX_FILE_NAME_SIZE];

    if (!uex_file_name(meta_name, "", name, UEX_FILE_META_SUFFIX) || faccessat(directory_fd, meta_name, F_OK, 0) != 0 ||
        uex_file_lock(store, directory_fd, NULL) != UEX_OK)
        return;
    if (faccessat(directory_fd, name, F_OK, 0) != 0 && errno == ENOENT)
        (void)unlinkat(directory_fd, meta_name, 0);
}

static enum uex_error abort_leftovers(struct uex_object_store *base, const char *key, struct uex_fault *fault)
{
    struct uex_file_store *store = (struct uex_file_store *)base;
    const char *name = NULL;
    int fd = -1;
    enum uex_error err = uex_file_open_directory(store, key, false, &fd, &name, fault);

    if (err != UEX_OK)
        return err == UEX_NOT_FOUND ? UEX_OK : err;
    err = remove_parts(store, fd, name, fault);
    if (err == UEX_OK)
        remove_orphan_meta(store, fd, name);
    close(fd);
    return err;
}

static enum uex_error remove_object(struct uex_object_store *base, const char *key, struct uex_fault *fault)
{
    struct uex_file_store *store = (struct uex_file_store *)base;
    char meta_name[UEX_FILE_NAME_SIZE];
    const char *name = NULL;
    int fd = -1;
    enum uex_error err = uex_file_open_directory(store, key, false, &fd, &name, fault);

    if (err != UEX_OK)
        return err == UEX_NOT_FOUND ? UEX_OK : err;
    if (unlinkat(fd, name, 0) != 0 && errno != ENOENT)
        err = uex_file_fail(store, fault, errno, "removing an object", UEX_STORE_FAILED);
    else if (uex_file_name(meta_name, "", name, UEX_FILE_META_SUFFIX) && unlinkat(fd, meta_name, 0) != 0 &&
             errno != ENOENT)
        err = uex_file_fail(store, fault, errno, "removing an object's metadata", UEX_STORE_FAILED);
    close(fd);
    return err;
}

static void destroy(struct uex_object_store *base)
{
    struct uex_file_store *store = (struct uex_file_store *)base;

    if (store == NULL)
        return;
    free(store->directory);
    free(store);
}

enum uex_error uex_file_store_new(const char *directory, const char *domain_id, struct uex_object_store **out,
                                  struct uex_fault *fault)
{
    struct uex_file_store *store = calloc(1, sizeof(*store));

    if (store == NULL || (store->directory = uex_text_copy(uex_bytes_of_text(directory))) == NULL) {
        free(store);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
    }
    store->domain_id = domain_id;
    store->base = (struct uex_object_store){.prepare = prepare,
                                            .probe = uex_file_probe,
                                            .find = find,
                                            .read = read_object,
                                            .abort_leftovers = abort_leftovers,
                                            .remove = remove_object,
                                            .begin = uex_file_begin,
                                            .write = uex_file_write,
                                            .set_tags = uex_file_set_tags,
                                            .commit = uex_file_commit,
                                            .abort = uex_file_abort,
                                            .destroy = destroy};
    *out = &store->base;
    return UEX_OK;
}
