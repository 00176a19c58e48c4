/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_unfinished.h"

#include <stdlib.h>

#include "export/clock.h"
#include "store/s3_multipart.h"

#define VALID_MS 150 /* some five questions a second for hundreds of small groups */
#define PAGE_UPLOADS_MAX 1000

struct page {
    struct uex_buffer keys;
    size_t upload_count;
    bool truncated;
    bool is_one; /* the document is what was asked for */
};

static bool page_element(void *context, const char *path, const char *text)
{
    struct page *page = context;

    if (strcmp(path, "ListMultipartUploadsResult/Upload/Key") == 0) {
        if (++page->upload_count > PAGE_UPLOADS_MAX)
            return false;
        uex_buffer_append(&page->keys, text, strlen(text) + 1);
    } else if (strcmp(path, "ListMultipartUploadsResult/IsTruncated") == 0) {
        page->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(path, "ListMultipartUploadsResult") == 0) {
        page->is_one = true;
    }
    return true;
}

/* The uploads below the prefix; false: not all of them, or an error (which the question for the key itself meets too).
 */
static bool ask(struct uex_s3_store *store, struct page *page)
{
    struct uex_buffer prefix = {0};
    struct uex_s3_response response = {0};
    struct uex_fault ignored = {0};
    bool whole = false;

    if (store->settings->url.prefix[0] != '\0')
        uex_buffer_append_format(&prefix, "%s/", store->settings->url.prefix);
    if (!uex_buffer_failed(&prefix)) {
        const struct uex_s3_param params[] = {
            {"uploads", ""}, {"prefix", uex_buffer_text(&prefix)}, {"max-uploads", "1000"}};
        const struct uex_s3_request request = {.method = "GET",
                                               .params = params,
                                               .param_count = 3,
                                               .cancel = store->base.cancel,
                                               .limit_ms = UEX_S3_LIST_LIMIT_MS,
                                               .what = "the list of unfinished uploads"};

        whole = uex_s3_send(store->client, &request, &response, &ignored) == UEX_OK &&
                uex_s3_xml_read(uex_buffer_bytes(&response.body), (struct uex_s3_xml_handler){page_element, page}) &&
                page->is_one && !page->truncated && !uex_buffer_failed(&page->keys);
    }
    uex_s3_response_clear(&response);
    uex_buffer_clear(&prefix);
    return whole;
}

void uex_s3_unfinished_init(struct uex_s3_unfinished *unfinished)
{
    *unfinished = (struct uex_s3_unfinished){0};
    pthread_mutex_init(&unfinished->lock, NULL);
}

void uex_s3_unfinished_clear(struct uex_s3_unfinished *unfinished)
{
    free(unfinished->keys);
    pthread_mutex_destroy(&unfinished->lock);
}

static bool is_fresh_synced(const struct uex_s3_unfinished *unfinished)
{
    return unfinished->asked_ms != 0 && uex_monotonic_ms() - unfinished->asked_ms <= VALID_MS;
}

static bool has_synced(const struct uex_s3_unfinished *unfinished, const char *key)
{
    for (size_t i = 0; i < unfinished->keys_bytes; i += strlen(unfinished->keys + i) + 1) {
        if (strcmp(unfinished->keys + i, key) == 0)
            return true;
    }
    return false;
}

/* The lock is released meanwhile. */
static void refresh_synced(struct uex_s3_store *store, struct uex_s3_unfinished *unfinished)
{
    const int64_t asked_ms = uex_monotonic_ms();
    const uint64_t forgotten = unfinished->forgotten;
    struct page page = {0};
    bool whole = false;

    unfinished->asking = true;
    pthread_mutex_unlock(&unfinished->lock);
    whole = ask(store, &page);
    pthread_mutex_lock(&unfinished->lock);
    unfinished->asking = false;
    unfinished->asked_ms = 0;
    if (whole && unfinished->forgotten == forgotten) {
        free(unfinished->keys);
        unfinished->keys = (char *)page.keys.data; /* NULL: there are none */
        unfinished->keys_bytes = page.keys.size_bytes;
        unfinished->asked_ms = asked_ms;
    } else {
        uex_buffer_clear(&page.keys);
    }
}

bool uex_s3_has_no_unfinished(struct uex_s3_store *store, const char *whole_key)
{
    struct uex_s3_unfinished *unfinished = &store->service->unfinished;
    bool none = false;

    pthread_mutex_lock(&unfinished->lock);
    if (!is_fresh_synced(unfinished) && !unfinished->asking)
        refresh_synced(store, unfinished);
    none = is_fresh_synced(unfinished) && !has_synced(unfinished, whole_key);
    pthread_mutex_unlock(&unfinished->lock);
    return none;
}

void uex_s3_unfinished_forget(struct uex_s3_unfinished *unfinished)
{
    pthread_mutex_lock(&unfinished->lock);
    unfinished->asked_ms = 0;
    unfinished->forgotten++;
    pthread_mutex_unlock(&unfinished->lock);
}
