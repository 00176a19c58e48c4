/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_multipart.h"

#include <stdio.h>
#include <stdlib.h>

#include "export/log.h"

#define ABORT_REPETITIONS 2
#define ABORT_LIMIT_MS 5000
#define PAGES_MAX 100
#define PAGE_UPLOADS_MAX 1000
#define LEFTOVERS_MAX 100 /* uploads that are aborted at once; an attempt leaves one */

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
    struct created created = {.upload_id = upload_id};
    struct uex_s3_write_headers headers;
    struct uex_s3_response response = {0};
    unsigned send_count = 0;
    enum uex_error err;

    upload_id[0] = '\0';
    uex_s3_write_headers_init(&headers, store->settings->config, meta);
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
    const struct uex_s3_request request = {.method = "PUT",
                                           .key = part->whole_key,
                                           .params = params,
                                           .param_count = 2,
                                           .body = part->data,
                                           .cancel = part->cancel,
                                           .what = "a part"};

    part->etag[0] = '\0';
    part->result = uex_s3_send_retrying(part->client, &request, part->repetitions, &response, NULL, &part->fault);
    if (part->result == UEX_NOT_FOUND) { /* HTTP 404 without a code: of all there is, the upload is what goes */
        part->result = part->fault.error = UEX_STORE_RACE;
    } else if (part->result == UEX_OK) {
        memcpy(part->etag, response.etag, sizeof(part->etag));
        if (part->etag[0] == '\0')
            part->result = uex_fail(&part->fault, UEX_STORE_FAILED, "PUT of a part: the answer has no ETag");
    }
    part->result = as_write_error(part->result, &part->fault);
    uex_s3_response_clear(&response);
}

enum uex_error uex_s3_upload_abort(struct uex_s3_store *store, const char *whole_key, const char *upload_id,
                                   struct uex_fault *fault)
{
    const struct uex_s3_param params[] = {{"uploadId", upload_id}};
    const struct uex_s3_request request = {.method = "DELETE",
                                           .key = whole_key,
                                           .params = params,
                                           .param_count = 1,
                                           .limit_ms = ABORT_LIMIT_MS,
                                           .what = "a multipart upload"};
    struct uex_s3_response response = {0};
    enum uex_error err = uex_s3_send_retrying(store->client, &request, ABORT_REPETITIONS, &response, NULL, fault);

    uex_s3_response_clear(&response);
    if (err != UEX_OK)
        uex_s3_unfinished_forget(&store->service->unfinished);
    /* 404, with or without NoSuchUpload: it was completed or aborted by somebody. */
    return err == UEX_STORE_RACE || err == UEX_NOT_FOUND ? UEX_OK : err;
}

/* Uploads that stay cost room, and nothing else: no outcome depends on them. So this is logged once, and
 * exports go on. */
static void log_uploads_stay(struct uex_s3_service *service, const struct uex_fault *fault)
{
    if (!atomic_flag_test_and_set(&service->uploads_stay_logged))
        uex_log(UEX_LOG_WARN, UEX_EVENT_UPLOADS_STAY,
                "incomplete multipart uploads cannot be listed or aborted; exports go on; a lifecycle rule "
                "(AbortIncompleteMultipartUpload) must remove what a crashed worker leaves",
                UEX_STR("error", fault->text));
}

/* A page of ListMultipartUploads. */
struct page {
    struct uex_s3_store *store;
    const char *whole_key;
    int64_t until_ms;                       /* monotonic */
    char key[UEX_OBJECT_KEY_MAX_BYTES + 1]; /* of the <Upload> being read; "" if too long to be ours */
    char upload_id[UEX_S3_UPLOAD_ID_SIZE];  /* the same */
    struct uex_buffer found;                /* upload ids of our key, each with its zero */
    size_t upload_count;
    bool truncated;
    char next_key[UEX_OBJECT_KEY_MAX_BYTES + 1];
    char next_upload_id[UEX_S3_UPLOAD_ID_SIZE];
};

static void copy_text(char *out, size_t out_size, const char *text)
{
    size_t size = strlen(text);
    out[0] = '\0';
    if (size < out_size)
        memcpy(out, text, size + 1);
}

static bool page_element(void *context, const char *path, const char *text)
{
    struct page *page = context;
    static const char root[] = "ListMultipartUploadsResult/";

    if (strncmp(path, root, sizeof(root) - 1) != 0)
        return true;
    path += sizeof(root) - 1;
    if (strcmp(path, "Upload/Key") == 0) {
        copy_text(page->key, sizeof(page->key), text);
    } else if (strcmp(path, "Upload/UploadId") == 0) {
        copy_text(page->upload_id, sizeof(page->upload_id), text);
    } else if (strcmp(path, "Upload") == 0) {
        if (++page->upload_count > PAGE_UPLOADS_MAX)
            return false;
        /* The prefix asked for is the key, but longer keys begin with it too. */
        if (page->upload_id[0] != '\0' && strcmp(page->key, page->whole_key) == 0)
            uex_buffer_append(&page->found, page->upload_id, strlen(page->upload_id) + 1);
        page->key[0] = page->upload_id[0] = '\0';
    } else if (strcmp(path, "IsTruncated") == 0) {
        page->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(path, "NextKeyMarker") == 0) {
        copy_text(page->next_key, sizeof(page->next_key), text);
    } else if (strcmp(path, "NextUploadIdMarker") == 0) {
        copy_text(page->next_upload_id, sizeof(page->next_upload_id), text);
    }
    return true;
}

bool uex_s3_list_error_matters(enum uex_error error)
{
    return error == UEX_CANCELLED || error == UEX_NO_MEMORY || error == UEX_INTERNAL;
}

static enum uex_error read_page(struct page *page, const struct uex_cancel *cancel, struct uex_fault *fault)
{
    char key_marker[sizeof(page->next_key)], upload_id_marker[sizeof(page->next_upload_id)];
    struct uex_s3_response response = {0};
    int64_t limit_ms = page->until_ms - uex_monotonic_ms();

    limit_ms = limit_ms < 1 ? 1 : limit_ms > UEX_S3_LIST_LIMIT_MS ? UEX_S3_LIST_LIMIT_MS : limit_ms;
    memcpy(key_marker, page->next_key, sizeof(key_marker));
    memcpy(upload_id_marker, page->next_upload_id, sizeof(upload_id_marker));
    const struct uex_s3_param params[] = {{"uploads", ""},
                                          {"prefix", page->whole_key},
                                          {"max-uploads", "1000"},
                                          {"key-marker", key_marker},
                                          {"upload-id-marker", upload_id_marker}};
    const struct uex_s3_request request = {.method = "GET",
                                           .params = params,
                                           .param_count = key_marker[0] == '\0' ? 3 : 5,
                                           .cancel = cancel,
                                           .limit_ms = limit_ms,
                                           .what = "the list of unfinished uploads"};
    enum uex_error err = uex_s3_send(page->store->client, &request, &response, fault);

    uex_buffer_reset(&page->found);
    page->truncated = false;
    page->upload_count = 0;
    if (err == UEX_OK) {
        err = uex_s3_xml_parse(uex_buffer_bytes(&response.body), (struct uex_s3_xml_handler){page_element, page});
        if (err == UEX_NO_MEMORY || uex_buffer_failed(&page->found))
            err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the list of unfinished uploads");
        else if (err != UEX_OK)
            err = uex_fail(fault, err, "GET of the list of unfinished uploads: the answer cannot be read");
    }
    if (err == UEX_OK && page->truncated && strcmp(key_marker, page->next_key) == 0 &&
        strcmp(upload_id_marker, page->next_upload_id) == 0)
        err = uex_fail(fault, UEX_STORE_FAILED, "GET of the list of unfinished uploads: the pages do not go on");
    uex_s3_response_clear(&response);
    return err;
}

/* Abort what the page has. */
static enum uex_error abort_found(struct page *page, const struct uex_cancel *cancel, size_t *aborted_count,
                                  struct uex_fault *fault)
{
    const char *id = uex_buffer_text(&page->found);

    for (size_t left = page->found.size_bytes; left > 0;) {
        const size_t size = strlen(id) + 1;

        if (uex_cancel_requested(cancel))
            return uex_fail(fault, UEX_CANCELLED, "aborting unfinished uploads was given up");
        if (*aborted_count == LEFTOVERS_MAX || uex_monotonic_ms() >= page->until_ms)
            return uex_fail(fault, UEX_LIMIT, "the store lists more unfinished uploads of one object than are aborted");
        const enum uex_error err = uex_s3_upload_abort(page->store, page->whole_key, id, fault);
        if (err != UEX_OK)
            return err;
        (*aborted_count)++;
        id += size;
        left -= size;
    }
    return UEX_OK;
}

enum uex_error uex_s3_uploads_abort(struct uex_s3_store *store, const char *whole_key, const struct uex_cancel *cancel,
                                    int64_t limit_ms, struct uex_fault *fault)
{
    struct page page = {.store = store, .whole_key = whole_key, .until_ms = uex_monotonic_ms() + limit_ms};
    struct uex_fault found = {0};
    size_t aborted_count = 0;
    enum uex_error err = UEX_OK;

    page.truncated = true;
    for (unsigned count = 0; err == UEX_OK && page.truncated; count++) {
        err = count < PAGES_MAX && uex_monotonic_ms() < page.until_ms
                  ? read_page(&page, cancel, &found)
                  : uex_fail(&found, UEX_LIMIT, "the list of unfinished uploads does not end");
        if (err == UEX_OK)
            err = abort_found(&page, cancel, &aborted_count, &found);
    }
    uex_buffer_clear(&page.found);
    if (err == UEX_OK)
        return UEX_OK;
    if (!uex_s3_list_error_matters(err)) {
        log_uploads_stay(store->service, &found);
        return UEX_OK;
    }
    if (fault != NULL)
        *fault = found;
    return err;
}

enum uex_error uex_s3_abort_leftovers(struct uex_object_store *base, const char *key, struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    char *whole = NULL;
    enum uex_error err = uex_s3_whole_key(store, key, &whole, fault);

    if (err == UEX_OK && !uex_s3_has_no_unfinished(store, whole))
        err = uex_s3_uploads_abort(store, whole, base->cancel, UEX_S3_LEFTOVERS_LIMIT_MS, fault);
    free(whole);
    return err;
}
