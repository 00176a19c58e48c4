/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/copy_binary.h — reads the stream of COPY … TO STDOUT (FORMAT binary).
 *
 * Source: PostgreSQL's manual, COPY, "Binary Format": a header (signature, flags, length of the extension area,
 * extension area), tuples (number of fields as an int16, then each field as an int32 length and its bytes; -1 is NULL),
 * and a trailer (an int16 of -1). All integers are in network byte order. The server sends one message (CopyData) for
 * each tuple; the header stands in front of the first tuple or of the trailer (manual, "COPY Operations").
 *
 * Nothing is copied: fields point into the message. Whatever the bytes say, nothing outside of the message is read.
 * One thread at a time.
 */
#ifndef EXPORT_COPY_BINARY_H
#define EXPORT_COPY_BINARY_H

#include "export/error.h"

/* One field of a row, in the binary form of its type (the type's send function). */
struct uex_copy_field {
    const uint8_t *data; /* borrowed from the message; NULL where the field is NULL */
    int32_t size_bytes;  /* -1: NULL */
};

/* A stream. Zeroed but for field_count is its beginning. */
struct uex_copy_binary {
    size_t field_count; /* of each row, as the query asks for it: 1 to 1600 */
    bool has_header;    /* the rest is of this module */
    bool has_trailer;
};

/* Read one message. UEX_OK: a row, its fields are in `fields` (field_count of them) until the message is gone.
 * UEX_NOT_FOUND: the message held the header and no row; take the next one. UEX_END: the trailer; nothing may follow
 * it. UEX_DB_QUERY with a text: what came is not such a stream: another signature, flags that have a meaning (object
 * ids, or one that we do not know), another number of fields, a length that lies, bytes left over. After an error the
 * stream is of no use. */
UEX_MUST_CHECK enum uex_error uex_copy_binary_read(struct uex_copy_binary *stream, struct uex_bytes message,
                                                   struct uex_copy_field *fields, struct uex_fault *fault);
/* The stream is over (CopyDone). UEX_DB_QUERY: its trailer is missing, so rows may be too. */
UEX_MUST_CHECK enum uex_error uex_copy_binary_finish(const struct uex_copy_binary *stream, struct uex_fault *fault);
#endif
