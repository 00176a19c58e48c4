/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/offset_window.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* "uex1;n=<partition count>;u=<open until>;s=<offset>:<count>,…;b=<base64 of the bits from the base on>" */
static const char metadata_mark[] = "uex1;";

static bool bit_get(const struct uex_window *window, int64_t offset)
{
    const size_t index = (size_t)(offset - window->origin);

    return index / 8 < sizeof(window->bits) && (window->bits[index / 8] & (1U << (index % 8))) != 0;
}

static void bit_set(struct uex_window *window, int64_t offset)
{
    const size_t index = (size_t)(offset - window->origin);

    if (index / 8 < sizeof(window->bits))
        window->bits[index / 8] = (uint8_t)(window->bits[index / 8] | (1U << (index % 8)));
}

static void bit_clear(struct uex_window *window, int64_t offset)
{
    const size_t index = (size_t)(offset - window->origin);

    if (index / 8 < sizeof(window->bits))
        window->bits[index / 8] = (uint8_t)(window->bits[index / 8] & ~(1U << (index % 8)));
}

/* Drop the bytes below the base once they are half of the array. */
static void slide(struct uex_window *window)
{
    const size_t whole_bytes = (size_t)(window->base - window->origin) / 8;

    if (whole_bytes < sizeof(window->bits) / 2)
        return;
    if (whole_bytes >= sizeof(window->bits)) {
        memset(window->bits, 0, sizeof(window->bits));
        window->origin = window->base;
        return;
    }
    memmove(window->bits, window->bits + whole_bytes, sizeof(window->bits) - whole_bytes);
    memset(window->bits + sizeof(window->bits) - whole_bytes, 0, whole_bytes);
    window->origin += (int64_t)whole_bytes * 8;
}

static void advance(struct uex_window *window)
{
    while (window->base < window->origin + (int64_t)sizeof(window->bits) * 8 && bit_get(window, window->base))
        window->base++;
    if (window->next < window->base)
        window->next = window->base;
    slide(window);
}

static void start_at(struct uex_window *window, int64_t offset)
{
    memset(window, 0, sizeof(*window));
    window->base = offset;
    window->next = offset;
    window->origin = offset;
}

void uex_window_init(struct uex_window *window)
{
    start_at(window, UEX_OFFSET_NONE);
}

/* Bits of somebody else's or damaged text are not worth an error: without them work is repeated, never lost. */
static void restore_bits(struct uex_window *window, const char *base64)
{
    const size_t length = strlen(base64);
    uint8_t bytes[UEX_WINDOW_METADATA_MAX];
    int size = 0;

    if (length == 0 || length % 4 != 0 || length > UEX_WINDOW_METADATA_MAX)
        return;
    size = EVP_DecodeBlock(bytes, (const unsigned char *)base64, (int)length);
    for (size_t i = 0; size > 0 && i < (size_t)size * 8 && i < UEX_WINDOW_SPAN; i++) {
        if ((bytes[i / 8] & (1U << (i % 8))) != 0)
            bit_set(window, window->base + (int64_t)i);
    }
}

void uex_markers_init(struct uex_markers *markers)
{
    memset(markers, 0, sizeof(*markers));
    markers->open_until = UEX_OFFSET_NONE;
}

int64_t uex_markers_starts(const struct uex_markers *markers, int64_t offset)
{
    for (size_t i = 0; i < markers->start_count; i++) {
        if (markers->starts[i].offset == offset)
            return markers->starts[i].count;
    }
    return 0;
}

void uex_markers_set_starts(struct uex_markers *markers, int64_t offset, int64_t count)
{
    size_t place = markers->start_count;

    for (size_t i = 0; i < markers->start_count; i++) {
        if (markers->starts[i].offset == offset)
            place = i;
    }
    if (count == 0) {
        if (place < markers->start_count) {
            markers->starts[place] = markers->starts[--markers->start_count];
            markers->starts[markers->start_count] = (struct uex_start){0};
        }
        return;
    }
    if (place == UEX_STARTS_MAX) {
        place = 0;
        for (size_t i = 1; i < UEX_STARTS_MAX; i++) {
            if (markers->starts[i].count < markers->starts[place].count)
                place = i;
        }
    } else if (place == markers->start_count) {
        markers->start_count++;
    }
    markers->starts[place] = (struct uex_start){.offset = offset, .count = count};
}

static void restore_marks(struct uex_markers *markers, const char *metadata)
{
    const char *field = strstr(metadata, ";n=");
    char *end = NULL;

    if (field != NULL) {
        const long count = strtol(field + 3, NULL, 10);

        markers->partition_count = count > 0 && count < INT32_MAX ? (int32_t)count : 0;
    }
    field = strstr(metadata, ";u=");
    if (field != NULL) {
        const long long until = strtoll(field + 3, NULL, 10);

        markers->open_until = until < 0 ? UEX_OFFSET_NONE : (until > UEX_OFFSET_MAX ? UEX_OFFSET_MAX : until);
    }
    field = strstr(metadata, ";s=");
    for (const char *place = field == NULL ? NULL : field + 3; place != NULL; place = *end == ',' ? end + 1 : NULL) {
        const long long offset = strtoll(place, &end, 10);
        const long long count = *end == ':' ? strtoll(end + 1, &end, 10) : 0;

        if (offset >= 0 && count > 0)
            uex_markers_set_starts(markers, offset, count > UEX_START_COUNT_MAX ? UEX_START_COUNT_MAX : count);
    }
}

void uex_window_restore(struct uex_window *window, int64_t offset, struct uex_bytes metadata,
                        struct uex_markers *markers)
{
    char text[UEX_WINDOW_METADATA_MAX + 1] = "";
    const char *field = NULL;

    if (markers != NULL)
        uex_markers_init(markers);
    if (offset > UEX_OFFSET_MAX)
        offset = UEX_OFFSET_NONE;
    start_at(window, offset);
    if (offset == UEX_OFFSET_NONE || metadata.data == NULL || metadata.size_bytes > UEX_WINDOW_METADATA_MAX)
        return;
    memcpy(text, metadata.data, metadata.size_bytes);
    if (strncmp(text, metadata_mark, strlen(metadata_mark)) != 0)
        return;
    if (markers != NULL)
        restore_marks(markers, text);
    field = strstr(text, ";b=");
    if (field != NULL)
        restore_bits(window, field + 3);
    advance(window);
    window->next = window->base;
}

bool uex_window_fits(const struct uex_window *window, int64_t offset)
{
    return window->base == UEX_OFFSET_NONE || window->base >= window->next || offset - window->base < UEX_WINDOW_SPAN;
}

void uex_window_see_end(struct uex_window *window, int64_t offset)
{
    if (window->base == UEX_OFFSET_NONE) {
        start_at(window, offset);
        return;
    }
    if (offset <= window->next)
        return;
    if (window->base >= window->next) { /* nothing is open: the base jumps over what is not there */
        while (window->next < offset && offset - window->base < UEX_WINDOW_SPAN)
            bit_set(window, window->next++);
        if (window->next < offset)
            start_at(window, offset);
    } else {
        while (window->next < offset)
            bit_set(window, window->next++);
    }
    advance(window);
}

void uex_window_see(struct uex_window *window, int64_t offset)
{
    uex_window_see_end(window, offset);
    if (window->next <= offset)
        window->next = offset + 1;
}

void uex_window_complete(struct uex_window *window, int64_t offset)
{
    if (window->base == UEX_OFFSET_NONE || offset < window->base || offset - window->base >= UEX_WINDOW_SPAN)
        return;
    bit_set(window, offset);
    advance(window);
}

void uex_window_cut(struct uex_window *window, int64_t offset)
{
    if (window->base == UEX_OFFSET_NONE || offset >= window->next)
        return;
    if (offset <= window->base) {
        start_at(window, offset);
        return;
    }
    for (int64_t place = offset; place < window->origin + (int64_t)sizeof(window->bits) * 8; place++)
        bit_clear(window, place);
    window->next = offset;
}

bool uex_window_finished(const struct uex_window *window, int64_t offset)
{
    if (window->base == UEX_OFFSET_NONE)
        return false;
    return offset < window->base || bit_get(window, offset);
}

void uex_markers_prune(struct uex_markers *markers, const struct uex_window *window)
{
    for (size_t i = markers->start_count; i-- > 0;) {
        if (uex_window_finished(window, markers->starts[i].offset))
            markers->starts[i] = markers->starts[--markers->start_count];
    }
    memset(&markers->starts[markers->start_count], 0,
           (UEX_STARTS_MAX - markers->start_count) * sizeof(markers->starts[0]));
}

static void encode_starts(const struct uex_window *window, const struct uex_markers *markers, struct uex_buffer *out)
{
    const char *before = ";s=";

    for (size_t i = 0; i < markers->start_count; i++) {
        if (uex_window_finished(window, markers->starts[i].offset))
            continue;
        uex_buffer_append_format(out, "%s%lld:%lld", before, (long long)markers->starts[i].offset,
                                 (long long)markers->starts[i].count);
        before = ",";
    }
}

void uex_window_encode(const struct uex_window *window, const struct uex_markers *markers, struct uex_buffer *out)
{
    uint8_t bytes[UEX_WINDOW_SPAN / 8 + 1] = {0};
    unsigned char base64[UEX_WINDOW_METADATA_MAX] = {0};
    size_t used = 0;

    for (size_t i = 0; i < UEX_WINDOW_SPAN; i++) {
        if (bit_get(window, window->base + (int64_t)i)) {
            bytes[i / 8] = (uint8_t)(bytes[i / 8] | (1U << (i % 8)));
            used = i / 8 + 1;
        }
    }
    uex_buffer_append_format(out, "%sn=%d", metadata_mark, markers->partition_count);
    if (markers->open_until != UEX_OFFSET_NONE)
        uex_buffer_append_format(out, ";u=%lld", (long long)markers->open_until);
    encode_starts(window, markers, out);
    if (used > 0) {
        (void)EVP_EncodeBlock(base64, bytes, (int)used);
        uex_buffer_append_text(out, ";b=");
        uex_buffer_append_text(out, (const char *)base64);
    }
}
