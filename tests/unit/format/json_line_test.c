/* SPDX-License-Identifier: Apache-2.0 */
/* A row becomes one line of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "format/json_line.h"

#define COLUMN(name_, type_)                                                                                           \
    {                                                                                                                  \
        .name = (name_), .kind = {.type = (type_), .typmod = -1}, .type_text = "-"                                     \
    }

static const struct uex_view_column view[] = {
    COLUMN("id", UEX_COLUMN_BIGINT),      COLUMN("name", UEX_COLUMN_TEXT),  COLUMN("born", UEX_COLUMN_DATE),
    COLUMN("smokes", UEX_COLUMN_BOOLEAN), COLUMN("doc", UEX_COLUMN_JSON),   COLUMN("price", UEX_COLUMN_NUMERIC),
    COLUMN("key", UEX_COLUMN_UUID),       COLUMN("ratio", UEX_COLUMN_REAL), COLUMN("at", UEX_COLUMN_TIMESTAMPTZ),
};

struct bench {
    struct uex_config config;
    struct uex_layout *layout;
    struct uex_json_line line;
};

static void begin(struct bench *bench, const char *columns, const char *mask, int64_t max_row_bytes)
{
    static char list_column[] = "id";
    struct uex_layout *unresolved = NULL;
    struct uex_fault fault = {0};

    *bench = (struct bench){.config = {.export_format = UEX_FORMAT_JSONL,
                                       .export_columns = (char *)(uintptr_t)columns,
                                       .export_mask = (char *)(uintptr_t)mask,
                                       .export_list_column = list_column,
                                       .export_version_field = UEX_VERSION_NONE,
                                       .export_max_row_bytes = max_row_bytes}};
    if (uex_layout_new(&bench->config, &unresolved, &fault) != UEX_OK ||
        uex_layout_resolve(unresolved, "v", view, sizeof(view) / sizeof(view[0]), &bench->layout, &fault) != UEX_OK)
        fail_msg("%s", fault.text);
    uex_layout_free(unresolved);
    assert_int_equal(uex_json_line_begin(&bench->line, &bench->config, bench->layout, NULL), UEX_OK);
}

static void end(struct bench *bench)
{
    uex_json_line_clear(&bench->line);
    uex_layout_free(bench->layout);
}

static struct uex_copy_field field_of(const char *text)
{
    return (struct uex_copy_field){.data = (const uint8_t *)text,
                                   .size_bytes = text == NULL ? -1 : (int32_t)strlen(text)};
}

static void assert_line(struct bench *bench, const char *const *values, const char *expected)
{
    struct uex_copy_field fields[sizeof(view) / sizeof(view[0]) + 1];
    struct uex_bytes line = {0};

    for (size_t i = 0; i < bench->line.member_count; i++)
        fields[i] = field_of(values[i]);
    assert_int_equal(uex_json_line_make(&bench->line, fields, &line, NULL), UEX_OK);
    assert_int_equal(line.size_bytes, strlen(expected));
    assert_memory_equal(line.data, expected, line.size_bytes);
}

static void make__each_type__numbers_and_documents_have_no_quotes(void **state)
{
    static const char *const values[] = {"7",    "Asha",   "1990-01-02",          "true", "{\"a\": [1]}", "0.10",
                                         "0f7c", "-1e-05", "2026-01-01T00:00:00Z"};
    static const char *const nothing[sizeof(view) / sizeof(view[0])] = {NULL};
    struct bench bench;
    (void)state;
    begin(&bench, "id,name,born,smokes,doc,price,key,ratio,at", "", 0);
    assert_line(
        &bench, values,
        "{\"id\":7,\"name\":\"Asha\",\"born\":\"1990-01-02\",\"smokes\":true,\"doc\":{\"a\": [1]},\"price\":0.10,"
        "\"key\":\"0f7c\",\"ratio\":-1e-05,\"at\":\"2026-01-01T00:00:00Z\"}\n");
    assert_line(&bench, nothing,
                "{\"id\":null,\"name\":null,\"born\":null,\"smokes\":null,\"doc\":null,\"price\":null,\"key\":null,"
                "\"ratio\":null,\"at\":null}\n");
    end(&bench);
}

static void make__each_nasty_byte_at_each_place__is_escaped(void **state)
{
    static const struct {
        const char *raw, *escaped;
    } cases[] = {{"\"", "\\\""},      {"\\", "\\\\"},      {"\n", "\\n"},    {"\r", "\\r"},
                 {"\t", "\\t"},       {"\b", "\\b"},       {"\f", "\\f"},    {"\x01", "\\u0001"},
                 {"\x1f", "\\u001f"}, {"\x0b", "\\u000b"}, {"\x7f", "\x7f"}, {"☕", "☕"}};
    struct bench bench;
    (void)state;
    begin(&bench, "id,name", "", 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int before = 0; before < 20; before++) {
            char raw[64], expected[128];

            (void)snprintf(raw, sizeof(raw), "%.*s%sxyz", before, "abcdefghijklmnopqrstuvw", cases[i].raw);
            (void)snprintf(expected, sizeof(expected), "{\"id\":1,\"name\":\"%.*s%sxyz\"}\n", before,
                           "abcdefghijklmnopqrstuvw", cases[i].escaped);
            assert_line(&bench, (const char *const[]){"1", raw}, expected);
        }
    }
    assert_line(&bench, (const char *const[]){"1", ""}, "{\"id\":1,\"name\":\"\"}\n");
    end(&bench);
}

static void begin__names_with_quotes_and_masks__are_escaped_and_strings(void **state)
{
    struct bench bench;
    (void)state;
    begin(&bench, "id,a \\ name=name,born", "a \\ name:redact,born:year,id:null", 0);
    assert_line(&bench, (const char *const[]){NULL, "***", "1990"},
                "{\"id\":null,\"a \\\\ name\":\"***\",\"born\":\"1990\"}\n");
    end(&bench);
}

static void make__line_longer_than_max_row__is_refused_and_the_next_one_made(void **state)
{
    static char text[1025];
    struct bench bench;
    (void)state;
    begin(&bench, "id,name", "", 1024);
    for (size_t length = 0; length < sizeof(text); length++) {
        const bool fits = strlen("{\"id\":1,\"name\":\"\"}\n") + 6 * length <= 1024;
        struct uex_copy_field fields[] = {field_of("1"), {.data = (uint8_t *)text, .size_bytes = (int32_t)length}};
        struct uex_bytes line;
        struct uex_fault fault = {0};

        memset(text, 1, length); /* six bytes each */
        assert_int_equal(uex_json_line_make(&bench.line, fields, &line, &fault), fits ? UEX_OK : UEX_DB_DATA);
        assert_true(fits || strstr(fault.text, "export.max_row (1024 bytes)") != NULL);
    }
    assert_line(&bench, (const char *const[]){"1", "x"}, "{\"id\":1,\"name\":\"x\"}\n");
    end(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(make__each_type__numbers_and_documents_have_no_quotes),
        cmocka_unit_test(make__each_nasty_byte_at_each_place__is_escaped),
        cmocka_unit_test(begin__names_with_quotes_and_masks__are_escaped_and_strings),
        cmocka_unit_test(make__line_longer_than_max_row__is_refused_and_the_next_one_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
