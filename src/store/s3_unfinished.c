/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_unfinished.h"

#include <pthread.h>
#include <stdlib.h>

#include "export/clock.h"
#include "store/s3_multipart.h"

#define VALID_MS 150 /* some five questions a second for hundreds of small groups */
#define PAGE_UPLOADS_MAX 1000

/* One answer, of one prefix; a process has one store. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char *place; /* "scheme://host bucket prefix" */
    char *keys;  /* each with its zero */
    size_t keys_bytes;
    int64_t asked_ms; /* monotonic, before the question; 0: nothing is known */
    bool asking;
    uint64_t forgotten; /* how often: an answer to a question from before is no answer */
} known;

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

    if (store->settings.url.prefix[0] != '\0')
        uex_buffer_append_format(&prefix, "%s/", store->settings.url.prefix);
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

static bool place_of(const struct uex_s3_store *store, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "%s://%s %s %s", store->settings.scheme, store->settings.host,
                             store->settings.url.bucket, store->settings.url.prefix);
    return !uex_buffer_failed(out);
}

/* Locked. */
static bool is_fresh(const char *place)
{
    return known.asked_ms != 0 && uex_monotonic_ms() - known.asked_ms <= VALID_MS && strcmp(known.place, place) == 0;
}

/* Locked. */
static bool has(const char *key)
{
    for (size_t i = 0; i < known.keys_bytes; i += strlen(known.keys + i) + 1) {
        if (strcmp(known.keys + i, key) == 0)
            return true;
    }
    return false;
}

/* Locked; released meanwhile. */
static void refresh(struct uex_s3_store *store, const char *place)
{
    const int64_t asked_ms = uex_monotonic_ms();
    const uint64_t forgotten = known.forgotten;
    struct page page = {0};
    bool whole = false;

    known.asking = true;
    pthread_mutex_unlock(&lock);
    whole = ask(store, &page);
    pthread_mutex_lock(&lock);
    known.asking = false;
    known.asked_ms = 0;
    if (whole && known.forgotten == forgotten) {
        free(known.place);
        free(known.keys);
        known.place = strdup(place);
        known.keys = malloc(page.keys.size_bytes + 1);
        known.keys_bytes = known.keys == NULL ? 0 : page.keys.size_bytes;
        if (known.keys_bytes > 0)
            memcpy(known.keys, uex_buffer_text(&page.keys), page.keys.size_bytes);
        if (known.place != NULL && known.keys != NULL)
            known.asked_ms = asked_ms;
    }
    uex_buffer_clear(&page.keys);
}

bool uex_s3_has_no_unfinished(struct uex_s3_store *store, const char *whole_key)
{
    struct uex_buffer place = {0};
    bool none = false;

    if (place_of(store, &place)) {
        pthread_mutex_lock(&lock);
        if (!is_fresh(uex_buffer_text(&place)) && !known.asking)
            refresh(store, uex_buffer_text(&place));
        none = is_fresh(uex_buffer_text(&place)) && !has(whole_key);
        pthread_mutex_unlock(&lock);
    }
    uex_buffer_clear(&place);
    return none;
}

void uex_s3_unfinished_forget(void)
{
    pthread_mutex_lock(&lock);
    known.asked_ms = 0;
    known.forgotten++;
    pthread_mutex_unlock(&lock);
}

void uex_s3_unfinished_clear(void)
{
    pthread_mutex_lock(&lock);
    free(known.place);
    free(known.keys);
    known.place = NULL;
    known.keys = NULL;
    known.keys_bytes = 0;
    known.asked_ms = 0;
    pthread_mutex_unlock(&lock);
}
