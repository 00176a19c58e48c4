/* SPDX-License-Identifier: Apache-2.0 */
/* export.columns, export.list_column and export.mask, a line each: what is taken is taken again after it was written
 * out, and says the same; what is not says which setting is wrong. Then a view that has the columns. */
#include <stdio.h>
#include <stdlib.h>

#include "export/layout.h"

#define LINES 3

/* The lines of the input as texts; a line that is not there is NULL. */
static char *split(const uint8_t *data, size_t size_bytes, char *lines[LINES])
{
    char *text = malloc(size_bytes + 1);
    char *rest = text;

    if (text == NULL)
        abort();
    if (size_bytes > 0)
        memcpy(text, data, size_bytes);
    text[size_bytes] = '\0';
    for (size_t i = 0; i < LINES; i++) {
        lines[i] = rest;
        if (rest != NULL && (rest = strchr(rest, '\n')) != NULL)
            *rest++ = '\0';
    }
    return text;
}

static void write_columns(const struct uex_layout *layout, struct uex_buffer *out)
{
    for (size_t i = 0; i < layout->column_count; i++)
        uex_buffer_append_format(out, "%s%s=%s", i == 0 ? "" : ",", layout->columns[i].name,
                                 layout->columns[i].view_name);
}

static void check_same(const struct uex_layout *one, const struct uex_layout *other)
{
    if (one->column_count != other->column_count || one->list_index != other->list_index)
        abort();
    for (size_t i = 0; i < one->column_count; i++) {
        if (strcmp(one->columns[i].name, other->columns[i].name) != 0 ||
            strcmp(one->columns[i].view_name, other->columns[i].view_name) != 0 ||
            one->columns[i].mask != other->columns[i].mask)
            abort();
    }
}

static void read_again(const struct uex_config *config, const struct uex_layout *layout)
{
    struct uex_config written = *config;
    struct uex_layout *again = NULL;
    struct uex_buffer columns = {0};

    write_columns(layout, &columns);
    if (uex_buffer_failed(&columns))
        abort();
    written.export_columns =
        columns.size_bytes == 0 ? (char *)(uintptr_t) "*" : (char *)(uintptr_t)uex_buffer_text(&columns);
    if (uex_layout_new(&written, &again, NULL) != UEX_OK)
        abort();
    check_same(layout, again);
    uex_layout_free(again);
    uex_buffer_clear(&columns);
}

/* A view with one column for each of the layout's, of every type in turn, the unknown one too. */
static void resolve(const struct uex_layout *layout, unsigned first_type)
{
    struct uex_view_column columns[UEX_LAYOUT_COLUMNS_MAX];
    struct uex_layout *resolved = NULL, *again = NULL;
    struct uex_buffer header = {0};
    struct uex_fault fault = {0};

    for (size_t i = 0; i < layout->column_count; i++)
        columns[i] = (struct uex_view_column){
            .name = layout->columns[i].view_name,
            .type_text = "some type",
            .kind = {.type = (enum uex_column_type)((first_type + i) % (UEX_COLUMN_JSONB + 1)), .typmod = -1}};
    switch (uex_layout_resolve(layout, "some.view", columns, layout->column_count, &resolved, &fault)) {
    case UEX_OK:
        uex_layout_write_header(resolved, UEX_VERSION_COLUMN, &header);
        if (!uex_layout_is_resolved(resolved) || strlen(resolved->id) != UEX_LAYOUT_ID_SIZE - 1 ||
            uex_buffer_failed(&header) ||
            uex_layout_resolve(resolved, "some.view", columns, layout->column_count, &again, NULL) != UEX_OK ||
            strcmp(resolved->id, again->id) != 0 || uex_layout_compare(resolved, again, "some.view", NULL) != UEX_OK)
            abort();
        check_same(layout, resolved);
        break;
    case UEX_CONFIG:
    case UEX_DB_SCHEMA:
        if (fault.text[0] == '\0')
            abort();
        break;
    default:
        abort();
    }
    uex_layout_free(resolved);
    uex_layout_free(again);
    uex_buffer_clear(&header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    char *lines[LINES], *text = split(data, size_bytes, lines);
    struct uex_config config = {.export_columns = lines[0],
                                .export_list_column = lines[1],
                                .export_mask = lines[2],
                                .export_mask_key = (char *)(uintptr_t) "key"};
    struct uex_layout *layout = NULL;
    struct uex_fault fault = {0};
    const enum uex_error error = uex_layout_new(&config, &layout, &fault);

    if (error == UEX_OK) {
        read_again(&config, layout);
        if (!layout->takes_all)
            resolve(layout, size_bytes > 0 ? data[size_bytes - 1] : 0);
    } else if (error != UEX_CONFIG || strncmp(fault.text, "export.", strlen("export.")) != 0) {
        abort();
    }
    uex_layout_free(layout);
    free(text);
    return 0;
}
