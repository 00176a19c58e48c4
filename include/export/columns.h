/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/columns.h — the 20 columns of an export: the one place where they stand. */
#ifndef EXPORT_COLUMNS_H
#define EXPORT_COLUMNS_H

#include "export/config.h"

#define UEX_COLUMN_COUNT 20
#define UEX_EXPORT_VERSION "1.0"

enum uex_column_type { UEX_COLUMN_TEXT, UEX_COLUMN_DATE, UEX_COLUMN_BOOLEAN, UEX_COLUMN_INTEGER };

struct uex_column {
    const char *name;     /* in the file's header: "displayName" */
    const char *sql_name; /* in the view: "display_name" */
    enum uex_column_type type;
};

/* In the order of the file. */
extern const struct uex_column uex_columns[UEX_COLUMN_COUNT];

/* What is done to each column. */
struct uex_masks {
    enum uex_mask_action actions[UEX_COLUMN_COUNT];
};

/* Read "column:action,…" (file names of columns; "" is no mask). UEX_CONFIG with a text that names the part and what is
 * allowed: an unknown column or action, a column twice, an action on a column of another type (null: any; redact, hash:
 * text; year: dates), hash without a key. Allowed: null or redact on groupId or username, though rows cannot be
 * distinguished then. Any thread. */
UEX_MUST_CHECK enum uex_error uex_masks_parse(const char *text, bool has_key, struct uex_masks *out,
                                              struct uex_fault *fault);

/* What comes before the rows: the comment line if asked for, then the header line, each with '\n'. */
void uex_columns_header(enum uex_version_field version, struct uex_buffer *out);
#endif
