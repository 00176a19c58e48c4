/* SPDX-License-Identifier: Apache-2.0 */
/* What the store refuses to everybody: the requests of an export, tried on a name of the program's own.
 *
 * Nothing is left behind. An upload is begun, given one part and aborted. What would make an object is sent so that it
 * has to fail for a reason of its own: the upload is completed with a part that is not there, and the object's bytes
 * are not those that are signed (x-amz-content-sha256). A store that understands the request answers 400; one that
 * refuses it to us, or does not know If-None-Match, says so before it looks at that. The rights are those of an export:
 * s3:PutObject, s3:GetObject and s3:ListBucket; without s3:AbortMultipartUpload the empty upload waits for the
 * lifecycle rule, like those of exports. */
#include <stdlib.h>

#include "store/s3_error.h"
#include "store/s3_multipart.h"

#define PROBE_NAME "users-export-probe"
#define TIDY_LIMIT_MS 5000 /* what an earlier probe left that was killed */

struct probe {
    struct uex_s3_store *store;
    char *whole_key;
    char upload_id[UEX_S3_UPLOAD_ID_SIZE];
    struct uex_s3_part part;
    struct uex_object_meta meta;
    struct uex_fault *fault;
};

/* Where exports are, since the rights may end there: "<prefix>/<domain>/users-export-probe". */
static enum uex_error choose_key(struct probe *probe)
{
    const char *domain_id = probe->store->settings.config->export_domain_id;
    const bool has_domain = domain_id != NULL && domain_id[0] != '\0';
    struct uex_buffer key = {0};
    enum uex_error err = UEX_OK;

    uex_buffer_append_format(&key, "%s%s" PROBE_NAME, has_domain ? domain_id : "", has_domain ? "/" : "");
    err = uex_buffer_failed(&key)
              ? uex_fail(probe->fault, UEX_NO_MEMORY, "no memory for a probe")
              : uex_s3_whole_key(probe->store, uex_buffer_text(&key), &probe->whole_key, probe->fault);
    uex_buffer_clear(&key);
    return err;
}

static enum uex_error refused(struct probe *probe)
{
    if (probe->fault != NULL)
        probe->fault->error = UEX_STORE_REFUSED;
    return UEX_STORE_REFUSED;
}

/* Of a request that has to succeed. A lost race is fine: another worker's probe tidied ours away. */
static enum uex_error judge(struct probe *probe, enum uex_error err, long status)
{
    if (err == UEX_OK || err == UEX_STORE_RACE)
        return UEX_OK;
    return uex_s3_is_refusal(err, status) ? refused(probe) : err;
}

/* Of a request that has to fail: only what says that it is not allowed or not known counts. Servers differ in how they
 * answer a wrong request, and everything else was shown by the requests that have to succeed. */
static enum uex_error judge_wrong(struct probe *probe, enum uex_error err, long status)
{
    if (err == UEX_CANCELLED || err == UEX_NO_MEMORY || err == UEX_INTERNAL)
        return err;
    if (err == UEX_STORE_DENIED || (status >= 300 && status <= 399) || status == 405 || status == 501 || status == 505)
        return refused(probe);
    return UEX_OK;
}

/* A server that took the wrong request has made an object. Workers need no right to delete: then this one stays, and
 * later probes find the name taken. */
static void remove_object(struct probe *probe)
{
    const struct uex_s3_request request = {
        .method = "DELETE", .key = probe->whole_key, .cancel = probe->store->base.cancel, .what = "a probe object"};
    struct uex_s3_response response = {0};
    struct uex_fault ignored;

    (void)!uex_s3_send(probe->store->client, &request, &response, &ignored);
    uex_s3_response_clear(&response);
}

static enum uex_error try_look_up(struct probe *probe)
{
    struct uex_object_facts facts;
    enum uex_error err = uex_s3_head(probe->store, probe->whole_key, 0, &facts, probe->fault);

    uex_object_facts_clear(&facts);
    return err == UEX_NOT_FOUND ? UEX_OK : judge(probe, err, uex_s3_client_status(probe->store->client));
}

static enum uex_error try_part(struct probe *probe)
{
    probe->part = (struct uex_s3_part){.client = probe->store->client,
                                       .whole_key = probe->whole_key,
                                       .upload_id = probe->upload_id,
                                       .number = 1,
                                       .data = uex_bytes_of_text("0"),
                                       .cancel = probe->store->base.cancel};
    uex_s3_part_run(&probe->part);
    if (probe->fault != NULL && probe->part.result != UEX_OK)
        *probe->fault = probe->part.fault;
    return judge(probe, probe->part.result, uex_s3_client_status(probe->store->client));
}

static enum uex_error send_wrong(struct probe *probe, const struct uex_s3_request *request)
{
    struct uex_s3_response response = {0};
    enum uex_error err = uex_s3_send(probe->store->client, request, &response, probe->fault);
    const long status = response.status;

    uex_s3_response_clear(&response);
    if (err == UEX_OK)
        remove_object(probe);
    return judge_wrong(probe, err, status);
}

static enum uex_error try_completion(struct probe *probe)
{
    static const struct uex_s3_header headers[] = {{.name = "if-none-match", .value = "*"},
                                                   {.name = "content-type", .value = "application/xml"}};
    static const char body[] =
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Part><PartNumber>2</PartNumber><ETag>\"d41d8cd98f00b204e9800998ecf8427e\"</ETag></Part>"
        "</CompleteMultipartUpload>";
    const struct uex_s3_param params[] = {{"uploadId", probe->upload_id}};
    const struct uex_s3_request request = {.method = "POST",
                                           .key = probe->whole_key,
                                           .params = params,
                                           .param_count = 1,
                                           .headers = headers,
                                           .header_count = 2,
                                           .body = uex_bytes_of_text(body),
                                           .cancel = probe->store->base.cancel,
                                           .what = "the completion of an upload"};

    return send_wrong(probe, &request);
}

static enum uex_error try_put(struct probe *probe)
{
    struct uex_s3_write_headers headers;
    uint8_t other_sha256[UEX_SHA256_SIZE];

    uex_s3_write_headers_init(&headers, probe->store->settings.config, &probe->meta);
    uex_s3_write_headers_add(&headers, "if-none-match", "*");
    uex_sha256(uex_bytes_of_text("1"), other_sha256);
    const struct uex_s3_request request = {.method = "PUT",
                                           .key = probe->whole_key,
                                           .headers = headers.items,
                                           .header_count = headers.count,
                                           .body = uex_bytes_of_text("0"),
                                           .body_sha256 = other_sha256,
                                           .cancel = probe->store->base.cancel,
                                           .what = "an object"};

    return send_wrong(probe, &request);
}

static enum uex_error try_upload(struct probe *probe)
{
    struct uex_s3_store *store = probe->store;
    struct uex_fault ignored;
    bool stray = false;
    enum uex_error err =
        uex_s3_upload_create(store, probe->whole_key, &probe->meta, 0, probe->upload_id, &stray, probe->fault);

    err = judge(probe, err, uex_s3_client_status(store->client));
    if (probe->upload_id[0] != '\0') {
        if (err == UEX_OK)
            err = try_part(probe);
        if (err == UEX_OK)
            err = try_completion(probe);
        (void)!uex_s3_upload_abort(store, probe->whole_key, probe->upload_id, &ignored);
    }
    if (stray)
        (void)!uex_s3_uploads_abort(store, probe->whole_key, NULL, TIDY_LIMIT_MS, &ignored);
    return err;
}

enum uex_error uex_s3_try_requests(struct uex_s3_store *store, struct uex_fault *fault)
{
    struct probe probe = {.store = store, .fault = fault};
    struct uex_fault ignored;
    enum uex_error err = choose_key(&probe);

    probe.meta = (struct uex_object_meta){.row_count = UEX_UNKNOWN, .has_tags = true};
    probe.meta.tags.snapshot_at_ms = uex_wall_ms();
    uex_uuid_random(probe.meta.tags.command_id);
    if (err == UEX_OK)
        err = try_look_up(&probe);
    if (err == UEX_OK) {
        (void)!uex_s3_uploads_abort(store, probe.whole_key, store->base.cancel, TIDY_LIMIT_MS, &ignored);
        err = try_upload(&probe);
    }
    if (err == UEX_OK)
        err = try_put(&probe);
    free(probe.whole_key);
    return err;
}
