/* SPDX-License-Identifier: Apache-2.0 */
#include "export/figures.h"

#include <inttypes.h>
#include <stdio.h>

void uex_figure_count(uint64_t count, char out[UEX_FIGURE_SIZE])
{
    char digits[24];
    size_t length = 0;

    *out = 0;
    if (count == UEX_UNKNOWN)
        return;
    length = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, count);
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = 0;
}

void uex_figure_duration(int64_t duration_ms, char out[UEX_FIGURE_SIZE])
{
    int64_t seconds = duration_ms < 0 ? 0 : (duration_ms + 500) / 1000;

    if (duration_ms < 9950)
        snprintf(out, UEX_FIGURE_SIZE, "%.1f s", duration_ms < 0 ? 0.0 : (double)duration_ms / 1000);
    else if (seconds < 60)
        snprintf(out, UEX_FIGURE_SIZE, "%" PRId64 " s", seconds);
    else if (seconds < 3600)
        snprintf(out, UEX_FIGURE_SIZE, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    else
        snprintf(out, UEX_FIGURE_SIZE, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds % 3600 / 60);
}

void uex_figure_size(uint64_t size_bytes, char out[UEX_FIGURE_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)size_bytes;
    size_t unit = 0;

    for (; size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        size /= 1024;
    snprintf(out, UEX_FIGURE_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}
