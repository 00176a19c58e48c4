/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/numeric.h"

#include "parquet/load.h"

#define HEADER_BYTES ((size_t)8)
#define BASE 10000
/* numeric.c: NUMERIC_POS and so on, and NUMERIC_DSCALE_MAX. */
#define SIGN_POSITIVE 0x0000
#define SIGN_NEGATIVE 0x4000
#define SIGN_NAN 0xC000
#define SIGN_PLUS_INFINITY 0xD000
#define SIGN_MINUS_INFINITY 0xF000
#define DISPLAY_SCALE_MAX 0x3FFF

static int digit_at(const struct uex_numeric *numeric, int index)
{
    return index < 0 || index >= numeric->digit_count ? 0 : uex_load_be16(numeric->digits + 2 * index);
}

static bool read_sign(unsigned sign, struct uex_numeric *out)
{
    switch (sign) {
    case SIGN_POSITIVE:
        return true;
    case SIGN_NEGATIVE:
        out->is_negative = true;
        return true;
    case SIGN_NAN:
        out->special = "NaN";
        return true;
    case SIGN_PLUS_INFINITY:
        out->special = "Infinity";
        return true;
    case SIGN_MINUS_INFINITY:
        out->special = "-Infinity";
        return true;
    default:
        return false;
    }
}

bool uex_numeric_read(const uint8_t *data, size_t size_bytes, struct uex_numeric *out)
{
    if (size_bytes < HEADER_BYTES)
        return false;
    *out = (struct uex_numeric){.digits = data + HEADER_BYTES,
                                .digit_count = uex_load_be16(data),
                                .weight = (int16_t)uex_load_be16(data + 2),
                                .display_scale = uex_load_be16(data + 6)};
    if (!read_sign(uex_load_be16(data + 4), out) || out->display_scale > DISPLAY_SCALE_MAX ||
        size_bytes != HEADER_BYTES + 2 * (size_t)out->digit_count)
        return false;
    for (int i = 0; i < out->digit_count; i++)
        if (digit_at(out, i) >= BASE)
            return false;
    return true;
}

size_t uex_numeric_text_max_bytes(const struct uex_numeric *numeric)
{
    /* A sign, four digits for each of the base, a point, and four digits of the last one, of which some are not kept.
     */
    return 16 + 4 * (size_t)(numeric->weight < 0 ? 0 : numeric->weight + 1) + (size_t)numeric->display_scale;
}

static char *put_digit(char *place, int digit)
{
    place[0] = (char)('0' + digit / 1000);
    place[1] = (char)('0' + digit / 100 % 10);
    place[2] = (char)('0' + digit / 10 % 10);
    place[3] = (char)('0' + digit % 10);
    return place + 4;
}

/* The first digit has no zeros in front. */
static char *put_first_digit(char *place, int digit)
{
    char text[4];
    int skipped = digit >= 1000 ? 0 : digit >= 100 ? 1 : digit >= 10 ? 2 : 3;

    (void)put_digit(text, digit);
    memcpy(place, text + skipped, (size_t)(4 - skipped));
    return place + 4 - skipped;
}

size_t uex_numeric_text(const struct uex_numeric *numeric, char *out)
{
    char *place = out;

    if (numeric->special != NULL) {
        memcpy(out, numeric->special, strlen(numeric->special));
        return strlen(numeric->special);
    }
    if (numeric->is_negative)
        *place++ = '-';
    if (numeric->weight < 0)
        *place++ = '0';
    for (int i = 0; i <= numeric->weight; i++)
        place = i == 0 ? put_first_digit(place, digit_at(numeric, i)) : put_digit(place, digit_at(numeric, i));
    if (numeric->display_scale > 0) {
        char *end = place + 1 + numeric->display_scale;

        *place++ = '.';
        for (int i = numeric->weight + 1; place < end; i++)
            place = put_digit(place, digit_at(numeric, i));
        place = end;
    }
    return (size_t)(place - out);
}

__int128 uex_numeric_limit(int digits)
{
    __int128 limit = 1;

    while (digits-- > 0)
        limit *= 10;
    return limit - 1;
}

/* Add a digit of the base whose last decimal digit counts 10^exponent, after those before it were added. */
static bool add_digit(__int128 *sum, int digit, int exponent, __int128 limit)
{
    int factor = BASE;

    for (; exponent < 0 && factor > 1; exponent++) {
        if (digit % 10 != 0)
            return false; /* behind the scale */
        digit /= 10;
        factor /= 10;
    }
    if (factor == 1)
        return digit == 0;
    if (*sum > (limit - digit) / factor)
        return false;
    *sum = *sum * factor + digit;
    return *sum <= limit;
}

bool uex_numeric_scaled(const struct uex_numeric *numeric, int scale, __int128 limit, __int128 *out)
{
    __int128 sum = 0;
    int exponent = 4 * numeric->weight + scale; /* of the first digit */

    if (numeric->special != NULL)
        return false;
    for (int i = 0; i < numeric->digit_count; i++, exponent -= 4)
        if (!add_digit(&sum, digit_at(numeric, i), exponent, limit))
            return false;
    /* The zeros behind the last digit that was sent. */
    for (exponent += 4; sum != 0 && exponent > 0; exponent--) {
        if (sum > limit / 10)
            return false;
        sum *= 10;
    }
    *out = numeric->is_negative ? -sum : sum;
    return true;
}
