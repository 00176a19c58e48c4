/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/compressor.c — compressors and their thread pool; see include/export/gzip.h. */
#include "encode/compressor.h"

#include <pthread.h>
#include <stdlib.h>

#include "export/clock.h"
#include "export/cpus.h"
#include "export/thread.h"

/* Levels from here on are slower than any database gives rows. */
#define SLOW_LEVEL 4
#define THREADS_MAX 31 /* of a pool */

struct uex_compressor *uex_compressor_new(int level, struct uex_compression_pool *pool)
{
    struct uex_compressor *compressor = calloc(1, sizeof(*compressor));

    if (compressor == NULL)
        return NULL;
    compressor->pool = pool;
    compressor->level = level < 1 ? 1 : level > 9 ? 9 : level;
    compressor->kind = &uex_deflater_zlib;
#ifdef UEX_HAVE_ISAL
    if (compressor->level <= 3)
        compressor->kind = &uex_deflater_isal;
#endif
    compressor->deflater = compressor->kind->make(compressor->level);
    if (compressor->deflater != NULL)
        return compressor;
    free(compressor);
    return NULL;
}

void uex_compressor_compress_here(struct uex_compressor *compressor, struct uex_gzip_block *block)
{
    const struct uex_bytes in = uex_bytes_of(block->in, block->in_used);
    const int64_t from_us = uex_monotonic_us();

    block->out_used = 0;
    block->error = UEX_OK;
    if (in.size_bytes == 0)
        return;
    block->crc = uex_gzip_crc32(0, in);
    block->error =
        compressor->kind->compress(compressor->deflater, in, block->out, block->out_capacity, &block->out_used);
    compressor->compress_us = uex_monotonic_us() - from_us;
}

/* ---- the pool */

struct uex_compression_pool {
    int thread_max; /* fixed */
    pthread_mutex_t lock;
    pthread_cond_t offered; /* a block waits, or the pool ends */
    pthread_cond_t finished;
    /* Guarded: */
    int compressing_count; /* threads outside of the pool that compress themselves */
    int thread_count;      /* threads that were started */
    int busy_count;        /* blocks offered and not yet compressed */
    bool ending;
    STAILQ_HEAD(, uex_gzip_block) blocks; /* waiting, oldest first */
    pthread_t threads[THREADS_MAX];
};

/* With the lock: wait for a block. NULL: the pool ends. */
static struct uex_gzip_block *next_block(struct uex_compression_pool *pool)
{
    struct uex_gzip_block *block;

    while (!pool->ending && STAILQ_EMPTY(&pool->blocks))
        pthread_cond_wait(&pool->offered, &pool->lock);
    block = STAILQ_FIRST(&pool->blocks);
    if (block != NULL)
        STAILQ_REMOVE_HEAD(&pool->blocks, queue);
    return block;
}

static void compress(struct uex_gzip_block *block, struct uex_compressor **compressor)
{
    if (*compressor == NULL || (*compressor)->level != block->level) {
        uex_compressor_free(*compressor);
        *compressor = uex_compressor_new(block->level, NULL);
    }
    if (*compressor == NULL)
        block->error = UEX_NO_MEMORY;
    else
        uex_compressor_compress_here(*compressor, block);
}

static void *thread_main(void *argument)
{
    struct uex_compression_pool *pool = argument;
    struct uex_compressor *compressor = NULL;
    struct uex_gzip_block *block;

    pthread_mutex_lock(&pool->lock);
    while ((block = next_block(pool)) != NULL) {
        pthread_mutex_unlock(&pool->lock);
        compress(block, &compressor);
        pthread_mutex_lock(&pool->lock);
        block->done = true;
        pool->busy_count--;
        pthread_cond_broadcast(&pool->finished);
    }
    pthread_mutex_unlock(&pool->lock);
    uex_compressor_free(compressor);
    return NULL;
}

struct uex_compression_pool *uex_compression_pool_new(int cpu_count)
{
    struct uex_compression_pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL)
        return NULL;
    if (cpu_count <= 0)
        cpu_count = uex_cpus_allowed("/proc/self/cgroup", "/sys/fs/cgroup");
    pool->thread_max = cpu_count - 1 < THREADS_MAX ? cpu_count - 1 : THREADS_MAX;
    STAILQ_INIT(&pool->blocks);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->offered, NULL);
    pthread_cond_init(&pool->finished, NULL);
    return pool;
}

void uex_compression_pool_free(struct uex_compression_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->offered);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->thread_count; i++)
        (void)pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->offered);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int uex_compression_pool_thread_max(const struct uex_compression_pool *pool)
{
    return pool == NULL ? 0 : pool->thread_max;
}

static void count_compressing(struct uex_compression_pool *pool, int difference)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->compressing_count += difference;
    pthread_mutex_unlock(&pool->lock);
}

/* Hand a block over if there is a thread, with a CPU, for which no other block waits. A block may wait for each thread
 * that works, so that none has to wait for the next block to be filled. */
static bool offer_block(struct uex_compression_pool *pool, struct uex_gzip_block *block, int level)
{
    int allowed_count;
    bool taken;

    if (pool == NULL)
        return false;
    pthread_mutex_lock(&pool->lock);
    allowed_count = pool->thread_max + 1 - pool->compressing_count;
    if (pool->busy_count >= pool->thread_count && pool->thread_count < allowed_count &&
        pool->thread_count < pool->thread_max &&
        uex_thread_start(&pool->threads[pool->thread_count], thread_main, pool))
        pool->thread_count++;
    if (allowed_count > pool->thread_count)
        allowed_count = pool->thread_count;
    taken = pool->busy_count < 2 * allowed_count;
    if (taken) {
        pool->busy_count++;
        block->pool = pool;
        block->level = level;
        block->done = false;
        STAILQ_INSERT_TAIL(&pool->blocks, block, queue);
        pthread_cond_signal(&pool->offered);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

bool uex_compression_pool_is_done(struct uex_compression_pool *pool, const struct uex_gzip_block *block)
{
    bool done;

    pthread_mutex_lock(&pool->lock);
    done = block->done;
    pthread_mutex_unlock(&pool->lock);
    return done;
}

void uex_compression_pool_wait(struct uex_compression_pool *pool, const struct uex_gzip_block *block)
{
    pthread_mutex_lock(&pool->lock);
    while (!block->done)
        pthread_cond_wait(&pool->finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- a compressor and its pool */

void uex_compressor_begin(struct uex_compressor *compressor)
{
    uex_compressor_end(compressor);
    compressor->filled_at_us = compressor->compress_us = 0;
    compressor->begun = true;
    count_compressing(compressor->pool, 1);
}

void uex_compressor_end(struct uex_compressor *compressor)
{
    if (compressor->begun)
        count_compressing(compressor->pool, -1);
    compressor->begun = false;
}

void uex_compressor_free(struct uex_compressor *compressor)
{
    if (compressor == NULL)
        return;
    uex_compressor_end(compressor);
    compressor->kind->destroy(compressor->deflater);
    free(compressor);
}

/* Is compressing what holds this thread up, so that help is worth the hand-over? */
static bool wants_help(const struct uex_compressor *compressor)
{
    const int64_t cycle_us = uex_monotonic_us() - compressor->filled_at_us;

    return compressor->level >= SLOW_LEVEL || compressor->compress_us * 10 > cycle_us * 7;
}

void uex_compressor_compress(struct uex_compressor *compressor, struct uex_gzip_block *block)
{
    const bool offered = wants_help(compressor) && offer_block(compressor->pool, block, compressor->level);

    compressor->filled_at_us = uex_monotonic_us();
    if (!offered)
        uex_compressor_compress_here(compressor, block);
}
