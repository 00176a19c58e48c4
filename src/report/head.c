/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of the page, and its end. */
#include <inttypes.h>

#include "report/html.h"
#include "report/sections.h"
#include "report/style.h"

void uex_report_write_head(const struct uex_report *report, struct uex_buffer *out)
{
    uex_buffer_append_text(
        out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "style-src 'unsafe-inline'; img-src data:\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"robots\" content=\"noindex\">\n"
             "<link rel=\"icon\" href=\"data:,\">\n<title>Run ");
    uex_html_text(out, report->runs[0].run_id);
    uex_buffer_append_format(
        out, ": %" PRIu64 " of %" PRIu64 " exported, %" PRIu64 " failed, %" PRIu64 " unfinished</title>\n",
        report->exported, report->groups, report->dead_lettered, report->unfinished);
    uex_buffer_append_format(out, "<style>\n%s</style>\n</head>\n<body>\n<main>\n", uex_report_style);
}

/* The one sentence that most readers come for. */
static void write_verdict(const struct uex_report *report, struct uex_buffer *out)
{
    const struct uex_run_record *run = &report->runs[0];
    const char *colour = report->dead_lettered > 0 ? "failed" : report->unfinished > 0 ? "late" : "exported";

    if (!uex_report_has_ended(run) && report->dead_lettered == 0)
        colour = "running";
    uex_buffer_append_format(out, "<p class=\"verdict %s\"><strong>", colour);
    if (report->dead_lettered > 0) {
        uex_html_groups(out, report->dead_lettered);
        uex_buffer_append_text(out, " failed");
    }
    if (report->dead_lettered > 0 && report->unfinished > 0)
        uex_buffer_append_text(out, ", ");
    if (report->unfinished > 0) {
        uex_html_groups(out, report->unfinished);
        uex_buffer_append_text(out, uex_report_has_ended(run) ? " did not end" : " still to come");
    }
    if (report->dead_lettered == 0 && report->unfinished == 0)
        uex_buffer_append_text(out, report->groups == 0 ? "There was no group to export" : "All groups have ended");
    uex_buffer_append_text(out, ".</strong> ");
    uex_html_count(out, report->exported);
    uex_buffer_append_text(out, " of ");
    uex_html_groups(out, report->groups);
    uex_buffer_append_text(out, " were exported");
    if (report->skipped > 0) {
        uex_buffer_append_text(out, ", ");
        uex_html_count(out, report->skipped);
        uex_buffer_append_text(out, " had nothing to export");
    }
    uex_buffer_append_text(out, ".</p>\n");
}

static void write_fact(const char *name, void (*write)(struct uex_buffer *, int64_t), int64_t value,
                       struct uex_buffer *out)
{
    uex_buffer_append_format(out, "<div><dt>%s</dt><dd>", name);
    write(out, value);
    uex_buffer_append_text(out, "</dd></div>\n");
}

/* What has changed since the end was recorded: replays, and commands that ended late. */
static void write_since_the_end(const struct uex_report *report, struct uex_buffer *out)
{
    const struct uex_run_record *run = &report->runs[0];

    if (!uex_report_has_ended(run) ||
        (run->dead_lettered == report->dead_lettered && run->unfinished == report->unfinished))
        return;
    uex_buffer_append_text(out, "<p class=\"quiet\">When the run ended, ");
    uex_html_count(out, run->dead_lettered);
    uex_buffer_append_text(out, " had failed and ");
    uex_html_count(out, run->unfinished);
    uex_buffer_append_text(out,
                           " were unfinished. This page shows what became of them since; <code>exportctl run finish ");
    uex_html_text(out, run->run_id);
    uex_buffer_append_text(out, "</code> records it.</p>\n");
}

void uex_report_write_header(const struct uex_report *report, struct uex_buffer *out)
{
    const struct uex_run_record *run = &report->runs[0];

    uex_buffer_append_text(out, "<header>\n<p class=\"quiet\">users-export</p>\n<h1>Run ");
    uex_html_name(out, run->run_id);
    uex_buffer_append_text(out, "</h1>\n");
    write_verdict(report, out);
    uex_buffer_append_text(out, "<dl class=\"facts\">\n");
    write_fact("Started", uex_html_time, run->started_at_ms, out);
    if (uex_report_has_ended(run))
        write_fact("Ended", uex_html_time, run->ended_at_ms, out);
    else
        write_fact("Not ended at", uex_html_time, report->made_at_ms, out);
    write_fact(uex_report_has_ended(run) ? "Took" : "Takes so far", uex_html_duration, uex_report_duration_ms(report),
               out);
    uex_buffer_append_text(out, "</dl>\n");
    write_since_the_end(report, out);
    uex_buffer_append_text(out, "</header>\n");
}

static void write_run_command(const char *verb, const char *option, const char *run_id, struct uex_buffer *out)
{
    struct uex_buffer command = {0};

    uex_buffer_append_format(&command, "exportctl %s %s", verb, option);
    uex_html_shell_word(&command, run_id);
    uex_html_command(out, uex_buffer_text(&command));
    uex_buffer_clear(&command);
}

void uex_report_write_footer(const struct uex_report *report, struct uex_buffer *out)
{
    const struct uex_run_record *run = &report->runs[0];

    uex_buffer_append_text(out, "<footer class=\"quiet\">\n<p>To look closer:</p>\n");
    write_run_command("run show", run->run_id[0] == '-' ? "-- " : "", run->run_id, out);
    write_run_command("verify", "--run ", run->run_id, out);
    if (run->manifest_path != NULL && run->manifest_path[0] != 0) {
        uex_buffer_append_text(out, "<p>Manifest, a line for each group: <code>");
        uex_html_text(out, run->manifest_path);
        uex_buffer_append_text(out, "</code>, SHA-256 <code>");
        uex_html_text(out, run->manifest_sha256);
        uex_buffer_append_text(out, "</code></p>\n");
    }
    uex_buffer_append_text(out, "<p>Made ");
    uex_html_time(out, report->made_at_ms);
    uex_buffer_append_text(out, " by users-export " UEX_VERSION ". Times are those of ");
    uex_html_text(out, report->timezone);
    uex_buffer_append_text(out, ".</p>\n</footer>\n</main>\n</body>\n</html>\n");
}
