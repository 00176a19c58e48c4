/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/layout.h — which columns an export has, in what order, of what types, and what is done to them.
 *
 * A layout is made from the settings (export.columns, export.mask, …) and resolved with the columns of the user view.
 * It is the one place where columns stand: SELECT, header line, masks, formats and checks read it. A layout does not
 * change once it is made, so any thread may read it. */
#ifndef EXPORT_LAYOUT_H
#define EXPORT_LAYOUT_H

#include "export/config.h"

#define UEX_LAYOUT_COLUMNS_MAX 200
#define UEX_LAYOUT_ID_SIZE 17 /* 16 hex digits and a zero */
#define UEX_VERSION_COLUMN_NAME "exportVersion"

/* The types that a column of a view can have (below its domains). UNKNOWN: not read from the view yet. */
enum uex_column_type {
    UEX_COLUMN_UNKNOWN,
    UEX_COLUMN_TEXT, /* text, varchar, char, citext, an enum */
    UEX_COLUMN_UUID,
    UEX_COLUMN_BOOLEAN,
    UEX_COLUMN_SMALLINT,
    UEX_COLUMN_INTEGER,
    UEX_COLUMN_BIGINT,
    UEX_COLUMN_REAL,
    UEX_COLUMN_DOUBLE,
    UEX_COLUMN_NUMERIC,
    UEX_COLUMN_DATE,
    UEX_COLUMN_TIMESTAMP,
    UEX_COLUMN_TIMESTAMPTZ,
    UEX_COLUMN_JSON,
    UEX_COLUMN_JSONB
};

/* A type as the server sends it: of pg_attribute, below the domains. */
struct uex_column_kind {
    enum uex_column_type type;
    int precision, scale; /* NUMERIC; precision 0: as many digits as a value has */
    unsigned oid;         /* of pg_type; 0: not known */
    int typmod;           /* of the column; -1: none */
};

struct uex_layout_column {
    char *name;      /* in the file: "displayName" */
    char *view_name; /* in the view: "display_name" */
    struct uex_column_kind kind;
    enum uex_mask_action mask;
};

struct uex_layout {
    const struct uex_config *config; /* borrowed */
    struct uex_layout_column *columns;
    size_t column_count;
    size_t list_index;           /* what a list holds */
    bool is_default;             /* the columns of export.columns' default, whose types are fixed */
    bool takes_all;              /* export.columns is `*`: no columns before it is resolved */
    const char *version;         /* export.version; borrowed from the config */
    char id[UEX_LAYOUT_ID_SIZE]; /* tells layouts apart; "": it is not resolved */
};

/* The layout of export.columns, export.list_column and export.mask, not resolved. Settings that are NULL are at their
 * defaults. UEX_CONFIG with a text that begins with the setting's key and says what is allowed; UEX_NO_MEMORY. The
 * config must outlive it.
 *
 * Masks are "column:action,…" (names of the file; "" is no mask): null for any column, redact and hash for text, year
 * for dates; hash needs a key. Where the types come from the view, they are checked when it is resolved. Allowed: null
 * or redact on the list column, though rows cannot be distinguished then. */
UEX_MUST_CHECK enum uex_error uex_layout_new(const struct uex_config *config, struct uex_layout **out,
                                             struct uex_fault *fault);
void uex_layout_free(struct uex_layout *layout); /* accepts NULL */

/* A column of the user view. */
struct uex_view_column {
    const char *name;
    struct uex_column_kind kind; /* UEX_COLUMN_UNKNOWN: of a type that no export holds */
    const char *type_text;       /* for people */
};
/* The layout with the types of the view's columns, given in the view's order. UEX_DB_SCHEMA: a column is not there or
 * of another type; UEX_CONFIG: a mask or the formula guard does not fit its type, or `*` gives more columns than
 * UEX_LAYOUT_COLUMNS_MAX; UEX_NO_MEMORY. `view` is its name, for texts. */
UEX_MUST_CHECK enum uex_error uex_layout_resolve(const struct uex_layout *layout, const char *view,
                                                 const struct uex_view_column *columns, size_t column_count,
                                                 struct uex_layout **out, struct uex_fault *fault);
/* Does `now`, resolved again, read the same columns with the same types? UEX_DB_SCHEMA with the first difference. */
UEX_MUST_CHECK enum uex_error uex_layout_compare(const struct uex_layout *layout, const struct uex_layout *now,
                                                 const char *view, struct uex_fault *fault);
bool uex_layout_is_resolved(const struct uex_layout *layout);
/* export.version, or its default where a config has none. */
const char *uex_layout_version(const struct uex_config *config);

/* The column of a list. */
const struct uex_layout_column *uex_layout_list_column(const struct uex_layout *layout);
/* Does it hash anything (of the list column alone, if `list_only`)? Then export.mask_key is needed. */
bool uex_layout_hashes(const struct uex_layout *layout, bool list_only);
/* What comes before the rows of CSV: the comment line if asked for, then the header line, each with '\n'. */
#define UEX_VERSION_COMMENT_START "# ExportVersion: "
void uex_layout_write_header(const struct uex_layout *layout, enum uex_version_field field, struct uex_buffer *out);
/* "text", "timestamptz": the names of PostgreSQL, but "text" for all text. */
const char *uex_column_type_name(enum uex_column_type type);
/* "null", "redact", "hash", "year"; "" for none. */
const char *uex_mask_name(enum uex_mask_action mask);

/* The boolean column of rows that are still to be exported (export.pending_column); "": all rows are. */
const char *uex_layout_pending_column(const struct uex_config *config);
#endif
