/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/statistics.h — what the footer says of a column chunk's values.
 *
 * Source: parquet.thrift, Statistics and ColumnOrder (TYPE_ORDER): signed comparison of integers, of DECIMAL by the
 * value that is represented; unsigned comparison byte by byte of STRING and JSON; false before true. Of FLOAT and
 * DOUBLE NaN is left out and counted (nan_count), a minimum of zero is written as -0.0 and a maximum of zero as +0.0,
 * and where all are NaN there are no bounds. A long text is bounded by a shorter one, which must be a valid value of
 * the type; where none can be made, the bound is missing. Any thread.
 */
#ifndef EXPORT_PARQUET_STATISTICS_H
#define EXPORT_PARQUET_STATISTICS_H

#include "parquet/schema.h"

#define UEX_BOUND_BYTES_MAX ((size_t)64)

struct uex_bound {
    uint8_t data[UEX_BOUND_BYTES_MAX]; /* in PLAIN form, a text without its length */
    size_t size_bytes;
    bool is_known, is_exact;
};

struct uex_statistics {
    uint64_t null_count, nan_count;
    struct uex_bound min, max;
};

/* Bounds of `count` values in PLAIN form, all distinct ones among them. The counts stay as they are. */
void uex_statistics_bounds(const struct uex_parquet_column *column, struct uex_bytes plain, size_t count,
                           struct uex_statistics *out);
/* ColumnMetaData.statistics (field 12). */
void uex_statistics_write(const struct uex_parquet_column *column, const struct uex_statistics *statistics,
                          struct uex_thrift_writer *writer);
#endif
