/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/live.h — a few lines at the bottom of the terminal that are redrawn in place. They go to stderr, so that
 * stdout can be a file; nothing is drawn if stderr is not a terminal, or one that cannot (uex_screen()). Main thread.
 */
#ifndef EXPORT_CTL_LIVE_H
#define EXPORT_CTL_LIVE_H

#include "export/buffer.h"

#define UEX_LIVE_DRAW_MS 200 /* between two redraws */

struct uex_live {
    bool is_on;
    size_t lines; /* on the screen now */
    int64_t drawn_ms;
};

/* Ready, nothing is drawn yet. */
void uex_live_begin(struct uex_live *live);
/* How many lines fit; 0 if nothing is drawn. */
size_t uex_live_room(const struct uex_live *live);
/* Is it time to draw again? */
bool uex_live_is_due(const struct uex_live *live, int64_t now_ms);
/* Draw these lines in place of the previous ones; each is cut at the terminal's width. */
void uex_live_draw(struct uex_live *live, const struct uex_buffer *lines);
/* Remove them: before output that stays on the screen, and at the end. */
void uex_live_erase(struct uex_live *live);
#endif
