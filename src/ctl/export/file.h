/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/export/file.h — where exportctl export writes to: a file that appears whole or not at all, or stdout. */
#ifndef EXPORT_CTL_EXPORT_FILE_H
#define EXPORT_CTL_EXPORT_FILE_H

#include "export/error.h"

struct uex_export_file {
    const char *path; /* "-": stdout */
    char *temporary;  /* its name until it is whole; NULL: written directly (stdout, a device, a pipe) */
    int fd;
    bool force;  /* what is there may be replaced */
    bool closed; /* the reader of stdout went away */
    uint64_t size_bytes;
};

/* Look at the path and make the temporary file beside it (0600: it is personal data). UEX_CONFIG, said in `fault`: it
 * is there already (without `force`), is a directory, or cannot be written. uex_export_file_discard() in any case. */
UEX_MUST_CHECK enum uex_error uex_export_file_open(struct uex_export_file *file, const char *path, bool force,
                                                   struct uex_fault *fault);
/* All of the bytes. UEX_SPOOL with the reason in `fault`; UEX_END: the reader of stdout went away. */
UEX_MUST_CHECK enum uex_error uex_export_file_write(struct uex_export_file *file, struct uex_bytes data,
                                                    struct uex_fault *fault);
/* Give it its name, once it is on the disk. UEX_SPOOL, UEX_CONFIG (somebody else took the name). */
UEX_MUST_CHECK enum uex_error uex_export_file_publish(struct uex_export_file *file, struct uex_fault *fault);
/* Close; what was not published goes. Accepts a struct of which `fd` is -1. */
void uex_export_file_discard(struct uex_export_file *file);
#endif
