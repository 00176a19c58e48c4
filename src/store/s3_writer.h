/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_writer.h — an object being written to S3: how it is filled (s3_writer.c) and published (s3_publish.c).
 */
#ifndef EXPORT_STORE_S3_WRITER_H
#define EXPORT_STORE_S3_WRITER_H

#include "store/s3_multipart.h"

struct uex_s3_writer {
    struct uex_object_writer base; /* first: the writer is handed out as this */
    struct uex_s3_store *store;
    char *whole_key;
    /* Two buffers of one part at most: the one being filled and the one on its way. Memory comes from mmap(2), so a
     * small object costs only the pages it touches and everything goes back with the writer. */
    uint8_t *filling, *in_flight;
    size_t filling_bytes;
    char *upload_id; /* "" until the first part */
    bool stray_upload;
    unsigned part_count;
    struct uex_buffer completion; /* the body of CompleteMultipartUpload so far */
    struct uex_task task;
    struct uex_s3_part part;
    bool part_is_in_flight;
    struct uex_cancel stop; /* for the part on its way; raised by the lane */
};

/* The object in one PUT. Errors as commit(). */
UEX_MUST_CHECK enum uex_error uex_s3_publish_put(struct uex_s3_writer *writer, struct uex_fault *fault);
/* The object by completing its upload. Errors as commit(). */
UEX_MUST_CHECK enum uex_error uex_s3_publish_upload(struct uex_s3_writer *writer, struct uex_fault *fault);
#endif
