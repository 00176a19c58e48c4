/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/dictionary.h"

#include "parquet/load.h"

#include <stdlib.h>

#define FIRST_ENTRY_CAPACITY ((uint32_t)256)
/* At half load runs of occupied slots are short. Longer ones are made by values that were chosen to collide: they cost
 * the dictionary, not the time of the export. */
#define PROBES_MAX 128
/* A slot: 28 bits of the hash, 20 of the offset, 16 of the index + 1. */
#define SLOT_OFFSET_SHIFT 16
#define SLOT_TAG_SHIFT 36
_Static_assert(UEX_DICTIONARY_BYTES_MAX <= (size_t)1 << (SLOT_TAG_SHIFT - SLOT_OFFSET_SHIFT), "an offset fits");
_Static_assert(UEX_DICTIONARY_ENTRIES_MAX < UINT32_C(1) << SLOT_OFFSET_SHIFT, "an index fits");
#define LENGTH_BYTES ((size_t)4)

static uint64_t mix(uint64_t left, uint64_t right)
{
    const unsigned __int128 product = (unsigned __int128)left * right;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Up to eight bytes as a number; which bytes stand where is the same for all texts of a length, and that is enough. */
static uint64_t load_tail(const uint8_t *data, size_t size_bytes)
{
    uint64_t value = 0;

    if (size_bytes >= 4)
        return (uint64_t)uex_load_le32(data) << 32 | uex_load_le32(data + size_bytes - 4);
    for (size_t i = 0; i < size_bytes; i++)
        value = value << 8 | data[i];
    return value;
}

static uint32_t hash_of(const uint8_t *data, size_t size_bytes)
{
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ size_bytes;
    size_t left = size_bytes;

    for (; left > 8; data += 8, left -= 8)
        hash = mix(hash ^ uex_load_le64(data), UINT64_C(0xd6e8feb86659fd93));
    hash = mix(hash ^ load_tail(data, left), UINT64_C(0xa0761d6478bd642f));
    return (uint32_t)(hash ^ hash >> 32);
}

static uint64_t tag_of(uint32_t hash)
{
    return (uint64_t)(hash >> 4) << SLOT_TAG_SHIFT;
}

static void fill_slot(struct uex_dictionary *dictionary, struct uex_dictionary_entry entry, uint32_t index)
{
    const uint32_t hash = entry.hash;
    const uint32_t mask = dictionary->slot_count - 1;
    uint32_t at = hash & mask;

    while (dictionary->slots[at] != 0)
        at = (at + 1) & mask;
    dictionary->slots[at] = tag_of(hash) | (uint64_t)entry.offset << SLOT_OFFSET_SHIFT | (index + 1);
}

/* Twice the room for entries, and slots for them. */
static bool grow(struct uex_dictionary *dictionary)
{
    const uint32_t capacity = dictionary->entry_capacity == 0 ? FIRST_ENTRY_CAPACITY : dictionary->entry_capacity * 2;
    struct uex_dictionary_entry *entries = realloc(dictionary->entries, capacity * sizeof(*entries));
    uint64_t *slots;

    if (entries == NULL)
        return false;
    dictionary->entries = entries;
    slots = calloc(2 * (size_t)capacity, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(dictionary->slots);
    dictionary->slots = slots;
    dictionary->slot_count = 2 * capacity;
    dictionary->entry_capacity = capacity;
    for (uint32_t i = 0; i < dictionary->entry_count; i++)
        fill_slot(dictionary, entries[i], i);
    return true;
}

/* `head_bytes`: the length in front of a text, or nothing. */
static int add(struct uex_dictionary *dictionary, const uint8_t *data, size_t size_bytes, size_t head_bytes,
               uint32_t hash)
{
    const uint32_t index = dictionary->entry_count;
    uint8_t *place;

    if (index == UEX_DICTIONARY_ENTRIES_MAX ||
        head_bytes + size_bytes > UEX_DICTIONARY_BYTES_MAX - dictionary->values.used_bytes)
        return UEX_DICTIONARY_FULL;
    if (index == dictionary->entry_capacity && !grow(dictionary))
        return UEX_DICTIONARY_NO_MEMORY;
    place = uex_region_reserve(&dictionary->values, head_bytes + size_bytes);
    if (place == NULL)
        return UEX_DICTIONARY_NO_MEMORY;
    if (head_bytes > 0)
        uex_store_le32(place, (uint32_t)size_bytes);
    if (size_bytes > 0)
        memcpy(place + head_bytes, data, size_bytes);
    dictionary->entries[index] =
        (struct uex_dictionary_entry){.offset = (uint32_t)dictionary->values.used_bytes, .hash = hash};
    dictionary->values.used_bytes += head_bytes + size_bytes;
    dictionary->entry_count++;
    fill_slot(dictionary, dictionary->entries[index], index);
    return (int)index;
}

/* Most values are short, and a call of memcmp() takes longer than this. */
static inline bool is_equal(const uint8_t *left, const uint8_t *right, size_t size_bytes)
{
    if (size_bytes > 16)
        return memcmp(left, right, size_bytes) == 0;
    if (size_bytes >= 8)
        return uex_load_le64(left) == uex_load_le64(right) &&
               uex_load_le64(left + size_bytes - 8) == uex_load_le64(right + size_bytes - 8);
    return load_tail(left, size_bytes) == load_tail(right, size_bytes);
}

__attribute__((always_inline)) static inline int put(struct uex_dictionary *dictionary, const uint8_t *data,
                                                     size_t size_bytes, size_t head_bytes)
{
    const uint32_t hash = hash_of(data, size_bytes), mask = dictionary->slot_count - 1;

    for (uint32_t probe = 0; probe < PROBES_MAX && dictionary->slot_count > 0; probe++) {
        const uint64_t slot = dictionary->slots[(hash + probe) & mask];
        const uint8_t *value;

        if (slot == 0)
            return add(dictionary, data, size_bytes, head_bytes, hash);
        if (slot >> SLOT_TAG_SHIFT != hash >> 4)
            continue;
        value = dictionary->values.data + (slot >> SLOT_OFFSET_SHIFT & (UEX_DICTIONARY_BYTES_MAX - 1));
        if ((head_bytes == 0 || uex_load_le32(value) == size_bytes) && is_equal(value + head_bytes, data, size_bytes))
            return (int)(slot & UINT16_MAX) - 1;
    }
    return dictionary->slot_count == 0 ? add(dictionary, data, size_bytes, head_bytes, hash) : UEX_DICTIONARY_FULL;
}

int uex_dictionary_put_text(struct uex_dictionary *dictionary, const uint8_t *text, size_t size_bytes)
{
    /* No hash of what is too long to be an entry. */
    if (size_bytes > UEX_DICTIONARY_BYTES_MAX - LENGTH_BYTES)
        return UEX_DICTIONARY_FULL;
    return put(dictionary, text, size_bytes, LENGTH_BYTES);
}

int uex_dictionary_put_fixed(struct uex_dictionary *dictionary, const uint8_t *value, size_t size_bytes)
{
    switch (size_bytes) { /* a size that the compiler knows makes hash and comparison one instruction each */
    case 4:
        return put(dictionary, value, 4, 0);
    case 8:
        return put(dictionary, value, 8, 0);
    default:
        return put(dictionary, value, size_bytes, 0);
    }
}

struct uex_bytes uex_dictionary_entry(const struct uex_dictionary *dictionary, uint32_t index)
{
    const size_t from = dictionary->entries[index].offset;
    const size_t to =
        index + 1 == dictionary->entry_count ? dictionary->values.used_bytes : dictionary->entries[index + 1].offset;

    return uex_bytes_of(dictionary->values.data + from, to - from);
}

unsigned uex_dictionary_width_bits(const struct uex_dictionary *dictionary)
{
    unsigned width_bits = 1;

    while ((dictionary->entry_count - 1) >> width_bits != 0)
        width_bits++;
    return width_bits;
}

void uex_dictionary_reset(struct uex_dictionary *dictionary)
{
    uex_region_reset(&dictionary->values, 0);
    if (dictionary->entry_count > 0)
        memset(dictionary->slots, 0, dictionary->slot_count * sizeof(dictionary->slots[0]));
    dictionary->entry_count = 0;
}

void uex_dictionary_free(struct uex_dictionary *dictionary)
{
    uex_region_free(&dictionary->values);
    free(dictionary->entries);
    free(dictionary->slots);
    *dictionary = (struct uex_dictionary){0};
}
