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

#define READ_BYTES ((size_t)256 << 10)
#define NAMES_MAX 1000000 /* entries looked at in one directory; a bound, not a limit of use */

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
