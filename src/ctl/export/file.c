/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/export/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum uex_error fail(struct uex_fault *fault, enum uex_error err, const char *path, const char *what)
{
    char reason[128];

    return uex_fail(fault, err, "%s: %s: %s", path, what, strerror_r(errno, reason, sizeof(reason)));
}

static enum uex_error open_stdout(struct uex_export_file *file, struct uex_fault *fault)
{
    if (isatty(STDOUT_FILENO))
        return uex_fail(fault, UEX_CONFIG,
                        "--output -: will not write binary data to a terminal; name a file or use a pipe");
    file->fd = STDOUT_FILENO;
    return UEX_OK;
}

static enum uex_error open_temporary(struct uex_export_file *file, struct uex_fault *fault)
{
    if (asprintf(&file->temporary, "%s.part-XXXXXX", file->path) < 0) {
        file->temporary = NULL;
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the file name");
    }
    file->fd = mkostemp(file->temporary, O_CLOEXEC);
    if (file->fd >= 0)
        return UEX_OK;
    free(file->temporary);
    file->temporary = NULL;
    return fail(fault, UEX_CONFIG, file->path, "cannot create a file there");
}

enum uex_error uex_export_file_open(struct uex_export_file *file, const char *path, bool force, struct uex_fault *fault)
{
    struct stat found = {0};

    *file = (struct uex_export_file){.path = path, .fd = -1, .force = force};
    if (strcmp(path, "-") == 0)
        return open_stdout(file, fault);
    if (stat(path, &found) != 0)
        return open_temporary(file, fault);
    if (S_ISDIR(found.st_mode))
        return uex_fail(fault, UEX_CONFIG, "%s is a directory; --output needs a file", path);
    if (!S_ISREG(found.st_mode)) {
        file->fd = open(path, O_WRONLY | O_CLOEXEC);
        return file->fd >= 0 ? UEX_OK : fail(fault, UEX_CONFIG, path, "cannot write");
    }
    if (!force)
        return uex_fail(fault, UEX_CONFIG, "%s exists; --force replaces it", path);
    return open_temporary(file, fault);
}

enum uex_error uex_export_file_write(struct uex_export_file *file, struct uex_bytes data, struct uex_fault *fault)
{
    while (data.size_bytes > 0) {
        ssize_t written = write(file->fd, data.data, data.size_bytes);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EPIPE) {
            file->closed = true;
            return uex_fail(fault, UEX_END, "the reader of stdout has gone");
        }
        if (written < 0)
            return fail(fault, UEX_SPOOL, file->path, "cannot write");
        data.data += written;
        data.size_bytes -= (size_t)written;
        file->size_bytes += (uint64_t)written;
    }
    return UEX_OK;
}

/* Some file systems cannot rename without replacing; there the name is checked before. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (access(to, F_OK) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

enum uex_error uex_export_file_publish(struct uex_export_file *file, struct uex_fault *fault)
{
    int result = 0;

    if (file->temporary == NULL)
        return UEX_OK;
    if (fsync(file->fd) != 0)
        return fail(fault, UEX_SPOOL, file->path, "cannot write");
    result = file->force ? rename(file->temporary, file->path) : rename_new(file->temporary, file->path);
    if (result != 0)
        return errno == EEXIST
                   ? uex_fail(fault, UEX_CONFIG, "another process has created %s in the meantime", file->path)
                   : fail(fault, UEX_SPOOL, file->path, "cannot rename the temporary file");
    free(file->temporary);
    file->temporary = NULL;
    return UEX_OK;
}

void uex_export_file_discard(struct uex_export_file *file)
{
    if (file->temporary != NULL)
        (void)unlink(file->temporary);
    free(file->temporary);
    file->temporary = NULL;
    if (file->fd >= 0 && file->fd != STDOUT_FILENO)
        (void)close(file->fd);
    file->fd = -1;
}
