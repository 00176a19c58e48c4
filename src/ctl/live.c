/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/live.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctl/screen.h"
#include "export/clock.h"

#define WIDTH_DEFAULT 80
#define HEIGHT_DEFAULT 24
#define HEIGHT_MAX 200

/* ECMA-48: CUU, ED; DECAWM (7) keeps a line that is too wide on its own line. */
#define UP_AND_CLEAR "\r\033[%zuA\033[J"
#define WRAP_OFF "\033[?7l"
#define WRAP_ON "\033[?7h"

static struct winsize size_of_terminal(void)
{
    struct winsize size = {0};

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = HEIGHT_DEFAULT, .ws_col = WIDTH_DEFAULT};
    return size;
}

void uex_live_begin(struct uex_live *live)
{
    *live = (struct uex_live){.is_on = uex_screen()->may_move && isatty(STDERR_FILENO) != 0};
}

size_t uex_live_room(const struct uex_live *live)
{
    size_t height = live->is_on ? size_of_terminal().ws_row : 0;

    if (height > HEIGHT_MAX)
        height = HEIGHT_MAX;
    return height > 4 ? height - 2 : height > 0 ? 1 : 0;
}

bool uex_live_is_due(const struct uex_live *live, int64_t now_ms)
{
    return live->is_on && now_ms - live->drawn_ms >= UEX_LIVE_DRAW_MS;
}

void uex_live_erase(struct uex_live *live)
{
    if (live->lines > 0) {
        fprintf(stderr, UP_AND_CLEAR, live->lines);
        fflush(stderr);
    }
    live->lines = 0;
}

/* The bytes of a line that take `width` columns at most. Colours (ECMA-48: SGR) take none, and stay whole. */
static size_t cut(const char *line, size_t size_bytes, size_t width)
{
    size_t at = 0, taken = 0;

    while (at < size_bytes) {
        size_t step_bytes = 0, columns = 0;

        if (line[at] == '\033')
            step_bytes = strcspn(line + at, "m\n") + 1;
        else
            step_bytes = uex_text_step(line + at, size_bytes - at, &columns);
        if (taken + columns > width)
            break;
        taken += columns;
        at += step_bytes;
    }
    return at < size_bytes ? at : size_bytes;
}

void uex_live_draw(struct uex_live *live, const struct uex_buffer *lines)
{
    size_t room = uex_live_room(live), width = size_of_terminal().ws_col;
    const char *line = uex_buffer_text(lines);
    struct uex_buffer out = {0};
    size_t count = 0;

    if (!live->is_on)
        return;
    if (live->lines > 0)
        uex_buffer_append_format(&out, UP_AND_CLEAR, live->lines);
    uex_buffer_append_text(&out, WRAP_OFF);
    for (; *line != 0 && count < room; count++) {
        size_t size_bytes = strcspn(line, "\n");

        uex_buffer_append(&out, line, cut(line, size_bytes, width));
        uex_buffer_append_text(&out, uex_screen()->is_coloured ? "\033[0m\n" : "\n"); /* a colour that was cut off */
        line += size_bytes + (line[size_bytes] != 0);
    }
    uex_buffer_append_text(&out, WRAP_ON);
    if (!uex_buffer_failed(&out)) {
        fwrite(out.data, 1, out.size_bytes, stderr);
        fflush(stderr);
        live->lines = count;
    }
    live->drawn_ms = uex_monotonic_ms();
    uex_buffer_clear(&out);
}
