/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/region.h"

#include <stdlib.h>

#define FIRST_CAPACITY_BYTES ((size_t)4096)

bool uex_region_grow(struct uex_region *region, size_t more_bytes)
{
    size_t capacity_bytes =
        region->capacity_bytes < FIRST_CAPACITY_BYTES ? FIRST_CAPACITY_BYTES : region->capacity_bytes * 2;
    uint8_t *data;

    if (more_bytes > SIZE_MAX / 4 - region->used_bytes)
        return false;
    if (capacity_bytes < region->used_bytes + more_bytes)
        capacity_bytes = region->used_bytes + more_bytes;
    data = realloc(region->data, capacity_bytes);
    if (data == NULL)
        return false;
    region->data = data;
    region->capacity_bytes = capacity_bytes;
    return true;
}

void uex_region_reset(struct uex_region *region, size_t kept_bytes)
{
    if (region->used_bytes > region->touched_bytes)
        region->touched_bytes = region->used_bytes;
    region->used_bytes = kept_bytes;
}

void uex_region_free(struct uex_region *region)
{
    free(region->data);
    *region = (struct uex_region){0};
}
