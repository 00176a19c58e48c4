/* SPDX-License-Identifier: Apache-2.0 */
/* The counts, each with its difference to the run before. */
#include <inttypes.h>

#include "report/html.h"
#include "report/sections.h"

/* "+8", "−3", "±0" against the run before; nothing where one of both is not known. */
static void write_change(uint64_t now, uint64_t before, void (*write)(struct uex_buffer *, uint64_t),
                         struct uex_buffer *out)
{
    if (now == UEX_UNKNOWN || before == UEX_UNKNOWN)
        return;
    uex_buffer_append_text(out, now == before ? "±" : now > before ? "+" : "−");
    write(out, now > before ? now - before : before - now);
}

struct tile {
    const char *name, *colour;
    uint64_t now, before;
    void (*write)(struct uex_buffer *out, uint64_t value);
};

static void write_duration(struct uex_buffer *out, uint64_t duration_ms)
{
    uex_html_duration(out, duration_ms == UEX_UNKNOWN ? UEX_NO_TIME : (int64_t)duration_ms);
}

static uint64_t duration(int64_t took)
{
    return took == UEX_NO_TIME ? UEX_UNKNOWN : took < 0 ? 0 : (uint64_t)took;
}

/* The newest run before this one that has ended; NULL: there is none. */
static const struct uex_run_record *run_before(const struct uex_report *report)
{
    for (size_t i = 1; i < report->run_count; i++)
        if (uex_report_has_ended(&report->runs[i]))
            return &report->runs[i];
    return NULL;
}

static void write_tile(const struct tile *tile, bool has_before, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "<div class=\"tile %s\"><dt>%s</dt><dd>", tile->colour, tile->name);
    tile->write(out, tile->now);
    uex_buffer_append_text(out, "</dd>");
    if (has_before) {
        uex_buffer_append_text(out, "<dd class=\"quiet\">");
        write_change(tile->now, tile->before, tile->write, out);
        uex_buffer_append_text(out, "</dd>");
    }
    uex_buffer_append_text(out, "</div>\n");
}

static void write_tiles(const struct uex_report *report, struct uex_buffer *out)
{
    static const struct uex_run_record unknown = {.groups = UEX_UNKNOWN,
                                                  .exported = UEX_UNKNOWN,
                                                  .skipped = UEX_UNKNOWN,
                                                  .dead_lettered = UEX_UNKNOWN,
                                                  .unfinished = UEX_UNKNOWN,
                                                  .rows = UEX_UNKNOWN,
                                                  .bytes = UEX_UNKNOWN,
                                                  .started_at_ms = UEX_NO_TIME,
                                                  .ended_at_ms = UEX_NO_TIME};
    const struct uex_run_record *found = run_before(report), *before = found == NULL ? &unknown : found;
    const struct tile tiles[] = {
        {"Groups", "", report->groups, before->groups, uex_html_count},
        {"Exported", "exported", report->exported, before->exported, uex_html_count},
        {"Skipped", "skipped", report->skipped, before->skipped, uex_html_count},
        {"Failed", "failed", report->dead_lettered, before->dead_lettered, uex_html_count},
        {"Unfinished", "late", report->unfinished, before->unfinished, uex_html_count},
        {"Rows", "", uex_report_rows(report), before->rows, uex_html_count},
        {"Size", "", uex_report_bytes(report), before->bytes, uex_html_size},
        {"Time taken", "", duration(uex_report_duration_ms(report)), duration(uex_report_took_ms(before)),
         write_duration},
    };

    uex_buffer_append_text(out, "<dl class=\"tiles\">\n");
    for (size_t i = 0; i < sizeof(tiles) / sizeof(tiles[0]); i++)
        write_tile(&tiles[i], found != NULL, out);
    uex_buffer_append_text(out, "</dl>\n");
    if (found == NULL)
        return;
    uex_buffer_append_text(out, "<p class=\"quiet\">Small figures: the difference to the run before, ");
    uex_html_name(out, found->run_id);
    uex_buffer_append_text(out, found->status == UEX_RUN_INCOMPLETE ? ", which was incomplete" : "");
    uex_buffer_append_text(out, ".</p>\n");
}

static void write_share(const char *colour, uint64_t count, struct uex_buffer *out)
{
    if (count > 0)
        uex_buffer_append_format(out, "<span class=\"%s\" style=\"flex-grow:%" PRIu64 "\"></span>", colour, count);
}

void uex_report_write_counts(const struct uex_report *report, struct uex_buffer *out)
{
    const char *between = "<p class=\"quiet\">Skipped: ";

    uex_buffer_append_text(out, "<section id=\"counts\" aria-label=\"Counts\">\n");
    write_tiles(report, out);
    if (report->groups > 0) {
        uex_buffer_append_text(out, "<div class=\"share\" aria-hidden=\"true\">");
        write_share("exported", report->exported, out);
        write_share("skipped", report->skipped, out);
        write_share("late", report->unfinished, out);
        write_share("failed", report->dead_lettered, out);
        uex_buffer_append_text(out, "</div>\n");
    }
    for (int i = 0; i < UEX_SKIP_COUNT; i++) {
        if (report->skips[i] == 0)
            continue;
        uex_buffer_append_text(out, between);
        uex_html_count(out, report->skips[i]);
        uex_buffer_append_format(out, " %s", i == UEX_SKIP_NONE ? "others" : uex_skip_text((enum uex_skip_reason)i));
        between = ", ";
    }
    uex_buffer_append_text(out, report->skipped > 0 ? ".</p>\n</section>\n" : "</section>\n");
}
