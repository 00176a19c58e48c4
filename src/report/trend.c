/* SPDX-License-Identifier: Apache-2.0 */
/* The last runs: three small charts, and a table. */
#include <inttypes.h>

#include "report/html.h"
#include "report/sections.h"

#define LISTED_MAX 10
#define SLOTS_LEAST 14 /* few runs do not make broad columns */
#define SLOT_WIDTH 10
#define CHART_HEIGHT 100
#define COLUMN_LEAST 2 /* of the height: what is not 0 can be seen */

static size_t shown(const struct uex_report *report)
{
    return report->run_count < UEX_REPORT_RUNS_MAX ? report->run_count : UEX_REPORT_RUNS_MAX;
}

/* ---- charts: a column a run, the oldest at the left */

/* What a chart shows of a run; UEX_UNKNOWN: no column. */
struct measure {
    const char *title;
    uint64_t (*value)(const struct uex_run_record *run);
    uint64_t (*late)(const struct uex_run_record *run); /* stands on the value, in another colour; NULL: nothing does */
    void (*write)(struct uex_buffer *out, uint64_t value);
    const char *colour; /* class of the columns; NULL: that of the page's run stands out instead */
};

static uint64_t took(const struct uex_run_record *run)
{
    int64_t took_ms = uex_report_took_ms(run);

    return took_ms == UEX_NO_TIME ? UEX_UNKNOWN : took_ms < 0 ? 0 : (uint64_t)took_ms;
}

static uint64_t rows(const struct uex_run_record *run)
{
    return run->rows;
}

static uint64_t failed(const struct uex_run_record *run)
{
    return run->dead_lettered;
}

static uint64_t unfinished(const struct uex_run_record *run)
{
    return run->unfinished;
}

static void write_took(struct uex_buffer *out, uint64_t value)
{
    uex_html_duration(out, (int64_t)value);
}

static const struct measure measures[] = {
    {"Time taken", took, NULL, write_took, NULL},
    {"Rows exported", rows, NULL, uex_html_count, NULL},
    {"Failed or unfinished groups", failed, unfinished, uex_html_count, "failed"},
};

static uint64_t height_of(uint64_t value, uint64_t most)
{
    uint64_t height = most == 0 ? 0 : (uint64_t)((double)value / (double)most * CHART_HEIGHT);

    return value > 0 && height < COLUMN_LEAST ? COLUMN_LEAST : height;
}

static uint64_t known(uint64_t value)
{
    return value == UEX_UNKNOWN ? 0 : value;
}

static uint64_t late_of(const struct measure *measure, const struct uex_run_record *run)
{
    return measure->late == NULL ? 0 : known(measure->late(run));
}

static uint64_t most_of(const struct measure *measure, const struct uex_report *report)
{
    uint64_t most = 0;

    for (size_t i = 0; i < shown(report); i++) {
        uint64_t value = known(measure->value(&report->runs[i])) + late_of(measure, &report->runs[i]);

        most = value > most ? value : most;
    }
    return most;
}

static void write_column(const struct measure *measure, const struct uex_run_record *run, const char *colour,
                         size_t slot, uint64_t most, struct uex_buffer *out)
{
    uint64_t value = known(measure->value(run)), late = late_of(measure, run);
    uint64_t height = height_of(value, most), late_height = height_of(late, most);

    if (height + late_height > CHART_HEIGHT)
        late_height = height > CHART_HEIGHT ? 0 : CHART_HEIGHT - height;
    uex_buffer_append_text(out, "<g><title>");
    uex_html_text(out, run->run_id);
    uex_buffer_append_text(out, ": ");
    measure->write(out, value);
    if (measure->late != NULL) {
        uex_buffer_append_text(out, " failed, ");
        measure->write(out, late);
        uex_buffer_append_text(out, " unfinished");
    }
    uex_buffer_append_format(
        out, "</title><rect class=\"%s\" x=\"%zu\" y=\"%" PRIu64 "\" width=\"8\" height=\"%" PRIu64 "\"/>", colour,
        slot * SLOT_WIDTH + 1, CHART_HEIGHT - height, height);
    if (late > 0)
        uex_buffer_append_format(
            out, "<rect class=\"late\" x=\"%zu\" y=\"%" PRIu64 "\" width=\"8\" height=\"%" PRIu64 "\"/>",
            slot * SLOT_WIDTH + 1, CHART_HEIGHT - height - late_height, late_height);
    uex_buffer_append_text(out, "</g>");
}

static void write_chart(const struct measure *measure, const struct uex_report *report, struct uex_buffer *out)
{
    size_t count = shown(report), slots = count < SLOTS_LEAST ? SLOTS_LEAST : count;
    uint64_t most = most_of(measure, report);

    uex_buffer_append_format(out, "<figure class=\"card\"><figcaption><h3>%s</h3><p class=\"quiet\">", measure->title);
    if (most == 0) {
        uex_buffer_append_text(out, "none");
    } else {
        uex_buffer_append_text(out, "highest: ");
        measure->write(out, most);
    }
    uex_buffer_append_format(out,
                             "</p></figcaption>\n<svg viewBox=\"0 0 %zu %d\" preserveAspectRatio=\"none\" role=\"img\" "
                             "aria-label=\"%s, one column for each run; the table below has the numbers\">",
                             slots * SLOT_WIDTH, CHART_HEIGHT, measure->title);
    for (size_t i = count; i-- > 0;)
        if (measure->value(&report->runs[i]) != UEX_UNKNOWN)
            write_column(measure, &report->runs[i],
                         measure->colour != NULL ? measure->colour
                         : i == 0                ? "now"
                                                 : "before",
                         slots - 1 - i, most, out);
    uex_buffer_append_text(out, "</svg>\n<div class=\"ends quiet\"><span>");
    if (count > 1)
        uex_html_name(out, report->runs[count - 1].run_id);
    uex_buffer_append_text(out, "</span><span>");
    uex_html_name(out, report->runs[0].run_id);
    uex_buffer_append_text(out, "</span></div></figure>\n");
}

/* ---- the table */

static void write_number(struct uex_buffer *out, const char *label, uint64_t value)
{
    uex_buffer_append_format(out, "<td class=\"number\" data-label=\"%s\">", label);
    uex_html_count(out, value);
    uex_buffer_append_text(out, "</td>");
}

static void write_row(const struct uex_run_record *run, bool is_now, struct uex_buffer *out)
{
    static const char *const words[] = {"not ended", "completed", "incomplete"};

    uex_buffer_append_format(out, "<tr%s><th scope=\"row\" class=\"run\">", is_now ? " class=\"now\"" : "");
    uex_html_name(out, run->run_id);
    uex_buffer_append_format(
        out, "</th><td class=\"word\" data-label=\"Status\">%s</td><td class=\"wide\" data-label=\"Started\">",
        words[run->status]);
    uex_html_time(out, run->started_at_ms);
    uex_buffer_append_text(out, "</td><td class=\"number\" data-label=\"Took\">");
    uex_html_duration(out, uex_report_took_ms(run));
    uex_buffer_append_text(out, "</td>");
    write_number(out, "Groups", run->groups);
    write_number(out, "Exported", run->exported);
    write_number(out, "Failed", run->dead_lettered);
    write_number(out, "Unfinished", run->unfinished);
    write_number(out, "Rows", run->rows);
    uex_buffer_append_text(out, "</tr>\n");
}

void uex_report_write_trend(const struct uex_report *report, struct uex_buffer *out)
{
    size_t count = shown(report);

    uex_buffer_append_text(out, "<section id=\"runs\"><h2>The last runs</h2>\n<div class=\"charts\">\n");
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++)
        write_chart(&measures[i], report, out);
    uex_buffer_append_text(
        out, "</div>\n<div class=\"card\"><table class=\"cards runs\"><thead><tr><th scope=\"col\">Run</th>"
             "<th scope=\"col\">Status</th><th scope=\"col\">Started</th>"
             "<th scope=\"col\" class=\"number\">Took</th><th scope=\"col\" class=\"number\">Groups</th>"
             "<th scope=\"col\" class=\"number\">Exported</th><th scope=\"col\" class=\"number\">Failed</th>"
             "<th scope=\"col\" class=\"number\">Unfinished</th>"
             "<th scope=\"col\" class=\"number\">Rows</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < count && i < LISTED_MAX; i++)
        write_row(&report->runs[i], i == 0, out);
    uex_buffer_append_text(out, "</tbody></table></div>\n<p class=\"quiet\">As each run was recorded at its end.</p>"
                                "</section>\n");
}
