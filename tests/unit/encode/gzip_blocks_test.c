/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads at one stream, or at several. */
#include "export/gzip.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#include "export/buffer.h"

#define DATA_BYTES ((size_t)12000000)
#define THREADS 4

static uint8_t *data;

static int make_lines(void **state)
{
    size_t used = 0;

    (void)state;
    data = malloc(DATA_BYTES);
    if (data == NULL)
        return -1;
    for (unsigned line = 0; used < DATA_BYTES; line++) {
        char text[80];
        size_t size = (size_t)snprintf(text, sizeof(text), "user-%u,%x,%x,likes tea and hills\n", line,
                                       line * 2654435761u, line * 40503u);

        size = size < DATA_BYTES - used ? size : DATA_BYTES - used;
        memcpy(data + used, text, size);
        used += size;
    }
    return 0;
}

static int free_lines(void **state)
{
    (void)state;
    free(data);
    return 0;
}

static enum uex_error keep(void *context, struct uex_bytes bytes)
{
    struct uex_buffer *buffer = context;

    uex_buffer_append(buffer, bytes.data, bytes.size_bytes);
    return uex_buffer_failed(buffer) ? UEX_NO_MEMORY : UEX_OK;
}

static enum uex_error refuse(void *context, struct uex_bytes bytes)
{
    (void)context;
    (void)bytes;
    return UEX_STORE_UNAVAILABLE;
}

static struct uex_sink sink_of(struct uex_buffer *buffer)
{
    return (struct uex_sink){.write = keep, .context = buffer};
}

static void compress_all(int level, size_t piece_bytes, struct uex_compression_pool *pool, struct uex_buffer *out)
{
    struct uex_gzip *gzip = uex_gzip_new(level, pool);

    assert_non_null(gzip);
    uex_gzip_begin(gzip, sink_of(out));
    for (size_t at = 0; at < DATA_BYTES; at += piece_bytes) {
        size_t size = DATA_BYTES - at < piece_bytes ? DATA_BYTES - at : piece_bytes;

        assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data + at, size)), UEX_OK);
    }
    assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
    assert_int_equal(uex_gzip_bytes_out(gzip), out->size_bytes);
    uex_gzip_free(gzip);
}

/* One member, and its text. */
static void inflate_all(const struct uex_buffer *member, uint8_t *text, size_t size_bytes)
{
    z_stream stream = {
        .next_in = member->data, .avail_in = (uInt)member->size_bytes, .next_out = text, .avail_out = (uInt)size_bytes};

    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(stream.avail_out, 0);
    assert_int_equal(inflateEnd(&stream), Z_OK);
}

static void write__with_a_pool__gives_the_bytes_of_one_thread(void **state)
{
    static const int LEVELS[] = {1, 3, 4, 6, 9};
    struct uex_compression_pool *pool = uex_compression_pool_new(16);
    uint8_t *text = malloc(DATA_BYTES);

    (void)state;
    assert_non_null(text);
    assert_non_null(pool);
    for (size_t i = 0; i < sizeof(LEVELS) / sizeof(LEVELS[0]); i++) {
        struct uex_buffer alone = {0}, helped = {0};

        compress_all(LEVELS[i], 1000, NULL, &alone);
        compress_all(LEVELS[i], 12345, pool, &helped);
        assert_int_equal(alone.size_bytes, helped.size_bytes);
        assert_memory_equal(alone.data, helped.data, alone.size_bytes);
        inflate_all(&helped, text, DATA_BYTES);
        assert_memory_equal(text, data, DATA_BYTES);
        uex_buffer_clear(&alone);
        uex_buffer_clear(&helped);
    }
    uex_compression_pool_free(pool);
    free(text);
}

static void begin__while_the_pool_has_blocks__forgets_them(void **state)
{
    struct uex_compression_pool *pool = uex_compression_pool_new(8);
    struct uex_buffer given_up = {0}, out = {0}, expected = {0};
    struct uex_gzip *gzip;

    (void)state;
    gzip = uex_gzip_new(6, pool);
    uex_gzip_begin(gzip, sink_of(&given_up));
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data, DATA_BYTES / 2)), UEX_OK);
    uex_gzip_begin(gzip, sink_of(&out));
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data, 100)), UEX_OK);
    assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
    uex_gzip_begin(gzip, sink_of(&expected));
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data, 100)), UEX_OK);
    assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
    assert_int_equal(out.size_bytes, expected.size_bytes);
    assert_memory_equal(out.data, expected.data, out.size_bytes);
    uex_gzip_begin(gzip, sink_of(&given_up)); /* and freed with blocks out */
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data, DATA_BYTES / 2)), UEX_OK);
    uex_gzip_free(gzip);
    uex_compression_pool_free(pool);
    uex_buffer_clear(&given_up);
    uex_buffer_clear(&out);
    uex_buffer_clear(&expected);
}

struct stream {
    struct uex_compression_pool *pool;
    int level;
};

static void *compress_stream(void *argument)
{
    const struct stream *stream = argument;

    for (int round = 0; round < 2; round++) {
        struct uex_buffer out = {0};
        uint8_t *text = malloc(DATA_BYTES);

        assert_non_null(text);
        compress_all(stream->level, 40000, stream->pool, &out);
        inflate_all(&out, text, DATA_BYTES);
        assert_memory_equal(text, data, DATA_BYTES);
        uex_buffer_clear(&out);
        free(text);
    }
    return NULL;
}

static void write__many_streams_share_a_pool__each_is_whole(void **state)
{
    struct uex_compression_pool *pool = uex_compression_pool_new(THREADS + 2);
    struct stream streams[THREADS] = {{pool, 1}, {pool, 4}, {pool, 2}, {pool, 5}};
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, compress_stream, &streams[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    uex_compression_pool_free(pool);
    uex_compression_pool_free(NULL);
}

/* A share of the data, filled and compressed by a thread of its own. */
struct share {
    size_t from, to;
    struct uex_compressor *compressor;
    struct uex_gzip_block *blocks[8];
    size_t block_count;
};

static void *fill_share(void *argument)
{
    struct share *share = argument;
    struct uex_gzip_block *block = NULL;

    uex_compressor_begin(share->compressor);
    for (size_t at = share->from; at < share->to;) {
        size_t size = share->to - at < 700 ? share->to - at : 700;
        enum uex_error err = block == NULL ? UEX_LIMIT : uex_gzip_block_add(block, uex_bytes_of(data + at, size));

        if (err == UEX_OK) {
            at += size;
            continue;
        }
        assert_int_equal(err, UEX_LIMIT);
        if (block != NULL)
            uex_compressor_compress(share->compressor, block);
        share->blocks[share->block_count++] = block = uex_gzip_block_new();
        assert_non_null(block);
    }
    uex_compressor_compress(share->compressor, block);
    uex_compressor_end(share->compressor);
    return NULL;
}

/* Blocks of several threads, with text before and behind them; each block comes back empty. */
static void put_shares(int level, struct uex_compression_pool *pool, struct uex_buffer *out)
{
    const size_t quarter = DATA_BYTES / 4;
    struct share shares[THREADS] = {0};
    pthread_t threads[THREADS];
    struct uex_gzip *gzip = uex_gzip_new(level, pool);

    for (size_t i = 0; i < THREADS; i++) {
        shares[i] =
            (struct share){.from = i * quarter, .to = (i + 1) * quarter, .compressor = uex_compressor_new(level, pool)};
        assert_non_null(shares[i].compressor);
        assert_int_equal(pthread_create(&threads[i], NULL, fill_share, &shares[i]), 0);
    }
    uex_gzip_begin(gzip, sink_of(out));
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of("head\n", 5)), UEX_OK);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        uex_compressor_free(shares[i].compressor);
        for (size_t k = 0; k < shares[i].block_count; k++) {
            struct uex_gzip_block *block = shares[i].blocks[k];

            assert_int_equal(uex_gzip_put(gzip, block), UEX_OK);
            assert_int_equal(uex_gzip_block_add(block, uex_bytes_of(data, UEX_GZIP_BLOCK_BYTES)), UEX_OK);
            uex_gzip_block_free(block);
        }
    }
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of("\n", 1)), UEX_OK);
    assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
    uex_gzip_free(gzip);
}

static void put__blocks_of_several_threads__is_one_member(void **state)
{
    struct uex_compression_pool *pool = uex_compression_pool_new(2 * THREADS);
    uint8_t *text = malloc(DATA_BYTES + 6);

    (void)state;
    assert_non_null(text);
    for (int level = 1; level <= 6; level += 5) {
        struct uex_buffer alone = {0}, helped = {0};

        put_shares(level, NULL, &alone);
        put_shares(level, pool, &helped);
        assert_int_equal(alone.size_bytes, helped.size_bytes);
        assert_memory_equal(alone.data, helped.data, alone.size_bytes);
        inflate_all(&helped, text, DATA_BYTES + 6);
        assert_memory_equal(text, "head\n", 5);
        assert_memory_equal(text + 5, data, DATA_BYTES);
        uex_buffer_clear(&alone);
        uex_buffer_clear(&helped);
    }
    uex_compression_pool_free(pool);
    free(text);
}

static void block_add__row_longer_than_a_block__is_taken_and_given_back(void **state)
{
    const size_t row_bytes = 3 * UEX_GZIP_BLOCK_BYTES + 17;
    struct uex_gzip_block *block = uex_gzip_block_new();
    struct uex_compressor *compressor = uex_compressor_new(1, NULL);
    struct uex_gzip *gzip = uex_gzip_new(1, NULL);
    struct uex_buffer out = {0};
    uint8_t *text = malloc(row_bytes + 3);

    (void)state;
    assert_non_null(block);
    assert_non_null(text);
    uex_gzip_begin(gzip, sink_of(&out));
    assert_int_equal(uex_gzip_block_add(block, uex_bytes_of("ab\n", 3)), UEX_OK);
    assert_int_equal(uex_gzip_block_add(block, uex_bytes_of(data, row_bytes)), UEX_LIMIT);
    uex_compressor_compress(compressor, block);
    assert_int_equal(uex_gzip_put(gzip, block), UEX_OK);
    assert_int_equal(uex_gzip_block_add(block, uex_bytes_of(data, row_bytes)), UEX_OK);
    uex_compressor_compress(compressor, block);
    assert_int_equal(uex_gzip_put(gzip, block), UEX_OK);
    uex_compressor_compress(compressor, block); /* an empty one changes nothing */
    assert_int_equal(uex_gzip_put(gzip, block), UEX_OK);
    assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
    inflate_all(&out, text, row_bytes + 3);
    assert_memory_equal(text + 3, data, row_bytes);
    uex_buffer_clear(&out);
    free(text);
    uex_gzip_free(gzip);
    uex_compressor_free(compressor);
    uex_gzip_block_free(block);
    uex_gzip_block_free(NULL);
    uex_compressor_free(NULL);
}

static void put__sink_fails__gives_an_empty_block_and_the_error(void **state)
{
    struct uex_gzip_block *block = uex_gzip_block_new();
    struct uex_compressor *compressor = uex_compressor_new(1, NULL);
    struct uex_gzip *gzip = uex_gzip_new(1, NULL);

    (void)state;
    uex_gzip_begin(gzip, (struct uex_sink){.write = refuse});
    for (int i = 0; i < 2; i++) { /* the error stays */
        assert_int_equal(uex_gzip_block_add(block, uex_bytes_of(data, UEX_GZIP_BLOCK_BYTES)), UEX_OK);
        uex_compressor_compress(compressor, block);
        assert_int_equal(uex_gzip_put(gzip, block), UEX_STORE_UNAVAILABLE);
    }
    assert_int_equal(uex_gzip_finish(gzip), UEX_STORE_UNAVAILABLE);
    uex_gzip_free(gzip);
    uex_compressor_free(compressor);
    uex_gzip_block_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__with_a_pool__gives_the_bytes_of_one_thread),
        cmocka_unit_test(begin__while_the_pool_has_blocks__forgets_them),
        cmocka_unit_test(write__many_streams_share_a_pool__each_is_whole),
        cmocka_unit_test(put__blocks_of_several_threads__is_one_member),
        cmocka_unit_test(put__sink_fails__gives_an_empty_block_and_the_error),
        cmocka_unit_test(block_add__row_longer_than_a_block__is_taken_and_given_back),
    };
    return cmocka_run_group_tests(tests, make_lines, free_lines);
}
