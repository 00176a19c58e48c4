/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/object_meta.h — the metadata beside an object, the same for every store, and keys. Any thread. */
#ifndef EXPORT_STORE_OBJECT_META_H
#define EXPORT_STORE_OBJECT_META_H

#include "export/object_store.h"

/* Media type of every object (contract: no Content-Encoding). */
#define UEX_OBJECT_CONTENT_TYPE "application/gzip"
/* But of the page of a run, which browsers show. */
#define UEX_OBJECT_PAGE_ENDING ".html"
#define UEX_OBJECT_PAGE_CONTENT_TYPE "text/html; charset=utf-8"

/* What a writer knows about its object when the metadata goes out. */
struct uex_object_meta {
    const char *version; /* export.version; borrowed; NULL: its default */
    bool has_tags;
    struct uex_object_tags tags;
    uint64_t row_count; /* UEX_UNKNOWN: left out */
    bool has_sha256;
    uint8_t sha256[UEX_SHA256_SIZE];
};

/* Hand each name ("export-command-id", …) with its text value to `emit`. */
void uex_object_meta_each(const struct uex_object_meta *meta,
                          void (*emit)(void *context, const char *name, const char *value), void *context);

/* Nothing known yet. */
void uex_object_facts_init(struct uex_object_facts *facts);

/* One metadata value as a store gave it back. Names that are not ours and values that cannot be read are passed over:
 * what a store holds is outside input. */
void uex_object_facts_take(struct uex_object_facts *facts, struct uex_bytes name, struct uex_bytes value);

/* Does the stored object come from the writer that knows `meta` and wrote `size_bytes`? Compared by command id, size,
 * and the digest, or, where the upload began before the digest was known, the snapshot's time. */
bool uex_object_facts_match(const struct uex_object_facts *facts, const struct uex_object_meta *meta,
                            uint64_t size_bytes);

/* The facts of an object just written. `url` passes to `facts`. */
void uex_object_facts_written(struct uex_object_facts *facts, char *url, const struct uex_object_meta *meta,
                              uint64_t size_bytes);

/* A key that a store takes: not empty, at most 1,024 bytes, no empty, "." or ".." segment, no control character. */
bool uex_object_key_valid(const char *key);

/* What writers of both stores begin with. */
struct uex_object_writer {
    struct uex_object_store *store;
    struct uex_object_meta meta;
    uint64_t size_bytes; /* taken so far */
    struct uex_digest *digest;
};
#endif
