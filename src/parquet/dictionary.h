/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/dictionary.h — the distinct values of a column chunk, each with its index.
 *
 * Source: Encodings.md, "Dictionary Encoding": the dictionary page has the entries in PLAIN form; "if the dictionary
 * grows too big, whether in size or number of distinct values, the encoding will fall back to the plain encoding". One
 * thread at a time.
 */
#ifndef EXPORT_PARQUET_DICTIONARY_H
#define EXPORT_PARQUET_DICTIONARY_H

#include "parquet/region.h"

/* An index has 15 bits at most. */
#define UEX_DICTIONARY_ENTRIES_MAX ((uint32_t)32768)
#define UEX_DICTIONARY_BYTES_MAX ((size_t)1 << 20)
/* No index: the dictionary is full, or values collide too much. */
#define UEX_DICTIONARY_FULL (-1)
#define UEX_DICTIONARY_NO_MEMORY (-2)

struct uex_dictionary_entry {
    uint32_t offset; /* in `values` */
    uint32_t hash;
};

/* Zeroed: empty. */
struct uex_dictionary {
    struct uex_region values;             /* the entries in PLAIN form */
    struct uex_dictionary_entry *entries; /* owned, entry_capacity of them */
    uint32_t entry_count, entry_capacity;
    /* Owned: a hash table with open addressing. A slot has a part of the hash, the offset and the index + 1, so that a
     * value is found with one look at the table and one at the entry. 0: free. */
    uint64_t *slots;
    uint32_t slot_count; /* a power of two, at least twice entry_capacity */
};

/* The index of a value of BYTE_ARRAY; it becomes an entry if it is none yet. Or UEX_DICTIONARY_FULL, …NO_MEMORY. */
UEX_MUST_CHECK int uex_dictionary_put_text(struct uex_dictionary *dictionary, const uint8_t *text, size_t size_bytes);
/* The same of a value of 4 to 16 bytes, given in PLAIN form; all of a dictionary have the same size. */
UEX_MUST_CHECK int uex_dictionary_put_fixed(struct uex_dictionary *dictionary, const uint8_t *value, size_t size_bytes);
/* The PLAIN form of an entry. */
struct uex_bytes uex_dictionary_entry(const struct uex_dictionary *dictionary, uint32_t index);
/* The bits of an index: at least 1. */
unsigned uex_dictionary_width_bits(const struct uex_dictionary *dictionary);
void uex_dictionary_reset(struct uex_dictionary *dictionary);
void uex_dictionary_free(struct uex_dictionary *dictionary);
#endif
