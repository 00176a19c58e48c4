/* SPDX-License-Identifier: Apache-2.0 */
#include "store/aws_identity.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "export/clock.h"
#include "export/text.h"
#include "store/json.h"
#include "store/s3_xml.h"

#define ANSWER_MAX_BYTES ((size_t)64 << 10)
#define TOKEN_MAX_BYTES ((size_t)32 << 10)
#define ASK_LIMIT_MS 10000L
#define SESSION_SECONDS "3600"

/* A question to an issuer, and its answer. Everything in it is secret. */
struct question {
    struct uex_buffer url, body, authorization, answer;
    bool post;
    bool is_plain; /* without TLS */
};

static void wipe(struct uex_buffer *buffer)
{
    if (buffer->data != NULL)
        explicit_bzero(buffer->data, buffer->capacity_bytes);
    uex_buffer_clear(buffer);
}

static void question_clear(struct question *question)
{
    wipe(&question->url);
    wipe(&question->body);
    wipe(&question->authorization);
    wipe(&question->answer);
}

static bool has_control(struct uex_bytes text)
{
    for (size_t i = 0; i < text.size_bytes; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    return false;
}

/* The token is renewed by the writer of the file, so it is read each time. */
static enum uex_error read_token(const char *path, struct uex_buffer *out, struct uex_fault *fault)
{
    char piece[4096];
    size_t size_bytes = 0;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return uex_fail(fault, UEX_STORE_AUTH, "the token's file cannot be read");
    while ((size_bytes = fread(piece, 1, sizeof(piece), file)) > 0 && out->size_bytes <= TOKEN_MAX_BYTES)
        uex_buffer_append(out, piece, size_bytes);
    fclose(file);
    explicit_bzero(piece, sizeof(piece));
    while (out->size_bytes > 0 && (out->data[out->size_bytes - 1] == '\n' || out->data[out->size_bytes - 1] == '\r'))
        out->data[--out->size_bytes] = '\0';
    if (uex_buffer_failed(out))
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a token");
    if (out->size_bytes == 0 || out->size_bytes > TOKEN_MAX_BYTES || has_control(uex_buffer_bytes(out)))
        return uex_fail(fault, UEX_STORE_AUTH, "the token's file must have one line of text");
    return UEX_OK;
}

static bool is_local_host(const char *host)
{
    static const char *const hosts[] = {"127.0.0.1",     "localhost",      "[::1]",
                                        "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        if (strcasecmp(host, hosts[i]) == 0)
            return true;
    return false;
}

/* The parts of a URL by CURLU; NULL: it has no such part, or memory was short. */
struct url_parts {
    CURLU *parsed;
    char *whole, *scheme, *host, *user, *password;
};

static bool is_allowed(const struct url_parts *parts)
{
    if (parts->scheme == NULL || parts->host == NULL || parts->user != NULL || parts->password != NULL)
        return false;
    return strcmp(parts->scheme, "https") == 0 || (strcmp(parts->scheme, "http") == 0 && is_local_host(parts->host));
}

static enum uex_error read_parts(struct url_parts *parts, const char *url)
{
    const struct {
        CURLUPart part;
        char **text;
    } wanted[] = {{CURLUPART_SCHEME, &parts->scheme},
                  {CURLUPART_HOST, &parts->host},
                  {CURLUPART_USER, &parts->user},
                  {CURLUPART_PASSWORD, &parts->password},
                  {CURLUPART_URL, &parts->whole}};
    CURLUcode code = CURLUE_OUT_OF_MEMORY;

    parts->parsed = curl_url();
    if (parts->parsed != NULL)
        code = curl_url_set(parts->parsed, CURLUPART_URL, url, 0);
    if (code != CURLUE_OK)
        return code == CURLUE_OUT_OF_MEMORY ? UEX_NO_MEMORY : UEX_STORE_AUTH;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (curl_url_get(parts->parsed, wanted[i].part, wanted[i].text, 0) == CURLUE_OUT_OF_MEMORY)
            return UEX_NO_MEMORY;
    return UEX_OK;
}

/* What is checked must be what is asked: the parser corrects its input ("http:/host"), so its own text is used. */
enum uex_error uex_aws_url_read(const char *url, struct uex_buffer *out, bool *is_plain)
{
    struct url_parts parts = {0};
    enum uex_error err = read_parts(&parts, url);

    *is_plain = true;
    if (err == UEX_OK && (!is_allowed(&parts) || parts.whole == NULL))
        err = UEX_STORE_AUTH;
    if (err == UEX_OK) {
        *is_plain = strcmp(parts.scheme, "https") != 0;
        uex_buffer_append_text(out, parts.whole);
        err = uex_buffer_failed(out) ? UEX_NO_MEMORY : UEX_OK;
    }
    curl_free(parts.whole);
    curl_free(parts.scheme);
    curl_free(parts.host);
    curl_free(parts.user);
    curl_free(parts.password);
    curl_url_cleanup(parts.parsed);
    return err;
}

static size_t on_answer(char *data, size_t item_size, size_t item_count, void *context)
{
    struct uex_buffer *answer = context;
    const size_t size_bytes = item_size * item_count;

    uex_buffer_append(answer, data, size_bytes);
    return uex_buffer_failed(answer) ? 0 : size_bytes;
}

static enum uex_error exchange(const struct uex_config *config, struct question *question, long *status,
                               struct uex_fault *fault)
{
    CURL *easy = curl_easy_init();
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (question->authorization.size_bytes > 0)
        headers = curl_slist_append(NULL, uex_buffer_text(&question->authorization));
    /* libcurl copies these texts. Without memory for one, a token could go to a proxy or to an address that was not
     * checked. */
    if (easy != NULL && (headers != NULL || question->authorization.size_bytes == 0) &&
        curl_easy_setopt(easy, CURLOPT_URL, uex_buffer_text(&question->url)) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        /* Without TLS only this machine and the agents' own addresses are asked, and no proxy may see the token. */
        (!question->is_plain || curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK) &&
        (config->aws.ca_file == NULL || curl_easy_setopt(easy, CURLOPT_CAINFO, config->aws.ca_file) == CURLE_OK)) {
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ASK_LIMIT_MS);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->s3_connect_timeout_ms);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &question->answer);
        if (question->post) {
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, uex_buffer_text(&question->body));
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)question->body.size_bytes);
        }
        code = curl_easy_perform(easy);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    if (code == CURLE_OUT_OF_MEMORY)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a request for credentials");
    if (code != CURLE_OK)
        return uex_fail(fault, UEX_STORE_UNAVAILABLE, "request for the store's credentials: %s",
                        curl_easy_strerror(code));
    return UEX_OK;
}

static void append_form(struct uex_buffer *body, const char *name, const char *value)
{
    uex_buffer_append_format(body, "&%s=", name);
    uex_percent_encode(body, uex_bytes_of_text(value));
}

static enum uex_error ask_sts(const struct uex_config *config, struct question *question, struct uex_fault *fault)
{
    const struct uex_config_aws *aws = &config->aws;
    struct uex_buffer token = {0};
    enum uex_error err = read_token(aws->token_file, &token, fault);

    question->post = true;
    if (aws->sts_url != NULL)
        uex_buffer_append_text(&question->url, aws->sts_url);
    else
        uex_buffer_append_format(&question->url, "https://sts.%s.amazonaws.com/", config->s3_region);
    uex_buffer_append_text(&question->body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
    append_form(&question->body, "DurationSeconds", SESSION_SECONDS);
    append_form(&question->body, "RoleArn", aws->role_arn);
    append_form(&question->body, "RoleSessionName", aws->session_name != NULL ? aws->session_name : "users-export");
    append_form(&question->body, "WebIdentityToken", uex_buffer_text(&token));
    wipe(&token);
    return err;
}

static enum uex_error ask_container(const struct uex_config *config, struct question *question, struct uex_fault *fault)
{
    const struct uex_config_aws *aws = &config->aws;
    struct uex_buffer token = {0};
    enum uex_error err = UEX_OK;

    uex_buffer_append_text(&question->url, aws->container_url);
    if (aws->container_token_file != NULL)
        err = read_token(aws->container_token_file, &token, fault);
    else if (aws->container_token != NULL)
        uex_buffer_append_text(&token, aws->container_token);
    if (err == UEX_OK && uex_buffer_failed(&token))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for a token");
    if (token.size_bytes > 0)
        uex_buffer_append_format(&question->authorization, "Authorization: %s", uex_buffer_text(&token));
    wipe(&token);
    return err;
}

/* False: no memory. */
static bool replace_text(char **field, const char *text)
{
    uex_secret_free(*field);
    *field = uex_text_copy(uex_bytes_of_text(text));
    return *field != NULL;
}

static bool is_complete(const struct uex_s3_credentials *found, int64_t expires_ms)
{
    const char *const values[] = {found->access_key_id, found->secret_access_key, found->session_token};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        if (values[i] == NULL || values[i][0] == '\0' || has_control(uex_bytes_of_text(values[i])))
            return false;
    return expires_ms > 0;
}

struct reading {
    struct uex_s3_credentials *out;
    int64_t *expires_ms;
    bool starved;
};

static bool on_element(void *context, const char *path, const char *text)
{
    static const char prefix[] = "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/";
    struct reading *reading = context;
    const char *name = path + strlen(prefix);

    if (strncmp(path, prefix, strlen(prefix)) != 0)
        return true;
    if (strcmp(name, "AccessKeyId") == 0)
        reading->starved = !replace_text(&reading->out->access_key_id, text);
    else if (strcmp(name, "SecretAccessKey") == 0)
        reading->starved = !replace_text(&reading->out->secret_access_key, text);
    else if (strcmp(name, "SessionToken") == 0)
        reading->starved = !replace_text(&reading->out->session_token, text);
    else if (strcmp(name, "Expiration") == 0 && !uex_time_parse(text, strlen(text), reading->expires_ms))
        return false;
    return !reading->starved;
}

enum uex_error uex_aws_read_sts(struct uex_bytes document, struct uex_s3_credentials *out, int64_t *expires_ms)
{
    struct reading reading = {.out = out, .expires_ms = expires_ms};
    enum uex_error err = UEX_OK;

    *expires_ms = 0;
    err = uex_s3_xml_parse(document, (struct uex_s3_xml_handler){.element = on_element, .context = &reading});
    if (err == UEX_NO_MEMORY || reading.starved)
        return UEX_NO_MEMORY;
    return err == UEX_OK && is_complete(out, *expires_ms) ? UEX_OK : UEX_STORE_AUTH;
}

static void wipe_json(cJSON *item)
{
    for (; item != NULL; item = item->next)
        if (cJSON_IsString(item))
            explicit_bzero(item->valuestring, strlen(item->valuestring));
}

enum uex_error uex_aws_read_container(struct uex_bytes document, struct uex_s3_credentials *out, int64_t *expires_ms)
{
    cJSON *json = NULL;
    enum uex_error err = uex_store_json_parse(document, &json);
    const cJSON *expiration = cJSON_GetObjectItemCaseSensitive(json, "Expiration");
    const struct {
        const char *name;
        char **field;
    } fields[] = {{"AccessKeyId", &out->access_key_id},
                  {"SecretAccessKey", &out->secret_access_key},
                  {"Token", &out->session_token}};

    *expires_ms = 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, fields[i].name);

        if (cJSON_IsString(item) && !replace_text(fields[i].field, item->valuestring))
            err = UEX_NO_MEMORY;
    }
    if (!cJSON_IsString(expiration) ||
        !uex_time_parse(expiration->valuestring, strlen(expiration->valuestring), expires_ms))
        *expires_ms = 0;
    if (json != NULL)
        wipe_json(json->child);
    cJSON_Delete(json);
    if (err == UEX_NO_MEMORY)
        return err;
    return err == UEX_OK && is_complete(out, *expires_ms) ? UEX_OK : UEX_STORE_AUTH;
}

static bool on_refusal(void *context, const char *path, const char *text)
{
    if (strcmp(path, "ErrorResponse/Error/Code") == 0)
        uex_s3_word_copy(context, UEX_S3_CODE_SIZE, uex_bytes_of_text(text));
    return true;
}

/* An issuer's error: its code, never its text, which may quote the token. */
static enum uex_error fail_refused(const struct question *question, long status, struct uex_fault *fault)
{
    char code[UEX_S3_CODE_SIZE] = "";
    const struct uex_s3_xml_handler handler = {.element = on_refusal, .context = code};

    if (question->post && uex_s3_xml_parse(uex_buffer_bytes(&question->answer), handler) != UEX_OK)
        code[0] = '\0'; /* only a person reads it */
    return uex_fail(fault, status >= 500 || status == 429 ? UEX_STORE_UNAVAILABLE : UEX_STORE_AUTH,
                    "the issuer of the store's credentials answered with HTTP %ld%s%s", status, code[0] == 0 ? "" : " ",
                    code);
}

/* Replace the address that was given by the one that is asked. */
static enum uex_error read_address(struct question *question, struct uex_fault *fault)
{
    struct uex_buffer given = question->url;
    enum uex_error err = UEX_OK;

    question->url = (struct uex_buffer){0};
    err = uex_aws_url_read(uex_buffer_text(&given), &question->url, &question->is_plain);
    wipe(&given);
    if (err == UEX_NO_MEMORY)
        return uex_fail(fault, err, "no memory for a request for credentials");
    return err == UEX_OK
               ? err
               : uex_fail(fault, err,
                          "the address of the issuer of the store's credentials is refused: https, or http to "
                          "this machine or a container agent, without a user name");
}

static enum uex_error read_answer(const struct question *question, struct uex_s3_credentials *out, int64_t *expires_ms,
                                  struct uex_fault *fault)
{
    const struct uex_bytes answer = uex_buffer_bytes(&question->answer);
    const enum uex_error err =
        question->post ? uex_aws_read_sts(answer, out, expires_ms) : uex_aws_read_container(answer, out, expires_ms);

    if (err == UEX_NO_MEMORY)
        return uex_fail(fault, err, "no memory for the answer of the issuer of the store's credentials");
    if (err != UEX_OK)
        return uex_fail(fault, err, "the answer of the issuer of the store's credentials cannot be read");
    if (*expires_ms <= uex_wall_ms())
        return uex_fail(fault, UEX_STORE_AUTH, "the issuer's credentials have expired already");
    return UEX_OK;
}

enum uex_error uex_aws_identity_ask(const struct uex_config *config, struct uex_s3_credentials *out,
                                    int64_t *expires_ms, struct uex_fault *fault)
{
    struct question question = {.answer.cap_bytes = ANSWER_MAX_BYTES};
    const bool sts = config->aws.role_arn != NULL;
    long status = 0;
    enum uex_error err = sts ? ask_sts(config, &question, fault) : ask_container(config, &question, fault);

    /* A token or an address that was cut short is a wrong one. */
    if (uex_buffer_failed(&question.url) || uex_buffer_failed(&question.body) ||
        uex_buffer_failed(&question.authorization))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for a request for credentials");
    if (err == UEX_OK)
        err = read_address(&question, fault);
    if (err == UEX_OK)
        err = exchange(config, &question, &status, fault);
    if (err == UEX_OK && (status < 200 || status > 299))
        err = fail_refused(&question, status, fault);
    if (err == UEX_OK)
        err = read_answer(&question, out, expires_ms, fault);
    question_clear(&question);
    return err;
}
