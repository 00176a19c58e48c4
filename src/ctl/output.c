/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/output.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "export/figures.h"

#define CELL_ABSENT "\x01" /* no text holds it: control characters are not shown */

enum uex_error uex_output_format(const char *text, enum uex_output *out)
{
    *out = UEX_OUTPUT_TABLE;
    if (text == NULL || strcmp(text, "table") == 0)
        return UEX_OK;
    *out = UEX_OUTPUT_JSON;
    if (strcmp(text, "json") == 0)
        return UEX_OK;
    uex_output_error("--output: must be table or json");
    return UEX_CONFIG;
}

void uex_table_add(struct uex_table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const char *cell = cells[i] == NULL ? CELL_ABSENT : cells[i];

        uex_buffer_append(&table->cells, cell, strlen(cell) + 1);
    }
    table->row_count++;
}

/* Characters, not bytes; wide ones count as one. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text != 0; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static const char *shown(const char *cell)
{
    return strcmp(cell, CELL_ABSENT) == 0 ? "" : cell;
}

void uex_output_append_clean(struct uex_buffer *out, const char *text)
{
    for (; *text != 0; text++) {
        bool is_c1 = (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0;

        if (is_c1)
            text++;
        if (is_c1 || (unsigned char)*text < 0x20 || *text == 0x7f)
            uex_buffer_append_text(out, "?");
        else
            uex_buffer_append(out, text, 1);
    }
}

static void append_padded(struct uex_buffer *out, const char *text, const char *colour, size_t width, bool is_last)
{
    if (colour != NULL)
        uex_buffer_append_format(out, "\033[%sm", colour);
    uex_output_append_clean(out, text);
    if (colour != NULL)
        uex_buffer_append_text(out, "\033[0m");
    for (size_t i = width_of(text); !is_last && i < width + 2; i++)
        uex_buffer_append_text(out, " ");
}

static const char *colour_of(const struct uex_table *table, size_t column, const char *cell)
{
    return table->coloured && table->colour != NULL ? table->colour(column, shown(cell)) : NULL;
}

/* Without the blanks that empty cells leave at its end. */
static void end_line(struct uex_buffer *out)
{
    while (out->size_bytes > 0 && out->data[out->size_bytes - 1] == ' ')
        out->data[--out->size_bytes] = 0;
    uex_buffer_append_text(out, "\n");
}

static void write_text(const struct uex_table *table, struct uex_buffer *out)
{
    size_t widths[UEX_TABLE_COLUMNS_MAX] = {0};
    size_t last = 0;
    const char *cell = uex_buffer_text(&table->cells);

    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].title == NULL)
            continue;
        widths[i] = width_of(table->columns[i].title);
        last = i;
    }
    for (size_t i = 0; i < table->row_count * table->column_count; i++, cell += strlen(cell) + 1)
        if (width_of(shown(cell)) > widths[i % table->column_count])
            widths[i % table->column_count] = width_of(shown(cell));
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].title != NULL)
            append_padded(out, table->columns[i].title, NULL, widths[i], i == last);
    end_line(out);
    cell = uex_buffer_text(&table->cells);
    for (size_t i = 0; i < table->row_count * table->column_count; i++, cell += strlen(cell) + 1) {
        size_t column = i % table->column_count;

        if (table->columns[column].title != NULL)
            append_padded(out, shown(cell), colour_of(table, column, cell), widths[column], column == last);
        if (column + 1 == table->column_count)
            end_line(out);
    }
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
        if (strcmp(cell, CELL_ABSENT) == 0)
            uex_buffer_append_text(out, "null");
        else if (table->columns[column].is_json)
            uex_buffer_append_text(out, cell);
        else
            uex_buffer_append_json(out, cell);
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

bool uex_output_is_terminal(void)
{
    return isatty(STDOUT_FILENO) != 0;
}

void uex_output_count(uint64_t count, char *out)
{
    uex_figure_count(count, out);
}

void uex_output_duration(int64_t duration_ms, char *out)
{
    uex_figure_duration(duration_ms, out);
}

void uex_output_size(uint64_t size_bytes, char *out)
{
    uex_figure_size(size_bytes, out);
}

static bool stdout_closed;

/* poll(2) reports a pipe without a reader before anything is written to it. */
bool uex_output_closed(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    stdout_closed = stdout_closed || (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0);
    return stdout_closed;
}

bool uex_output_print(const struct uex_buffer *text)
{
    bool written = !uex_buffer_failed(text);

    if (stdout_closed)
        return true;
    errno = 0;
    if (written)
        written = fwrite(uex_buffer_text(text), 1, text->size_bytes, stdout) == text->size_bytes && fflush(stdout) == 0;
    stdout_closed = !written && errno == EPIPE;
    if (stdout_closed)
        return true;
    if (!written)
        uex_output_error("cannot write to stdout");
    return written;
}

void uex_output_error(const char *format, ...)
{
    va_list arguments;
    char text[1024];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "exportctl: %s\n", text);
}

int uex_output_fail(enum uex_error err, const struct uex_fault *fault)
{
    const int code = uex_exit_of(err);
    const bool is_dependency = code == UEX_EXIT_UNREACHABLE || uex_error_disposition(err) == UEX_DISPOSITION_OUTAGE;

    uex_output_error("%s (%s)%s", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text, uex_error_code(err),
                     is_dependency ? "; run exportctl doctor to test every dependency" : "");
    return code;
}
