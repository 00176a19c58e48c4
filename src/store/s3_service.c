/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_service.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum uex_error uex_s3_service_new(const struct uex_config *config, struct uex_s3_service **out, struct uex_fault *fault)
{
    struct uex_s3_service *service = calloc(1, sizeof(*service));
    enum uex_error err = UEX_OK;

    *out = NULL;
    if (service == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) { /* counted by libcurl: one cleanup for each */
        free(service);
        return uex_fail(fault, UEX_INTERNAL, "libcurl cannot be used");
    }
    pthread_mutex_init(&service->seen.lock, NULL);
    uex_s3_uploads_init(&service->uploads);
    atomic_flag_clear(&service->uploads_stay_logged);
    atomic_flag_clear(&service->probe_unclear_logged);
    err = uex_s3_settings_init(&service->settings, config, fault);
    if (err == UEX_OK && config->s3_ca_file != NULL && config->s3_ca_file[0] != '\0' &&
        access(config->s3_ca_file, R_OK) != 0)
        err = uex_fail(fault, UEX_CONFIG, "s3.ca_file cannot be read");
    if (err == UEX_OK && (service->credentials = uex_s3_credential_source_new(config)) == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the store's credentials");
    if (err != UEX_OK) {
        uex_s3_service_free(service);
        return err;
    }
    *out = service;
    return UEX_OK;
}

void uex_s3_service_free(struct uex_s3_service *service)
{
    if (service == NULL)
        return;
    uex_s3_credential_source_free(service->credentials);
    uex_s3_uploads_clear(&service->uploads);
    pthread_mutex_destroy(&service->seen.lock);
    uex_s3_settings_clear(&service->settings);
    curl_global_cleanup();
    free(service);
}

bool uex_s3_answer_is(const struct uex_s3_answer *answer, const struct uex_s3_answer *other)
{
    return answer->status != 0 && answer->status == other->status && answer->completes == other->completes &&
           strcmp(answer->code, other->code) == 0;
}

void uex_s3_seen_published(struct uex_s3_seen *seen, const char *domain_id, bool completes)
{
    pthread_mutex_lock(&seen->lock);
    (void)snprintf(seen->domain_id, sizeof(seen->domain_id), "%s", domain_id);
    if (seen->answers[completes].answer.status != 0 && seen->answers[completes].meaning == UEX_S3_ANSWER_UNCLEAR)
        seen->answers[completes].meaning = UEX_S3_ANSWER_USUAL;
    pthread_mutex_unlock(&seen->lock);
}

void uex_s3_seen_unclear(struct uex_s3_seen *seen, const struct uex_s3_answer *answer)
{
    pthread_mutex_lock(&seen->lock);
    if (!uex_s3_answer_is(answer, &seen->answers[answer->completes].answer)) {
        seen->answers[answer->completes].answer = *answer;
        seen->answers[answer->completes].meaning = UEX_S3_ANSWER_UNCLEAR;
    }
    pthread_mutex_unlock(&seen->lock);
}

void uex_s3_seen_refusal(struct uex_s3_seen *seen, const struct uex_s3_answer *answer)
{
    pthread_mutex_lock(&seen->lock);
    seen->answers[answer->completes].answer = *answer;
    seen->answers[answer->completes].meaning = UEX_S3_ANSWER_REFUSAL;
    pthread_mutex_unlock(&seen->lock);
}

bool uex_s3_seen_is_usual(struct uex_s3_seen *seen, const struct uex_s3_answer *answer)
{
    bool is_usual = false;

    pthread_mutex_lock(&seen->lock);
    is_usual = seen->answers[answer->completes].meaning == UEX_S3_ANSWER_USUAL &&
               uex_s3_answer_is(answer, &seen->answers[answer->completes].answer);
    pthread_mutex_unlock(&seen->lock);
    return is_usual;
}

void uex_s3_seen_domain(struct uex_s3_seen *seen, char out[UEX_UUID_TEXT_SIZE])
{
    pthread_mutex_lock(&seen->lock);
    memcpy(out, seen->domain_id, UEX_UUID_TEXT_SIZE);
    pthread_mutex_unlock(&seen->lock);
}

void uex_s3_seen_stray(struct uex_s3_seen *seen, const char *domain_id)
{
    pthread_mutex_lock(&seen->lock);
    (void)snprintf(seen->stray_domain_id, sizeof(seen->stray_domain_id), "%s", domain_id);
    pthread_mutex_unlock(&seen->lock);
}

void uex_s3_seen_stray_domain(struct uex_s3_seen *seen, char out[UEX_UUID_TEXT_SIZE])
{
    pthread_mutex_lock(&seen->lock);
    memcpy(out, seen->stray_domain_id, UEX_UUID_TEXT_SIZE);
    pthread_mutex_unlock(&seen->lock);
}
