/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/uuid_internal.h — UUIDv5 in any namespace, so that the published vectors can be checked. Any thread. */
#ifndef EXPORT_CORE_UUID_INTERNAL_H
#define EXPORT_CORE_UUID_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* RFC 9562, section 5.5. `out` has UEX_UUID_TEXT_SIZE bytes. */
void uex_uuid_named_in(const uint8_t name_space[16], const char *name, size_t size_bytes, char *out);
#endif
