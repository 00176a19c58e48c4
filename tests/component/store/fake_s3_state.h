/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/store/fake_s3_state.h — what fake_s3.h keeps: rules, objects, uploads, and what was asked. */
#ifndef COMPONENT_STORE_FAKE_S3_STATE_H
#define COMPONENT_STORE_FAKE_S3_STATE_H

#include "s3_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define FAKE_ITEMS 64
#define FAKE_LOG 256

enum fake_action {
    FAKE_ANSWER, /* with `status` and `body`, nothing done */
    FAKE_LOSE,   /* do the work, then close without an answer */
    FAKE_RESET,  /* do nothing and reset the connection */
    FAKE_STALL,  /* do nothing and keep the connection open */
    FAKE_HALF    /* answer with half of the body, then close */
};

struct fake_rule {
    const char *method;
    const char *target; /* part of "path?query"; NULL: any */
    int skip, count;    /* from the request after `skip`, `count` times */
    enum fake_action action;
    int status;
    const char *body;
};

struct fake_item { /* an object, an upload or a part */
    char path[256];
    char id[16];   /* of an upload */
    int number;    /* of a part */
    char *headers; /* metadata lines of the request */
    uint8_t *data;
    size_t size;
    enum { FAKE_FREE, FAKE_OBJECT, FAKE_UPLOAD, FAKE_PART } kind;
};

struct fake_s3 {
    int listen_fd, port;
    char endpoint[64];
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* for all below */
    struct fake_rule rules[8];
    struct fake_item items[FAKE_ITEMS];
    char log[FAKE_LOG][320];     /* "METHOD path?query" */
    char *log_headers[FAKE_LOG]; /* of the same request; owned */
    size_t log_count;
    char last_headers[8192]; /* of the last request with a body, or of any while there was none */
    char completion[4096];   /* the body of the last CompleteMultipartUpload */
    bool no_bucket;
    bool has_object_lock; /* the bucket demands a checksum with each object and part */
    int upload_count, connection_count, page_size;
    int pause_us; /* after each 64 KiB of a body: a slow line */
    pthread_t connections[FAKE_LOG];
    size_t thread_count;
};

struct fake_connection {
    struct fake_s3 *fake;
    int fd;
};

struct fake_request {
    char method[8], target[512], path[256], query[512];
    char headers[8192];
    uint8_t *body;
    size_t size;
};
#endif
