/* SPDX-License-Identifier: Apache-2.0 */
/* Files of each format: made row by row and of pieces, and read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/encoder.h"
#include "export/file_reader.h"

#define ID "0f7c1b6e-52a4-5d0a-9a43-1d2b7c9e4f10"
#define ROW_COUNT 1000

static const struct uex_view_column view[] = {
    {.name = "id", .kind = {.type = UEX_COLUMN_INTEGER, .typmod = -1}, .type_text = "integer"},
    {.name = "name", .kind = {.type = UEX_COLUMN_TEXT, .typmod = -1}, .type_text = "text"},
};

struct bench {
    struct uex_config config;
    struct uex_layout *layout;
    struct uex_encoding encoding;
    struct uex_encoder *encoder;
    struct uex_buffer file;
    size_t sink_takes; /* bytes; after them it fails */
};

static enum uex_error take(void *context, struct uex_bytes data)
{
    struct bench *bench = context;

    if (bench->file.size_bytes + data.size_bytes > bench->sink_takes)
        return UEX_STORE_UNAVAILABLE;
    uex_buffer_append(&bench->file, data.data, data.size_bytes);
    return UEX_OK;
}

static struct uex_sink sink(struct bench *bench)
{
    return (struct uex_sink){.write = take, .context = bench};
}

static void begin(struct bench *bench, enum uex_format format)
{
    static char columns[] = "id,name", list_column[] = "id";
    struct uex_layout *unresolved = NULL;

    *bench = (struct bench){.config = {.export_format = format,
                                       .export_columns = columns,
                                       .export_list_column = list_column,
                                       .export_compression_level = 1},
                            .sink_takes = SIZE_MAX};
    assert_int_equal(uex_layout_new(&bench->config, &unresolved, NULL), UEX_OK);
    assert_int_equal(uex_layout_resolve(unresolved, "v", view, 2, &bench->layout, NULL), UEX_OK);
    uex_layout_free(unresolved);
    bench->encoding = (struct uex_encoding){
        .layout = bench->layout, .group_id = "g", .command_id = ID, .snapshot_at_ms = 1700000000123};
    bench->encoder = uex_encoder_new(&bench->config, NULL);
    assert_non_null(bench->encoder);
}

static void end(struct bench *bench)
{
    uex_encoder_free(bench->encoder);
    uex_layout_free(bench->layout);
    uex_buffer_clear(&bench->file);
}

/* Row `number` as the format has it; static memory. */
static struct uex_row row_of(enum uex_format format, uint32_t number)
{
    static char text[128], id_text[16];
    static uint8_t id[4];
    static struct uex_copy_field fields[3];
    int size;

    if (format == UEX_FORMAT_CSV) {
        size = snprintf(text, sizeof(text), "%u,\"name, %u\",1.0\n", number, number);
        return (struct uex_row){.text = uex_bytes_of(text, (size_t)size)};
    }
    for (int i = 0; i < 4; i++)
        id[i] = (uint8_t)(number >> (24 - 8 * i));
    size = snprintf(id_text, sizeof(id_text), "%u", number);
    fields[0] = format == UEX_FORMAT_PARQUET
                    ? (struct uex_copy_field){.data = id, .size_bytes = 4}
                    : (struct uex_copy_field){.data = (const uint8_t *)id_text, .size_bytes = size};
    size = snprintf(text, sizeof(text), "name %u", number);
    fields[1] = (struct uex_copy_field){.data = (const uint8_t *)text, .size_bytes = size};
    fields[2] = (struct uex_copy_field){.data = (const uint8_t *)"1.0", .size_bytes = 3};
    return (struct uex_row){.text = uex_bytes_of(text, 30), .fields = fields};
}

static enum uex_error encode_rows(struct bench *bench, struct uex_fault *fault)
{
    enum uex_error err = uex_encoder_begin(bench->encoder, &bench->encoding, sink(bench), fault);

    for (uint32_t i = 0; err == UEX_OK && i < ROW_COUNT; i++) {
        struct uex_row row = row_of(bench->config.export_format, i);

        err = uex_encoder_add(bench->encoder, &row, fault);
    }
    return err == UEX_OK ? uex_encoder_finish(bench->encoder, fault) : err;
}

/* In pieces of `piece_bytes`; UEX_OK, or the error. */
static enum uex_error read_file(struct bench *bench, size_t size_bytes, size_t piece_bytes,
                                struct uex_file_facts *facts, struct uex_fault *fault)
{
    struct uex_file_reader *reader = uex_file_reader_new(bench->config.export_format);
    enum uex_error err = UEX_OK;

    assert_non_null(reader);
    for (size_t at = 0; err == UEX_OK && at < size_bytes; at += piece_bytes) {
        size_t more = size_bytes - at < piece_bytes ? size_bytes - at : piece_bytes;

        err = uex_file_reader_write(reader, uex_bytes_of(bench->file.data + at, more), fault);
    }
    if (err == UEX_OK)
        err = uex_file_reader_finish(reader, facts, fault);
    uex_file_reader_free(reader);
    return err;
}

static void assert_whole(struct bench *bench)
{
    static struct uex_file_facts facts;
    uint8_t sha256[UEX_SHA256_SIZE];
    struct uex_fault fault = {0};

    uex_sha256(uex_buffer_bytes(&bench->file), sha256);
    for (size_t piece_bytes = 1; piece_bytes < 1 << 20; piece_bytes = piece_bytes * 11 + 1) {
        if (read_file(bench, bench->file.size_bytes, piece_bytes, &facts, &fault) != UEX_OK)
            fail_msg("%s", fault.text);
        assert_int_equal(facts.row_count, ROW_COUNT);
        assert_int_equal(facts.size_bytes, bench->file.size_bytes);
        assert_string_equal(facts.header, "id,name,exportVersion");
        assert_memory_equal(facts.sha256, sha256, sizeof(sha256));
        assert_false(facts.has_comment);
    }
    assert_int_equal(uex_encoder_bytes_out(bench->encoder), bench->file.size_bytes);
}

static void encoder__each_format__is_read_again_and_can_be_used_again(void **state)
{
    (void)state;
    for (unsigned format = UEX_FORMAT_CSV; format <= UEX_FORMAT_PARQUET; format++) {
        struct bench bench;

        begin(&bench, (enum uex_format)format);
        for (int round = 0; round < 2; round++) {
            uex_buffer_reset(&bench.file);
            assert_int_equal(encode_rows(&bench, NULL), UEX_OK);
            assert_whole(&bench);
        }
        /* One that is given up does not get into the next. */
        assert_int_equal(uex_encoder_begin(bench.encoder, &bench.encoding, sink(&bench), NULL), UEX_OK);
        const struct uex_row row = row_of(bench.config.export_format, 7);

        assert_int_equal(uex_encoder_add(bench.encoder, &row, NULL), UEX_OK);
        uex_buffer_reset(&bench.file);
        assert_int_equal(encode_rows(&bench, NULL), UEX_OK);
        assert_whole(&bench);
        end(&bench);
    }
}

static void encoder__pieces_of_each_format__make_one_file(void **state)
{
    (void)state;
    for (unsigned format = UEX_FORMAT_CSV; format <= UEX_FORMAT_PARQUET; format++) {
        struct bench bench;
        struct uex_piece_coder *coder;
        struct uex_piece *piece;

        begin(&bench, (enum uex_format)format);
        coder = uex_piece_coder_new(bench.encoder);
        piece = uex_piece_new(bench.encoder, bench.layout);
        assert_true(coder != NULL && piece != NULL && uex_encoder_piece_count(bench.encoder, 2) >= 3);
        assert_int_equal(uex_encoder_begin(bench.encoder, &bench.encoding, sink(&bench), NULL), UEX_OK);
        uex_piece_coder_begin(coder);
        for (uint32_t i = 0; i < ROW_COUNT; i++) {
            const struct uex_row row = row_of(bench.config.export_format, i);

            assert_int_equal(uex_piece_add(piece, &row, NULL), UEX_OK);
            if (i % 300 == 299 || i == ROW_COUNT - 1) {
                assert_int_equal(uex_piece_coder_encode(coder, piece, NULL), UEX_OK);
                assert_int_equal(uex_encoder_put(bench.encoder, piece, NULL), UEX_OK);
            }
        }
        uex_piece_coder_end(coder);
        assert_int_equal(uex_encoder_finish(bench.encoder, NULL), UEX_OK);
        assert_whole(&bench);
        uex_piece_coder_free(coder);
        uex_piece_free(piece);
        end(&bench);
    }
}

static void encoder__sink_fails__its_error_comes_back(void **state)
{
    (void)state;
    for (unsigned format = UEX_FORMAT_CSV; format <= UEX_FORMAT_PARQUET; format++) {
        struct bench bench;
        size_t whole;

        begin(&bench, (enum uex_format)format);
        assert_int_equal(encode_rows(&bench, NULL), UEX_OK);
        whole = bench.file.size_bytes;
        for (size_t takes = 0; takes < whole; takes += 1 + whole / 7) {
            uex_buffer_reset(&bench.file);
            bench.sink_takes = takes;
            assert_int_equal(encode_rows(&bench, NULL), UEX_STORE_UNAVAILABLE);
        }
        end(&bench);
    }
}

static void reader__cut_or_changed_file__is_broken(void **state)
{
    static struct uex_file_facts facts;
    (void)state;
    for (unsigned format = UEX_FORMAT_CSV; format <= UEX_FORMAT_PARQUET; format++) {
        struct bench bench;
        struct uex_fault fault = {0};

        begin(&bench, (enum uex_format)format);
        assert_int_equal(encode_rows(&bench, NULL), UEX_OK);
        for (size_t size = 0; size < bench.file.size_bytes; size += 1 + bench.file.size_bytes / 50) {
            assert_int_equal(read_file(&bench, size, 1 << 20, &facts, &fault), UEX_OBJECT_BROKEN);
            assert_true(fault.text[0] != '\0');
        }
        bench.config.export_format = format == UEX_FORMAT_CSV ? UEX_FORMAT_PARQUET : UEX_FORMAT_CSV;
        assert_int_equal(read_file(&bench, bench.file.size_bytes, 1 << 20, &facts, &fault), UEX_OBJECT_BROKEN);
        end(&bench);
    }
}

static void json_lines__line_that_is_no_object__is_broken(void **state)
{
    static const char *const texts[] = {"1\n",           "{\"a\":1}\n[]\n", "{\"a\":1}",
                                        "{\"a\":1}\n\n", "{\"a\":1\n}\n",   " {}\n"};
    static struct uex_file_facts facts;
    struct bench bench;
    (void)state;
    begin(&bench, UEX_FORMAT_JSONL);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct uex_row row = {.text = uex_bytes_of_text(texts[i])};
        struct uex_fault fault = {0};

        uex_buffer_reset(&bench.file);
        assert_int_equal(uex_encoder_begin(bench.encoder, &bench.encoding, sink(&bench), NULL), UEX_OK);
        assert_int_equal(uex_encoder_add(bench.encoder, &row, NULL), UEX_OK);
        assert_int_equal(uex_encoder_finish(bench.encoder, NULL), UEX_OK);
        assert_int_equal(read_file(&bench, bench.file.size_bytes, 3, &facts, &fault), UEX_OBJECT_BROKEN);
        assert_non_null(strstr(fault.text, "JSON Lines"));
    }
    end(&bench);
}

static void format_of_name__ends__are_told_apart(void **state)
{
    enum uex_format format = UEX_FORMAT_CSV;
    (void)state;
    for (unsigned i = UEX_FORMAT_CSV; i <= UEX_FORMAT_PARQUET; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "s3://b/g/" ID "%s", uex_format_ending((enum uex_format)i));
        assert_true(uex_format_of_name(name, &format));
        assert_int_equal(format, i);
    }
    assert_false(uex_format_of_name("x.csv", &format));
    assert_false(uex_format_of_name(".parquet", &format));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoder__each_format__is_read_again_and_can_be_used_again),
        cmocka_unit_test(encoder__pieces_of_each_format__make_one_file),
        cmocka_unit_test(encoder__sink_fails__its_error_comes_back),
        cmocka_unit_test(reader__cut_or_changed_file__is_broken),
        cmocka_unit_test(json_lines__line_that_is_no_object__is_broken),
        cmocka_unit_test(format_of_name__ends__are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
