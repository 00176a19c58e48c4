/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/figures.h — counts, durations and sizes as people read them. Any thread. */
#ifndef EXPORT_FIGURES_H
#define EXPORT_FIGURES_H

#include "export/bytes.h"

#define UEX_FIGURE_SIZE 32 /* room for any of them */

/* "1,234,567"; "" for UEX_UNKNOWN. */
void uex_figure_count(uint64_t count, char out[UEX_FIGURE_SIZE]);
/* "0.3 s", "12 s", "3 min 20 s", "2 h 5 min". */
void uex_figure_duration(int64_t duration_ms, char out[UEX_FIGURE_SIZE]);
/* "12 B", "3.4 MiB". */
void uex_figure_size(uint64_t size_bytes, char out[UEX_FIGURE_SIZE]);
#endif
