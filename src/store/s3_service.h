/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_service.h — what all S3 stores of a program share: where the bucket is, who signs, and what was seen of
 * the server, so that a probe concludes no more than it may. Any thread. */
#ifndef EXPORT_STORE_S3_SERVICE_H
#define EXPORT_STORE_S3_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/s3_http.h"
#include "store/s3_uploads.h"

/* An answer to one of the two requests that publish an object. */
struct uex_s3_answer {
    bool completes; /* CompleteMultipartUpload, not PutObject */
    long status;    /* 0: none */
    char code[UEX_S3_CODE_SIZE];
};
bool uex_s3_answer_is(const struct uex_s3_answer *answer, const struct uex_s3_answer *other);

/* What a store's answers to the probe's wrong requests mean. */
struct uex_s3_seen {
    pthread_mutex_t lock;                     /* guards all below */
    char domain_id[UEX_UUID_TEXT_SIZE];       /* of the object that was published last; "": none was */
    char stray_domain_id[UEX_UUID_TEXT_SIZE]; /* where a probe may have left an upload; "": nowhere */
    struct {
        struct uex_s3_answer answer; /* to the probe's wrong request */
        enum uex_s3_answer_meaning { UEX_S3_ANSWER_UNCLEAR, UEX_S3_ANSWER_USUAL, UEX_S3_ANSWER_REFUSAL } meaning;
    } answers[2]; /* to PutObject, to CompleteMultipartUpload */
};

struct uex_s3_service {
    struct uex_s3_settings settings; /* read only */
    struct uex_s3_credential_source *credentials;
    struct uex_s3_seen seen;
    struct uex_s3_uploads uploads;
    _Atomic bool is_prepared;         /* the bucket was found or made */
    atomic_flag uploads_stay_logged;  /* event uploads-stay */
    atomic_flag probe_unclear_logged; /* event probe-unclear */
};

/* The service of a config whose storage.url is s3://. The config is borrowed. UEX_CONFIG, UEX_NO_MEMORY; UEX_INTERNAL:
 * libcurl cannot be used. Not beside threads that use libcurl. */
UEX_MUST_CHECK enum uex_error uex_s3_service_new(const struct uex_config *config, struct uex_s3_service **out,
                                                 struct uex_fault *fault);
/* Accepts NULL. */
void uex_s3_service_free(struct uex_s3_service *service);

/* An object was published below this domain ("": not known): the store takes this request, and whatever it answers to
 * the probe's wrong one. */
void uex_s3_seen_published(struct uex_s3_seen *seen, const char *domain_id, bool completes);
/* The store answers the probe's wrong request in a way that is not known. */
void uex_s3_seen_unclear(struct uex_s3_seen *seen, const struct uex_s3_answer *answer);
/* A command met the same answer: that objects are published again later does not explain it. */
void uex_s3_seen_refusal(struct uex_s3_seen *seen, const struct uex_s3_answer *answer);
/* Was an object published after this answer: is it only the store's way to answer a wrong request? */
bool uex_s3_seen_is_usual(struct uex_s3_seen *seen, const struct uex_s3_answer *answer);
/* A probe below this domain may have left an upload; "": it was aborted. Of several domains the last one is kept. */
void uex_s3_seen_stray(struct uex_s3_seen *seen, const char *domain_id);
/* The domain where a probe may have left an upload; "": nowhere. */
void uex_s3_seen_stray_domain(struct uex_s3_seen *seen, char out[UEX_UUID_TEXT_SIZE]);
/* The domain of the object that was published last; "": none was. */
void uex_s3_seen_domain(struct uex_s3_seen *seen, char out[UEX_UUID_TEXT_SIZE]);
#endif
