/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/text.h"
#include "store/file_store.h"

#define FILE_MODE 0640
#define NAME_TRIES 8

struct file_writer {
    struct uex_object_writer base; /* first: the writer is handed out as this */
    struct uex_file_store *store;
    char *key;
    const char *name; /* last segment of `key` */
    int directory_fd, fd;
    char part_name[UEX_FILE_NAME_SIZE];      /* of the object being written; "" once it is gone */
    char meta_part_name[UEX_FILE_NAME_SIZE]; /* of its metadata; the same */
};

static void writer_free(struct file_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->part_name[0] != '\0')
        (void)unlinkat(writer->directory_fd, writer->part_name, 0);
    if (writer->meta_part_name[0] != '\0')
        (void)unlinkat(writer->directory_fd, writer->meta_part_name, 0);
    if (writer->directory_fd >= 0)
        close(writer->directory_fd);
    uex_digest_free(writer->base.digest);
    free(writer->key);
    free(writer);
}

/* ".<name>.<random>.part": hidden, and found again by abort_incomplete(). */
static bool make_part_name(const struct file_writer *writer, char out[UEX_FILE_NAME_SIZE])
{
    char random[UEX_UUID_TEXT_SIZE], before[UEX_FILE_NAME_SIZE], after[UEX_UUID_TEXT_SIZE + 8];

    uex_uuid_random(random);
    snprintf(after, sizeof(after), ".%.8s%s", random, UEX_FILE_PART_SUFFIX);
    return uex_file_name(before, ".", writer->name, "") && uex_file_name(out, before, after, "");
}

static enum uex_error open_part(struct file_writer *writer, struct uex_fault *fault)
{
    for (int tries = 0; tries < NAME_TRIES; tries++) {
        if (!make_part_name(writer, writer->part_name)) {
            writer->part_name[0] = '\0';
            return uex_fail(fault, UEX_LIMIT, "an object's name is too long for a file");
        }
        writer->fd =
            openat(writer->directory_fd, writer->part_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
        if (writer->fd >= 0)
            return UEX_OK;
        if (errno != EEXIST)
            break;
    }
    writer->part_name[0] = '\0';
    return uex_file_fail(writer->store, fault, errno, "making an object's file", UEX_STORE_BUCKET);
}

enum uex_error uex_file_begin(struct uex_object_store *base, const char *key, struct uex_object_writer **out,
                              struct uex_fault *fault)
{
    struct file_writer *writer = calloc(1, sizeof(*writer));
    enum uex_error err;

    if (writer == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for an object");
    writer->store = (struct uex_file_store *)base;
    writer->base.store = base;
    writer->base.meta.row_count = UEX_UNKNOWN;
    writer->base.meta.version = writer->store->version;
    writer->directory_fd = writer->fd = -1;
    writer->base.digest = uex_digest_new();
    writer->key = uex_text_copy(uex_bytes_of_text(key));
    if (writer->base.digest == NULL || writer->key == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for an object");
    else
        err = uex_file_open_directory(writer->store, writer->key, true, &writer->directory_fd, &writer->name, fault);
    if (err == UEX_OK)
        err = open_part(writer, fault);
    if (err != UEX_OK) {
        writer_free(writer);
        return err;
    }
    *out = &writer->base;
    return UEX_OK;
}

void uex_file_set_tags(struct uex_object_writer *base, const struct uex_object_tags *tags)
{
    base->meta.tags = *tags;
    base->meta.has_tags = true;
}

enum uex_error uex_file_write(struct uex_object_writer *base, struct uex_bytes data, struct uex_fault *fault)
{
    struct file_writer *writer = (struct file_writer *)base;

    if (uex_digest_add(base->digest, data) != UEX_OK)
        return uex_fail(fault, UEX_NO_MEMORY, "the digest of an object failed");
    while (data.size_bytes > 0) {
        if (uex_cancel_requested(base->store->cancel))
            return uex_fail(fault, UEX_CANCELLED, "writing an object was cancelled");
        ssize_t size = write(writer->fd, data.data, data.size_bytes);
        if (size < 0 && errno != EINTR)
            return uex_file_fail(writer->store, fault, errno, "writing an object", UEX_STORE_BUCKET);
        if (size > 0) {
            base->size_bytes += (uint64_t)size;
            data.data += size;
            data.size_bytes -= (size_t)size;
        }
    }
    return UEX_OK;
}

/* Put the metadata and then the object in their places; the directory is locked. */
static enum uex_error link_both(struct file_writer *writer, const char *meta_name, struct uex_fault *fault)
{
    int fd = writer->directory_fd;

    if (faccessat(fd, writer->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return uex_fail(fault, UEX_OBJECT_EXISTS, "the object's name is taken");
    /* There is no object, so metadata that are here belong to a writer that died: replace them. */
    if (renameat(fd, writer->meta_part_name, fd, meta_name) != 0)
        return uex_file_fail(writer->store, fault, errno, "publishing an object's metadata", UEX_STORE_RACE);
    writer->meta_part_name[0] = '\0';
    if (uex_file_sync_directory(fd) == 0 && uex_file_publish(fd, writer->part_name, writer->name) == 0)
        return uex_file_sync_directory(fd) == 0
                   ? UEX_OK
                   : uex_file_fail(writer->store, fault, errno, "publishing an object", UEX_STORE_RACE);
    /* ENOENT: another attempt deleted our file as incomplete. EEXIST: a program that does not use the lock. */
    enum uex_error err = uex_file_fail(writer->store, fault, errno, "publishing an object", UEX_STORE_RACE);
    (void)unlinkat(fd, meta_name, 0);
    return err;
}

static enum uex_error publish(struct file_writer *writer, struct uex_fault *fault)
{
    char meta_name[UEX_FILE_NAME_SIZE];
    enum uex_error err;

    if (fsync(writer->fd) != 0)
        return uex_file_fail(writer->store, fault, errno, "syncing an object", UEX_STORE_BUCKET);
    int closed = close(writer->fd);
    writer->fd = -1;
    if (closed != 0)
        return uex_file_fail(writer->store, fault, errno, "closing an object", UEX_STORE_BUCKET);
    if (!uex_file_name(meta_name, "", writer->name, UEX_FILE_META_SUFFIX) ||
        !make_part_name(writer, writer->meta_part_name)) {
        writer->meta_part_name[0] = '\0';
        return uex_fail(fault, UEX_LIMIT, "an object's name is too long for a file");
    }
    err = uex_file_meta_write(writer->store, writer->directory_fd, writer->meta_part_name, &writer->base.meta, fault);
    if (err == UEX_OK)
        err = uex_file_lock(writer->store, writer->directory_fd, fault);
    return err == UEX_OK ? link_both(writer, meta_name, fault) : err;
}

enum uex_error uex_file_commit(struct uex_object_writer *base, uint64_t row_count, struct uex_object_facts *facts,
                               struct uex_fault *fault)
{
    struct file_writer *writer = (struct file_writer *)base;
    char *url = uex_file_url(writer->store, writer->key);
    enum uex_error err = UEX_OK;

    uex_object_facts_init(facts);
    base->meta.row_count = row_count;
    if (url == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for an object's URL");
    else if (uex_cancel_requested(base->store->cancel))
        err = uex_fail(fault, UEX_CANCELLED, "publishing an object was cancelled");
    else if (uex_digest_finish(base->digest, base->meta.sha256) != UEX_OK)
        err = uex_fail(fault, UEX_NO_MEMORY, "the digest of an object failed");
    base->meta.has_sha256 = err == UEX_OK;
    if (err == UEX_OK)
        err = publish(writer, fault);
    if (err == UEX_OK)
        uex_object_facts_written(facts, url, &base->meta, base->size_bytes);
    else
        free(url);
    writer_free(writer);
    return err;
}

void uex_file_abort(struct uex_object_writer *base)
{
    if (base != NULL)
        writer_free((struct file_writer *)base);
}
