/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/spool.h — bytes that wait until they can be published: in memory first, then in a file of
 * export.work_dir. The file has no name and mode 0600: it goes with its spool, and with the process however that ends.
 */
#ifndef EXPORT_SPOOL_H
#define EXPORT_SPOOL_H

#include "export/buffer.h"

#define UEX_SPOOL_MEMORY_BYTES ((size_t)4 << 20)
/* All spools of a process together hold so much in memory; what comes then goes to files at once. */
#define UEX_SPOOL_TOTAL_BYTES ((size_t)32 << 20)

struct uex_spool_dir; /* the work directory; any thread may make spools in it */
struct uex_spool;     /* one run of bytes; one thread at a time, may be handed over */

/* Make the directory (0700) if it is missing, and see that files can be made in it. If it is the user's own and others
 * may write to it, they lose this right, and a warning says so. UEX_CONFIG, with path and reason: it cannot be made or
 * written, is a symbolic link, or belongs to another user than this one or root. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_spool_dir_open(const char *work_dir, struct uex_spool_dir **out,
                                                 struct uex_fault *fault);
/* After its spools. Accepts NULL. The directory stays. */
void uex_spool_dir_close(struct uex_spool_dir *dir);

UEX_MUST_CHECK enum uex_error uex_spool_new(struct uex_spool_dir *dir, struct uex_spool **out, struct uex_fault *fault);
/* Append. Up to UEX_SPOOL_MEMORY_BYTES stay in memory, then all goes to the file. UEX_SPOOL when it cannot be written.
 */
UEX_MUST_CHECK enum uex_error uex_spool_append(struct uex_spool *spool, struct uex_bytes data, struct uex_fault *fault);
uint64_t uex_spool_size_bytes(const struct uex_spool *spool);
/* Copy a range out; it must lie within the spool. */
UEX_MUST_CHECK enum uex_error uex_spool_read(struct uex_spool *spool, uint64_t offset, uint8_t *out, size_t size_bytes,
                                             struct uex_fault *fault);
void uex_spool_free(struct uex_spool *spool);
#endif
