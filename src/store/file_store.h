/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/file_store.h — objects as files under a directory.
 *
 * An object is written to ".<name>.<random>.part" beside its place, synced, and linked there, create-only; where there
 * are no hard links it is renamed with RENAME_NOREPLACE. A file system that can do neither is refused at start. Its
 * metadata are in "<name>.meta.json", which is there before the object is. A writer that publishes holds a lock (flock)
 * on the directory, so that of two writers the metadata of the one who wins stays; where a file system has no such
 * lock, the workers' own order (one lane per group) is what holds.
 */
#ifndef EXPORT_STORE_FILE_STORE_H
#define EXPORT_STORE_FILE_STORE_H

#include "store/object_meta.h"

/* `directory` is an absolute path; it is copied. `version` is export.version (borrowed; NULL: its default). `domain_id`
 * (borrowed; "" or NULL: none) names the directory in it that exports usually go to, which is where the probe writes.
 * Touches nothing. */
UEX_MUST_CHECK enum uex_error uex_file_store_new(const char *directory, const char *domain_id, const char *version,
                                                 struct uex_object_store **out, struct uex_fault *fault);

/* The parts of it. */
struct uex_file_store {
    struct uex_object_store base; /* first: the store is handed out as this */
    char *directory;
    const char *domain_id; /* borrowed; NULL: none */
    const char *version;   /* export.version; borrowed; NULL: its default */
};

/* ---- file_directory.c: the directory that an object is in */

/* The error of a failed file operation, by errno, with a sentence. `missing` is what ENOENT means here. */
enum uex_error uex_file_fail(const struct uex_file_store *store, struct uex_fault *fault, int error_number,
                             const char *what, enum uex_error missing);

/* Open the directory of `key` (made, with all above it, if `make`) and point `*name` to the key's last segment.
 * UEX_NOT_FOUND: it is not there; UEX_STORE_BUCKET: the store's own directory is not there. The caller closes
 * `*directory_fd`. */
UEX_MUST_CHECK enum uex_error uex_file_open_directory(const struct uex_file_store *store, const char *key, bool make,
                                                      int *directory_fd, const char **name, struct uex_fault *fault);

/* Go down `path`, all of it directories (made if `make`), from `fd`, which is closed. The last one's descriptor, or -1
 * with errno. */
UEX_MUST_CHECK int uex_file_descend(int fd, const char *path, size_t path_size, bool make);

/* "file:///directory/key" with "%25" for each percent sign. NULL: no memory. */
UEX_MUST_CHECK char *uex_file_url(const struct uex_file_store *store, const char *key);

/* "<before><name><after>" as a name in a directory; false if it is longer than a name can be. */
#define UEX_FILE_NAME_SIZE 256
UEX_MUST_CHECK bool uex_file_name(char out[UEX_FILE_NAME_SIZE], const char *before, const char *name,
                                  const char *after);
#define UEX_FILE_META_SUFFIX ".meta.json"
#define UEX_FILE_PART_SUFFIX ".part"

/* Give the file `part_name` the name `name` in the same directory, create-only; afterwards `part_name` may be there or
 * not. 0, or -1 with errno: EEXIST: the name is taken; EOPNOTSUPP: neither link() nor renameat2() can do this here. */
UEX_MUST_CHECK int uex_file_publish(int directory_fd, const char *part_name, const char *name);
/* Make a directory's names outlast a crash. Where a directory cannot be synced by itself its whole file system is. 0,
 * or -1 with errno. */
UEX_MUST_CHECK int uex_file_sync_directory(int directory_fd);

/* Take the lock of a directory, waiting for at most some seconds. UEX_CANCELLED; UEX_STORE_UNAVAILABLE: somebody holds
 * it. It ends when the descriptor is closed. */
UEX_MUST_CHECK enum uex_error uex_file_lock(const struct uex_file_store *store, int directory_fd,
                                            struct uex_fault *fault);

/* ---- file_meta.c */

/* Write metadata into a new file `name` and sync it. */
UEX_MUST_CHECK enum uex_error uex_file_meta_write(const struct uex_file_store *store, int directory_fd,
                                                  const char *name, const struct uex_object_meta *meta,
                                                  struct uex_fault *fault);
/* Read the metadata file `name` into `facts`; one that is missing or cannot be read changes nothing: then the object
 * is not ours. UEX_NO_MEMORY, or UEX_OK. */
UEX_MUST_CHECK enum uex_error uex_file_meta_read(int directory_fd, const char *name, struct uex_object_facts *facts);

/* ---- file_writer.c: members of the store */
enum uex_error uex_file_begin(struct uex_object_store *store, const char *key, struct uex_object_writer **out,
                              struct uex_fault *fault);
enum uex_error uex_file_write(struct uex_object_writer *writer, struct uex_bytes data, struct uex_fault *fault);
void uex_file_set_tags(struct uex_object_writer *writer, const struct uex_object_tags *tags);
enum uex_error uex_file_commit(struct uex_object_writer *writer, uint64_t row_count, struct uex_object_facts *facts,
                               struct uex_fault *fault);
void uex_file_abort(struct uex_object_writer *writer);
#endif
