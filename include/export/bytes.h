/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/bytes.h — a borrowed run of bytes. */
#ifndef EXPORT_BYTES_H
#define EXPORT_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* "Not known (yet)" for counts and times. */
#define UEX_UNKNOWN UINT64_MAX
/* The same for signed times in milliseconds since 1970. */
#define UEX_NO_TIME INT64_MIN
/* A count that comes from outside is unknown beyond this: a JSON number carries no larger one exactly (2^53). */
#define UEX_COUNT_MAX (UINT64_C(1) << 53)

#define UEX_MUST_CHECK __attribute__((warn_unused_result))
#define UEX_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))

/* Borrowed bytes: the part that made them owns them. data == NULL is "absent", which differs from size_bytes == 0 where
 * that matters. */
struct uex_bytes {
    const uint8_t *data;
    size_t size_bytes;
};

static inline struct uex_bytes uex_bytes_of(const void *data, size_t size_bytes)
{
    return (struct uex_bytes){.data = data, .size_bytes = size_bytes};
}

static inline struct uex_bytes uex_bytes_of_text(const char *text)
{
    return (struct uex_bytes){.data = (const uint8_t *)text, .size_bytes = text == NULL ? 0 : strlen(text)};
}
#endif
