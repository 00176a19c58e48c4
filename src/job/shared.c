/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/shared.c — a big group read by several connections of one snapshot.
 *
 * Each reader is a thread with a connection and what it encodes with: it reads parts of the group, gathers whole rows
 * in a piece (a block of text, a row group), encodes it, and hands it over. The worker thread takes the pieces as they
 * come (the order of rows is free), counts their rows and writes them; nobody else touches the job. The first failure
 * stops all.
 */
#include "job/runner.h"

#include "export/log.h"
#include "export/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

#define APPLICATION_NAME "users-export"
#define WAIT_SLICE_MS 50
/* Encoded rows with what is counted. */
struct piece {
    struct uex_piece *rows;
    uint64_t row_count, text_bytes;
    STAILQ_ENTRY(piece) list;
};
STAILQ_HEAD(pieces, piece);

struct reader {
    struct uex_job_shared *shared;
    struct uex_postgres *postgres; /* the leader's is the runner's */
    struct uex_piece_coder *coder;
    struct piece *piece; /* being filled */
    pthread_t thread;
    bool started;
};

struct uex_job_shared {
    struct uex_job *job;
    struct uex_row_shares *shares;
    struct reader *readers;
    size_t reader_count;
    struct piece *pieces;
    size_t piece_count;
    struct uex_cancel stop; /* for the readers; raised by the worker thread, or by one that fails */
    struct piece *first;    /* a full piece that was taken already */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Guarded: */
    struct pieces empty, full;
    size_t reading_count;   /* readers that have joined the snapshot and may have rows */
    bool all_taken;         /* the first reader has reached the end: a reader that joins now finds no part */
    struct uex_fault fault; /* the first failure; error UEX_OK: none */
};

/* ---- handing over */

/* With the lock. NULL: there is none. */
static struct piece *pop_piece(struct pieces *pieces)
{
    struct piece *piece = STAILQ_FIRST(pieces);

    if (piece != NULL)
        STAILQ_REMOVE_HEAD(pieces, list);
    return piece;
}

/* With the lock: wait for a change, for a moment. */
static void wait_change(struct uex_job_shared *shared)
{
    (void)uex_cond_wait_until(&shared->changed, &shared->lock, uex_monotonic_ms() + WAIT_SLICE_MS);
}

/* An empty piece; NULL: all is over. */
static struct piece *take_empty_piece(struct uex_job_shared *shared)
{
    struct piece *piece = NULL;

    pthread_mutex_lock(&shared->lock);
    while (!uex_cancel_requested(&shared->stop) && (piece = pop_piece(&shared->empty)) == NULL)
        wait_change(shared);
    pthread_mutex_unlock(&shared->lock);
    return piece;
}

/* The oldest full piece is taken first: the pool has had most time for it. The empty one that was used last is taken
 * first: memory of the others may never be touched. */
static void put_piece(struct uex_job_shared *shared, struct piece *piece, bool is_full)
{
    pthread_mutex_lock(&shared->lock);
    if (is_full)
        STAILQ_INSERT_TAIL(&shared->full, piece, list);
    else
        STAILQ_INSERT_HEAD(&shared->empty, piece, list);
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

/* A full piece. UEX_END: there are no more. Else the readers' failure, or the job's end. */
static enum uex_error take_full_piece(struct uex_job_shared *shared, struct piece **piece)
{
    enum uex_error err = UEX_OK;

    *piece = NULL;
    if (uex_job_is_short(shared->job->runner))
        uex_row_shares_yield(shared->shares);
    pthread_mutex_lock(&shared->lock);
    for (;;) {
        if (uex_cancel_requested(shared->job->cancel)) {
            err = uex_fail(&shared->job->out->fault, UEX_CANCELLED, "the export was cancelled");
        } else if (shared->fault.error != UEX_OK) {
            shared->job->out->fault = shared->fault;
            err = shared->fault.error;
        } else if ((*piece = pop_piece(&shared->full)) == NULL && shared->reading_count == 0 && shared->all_taken) {
            err = UEX_END;
        }
        if (err != UEX_OK || *piece != NULL)
            break;
        wait_change(shared);
    }
    pthread_mutex_unlock(&shared->lock);
    return err;
}

/* ---- a reader */

static enum uex_error hand_over_piece(struct reader *reader, struct uex_fault *fault)
{
    enum uex_error err = uex_piece_coder_encode(reader->coder, reader->piece->rows, fault);

    put_piece(reader->shared, reader->piece, err == UEX_OK);
    reader->piece = NULL;
    return err;
}

static enum uex_error add_row(struct reader *reader, const struct uex_row *row, struct uex_fault *fault)
{
    enum uex_error err = UEX_LIMIT;

    for (;;) {
        if (reader->piece == NULL && (reader->piece = take_empty_piece(reader->shared)) == NULL)
            return uex_fail(fault, UEX_CANCELLED, "the export was cancelled");
        err = uex_piece_add(reader->piece->rows, row, fault);
        if (err != UEX_LIMIT)
            break;
        err = hand_over_piece(reader, fault);
        if (err != UEX_OK)
            return err;
    }
    if (err != UEX_OK)
        return err;
    reader->piece->row_count++;
    reader->piece->text_bytes += row->text.size_bytes;
    return UEX_OK;
}

static enum uex_error read_rows(struct reader *reader, struct uex_rows *rows, struct uex_fault *fault)
{
    struct uex_row row = {0};
    enum uex_error err;

    while ((err = rows->next(rows, &row.text, fault)) == UEX_OK) {
        row.fields = rows->fields;
        err = add_row(reader, &row, fault);
        if (err != UEX_OK)
            return err;
    }
    if (err != UEX_END)
        return err;
    return reader->piece != NULL && reader->piece->row_count > 0 ? hand_over_piece(reader, fault) : UEX_OK;
}

/* Once is enough: the next big group meets the same. */
static void log_one_reader(struct uex_job_services *services, const char *message, const struct uex_fault *fault)
{
    if (!atomic_flag_test_and_set(&services->one_reader_logged))
        uex_log(UEX_LOG_WARN, UEX_EVENT_ONE_READER, message, UEX_STR("code", uex_error_code(fault->error)),
                UEX_STR("error", fault->text));
}

/* The first failure is the one that is reported; a reader that was stopped has none. */
static void fail_all(struct uex_job_shared *shared, enum uex_error err, const struct uex_fault *fault)
{
    uex_cancel_request(&shared->stop);
    pthread_mutex_lock(&shared->lock);
    if (shared->fault.error == UEX_OK && err != UEX_CANCELLED)
        shared->fault = *fault;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

static void begin_reading(struct uex_job_shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->reading_count++;
    pthread_mutex_unlock(&shared->lock);
}

static void end_reading(struct uex_job_shared *shared, enum uex_error err, const struct uex_fault *fault, bool is_first)
{
    if (err != UEX_OK)
        fail_all(shared, err, fault);
    pthread_mutex_lock(&shared->lock);
    shared->reading_count--;
    if (is_first && err == UEX_OK)
        shared->all_taken = true;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

/* A reader that cannot join leaves its parts to the others; what goes wrong later is the failure of all. */
static void read_parts(struct reader *reader)
{
    struct uex_job_shared *shared = reader->shared;
    struct uex_rows *rows = NULL;
    struct uex_fault fault = {0};
    enum uex_error err = uex_row_shares_rows(shared->shares, reader->postgres, &rows, &fault);

    if (err != UEX_OK && reader != &shared->readers[0] && err != UEX_CANCELLED) {
        log_one_reader(shared->job->runner->services,
                       "one connection cannot read its share of a large group; the others read it", &fault);
        return;
    }
    if (err == UEX_OK) {
        begin_reading(shared);
        err = read_rows(reader, rows, &fault);
        rows->destroy(rows);
        end_reading(shared, err, &fault, reader == &shared->readers[0]);
    } else {
        fail_all(shared, err, &fault);
    }
}

static void *reader_main(void *argument)
{
    struct reader *reader = argument;

    uex_piece_coder_begin(reader->coder);
    read_parts(reader);
    if (reader != &reader->shared->readers[0])
        uex_postgres_rest(reader->postgres); /* the others may read on for long */
    uex_piece_coder_end(reader->coder);
    return NULL;
}

/* ---- the worker thread */

static bool start_reader(struct reader *reader)
{
    reader->started = uex_thread_start(&reader->thread, reader_main, reader);
    return reader->started;
}

static bool make_pieces(struct uex_job_shared *shared)
{
    struct uex_encoder *encoder = shared->job->runner->encoder;

    shared->piece_count = uex_encoder_piece_count(encoder, shared->reader_count);
    shared->pieces = calloc(shared->piece_count, sizeof(*shared->pieces));
    for (size_t i = 0; shared->pieces != NULL && i < shared->piece_count; i++) {
        shared->pieces[i].rows = uex_piece_new(encoder, shared->job->layout);
        if (shared->pieces[i].rows == NULL)
            return false;
        STAILQ_INSERT_HEAD(&shared->empty, &shared->pieces[i], list);
    }
    return shared->pieces != NULL;
}

static bool make_readers(struct uex_job_shared *shared)
{
    struct uex_job_runner *runner = shared->job->runner;

    shared->readers = calloc(shared->reader_count, sizeof(*shared->readers));
    for (size_t i = 0; shared->readers != NULL && i < shared->reader_count; i++) {
        struct reader *reader = &shared->readers[i];

        reader->shared = shared;
        reader->postgres = i == 0 ? runner->postgres : uex_postgres_new(runner->config, APPLICATION_NAME);
        reader->coder = uex_piece_coder_new(runner->encoder);
        if (reader->postgres == NULL || reader->coder == NULL)
            return false;
    }
    return shared->readers != NULL;
}

static struct uex_job_shared *shared_new(struct uex_job *job)
{
    struct uex_job_shared *shared = calloc(1, sizeof(*shared));

    if (shared == NULL)
        return NULL;
    shared->job = job;
    shared->reader_count = (size_t)job->runner->config->export_readers;
    pthread_mutex_init(&shared->lock, NULL);
    uex_cond_init(&shared->changed);
    STAILQ_INIT(&shared->empty);
    STAILQ_INIT(&shared->full);
    if (make_pieces(shared) && make_readers(shared))
        return shared;
    uex_job_shared_close(shared);
    return NULL;
}

/* The connections now stop with the readers; a job's cancel reaches them through the worker thread. */
static enum uex_error start_all(struct uex_job_shared *shared)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; err == UEX_OK && i < shared->reader_count; i++) {
        uex_postgres_set_cancel(shared->readers[i].postgres, &shared->stop);
        if (!start_reader(&shared->readers[i]) && i == 0)
            err = uex_fail(&shared->job->out->fault, UEX_NO_MEMORY, "a reader's thread cannot be started");
    }
    return err;
}

enum uex_error uex_job_shared_open(struct uex_job *job, const struct uex_row_plan *plan, struct uex_job_shared **out)
{
    struct uex_fault *fault = &job->out->fault;
    struct uex_job_shared *shared = shared_new(job);
    enum uex_error err;

    if (shared == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for several readers");
    err = uex_postgres_shares_begin(job->runner->postgres, job->group_id, plan, (unsigned)shared->reader_count,
                                    &shared->shares, fault);
    if (err == UEX_NOT_FOUND) {
        log_one_reader(job->runner->services, "export.readers has no effect: one connection reads each large group",
                       fault);
        job->runner->cannot_share = true;
    }
    if (err == UEX_OK) {
        job->out->snapshot_at_ms = uex_row_shares_snapshot_at_ms(shared->shares);
        err = start_all(shared);
    }
    if (err == UEX_OK)
        err = take_full_piece(shared, &shared->first);
    if (err == UEX_OK)
        *out = shared;
    else
        uex_job_shared_close(shared);
    return err;
}

enum uex_error uex_job_shared_write(struct uex_job_shared *shared)
{
    struct uex_job *job = shared->job;
    struct piece *piece = shared->first;
    enum uex_error err = UEX_OK;

    shared->first = NULL;
    while (err == UEX_OK) {
        err = uex_encoder_put(job->runner->encoder, piece->rows, &job->out->fault);
        if (err != UEX_OK)
            return err;
        uex_job_rows_passed(job, piece->row_count, piece->text_bytes);
        piece->row_count = piece->text_bytes = 0;
        put_piece(shared, piece, false);
        err = take_full_piece(shared, &piece);
    }
    return err == UEX_END ? UEX_OK : err;
}

void uex_job_shared_close(struct uex_job_shared *shared)
{
    if (shared == NULL)
        return;
    uex_cancel_request(&shared->stop);
    for (size_t i = 0; shared->readers != NULL && i < shared->reader_count; i++) {
        struct reader *reader = &shared->readers[i];

        if (reader->started)
            (void)pthread_join(reader->thread, NULL);
        uex_piece_coder_free(reader->coder);
        if (i > 0)
            uex_postgres_free(reader->postgres);
    }
    uex_row_shares_free(shared->shares);
    uex_postgres_set_cancel(shared->job->runner->postgres, shared->job->cancel);
    for (size_t i = 0; shared->pieces != NULL && i < shared->piece_count; i++)
        uex_piece_free(shared->pieces[i].rows);
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
    free(shared->pieces);
    free(shared->readers);
    free(shared);
}
