/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing: the one request that makes an object visible, create-only. Its answer can be lost, and another writer can
 * use the same key at the same time. What the answer means is decided here. */
#include <stdlib.h>

#include "export/backoff.h"
#include "store/s3_error.h"
#include "store/s3_writer.h"

struct publishing {
    struct uex_s3_writer *writer;
    const struct uex_s3_request *request;
    bool completes; /* CompleteMultipartUpload: its 200 can hold an <Error> */
    bool lost;      /* the last try went out and no answer came back */
    bool unsure;    /* a try went out whose result is not known */
    enum uex_error result;
    struct uex_fault *fault;
};

/* What is under the key? UEX_OK: our object; UEX_OBJECT_EXISTS: another one; UEX_NOT_FOUND: nothing. */
static enum uex_error compare(struct publishing *publishing, struct uex_fault *fault)
{
    struct uex_s3_writer *writer = publishing->writer;
    struct uex_object_facts facts;
    enum uex_error err = uex_s3_head(writer->store, writer->whole_key, 0, &facts, fault);

    if (err == UEX_OK && !uex_object_facts_match(&facts, &writer->base.meta, writer->base.size_bytes))
        err = uex_fail(fault, UEX_OBJECT_EXISTS, "the object's key is taken");
    uex_object_facts_clear(&facts);
    return err;
}

static enum uex_error fail_race(struct publishing *publishing)
{
    return uex_fail(publishing->fault, UEX_STORE_RACE, "%s of %s: another writer interfered and left no object",
                    publishing->request->method, publishing->request->what);
}

/* HTTP 412: the key is taken, by another writer or by our own try whose answer was lost. */
static enum uex_error judge_taken(struct publishing *publishing)
{
    struct uex_fault ignored;

    if (publishing->unsure && compare(publishing, &ignored) == UEX_OK)
        return UEX_OK;
    return uex_fail(publishing->fault, UEX_OBJECT_EXISTS, "the object's key is taken");
}

/* HTTP 409, or 404 NoSuchUpload on completion: another writer was faster, or aborted our upload. */
static enum uex_error judge_race(struct publishing *publishing)
{
    struct uex_fault ignored;

    switch (compare(publishing, &ignored)) {
    case UEX_OK:
        if (publishing->unsure)
            return UEX_OK;
        return uex_fail(publishing->fault, UEX_OBJECT_EXISTS, "the object is there already");
    case UEX_OBJECT_EXISTS:
        return uex_fail(publishing->fault, UEX_OBJECT_EXISTS, "the object's key is taken");
    default:
        return fail_race(publishing);
    }
}

/* A 200 of CompleteMultipartUpload is sent before the work is done; only its body shows how that went. */
static enum uex_error judge_completion(struct publishing *publishing, struct uex_s3_response *response)
{
    struct uex_s3_client *client = publishing->writer->store->client;
    struct uex_s3_xml_answer answer;
    bool whole = uex_s3_xml_answer_read(uex_buffer_bytes(&response->body), &answer);

    if (answer.code[0] != '\0') {
        memcpy(response->code, answer.code, sizeof(response->code));
        enum uex_error err = uex_s3_error_of(response->status, answer.code);
        return uex_s3_fail(publishing->fault, err, client, publishing->request, response);
    }
    if (whole && strcmp(answer.root, "CompleteMultipartUploadResult") == 0)
        return UEX_OK;
    publishing->lost = true;
    return uex_fail(publishing->fault, UEX_STORE_UNAVAILABLE, "%s of %s: the answer cannot be read",
                    publishing->request->method, publishing->request->what);
}

/* A probe compares its own answer with it. */
static void note_answer(struct publishing *publishing, const struct uex_s3_response *response)
{
    struct uex_s3_answer *answer = &publishing->writer->store->published;

    *answer = (struct uex_s3_answer){.completes = publishing->completes, .status = response->status};
    memcpy(answer->code, response->code, sizeof(answer->code));
}

/* One try; publishing->result is how it ended. Returns an error that is to be repeated, else UEX_OK. */
static enum uex_error publish_step(void *context)
{
    struct publishing *publishing = context;
    struct uex_s3_response response = {0};
    enum uex_error err;

    if (publishing->lost) {
        publishing->result = compare(publishing, publishing->fault);
        if (publishing->result != UEX_NOT_FOUND)
            return publishing->result == UEX_STORE_UNAVAILABLE ? UEX_STORE_UNAVAILABLE : UEX_OK;
        publishing->lost = false;
    }
    err = uex_s3_send(publishing->writer->store->client, publishing->request, &response, publishing->fault);
    publishing->unsure = publishing->unsure || response.went_out > 1;
    if (err == UEX_OK && publishing->completes)
        err = judge_completion(publishing, &response);
    else if (err == UEX_STORE_UNAVAILABLE)
        publishing->lost = response.went_out > 0 && response.status == 0;
    note_answer(publishing, &response);
    if (err == UEX_NOT_FOUND) /* HTTP 404 without a code */
        err = publishing->completes ? UEX_STORE_RACE : UEX_STORE_BUCKET;
    if (err == UEX_OBJECT_EXISTS)
        err = judge_taken(publishing);
    else if (err == UEX_STORE_RACE)
        err = judge_race(publishing);
    publishing->unsure = publishing->unsure || (err == UEX_STORE_UNAVAILABLE && response.went_out > 0);
    publishing->result = err;
    uex_s3_response_clear(&response);
    return err == UEX_STORE_UNAVAILABLE ? UEX_STORE_UNAVAILABLE : UEX_OK;
}

static enum uex_error publish(struct publishing *publishing)
{
    struct uex_s3_store *store = publishing->writer->store;
    struct uex_fault ignored;
    enum uex_error err = uex_step_retry(publish_step, publishing, uex_s3_repetitions(store), store->base.cancel);

    if (err == UEX_CANCELLED)
        return uex_fail(publishing->fault, UEX_CANCELLED, "publishing an object was cancelled");
    if (publishing->result == UEX_STORE_UNAVAILABLE && publishing->unsure) {
        enum uex_error found = compare(publishing, &ignored); /* the last try may have been carried out */
        if (found == UEX_OK)
            return UEX_OK;
        if (found == UEX_OBJECT_EXISTS)
            return uex_fail(publishing->fault, UEX_OBJECT_EXISTS, "the object's key is taken");
    }
    if (publishing->fault != NULL) /* here 404 and others mean something else than for the request alone */
        publishing->fault->error = publishing->result;
    return publishing->result;
}

enum uex_error uex_s3_publish_put(struct uex_s3_writer *writer, struct uex_fault *fault)
{
    const struct uex_config *config = writer->store->settings->config;
    const struct uex_bytes body = uex_bytes_of(writer->filling, writer->filling_bytes);
    struct uex_s3_write_headers headers;

    uex_s3_write_headers_init_for(&headers, config, &writer->base.meta, writer->whole_key);
    uex_s3_write_headers_add(&headers, "if-none-match", "*");
    if (uex_s3_write_headers_add_checksum(&headers, config, body, writer->base.meta.sha256) != UEX_OK)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the checksum of an object");
    const struct uex_s3_request request = {.method = "PUT",
                                           .key = writer->whole_key,
                                           .headers = headers.items,
                                           .header_count = headers.count,
                                           .body = body,
                                           .body_sha256 = writer->base.meta.sha256,
                                           .cancel = writer->store->base.cancel,
                                           .what = "an object"};
    struct publishing publishing = {.writer = writer, .request = &request, .fault = fault};
    return publish(&publishing);
}

enum uex_error uex_s3_publish_upload(struct uex_s3_writer *writer, struct uex_fault *fault)
{
    static const struct uex_s3_header headers[] = {{.name = "if-none-match", .value = "*"},
                                                   {.name = "content-type", .value = "application/xml"}};
    const struct uex_s3_param params[] = {{"uploadId", writer->upload_id}};
    struct uex_buffer body = {0};
    enum uex_error err;

    uex_buffer_append_text(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    uex_buffer_append(&body, writer->completion.data, writer->completion.size_bytes);
    uex_buffer_append_text(&body, "</CompleteMultipartUpload>");
    if (uex_buffer_failed(&body)) {
        uex_buffer_clear(&body);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the list of parts");
    }
    const struct uex_s3_request request = {.method = "POST",
                                           .key = writer->whole_key,
                                           .params = params,
                                           .param_count = 1,
                                           .headers = headers,
                                           .header_count = 2,
                                           .body = uex_buffer_bytes(&body),
                                           .cancel = writer->store->base.cancel,
                                           .what = "the completion of an upload"};
    struct publishing publishing = {.writer = writer, .request = &request, .completes = true, .fault = fault};
    err = publish(&publishing);
    uex_buffer_clear(&body);
    return err;
}
