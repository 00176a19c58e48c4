/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/region.h — bytes of a group that grow and are used again. Unlike struct uex_buffer it clears nothing:
 * what is reserved and not written is memory that was never touched. What bounds it is the group that it belongs to. A
 * zeroed struct is empty. One thread at a time. */
#ifndef EXPORT_PARQUET_REGION_H
#define EXPORT_PARQUET_REGION_H

#include "export/bytes.h"

#include <stdbool.h>

struct uex_region {
    uint8_t *data; /* owned */
    size_t used_bytes, capacity_bytes;
    size_t touched_bytes; /* the most that was ever used */
};

/* Make room; false: no memory. */
UEX_MUST_CHECK bool uex_region_grow(struct uex_region *region, size_t more_bytes);
/* Where the next `more_bytes` go; the caller raises used_bytes. NULL: no memory. */
UEX_MUST_CHECK static inline uint8_t *uex_region_reserve(struct uex_region *region, size_t more_bytes)
{
    if (region->capacity_bytes - region->used_bytes < more_bytes && !uex_region_grow(region, more_bytes))
        return NULL;
    return region->data + region->used_bytes;
}
/* Empty it but for the first `kept_bytes`, keep the memory. */
void uex_region_reset(struct uex_region *region, size_t kept_bytes);
void uex_region_free(struct uex_region *region);
#endif
