/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/export/file.h — where exportctl export writes to: stdout, or a file that appears only when it is complete. */
#ifndef EXPORT_CTL_EXPORT_FILE_H
#define EXPORT_CTL_EXPORT_FILE_H

#include "export/error.h"

struct uex_export_file {
    const char *path; /* "-": stdout */
    char *temporary;  /* its name until it is complete; NULL: written directly (stdout, a device, a pipe) */
    int fd;
    bool force;  /* an existing file may be replaced */
    bool closed; /* the reader of stdout has gone */
    uint64_t size_bytes;
};

/* Check the path and create the temporary file next to it (0600: it is personal data). UEX_CONFIG, with the reason in
 * `fault`: it exists (without `force`), is a directory, or cannot be written. The caller calls
 * uex_export_file_discard() in any case. */
UEX_MUST_CHECK enum uex_error uex_export_file_open(struct uex_export_file *file, const char *path, bool force,
                                                   struct uex_fault *fault);
/* Write all of the bytes. UEX_SPOOL with the reason in `fault`; UEX_END: the reader of stdout has gone. */
UEX_MUST_CHECK enum uex_error uex_export_file_write(struct uex_export_file *file, struct uex_bytes data,
                                                    struct uex_fault *fault);
/* Sync it to disk and give it its name. UEX_SPOOL, UEX_CONFIG (another process has created that file). */
UEX_MUST_CHECK enum uex_error uex_export_file_publish(struct uex_export_file *file, struct uex_fault *fault);
/* Close, and remove what was not published. Accepts a struct of which `fd` is -1. */
void uex_export_file_discard(struct uex_export_file *file);
#endif
