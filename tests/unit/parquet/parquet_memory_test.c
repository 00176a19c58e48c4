/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the Parquet writer fails once: groups, files with each codec, dictionaries that are given up,
 * footers. */
#include "failing_memory.h"

#include "export/digest.h"
#include "export/parquet_footer.h"

#include "writing.h"

static void note_digest(const struct uex_buffer *out)
{
    uint8_t digest[UEX_SHA256_SIZE];

    uex_torture_count(false);
    uex_sha256(uex_buffer_bytes(out), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        uex_torture_note("%02x", digest[i]);
    uex_torture_count(true);
}

/* The rows are made while all memory is there. */
static struct uex_copy_field rows[40][WRITING_COLUMN_COUNT];

static void make_rows(void)
{
    for (unsigned row = 0; row < 40; row++)
        writing_row(row, rows[row]);
}

static enum uex_error write_rows(enum uex_parquet_codec codec)
{
    const struct uex_parquet_format format = {
        .columns = WRITING_COLUMNS, .column_count = WRITING_COLUMN_COUNT, .codec = codec, .group_bytes = 4000};
    struct uex_parquet_group *group = uex_parquet_group_new(&format);
    struct uex_parquet_file *file = uex_parquet_file_new(&format);
    struct uex_buffer out = {0};
    struct uex_fault fault = {0};
    enum uex_error err = group == NULL || file == NULL ? UEX_NO_MEMORY : UEX_OK;

    if (err == UEX_OK)
        uex_parquet_file_begin(file, writing_sink(&out));
    for (unsigned row = 0; row < 40 && err == UEX_OK; row++) {
        err = uex_parquet_group_add(group, rows[row], &fault);
        if (err == UEX_LIMIT) {
            err = writing_put(file, group, &fault);
            if (err == UEX_OK)
                err = uex_parquet_group_add(group, rows[row], &fault);
        }
    }
    if (err == UEX_OK)
        err = writing_put(file, group, &fault);
    if (err == UEX_OK)
        err = uex_parquet_file_finish(file, WRITING_PAIRS, 2, &fault);
    if (err == UEX_OK)
        note_digest(&out);
    uex_buffer_clear(&out);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
    return err;
}

static enum uex_error file_with_zstd(void)
{
    return write_rows(UEX_PARQUET_ZSTD);
}

static enum uex_error file_with_gzip(void)
{
    return write_rows(UEX_PARQUET_GZIP);
}

static enum uex_error file_without_codec(void)
{
    return write_rows(UEX_PARQUET_NONE);
}

/* Distinct values until the dictionary is given up, and a number whose text has many digits. */
static enum uex_error dictionary_given_up(void)
{
    const struct uex_parquet_column columns[] = {{.name = "n", .kind = UEX_PARQUET_INT4},
                                                 {.name = "t", .kind = UEX_PARQUET_NUMERIC}};
    const struct uex_parquet_format format = {.columns = columns, .column_count = 2, .codec = UEX_PARQUET_NONE};
    const uint8_t number[] = {0, 1, 1, 0, 0, 0, 0, 0, 0, 1}; /* 10,000^256 */
    struct uex_parquet_group *group = uex_parquet_group_new(&format);
    struct uex_fault fault = {0};
    enum uex_error err = group == NULL ? UEX_NO_MEMORY : UEX_OK;

    for (unsigned row = 0; row < 5000 && err == UEX_OK; row++) {
        const uint8_t integer[] = {0, 0, (uint8_t)(row >> 8), (uint8_t)row};
        const struct uex_copy_field fields[] = {
            {.data = integer, .size_bytes = 4},
            row % 1000 == 0 ? (struct uex_copy_field){.data = number, .size_bytes = sizeof(number)}
                            : (struct uex_copy_field){.data = NULL, .size_bytes = -1}};

        err = uex_parquet_group_add(group, fields, &fault);
    }
    if (err == UEX_OK)
        err = uex_parquet_group_encode(group, &fault);
    if (err == UEX_OK)
        uex_torture_note("%u", uex_parquet_group_row_count(group));
    uex_parquet_group_free(group);
    return err;
}

static struct uex_buffer written;

static enum uex_error footer_read(void)
{
    struct uex_parquet_footer footer;
    struct uex_fault fault = {0};
    enum uex_error err = uex_parquet_footer_read(uex_buffer_bytes(&written), &footer, &fault);

    if (err == UEX_OK)
        uex_torture_note("%zu %zu", footer.column_count, footer.pair_count);
    uex_parquet_footer_clear(&footer);
    return err;
}

static void every_allocation_fails__once__no_wrong_result(void **state)
{
    static const struct uex_torture_case OPERATIONS[] = {
        {"a file with zstd", file_with_zstd, false},
        {"a file with gzip", file_with_gzip, false},
        {"a file without codec", file_without_codec, false},
        {"a dictionary that is given up", dictionary_given_up, false},
        {"a footer that is read", footer_read, false},
    };
    const struct uex_parquet_format format = {.columns = WRITING_COLUMNS, .column_count = WRITING_COLUMN_COUNT};

    (void)state;
    make_rows();
    assert_int_equal(writing_write(&format, 3, 2, &written), UEX_OK);
    uex_torture_all(OPERATIONS, sizeof(OPERATIONS) / sizeof(OPERATIONS[0]));
    uex_buffer_clear(&written);
    fields_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails__once__no_wrong_result)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
