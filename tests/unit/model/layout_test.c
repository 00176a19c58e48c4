/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "export/layout.h"
#include "export/outcome_kind.h"

static struct uex_layout *layout;
static struct uex_fault fault;

/* UEX_OK with `layout`, or the error with `fault`. */
static enum uex_error make(const struct uex_config *config)
{
    uex_layout_free(layout);
    layout = NULL;
    fault = (struct uex_fault){0};
    return uex_layout_new(config, &layout, &fault);
}

static int drop(void **state)
{
    (void)state;
    uex_layout_free(layout);
    layout = NULL;
    return 0;
}

static enum uex_error make_with(const char *columns, const char *list_column, const char *mask)
{
    static struct uex_config config;

    config = (struct uex_config){.export_columns = (char *)(uintptr_t)columns,
                                 .export_list_column = (char *)(uintptr_t)list_column,
                                 .export_mask = (char *)(uintptr_t)mask};
    return make(&config);
}

static void assert_says(const char *text)
{
    if (strstr(fault.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, fault.text);
}

static void layout__defaults__are_the_twenty_columns(void **state)
{
    static const char expected[] =
        "username,groupId,displayName,gender,dateOfBirth,location,intent,bio,smokes,drinks,wantsKids,education,"
        "religion,"
        "occupation,preferredGenders,preferredMinAge,preferredMaxAge,relationshipType,openToLongDistance,"
        "readyForMatching";
    static const struct uex_config config;
    char line[sizeof expected + 64];
    struct uex_buffer header = {0};
    (void)state;
    assert_int_equal(make(&config), UEX_OK);
    uex_layout_write_header(layout, UEX_VERSION_NONE, &header);
    (void)snprintf(line, sizeof line, "%s\n", expected);
    assert_string_equal(uex_buffer_text(&header), line);
    uex_buffer_reset(&header);
    uex_layout_write_header(layout, UEX_VERSION_COLUMN, &header);
    (void)snprintf(line, sizeof line, "%s,exportVersion\n", expected);
    assert_string_equal(uex_buffer_text(&header), line);
    uex_buffer_reset(&header);
    uex_layout_write_header(layout, UEX_VERSION_COMMENT, &header);
    (void)snprintf(line, sizeof line, "# ExportVersion: 1.0\n%s\n", expected);
    assert_string_equal(uex_buffer_text(&header), line);
    uex_buffer_clear(&header);
    assert_string_equal(uex_layout_list_column(layout)->name, "username");
    assert_false(uex_layout_is_resolved(layout));
}

/* The view's names are the file's names in snake_case. */
static void layout__defaults__names_of_the_view_are_snake_case(void **state)
{
    static const struct uex_config config;
    (void)state;
    assert_int_equal(make(&config), UEX_OK);
    assert_int_equal(layout->column_count, 20);
    for (size_t i = 0; i < layout->column_count; i++) {
        char snake[64] = "";
        size_t size = 0;
        for (const char *at = layout->columns[i].name; *at != '\0'; at++) {
            if (*at >= 'A' && *at <= 'Z')
                snake[size++] = '_';
            snake[size++] = (char)(*at | 0x20);
        }
        assert_string_equal(layout->columns[i].view_name, snake);
    }
}

static void layout__defaults__types_are_fixed(void **state)
{
    static const struct uex_config config;
    size_t counts[UEX_COLUMN_JSONB + 1] = {0};
    (void)state;
    assert_int_equal(make(&config), UEX_OK);
    for (size_t i = 0; i < layout->column_count; i++)
        counts[layout->columns[i].kind.type]++;
    assert_int_equal(counts[UEX_COLUMN_TEXT], 12);
    assert_int_equal(counts[UEX_COLUMN_DATE], 1);
    assert_int_equal(counts[UEX_COLUMN_BOOLEAN], 5);
    assert_int_equal(counts[UEX_COLUMN_INTEGER], 2);
}

static void columns__names_with_and_without_a_view_column__are_taken(void **state)
{
    (void)state;
    assert_int_equal(make_with("id, full name = display_name ,über=Größe", "id", ""), UEX_OK);
    assert_int_equal(layout->column_count, 3);
    assert_string_equal(layout->columns[0].view_name, "id");
    assert_string_equal(layout->columns[1].name, "full name");
    assert_string_equal(layout->columns[1].view_name, "display_name");
    assert_string_equal(layout->columns[2].name, "über");
    assert_string_equal(layout->columns[2].view_name, "Größe");
    assert_int_equal(layout->columns[0].kind.type, UEX_COLUMN_UNKNOWN);
}

static void columns__mistakes__are_configuration_errors(void **state)
{
    static const struct {
        const char *columns, *list_column, *says;
    } cases[] = {
        {"", "a", "name or name=view_column"},
        {"a,", "a", "name or name=view_column"},
        {"a,,b", "a", "name or name=view_column"},
        {"=x", "a", "name or name=view_column"},
        {"a=", "a", "name or name=view_column"},
        {"a=b=c", "a", "name or name=view_column"},
        {"a:b", "a", "name or name=view_column"},
        {"a\"b", "a", "name or name=view_column"},
        {"a\tb", "a", "name or name=view_column"},
        {"a\xff", "a", "name or name=view_column"},
        {"a,*", "a", "name or name=view_column"},
        {"a,b,a", "a", "'a' is there twice"},
        {"a,b=a", "c", "export.list_column: 'c' is no name of export.columns"},
        {"name=a", "a", "export.list_column: 'a' is no name of export.columns"},
        {"a,exportVersion", "a", "export.version_field"},
        {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234", "a", "name or name=view_column"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(make_with(cases[i].columns, cases[i].list_column, ""), UEX_CONFIG);
        assert_says(cases[i].says);
        assert_true(strncmp(fault.text, "export.", strlen("export.")) == 0);
    }
}

static void columns__200_of_them__and_no_more(void **state)
{
    struct uex_buffer text = {0};
    (void)state;
    for (int i = 0; i < UEX_LAYOUT_COLUMNS_MAX; i++)
        uex_buffer_append_format(&text, "%sc%d", i == 0 ? "" : ",", i);
    assert_int_equal(make_with(uex_buffer_text(&text), "c0", ""), UEX_OK);
    uex_buffer_append_text(&text, ",one");
    assert_int_equal(make_with(uex_buffer_text(&text), "c0", ""), UEX_CONFIG);
    assert_says("more than 200 columns");
    uex_buffer_clear(&text);
}

static void columns__row_key__is_one_of_them(void **state)
{
    static char columns[] = "a,b", list_column[] = "a", good[] = "b", bad[] = "c";
    struct uex_config config = {.export_columns = columns, .export_list_column = list_column, .export_row_key = good};
    (void)state;
    assert_int_equal(make(&config), UEX_OK);
    config.export_row_key = bad;
    assert_int_equal(make(&config), UEX_CONFIG);
    assert_says("export.row_key: 'c'");
    drop(state);
}

/* ---- masks */

static enum uex_error make_masks(const char *mask, bool has_key)
{
    static char key[] = "k";
    static struct uex_config config;

    config = (struct uex_config){.export_mask = (char *)(uintptr_t)mask, .export_mask_key = has_key ? key : NULL};
    return make(&config);
}

static void masks__nothing__masks_nothing(void **state)
{
    static const char *const texts[] = {"", "  ", NULL};
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        assert_int_equal(make_masks(texts[t], false), UEX_OK);
        for (size_t i = 0; i < layout->column_count; i++)
            assert_int_equal(layout->columns[i].mask, UEX_MASK_NONE);
    }
}

static void masks__all_actions__are_taken(void **state)
{
    (void)state;
    assert_int_equal(make_masks("username:hash, bio:redact ,dateOfBirth:year,smokes:null,groupId : null", true),
                     UEX_OK);
    assert_int_equal(layout->columns[0].mask, UEX_MASK_HASH);
    assert_int_equal(layout->columns[1].mask, UEX_MASK_NULL);
    assert_int_equal(layout->columns[2].mask, UEX_MASK_NONE);
    assert_int_equal(layout->columns[4].mask, UEX_MASK_YEAR);
    assert_int_equal(layout->columns[7].mask, UEX_MASK_REDACT);
    assert_int_equal(layout->columns[8].mask, UEX_MASK_NULL);
    assert_true(uex_layout_hashes(layout, false) && uex_layout_hashes(layout, true));
    assert_int_equal(make_masks("bio:hash", true), UEX_OK);
    assert_true(uex_layout_hashes(layout, false) && !uex_layout_hashes(layout, true));
}

static void masks__mistakes__are_configuration_errors(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"bio", "column:action"},
        {",", "column:action"},
        {"bio:redact,", "column:action"},
        {",bio:redact", "column:action"},
        {"bio:redact,,intent:null", "column:action"},
        {":null", "no column ''"},
        {"Bio:null", "no column 'Bio'"},
        {"display_name:null", "readyForMatching"},
        {"bio:", "null, redact, hash, year"},
        {"bio:none", "null, redact, hash, year"},
        {"bio:NULL", "null, redact, hash, year"},
        {"bio:null:null", "null, redact, hash, year"},
        {"bio:redact,bio:null", "has an action already"},
        {"smokes:redact", "text columns only"},
        {"preferredMinAge:redact", "text columns only"},
        {"dateOfBirth:redact", "text columns only"},
        {"bio:year", "date columns only"},
        {"bio:hash", "export.mask_key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(make_masks(cases[i].text, false), UEX_CONFIG);
        assert_says(cases[i].says);
        assert_says("export.mask: ");
        assert_null(layout);
    }
    assert_int_equal(make_masks("preferredMinAge:hash", true), UEX_CONFIG);
}

/* ---- with a view */

#define COLUMN(name_, type_)                                                                                           \
    {                                                                                                                  \
        .name = (name_), .kind = {.type = UEX_COLUMN_##type_, .typmod = -1}, .type_text = #type_                       \
    }
static const struct uex_view_column view[] = {
    COLUMN("group_id", TEXT),
    COLUMN("id", BIGINT),
    COLUMN("name", TEXT),
    COLUMN("born", DATE),
    COLUMN("data", JSONB),
    COLUMN("tags", UNKNOWN),
    COLUMN("sent_to_matching_service", BOOLEAN),
};
#define VIEW_COUNT (sizeof view / sizeof view[0])

static enum uex_error resolve(struct uex_layout **out)
{
    return uex_layout_resolve(layout, "v", view, VIEW_COUNT, out, &fault);
}

static void resolve__types__come_from_the_view(void **state)
{
    struct uex_layout *resolved = NULL;
    (void)state;
    assert_int_equal(make_with("key=id,born", "key", "born:year"), UEX_OK);
    assert_int_equal(resolve(&resolved), UEX_OK);
    assert_true(uex_layout_is_resolved(resolved));
    assert_int_equal(strlen(resolved->id), 16);
    assert_int_equal(strspn(resolved->id, "0123456789abcdef"), 16);
    assert_int_equal(resolved->columns[0].kind.type, UEX_COLUMN_BIGINT);
    assert_int_equal(resolved->columns[1].kind.type, UEX_COLUMN_DATE);
    assert_int_equal(resolved->columns[1].mask, UEX_MASK_YEAR);
    uex_layout_free(resolved);
}

static void resolve__all_columns__are_the_views_but_the_technical_ones(void **state)
{
    struct uex_layout *resolved = NULL;
    struct uex_buffer header = {0};
    (void)state;
    assert_int_equal(make_with("*", "id", "name:redact"), UEX_OK);
    assert_int_equal(uex_layout_resolve(layout, "v", view, 5, &resolved, &fault), UEX_OK);
    uex_layout_write_header(resolved, UEX_VERSION_NONE, &header);
    assert_string_equal(uex_buffer_text(&header), "id,name,born,data\n");
    assert_int_equal(resolved->columns[1].mask, UEX_MASK_REDACT);
    uex_buffer_clear(&header);
    uex_layout_free(resolved);
    assert_int_equal(resolve(&resolved), UEX_DB_SCHEMA);
    assert_says("column tags of view v is UNKNOWN, which no export can hold; cast it in the view");
}

static void resolve__what_does_not_fit__is_named(void **state)
{
    static const struct {
        const char *columns, *mask, *says;
        enum uex_error err;
    } cases[] = {
        {"id,nobody", "", "view v has no column nobody (export.columns)", UEX_DB_SCHEMA},
        {"id,tags", "", "column tags of view v is UNKNOWN", UEX_DB_SCHEMA},
        {"id,tags", "tags:null", "column tags of view v is UNKNOWN", UEX_DB_SCHEMA},
        {"id,born", "born:redact", "export.mask: column born of view v is DATE, not text", UEX_CONFIG},
        {"id,name", "name:year", "export.mask: column name of view v is TEXT, not date", UEX_CONFIG},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct uex_layout *resolved = NULL;

        assert_int_equal(make_with(cases[i].columns, "id", cases[i].mask), UEX_OK);
        assert_int_equal(resolve(&resolved), cases[i].err);
        assert_says(cases[i].says);
        assert_null(resolved);
    }
}

static void resolve__defaults__keep_their_types(void **state)
{
    static const struct uex_config config;
    struct uex_layout *resolved = NULL;
    struct uex_view_column columns[20];
    (void)state;
    assert_int_equal(make(&config), UEX_OK);
    for (size_t i = 0; i < 20; i++)
        columns[i] = (struct uex_view_column){
            .name = layout->columns[i].view_name, .kind = layout->columns[i].kind, .type_text = "a type"};
    columns[15].kind.type = UEX_COLUMN_SMALLINT;
    columns[0].kind.type = UEX_COLUMN_UUID;
    assert_int_equal(uex_layout_resolve(layout, "v", columns, 20, &resolved, &fault), UEX_OK);
    uex_layout_free(resolved);
    columns[4].kind.type = UEX_COLUMN_TEXT;
    assert_int_equal(uex_layout_resolve(layout, "v", columns, 20, &resolved, &fault), UEX_DB_SCHEMA);
    assert_says("column date_of_birth of view v is a type, not date");
    assert_int_equal(uex_layout_resolve(layout, "v", columns, 4, &resolved, &fault), UEX_DB_SCHEMA);
    assert_says("view v has no column date_of_birth (date)");
}

static void copy_id(const struct uex_config *config, char out[UEX_LAYOUT_ID_SIZE])
{
    struct uex_layout *resolved = NULL;

    assert_int_equal(make(config), UEX_OK);
    assert_int_equal(resolve(&resolved), UEX_OK);
    memcpy(out, resolved->id, UEX_LAYOUT_ID_SIZE);
    uex_layout_free(resolved);
}

/* Whatever changes what a reader gets gives another id; and nothing else does. */
static void id__each_difference__is_seen(void **state)
{
    static char columns[] = "id,name,born", list_column[] = "id", mask[] = "name:hash", key[] = "k", version[] = "1.0";
    static char fewer[] = "id,name", renamed[] = "id,name,birthday=born", redact[] = "name:redact", other_key[] = "l";
    static char second[] = "2.0", other_list[] = "name";
    const struct uex_config plain = {.export_columns = columns,
                                     .export_list_column = list_column,
                                     .export_mask = mask,
                                     .export_mask_key = key,
                                     .export_version = version};
    struct uex_config others[7];
    char id[UEX_LAYOUT_ID_SIZE], other[UEX_LAYOUT_ID_SIZE];
    (void)state;
    for (size_t i = 0; i < 7; i++)
        others[i] = plain;
    others[0].export_columns = fewer;
    others[1].export_columns = renamed;
    others[2].export_mask = redact;
    others[3].export_mask_key = other_key;
    others[4].export_version = second;
    others[5].export_formula_guard = UEX_GUARD_PREFIX;
    others[6].export_version_field = UEX_VERSION_NONE;
    copy_id(&plain, id);
    for (size_t i = 0; i < 7; i++) {
        copy_id(&others[i], other);
        assert_string_not_equal(other, id);
    }
    others[0] = plain;
    others[0].export_list_column = other_list;
    copy_id(&others[0], other);
    assert_string_equal(other, id);
    others[2].export_mask_key = other_key; /* of no use to redact */
    copy_id(&others[2], other);
    others[2].export_mask_key = key;
    copy_id(&others[2], id);
    assert_string_equal(other, id);
    drop(state);
}

static void compare__view_that_changed__is_named(void **state)
{
    struct uex_layout *first = NULL, *now = NULL;
    struct uex_view_column changed[VIEW_COUNT];
    (void)state;
    memcpy(changed, view, sizeof view);
    assert_int_equal(make_with("*", "id", ""), UEX_OK);
    assert_int_equal(uex_layout_resolve(layout, "v", view, 5, &first, &fault), UEX_OK);
    assert_int_equal(uex_layout_compare(first, first, "v", &fault), UEX_OK);
    changed[2].kind.type = UEX_COLUMN_INTEGER;
    assert_int_equal(uex_layout_resolve(layout, "v", changed, 5, &now, &fault), UEX_OK);
    assert_int_equal(uex_layout_compare(first, now, "v", &fault), UEX_DB_SCHEMA);
    assert_says("column name of view v was text at the start and is integer now");
    uex_layout_free(now);
    assert_int_equal(uex_layout_resolve(layout, "v", view, 4, &now, &fault), UEX_OK);
    assert_int_equal(uex_layout_compare(first, now, "v", &fault), UEX_DB_SCHEMA);
    assert_says("view v has no column data any more");
    /* One more is of no matter before the next start. */
    assert_int_equal(uex_layout_compare(now, first, "v", &fault), UEX_OK);
    uex_layout_free(now);
    uex_layout_free(first);
}

static void header__name_of_a_view_with_quotes__is_quoted(void **state)
{
    static const struct uex_view_column odd[] = {COLUMN("id", BIGINT), COLUMN("a \"b\", c", TEXT)};
    struct uex_layout *resolved = NULL;
    struct uex_buffer header = {0};
    (void)state;
    assert_int_equal(make_with("*", "id", ""), UEX_OK);
    assert_int_equal(uex_layout_resolve(layout, "v", odd, 2, &resolved, &fault), UEX_OK);
    uex_layout_write_header(resolved, UEX_VERSION_NONE, &header);
    assert_string_equal(uex_buffer_text(&header), "id,\"a \"\"b\"\", c\"\n");
    uex_buffer_clear(&header);
    uex_layout_free(resolved);
}

static void outcome_text__every_kind__goes_both_ways(void **state)
{
    enum uex_outcome_kind kind;
    (void)state;
    for (unsigned i = 0; i < UEX_OUTCOME_COUNT; i++) {
        assert_true(uex_outcome_from_text(uex_outcome_text((enum uex_outcome_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_string_equal(uex_outcome_text(UEX_OUTCOME_DEAD_LETTERED), "dead-lettered");
    assert_false(uex_outcome_from_text("Exported", &kind));
    assert_false(uex_outcome_from_text(NULL, &kind));
    assert_string_equal(uex_outcome_text(UEX_OUTCOME_COUNT), "");
    assert_string_equal(uex_skip_text(UEX_SKIP_NONE), "");
    assert_string_equal(uex_skip_text(UEX_SKIP_UNKNOWN_GROUP), "unknown-group");
    assert_string_equal(uex_skip_text(UEX_SKIP_COUNT), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout__defaults__are_the_twenty_columns),
        cmocka_unit_test(layout__defaults__names_of_the_view_are_snake_case),
        cmocka_unit_test(layout__defaults__types_are_fixed),
        cmocka_unit_test(columns__names_with_and_without_a_view_column__are_taken),
        cmocka_unit_test(columns__mistakes__are_configuration_errors),
        cmocka_unit_test(columns__200_of_them__and_no_more),
        cmocka_unit_test(columns__row_key__is_one_of_them),
        cmocka_unit_test(masks__nothing__masks_nothing),
        cmocka_unit_test(masks__all_actions__are_taken),
        cmocka_unit_test(masks__mistakes__are_configuration_errors),
        cmocka_unit_test(resolve__types__come_from_the_view),
        cmocka_unit_test(resolve__all_columns__are_the_views_but_the_technical_ones),
        cmocka_unit_test(resolve__what_does_not_fit__is_named),
        cmocka_unit_test(resolve__defaults__keep_their_types),
        cmocka_unit_test(id__each_difference__is_seen),
        cmocka_unit_test(compare__view_that_changed__is_named),
        cmocka_unit_test(header__name_of_a_view_with_quotes__is_quoted),
        cmocka_unit_test(outcome_text__every_kind__goes_both_ways),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, drop);
}
