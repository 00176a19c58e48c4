/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/schema.h — what a column is in the file.
 *
 * Source: parquet.thrift, Type, ConvertedType, LogicalType, SchemaElement: "implementations using LogicalType for a
 * SchemaElement must also set the corresponding ConvertedType"; LogicalTypes.md, "String Types", "Numeric Types:
 * DECIMAL" (INT32 up to 9 digits, INT64 up to 18, FIXED_LEN_BYTE_ARRAY big-endian two's complement), "DATE",
 * "TIMESTAMP", "JSON".
 */
#ifndef EXPORT_PARQUET_SCHEMA_H
#define EXPORT_PARQUET_SCHEMA_H

#include "export/parquet.h"
#include "parquet/thrift.h"

/* parquet.thrift, Type */
enum uex_physical {
    UEX_PHYSICAL_BOOLEAN = 0,
    UEX_PHYSICAL_INT32 = 1,
    UEX_PHYSICAL_INT64 = 2,
    UEX_PHYSICAL_FLOAT = 4,
    UEX_PHYSICAL_DOUBLE = 5,
    UEX_PHYSICAL_BYTE_ARRAY = 6,
    UEX_PHYSICAL_FIXED = 7
};

struct uex_parquet_type {
    enum uex_physical physical;
    size_t width_bytes; /* of a value in PLAIN form; 0: BOOLEAN (a bit) and BYTE_ARRAY */
};

struct uex_parquet_type uex_parquet_type_of(const struct uex_parquet_column *column);
/* FileMetaData.schema (field 2): the root and a SchemaElement for each column. */
void uex_parquet_write_schema(const struct uex_parquet_format *format, struct uex_thrift_writer *writer);
#endif
