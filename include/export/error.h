/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/error.h — every error of the project, what it is called outside, and what the worker does about it.
 *
 * One table. An error is passed on, not logged, where it happens; the worker logs it once, with its ids, and acts on
 * its disposition. The code ("database-data") is what stands in the header export-error-code, in logs and in
 * exportctl's filters.
 */
#ifndef EXPORT_ERROR_H
#define EXPORT_ERROR_H

#include <stdbool.h>

#include "export/bytes.h"

/* What is done about an error. Only the worker's loop and the step retry act on it. */
enum uex_disposition {
    UEX_DISPOSITION_NONE,       /* not a failure */
    UEX_DISPOSITION_RETRY_STEP, /* transient: the same step again after a pause; then as RETRY_LATER, charged unless the
                                   probe fails */
    UEX_DISPOSITION_RETRY_LATER, /* the command again later, charged an attempt */
    UEX_DISPOSITION_REJECT,      /* no retry can fix it: dead letter at once */
    UEX_DISPOSITION_OUTAGE,      /* dependency outage: no command is charged */
    UEX_DISPOSITION_FATAL        /* the program cannot go on */
};

/* X(name, code, disposition, sentence) */
#define UEX_ERRORS(X)                                                                                                  \
    X(OK, "ok", NONE, "no error")                                                                                      \
    X(END, "end", NONE, "the end of a stream")                                                                         \
    X(NOT_FOUND, "not-found", NONE, "there is none")                                                                   \
    X(OBJECT_EXISTS, "object-exists", NONE, "the object exists already")                                               \
    X(CANCELLED, "cancelled", NONE, "the work was cancelled")                                                          \
    X(TIMEOUT, "timeout", RETRY_STEP, "it took too long")                                                              \
    X(NO_MEMORY, "no-memory", RETRY_LATER, "not enough memory")                                                        \
    X(LIMIT, "limit", REJECT, "a limit of the program was reached")                                                    \
    X(INTERNAL, "internal", RETRY_LATER, "internal error")                                                             \
    X(CONFIG, "configuration", FATAL, "the configuration is wrong")                                                    \
    X(MALFORMED, "malformed-command", REJECT, "the command cannot be read")                                            \
    X(NO_DOMAIN, "no-domain-id", REJECT, "neither the command nor the configuration has a domainId")                   \
    X(RESULT_REFUSED, "result-refused", REJECT, "Kafka refuses a record of the outcome")                               \
    X(WORKER_CRASHED, "worker-crashed", REJECT, "the command's worker crashed too often while the command ran")        \
    X(FORMULA_REJECTED, "formula-rejected", REJECT, "a field begins like a spreadsheet formula")                       \
    X(DB_UNAVAILABLE, "database-unavailable", RETRY_STEP, "the database cannot be reached or ended the connection")    \
    X(DB_CONNECTIONS, "database-connections", RETRY_STEP, "the database or its pooler has no free connection")         \
    X(DB_TRANSIENT, "database-transient", RETRY_STEP, "the database ended a query; it may work again later")           \
    X(DB_STALLED, "database-stalled", RETRY_STEP, "a query made no progress within postgres.stall_timeout")            \
    X(DB_LAGGING, "database-lagging", RETRY_STEP, "the replica is further behind than postgres.max_lag")               \
    X(DB_SILENT, "database-silent", RETRY_STEP, "the database accepts connections but answers no query")               \
    X(DB_QUERY, "database-query", RETRY_LATER, "the database refused a query")                                         \
    X(DB_DATA, "database-data", REJECT, "the data of the group cannot be read")                                        \
    X(DB_DENIED, "database-denied", REJECT, "the database denies access to this data")                                 \
    X(DB_AUTH, "database-authentication", OUTAGE, "the database refuses the worker's credentials")                     \
    X(DB_SCHEMA, "database-schema", OUTAGE, "a view or column that every export needs is missing")                     \
    X(STORE_UNAVAILABLE, "store-unavailable", RETRY_STEP, "the object store cannot be reached, or asks to slow down")  \
    X(STORE_RACE, "store-race", RETRY_STEP, "another writer wrote the same object at the same time")                   \
    X(STORE_FAILED, "store-failed", RETRY_LATER, "the object store refused a request")                                 \
    X(STORE_DENIED, "store-denied", REJECT, "the object store denies access to this object")                           \
    X(STORE_AUTH, "store-authentication", OUTAGE, "the object store refuses the worker's credentials")                 \
    X(STORE_BUCKET, "store-bucket", OUTAGE, "the bucket or directory is missing and cannot be made")                   \
    X(STORE_REFUSED, "store-refused", OUTAGE, "the object store refuses a request that every export needs")            \
    X(STORE_FULL, "store-full", RETRY_LATER, "the object store has no space left")                                     \
    X(OBJECT_CONFLICT, "object-conflict", REJECT, "the object's name is taken by something else")                      \
    X(OBJECT_BROKEN, "object-broken", REJECT, "the existing object is not a complete export")                          \
    X(SPOOL, "spool", RETRY_LATER, "the spool in export.work_dir cannot be written")                                   \
    X(CACHE, "cache", NONE, "the cache did not answer")                                                                \
    X(KAFKA_UNAVAILABLE, "kafka-unavailable", RETRY_STEP, "Kafka cannot be reached")                                   \
    X(KAFKA, "kafka", RETRY_LATER, "Kafka refused a request")                                                          \
    X(KAFKA_TOPICS, "kafka-topics", FATAL, "the topics are not as the program needs them")

enum uex_error {
#define UEX_ERROR_ENUM(name, code, disposition, sentence) UEX_##name,
    UEX_ERRORS(UEX_ERROR_ENUM)
#undef UEX_ERROR_ENUM
        UEX_ERROR_COUNT
};

/* Where a stream of bytes goes. write() borrows the bytes for the time of the call; an error of it stops the stream. */
struct uex_sink {
    enum uex_error (*write)(void *context, struct uex_bytes data);
    void *context;
};

/* An error with what a person needs to know of it. The text says what failed and where; it never holds personal data or
 * secrets. */
struct uex_fault {
    enum uex_error error;
    char text[320]; /* one line of UTF-8 */
};

/* The stable name used outside, for example "database-data". Never NULL. Any thread. */
const char *uex_error_code(enum uex_error error);

/* One sentence for people. Never NULL. Any thread. */
const char *uex_error_sentence(enum uex_error error);

/* What is done about it. Any thread. */
enum uex_disposition uex_error_disposition(enum uex_error error);

/* Find an error by its outside name. False if there is none. */
bool uex_error_from_code(const char *code, enum uex_error *out);

/* Fill `fault` (may be NULL) and return `error`, so that a failing line reads `return uex_fail(fault, UEX_X, "...",
 * ...)`. Control characters in the text become spaces; a text that is too long is cut at a character. */
enum uex_error uex_fail(struct uex_fault *fault, enum uex_error error, const char *format, ...) UEX_PRINTF(3, 4);
#endif
