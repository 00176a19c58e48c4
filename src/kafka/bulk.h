/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/bulk.h — many records to one topic, and perhaps one to another, in one Kafka transaction: all of them or
 * none. One thread. */
#ifndef EXPORT_KAFKA_BULK_H
#define EXPORT_KAFKA_BULK_H

#include "kafka/client.h"

#define UEX_BULK_HEADERS_MAX 2

/* One record more. Borrowed. */
struct uex_bulk_extra {
    const char *topic; /* its partition by murmur2 of the key */
    struct uex_bytes key, value;
    struct {
        const char *name, *value; /* NULL for the value: no header */
    } headers[UEX_BULK_HEADERS_MAX];
};

/* What is sent. Strings are borrowed. */
struct uex_bulk {
    const struct uex_config *config;
    const char *transactional_id; /* a later process with the same id fences this one */
    int timeout_ms;               /* of the transaction; if this process dies, readers are held back for so long */
    const char *topic;
    uint64_t count;
    /* The record `index`: its key, borrowed until the next call, and its value, appended. Asked for in order; from 0
     * again when the transaction is repeated. */
    void (*record)(void *context, uint64_t index, struct uex_bytes *key, struct uex_buffer *value);
    void (*progress)(void *context, uint64_t delivered); /* called now and then; may be NULL */
    void *context;
    const struct uex_bulk_extra *also; /* goes with the others; NULL: none */
    /* Called once, when this process is the one with the transactional id and nothing is sent yet: `also` may still
     * be changed. What it returns ends the sending, unless it is UEX_OK. May be NULL. */
    enum uex_error (*ready)(void *context, struct uex_fault *fault);
    void *ready_context;
    const struct uex_cancel *cancel; /* ends it before the commit is asked for; may be NULL */
    /* For sentences of faults. */
    const char *opening;     /* "becoming the one scheduler" */
    const char *what;        /* "sending a command" */
    const char *unknown_end; /* what to do when it is not known whether it was sent */
};

/* Send it, each record to the partition that murmur2 of its key says. A transaction that must be aborted is repeated,
 * three times in all. UEX_OK with `*fenced`: another process with this transactional id took over; nothing was sent
 * from here. UEX_CANCELLED: aborted because of `cancel`; UEX_KAFKA_UNAVAILABLE within `startup.timeout` before anything
 * was sent; UEX_TIMEOUT: the outcome is unknown; what `ready` returned. */
UEX_MUST_CHECK enum uex_error uex_bulk_send(const struct uex_bulk *bulk, bool *fenced, struct uex_fault *fault);
#endif
