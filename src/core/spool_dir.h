/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/spool_dir.h — what a spool needs of its folder. Any thread. */
#ifndef EXPORT_CORE_SPOOL_DIR_H
#define EXPORT_CORE_SPOOL_DIR_H

#include "export/spool.h"

#define UEX_SPOOL_NAME_SIZE 24

/* A new file, open for reading and writing, that goes with its descriptor where the file system allows; `name` then is
 * "", else it is to be given to uex_spool_dir_remove(). -1 with errno. */
int uex_spool_dir_new_file(struct uex_spool_dir *dir, char name[UEX_SPOOL_NAME_SIZE]);
void uex_spool_dir_remove(struct uex_spool_dir *dir, const char *name);
/* The memory that all spools of the folder share, UEX_SPOOL_TOTAL_BYTES. False: it is used up, and nothing was taken.
 */
bool uex_spool_dir_reserve(struct uex_spool_dir *dir, size_t size_bytes);
void uex_spool_dir_release(struct uex_spool_dir *dir, size_t size_bytes);
const char *uex_spool_dir_path(const struct uex_spool_dir *dir);
#endif
