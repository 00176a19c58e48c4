/* SPDX-License-Identifier: Apache-2.0 */
#include "export/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/spool_dir.h"

#define TAIL_BYTES ((size_t)256 << 10) /* what gathers in memory before it goes to the file */

/* The bytes are those of the file and then those in memory. */
struct uex_spool {
    struct uex_spool_dir *dir; /* borrowed */
    int fd;                    /* -1: all in memory */
    char name[UEX_SPOOL_NAME_SIZE];
    uint64_t file_bytes;
    struct uex_buffer memory;
};

enum uex_error uex_spool_new(struct uex_spool_dir *dir, struct uex_spool **out, struct uex_fault *fault)
{
    struct uex_spool *spool = calloc(1, sizeof(*spool));

    *out = spool;
    if (spool == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a spool");
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
            return uex_fail(fault, UEX_SPOOL, "writing to %s: %m", uex_spool_dir_path(spool->dir));
        data.data += written;
        data.size_bytes -= (size_t)written;
        at += (uint64_t)written;
    }
    return UEX_OK;
}

static enum uex_error open_file(struct uex_spool *spool, struct uex_fault *fault)
{
    if (spool->fd < 0)
        spool->fd = uex_spool_dir_new_file(spool->dir, spool->name);
    if (spool->fd < 0)
        return uex_fail(fault, UEX_SPOOL, "a new file in %s: %m", uex_spool_dir_path(spool->dir));
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
    uex_spool_dir_release(spool->dir, memory.size_bytes);
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
        !uex_spool_dir_reserve(spool->dir, data.size_bytes))
        return flush(spool, data, fault);
    uex_buffer_append(&spool->memory, data.data, data.size_bytes);
    if (uex_buffer_failed(&spool->memory)) {
        uex_spool_dir_release(spool->dir, data.size_bytes);
        spool->memory.failed = false; /* it is as it was */
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the spool");
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
            return uex_fail(fault, UEX_SPOOL, "reading from %s: %m", uex_spool_dir_path(spool->dir));
        if (got == 0)
            return uex_fail(fault, UEX_SPOOL, "a file in %s became shorter", uex_spool_dir_path(spool->dir));
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
        return uex_fail(fault, UEX_INTERNAL, "a range outside of the spool was asked for");
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
    uex_spool_dir_release(spool->dir, spool->memory.size_bytes);
    if (spool->fd >= 0) {
        uex_spool_dir_remove(spool->dir, spool->name);
        (void)close(spool->fd);
    }
    uex_buffer_clear(&spool->memory);
    free(spool);
}
