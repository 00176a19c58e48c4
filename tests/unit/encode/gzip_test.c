/* SPDX-License-Identifier: Apache-2.0 */
#include "export/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "export/buffer.h"

/* A block that does not compress is a little longer than it was. */
#define PIECE_MAX_BYTES (UEX_GZIP_BLOCK_BYTES + (UEX_GZIP_BLOCK_BYTES >> 8))

struct target {
    struct uex_buffer bytes;
    size_t largest_bytes;
    unsigned call_count;
    unsigned fail_at; /* 0: never */
};

static enum uex_error write_target(void *context, struct uex_bytes data)
{
    struct target *target = context;

    target->call_count++;
    if (data.size_bytes > target->largest_bytes)
        target->largest_bytes = data.size_bytes;
    if (target->call_count == target->fail_at)
        return UEX_STORE_UNAVAILABLE;
    uex_buffer_append(&target->bytes, data.data, data.size_bytes);
    return uex_buffer_failed(&target->bytes) ? UEX_NO_MEMORY : UEX_OK;
}

static struct uex_sink sink_of(struct target *target)
{
    return (struct uex_sink){.write = write_target, .context = target};
}

/* Text that compresses, or bytes that do not. */
static uint8_t *make_data(size_t size_bytes, bool is_random)
{
    uint8_t *data = malloc(size_bytes + 1);
    uint32_t seed = 1;

    assert_non_null(data);
    for (size_t i = 0; i < size_bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = is_random ? (uint8_t)(seed >> 24) : (uint8_t) "user,name\n"[(i + (seed >> 30)) % 10];
    }
    return data;
}

/* Exactly one member that zlib itself inflates to `expected`. */
static void assert_member(const struct uex_buffer *member, const uint8_t *expected, size_t size_bytes)
{
    z_stream stream = {0};
    uint8_t *text = malloc(size_bytes + 64);

    assert_non_null(text);
    assert_true(member->size_bytes >= 18);
    assert_memory_equal(member->data, "\x1F\x8B\x08\x00\x00\x00\x00\x00", 8); /* no flags, no time */
    assert_true(member->data[9] == 255 || member->data[9] == 3);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = member->data;
    stream.avail_in = (uInt)member->size_bytes;
    stream.next_out = text;
    stream.avail_out = (uInt)(size_bytes + 64);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(stream.total_out, size_bytes);
    if (size_bytes > 0)
        assert_memory_equal(text, expected, size_bytes);
    assert_int_equal(inflateEnd(&stream), Z_OK);
    free(text);
}

static void compress_in_pieces(struct uex_gzip *gzip, struct target *target, const uint8_t *data, size_t size_bytes,
                               size_t piece_bytes)
{
    uex_gzip_begin(gzip, sink_of(target));
    for (size_t at = 0; at < size_bytes; at += piece_bytes) {
        size_t more = size_bytes - at < piece_bytes ? size_bytes - at : piece_bytes;

        assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data + at, more)), UEX_OK);
    }
    assert_int_equal(uex_gzip_finish(gzip), UEX_OK);
    assert_int_equal(uex_gzip_bytes_out(gzip), target->bytes.size_bytes);
    assert_true(target->largest_bytes <= PIECE_MAX_BYTES);
}

static void assert_round_trip(int level, const uint8_t *data, size_t size_bytes, size_t piece_bytes)
{
    struct uex_gzip *gzip = uex_gzip_new(level, NULL);
    struct target target = {0};

    assert_non_null(gzip);
    compress_in_pieces(gzip, &target, data, size_bytes, piece_bytes);
    assert_member(&target.bytes, data, size_bytes);
    uex_buffer_clear(&target.bytes);
    uex_gzip_free(gzip);
}

static void write__text_at_every_level__is_inflated_by_zlib(void **state)
{
    uint8_t *data = make_data(3000000, false);

    (void)state;
    for (int level = 1; level <= 9; level++) {
        assert_round_trip(level, data, 3000000, 3000000);
        assert_round_trip(level, data, 300000, 150);
        assert_round_trip(level, data, 200000, 65536);
    }
    free(data);
}

static void write__nothing__is_an_empty_member(void **state)
{
    (void)state;
    for (int level = 1; level <= 9; level++)
        assert_round_trip(level, (const uint8_t *)"", 0, 1);
}

static void write__single_bytes__is_inflated_by_zlib(void **state)
{
    uint8_t *data = make_data(200000, false);

    (void)state;
    for (int level = 1; level <= 9; level += 2)
        assert_round_trip(level, data, 200000, 1);
    assert_round_trip(2, data, 1, 1);
    free(data);
}

static void write__bytes_that_do_not_compress__come_in_bounded_pieces(void **state)
{
    uint8_t *data = make_data(2000000, true);

    (void)state;
    for (int level = 1; level <= 9; level += 1) {
        assert_round_trip(level, data, 2000000, 2000000);
        assert_round_trip(level, data, 1000000, 70000);
    }
    free(data);
}

static void write__sizes_around_the_buffers__are_inflated_by_zlib(void **state)
{
    static const size_t SIZES[] = {65535,
                                   65536,
                                   UEX_GZIP_BLOCK_BYTES - 1,
                                   UEX_GZIP_BLOCK_BYTES,
                                   UEX_GZIP_BLOCK_BYTES + 1,
                                   2 * UEX_GZIP_BLOCK_BYTES,
                                   2 * UEX_GZIP_BLOCK_BYTES + 1};
    uint8_t *data = make_data(2 * UEX_GZIP_BLOCK_BYTES + 1, true);

    (void)state;
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        for (int level = 1; level <= 6; level += 5) {
            assert_round_trip(level, data, SIZES[i], SIZES[i]);
            assert_round_trip(level, data, SIZES[i], 65535);
        }
    }
    free(data);
}

static void begin__used_again__gives_the_same_bytes(void **state)
{
    uint8_t *data = make_data(500000, false);

    (void)state;
    for (int level = 1; level <= 9; level++) {
        struct uex_gzip *gzip = uex_gzip_new(level, NULL);
        struct target first = {0}, second = {0}, given_up = {0};

        compress_in_pieces(gzip, &first, data, 500000, 1000);
        uex_gzip_begin(gzip, sink_of(&given_up)); /* given up in the middle */
        assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data, 300000)), UEX_OK);
        compress_in_pieces(gzip, &second, data, 500000, 1000);
        assert_int_equal(first.bytes.size_bytes, second.bytes.size_bytes);
        assert_memory_equal(first.bytes.data, second.bytes.data, first.bytes.size_bytes);
        uex_buffer_clear(&first.bytes);
        uex_buffer_clear(&second.bytes);
        uex_buffer_clear(&given_up.bytes);
        uex_gzip_free(gzip);
    }
    uex_gzip_free(NULL);
    free(data);
}

static void new__level_out_of_range__is_taken_to_the_nearest(void **state)
{
    (void)state;
    assert_round_trip(-7, (const uint8_t *)"abc", 3, 3);
    assert_round_trip(0, (const uint8_t *)"abc", 3, 3);
    assert_round_trip(99, (const uint8_t *)"abc", 3, 3);
}

static void write__higher_level__is_not_larger(void **state)
{
    uint8_t *data = make_data(1000000, false);
    uint64_t sizes[10] = {0};

    (void)state;
    for (int level = 1; level <= 9; level += 4) {
        struct uex_gzip *gzip = uex_gzip_new(level, NULL);
        struct target target = {0};

        compress_in_pieces(gzip, &target, data, 1000000, 1000000);
        sizes[level] = uex_gzip_bytes_out(gzip);
        uex_buffer_clear(&target.bytes);
        uex_gzip_free(gzip);
    }
    assert_true(sizes[9] <= sizes[5] && sizes[5] <= sizes[1] && sizes[1] < 500000);
    free(data);
}

static void write__sink_fails__passes_its_error_on_and_sticks(void **state)
{
    uint8_t *data = make_data(3000000, true);

    (void)state;
    for (int level = 1; level <= 6; level += 5) {
        struct uex_gzip *gzip = uex_gzip_new(level, NULL);
        struct target target = {.fail_at = 2};
        enum uex_error err;

        uex_gzip_begin(gzip, sink_of(&target));
        err = uex_gzip_write(gzip, uex_bytes_of(data, 3000000));
        assert_int_equal(err, UEX_STORE_UNAVAILABLE);
        assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data, 10)), UEX_STORE_UNAVAILABLE);
        assert_int_equal(uex_gzip_finish(gzip), UEX_STORE_UNAVAILABLE);
        assert_int_equal(target.call_count, 2);
        uex_buffer_clear(&target.bytes);

        target = (struct target){.fail_at = 1}; /* in finish */
        uex_gzip_begin(gzip, sink_of(&target));
        assert_int_equal(uex_gzip_write(gzip, uex_bytes_of(data, 10)), UEX_OK);
        assert_int_equal(uex_gzip_finish(gzip), UEX_STORE_UNAVAILABLE);

        target = (struct target){0}; /* and it can be used again */
        compress_in_pieces(gzip, &target, data, 1000, 10);
        assert_member(&target.bytes, data, 1000);
        uex_buffer_clear(&target.bytes);
        uex_gzip_free(gzip);
    }
    free(data);
}

static void write__before_begin_or_after_finish__is_internal(void **state)
{
    struct uex_gzip *gzip = uex_gzip_new(1, NULL);
    struct target target = {0};

    (void)state;
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of("a", 1)), UEX_INTERNAL);
    assert_int_equal(uex_gzip_finish(gzip), UEX_INTERNAL);
    compress_in_pieces(gzip, &target, (const uint8_t *)"abc", 3, 3);
    assert_int_equal(uex_gzip_write(gzip, uex_bytes_of("a", 1)), UEX_INTERNAL);
    assert_int_equal(uex_gzip_finish(gzip), UEX_INTERNAL);
    assert_member(&target.bytes, (const uint8_t *)"abc", 3);
    uex_buffer_clear(&target.bytes);
    uex_gzip_free(gzip);
}

static void finish__given_to_the_gzip_program__passes_its_test(void **state)
{
    uint8_t *data = make_data(1000000, false);

    (void)state;
    for (int level = 1; level <= 9; level++) {
        char path[] = "/tmp/gzip-test-XXXXXX", command[128];
        struct uex_gzip *gzip = uex_gzip_new(level, NULL);
        struct target target = {0};
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        compress_in_pieces(gzip, &target, data, 1000000, 777);
        assert_int_equal(write(fd, target.bytes.data, target.bytes.size_bytes), target.bytes.size_bytes);
        (void)close(fd);
        (void)snprintf(command, sizeof(command), "gzip -t < %s && test $(gzip -dc < %s | wc -c) = 1000000", path, path);
        assert_int_equal(system(command), 0);
        assert_int_equal(unlink(path), 0);
        uex_buffer_clear(&target.bytes);
        uex_gzip_free(gzip);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write__text_at_every_level__is_inflated_by_zlib),
        cmocka_unit_test(write__nothing__is_an_empty_member),
        cmocka_unit_test(write__single_bytes__is_inflated_by_zlib),
        cmocka_unit_test(write__bytes_that_do_not_compress__come_in_bounded_pieces),
        cmocka_unit_test(write__sizes_around_the_buffers__are_inflated_by_zlib),
        cmocka_unit_test(begin__used_again__gives_the_same_bytes),
        cmocka_unit_test(new__level_out_of_range__is_taken_to_the_nearest),
        cmocka_unit_test(write__higher_level__is_not_larger),
        cmocka_unit_test(write__sink_fails__passes_its_error_on_and_sticks),
        cmocka_unit_test(write__before_begin_or_after_finish__is_internal),
        cmocka_unit_test(finish__given_to_the_gzip_program__passes_its_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
