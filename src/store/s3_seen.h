/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_seen.h — what this process has seen of its store, so that a probe concludes no more than it may. Any
 * thread. */
#ifndef EXPORT_STORE_S3_SEEN_H
#define EXPORT_STORE_S3_SEEN_H

#include <stdbool.h>

#include "export/uuid.h"
#include "store/s3_xml.h"

/* An answer to one of the two requests that publish an object. */
struct uex_s3_answer {
    bool completes; /* CompleteMultipartUpload, not PutObject */
    long status;    /* 0: none */
    char code[UEX_S3_CODE_SIZE];
};
bool uex_s3_answer_is(const struct uex_s3_answer *answer, const struct uex_s3_answer *other);

/* An object was published below this domain ("": not known): the store takes this request, and whatever it answers to
 * the probe's wrong one. */
void uex_s3_seen_published(const char *domain_id, bool completes);
/* The store answers the probe's wrong request in a way that is not known. */
void uex_s3_seen_unclear(const struct uex_s3_answer *answer);
/* A command met the same answer: that objects are published again later says nothing of it. */
void uex_s3_seen_refusal(const struct uex_s3_answer *answer);
/* Was an object published after this answer: is it only the store's way to answer a wrong request? */
bool uex_s3_seen_is_usual(const struct uex_s3_answer *answer);
/* The domain of the object that was published last; "": none was. */
void uex_s3_seen_domain(char out[UEX_UUID_TEXT_SIZE]);
void uex_s3_seen_clear(void);
#endif
