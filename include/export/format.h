/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/format.h — what the formats of files (export.format) are called. How a file is made of rows is in
 * include/export/encoder.h. Any thread. */
#ifndef EXPORT_FORMAT_H
#define EXPORT_FORMAT_H

#include "export/config.h"

/* "csv", "jsonl", "parquet". */
const char *uex_format_name(enum uex_format format);
/* How a file's name ends: ".csv.gz". */
const char *uex_format_ending(enum uex_format format);
/* Its media type. */
const char *uex_format_content_type(enum uex_format format);
/* Do rows come in COPY's binary form, field by field, and not as lines of text? */
bool uex_format_has_fields(enum uex_format format);
/* The format of a file by the end of its name. False: it is none of them. */
bool uex_format_of_name(const char *name, enum uex_format *out);
#endif
