/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/job.h — one export: catalogue, rows, gzip, store; what came out of it. Nothing here knows Kafka.
 *
 * A worker thread owns a job runner with its connections. The order of checks (an object of this very command first,
 * then incomplete uploads, then the group, then its rows) decides which outcome a command has; it is part of what is
 * promised.
 */
#ifndef EXPORT_JOB_H
#define EXPORT_JOB_H

#include "export/catalogue.h"
#include "export/layout.h"
#include "export/object_store.h"
#include "export/outcome_kind.h"
#include "export/spool.h"

/* One message of a result: a range of the spool, its JSON value as it goes out. */
struct uex_result_part {
    uint64_t offset;
    uint32_t size_bytes;
};

/* What a job came to. Owned; uex_job_outcome_clear() frees. */
struct uex_job_outcome {
    enum uex_error error; /* UEX_OK: exported or skipped; else what failed, UEX_CANCELLED: no outcome at all */
    struct uex_fault fault;
    bool had_connection;       /* to the database, at some time */
    enum uex_skip_reason skip; /* UEX_SKIP_NONE: exported */
    struct uex_group group;    /* type INVALID and type_text "" where the group was not looked up */
    char domain_id[UEX_UUID_TEXT_SIZE];
    char layout_id[UEX_LAYOUT_ID_SIZE]; /* of what is announced; "": not known */
    uint64_t row_count;                 /* UEX_UNKNOWN where nothing was read */
    struct uex_object_facts object;     /* cost-based: url set */
    bool object_was_there;              /* announced again, not written */
    struct uex_spool *lists;            /* non-cost-based: the messages */
    struct uex_result_part *parts;
    size_t part_count;
    int64_t snapshot_at_ms;
    int64_t started_at_ms; /* wall */
    int64_t duration_ms, csv_duration_ms;
    uint64_t text_bytes; /* read from the database */
};
void uex_job_outcome_clear(struct uex_job_outcome *outcome);

/* The progress of a running job; written by its worker thread, read by any thread. */
struct uex_job_progress {
    _Atomic uint64_t row_count;
    _Atomic uint64_t text_bytes;
    _Atomic uint64_t object_bytes;
};

/* Calls from a running job, on its thread; members may be NULL. */
struct uex_job_observer {
    void *context;
    void (*group_known)(void *context, const struct uex_group *group);
    void (*batch)(void *context, const struct uex_group *group, uint64_t row_count,
                  int64_t duration_ms); /* each export.batch_rows rows, and the rest */
};

struct uex_job_limits {
    size_t part_bytes;   /* a result message's value is at most this long */
    uint64_t list_bytes; /* commit.max_list: a longer list is UEX_RESULT_REFUSED */
};

/* What all runners of a program share: the secrets in force, what was learnt of the store and of Redis, and the
 * compression thread pool. A program owns one. Any thread, once made. */
struct uex_job_services;

/* The services of a configuration, which must outlive them; nothing is connected yet. Main thread, before others
 * (uex_store_service_new()). UEX_CONFIG: storage.url, s3.* or redis.url, with the reason; UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_job_services_new(const struct uex_config *config, struct uex_job_services **out,
                                                   struct uex_fault *fault);
/* Wipes the secrets. After the runners. Accepts NULL. */
void uex_job_services_free(struct uex_job_services *services);

/* Which secrets differ from those in force before. */
struct uex_job_secrets_change {
    bool store, redis;
};
/* From now on the store's credentials and the URL of Redis are those of `fresh` (read here, not kept); an empty
 * redis.url changes nothing. UEX_NO_MEMORY: some or all of those before stay. */
UEX_MUST_CHECK enum uex_error uex_job_services_replace_secrets(struct uex_job_services *services,
                                                               const struct uex_config *fresh,
                                                               struct uex_job_secrets_change *change);

struct uex_job_runner;

/* A runner with its own database connection, cache, store and compressor; nothing is connected yet. `services` and
 * `dir` are borrowed. Without storage.url it has no store and serves uex_job_export_to() alone. Errors: UEX_CONFIG,
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_job_runner_new(struct uex_job_services *services, struct uex_spool_dir *dir,
                                                 struct uex_job_limits limits, struct uex_job_runner **out,
                                                 struct uex_fault *fault);
void uex_job_runner_free(struct uex_job_runner *runner);
/* The observer of the store's requests; borrowed. Before the first job. */
void uex_job_runner_observe_store(struct uex_job_runner *runner, const struct uex_store_observer *observer);
/* A count of those who wait for a database connection in this process; borrowed, read at any time. While it is above 0
 * a big group is read by one connection, and readers that have begun end after their part. Before the first job. */
void uex_job_runner_observe_shortage(struct uex_job_runner *runner, const _Atomic size_t *waiting_count);
/* Get the database connection that a job will use. UEX_DB_CONNECTIONS, UEX_DB_SILENT: see uex_postgres_connect(). */
UEX_MUST_CHECK enum uex_error uex_job_runner_connect(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                                     struct uex_fault *fault);
/* It has one, as far as it knows. Any thread while the runner lives. */
bool uex_job_runner_is_connected(const struct uex_job_runner *runner);
/* There is no job for a while: close the database connection. */
void uex_job_runner_rest(struct uex_job_runner *runner);
/* What the cache did since start (zeros without one). Any thread while the runner lives. */
struct uex_cache_counts;
void uex_job_runner_cache_counts(const struct uex_job_runner *runner, struct uex_cache_counts *out);

/* Run one command to its outcome. Step retries happen inside; a lost race for the object is run again, 3 times at most.
 * `progress` and `observer` may be NULL. `cancel` ends it with UEX_CANCELLED, leaving nothing in the store. The
 * runner's thread only. */
void uex_job_run(struct uex_job_runner *runner, const struct uex_command *command, const struct uex_cancel *cancel,
                 struct uex_job_progress *progress, const struct uex_job_observer *observer,
                 struct uex_job_outcome *out);

/* The same group's CSV, gzip-compressed, into `sink`, without store and Kafka (exportctl export). */
UEX_MUST_CHECK enum uex_error uex_job_export_to(struct uex_job_runner *runner, const char *group_id,
                                                struct uex_sink sink, const struct uex_cancel *cancel,
                                                struct uex_job_progress *progress, struct uex_job_outcome *out);

/* The dependencies at start: probe the database, check the views, prepare and probe the store. Fatal or outage errors
 * as they are. UEX_DB_CONNECTIONS only if that is all: the views are not looked at yet, and the store is well. */
UEX_MUST_CHECK enum uex_error uex_job_runner_check(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                                   struct uex_fault *fault);
/* The database's part of it. */
UEX_MUST_CHECK enum uex_error uex_job_runner_check_database(struct uex_job_runner *runner,
                                                            const struct uex_cancel *cancel, struct uex_fault *fault);
/* Neutral probes for the breakers, without step retries: SELECT 1 and a look at the views' columns; the bucket, and the
 * requests of an export on a name of the program's own. UEX_CANCELLED soon after `cancel` (may be NULL) is requested.
 */
UEX_MUST_CHECK enum uex_error uex_job_runner_probe_database(struct uex_job_runner *runner,
                                                            const struct uex_cancel *cancel, struct uex_fault *fault);
UEX_MUST_CHECK enum uex_error uex_job_runner_probe_store(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                                         struct uex_fault *fault);
#endif
