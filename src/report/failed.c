/* SPDX-License-Identifier: Apache-2.0 */
/* Groups that failed for good, by their error, with the command that fixes it; groups that have not ended. */
#include "report/html.h"
#include "report/remedy.h"
#include "report/sections.h"

static void write_replay_of_all(const struct uex_report *report, const char *code, struct uex_buffer *out)
{
    struct uex_buffer command = {0};
    char since[UEX_TIME_TEXT_SIZE] = "";

    uex_time_format(report->runs[0].started_at_ms, since);
    uex_buffer_append_text(&command, "exportctl dlq replay --error ");
    uex_html_shell_word(&command, code);
    if (since[0] != 0)
        uex_buffer_append_format(&command, " --since %s", since);
    uex_buffer_append_text(&command, " --reason 'cause fixed'");
    uex_html_command(out, uex_buffer_text(&command));
    uex_buffer_clear(&command);
}

static void write_fix(const struct uex_report_group *group, const struct uex_remedy *remedy, struct uex_buffer *out)
{
    struct uex_buffer command = {0};

    uex_buffer_append_text(&command, remedy->is_new_command ? "exportctl trigger " : "exportctl dlq replay --group ");
    if (remedy->is_new_command && group->group_id[0] == '-')
        uex_buffer_append_text(&command, "-- ");
    uex_html_shell_word(&command, group->group_id);
    if (!remedy->is_new_command)
        uex_buffer_append_text(&command, " --reason 'cause fixed'");
    uex_html_command(out, uex_buffer_text(&command));
    uex_buffer_clear(&command);
}

static void write_failed_row(const struct uex_report_group *group, const struct uex_remedy *remedy,
                             struct uex_buffer *out)
{
    enum uex_error error = UEX_OK;
    bool is_known = uex_error_from_code(group->reason, &error);

    uex_buffer_append_text(out, "<tr><th scope=\"row\" class=\"group\">");
    uex_html_name(out, group->group_id);
    uex_buffer_append_text(out, "</th><td>");
    uex_html_text(out, group->error[0] != 0 ? group->error : is_known ? uex_error_sentence(error) : group->reason);
    uex_buffer_append_text(out, "<div class=\"quiet\">");
    if (group->attempts != UEX_UNKNOWN) {
        uex_html_count(out, group->attempts);
        uex_buffer_append_text(out, group->attempts == 1 ? " attempt, " : " attempts, ");
    }
    uex_html_time(out, group->at_ms);
    uex_buffer_append_text(out, "</div></td><td class=\"fix\">");
    write_fix(group, remedy, out);
    uex_buffer_append_text(out, "</td></tr>\n");
}

/* The groups from `first` on that have its error; returns the one behind them. */
static size_t write_error(const struct uex_report *report, size_t first, struct uex_buffer *out)
{
    const struct uex_report_group *items = report->failed.items;
    const char *code = items[first].reason;
    const struct uex_remedy *remedy = uex_remedy_of(code);
    enum uex_error error = UEX_OK;
    bool is_known = uex_error_from_code(code, &error);
    size_t end = first;

    while (end < report->failed.count && strcmp(items[end].reason, code) == 0)
        end++;
    uex_buffer_append_text(out, "<article class=\"card\">\n<h3><span class=\"code\">");
    uex_html_text(out, code[0] == 0 ? "unknown error" : code);
    uex_buffer_append_text(out, "</span> · ");
    uex_html_groups(out, is_known ? report->errors[error] : end - first);
    uex_buffer_append_text(out, "</h3>\n<p>");
    uex_html_text(out, remedy->first);
    uex_buffer_append_text(out, "</p>\n");
    if (end - first > 1 && !remedy->is_new_command)
        write_replay_of_all(report, code, out);
    uex_buffer_append_text(out,
                           "<table class=\"cards\"><thead><tr><th scope=\"col\">Group</th><th scope=\"col\">Error</th>"
                           "<th scope=\"col\">Then run</th></tr></thead><tbody>\n");
    for (size_t i = first; i < end; i++)
        write_failed_row(&items[i], remedy, out);
    uex_buffer_append_text(out, "</tbody></table>\n</article>\n");
    return end;
}

static void write_more(const struct uex_report_groups *groups, const char *command, struct uex_buffer *out)
{
    if (groups->offered <= groups->count)
        return;
    uex_buffer_append_text(out, "<p><strong>… and ");
    uex_html_count(out, groups->offered - groups->count);
    uex_buffer_append_text(out, " more.</strong></p>");
    uex_html_command(out, command);
}

void uex_report_write_failed(const struct uex_report *report, struct uex_buffer *out)
{
    if (report->failed.count == 0)
        return;
    uex_buffer_append_text(out, "<section id=\"failed\"><h2>Failed for good</h2>\n");
    for (size_t i = 0; i < report->failed.count;)
        i = write_error(report, i, out);
    write_more(&report->failed, "exportctl dlq list --open", out);
    uex_buffer_append_text(out, "</section>\n");
}

/* ---- groups without an end */

static void write_late_row(const struct uex_report_group *group, struct uex_buffer *out)
{
    bool is_retried = group->has_outcome && group->outcome == UEX_OUTCOME_RETRIED;

    uex_buffer_append_text(out, "<tr><th scope=\"row\" class=\"group\">");
    uex_html_name(out, group->group_id);
    uex_buffer_append_text(out, "</th><td>");
    if (!is_retried) {
        uex_buffer_append_text(out, "no outcome yet</td><td></td></tr>\n");
        return;
    }
    uex_buffer_append_text(out, "<span class=\"code\">");
    uex_html_text(out, group->reason);
    uex_buffer_append_text(out, "</span> ");
    uex_html_text(out, group->error);
    uex_buffer_append_text(out, "</td><td>tried again ");
    uex_html_time(out, group->next_attempt_at_ms);
    uex_buffer_append_text(out, "</td></tr>\n");
}

void uex_report_write_late(const struct uex_report *report, struct uex_buffer *out)
{
    struct uex_buffer command = {0};

    if (report->late.count == 0)
        return;
    uex_buffer_append_text(&command, "exportctl status --run ");
    uex_html_shell_word(&command, report->runs[0].run_id);
    uex_buffer_append_text(
        out, "<section id=\"unfinished\"><h2>Unfinished</h2>\n<article class=\"card late\">\n<p>They wait for a "
             "worker, run, or wait for their next attempt. This says which, and why nothing moves:</p>\n");
    uex_html_command(out, uex_buffer_text(&command));
    uex_buffer_append_text(
        out, "<table class=\"cards\"><thead><tr><th scope=\"col\">Group</th><th scope=\"col\">Last error</th>"
             "<th scope=\"col\">Next</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < report->late.count; i++)
        write_late_row(&report->late.items[i], out);
    uex_buffer_append_text(out, "</tbody></table>\n");
    write_more(&report->late, uex_buffer_text(&command), out);
    uex_buffer_append_text(out, "</article></section>\n");
    uex_buffer_clear(&command);
}
