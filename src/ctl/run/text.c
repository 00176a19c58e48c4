/* SPDX-License-Identifier: Apache-2.0 */
/* A run in words. */
#include <inttypes.h>

#include "ctl/run/run.h"

#define CELL 32

static uint64_t known(uint64_t count)
{
    return count == UEX_UNKNOWN ? 0 : count;
}

struct uex_run_counts uex_run_counts_of(const struct uex_run_record *record)
{
    return (struct uex_run_counts){.groups = known(record->groups),
                                   .exported = known(record->exported),
                                   .skipped = known(record->skipped),
                                   .dead_lettered = known(record->dead_lettered),
                                   .unfinished = known(record->unfinished),
                                   .rows = known(record->rows),
                                   .bytes = known(record->bytes)};
}

int uex_run_exit_of(const struct uex_run_counts *counts)
{
    return counts->dead_lettered == 0 && counts->unfinished == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

void uex_run_counts_write(const struct uex_run_counts *counts, struct uex_buffer *out)
{
    const struct {
        uint64_t count;
        const char *word;
    } parts[] = {{counts->exported, "exported"},
                 {counts->skipped, "skipped"},
                 {counts->dead_lettered, "dead-lettered"},
                 {counts->unfinished, "unfinished"}};
    char text[CELL];
    const char *before = ": ";

    uex_output_count(counts->groups, text);
    uex_buffer_append_format(out, "%s group%s", text, counts->groups == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].count == 0)
            continue;
        uex_output_count(parts[i].count, text);
        uex_buffer_append_format(out, "%s%s %s", before, text, parts[i].word);
        before = ", ";
    }
    if (counts->retrying > 0) {
        uex_output_count(counts->retrying, text);
        uex_buffer_append_format(out, " (%s to be tried again)", text);
    }
    if (counts->exported == 0)
        return;
    uex_output_count(counts->rows, text);
    uex_buffer_append_format(out, "; %s row%s", text, counts->rows == 1 ? "" : "s");
    uex_output_size(counts->bytes, text);
    uex_buffer_append_format(out, ", %s", text);
}

void uex_run_counts_write_json(const struct uex_run_counts *counts, struct uex_buffer *out)
{
    uex_buffer_append_format(out,
                             "{\"groups\": %" PRIu64 ", \"exported\": %" PRIu64 ", \"skipped\": %" PRIu64
                             ", \"deadLettered\": %" PRIu64 ", \"unfinished\": %" PRIu64 ", \"retrying\": %" PRIu64
                             ", \"rows\": %" PRIu64 ", \"bytes\": %" PRIu64 "}",
                             counts->groups, counts->exported, counts->skipped, counts->dead_lettered,
                             counts->unfinished, counts->retrying, counts->rows, counts->bytes);
}

void uex_run_record_write_lines(const struct uex_run_record *record, struct uex_buffer *out)
{
    char at[UEX_OUTPUT_TIME_SIZE], took[CELL];

    uex_output_time(record->started_at_ms, at);
    uex_buffer_append_format(out, "  started   %s", at);
    if (record->requested_by != NULL) {
        uex_buffer_append_text(out, " by ");
        uex_output_append_clean(out, record->requested_by);
    }
    if (record->ended_at_ms == UEX_NO_TIME) {
        uex_buffer_append_text(out, "\n  ended     nobody has written its end yet\n");
        return;
    }
    uex_output_time(record->ended_at_ms, at);
    uex_output_duration(record->ended_at_ms - record->started_at_ms, took);
    uex_buffer_append_format(out, "\n  ended     %s, after %s\n", at, took);
    if (record->manifest_path == NULL)
        return;
    uex_buffer_append_text(out, "  manifest  ");
    uex_output_append_clean(out, record->manifest_path);
    uex_buffer_append_text(out, "\n");
}
