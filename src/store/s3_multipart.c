/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_multipart.h"

#include <stdio.h>

/* Errors that make no sense as the outcome of a write must not look like "no object" or "object there". */
static enum uex_error as_write_error(enum uex_error error, struct uex_fault *fault)
{
    if (error != UEX_NOT_FOUND && error != UEX_OBJECT_EXISTS)
        return error;
    error = error == UEX_NOT_FOUND ? UEX_STORE_BUCKET : UEX_STORE_FAILED;
    if (fault != NULL)
        fault->error = error;
    return error;
}

struct created {
    char *upload_id;
};

static bool created_element(void *context, const char *path, const char *text)
{
    struct created *created = context;

    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") != 0)
        return true;
    if (strlen(text) >= UEX_S3_UPLOAD_ID_SIZE)
        return false;
    memcpy(created->upload_id, text, strlen(text) + 1);
    return true;
}

enum uex_error uex_s3_upload_create(struct uex_s3_store *store, const char *whole_key,
                                    const struct uex_object_meta *meta, unsigned repetitions, char *upload_id,
                                    bool *stray, struct uex_fault *fault)
{
    static const struct uex_s3_param uploads[] = {{"uploads", ""}};
    const char *algorithm = uex_s3_checksum_algorithm(store->settings->config->s3_checksum);
    struct created created = {.upload_id = upload_id};
    struct uex_s3_write_headers headers;
    struct uex_s3_response response = {0};
    unsigned send_count = 0;
    enum uex_error err;

    upload_id[0] = '\0';
    uex_s3_write_headers_init_for(&headers, store->settings->config, meta, whole_key);
    if (algorithm != NULL)
        uex_s3_write_headers_add(&headers, "x-amz-checksum-algorithm", algorithm);
    const struct uex_s3_request request = {.method = "POST",
                                           .key = whole_key,
                                           .params = uploads,
                                           .param_count = 1,
                                           .headers = headers.items,
                                           .header_count = headers.count,
                                           .cancel = store->base.cancel,
                                           .what = "a multipart upload"};
    err = uex_s3_send_retrying(store->client, &request, repetitions, &response, &send_count, fault);
    *stray = send_count > 1 || (send_count == 1 && err != UEX_OK);
    if (err == UEX_OK) {
        err =
            uex_s3_xml_parse(uex_buffer_bytes(&response.body), (struct uex_s3_xml_handler){created_element, &created});
        if (err == UEX_NO_MEMORY)
            err = uex_fail(fault, err, "no memory for the answer to POST of a multipart upload");
        else if (err != UEX_OK || upload_id[0] == '\0')
            err = uex_fail(fault, UEX_STORE_FAILED, "POST of a multipart upload: the answer has no upload id");
        *stray = *stray || err != UEX_OK;
    }
    uex_s3_response_clear(&response);
    return as_write_error(err, fault);
}

void uex_s3_part_run(void *context)
{
    struct uex_s3_part *part = context;
    struct uex_s3_response response = {0};
    char number[12];
    snprintf(number, sizeof(number), "%u", part->number);
    const struct uex_s3_param params[] = {{"partNumber", number}, {"uploadId", part->upload_id}};
    const struct uex_s3_header checksum = {.name = uex_s3_checksum_header(part->checksum),
                                           .value = part->checksum_text};
    uint8_t sha256[UEX_SHA256_SIZE];
    const struct uex_s3_request request = {.method = "PUT",
                                           .key = part->whole_key,
                                           .params = params,
                                           .param_count = 2,
                                           .headers = &checksum,
                                           .header_count = checksum.name != NULL ? 1 : 0,
                                           .body = part->data,
                                           .body_sha256 = sha256,
                                           .cancel = part->cancel,
                                           .what = "a part"};

    part->etag[0] = '\0';
    uex_sha256(part->data, sha256); /* once for the signatures of all tries */
    if (uex_s3_checksum_of(part->checksum, part->data, sha256, part->checksum_text) != UEX_OK) {
        part->result = uex_fail(&part->fault, UEX_NO_MEMORY, "no memory for the checksum of a part");
        return;
    }
    part->result = uex_s3_send_retrying(part->client, &request, part->repetitions, &response, NULL, &part->fault);
    if (part->result == UEX_NOT_FOUND) { /* HTTP 404 without a code: it is the upload that is missing */
        part->result = part->fault.error = UEX_STORE_RACE;
    } else if (part->result == UEX_OK) {
        memcpy(part->etag, response.etag, sizeof(part->etag));
        if (part->etag[0] == '\0')
            part->result = uex_fail(&part->fault, UEX_STORE_FAILED, "PUT of a part: the answer has no ETag");
    }
    part->result = as_write_error(part->result, &part->fault);
    uex_s3_response_clear(&response);
}
