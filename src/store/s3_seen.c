/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_seen.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char domain_id[UEX_UUID_TEXT_SIZE];
    struct {
        struct uex_s3_answer answer; /* to the probe's wrong request */
        enum { UNCLEAR, USUAL, REFUSAL } meaning;
    } answers[2]; /* to PutObject, to CompleteMultipartUpload */
} seen;

bool uex_s3_answer_is(const struct uex_s3_answer *answer, const struct uex_s3_answer *other)
{
    return answer->status != 0 && answer->status == other->status && answer->completes == other->completes &&
           strcmp(answer->code, other->code) == 0;
}

void uex_s3_seen_published(const char *domain_id, bool completes)
{
    pthread_mutex_lock(&lock);
    (void)snprintf(seen.domain_id, sizeof(seen.domain_id), "%s", domain_id);
    if (seen.answers[completes].answer.status != 0 && seen.answers[completes].meaning == UNCLEAR)
        seen.answers[completes].meaning = USUAL;
    pthread_mutex_unlock(&lock);
}

void uex_s3_seen_unclear(const struct uex_s3_answer *answer)
{
    pthread_mutex_lock(&lock);
    if (!uex_s3_answer_is(answer, &seen.answers[answer->completes].answer)) {
        seen.answers[answer->completes].answer = *answer;
        seen.answers[answer->completes].meaning = UNCLEAR;
    }
    pthread_mutex_unlock(&lock);
}

void uex_s3_seen_refusal(const struct uex_s3_answer *answer)
{
    pthread_mutex_lock(&lock);
    seen.answers[answer->completes].answer = *answer;
    seen.answers[answer->completes].meaning = REFUSAL;
    pthread_mutex_unlock(&lock);
}

bool uex_s3_seen_is_usual(const struct uex_s3_answer *answer)
{
    bool is_usual = false;

    pthread_mutex_lock(&lock);
    is_usual = seen.answers[answer->completes].meaning == USUAL &&
               uex_s3_answer_is(answer, &seen.answers[answer->completes].answer);
    pthread_mutex_unlock(&lock);
    return is_usual;
}

void uex_s3_seen_domain(char out[UEX_UUID_TEXT_SIZE])
{
    pthread_mutex_lock(&lock);
    memcpy(out, seen.domain_id, UEX_UUID_TEXT_SIZE);
    pthread_mutex_unlock(&lock);
}

void uex_s3_seen_clear(void)
{
    pthread_mutex_lock(&lock);
    memset(&seen, 0, sizeof(seen));
    pthread_mutex_unlock(&lock);
}
