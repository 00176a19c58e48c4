/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/output.h — what subcommands print: a table for people, or JSON. Main thread only. */
#ifndef EXPORT_CTL_OUTPUT_H
#define EXPORT_CTL_OUTPUT_H

#include "export/program.h"

#define UEX_TABLE_COLUMNS_MAX 16

/* The row of --output in a subcommand's options; its value goes through uex_output_format(). */
#define UEX_OPTION_OUTPUT(value_)                                                                                      \
    {                                                                                                                  \
        "--output", "table|json", "a table (default), or one JSON document", (value_), NULL                            \
    }

enum uex_output { UEX_OUTPUT_TABLE, UEX_OUTPUT_JSON };

/* NULL: table. UEX_CONFIG for anything else than table and json, reported on stderr. */
UEX_MUST_CHECK enum uex_error uex_output_format(const char *text, enum uex_output *out);

struct uex_column_of_table {
    const char *key;   /* in JSON */
    const char *title; /* in the table; NULL: only in JSON */
    bool is_json;      /* the cell is JSON already (a number, an object); false: text */
};

/* `cells` holds the cells of all rows in order, each with its zero byte. A table is empty with all but the columns
 * zeroed.
 */
struct uex_table {
    const struct uex_column_of_table *columns;
    size_t column_count;
    /* The SGR parameters ("31") in which a cell is shown on a terminal, NULL for none; may be NULL. */
    const char *(*colour)(size_t column, const char *cell);
    bool coloured; /* stdout is a terminal: uex_output_is_terminal() */
    struct uex_buffer cells;
    size_t row_count;
};
/* Append a row: `cells` has column_count texts; NULL is empty in the table and null in JSON. */
void uex_table_add(struct uex_table *table, const char *const *cells);
/* Append the table as aligned text, or as a JSON array of objects. */
void uex_table_write(const struct uex_table *table, enum uex_output format, struct uex_buffer *out);
void uex_table_clear(struct uex_table *table);
/* A cell of text: NULL for NULL and "". */
const char *uex_cell_text(const char *text);
/* A cell of digits in `out`; NULL for UEX_UNKNOWN. */
#define UEX_CELL_SIZE 32
const char *uex_cell_number(uint64_t number, char out[UEX_CELL_SIZE]);

/* Append text from outside, with '?' for each control character, so that a terminal does not act on them. */
void uex_output_append_clean(struct uex_buffer *out, const char *text);
/* Is stdout a terminal? Only there output has colours and moves. */
bool uex_output_is_terminal(void);
/* "1,234,567"; "" for UEX_UNKNOWN. `out` has 32 bytes. */
void uex_output_count(uint64_t count, char *out);
/* "0.3 s", "12 s", "3 min 20 s", "2 h 5 min". `out` has 32 bytes. */
void uex_output_duration(int64_t duration_ms, char *out);
/* "12 B", "3.4 MiB". `out` has 32 bytes. */
void uex_output_size(uint64_t size_bytes, char *out);

/* Print to stdout; false if that failed (reported on stderr). A reader that has gone (`| head`) is no failure; a
 * subcommand that goes on for long asks uex_output_closed(). */
UEX_MUST_CHECK bool uex_output_print(const struct uex_buffer *text);
bool uex_output_closed(void);
/* "exportctl: …" on stderr. */
void uex_output_error(const char *format, ...) UEX_PRINTF(1, 2);
/* The same for an error with its fault; returns the exit code for it. */
int uex_output_fail(enum uex_error err, const struct uex_fault *fault);
#endif
