/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/text.h"
#include "store/file_store.h"

#define PROBE_NAME ".users-export-probe"
#define READ_BYTES ((size_t)256 << 10)
#define NAMES_MAX 1000000 /* entries read of one directory at most */

/* ---- the probe: a file is written and published as an export's is, and removed */

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

/* Write and publish a file as a writer does. Another worker may do the same at this moment, and a killed one may have
 * left its file, so a name that is taken or gone is no failure. */
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

static enum uex_error probe(struct uex_object_store *base, struct uex_fault *fault)
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

/* ---- members of the store */

static enum uex_error prepare(struct uex_object_store *base, struct uex_fault *fault)
{
    struct uex_file_store *store = (struct uex_file_store *)base;
    struct stat status;

    if (stat(store->directory, &status) == 0)
        return base->probe(base, fault);
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        fd = uex_file_descend(fd, store->directory + 1, strlen(store->directory + 1), true);
    if (fd < 0)
        return uex_fail(fault, UEX_STORE_BUCKET,
                        "the directory of storage.url does not exist and cannot be created: %s",
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
        err = uex_fail(fault, UEX_OBJECT_CONFLICT, "the object's name is taken by something that is not a file");
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
            err = uex_fail(fault, UEX_CANCELLED, "reading an object was cancelled");
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
            err = uex_file_fail(store, fault, errno, "removing an incomplete file", UEX_STORE_FAILED);
    closedir(entries);
    return err;
}

/* Metadata whose object was never published. The lock keeps those of a writer that is between the two steps. If the
 * lock takes too long, they stay: the next writer replaces them. */
static void remove_orphan_meta(struct uex_file_store *store, int directory_fd, const char *name)
{
    char meta_name[UEX_FILE_NAME_SIZE];

    if (!uex_file_name(meta_name, "", name, UEX_FILE_META_SUFFIX) || faccessat(directory_fd, meta_name, F_OK, 0) != 0 ||
        uex_file_lock(store, directory_fd, NULL) != UEX_OK)
        return;
    if (faccessat(directory_fd, name, F_OK, 0) != 0 && errno == ENOENT)
        (void)unlinkat(directory_fd, meta_name, 0);
}

static enum uex_error abort_incomplete(struct uex_object_store *base, const char *key, struct uex_fault *fault)
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

enum uex_error uex_file_store_new(const char *directory, const char *domain_id, const char *version,
                                  struct uex_object_store **out, struct uex_fault *fault)
{
    struct uex_file_store *store = calloc(1, sizeof(*store));

    if (store == NULL || (store->directory = uex_text_copy(uex_bytes_of_text(directory))) == NULL) {
        free(store);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
    }
    store->domain_id = domain_id;
    store->version = version;
    store->base = (struct uex_object_store){.prepare = prepare,
                                            .probe = probe,
                                            .find = find,
                                            .read = read_object,
                                            .abort_incomplete = abort_incomplete,
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
