/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/schema/document.h — a resolved layout, written for readers of the files. They append to `out`. */
#ifndef EXPORT_CTL_SCHEMA_DOCUMENT_H
#define EXPORT_CTL_SCHEMA_DOCUMENT_H

#include "export/buffer.h"
#include "export/layout.h"

/* A row for each column, and a line about all of them. */
void uex_schema_write_table(const struct uex_layout *layout, struct uex_buffer *out);
/* Table Schema of the Data Package standard, version 2 (datapackage.org/standard/table-schema), of a file of CSV. The
 * members whose names begin with "export" are ours; the standard allows them. */
void uex_schema_write_table_schema(const struct uex_layout *layout, struct uex_buffer *out);
/* JSON Schema, draft 2020-12, of a row of JSON Lines. */
void uex_schema_write_json_schema(const struct uex_layout *layout, struct uex_buffer *out);
#endif
