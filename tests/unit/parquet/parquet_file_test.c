/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and files. What readers that are not ours make of them: tests/integration/test_parquet_values.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "export/parquet_footer.h"

#include "parquet/group.h"

#include "writing.h"

#define GOLDEN UEX_SOURCE_DIR "/tests/unit/parquet/golden/every_kind.parquet"
#define CREATED_BY "users-export version "

static struct uex_buffer out, golden;
static struct uex_fault fault;

static const struct uex_parquet_column TWO_COLUMNS[] = {{.name = "n", .kind = UEX_PARQUET_INT4},
                                                        {.name = "t", .kind = UEX_PARQUET_TEXT}};
static const struct uex_parquet_format TWO = {
    .columns = TWO_COLUMNS, .column_count = 2, .codec = UEX_PARQUET_NONE, .group_bytes = 100};

static struct uex_parquet_footer footer_of(const struct uex_buffer *file)
{
    struct uex_parquet_footer footer;

    assert_int_equal(uex_parquet_footer_read(uex_buffer_bytes(file), &footer, &fault), UEX_OK);
    return footer;
}

static enum uex_error add_two(struct uex_parquet_group *group, int32_t number, const char *text)
{
    const struct uex_copy_field fields[] = {field_integer(number, 4), field_text(text)};

    return uex_parquet_group_add(group, fields, &fault);
}

/* The golden file was written by some version of the program, whose name may be longer or shorter. */
static void assert_same_but_for_the_version(const struct uex_buffer *left, const struct uex_buffer *right)
{
    const struct uex_buffer *const both[] = {left, right};
    const uint8_t *name[2], *rest[2];
    size_t rest_bytes[2];

    for (size_t i = 0; i < 2; i++) {
        const uint8_t *end = both[i]->data + both[i]->size_bytes;

        name[i] = memmem(both[i]->data, both[i]->size_bytes, CREATED_BY, strlen(CREATED_BY));
        assert_non_null(name[i]);
        rest[i] = name[i] + strlen(CREATED_BY);
        while (rest[i] < end && ((*rest[i] >= '0' && *rest[i] <= '9') || *rest[i] == '.'))
            rest[i]++;
        rest_bytes[i] = (size_t)(end - rest[i]);
    }
    assert_int_equal(name[0] - left->data, name[1] - right->data);
    assert_memory_equal(left->data, right->data, (size_t)(name[0] - left->data) - 1); /* its length stands before it */
    assert_int_equal(rest_bytes[0], rest_bytes[1]);
    assert_memory_equal(rest[0], rest[1], rest_bytes[0] - 8); /* the length of the footer, and PAR1 */
}

static void read_golden(void)
{
    FILE *file = fopen(GOLDEN, "rb");
    uint8_t block[4096];
    size_t got;

    assert_non_null(file);
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        uex_buffer_append(&golden, block, got);
    (void)fclose(file);
}

/* With UEX_WRITE_GOLDEN=1 the golden file is written: then compare with git what has changed, and why. */
static void write__every_kind__gives_the_golden_file(void **state)
{
    const struct uex_parquet_format format = {
        .columns = WRITING_COLUMNS, .column_count = WRITING_COLUMN_COUNT, .codec = UEX_PARQUET_NONE};

    (void)state;
    assert_int_equal(writing_write(&format, 12, 10, &out), UEX_OK);
    if (getenv("UEX_WRITE_GOLDEN") != NULL) {
        FILE *file = fopen(GOLDEN, "wb");

        assert_non_null(file);
        assert_int_equal(fwrite(out.data, 1, out.size_bytes, file), out.size_bytes);
        assert_int_equal(fclose(file), 0);
    }
    read_golden();
    assert_same_but_for_the_version(&out, &golden);
}

static void write__footer__says_what_was_written(void **state)
{
    const struct uex_parquet_format format = {.columns = WRITING_COLUMNS, .column_count = WRITING_COLUMN_COUNT};
    struct uex_parquet_footer footer;
    struct uex_bytes value;

    (void)state;
    assert_int_equal(writing_write(&format, 12, 10, &out), UEX_OK);
    footer = footer_of(&out);
    assert_int_equal(footer.row_count, 12);
    assert_int_equal(footer.group_count, 2);
    assert_int_equal(footer.column_count, WRITING_COLUMN_COUNT);
    for (size_t i = 0; i < WRITING_COLUMN_COUNT; i++) {
        assert_int_equal(footer.columns[i].size_bytes, strlen(WRITING_COLUMNS[i].name));
        assert_memory_equal(footer.columns[i].data, WRITING_COLUMNS[i].name, footer.columns[i].size_bytes);
    }
    value = uex_parquet_footer_value(&footer, "export-group-id");
    assert_int_equal(value.size_bytes, 5);
    assert_memory_equal(value.data, "caf\xc3\xa9", 5);
    assert_null(uex_parquet_footer_value(&footer, "export").data);
    assert_memory_equal(footer.created_by.data, CREATED_BY UEX_VERSION, footer.created_by.size_bytes);
    uex_parquet_footer_clear(&footer);
}

static void write__same_rows_twice__give_the_same_bytes(void **state)
{
    struct uex_parquet_format format = {.columns = WRITING_COLUMNS, .column_count = WRITING_COLUMN_COUNT};

    (void)state;
    for (int codec = UEX_PARQUET_ZSTD; codec <= (int)UEX_PARQUET_NONE; codec++) {
        format.codec = (enum uex_parquet_codec)codec;
        uex_buffer_reset(&out);
        uex_buffer_reset(&golden);
        assert_int_equal(writing_write(&format, 60, 7, &out), UEX_OK);
        fields_reset();
        assert_int_equal(writing_write(&format, 60, 7, &golden), UEX_OK);
        fields_reset();
        assert_int_equal(out.size_bytes, golden.size_bytes);
        assert_memory_equal(out.data, golden.data, out.size_bytes);
    }
}

static void finish__no_row__is_a_file_without_row_groups(void **state)
{
    struct uex_parquet_group *group = uex_parquet_group_new(&TWO);
    struct uex_parquet_file *file = uex_parquet_file_new(&TWO);
    struct uex_parquet_footer footer;

    (void)state;
    assert_non_null(group);
    assert_non_null(file);
    uex_parquet_file_begin(file, writing_sink(&out));
    assert_int_equal(writing_put(file, group, &fault), UEX_OK);
    assert_int_equal(uex_parquet_file_finish(file, NULL, 0, &fault), UEX_OK);
    assert_int_equal(uex_parquet_file_bytes_out(file), out.size_bytes);
    footer = footer_of(&out);
    assert_int_equal(footer.row_count, 0);
    assert_int_equal(footer.group_count, 0);
    assert_int_equal(footer.pair_count, 0);
    uex_parquet_footer_clear(&footer);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
}

/* A row of 4 + 4 + 16 bytes: four of them are below 100 bytes. */
static void add__group_is_full_of_bytes__takes_the_row_next_time(void **state)
{
    struct uex_parquet_group *group = uex_parquet_group_new(&TWO);
    struct uex_parquet_file *file = uex_parquet_file_new(&TWO);

    (void)state;
    assert_non_null(group);
    assert_non_null(file);
    uex_parquet_file_begin(file, writing_sink(&out));
    for (int row = 0; row < 4; row++)
        assert_int_equal(add_two(group, row, "sixteen letters."), UEX_OK);
    assert_int_equal(add_two(group, 4, "sixteen letters."), UEX_LIMIT);
    assert_int_equal(uex_parquet_group_row_count(group), 4);
    assert_int_equal(writing_put(file, group, &fault), UEX_OK);
    assert_int_equal(uex_parquet_group_row_count(group), 0);
    assert_int_equal(add_two(group, 4, "sixteen letters."), UEX_OK);
    assert_int_equal(uex_parquet_file_row_count(file), 4);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
}

static void add__group_has_131072_rows__is_full(void **state)
{
    const struct uex_parquet_format format = {.columns = TWO_COLUMNS, .column_count = 2};
    const struct uex_copy_field fields[] = {field_null(), field_null()};
    struct uex_parquet_group *group = uex_parquet_group_new(&format);

    (void)state;
    assert_non_null(group);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t row = 0; row < UEX_PARQUET_GROUP_ROWS; row++)
            assert_int_equal(uex_parquet_group_add(group, fields, &fault), UEX_OK);
        assert_int_equal(uex_parquet_group_add(group, fields, &fault), UEX_LIMIT);
        assert_int_equal(uex_parquet_group_encode(group, &fault), UEX_OK);
        uex_parquet_group_reset(group);
    }
    uex_parquet_group_free(group);
}

static void add__row_greater_than_a_group__is_alone_in_its_group(void **state)
{
    struct uex_parquet_group *group = uex_parquet_group_new(&TWO);
    char text[1000];

    (void)state;
    assert_non_null(group);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(add_two(group, 1, text), UEX_OK);
    assert_int_equal(add_two(group, 2, ""), UEX_LIMIT);
    uex_parquet_group_reset(group);
    assert_int_equal(add_two(group, 2, ""), UEX_OK);
    assert_int_equal(add_two(group, 1, text), UEX_LIMIT);
    uex_parquet_group_free(group);
}

/* A group keeps its memory for the next rows, but not what one row has made great. */
static void put__group_of_a_great_row__gives_its_memory_back(void **state)
{
    const size_t great_bytes = (size_t)1 << 20;
    struct uex_parquet_group *group = uex_parquet_group_new(&TWO);
    struct uex_parquet_file *file = uex_parquet_file_new(&TWO);
    char *text = malloc(great_bytes + 1);

    (void)state;
    assert_non_null(group);
    assert_non_null(file);
    assert_non_null(text);
    uex_parquet_file_begin(file, writing_sink(&out));
    assert_int_equal(add_two(group, 1, "a"), UEX_OK);
    assert_int_equal(writing_put(file, group, &fault), UEX_OK);
    assert_true(group->chunks[1].values.capacity_bytes > 0);
    memset(text, 'x', great_bytes);
    text[great_bytes] = '\0';
    assert_int_equal(add_two(group, 2, text), UEX_OK);
    assert_int_equal(writing_put(file, group, &fault), UEX_OK);
    assert_int_equal(group->chunks[1].values.capacity_bytes, 0);
    assert_int_equal(group->out.capacity_bytes, 0);
    assert_int_equal(add_two(group, 3, "b"), UEX_OK);
    assert_int_equal(writing_put(file, group, &fault), UEX_OK);
    assert_int_equal(uex_parquet_file_row_count(file), 3);
    free(text);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
}

static void add__encoded_group__takes_no_row(void **state)
{
    struct uex_parquet_group *group = uex_parquet_group_new(&TWO);

    (void)state;
    assert_non_null(group);
    assert_int_equal(add_two(group, 1, "a"), UEX_OK);
    assert_int_equal(uex_parquet_group_encode(group, &fault), UEX_OK);
    assert_int_equal(add_two(group, 2, "b"), UEX_LIMIT);
    uex_parquet_group_free(group);
}

/* The rows of a refused row's group are gone, and nothing of it is in the next one. */
static void reset__after_a_refused_row__leaves_nothing_of_it(void **state)
{
    const struct uex_copy_field refused[] = {field_integer(7, 4), field_text("x")},
                                nulls[] = {field_null(), field_null()};
    const struct uex_parquet_column columns[] = {{.name = "n", .kind = UEX_PARQUET_INT4},
                                                 {.name = "d", .kind = UEX_PARQUET_DATE}};
    const struct uex_parquet_format format = {.columns = columns, .column_count = 2, .codec = UEX_PARQUET_NONE};
    struct uex_parquet_group *group = uex_parquet_group_new(&format);
    struct uex_parquet_file *file = uex_parquet_file_new(&format);
    struct uex_buffer clean = {0};

    (void)state;
    assert_non_null(group);
    assert_non_null(file);
    for (int round = 0; round < 2; round++) {
        uex_parquet_file_begin(file, writing_sink(round == 0 ? &clean : &out));
        for (int row = 0; round == 1 && row < 8; row++)
            assert_int_equal(uex_parquet_group_add(group, nulls, &fault), UEX_OK);
        if (round == 1) {
            assert_int_equal(uex_parquet_group_add(group, refused, &fault), UEX_DB_DATA);
            assert_non_null(strstr(fault.text, "column d "));
            uex_parquet_group_reset(group);
        }
        for (int row = 0; row < 10; row++)
            assert_int_equal(uex_parquet_group_add(group, nulls, &fault), UEX_OK);
        assert_int_equal(writing_put(file, group, &fault), UEX_OK);
        assert_int_equal(uex_parquet_file_finish(file, NULL, 0, &fault), UEX_OK);
    }
    assert_int_equal(out.size_bytes, clean.size_bytes);
    assert_memory_equal(out.data, clean.data, out.size_bytes);
    uex_buffer_clear(&clean);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
}

static enum uex_error refuse(void *context, struct uex_bytes data)
{
    unsigned *left = context;

    (void)data;
    return (*left)-- == 0 ? UEX_STORE_FULL : UEX_OK;
}

/* The magic number, a group, the footer. */
static void put__sink_fails__returns_its_error(void **state)
{
    (void)state;
    for (unsigned calls = 0; calls < 3; calls++) {
        struct uex_parquet_group *group = uex_parquet_group_new(&TWO);
        struct uex_parquet_file *file = uex_parquet_file_new(&TWO);
        unsigned left = calls;

        assert_non_null(group);
        assert_non_null(file);
        uex_parquet_file_begin(file, (struct uex_sink){.write = refuse, .context = &left});
        assert_int_equal(add_two(group, 1, "a"), UEX_OK);
        assert_int_equal(writing_put(file, group, &fault), calls < 2 ? UEX_STORE_FULL : UEX_OK);
        if (calls == 2)
            assert_int_equal(uex_parquet_file_finish(file, NULL, 0, &fault), UEX_STORE_FULL);
        uex_parquet_group_free(group);
        uex_parquet_file_free(file);
    }
}

static void put__group_that_is_not_encoded__is_refused(void **state)
{
    struct uex_parquet_group *group = uex_parquet_group_new(&TWO);
    struct uex_parquet_file *file = uex_parquet_file_new(&TWO);

    (void)state;
    assert_non_null(group);
    assert_non_null(file);
    uex_parquet_file_begin(file, writing_sink(&out));
    assert_int_equal(add_two(group, 1, "a"), UEX_OK);
    assert_int_equal(uex_parquet_file_put(file, group, &fault), UEX_INTERNAL);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
}

static void begin__file_that_was_not_finished__is_forgotten(void **state)
{
    struct uex_parquet_group *group = uex_parquet_group_new(&TWO);
    struct uex_parquet_file *file = uex_parquet_file_new(&TWO);
    struct uex_parquet_footer footer;

    (void)state;
    assert_non_null(group);
    assert_non_null(file);
    uex_parquet_file_begin(file, writing_sink(&golden));
    assert_int_equal(add_two(group, 1, "a"), UEX_OK);
    assert_int_equal(writing_put(file, group, &fault), UEX_OK);
    uex_parquet_file_begin(file, writing_sink(&out));
    assert_int_equal(uex_parquet_file_finish(file, NULL, 0, &fault), UEX_OK);
    footer = footer_of(&out);
    assert_int_equal(footer.row_count, 0);
    uex_parquet_footer_clear(&footer);
    uex_parquet_group_free(group);
    uex_parquet_file_free(file);
}

static void format_check__what_parquet_cannot_have__is_refused(void **state)
{
    static const struct uex_parquet_column BAD[][2] = {
        {{.name = "a"}, {.name = "a"}},
        {{.name = "a"}, {.name = ""}},
        {{.name = "a"}, {.name = NULL}},
        {{.name = "a"}, {.name = "b", .kind = (enum uex_parquet_kind)99}},
        {{.name = "a"}, {.name = "b", .kind = UEX_PARQUET_DECIMAL}},
        {{.name = "a"}, {.name = "b", .kind = UEX_PARQUET_DECIMAL, .precision = 39}},
        {{.name = "a"}, {.name = "b", .kind = UEX_PARQUET_DECIMAL, .precision = 3, .scale = 4}},
        {{.name = "a"}, {.name = "b", .kind = UEX_PARQUET_DECIMAL, .precision = 3, .scale = -1}},
    };
    struct uex_parquet_format format = {.columns = TWO_COLUMNS, .column_count = 2};

    (void)state;
    assert_int_equal(uex_parquet_format_check(&format, &fault), UEX_OK);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        format.columns = BAD[i];
        fault = (struct uex_fault){0};
        assert_int_equal(uex_parquet_format_check(&format, &fault), UEX_CONFIG);
        assert_true(fault.text[0] != '\0');
    }
    format.column_count = 0;
    assert_int_equal(uex_parquet_format_check(&format, &fault), UEX_CONFIG);
}

static int clear(void **state)
{
    (void)state;
    fields_reset();
    uex_buffer_clear(&out);
    uex_buffer_clear(&golden);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(write__every_kind__gives_the_golden_file, clear),
        cmocka_unit_test_teardown(write__footer__says_what_was_written, clear),
        cmocka_unit_test_teardown(write__same_rows_twice__give_the_same_bytes, clear),
        cmocka_unit_test_teardown(finish__no_row__is_a_file_without_row_groups, clear),
        cmocka_unit_test_teardown(add__group_is_full_of_bytes__takes_the_row_next_time, clear),
        cmocka_unit_test_teardown(add__group_has_131072_rows__is_full, clear),
        cmocka_unit_test_teardown(add__row_greater_than_a_group__is_alone_in_its_group, clear),
        cmocka_unit_test_teardown(put__group_of_a_great_row__gives_its_memory_back, clear),
        cmocka_unit_test_teardown(add__encoded_group__takes_no_row, clear),
        cmocka_unit_test_teardown(reset__after_a_refused_row__leaves_nothing_of_it, clear),
        cmocka_unit_test_teardown(put__sink_fails__returns_its_error, clear),
        cmocka_unit_test_teardown(put__group_that_is_not_encoded__is_refused, clear),
        cmocka_unit_test_teardown(begin__file_that_was_not_finished__is_forgotten, clear),
        cmocka_unit_test_teardown(format_check__what_parquet_cannot_have__is_refused, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
