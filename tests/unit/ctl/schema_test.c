/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "ctl/schema/document.h"

/* A column of each type, named like its type. */
static const enum uex_column_type types[] = {
    UEX_COLUMN_TEXT,      UEX_COLUMN_UUID,        UEX_COLUMN_BOOLEAN, UEX_COLUMN_SMALLINT, UEX_COLUMN_INTEGER,
    UEX_COLUMN_BIGINT,    UEX_COLUMN_REAL,        UEX_COLUMN_DOUBLE,  UEX_COLUMN_NUMERIC,  UEX_COLUMN_DATE,
    UEX_COLUMN_TIMESTAMP, UEX_COLUMN_TIMESTAMPTZ, UEX_COLUMN_JSON,    UEX_COLUMN_JSONB,
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static struct uex_config config;
static struct uex_layout *layout;
static struct uex_buffer out;
static cJSON *document;

static int drop(void **state)
{
    (void)state;
    uex_layout_free(layout);
    layout = NULL;
    uex_buffer_clear(&out);
    cJSON_Delete(document);
    document = NULL;
    return 0;
}

/* The layout of a view with a column of each type, and one with a name that needs care. */
static void resolve(const char *mask, enum uex_version_field version, enum uex_format format)
{
    struct uex_view_column columns[TYPE_COUNT + 1];
    struct uex_layout *plain = NULL;
    struct uex_fault fault = {0};

    config = (struct uex_config){.export_columns = (char *)(uintptr_t) "*",
                                 .export_list_column = (char *)(uintptr_t) "text",
                                 .export_mask = (char *)(uintptr_t)mask,
                                 .export_mask_key = (char *)(uintptr_t) "key",
                                 .export_version_field = version,
                                 .export_format = format};
    for (size_t i = 0; i < TYPE_COUNT; i++)
        columns[i] = (struct uex_view_column){.name = uex_column_type_name(types[i]),
                                              .kind = {.type = types[i], .precision = 12, .scale = 3, .typmod = -1},
                                              .type_text = "x"};
    columns[TYPE_COUNT] = (struct uex_view_column){
        .name = "say \"ä\"", .kind = {.type = UEX_COLUMN_TEXT, .typmod = -1}, .type_text = "x"};
    if (uex_layout_new(&config, &plain, &fault) != UEX_OK ||
        uex_layout_resolve(plain, "view", columns, TYPE_COUNT + 1, &layout, &fault) != UEX_OK)
        fail_msg("%s", fault.text);
    uex_layout_free(plain);
}

static const cJSON *parse(void)
{
    assert_false(uex_buffer_failed(&out));
    document = cJSON_Parse(uex_buffer_text(&out));
    if (document == NULL)
        fail_msg("no JSON: %s", uex_buffer_text(&out));
    return document;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, name);

    if (found == NULL)
        fail_msg("no member %s", name);
    return found;
}

static const char *text(const cJSON *object, const char *name)
{
    const char *value = cJSON_GetStringValue(member(object, name));

    assert_non_null(value);
    return value;
}

static const cJSON *field(const char *name)
{
    const cJSON *found = NULL;

    cJSON_ArrayForEach(found, member(document, "fields"))
    {
        if (strcmp(text(found, "name"), name) == 0)
            return found;
    }
    fail_msg("no field %s", name);
    return NULL;
}

static const cJSON *property(const char *name)
{
    return member(member(document, "properties"), name);
}

/* Is it [type, "null"]? */
static bool is_or_null(const cJSON *property, const char *type)
{
    const cJSON *found = member(property, "type");

    return cJSON_GetArraySize(found) == 2 && strcmp(cJSON_GetArrayItem(found, 0)->valuestring, type) == 0 &&
           strcmp(cJSON_GetArrayItem(found, 1)->valuestring, "null") == 0;
}

static void table_schema__each_type__is_the_type_of_the_standard(void **state)
{
    static const char *const expected[TYPE_COUNT] = {
        "string", "string", "boolean", "integer",  "integer",  "integer", "number",
        "number", "number", "date",    "datetime", "datetime", "any",     "any",
    };

    (void)state;
    resolve("", UEX_VERSION_NONE, UEX_FORMAT_CSV);
    uex_schema_write_table_schema(layout, &out);
    parse();
    assert_int_equal(cJSON_GetArraySize(member(document, "fields")), TYPE_COUNT + 1);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const cJSON *found = cJSON_GetArrayItem(member(document, "fields"), (int)i);

        assert_string_equal(text(found, "name"), uex_column_type_name(types[i]));
        assert_string_equal(text(found, "type"), expected[i]);
    }
    assert_string_equal(text(field("uuid"), "format"), "uuid");
    assert_true(member(member(field("smallint"), "constraints"), "minimum")->valuedouble == -32768);
    assert_non_null(strstr(uex_buffer_text(&out), "\"maximum\": 9223372036854775807}"));
    assert_non_null(strstr(text(field("numeric"), "description"), "numeric(12,3)"));
    assert_string_equal(text(field("say \"ä\""), "type"), "string");
    assert_string_equal(text(document, "exportLayout"), layout->id);
    assert_string_equal(text(document, "exportFormat"), "csv");
    assert_string_equal(cJSON_GetArrayItem(member(document, "missingValues"), 0)->valuestring, "");
    assert_non_null(strstr(text(document, "description"), "empty text"));
}

static void table_schema__masks_and_version__are_strings(void **state)
{
    (void)state;
    resolve("text:hash,uuid:redact,date:year,bigint:null", UEX_VERSION_COLUMN, UEX_FORMAT_CSV);
    uex_schema_write_table_schema(layout, &out);
    parse();
    assert_string_equal(text(member(field("text"), "constraints"), "pattern"), "[0-9a-f]{64}");
    assert_string_equal(cJSON_GetArrayItem(member(member(field("uuid"), "constraints"), "enum"), 0)->valuestring,
                        "***");
    assert_null(cJSON_GetObjectItem(field("uuid"), "format"));
    assert_string_equal(text(field("date"), "type"), "string");
    assert_string_equal(text(member(field("date"), "constraints"), "pattern"), "[0-9]{4}");
    assert_string_equal(text(field("bigint"), "type"), "string");
    assert_null(cJSON_GetObjectItem(field("bigint"), "constraints"));
    assert_non_null(strstr(text(field("bigint"), "description"), "always NULL"));
    assert_true(cJSON_IsTrue(member(member(field("exportVersion"), "constraints"), "required")));
}

static void table_schema__another_format__says_which(void **state)
{
    (void)state;
    resolve("", UEX_VERSION_NONE, UEX_FORMAT_PARQUET);
    uex_schema_write_table_schema(layout, &out);
    parse();
    assert_string_equal(text(document, "exportFormat"), "parquet");
    assert_non_null(strstr(text(document, "description"), "parquet"));
    assert_null(strstr(text(document, "description"), "RFC 4180"));
}

static void json_schema__each_type__is_what_json_lines_have(void **state)
{
    static const char *const expected[TYPE_COUNT] = {
        "string", "string", "boolean", "integer", "integer", "integer", "number",
        "number", "number", "string",  "string",  "string",  NULL,      NULL,
    };

    (void)state;
    resolve("", UEX_VERSION_NONE, UEX_FORMAT_JSONL);
    uex_schema_write_json_schema(layout, &out);
    parse();
    assert_string_equal(text(document, "$schema"), "https://json-schema.org/draft/2020-12/schema");
    assert_true(cJSON_IsFalse(member(document, "additionalProperties")));
    assert_int_equal(cJSON_GetArraySize(member(document, "required")), TYPE_COUNT + 1);
    assert_int_equal(cJSON_GetArraySize(member(document, "properties")), TYPE_COUNT + 1);
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        const cJSON *found = property(uex_column_type_name(types[i]));

        if (expected[i] != NULL)
            assert_true(is_or_null(found, expected[i]));
        else
            assert_null(cJSON_GetObjectItem(found, "type"));
    }
    assert_string_equal(text(property("timestamptz"), "format"), "date-time");
    assert_null(cJSON_GetObjectItem(property("timestamp"), "format"));
    assert_true(is_or_null(property("say \"ä\""), "string"));
    assert_non_null(strstr(text(document, "$comment"), layout->id));
}

static void json_schema__masks_and_version__are_what_is_written(void **state)
{
    (void)state;
    resolve("text:hash,uuid:redact,date:year,jsonb:null", UEX_VERSION_COLUMN, UEX_FORMAT_CSV);
    uex_schema_write_json_schema(layout, &out);
    parse();
    assert_string_equal(text(property("text"), "pattern"), "^[0-9a-f]{64}$");
    assert_int_equal(cJSON_GetArraySize(member(property("uuid"), "enum")), 2);
    assert_string_equal(text(property("date"), "pattern"), "^[0-9]{4}$");
    assert_string_equal(text(property("jsonb"), "type"), "null");
    assert_string_equal(text(property("exportVersion"), "const"), "1.0");
    assert_string_equal(cJSON_GetArrayItem(member(document, "required"), TYPE_COUNT + 1)->valuestring, "exportVersion");
    assert_null(cJSON_GetObjectItem(document, "$comment")); /* the layout's id is that of another format */
}

static void table__a_masked_column__is_text_and_has_its_type_in_the_view(void **state)
{
    (void)state;
    resolve("date:year", UEX_VERSION_COLUMN, UEX_FORMAT_CSV);
    uex_schema_write_table(layout, &out);
    assert_non_null(strstr(uex_buffer_text(&out), "\ndate              text              yes       year  date"));
    assert_non_null(strstr(uex_buffer_text(&out), "\nexportVersion     text              no"));
    assert_non_null(strstr(uex_buffer_text(&out), "numeric(12,3)"));
    assert_non_null(strstr(uex_buffer_text(&out), layout->id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(table_schema__each_type__is_the_type_of_the_standard, drop),
        cmocka_unit_test_teardown(table_schema__masks_and_version__are_strings, drop),
        cmocka_unit_test_teardown(table_schema__another_format__says_which, drop),
        cmocka_unit_test_teardown(json_schema__each_type__is_what_json_lines_have, drop),
        cmocka_unit_test_teardown(json_schema__masks_and_version__are_what_is_written, drop),
        cmocka_unit_test_teardown(table__a_masked_column__is_text_and_has_its_type_in_the_view, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
