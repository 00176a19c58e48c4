/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/screen.h"
#include "export/clock.h"

#define CELL_ABSENT "\x01" /* no text holds it: control characters are not shown */
#define GAP 2              /* columns of the terminal between two of the table */
#define CUT_COMFORTABLE 24 /* texts are cut down to this before ids are left out, */
#define CUT_LEAST 14       /* and down to this before other columns are: no outcome or state is longer */
#define SHOWN_SIZE 64      /* of a time */

void uex_table_add(struct uex_table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const char *cell = cells[i] == NULL ? CELL_ABSENT : cells[i];

        uex_buffer_append(&table->cells, cell, strlen(cell) + 1);
    }
    table->row_count++;
}

void uex_table_clear(struct uex_table *table)
{
    uex_buffer_clear(&table->cells);
    table->row_count = 0;
}

const char *uex_cell_text(const char *text)
{
    return text == NULL || text[0] == 0 ? NULL : text;
}

const char *uex_cell_number(uint64_t number, char out[UEX_CELL_SIZE])
{
    if (number == UEX_UNKNOWN)
        return NULL;
    snprintf(out, UEX_CELL_SIZE, "%" PRIu64, number);
    return out;
}

/* ---- how the columns are laid out */

struct layout {
    const struct uex_table *table;
    bool shown[UEX_TABLE_COLUMNS_MAX];
    size_t natural[UEX_TABLE_COLUMNS_MAX]; /* what title and cells take */
    size_t widths[UEX_TABLE_COLUMNS_MAX];  /* what they get */
    bool left_out[UEX_TABLE_COLUMNS_MAX];  /* because they do not fit */
    /* Of a column of times: the zone of all its cells, which stands in its title. "": there is no cell, or the cells
     * have several and each has its own. */
    char zones[UEX_TABLE_COLUMNS_MAX][UEX_OUTPUT_ZONE_SIZE];
};

static bool is_local(const struct uex_table *table, size_t column)
{
    return uex_screen()->is_terminal && table->columns[column].kind == UEX_CELL_TIME;
}

static bool is_right(const struct uex_table *table, size_t column)
{
    enum uex_cell_kind kind = table->columns[column].kind;

    return uex_screen()->is_terminal && (kind == UEX_CELL_NUMBER || kind == UEX_CELL_COUNT);
}

static bool may_be_cut(const struct uex_table *table, size_t column)
{
    enum uex_cell_kind kind = table->columns[column].kind;

    return kind == UEX_CELL_TEXT || kind == UEX_CELL_JSON;
}

/* The text of a cell as it is shown before it is cut; a time is worked out in `scratch`. */
static const char *shown_of(const struct layout *layout, size_t column, const char *cell, char scratch[SHOWN_SIZE])
{
    char zone[UEX_OUTPUT_ZONE_SIZE];
    int64_t wall_ms = UEX_NO_TIME;
    size_t size_bytes = 0;

    if (strcmp(cell, CELL_ABSENT) == 0)
        return "";
    if (!is_local(layout->table, column) || !uex_time_parse(cell, strlen(cell), &wall_ms))
        return cell;
    uex_output_local_time(wall_ms, scratch, zone);
    size_bytes = strlen(scratch);
    if (layout->zones[column][0] == 0)
        snprintf(scratch + size_bytes, SHOWN_SIZE - size_bytes, " %s", zone);
    return scratch;
}

/* "AT", or "AT (IST)". */
static const char *title_of(const struct layout *layout, size_t column, char scratch[SHOWN_SIZE])
{
    const char *title = layout->table->columns[column].title;

    if (layout->zones[column][0] == 0)
        return title;
    snprintf(scratch, SHOWN_SIZE, "%s (%s)", title, layout->zones[column]);
    return scratch;
}

/* For each column of times: the zone that all its cells have. */
static void find_zones(struct layout *layout)
{
    const struct uex_table *table = layout->table;
    const char *cell = uex_buffer_text(&table->cells);
    bool is_mixed[UEX_TABLE_COLUMNS_MAX] = {false};

    for (size_t i = 0; i < table->row_count * table->column_count; i++, cell += strlen(cell) + 1) {
        const size_t column = i % table->column_count;
        char text[UEX_OUTPUT_TIME_SIZE], zone[UEX_OUTPUT_ZONE_SIZE];
        int64_t wall_ms = UEX_NO_TIME;

        if (!is_local(table, column) || !uex_time_parse(cell, strlen(cell), &wall_ms))
            continue;
        uex_output_local_time(wall_ms, text, zone);
        if (layout->zones[column][0] == 0)
            memcpy(layout->zones[column], zone, sizeof(zone));
        is_mixed[column] = is_mixed[column] || strcmp(layout->zones[column], zone) != 0;
    }
    for (size_t column = 0; column < table->column_count; column++)
        if (is_mixed[column])
            layout->zones[column][0] = 0;
}

static void measure(struct layout *layout)
{
    const struct uex_table *table = layout->table;
    const bool is_fitted = uex_screen()->width > 0;
    const char *cell = uex_buffer_text(&table->cells);
    char scratch[SHOWN_SIZE];

    for (size_t i = 0; i < table->row_count * table->column_count; i++, cell += strlen(cell) + 1) {
        const size_t column = i % table->column_count;
        size_t width = uex_text_width(shown_of(layout, column, cell, scratch));

        if (width > layout->natural[column])
            layout->natural[column] = width;
    }
    for (size_t column = 0; column < table->column_count; column++) {
        size_t width = 0;

        /* A table without rows is its titles. */
        layout->shown[column] = table->columns[column].title != NULL &&
                                (!is_fitted || table->row_count == 0 || layout->natural[column] > 0);
        if (!layout->shown[column])
            continue;
        width = uex_text_width(title_of(layout, column, scratch));
        if (width > layout->natural[column])
            layout->natural[column] = width;
    }
}

static size_t width_of_all(const struct layout *layout)
{
    size_t width = 0;

    for (size_t column = 0; column < layout->table->column_count; column++)
        if (layout->shown[column])
            width += layout->widths[column] + GAP;
    return width > 0 ? width - GAP : 0;
}

/* Cut the widest texts, down to `least`, until the table fits. False: it does not. */
static bool narrow(struct layout *layout, size_t least)
{
    const size_t room = uex_screen()->width;
    size_t width = 0;

    memcpy(layout->widths, layout->natural, sizeof(layout->widths));
    for (width = width_of_all(layout); width > room; width--) {
        size_t widest = UEX_TABLE_COLUMNS_MAX, most = least;

        for (size_t column = 0; column < layout->table->column_count; column++) {
            if (!layout->shown[column] || !may_be_cut(layout->table, column) || layout->widths[column] <= most)
                continue;
            most = layout->widths[column];
            widest = column;
        }
        if (widest == UEX_TABLE_COLUMNS_MAX)
            return false;
        layout->widths[widest]--;
    }
    return true;
}

/* Leave out the rightmost column, of ids only or of any kind; never the first one. False: there is none. */
static bool leave_out(struct layout *layout, bool only_ids)
{
    for (size_t column = layout->table->column_count; column-- > 1;) {
        if (!layout->shown[column] || (only_ids && layout->table->columns[column].kind != UEX_CELL_ID))
            continue;
        layout->shown[column] = false;
        layout->left_out[column] = true;
        return true;
    }
    return false;
}

static void fit(struct layout *layout)
{
    while (!narrow(layout, CUT_COMFORTABLE) && leave_out(layout, true))
        continue;
    while (!narrow(layout, CUT_LEAST) && leave_out(layout, false))
        continue;
}

static void lay_out(struct layout *layout)
{
    find_zones(layout);
    measure(layout);
    if (uex_screen()->width > 0)
        fit(layout);
    else
        memcpy(layout->widths, layout->natural, sizeof(layout->widths));
}

/* ---- as text */

static void append_blanks(struct uex_buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        uex_buffer_append_text(out, " ");
}

static void append_cell(const struct layout *layout, size_t column, const char *text, const char *colour,
                        struct uex_buffer *out)
{
    const size_t width = layout->widths[column], taken = uex_text_width(text);
    const size_t blanks = taken < width ? width - taken : 0;

    if (is_right(layout->table, column))
        append_blanks(out, blanks);
    if (colour != NULL)
        uex_buffer_append_format(out, "\033[%sm", colour);
    uex_output_append_cut(out, text, width);
    if (colour != NULL)
        uex_buffer_append_text(out, "\033[0m");
    append_blanks(out, is_right(layout->table, column) ? GAP : blanks + GAP);
}

/* Without the blanks at its end. */
static void end_line(struct uex_buffer *out)
{
    while (out->size_bytes > 0 && out->data[out->size_bytes - 1] == ' ')
        out->data[--out->size_bytes] = 0;
    uex_buffer_append_text(out, "\n");
}

static void write_titles(const struct layout *layout, struct uex_buffer *out)
{
    char scratch[SHOWN_SIZE];

    for (size_t column = 0; column < layout->table->column_count; column++)
        if (layout->shown[column])
            append_cell(layout, column, title_of(layout, column, scratch), NULL, out);
    end_line(out);
}

static void write_left_out(const struct layout *layout, struct uex_buffer *out)
{
    const char *separator = "not shown: ";

    for (size_t column = 0; column < layout->table->column_count; column++) {
        if (!layout->left_out[column])
            continue;
        uex_buffer_append_format(out, "%s%s", separator, layout->table->columns[column].title);
        separator = ", ";
    }
    if (strcmp(separator, ", ") == 0)
        uex_buffer_append_text(out, " (--wide shows all)\n");
}

static void write_text(const struct uex_table *table, struct uex_buffer *out)
{
    struct layout layout = {.table = table};
    const bool is_coloured = uex_screen()->is_coloured && table->colour != NULL;
    const char *cell = NULL;

    lay_out(&layout);
    write_titles(&layout, out);
    cell = uex_buffer_text(&table->cells);
    for (size_t i = 0; i < table->row_count * table->column_count; i++, cell += strlen(cell) + 1) {
        const size_t column = i % table->column_count;
        char scratch[SHOWN_SIZE];
        const char *text = shown_of(&layout, column, cell, scratch);

        if (layout.shown[column])
            append_cell(&layout, column, text, is_coloured ? table->colour(column, text) : NULL, out);
        if (column + 1 == table->column_count)
            end_line(out);
    }
    write_left_out(&layout, out);
}

/* ---- as JSON */

static void write_json_cell(enum uex_cell_kind kind, const char *cell, struct uex_buffer *out)
{
    if (strcmp(cell, CELL_ABSENT) == 0)
        uex_buffer_append_text(out, "null");
    else if (kind == UEX_CELL_JSON || kind == UEX_CELL_NUMBER)
        uex_buffer_append_text(out, cell);
    else
        uex_buffer_append_json(out, cell);
}

static void write_json(const struct uex_table *table, struct uex_buffer *out)
{
    const char *cell = uex_buffer_text(&table->cells);

    uex_buffer_append_text(out, "[");
    for (size_t i = 0; i < table->row_count * table->column_count; i++, cell += strlen(cell) + 1) {
        size_t column = i % table->column_count;

        if (column == 0)
            uex_buffer_append_text(out, i == 0 ? "\n  {" : ",\n  {");
        else
            uex_buffer_append_text(out, ", ");
        uex_buffer_append_json(out, table->columns[column].key);
        uex_buffer_append_text(out, ": ");
        write_json_cell(table->columns[column].kind, cell, out);
        if (column + 1 == table->column_count)
            uex_buffer_append_text(out, "}");
    }
    uex_buffer_append_text(out, table->row_count == 0 ? "]" : "\n]");
}

void uex_table_write(const struct uex_table *table, enum uex_output format, struct uex_buffer *out)
{
    if (uex_buffer_failed(&table->cells)) {
        out->failed = true;
        return;
    }
    if (format == UEX_OUTPUT_JSON)
        write_json(table, out);
    else
        write_text(table, out);
}
