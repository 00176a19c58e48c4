/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_multipart.h — the requests of a multipart upload. Source: Amazon S3 API Reference,
 * CreateMultipartUpload, UploadPart. */
#ifndef EXPORT_STORE_S3_MULTIPART_H
#define EXPORT_STORE_S3_MULTIPART_H

#include "store/s3_store.h"

#define UEX_S3_PART_BYTES ((size_t)8 << 20)
#define UEX_S3_PARTS_MAX 10000

/* Start an upload, with so many repetitions. `*stray` is set when an earlier try may have started another one, whose id
 * never came back. */
UEX_MUST_CHECK enum uex_error uex_s3_upload_create(struct uex_s3_store *store, const char *whole_key,
                                                   const struct uex_object_meta *meta, unsigned repetitions,
                                                   char *upload_id, bool *stray, struct uex_fault *fault);

/* One part on its way. */
struct uex_s3_part {
    struct uex_s3_client *client;
    const char *whole_key, *upload_id; /* borrowed */
    unsigned number;                   /* from 1 */
    struct uex_bytes data;             /* borrowed */
    const struct uex_cancel *cancel;
    unsigned repetitions;
    enum uex_s3_checksum checksum;
    char checksum_text[UEX_S3_CHECKSUM_SIZE]; /* out */
    char etag[UEX_S3_ETAG_SIZE];              /* out */
    enum uex_error result;                    /* out; UEX_STORE_RACE: the upload is gone */
    struct uex_fault fault;                   /* out */
};
/* Upload it, with its repetitions; `context` is a struct uex_s3_part. Any thread that may use its client. */
void uex_s3_part_run(void *context);
#endif
