/* SPDX-License-Identifier: Apache-2.0 */
/* src/parquet/numeric.h — PostgreSQL's numeric in its binary form.
 *
 * Source: PostgreSQL, src/backend/utils/adt/numeric.c, numeric_send() and get_str_from_var(): four int16 (count of
 * digits, weight of the first, sign, how many decimal digits stand behind the point), then digits to the base 10,000;
 * digit i counts 10,000^(weight - i). Any thread.
 */
#ifndef EXPORT_PARQUET_NUMERIC_H
#define EXPORT_PARQUET_NUMERIC_H

#include "export/bytes.h"

#include <stdbool.h>

struct uex_numeric {
    const uint8_t *digits; /* borrowed: int16 in network byte order, each 0 to 9999 */
    int digit_count, weight, display_scale;
    bool is_negative;
    const char *special; /* "NaN", "Infinity", "-Infinity"; NULL: a number */
};

/* False: these are no bytes of a numeric. */
UEX_MUST_CHECK bool uex_numeric_read(const uint8_t *data, size_t size_bytes, struct uex_numeric *out);
/* The bytes of its text at most. */
size_t uex_numeric_text_max_bytes(const struct uex_numeric *numeric);
/* Write the text as numeric_out() does, without a zero byte; returns its size. */
size_t uex_numeric_text(const struct uex_numeric *numeric, char *out);
/* 10^digits - 1: the greatest number of a DECIMAL; digits at most 38. */
__int128 uex_numeric_limit(int digits);
/* The number times 10^scale. False: it is none, it has digits behind the scale, or it is beyond `limit`. */
UEX_MUST_CHECK bool uex_numeric_scaled(const struct uex_numeric *numeric, int scale, __int128 limit, __int128 *out);
#endif
