/* SPDX-License-Identifier: Apache-2.0 */
#include "export/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_plain.h"

#define FIRST_CAPACITY_BYTES ((size_t)256)

uint8_t *uex_buffer_reserve(struct uex_buffer *buffer, size_t more_bytes)
{
    size_t cap_bytes = buffer->cap_bytes == 0 ? UEX_BUFFER_CAP_BYTES : buffer->cap_bytes;

    if (buffer->failed)
        return NULL;
    if (buffer->size_bytes > cap_bytes || more_bytes > cap_bytes - buffer->size_bytes) {
        buffer->failed = true;
        return NULL;
    }
    size_t needed_bytes = buffer->size_bytes + more_bytes + 1;
    if (needed_bytes > buffer->capacity_bytes) {
        size_t capacity_bytes = buffer->capacity_bytes == 0 ? FIRST_CAPACITY_BYTES : buffer->capacity_bytes * 2;

        if (capacity_bytes > cap_bytes + 1)
            capacity_bytes = cap_bytes + 1;
        if (capacity_bytes < needed_bytes)
            capacity_bytes = needed_bytes;
        uint8_t *data = realloc(buffer->data, capacity_bytes);
        if (data == NULL) {
            buffer->failed = true;
            return NULL;
        }
        buffer->data = data;
        buffer->capacity_bytes = capacity_bytes;
    }
    /* Zeroed as far as the caller may go, so that the text ends wherever size_bytes is raised to. */
    memset(buffer->data + buffer->size_bytes, 0, more_bytes + 1);
    return buffer->data + buffer->size_bytes;
}

void uex_buffer_append(struct uex_buffer *buffer, const void *data, size_t size_bytes)
{
    uint8_t *place = uex_buffer_reserve(buffer, size_bytes);

    if (place == NULL || size_bytes == 0)
        return;
    memcpy(place, data, size_bytes);
    buffer->size_bytes += size_bytes;
}

void uex_buffer_append_text(struct uex_buffer *buffer, const char *text)
{
    if (text != NULL)
        uex_buffer_append(buffer, text, strlen(text));
}

void uex_buffer_append_buffer(struct uex_buffer *buffer, const struct uex_buffer *other)
{
    if (other->failed)
        buffer->failed = true;
    else if (other->size_bytes > 0)
        uex_buffer_append(buffer, other->data, other->size_bytes);
}

static void append_formatted(struct uex_buffer *buffer, size_t size_bytes, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static void append_formatted(struct uex_buffer *buffer, size_t size_bytes, const char *format, va_list arguments)
{
    uint8_t *place = uex_buffer_reserve(buffer, size_bytes);

    if (place == NULL)
        return;
    if (vsnprintf((char *)place, size_bytes + 1, format, arguments) != (int)size_bytes) {
        *place = 0;
        buffer->failed = true;
        return;
    }
    buffer->size_bytes += size_bytes;
}

void uex_buffer_append_format(struct uex_buffer *buffer, const char *format, ...)
{
    va_list measuring, writing;
    int size;

    va_start(measuring, format);
    va_copy(writing, measuring);
    size = vsnprintf(NULL, 0, format, measuring);
    va_end(measuring);
    if (size < 0)
        buffer->failed = true;
    else
        append_formatted(buffer, (size_t)size, format, writing);
    va_end(writing);
}

void uex_buffer_append_json_bytes(struct uex_buffer *buffer, struct uex_bytes text)
{
    static const char DIGITS[] = "0123456789abcdef";
    static const char SHORT[] = "\b\t\n\f\r\"\\";
    static const char SHORT_NAME[] = "btnfr\"\\";
    const uint8_t *at = text.data, *end = text.data + text.size_bytes;
    size_t size_before = buffer->size_bytes;

    if (text.data == NULL) {
        uex_buffer_append_text(buffer, "null");
        return;
    }
    uex_buffer_append(buffer, "\"", 1);
    for (const uint8_t *run = at; at < end; run = at) { /* from `run` to `at` they go as they are */
        at = uex_json_skip_plain(run, end);
        uex_buffer_append(buffer, run, (size_t)(at - run));
        if (at == end)
            break;
        const uint8_t byte = *at++;
        const char *place = byte == 0 ? NULL : strchr(SHORT, byte);
        if (place != NULL)
            uex_buffer_append(buffer, (char[]){'\\', SHORT_NAME[place - SHORT]}, 2);
        else
            uex_buffer_append(buffer, (char[]){'\\', 'u', '0', '0', DIGITS[byte >> 4], DIGITS[byte & 15]}, 6);
    }
    uex_buffer_append(buffer, "\"", 1);
    if (buffer->failed && buffer->data != NULL && buffer->size_bytes > size_before) {
        buffer->size_bytes = size_before;
        buffer->data[size_before] = 0;
    }
}

void uex_buffer_append_json(struct uex_buffer *buffer, const char *text)
{
    uex_buffer_append_json_bytes(buffer, uex_bytes_of_text(text));
}

bool uex_buffer_failed(const struct uex_buffer *buffer)
{
    return buffer->failed;
}

void uex_buffer_reset(struct uex_buffer *buffer)
{
    buffer->size_bytes = 0;
    buffer->failed = false;
    if (buffer->data != NULL)
        buffer->data[0] = 0;
}

void uex_buffer_clear(struct uex_buffer *buffer)
{
    if (buffer == NULL)
        return;
    free(buffer->data);
    *buffer = (struct uex_buffer){.cap_bytes = buffer->cap_bytes};
}

const char *uex_buffer_text(const struct uex_buffer *buffer)
{
    return buffer->data == NULL ? "" : (const char *)buffer->data;
}

struct uex_bytes uex_buffer_bytes(const struct uex_buffer *buffer)
{
    /* Empty is not absent. */
    return uex_bytes_of(buffer->data == NULL ? (const uint8_t *)"" : buffer->data, buffer->size_bytes);
}
