/* SPDX-License-Identifier: Apache-2.0 */
/* The server's clock, and uploads that nobody ends. Source: Amazon S3 API Reference, ListMultipartUploads. */
#include <stdio.h>

#include "store/s3_multipart.h"

#define PAGES_MAX 20

struct page {
    struct uex_store_inspection *out;
    int64_t before_ms;
    bool truncated;
    char next_key[UEX_OBJECT_KEY_MAX_BYTES + 1], next_upload_id[1025];
};

static void copy_text(char *out, size_t out_size, const char *text)
{
    out[0] = '\0';
    if (strlen(text) < out_size)
        memcpy(out, text, strlen(text) + 1);
}

static bool page_element(void *context, const char *path, const char *text)
{
    struct page *page = context;
    static const char root[] = "ListMultipartUploadsResult/";
    int64_t begun_at_ms = UEX_NO_TIME;

    if (strncmp(path, root, sizeof(root) - 1) != 0)
        return true;
    path += sizeof(root) - 1;
    if (strcmp(path, "Upload/Initiated") == 0) {
        if (!uex_time_parse(text, strlen(text), &begun_at_ms) || begun_at_ms >= page->before_ms)
            return true;
        page->out->old_uploads++;
        if (page->out->oldest_at_ms == UEX_NO_TIME || begun_at_ms < page->out->oldest_at_ms)
            page->out->oldest_at_ms = begun_at_ms;
    } else if (strcmp(path, "IsTruncated") == 0) {
        page->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(path, "NextKeyMarker") == 0) {
        copy_text(page->next_key, sizeof(page->next_key), text);
    } else if (strcmp(path, "NextUploadIdMarker") == 0) {
        copy_text(page->next_upload_id, sizeof(page->next_upload_id), text);
    }
    return true;
}

static enum uex_error read_page(struct uex_s3_store *store, const char *prefix, struct page *page,
                                struct uex_fault *fault)
{
    char key_marker[sizeof(page->next_key)], upload_id_marker[sizeof(page->next_upload_id)];
    struct uex_s3_response response = {0};
    int64_t asked_at_ms = uex_wall_ms();

    memcpy(key_marker, page->next_key, sizeof(key_marker));
    memcpy(upload_id_marker, page->next_upload_id, sizeof(upload_id_marker));
    const struct uex_s3_param params[] = {{"uploads", ""},
                                          {"prefix", prefix},
                                          {"max-uploads", "1000"},
                                          {"key-marker", key_marker},
                                          {"upload-id-marker", upload_id_marker}};
    const struct uex_s3_request request = {.method = "GET",
                                           .params = params,
                                           .param_count = key_marker[0] == '\0' ? 3 : 5,
                                           .cancel = store->base.cancel,
                                           .what = "the list of unfinished uploads"};
    enum uex_error err =
        uex_s3_send_retrying(store->client, &request, uex_s3_repetitions(store), &response, NULL, fault);

    page->truncated = false;
    if (response.date_ms != 0 && page->out->server_at_ms == UEX_NO_TIME) {
        page->out->server_at_ms = response.date_ms;
        page->out->local_at_ms = asked_at_ms + (uex_wall_ms() - asked_at_ms) / 2;
    }
    if (err == UEX_OK) {
        const enum uex_error read =
            uex_s3_xml_parse(uex_buffer_bytes(&response.body), (struct uex_s3_xml_handler){page_element, page});

        page->out->uploads_known = read == UEX_OK;
        if (read == UEX_NO_MEMORY)
            err = uex_fail(fault, read, "no memory for the list of unfinished uploads");
    }
    uex_s3_response_clear(&response);
    return err;
}

enum uex_error uex_s3_inspect(struct uex_object_store *base, int64_t before_ms, struct uex_store_inspection *out,
                              struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    struct page page = {.out = out, .before_ms = before_ms, .truncated = true};
    struct uex_buffer prefix = {0};
    enum uex_error err = UEX_OK;

    *out = (struct uex_store_inspection){
        .server_at_ms = UEX_NO_TIME, .local_at_ms = UEX_NO_TIME, .oldest_at_ms = UEX_NO_TIME};
    if (store->settings->url.prefix[0] != '\0')
        uex_buffer_append_format(&prefix, "%s/", store->settings->url.prefix);
    if (uex_buffer_failed(&prefix))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the list of unfinished uploads");
    for (int count = 0; err == UEX_OK && page.truncated && count < PAGES_MAX; count++)
        err = read_page(store, uex_buffer_text(&prefix), &page, fault);
    uex_buffer_clear(&prefix);
    /* That a server does not list them, or not for us, is an answer too; if it is away, other requests say so. */
    if (err == UEX_OK || uex_s3_list_error_matters(err))
        return err;
    out->uploads_known = false;
    return UEX_OK;
}
