/* SPDX-License-Identifier: Apache-2.0 */
#include "report/html.h"
#include "report/sections.h"

static void write_slow_row(const struct uex_report_group *group, int64_t longest_ms, struct uex_buffer *out)
{
    uint64_t rate = group->rows == UEX_UNKNOWN || group->duration_ms <= 0
                        ? UEX_UNKNOWN
                        : (uint64_t)((double)group->rows * 1000 / (double)group->duration_ms);

    uex_buffer_append_text(out, "<tr><th scope=\"row\" class=\"group\">");
    uex_html_name(out, group->group_id);
    uex_buffer_append_text(out, "</th><td class=\"wide\" data-label=\"Took\">");
    uex_html_duration(out, group->duration_ms);
    uex_buffer_append_format(
        out,
        "<span class=\"bar\" aria-hidden=\"true\"><span class=\"exported\" style=\"width:%.1f%%\"></span>"
        "</span></td><td class=\"number\" data-label=\"Rows\">",
        longest_ms <= 0 ? 0.0 : 100 * (double)group->duration_ms / (double)longest_ms);
    uex_html_count(out, group->rows);
    uex_buffer_append_text(out, "</td><td class=\"number\" data-label=\"Rows a second\">");
    uex_html_count(out, rate);
    uex_buffer_append_text(out, "</td><td class=\"number\" data-label=\"Size\">");
    uex_html_size(out, group->bytes);
    uex_buffer_append_text(out, "</td><td class=\"number\" data-label=\"Attempts\">");
    uex_html_count(out, group->attempts);
    uex_buffer_append_text(out, "</td></tr>\n");
}

void uex_report_write_slowest(const struct uex_report *report, struct uex_buffer *out)
{
    if (report->exported == 0)
        return;
    uex_buffer_append_text(out, "<section id=\"slowest\"><h2>The slowest exports</h2>\n<div class=\"card\">\n");
    if (report->slowest.count > 0)
        uex_buffer_append_text(
            out,
            "<table class=\"cards\"><thead><tr><th scope=\"col\">Group</th><th scope=\"col\">Took</th>"
            "<th scope=\"col\" class=\"number\">Rows</th><th scope=\"col\" class=\"number\">Rows a second</th>"
            "<th scope=\"col\" class=\"number\">Size</th><th scope=\"col\" class=\"number\">Attempts</th></tr></thead>"
            "<tbody>\n");
    for (size_t i = 0; i < report->slowest.count; i++)
        write_slow_row(&report->slowest.items[i], report->slowest.items[0].duration_ms, out);
    if (report->slowest.count > 0)
        uex_buffer_append_text(out, "</tbody></table>\n");
    if (report->unknown_rows > 0) {
        uex_buffer_append_text(out, "<p class=\"quiet\">Of ");
        uex_html_groups(out, report->unknown_rows);
        uex_buffer_append_text(out, " a later command has overwritten how long the export took.</p>\n");
    }
    uex_buffer_append_text(out, "</div></section>\n");
}
