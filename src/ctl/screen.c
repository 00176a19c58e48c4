/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/screen.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "core/utf8.h"
#include "ctl/output.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MAX 10000
#define NAME_WIDTH_LEAST 16

static struct uex_screen in_force;

const struct uex_screen *uex_screen(void)
{
    return &in_force;
}

void uex_screen_set(const struct uex_screen *screen)
{
    in_force = *screen;
}

/* Of the terminal, else COLUMNS, else 80. */
static size_t width_of_terminal(void)
{
    struct winsize size = {0};
    const char *columns = getenv("COLUMNS");
    long width = columns == NULL ? 0 : strtol(columns, NULL, 10);

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return width > 0 && width <= WIDTH_MAX ? (size_t)width : WIDTH_DEFAULT;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && *value != 0;
}

static bool is_dumb(void)
{
    const char *term = getenv("TERM");

    return term != NULL && strcmp(term, "dumb") == 0;
}

enum uex_error uex_screen_setup(const char *color, bool wide)
{
    const bool is_always = color != NULL && strcmp(color, "always") == 0;
    const bool is_never = color != NULL && strcmp(color, "never") == 0;
    const bool is_allowed = !is_never && !is_dumb() && (is_always || !is_set("NO_COLOR"));

    if (color != NULL && !is_always && !is_never && strcmp(color, "auto") != 0) {
        uex_output_error("--color: must be auto, never or always");
        return UEX_CONFIG;
    }
    tzset();
    in_force = (struct uex_screen){.is_terminal = isatty(STDOUT_FILENO) != 0, .may_move = is_allowed};
    in_force.is_coloured = is_always || (is_allowed && in_force.is_terminal);
    in_force.width = in_force.is_terminal && !wide ? width_of_terminal() : 0;
    return UEX_OK;
}

/* ---- characters */

/* One step through a text: how it is shown, and how many columns that takes. */
struct glyph {
    size_t size_bytes;
    size_t width;
    bool is_shown; /* false: '?' stands for it */
};

static wchar_t code_of(const uint8_t *text, size_t size_bytes)
{
    static const uint8_t masks[] = {0x7f, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint32_t)(text[0] & masks[size_bytes]);

    for (size_t i = 1; i < size_bytes; i++)
        code = code << 6 | (text[i] & 0x3fu);
    return (wchar_t)code; /* glibc and musl: UCS-4 */
}

/* Unicode 15, section 23.2: explicit directional formatting, and line ends that are not among the control characters.
 * They would let a name rearrange what stands beside it. */
static bool changes_direction(wchar_t code)
{
    return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e ||
           code == 0x200f || code == 0x061c || code == 0x2028 || code == 0x2029;
}

/* In the locale C.UTF-8, whatever the user's is: the texts are UTF-8. Without that locale each character is one. */
static size_t columns_of(wchar_t code)
{
    static locale_t utf8;
    static bool is_tried;
    locale_t before = (locale_t)0;
    int width = -1;

    if (!is_tried)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    is_tried = true;
    if (utf8 == (locale_t)0)
        return 1;
    before = uselocale(utf8);
    width = wcwidth(code);
    uselocale(before);
    return width < 0 ? 1 : (size_t)width;
}

static struct glyph next_glyph(const char *text, const char *end)
{
    const uint8_t *bytes = (const uint8_t *)text;
    const struct uex_utf8_char next = uex_utf8_next(bytes, (size_t)(end - text));
    struct glyph glyph = {.size_bytes = next.size_bytes, .width = 1, .is_shown = true};
    wchar_t code = 0;

    if (next.valid && next.is_control) {
        glyph.is_shown = false;
    } else if (in_force.is_terminal && !next.valid) {
        glyph.is_shown = false;
    } else if (in_force.is_terminal && bytes[0] >= 0x80) {
        code = code_of(bytes, next.size_bytes);
        glyph.is_shown = !changes_direction(code);
        glyph.width = glyph.is_shown ? columns_of(code) : 1;
    }
    return glyph;
}

size_t uex_text_step(const char *text, size_t size_bytes, size_t *width)
{
    const struct glyph glyph = next_glyph(text, text + size_bytes);

    *width = glyph.width;
    return glyph.size_bytes;
}

size_t uex_text_width(const char *text)
{
    const char *end = text + strlen(text);
    size_t width = 0;

    while (text < end) {
        struct glyph glyph = next_glyph(text, end);

        width += glyph.width;
        text += glyph.size_bytes;
    }
    return width;
}

static void append_range(struct uex_buffer *out, const char *text, const char *end)
{
    while (text < end) {
        struct glyph glyph = next_glyph(text, end);

        uex_buffer_append(out, glyph.is_shown ? text : "?", glyph.is_shown ? glyph.size_bytes : 1);
        text += glyph.size_bytes;
    }
}

void uex_output_append_clean(struct uex_buffer *out, const char *text)
{
    append_range(out, text, text + strlen(text));
}

void uex_output_append_cut(struct uex_buffer *out, const char *text, size_t width)
{
    const char *end = text + strlen(text), *head = text, *tail = text;
    size_t whole = uex_text_width(text), left = 0, passed = 0;

    if (width == 0 || whole <= width) {
        append_range(out, text, end);
        return;
    }
    /* Of "…" and what is left, the beginning gets the larger half. */
    for (left = width / 2; head < end;) {
        struct glyph glyph = next_glyph(head, end);

        if (passed + glyph.width > left)
            break;
        passed += glyph.width;
        head += glyph.size_bytes;
    }
    append_range(out, text, head);
    uex_buffer_append_text(out, UEX_ELLIPSIS);
    /* The end: what takes the columns that are left, without the combining characters of one that was cut off. */
    for (left = whole, tail = text; tail < end;) {
        struct glyph glyph = next_glyph(tail, end);

        if (left <= width - 1 - passed && glyph.width > 0)
            break;
        left -= glyph.width;
        tail += glyph.size_bytes;
    }
    append_range(out, tail, end);
}

void uex_output_append_name(struct uex_buffer *out, const char *name)
{
    size_t third = in_force.width / 3;

    uex_output_append_cut(out, name, in_force.width > 0 && third < NAME_WIDTH_LEAST ? NAME_WIDTH_LEAST : third);
}

/* ---- times */

void uex_output_local_time(int64_t wall_ms, char *out, char *zone)
{
    time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0));
    struct tm local;

    *out = *zone = 0;
    if (wall_ms == UEX_NO_TIME || localtime_r(&seconds, &local) == NULL)
        return;
    if (strftime(out, UEX_TIME_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &local) == 0)
        *out = 0;
    if (strftime(zone, UEX_OUTPUT_ZONE_SIZE, "%Z", &local) == 0)
        *zone = 0;
}

void uex_output_time(int64_t wall_ms, char *out)
{
    char zone[UEX_OUTPUT_ZONE_SIZE] = "";
    size_t size_bytes = 0;

    if (!in_force.is_terminal) {
        uex_time_format(wall_ms, out);
        return;
    }
    uex_output_local_time(wall_ms, out, zone);
    size_bytes = strlen(out);
    if (size_bytes > 0 && zone[0] != 0)
        snprintf(out + size_bytes, UEX_OUTPUT_TIME_SIZE - size_bytes, " %s", zone);
}
