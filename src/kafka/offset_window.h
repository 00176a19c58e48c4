/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/offset_window.h — which offsets of one partition are finished.
 *
 * The committed offset is the first unfinished command; the finished ones above it travel as a bitmap in the offset's
 * metadata, so a long export neither holds back nor repeats the commands behind it. Metadata is text: a broker takes
 * 4,096 bytes at most (offset.metadata.max.bytes), and librdkafka 2.0.2 cuts it at a NUL. One thread at a time.
 */
#ifndef EXPORT_KAFKA_OFFSET_WINDOW_H
#define EXPORT_KAFKA_OFFSET_WINDOW_H

#include "export/buffer.h"

/* No committed offset known yet. */
#define UEX_OFFSET_NONE ((int64_t)-1)
/* No log grows so far: a committed offset or a crash marker beyond it was not written by this service, and sums with it
 * would overflow.
 */
#define UEX_OFFSET_MAX (INT64_MAX / 4)
/* Offsets from the base on that one window can tell apart; encoded they leave 700 bytes of the 4,096 for the other
 * fields. */
#define UEX_WINDOW_SPAN 20000
#define UEX_WINDOW_METADATA_MAX 4096

struct uex_window {
    int64_t base;   /* first unfinished offset, UEX_OFFSET_NONE before anything is known */
    int64_t next;   /* the next offset to be seen */
    int64_t origin; /* offset of bit 0; origin <= base */
    uint8_t bits[(UEX_WINDOW_SPAN * 2) / 8];
};

/* How often a command was started exclusively without an end. */
struct uex_start {
    int64_t offset;
    int64_t count;
};
#define UEX_STARTS_MAX 16
#define UEX_START_COUNT_MAX 1000000 /* a higher one was not written by this service */

/* What else a committed offset says. */
struct uex_markers {
    int32_t partition_count; /* the topic's count at the time of the commit; 0: not known, or the groups' states are
                                spread */
    int64_t open_until;      /* offsets below it may have been started; UEX_OFFSET_NONE: closed, nothing is under way */
    bool closing;            /* not written: this commit takes the open crash marker back */
    struct uex_start starts[UEX_STARTS_MAX];
    size_t start_count;
};

/* Closed, and nothing was started. */
void uex_markers_init(struct uex_markers *markers);
/* How often the command at `offset` was started exclusively. */
int64_t uex_markers_starts(const struct uex_markers *markers, int64_t offset);
/* Set the count; 0 takes the entry out. When all places are taken the entry with the lowest count goes. */
void uex_markers_set_starts(struct uex_markers *markers, int64_t offset, int64_t count);

/* Forget the starts of finished commands. */
void uex_markers_prune(struct uex_markers *markers, const struct uex_window *window);

void uex_window_init(struct uex_window *window);

/* Take a committed offset. `metadata` may be absent, empty or somebody else's text (librdkafka does not end it with a
 * NUL): then only the offset counts. `markers` (may be NULL) gets what else it says. An offset beyond UEX_OFFSET_MAX
 * counts as UEX_OFFSET_NONE. */
void uex_window_restore(struct uex_window *window, int64_t offset, struct uex_bytes metadata,
                        struct uex_markers *markers);

/* Would a command at `offset` leave a window that can be committed whatever finishes next? */
bool uex_window_fits(const struct uex_window *window, int64_t offset);

/* A record at `offset` was read (it fits): the offsets that were skipped on the way to it hold control records or
 * nothing, and are finished. */
void uex_window_see(struct uex_window *window, int64_t offset);

/* The end of the partition is at `offset` (it fits): everything before it has been seen. */
void uex_window_see_end(struct uex_window *window, int64_t offset);

/* The command at `offset` has its outcome. Offsets below the base or out of the span are left as they are. */
void uex_window_complete(struct uex_window *window, int64_t offset);

/* The records from `offset` on are no more: nothing there was seen or is finished. */
void uex_window_cut(struct uex_window *window, int64_t offset);

bool uex_window_finished(const struct uex_window *window, int64_t offset);

/* The metadata that goes with window->base. Starts of finished offsets are left out. */
void uex_window_encode(const struct uex_window *window, const struct uex_markers *markers, struct uex_buffer *out);
#endif
