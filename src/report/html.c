/* SPDX-License-Identifier: Apache-2.0 */
#include "report/html.h"

#include <time.h>

#include "export/clock.h"
#include "export/figures.h"
#include "export/text.h"

#define ABSENT "<span class=\"none\">–</span>"
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The length of the character at `at`, whose text ends with a zero byte; 0: its bytes are no UTF-8. */
static size_t character_length(const char *at)
{
    size_t most = strnlen(at, 4);

    for (size_t length = 1; length <= most; length++)
        if (uex_utf8_valid(uex_bytes_of(at, length)))
            return length;
    return 0;
}

static void append_character(struct uex_buffer *out, const char *at, size_t length)
{
    static const char escaped[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    const char *found = strchr(escaped, at[0]);
    bool is_c1 = length == 2 && (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] < 0xa0;

    if (found != NULL)
        uex_buffer_append_text(out, entities[found - escaped]);
    else if (is_c1 || (unsigned char)at[0] < 0x20 || at[0] == 0x7f)
        uex_buffer_append_text(out, " ");
    else
        uex_buffer_append(out, at, length);
}

void uex_html_text(struct uex_buffer *out, const char *text)
{
    while (text != NULL && *text != 0) {
        size_t length = character_length(text);

        if (length == 0)
            uex_buffer_append_text(out, REPLACEMENT);
        else
            append_character(out, text, length);
        text += length == 0 ? 1 : length;
    }
}

void uex_html_name(struct uex_buffer *out, const char *name)
{
    uex_buffer_append_text(out, "<bdi>");
    uex_html_text(out, name);
    uex_buffer_append_text(out, "</bdi>");
}

void uex_html_count(struct uex_buffer *out, uint64_t count)
{
    char text[UEX_FIGURE_SIZE];

    uex_figure_count(count, text);
    uex_buffer_append_text(out, count == UEX_UNKNOWN ? ABSENT : text);
}

void uex_html_duration(struct uex_buffer *out, int64_t duration_ms)
{
    char text[UEX_FIGURE_SIZE];

    uex_figure_duration(duration_ms, text);
    uex_buffer_append_text(out, duration_ms == UEX_NO_TIME ? ABSENT : text);
}

void uex_html_size(struct uex_buffer *out, uint64_t size_bytes)
{
    char text[UEX_FIGURE_SIZE];

    uex_figure_size(size_bytes, text);
    uex_buffer_append_text(out, size_bytes == UEX_UNKNOWN ? ABSENT : text);
}

void uex_html_time(struct uex_buffer *out, int64_t at_ms)
{
    time_t seconds = (time_t)(at_ms / 1000);
    char utc[UEX_TIME_TEXT_SIZE], local[64];
    struct tm split;

    uex_time_format(at_ms, utc);
    if (at_ms == UEX_NO_TIME || utc[0] == 0 || localtime_r(&seconds, &split) == NULL ||
        strftime(local, sizeof(local), "%Y-%m-%d %H:%M:%S %Z", &split) == 0) {
        uex_buffer_append_text(out, ABSENT);
        return;
    }
    uex_buffer_append_format(out, "<time datetime=\"%s\">", utc);
    uex_html_text(out, local);
    uex_buffer_append_text(out, "</time>");
}

void uex_html_groups(struct uex_buffer *out, uint64_t count)
{
    uex_html_count(out, count);
    uex_buffer_append_text(out, count == 1 ? " group" : " groups");
}

void uex_html_shell_word(struct uex_buffer *out, const char *word)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@%+,-";

    if (word[0] != 0 && word[strspn(word, harmless)] == 0) {
        uex_buffer_append_text(out, word);
        return;
    }
    uex_buffer_append_text(out, "'");
    for (; *word != 0; word++) {
        if (*word == '\'')
            uex_buffer_append_text(out, "'\\''");
        else
            uex_buffer_append(out, word, 1);
    }
    uex_buffer_append_text(out, "'");
}

void uex_html_command(struct uex_buffer *out, const char *command)
{
    struct uex_buffer word = {0};

    /* Lines break between words, not behind the hyphens of options. */
    uex_buffer_append_text(out, "<code class=\"command\">");
    while (*command != 0) {
        size_t length = strcspn(command, " ");

        uex_buffer_reset(&word);
        uex_buffer_append(&word, command, length);
        uex_buffer_append_text(out, "<span>");
        uex_html_text(out, uex_buffer_text(&word));
        uex_buffer_append_text(out, "</span>");
        command += length;
        length = strspn(command, " ");
        uex_buffer_append(out, command, length);
        command += length;
    }
    uex_buffer_append_text(out, "</code>");
    if (uex_buffer_failed(&word))
        out->failed = true;
    uex_buffer_clear(&word);
}
