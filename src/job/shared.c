/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/shared.c — a big group read by several connections of one snapshot.
 *
 * Each reader is a thread with a connection and a compressor: it reads parts of the group, gathers whole rows in a
 * block, compresses it and hands it over. The lane's own thread takes the blocks as they come (the order of rows is
 * free), counts their rows and writes them; nobody else touches the job. The first failure stops all.
 */
#include "job/runner.h"

#include "encode/crew.h"
#include "export/log.h"
#include "export/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define APPLICATION_NAME "users-export"
#define WAIT_SLICE_MS 50
/* Blocks beyond one for each reader: one that waits for the lane, one that the lane writes. */
#define SPARE_PIECES 2

/* A block with what is counted. */
struct piece {
    struct uex_gzip_block *block;
    uint64_t row_count, text_bytes;
    struct piece *next;
};

struct reader {
    struct uex_job_shared *shared;
    struct uex_postgres *postgres; /* the leader's is the runner's */
    struct uex_deflater *deflater;
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
    struct uex_cancel stop; /* for the readers; raised by the lane, or by one that fails */
    struct piece *first;    /* a piece that the lane took already */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Guarded: */
    struct piece *free, *ready;
    size_t reading_count;   /* readers that have joined the snapshot and may have rows */
    bool all_taken;         /* the first reader has come to the end: nobody who joins now finds a part */
    struct uex_fault fault; /* the first failure; error UEX_OK: none */
};

/* ---- handing over */

static void push(struct piece **list, struct piece *piece)
{
    piece->next = *list;
    *list = piece;
}

static struct piece *pop(struct piece **list)
{
    struct piece *piece = *list;

    if (piece != NULL)
        *list = piece->next;
    return piece;
}

/* With the lock: wait for a change, for a moment. */
static void wait_change(struct uex_job_shared *shared)
{
    (void)uex_cond_wait_until(&shared->changed, &shared->lock, uex_monotonic_ms() + WAIT_SLICE_MS);
}

/* An empty piece; NULL: all is over. */
static struct piece *take_free(struct uex_job_shared *shared)
{
    struct piece *piece = NULL;

    pthread_mutex_lock(&shared->lock);
    while (!uex_cancel_requested(&shared->stop) && (piece = pop(&shared->free)) == NULL)
        wait_change(shared);
    pthread_mutex_unlock(&shared->lock);
    return piece;
}

static void give(struct uex_job_shared *shared, struct piece **list, struct piece *piece)
{
    pthread_mutex_lock(&shared->lock);
    push(list, piece);
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

/* A full piece. UEX_END: there are no more. Else the readers' failure, or the job's end. */
static enum uex_error take_ready(struct uex_job_shared *shared, struct piece **piece)
{
    enum uex_error err = UEX_OK;

    *piece = NULL;
    if (uex_job_is_short(shared->job->runner))
        uex_row_shares_yield(shared->shares);
    pthread_mutex_lock(&shared->lock);
    for (;;) {
        if (uex_cancel_requested(shared->job->cancel)) {
            err = uex_fail(&shared->job->out->fault, UEX_CANCELLED, "the export was given up");
        } else if (shared->fault.error != UEX_OK) {
            shared->job->out->fault = shared->fault;
            err = shared->fault.error;
        } else if ((*piece = pop(&shared->ready)) == NULL && shared->reading_count == 0 && shared->all_taken) {
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

static enum uex_error hand_over(struct reader *reader, struct uex_fault *fault)
{
    struct piece *piece = reader->piece;
    enum uex_error err = uex_gzip_block_compress(piece->block, reader->deflater);

    if (err != UEX_OK)
        return uex_fail(fault, err, "compressing failed");
    reader->piece = NULL;
    give(reader->shared, &reader->shared->ready, piece);
    return UEX_OK;
}

static enum uex_error add_row(struct reader *reader, struct uex_bytes row, struct uex_fault *fault)
{
    enum uex_error err = UEX_LIMIT;

    for (;;) {
        if (reader->piece == NULL && (reader->piece = take_free(reader->shared)) == NULL)
            return uex_fail(fault, UEX_CANCELLED, "the export was given up");
        err = uex_gzip_block_add(reader->piece->block, row);
        if (err != UEX_LIMIT)
            break;
        err = hand_over(reader, fault);
        if (err != UEX_OK)
            return err;
    }
    if (err != UEX_OK)
        return uex_fail(fault, err, "not enough memory for a row");
    reader->piece->row_count++;
    reader->piece->text_bytes += row.size_bytes;
    return UEX_OK;
}

static enum uex_error read_rows(struct reader *reader, struct uex_rows *rows, struct uex_fault *fault)
{
    struct uex_bytes row = {0};
    enum uex_error err;

    while ((err = rows->next(rows, &row, fault)) == UEX_OK) {
        err = add_row(reader, row, fault);
        if (err != UEX_OK)
            return err;
    }
    if (err == UEX_END)
        err = reader->piece == NULL || reader->piece->row_count == 0 ? UEX_OK : hand_over(reader, fault);
    return err;
}

/* Once is enough: the next big group meets the same. */
static void log_one_reader(struct uex_job_services *services, const char *message, const struct uex_fault *fault)
{
    if (!atomic_flag_test_and_set(&services->one_reader_logged))
        uex_log(UEX_LOG_WARN, UEX_EVENT_ONE_READER, message, UEX_STR("code", uex_error_code(fault->error)),
                UEX_STR("error", fault->text));
}

/* The first failure is the one that is told; who was stopped has none. */
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
                       "a connection beyond the first cannot read a big group: the others go on", &fault);
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

    uex_crew_begin_work();
    read_parts(reader);
    if (reader != &reader->shared->readers[0])
        uex_postgres_rest(reader->postgres); /* the others may read on for long */
    uex_crew_end_work();
    return NULL;
}

/* ---- the lane */

static bool start_reader(struct reader *reader)
{
    reader->started = uex_thread_start(&reader->thread, reader_main, reader);
    return reader->started;
}

static bool make_pieces(struct uex_job_shared *shared)
{
    shared->piece_count = shared->reader_count + SPARE_PIECES;
    shared->pieces = calloc(shared->piece_count, sizeof(*shared->pieces));
    for (size_t i = 0; shared->pieces != NULL && i < shared->piece_count; i++) {
        shared->pieces[i].block = uex_gzip_block_new();
        if (shared->pieces[i].block == NULL)
            return false;
        push(&shared->free, &shared->pieces[i]);
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
        reader->deflater = uex_deflater_new(runner->config->export_compression_level);
        if (reader->postgres == NULL || reader->deflater == NULL)
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
    if (make_pieces(shared) && make_readers(shared))
        return shared;
    uex_job_shared_close(shared);
    return NULL;
}

/* The connections now stop with the readers; a job's cancel reaches them through the lane. */
static enum uex_error start_all(struct uex_job_shared *shared)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; err == UEX_OK && i < shared->reader_count; i++) {
        uex_postgres_set_cancel(shared->readers[i].postgres, &shared->stop);
        if (!start_reader(&shared->readers[i]) && i == 0)
            err = uex_fail(&shared->job->out->fault, UEX_NO_MEMORY, "no thread for a reader");
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
        log_one_reader(job->runner->services, "export.readers: big groups are read by one connection", fault);
        job->runner->cannot_share = true;
    }
    if (err == UEX_OK) {
        job->out->snapshot_at_ms = uex_row_shares_snapshot_at_ms(shared->shares);
        err = start_all(shared);
    }
    if (err == UEX_OK)
        err = take_ready(shared, &shared->first);
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
    enum uex_error err = uex_gzip_flush(job->runner->gzip);

    shared->first = NULL;
    while (err == UEX_OK) {
        err = uex_gzip_put(job->runner->gzip, piece->block);
        if (err != UEX_OK)
            return err;
        uex_job_rows_passed(job, piece->row_count, piece->text_bytes);
        piece->row_count = piece->text_bytes = 0;
        give(shared, &shared->free, piece);
        err = take_ready(shared, &piece);
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
        uex_deflater_free(reader->deflater);
        if (i > 0)
            uex_postgres_free(reader->postgres);
    }
    uex_row_shares_free(shared->shares);
    uex_postgres_set_cancel(shared->job->runner->postgres, shared->job->cancel);
    for (size_t i = 0; shared->pieces != NULL && i < shared->piece_count; i++)
        uex_gzip_block_free(shared->pieces[i].block);
    pthread_cond_destroy(&shared->changed);
    pthread_mutex_destroy(&shared->lock);
    free(shared->pieces);
    free(shared->readers);
    free(shared);
}
