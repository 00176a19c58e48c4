/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/output.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "export/figures.h"

enum uex_error uex_output_format(const char *text, enum uex_output *out)
{
    *out = UEX_OUTPUT_TABLE;
    if (text == NULL || strcmp(text, "table") == 0)
        return UEX_OK;
    *out = UEX_OUTPUT_JSON;
    if (strcmp(text, "json") == 0)
        return UEX_OK;
    uex_output_error("--output: must be table or json");
    return UEX_CONFIG;
}

bool uex_output_is_terminal(void)
{
    return uex_screen()->is_terminal;
}

void uex_output_count(uint64_t count, char *out)
{
    uex_figure_count(count, out);
}

void uex_output_duration(int64_t duration_ms, char *out)
{
    uex_figure_duration(duration_ms, out);
}

void uex_output_size(uint64_t size_bytes, char *out)
{
    uex_figure_size(size_bytes, out);
}

static bool stdout_closed;

/* poll(2) reports a pipe without a reader before anything is written to it. */
bool uex_output_closed(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    stdout_closed = stdout_closed || (poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0);
    return stdout_closed;
}

bool uex_output_print(const struct uex_buffer *text)
{
    bool written = !uex_buffer_failed(text);

    if (stdout_closed)
        return true;
    errno = 0;
    if (written)
        written = fwrite(uex_buffer_text(text), 1, text->size_bytes, stdout) == text->size_bytes && fflush(stdout) == 0;
    stdout_closed = !written && errno == EPIPE;
    if (stdout_closed)
        return true;
    if (!written)
        uex_output_error("cannot write to stdout");
    return written;
}

void uex_output_error(const char *format, ...)
{
    struct uex_buffer line = {0};
    va_list arguments;
    char text[1024];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    uex_output_append_clean(&line, text);
    fprintf(stderr, "exportctl: %s\n",
            uex_buffer_failed(&line) ? uex_error_sentence(UEX_NO_MEMORY) : uex_buffer_text(&line));
    uex_buffer_clear(&line);
}

int uex_output_fail(enum uex_error err, const struct uex_fault *fault)
{
    const int code = uex_exit_of(err);
    const bool is_dependency = code == UEX_EXIT_UNREACHABLE || uex_error_disposition(err) == UEX_DISPOSITION_OUTAGE;

    uex_output_error("%s (%s)%s", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text, uex_error_code(err),
                     is_dependency ? "; run exportctl doctor to test every dependency" : "");
    return code;
}
