/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_uploads.h"

#include <stdlib.h>

#include "export/log.h"
#include "store/s3_store.h"

#define ABORT_REPETITIONS 2
#define ABORT_LIMIT_MS 5000
#define ABORTED_MAX 100    /* uploads of one key; an attempt leaves one */
#define LIST_LIMIT_MS 5000 /* for one page, asked for once: no outcome depends on it, so nobody waits for it */
#define PAGE_UPLOADS_MAX 1000
#define ABORT_PAGES_MAX 100
#define INSPECT_PAGES_MAX 20
#define LIST_VALID_MS 150 /* some seven questions a second for hundreds of small groups */
#define LIST_WHAT "the list of incomplete multipart uploads"

/* ---- a list, page by page */

struct upload {
    char key[UEX_OBJECT_KEY_MAX_BYTES + 1]; /* "" if too long to be ours */
    char upload_id[UEX_S3_UPLOAD_ID_SIZE];  /* the same */
    int64_t begun_at_ms;                    /* UEX_NO_TIME: not known */
};

struct list {
    struct uex_s3_store *store;
    const char *prefix; /* of the keys that are asked for; borrowed */
    const struct uex_cancel *cancel;
    int64_t limit_ms; /* for one page; 0: that of any request */
    unsigned repetitions;
    void (*found)(void *context, const struct upload *upload);
    void *context;
    /* Of the page that was read last: */
    int64_t date_ms; /* the server's clock; 0: not known */
    size_t upload_count;
    bool is_list;   /* the document is what was asked for */
    bool truncated; /* another page follows */
    struct upload upload, next;
};

static void copy_text(char *out, size_t out_size, const char *text)
{
    out[0] = '\0';
    if (strlen(text) < out_size)
        memcpy(out, text, strlen(text) + 1);
}

static void begin_upload(struct upload *upload)
{
    upload->key[0] = upload->upload_id[0] = '\0';
    upload->begun_at_ms = UEX_NO_TIME;
}

static bool list_element(void *context, const char *path, const char *text)
{
    static const char root[] = "ListMultipartUploadsResult";
    struct list *list = context;

    if (strncmp(path, root, sizeof(root) - 1) != 0)
        return true;
    path += sizeof(root) - 1;
    if (path[0] == '\0') {
        list->is_list = true;
    } else if (strcmp(path, "/Upload/Key") == 0) {
        copy_text(list->upload.key, sizeof(list->upload.key), text);
    } else if (strcmp(path, "/Upload/UploadId") == 0) {
        copy_text(list->upload.upload_id, sizeof(list->upload.upload_id), text);
    } else if (strcmp(path, "/Upload/Initiated") == 0) {
        if (!uex_time_parse(text, strlen(text), &list->upload.begun_at_ms))
            list->upload.begun_at_ms = UEX_NO_TIME;
    } else if (strcmp(path, "/Upload") == 0) {
        if (++list->upload_count > PAGE_UPLOADS_MAX)
            return false;
        list->found(list->context, &list->upload);
        begin_upload(&list->upload);
    } else if (strcmp(path, "/IsTruncated") == 0) {
        list->truncated = strcmp(text, "true") == 0;
    } else if (strcmp(path, "/NextKeyMarker") == 0) {
        copy_text(list->next.key, sizeof(list->next.key), text);
    } else if (strcmp(path, "/NextUploadIdMarker") == 0) {
        copy_text(list->next.upload_id, sizeof(list->next.upload_id), text);
    }
    return true;
}

/* Errors of the request; UEX_NO_MEMORY; UEX_STORE_FAILED: the answer is not the next page of the list. */
static enum uex_error read_page(struct list *list, struct uex_fault *fault)
{
    const struct upload marker = list->next;
    const struct uex_s3_param params[] = {{"uploads", ""},
                                          {"prefix", list->prefix},
                                          {"max-uploads", "1000"},
                                          {"key-marker", marker.key},
                                          {"upload-id-marker", marker.upload_id}};
    const struct uex_s3_request request = {.method = "GET",
                                           .params = params,
                                           .param_count = marker.key[0] == '\0' ? 3 : 5,
                                           .cancel = list->cancel,
                                           .limit_ms = list->limit_ms,
                                           .what = LIST_WHAT};
    struct uex_s3_response response = {0};
    enum uex_error err = uex_s3_send_retrying(list->store->client, &request, list->repetitions, &response, NULL, fault);

    list->date_ms = response.date_ms;
    list->is_list = list->truncated = false;
    list->upload_count = 0;
    begin_upload(&list->upload);
    if (err == UEX_OK) {
        err = uex_s3_xml_parse(uex_buffer_bytes(&response.body), (struct uex_s3_xml_handler){list_element, list});
        if (err == UEX_NO_MEMORY)
            err = uex_fail(fault, err, "no memory for " LIST_WHAT);
        else if (err != UEX_OK || !list->is_list)
            err = uex_fail(fault, UEX_STORE_FAILED, "GET of " LIST_WHAT ": the answer cannot be read");
        else if (list->truncated && strcmp(marker.key, list->next.key) == 0 &&
                 strcmp(marker.upload_id, list->next.upload_id) == 0)
            err = uex_fail(fault, UEX_STORE_FAILED, "GET of " LIST_WHAT ": the pages do not go on");
    }
    uex_s3_response_clear(&response);
    return err;
}

/* Errors that do not come from the store end the call. With any other the uploads stay: if the store is unavailable,
 * the next request fails too. */
static bool error_matters(enum uex_error error)
{
    return error == UEX_CANCELLED || error == UEX_NO_MEMORY || error == UEX_INTERNAL;
}

/* The prefix of storage.url with a slash behind it; "" if it has none. False: no memory. */
static bool prefix_of(const struct uex_s3_store *store, struct uex_buffer *out)
{
    if (store->settings->url.prefix[0] != '\0')
        uex_buffer_append_format(out, "%s/", store->settings->url.prefix);
    return !uex_buffer_failed(out);
}

/* ---- the list that commands share */

void uex_s3_uploads_init(struct uex_s3_uploads *uploads)
{
    *uploads = (struct uex_s3_uploads){0};
    pthread_mutex_init(&uploads->lock, NULL);
}

void uex_s3_uploads_clear(struct uex_s3_uploads *uploads)
{
    free(uploads->keys);
    pthread_mutex_destroy(&uploads->lock);
}

void uex_s3_uploads_forget(struct uex_s3_uploads *uploads)
{
    pthread_mutex_lock(&uploads->lock);
    uploads->asked_ms = 0;
    uploads->forgotten++;
    pthread_mutex_unlock(&uploads->lock);
}

static void add_key(void *context, const struct upload *upload)
{
    struct uex_buffer *keys = context;

    if (upload->key[0] != '\0')
        uex_buffer_append(keys, upload->key, strlen(upload->key) + 1);
}

/* The keys below the prefix. False: not all of them, or an error; the list of one key meets it too. */
static bool list_keys(struct uex_s3_store *store, struct uex_buffer *keys)
{
    struct list list = {
        .store = store, .cancel = store->base.cancel, .limit_ms = LIST_LIMIT_MS, .found = add_key, .context = keys};
    struct uex_buffer prefix = {0};
    struct uex_fault ignored;
    bool is_whole = false;

    if (prefix_of(store, &prefix)) {
        list.prefix = uex_buffer_text(&prefix);
        is_whole = read_page(&list, &ignored) == UEX_OK && !list.truncated && !uex_buffer_failed(keys);
    }
    uex_buffer_clear(&prefix);
    return is_whole;
}

static bool is_fresh_synced(const struct uex_s3_uploads *uploads)
{
    return uploads->asked_ms != 0 && uex_monotonic_ms() - uploads->asked_ms <= LIST_VALID_MS;
}

static bool has_synced(const struct uex_s3_uploads *uploads, const char *key)
{
    for (size_t i = 0; i < uploads->keys_bytes; i += strlen(uploads->keys + i) + 1) {
        if (strcmp(uploads->keys + i, key) == 0)
            return true;
    }
    return false;
}

/* The lock is released meanwhile. */
static void refresh_synced(struct uex_s3_store *store, struct uex_s3_uploads *uploads)
{
    const int64_t asked_ms = uex_monotonic_ms();
    const uint64_t forgotten = uploads->forgotten;
    struct uex_buffer keys = {0};
    bool is_whole = false;

    uploads->asking = true;
    pthread_mutex_unlock(&uploads->lock);
    is_whole = list_keys(store, &keys);
    pthread_mutex_lock(&uploads->lock);
    uploads->asking = false;
    uploads->asked_ms = 0;
    if (is_whole && uploads->forgotten == forgotten) {
        free(uploads->keys);
        uploads->keys = (char *)keys.data; /* NULL: there are none */
        uploads->keys_bytes = keys.size_bytes;
        uploads->asked_ms = asked_ms;
    } else {
        uex_buffer_clear(&keys);
    }
}

/* True: a whole list that was asked for within the last 150 ms has no upload of this key. Uploads that an earlier
 * attempt left are older than that: since then the other worker's session has ended or was given back, and an upload
 * that this process leaves makes it ask again (uex_s3_uploads_forget()). False: not known; list the uploads of the key.
 * Never waits for another thread's question. */
static bool has_none(struct uex_s3_store *store, const char *whole_key)
{
    struct uex_s3_uploads *uploads = &store->service->uploads;
    bool none = false;

    pthread_mutex_lock(&uploads->lock);
    if (!is_fresh_synced(uploads) && !uploads->asking)
        refresh_synced(store, uploads);
    none = is_fresh_synced(uploads) && !has_synced(uploads, whole_key);
    pthread_mutex_unlock(&uploads->lock);
    return none;
}

/* ---- aborting */

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
        uex_s3_uploads_forget(&store->service->uploads);
    /* 404, with or without NoSuchUpload: it was completed or aborted already. */
    return err == UEX_STORE_RACE || err == UEX_NOT_FOUND ? UEX_OK : err;
}

/* Uploads that stay cost space, and nothing else: no outcome depends on them. So it is logged once, and exports go on.
 */
static void log_uploads_stay(struct uex_s3_service *service, const struct uex_fault *fault)
{
    if (!atomic_flag_test_and_set(&service->uploads_stay_logged))
        uex_log(UEX_LOG_WARN, UEX_EVENT_UPLOADS_STAY,
                "incomplete multipart uploads cannot be listed or aborted; exports go on; a lifecycle rule "
                "(AbortIncompleteMultipartUpload) must remove what a crashed worker leaves",
                UEX_STR("error", fault->text));
}

struct aborting {
    const char *whole_key;
    int64_t until_ms;      /* monotonic */
    struct uex_buffer ids; /* of the page, each with its zero */
    size_t aborted_count;
};

/* The prefix asked for is the key, but longer keys begin with it too. */
static void add_id(void *context, const struct upload *upload)
{
    struct aborting *aborting = context;

    if (upload->upload_id[0] != '\0' && strcmp(upload->key, aborting->whole_key) == 0)
        uex_buffer_append(&aborting->ids, upload->upload_id, strlen(upload->upload_id) + 1);
}

static enum uex_error abort_page(struct aborting *aborting, struct list *list, struct uex_fault *fault)
{
    const int64_t left_ms = aborting->until_ms - uex_monotonic_ms();
    enum uex_error err;

    uex_buffer_reset(&aborting->ids);
    list->limit_ms = left_ms < 1 ? 1 : left_ms > LIST_LIMIT_MS ? LIST_LIMIT_MS : left_ms;
    err = read_page(list, fault);
    if (uex_buffer_failed(&aborting->ids))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for " LIST_WHAT);
    if (err != UEX_OK)
        return err;
    for (size_t at = 0; at < aborting->ids.size_bytes;) {
        const char *id = uex_buffer_text(&aborting->ids) + at;

        if (uex_cancel_requested(list->cancel))
            return uex_fail(fault, UEX_CANCELLED, "aborting incomplete multipart uploads was cancelled");
        if (aborting->aborted_count == ABORTED_MAX || uex_monotonic_ms() >= aborting->until_ms)
            return uex_fail(fault, UEX_LIMIT,
                            "the store lists more incomplete multipart uploads of one object than are aborted");
        err = uex_s3_upload_abort(list->store, aborting->whole_key, id, fault);
        if (err != UEX_OK)
            return err;
        aborting->aborted_count++;
        at += strlen(id) + 1;
    }
    return UEX_OK;
}

enum uex_error uex_s3_uploads_abort(struct uex_s3_store *store, const char *whole_key, const struct uex_cancel *cancel,
                                    int64_t limit_ms, bool *some_left, struct uex_fault *fault)
{
    struct aborting aborting = {.whole_key = whole_key, .until_ms = uex_monotonic_ms() + limit_ms};
    struct list list = {.store = store,
                        .prefix = whole_key,
                        .cancel = cancel,
                        .found = add_id,
                        .context = &aborting,
                        .truncated = true};
    struct uex_fault found = {0};
    enum uex_error err = UEX_OK;

    for (unsigned count = 0; err == UEX_OK && list.truncated; count++)
        err = count < ABORT_PAGES_MAX && uex_monotonic_ms() < aborting.until_ms
                  ? abort_page(&aborting, &list, &found)
                  : uex_fail(&found, UEX_LIMIT, LIST_WHAT " does not end");
    uex_buffer_clear(&aborting.ids);
    if (some_left != NULL)
        *some_left = err != UEX_OK;
    if (err == UEX_OK)
        return UEX_OK;
    if (!error_matters(err)) {
        log_uploads_stay(store->service, &found);
        return UEX_OK;
    }
    if (fault != NULL)
        *fault = found;
    return err;
}

enum uex_error uex_s3_abort_incomplete(struct uex_object_store *base, const char *key, struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    char *whole = NULL;
    enum uex_error err = uex_s3_whole_key(store, key, &whole, fault);

    if (err == UEX_OK && !has_none(store, whole))
        err = uex_s3_uploads_abort(store, whole, base->cancel, UEX_S3_INCOMPLETE_LIMIT_MS, NULL, fault);
    free(whole);
    return err;
}

/* ---- what `exportctl doctor` reports */

struct inspecting {
    struct uex_store_inspection *out;
    int64_t before_ms;
};

static void count_old(void *context, const struct upload *upload)
{
    const struct inspecting *inspecting = context;
    struct uex_store_inspection *out = inspecting->out;

    if (upload->begun_at_ms == UEX_NO_TIME || upload->begun_at_ms >= inspecting->before_ms)
        return;
    out->old_uploads++;
    if (out->oldest_at_ms == UEX_NO_TIME || upload->begun_at_ms < out->oldest_at_ms)
        out->oldest_at_ms = upload->begun_at_ms;
}

static enum uex_error inspect_page(struct list *list, struct uex_store_inspection *out, struct uex_fault *fault)
{
    const int64_t asked_at_ms = uex_wall_ms();
    const enum uex_error err = read_page(list, fault);

    if (list->date_ms != 0 && out->server_at_ms == UEX_NO_TIME) {
        out->server_at_ms = list->date_ms;
        out->local_at_ms = asked_at_ms + (uex_wall_ms() - asked_at_ms) / 2;
    }
    return err;
}

enum uex_error uex_s3_inspect(struct uex_object_store *base, int64_t before_ms, struct uex_store_inspection *out,
                              struct uex_fault *fault)
{
    struct uex_s3_store *store = (struct uex_s3_store *)base;
    struct inspecting inspecting = {.out = out, .before_ms = before_ms};
    struct list list = {.store = store,
                        .cancel = base->cancel,
                        .repetitions = uex_s3_repetitions(store),
                        .found = count_old,
                        .context = &inspecting,
                        .truncated = true};
    struct uex_buffer prefix = {0};
    enum uex_error err = UEX_OK;

    *out = (struct uex_store_inspection){
        .server_at_ms = UEX_NO_TIME, .local_at_ms = UEX_NO_TIME, .oldest_at_ms = UEX_NO_TIME};
    if (!prefix_of(store, &prefix))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for " LIST_WHAT);
    list.prefix = uex_buffer_text(&prefix);
    for (int count = 0; err == UEX_OK && list.truncated && count < INSPECT_PAGES_MAX; count++)
        err = inspect_page(&list, out, fault);
    uex_buffer_clear(&prefix);
    /* A server that does not list them, or not for us, is no failure; if it is unavailable, other requests fail too. */
    out->uploads_known = err == UEX_OK;
    return error_matters(err) ? err : UEX_OK;
}
