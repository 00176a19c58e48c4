/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/runner.h — what the files of this module share: the runner and one run. */
#ifndef EXPORT_JOB_RUNNER_H
#define EXPORT_JOB_RUNNER_H

#include <stdatomic.h>

#include "export/encoder.h"
#include "export/job.h"
#include "export/layout.h"
#include "export/postgres.h"
#include "export/redis.h"

struct uex_job_services {
    const struct uex_config *config;
    struct uex_store_service *store; /* NULL without storage.url */
    struct uex_redis_service *redis;
    struct uex_compression_pool *compression_pool;
    struct uex_layout *layout;             /* of the settings */
    _Atomic(struct uex_layout *) resolved; /* with the view's types; NULL: not read yet; stays once it is there */
    atomic_flag one_reader_logged;         /* event one-reader */
};

struct uex_job_runner {
    const struct uex_config *config;
    struct uex_job_services *services; /* borrowed */
    struct uex_spool_dir *dir;         /* borrowed */
    struct uex_job_limits limits;
    struct uex_postgres *postgres;
    struct uex_catalogue *catalogue; /* over `postgres` */
    struct uex_object_store *store;  /* NULL without storage.url */
    struct uex_encoder *encoder;
    const _Atomic size_t *waiting_count; /* who needs a database connection; borrowed; NULL: not known */
    bool prepared;                       /* the store was prepared */
    bool cannot_share;                   /* no export.key_column: big groups are read by one connection too */
};

/* One run. `out` collects what comes of it. */
struct uex_job {
    struct uex_job_runner *runner;
    const char *group_id;
    const char *command_id; /* NULL: an export to a sink */
    const char *key;        /* of the object; NULL likewise */
    const struct uex_cancel *cancel;
    struct uex_job_progress *progress;
    const struct uex_job_observer *observer;
    struct uex_job_outcome *out;
    const struct uex_layout *layout; /* known once the group's rows are asked for */
    struct uex_encoding encoding;
    bool encoding_begun; /* the runner's encoder works for this run */
    uint64_t batch_row_count;
    int64_t batch_started_ms, stream_started_ms; /* monotonic */
};

/* Does anybody of this process wait for a database connection? Any thread. */
static inline bool uex_job_is_short(const struct uex_job_runner *runner)
{
    return runner->waiting_count != NULL && *runner->waiting_count > 0;
}

/* src/job/runner.c: the layout with the types of the user view, which is read for the first job. NULL with a fault:
 * UEX_DB_SCHEMA and the errors of uex_postgres_check_views(). */
UEX_MUST_CHECK enum uex_error uex_job_layout(struct uex_job_runner *runner, const struct uex_layout **out,
                                             struct uex_fault *fault);
/* src/job/runner.c: waits of the store and the database end by `cancel`; NULL: by none. */
void uex_job_borrow_cancel(struct uex_job_runner *runner, const struct uex_cancel *cancel);
/* The store is ready, once per runner. */
UEX_MUST_CHECK enum uex_error uex_job_prepare_store(struct uex_job_runner *runner, struct uex_fault *fault);

/* src/job/count.c: rows and batches of one reading. */

/* Nothing was read so far. */
void uex_job_rows_begin(struct uex_job *job);
/* Count rows that were handled. */
void uex_job_rows_passed(struct uex_job *job, uint64_t row_count, uint64_t text_bytes);
/* All rows were handled: the last batch is over. */
void uex_job_rows_done(struct uex_job *job);

/* The rows of a group on their way: one stream, or those of several readers. */
struct uex_job_shared;
struct uex_job_source {
    struct uex_rows *rows;  /* one stream; NULL: `shared` */
    struct uex_bytes first; /* its first row */
    struct uex_job_shared *shared;
};

/* src/job/stream.c: the rows of the group, counted as they pass. It stands above count.c and shared.c. */

/* Begin reading, up to the first row. UEX_END: the group is empty. The caller closes the source in any case. */
UEX_MUST_CHECK enum uex_error uex_job_source_open(struct uex_job *job, bool list_only, struct uex_job_source *source);
void uex_job_source_close(struct uex_job_source *source);
/* The whole file into `sink`, in export.format. Errors of the sink come back as they are. */
UEX_MUST_CHECK enum uex_error uex_job_write_file(struct uex_job *job, struct uex_job_source *source,
                                                 struct uex_sink sink);

/* src/job/shared.c: a big group by export.readers connections, each with a thread that reads and compresses. */

/* From so many rows on, as the planner expects them, more than one connection reads a group: what it costs to begin,
 * some 10 ms, is little beside half of the time then. */
#define UEX_JOB_SHARE_ROWS 100000
/* Start the readers. UEX_NOT_FOUND: the group cannot be shared (logged once); UEX_END: it is empty. */
UEX_MUST_CHECK enum uex_error uex_job_shared_open(struct uex_job *job, const struct uex_row_plan *plan,
                                                  struct uex_job_shared **out);
/* All rows into the runner's encoder. */
UEX_MUST_CHECK enum uex_error uex_job_shared_write(struct uex_job_shared *shared);
/* Ends the readers. Accepts NULL. */
void uex_job_shared_close(struct uex_job_shared *shared);

/* Repeat `pass`, which reads the rows from the beginning, while the database gives up in a way that passes: at most
 * retry.attempts times more. */
UEX_MUST_CHECK enum uex_error uex_job_repeat(struct uex_job *job, enum uex_error (*pass)(struct uex_job *job));

/* The group is known to be active and of a known type; else the outcome's `skip` says why not. */
UEX_MUST_CHECK enum uex_error uex_job_find_group(struct uex_job *job);
/* src/job/file.c: a cost-based group's object. src/job/list.c: the messages of any other. Both set `skip` for an empty
 * group. */
UEX_MUST_CHECK enum uex_error uex_job_pass_file(struct uex_job *job);
UEX_MUST_CHECK enum uex_error uex_job_pass_list(struct uex_job *job);
/* src/job/announce.c: is the object of this command there? UEX_OK: yes, and `out` has its facts. UEX_NOT_FOUND: there
 * is none. UEX_OBJECT_CONFLICT, UEX_OBJECT_BROKEN, errors of the store. */
UEX_MUST_CHECK enum uex_error uex_job_announce(struct uex_job *job);
/* src/job/run.c: as before the first attempt, but for the ids and times. */
void uex_job_outcome_reset(struct uex_job_outcome *out);
#endif
