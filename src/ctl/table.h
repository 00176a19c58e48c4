/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/table.h — rows for people, aligned and fitted to the terminal, or the same rows as JSON. Main thread.
 *
 * In a file or a pipe a table is whole. On a terminal (src/ctl/screen.h) columns without a cell are left out, numbers
 * are right-aligned, times are local, and what is too wide is made to fit: texts are cut in the middle ("g-000…4711"),
 * then ids and then the rightmost columns are left out, which a line below says. So important columns stand left.
 * --wide shows everything.
 */
#ifndef EXPORT_CTL_TABLE_H
#define EXPORT_CTL_TABLE_H

#include "export/buffer.h"

#define UEX_TABLE_COLUMNS_MAX 24

enum uex_output { UEX_OUTPUT_TABLE, UEX_OUTPUT_JSON };

/* What the cells of a column are. */
enum uex_cell_kind {
    UEX_CELL_TEXT,   /* text, also in JSON; may be cut */
    UEX_CELL_JSON,   /* in JSON as it stands (an object, a boolean); may be cut in the table */
    UEX_CELL_NUMBER, /* digits, in JSON as they stand; right-aligned, never cut */
    UEX_CELL_COUNT,  /* text of digits ("1,234"): right-aligned, never cut; in JSON a string */
    UEX_CELL_TIME,   /* as uex_time_format() writes it; local on a terminal, never cut */
    UEX_CELL_ID      /* text of which a part is of no use: never cut, the first to be left out */
};

struct uex_column_of_table {
    const char *key;   /* in JSON */
    const char *title; /* in the table; NULL: only in JSON */
    enum uex_cell_kind kind;
};

/* `cells` holds the cells of all rows in order, each with its zero byte. A table is empty with all but the columns
 * zeroed.
 */
struct uex_table {
    const struct uex_column_of_table *columns;
    size_t column_count;
    /* The SGR parameters ("31") in which a cell is shown where colours are, NULL for none; may be NULL. */
    const char *(*colour)(size_t column, const char *cell);
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
#endif
