/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/buffer.h — growing bytes with a cap.
 *
 * A zeroed struct is an empty buffer without a cap of its own (UEX_BUFFER_CAP_BYTES holds). Errors stick: after a
 * failed append the buffer stays as it was and uex_buffer_failed() is true, so a run of appends can be checked once.
 * One thread at a time.
 */
#ifndef EXPORT_BUFFER_H
#define EXPORT_BUFFER_H

#include "export/error.h"

#define UEX_BUFFER_CAP_BYTES ((size_t)64 << 20)

struct uex_buffer {
    uint8_t *data; /* owned; always one zero byte beyond size_bytes when not NULL, so text can be read as a C string */
    size_t size_bytes;
    size_t capacity_bytes;
    size_t cap_bytes; /* 0: UEX_BUFFER_CAP_BYTES */
    bool failed;
};

void uex_buffer_append(struct uex_buffer *buffer, const void *data, size_t size_bytes);
void uex_buffer_append_text(struct uex_buffer *buffer, const char *text);
/* Append what another buffer holds; if that one failed, this one has failed too. */
void uex_buffer_append_buffer(struct uex_buffer *buffer, const struct uex_buffer *other);
void uex_buffer_append_format(struct uex_buffer *buffer, const char *format, ...) UEX_PRINTF(2, 3);
/* Append `text` as a JSON string with its quotes (RFC 8259, section 7). NULL becomes null. Bytes >= 0x80 go as they
 * are. */
void uex_buffer_append_json(struct uex_buffer *buffer, const char *text);
void uex_buffer_append_json_bytes(struct uex_buffer *buffer, struct uex_bytes text);
/* Make room for `more_bytes` after size_bytes; the caller writes there and raises size_bytes. NULL when the cap or
 * memory ends. */
uint8_t *uex_buffer_reserve(struct uex_buffer *buffer, size_t more_bytes);
bool uex_buffer_failed(const struct uex_buffer *buffer);
/* Empty it, keep the memory, forget a failure. */
void uex_buffer_reset(struct uex_buffer *buffer);
/* Free the memory. Accepts NULL and an empty buffer. */
void uex_buffer_clear(struct uex_buffer *buffer);
/* The contents as a C string, "" when empty; valid until the next change. A buffer that failed holds only a part, so
 * ask uex_buffer_failed() before the text is used as a value: a short text is a wrong one. */
const char *uex_buffer_text(const struct uex_buffer *buffer);
struct uex_bytes uex_buffer_bytes(const struct uex_buffer *buffer);
#endif
