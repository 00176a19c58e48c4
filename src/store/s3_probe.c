/* SPDX-License-Identifier: Apache-2.0 */
/* Does the store refuse exports in general? The requests of an export are tried on a name of the program's own. The
 * name is formed like an export's, since rights may be limited to a domain or a suffix.
 *
 * An upload is begun, given one part and aborted. What would make an object is sent so that it has to fail for a reason
 * of its own: the upload is completed with a part that is not there, and the object's bytes are not those that are
 * signed (x-amz-content-sha256) and have a checksum (s3.checksum). A store that understands the request answers with a
 * code for that; one that refuses it to us, or does not know If-None-Match, refuses before it looks at that. Headers
 * and rights are those of an export: s3:PutObject, s3:GetObject and s3:ListBucket, with s3.tagging s3:PutObjectTagging,
 * with s3.acl s3:PutObjectAcl.
 *
 * A probe aborts only its own upload: others may probe at the same moment. Where the answer with its id was lost it
 * aborts all of the name, and when that fails too, the next probe does: a probe whose upload is aborted by another one
 * passes. So it leaves nothing behind, with two exceptions. The upload of a probe that was killed, or that may not
 * abort it (s3:AbortMultipartUpload), waits for the lifecycle rule, like those of exports. A store that does not
 * compare x-amz-content-sha256 creates the object; it stays where s3:DeleteObject is not allowed, and leaves a delete
 * marker in a bucket with versions. */
#include <stdlib.h>

#include "export/format.h"
#include "export/log.h"
#include "store/s3_error.h"
#include "store/s3_multipart.h"

#define PROBE_GROUP "users-export-probe"
#define PROBE_COMMAND "00000000-0000-4000-8000-000000000000" /* the same each time, so that objects do not add up */
#define TIDY_LIMIT_MS 5000                                   /* to abort an upload whose id was lost with its answer */

struct probe {
    struct uex_s3_store *store;
    const char *domain_id;
    char *whole_key;
    char upload_id[UEX_S3_UPLOAD_ID_SIZE];
    bool is_taken; /* an earlier probe's object is there: see above */
    struct uex_s3_part part;
    struct uex_object_meta meta;
    struct uex_fault *fault;
};

static enum uex_error choose_key(struct probe *probe)
{
    struct uex_buffer key = {0};
    enum uex_error err = UEX_OK;

    uex_object_key(probe->domain_id, PROBE_GROUP, PROBE_COMMAND,
                   uex_format_ending(probe->store->settings->config->export_format), &key);
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

/* The verdict on a request that has to succeed, and for which 409 and 412 have no good reason. */
static enum uex_error judge_required(struct probe *probe, enum uex_error err, long status)
{
    if (err == UEX_OK)
        return UEX_OK;
    return err == UEX_STORE_RACE || err == UEX_OBJECT_EXISTS || uex_s3_is_refusal(err, status) ? refused(probe) : err;
}

/* How servers answer wrong content or a wrong part: AWS, MinIO, Ceph, versitygw, R2, GCS, Garage. */
static bool is_expected(const char *code)
{
    static const char *const codes[] = {"XAmzContentSHA256Mismatch",
                                        "XAmzContentChecksumMismatch",
                                        "BadDigest",
                                        "InvalidDigest",
                                        "IncompleteBody",
                                        "SignatureDoesNotMatch", /* signed again with the hash of what came */
                                        "InvalidPart",
                                        "InvalidPartOrder",
                                        "InvalidPartNumber",
                                        "MalformedXML",
                                        "EntityTooSmall",
                                        "NoSuchUpload"}; /* a lifecycle rule, or an older version's probe */

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

static void note_unclear(struct uex_s3_service *service, const struct uex_s3_answer *answer)
{
    uex_s3_seen_unclear(&service->seen, answer);
    if (!atomic_flag_test_and_set(&service->probe_unclear_logged))
        uex_log(UEX_LOG_INFO, UEX_EVENT_PROBE_UNCLEAR,
                "unknown answer of the store to an invalid request of the probe; taken as accepted",
                UEX_STR("request", answer->completes ? "CompleteMultipartUpload" : "PutObject"),
                UEX_INT("status", answer->status), UEX_STR("code", answer->code));
}

/* The verdict on a request that has to fail. Servers differ in how they answer a wrong one. An unknown answer counts as
 * a refusal only if the command met the same one, and if nothing was published since the server last gave it. */
static enum uex_error judge_invalid(struct probe *probe, enum uex_error err, const struct uex_s3_answer *answer)
{
    const struct uex_s3_answer *published = &probe->store->published;
    const long status = answer->status;
    const bool is_usual = uex_s3_seen_is_usual(&probe->store->service->seen, answer);
    const bool is_same = uex_s3_answer_is(answer, published) && !is_usual;
    const bool both_failed =
        answer->status >= 500 && published->status >= 500 && published->completes == answer->completes && !is_usual;

    if (err == UEX_OK || is_expected(answer->code))
        return UEX_OK;
    if (err == UEX_STORE_DENIED || (status >= 300 && status <= 399) || status == 405 || status == 501 || status == 505)
        return refused(probe);
    if (err == UEX_OBJECT_EXISTS && probe->is_taken)
        return UEX_OK;
    switch (err) {
    case UEX_STORE_RACE:
    case UEX_STORE_FAILED:
    case UEX_NOT_FOUND:
    case UEX_OBJECT_EXISTS:
        err = UEX_STORE_REFUSED;
        break;
    case UEX_STORE_UNAVAILABLE: /* 500 can be a way to answer a wrong request as well */
        if (status != 500)
            return err;
        break;
    default:
        return err;
    }
    if (!is_same && !both_failed) {
        note_unclear(probe->store->service, answer);
        return UEX_OK;
    }
    uex_s3_seen_refusal(&probe->store->service->seen, answer);
    return err == UEX_STORE_REFUSED ? refused(probe) : err;
}

/* A server that accepted the wrong request has created an object. Workers need no right to delete: then it stays, and
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
    probe->is_taken = err == UEX_OK;
    return err == UEX_NOT_FOUND ? UEX_OK : judge_required(probe, err, uex_s3_client_status(probe->store->client));
}

static enum uex_error try_part(struct probe *probe)
{
    probe->part = (struct uex_s3_part){.client = probe->store->client,
                                       .whole_key = probe->whole_key,
                                       .upload_id = probe->upload_id,
                                       .number = 1,
                                       .data = uex_bytes_of_text("0"),
                                       .cancel = probe->store->base.cancel,
                                       .checksum = probe->store->settings->config->s3_checksum};
    uex_s3_part_run(&probe->part);
    if (probe->part.result == UEX_STORE_RACE && uex_s3_client_status(probe->store->client) == 404)
        return UEX_OK; /* another client aborted it */
    if (probe->fault != NULL && probe->part.result != UEX_OK)
        *probe->fault = probe->part.fault;
    return judge_required(probe, probe->part.result, uex_s3_client_status(probe->store->client));
}

/* A 200 of CompleteMultipartUpload is sent before the work is done; its body shows how that went. */
static enum uex_error read_completion(struct probe *probe, const struct uex_s3_request *request,
                                      struct uex_s3_response *response)
{
    struct uex_s3_xml_answer answer;

    (void)uex_s3_xml_answer_read(uex_buffer_bytes(&response->body), &answer);
    if (answer.starved)
        return uex_fail(probe->fault, UEX_NO_MEMORY, "no memory for a probe");
    memcpy(response->code, answer.code, sizeof(response->code));
    if (answer.code[0] == '\0')
        return UEX_OK;
    return uex_s3_fail(probe->fault, uex_s3_error_of(response->status, answer.code), probe->store->client, request,
                       response);
}

static enum uex_error send_invalid(struct probe *probe, const struct uex_s3_request *request, bool completes)
{
    struct uex_s3_response response = {0};
    struct uex_s3_answer answer = {.completes = completes};
    bool wants_checksum = false;
    enum uex_error err = uex_s3_send(probe->store->client, request, &response, probe->fault);

    if (err == UEX_OK && completes)
        err = read_completion(probe, request, &response);
    answer.status = response.status;
    memcpy(answer.code, response.code, sizeof(answer.code));
    wants_checksum = response.wants_checksum;
    uex_s3_response_clear(&response);
    if (err == UEX_OK)
        remove_object(probe);
    if (wants_checksum) /* it does so of every export, whatever is wrong with this one */
        return refused(probe);
    return judge_invalid(probe, err, &answer);
}

static enum uex_error try_completion(struct probe *probe)
{
    static const struct uex_s3_header headers[] = {{.name = "if-none-match", .value = "*"},
                                                   {.name = "content-type", .value = "application/xml"}};
    const struct uex_s3_param params[] = {{"uploadId", probe->upload_id}};
    struct uex_buffer body = {0};
    enum uex_error err = UEX_OK;

    uex_buffer_append_text(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                  "<Part><PartNumber>2</PartNumber><ETag>\"d41d8cd98f00b204e9800998ecf8427e\"</ETag>");
    uex_s3_checksum_append(probe->part.checksum, probe->part.checksum_text, &body);
    uex_buffer_append_text(&body, "</Part></CompleteMultipartUpload>");
    if (uex_buffer_failed(&body)) {
        uex_buffer_clear(&body);
        return uex_fail(probe->fault, UEX_NO_MEMORY, "no memory for a probe");
    }
    const struct uex_s3_request request = {.method = "POST",
                                           .key = probe->whole_key,
                                           .params = params,
                                           .param_count = 1,
                                           .headers = headers,
                                           .header_count = 2,
                                           .body = uex_buffer_bytes(&body),
                                           .cancel = probe->store->base.cancel,
                                           .what = "the completion of an upload"};

    err = send_invalid(probe, &request, true);
    uex_buffer_clear(&body);
    return err;
}

static enum uex_error try_put(struct probe *probe)
{
    const struct uex_config *config = probe->store->settings->config;
    const struct uex_bytes other = uex_bytes_of_text("1");
    struct uex_s3_write_headers headers;
    uint8_t other_sha256[UEX_SHA256_SIZE];

    uex_s3_write_headers_init(&headers, config, &probe->meta);
    uex_s3_write_headers_add(&headers, "if-none-match", "*");
    uex_sha256(other, other_sha256);
    if (uex_s3_write_headers_add_checksum(&headers, config, other, other_sha256) != UEX_OK)
        return uex_fail(probe->fault, UEX_NO_MEMORY, "no memory for a probe");
    const struct uex_s3_request request = {.method = "PUT",
                                           .key = probe->whole_key,
                                           .headers = headers.items,
                                           .header_count = headers.count,
                                           .body = uex_bytes_of_text("0"),
                                           .body_sha256 = other_sha256,
                                           .cancel = probe->store->base.cancel,
                                           .what = "an object"};

    return send_invalid(probe, &request, false);
}

/* Abort all uploads of the probe's name. False: some may be left. */
static bool tidy(struct probe *probe)
{
    struct uex_fault ignored;
    bool some_left = true;

    (void)!uex_s3_uploads_abort(probe->store, probe->whole_key, NULL, TIDY_LIMIT_MS, &some_left, &ignored);
    return !some_left;
}

static void tidy_earlier(struct uex_s3_store *store)
{
    struct probe probe = {.store = store};
    char domain_id[UEX_UUID_TEXT_SIZE];

    uex_s3_seen_stray_domain(&store->service->seen, domain_id);
    probe.domain_id = domain_id;
    if (domain_id[0] != '\0' && choose_key(&probe) == UEX_OK && tidy(&probe))
        uex_s3_seen_stray(&store->service->seen, "");
    free(probe.whole_key);
}

static enum uex_error try_upload(struct probe *probe)
{
    struct uex_s3_store *store = probe->store;
    struct uex_fault ignored;
    bool stray = false;
    enum uex_error err =
        uex_s3_upload_create(store, probe->whole_key, &probe->meta, 0, probe->upload_id, &stray, probe->fault);

    err = judge_required(probe, err, uex_s3_client_status(store->client));
    if (probe->upload_id[0] != '\0') {
        if (err == UEX_OK)
            err = try_part(probe);
        if (err == UEX_OK)
            err = try_completion(probe);
        (void)!uex_s3_upload_abort(store, probe->whole_key, probe->upload_id, &ignored);
    }
    if (stray && !tidy(probe))
        uex_s3_seen_stray(&store->service->seen, probe->domain_id);
    return err;
}

static enum uex_error try_below(struct uex_s3_store *store, const char *domain_id, struct uex_fault *fault)
{
    struct probe probe = {.store = store, .domain_id = domain_id, .fault = fault};
    enum uex_error err = choose_key(&probe);

    probe.meta = (struct uex_object_meta){.row_count = UEX_UNKNOWN, .has_tags = true};
    probe.meta.tags.snapshot_at_ms = uex_wall_ms();
    uex_uuid_random(probe.meta.tags.command_id);
    if (err == UEX_OK)
        err = try_look_up(&probe);
    if (err == UEX_OK)
        err = try_upload(&probe);
    if (err == UEX_OK)
        err = try_put(&probe);
    free(probe.whole_key);
    return err;
}

/* Without export.domain_id the rights may cover some domains only. So a refusal below the command's domain is an outage
 * only if exports of another domain are refused too. */
enum uex_error uex_s3_try_requests(struct uex_s3_store *store, struct uex_fault *fault)
{
    const char *domain_id = store->settings->config->export_domain_id;
    char proven[UEX_UUID_TEXT_SIZE];
    enum uex_error err = UEX_OK;

    tidy_earlier(store);
    if (domain_id != NULL && domain_id[0] != '\0')
        return try_below(store, domain_id, fault);
    if (store->base.domain_id[0] == '\0')
        return UEX_OK;
    err = try_below(store, store->base.domain_id, fault);
    uex_s3_seen_domain(&store->service->seen, proven);
    if (err == UEX_STORE_REFUSED && proven[0] != '\0' && strcmp(proven, store->base.domain_id) != 0)
        err = try_below(store, proven, fault);
    return err;
}
