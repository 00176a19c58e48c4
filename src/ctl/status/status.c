/* SPDX-License-Identifier: Apache-2.0 */
/* status, once or followed. */
#include "ctl/status/status.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/ask.h"
#include "ctl/live.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "export/command.h"
#include "export/program.h"
#include "run/records.h"

#define WAIT_MS 200
#define SHOWN_ON_TERMINAL 50
#define SHOWN_MOST 100000000
#define REPORTED_MAX 20
#define KNOWN_SHOWN 10
#define LAST_RUN "last"

/* ---- --follow: new outcomes, and running exports. On a terminal the running exports are at the bottom and change in
 * place; elsewhere each update is a line. */

struct follow {
    struct uex_status_report *report;
    struct uex_topic_reader *reader;
    struct uex_running running;
    struct uex_overview_watch *watch; /* for the line at the bottom of a terminal */
    struct uex_live live;
    bool is_live; /* all existing records have been read */
    bool is_away; /* Kafka does not answer */
};

static bool print_above(struct follow *follow, struct uex_buffer *out)
{
    bool printed = false;

    uex_live_erase(&follow->live);
    printed = uex_output_print(out);
    uex_buffer_clear(out);
    return printed && !uex_output_closed();
}

static enum uex_error print_outcome(struct follow *follow, const struct uex_status_row *row)
{
    struct uex_buffer out = {0};
    char at[UEX_OUTPUT_TIME_SIZE];

    if (follow->report->format == UEX_OUTPUT_JSON) {
        uex_status_row_write_json(row, &out);
    } else {
        uex_output_time(row->at_ms, at);
        uex_buffer_append_format(&out, "%s  ", at);
        uex_status_row_write(row, &out);
    }
    uex_buffer_append_text(&out, "\n");
    return print_above(follow, &out) ? UEX_OK : UEX_END;
}

/* The row of a group whose state has changed. */
static enum uex_error take_outcome(struct follow *follow, const rd_kafka_message_t *message)
{
    struct uex_status_report *report = follow->report;
    struct uex_status_row *row = NULL;
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1] = "";
    enum uex_error err = UEX_OK;

    if (message->payload == NULL || message->key == NULL || message->key_len > UEX_GROUP_ID_MAX_BYTES)
        return UEX_OK;
    memcpy(group_id, message->key, message->key_len);
    row = uex_status_row_of_state(group_id, uex_bytes_of(message->payload, message->len), NULL);
    if (row == NULL)
        return UEX_NO_MEMORY;
    row->partition = message->partition;
    uex_running_end(&follow->running, row->command_id);
    if (!uex_status_is_asked(report, group_id) ||
        (report->run_id != NULL && strcmp(row->run_id, report->run_id) != 0)) {
        uex_status_row_free(row);
        return UEX_OK;
    }
    err = print_outcome(follow, row);
    if (err == UEX_OK)
        return uex_status_rows_put(&report->rows, row);
    uex_status_row_free(row);
    return err;
}

/* What 100 % are; and a group that waited runs now. */
static void note_running(struct follow *follow, struct uex_running_export *item)
{
    struct uex_status_row *row = uex_status_rows_find(&follow->report->rows, item->progress.group_id);

    if (row == NULL)
        return;
    item->last_rows = row->last_exported_rows;
    if (follow->is_live && row->status == UEX_STATUS_QUEUED)
        uex_status_rows_set(&follow->report->rows, row, UEX_STATUS_RUNNING);
}

static enum uex_error take_progress(struct follow *follow, const rd_kafka_message_t *message)
{
    struct uex_running_export *item =
        uex_running_take(&follow->running, uex_bytes_of(message->payload, message->len), uex_monotonic_ms());
    struct uex_buffer out = {0};

    if (item == NULL || !uex_status_is_asked(follow->report, item->progress.group_id))
        return UEX_OK;
    note_running(follow, item);
    if (follow->report->format == UEX_OUTPUT_JSON)
        uex_running_write_json(item, &out);
    else if (follow->live.is_on)
        return UEX_OK; /* drawn at the bottom */
    else
        uex_running_write(item, uex_wall_ms(), &out);
    uex_buffer_append_text(&out, "\n");
    return print_above(follow, &out) ? UEX_OK : UEX_END;
}

static enum uex_error take_message(struct follow *follow, const rd_kafka_message_t *message)
{
    follow->is_away = false;
    if (strcmp(rd_kafka_topic_name(message->rkt), follow->report->config->topics_progress) == 0)
        return take_progress(follow, message);
    return follow->is_live ? take_outcome(follow, message) : uex_status_rows_take(&follow->report->rows, message);
}

/* The existing states: counts, and the rows that need attention. */
static enum uex_error print_existing(struct follow *follow)
{
    struct uex_status_report *report = follow->report;
    struct uex_buffer out = {0};
    enum uex_error err = uex_status_build(report);
    const struct uex_running *known = NULL;
    size_t attention_count = 0, shown_count = 0;

    if (err != UEX_OK)
        return err;
    follow->is_live = true;
    known = uex_status_work_running(report->work);
    for (size_t i = 0; i < known->count; i++)
        uex_running_add(&follow->running, &known->items[i]);
    while (attention_count < report->rows.count && report->rows.items[attention_count]->status < UEX_STATUS_RUNNING)
        attention_count++;
    uex_status_print_overview(report, &out);
    uex_status_print_counts(report, &out);
    if (report->format == UEX_OUTPUT_TABLE && attention_count > 0) {
        if (report->shown_max > 0 && attention_count > report->shown_max)
            shown_count = report->shown_max;
        else
            shown_count = attention_count;
        uex_buffer_append_text(&out, "\n");
        uex_status_rows_write(&report->rows, shown_count, report->format, &out);
        if (shown_count < attention_count)
            uex_buffer_append_format(&out, "… and %zu more (--limit 0 shows all)\n", attention_count - shown_count);
        uex_buffer_append_text(&out, "\n");
    }
    return print_above(follow, &out) ? UEX_OK : UEX_END;
}

/* As many lines as fit, in the order of their groups; the last one says how many do not. */
static void append_running(struct follow *follow, size_t room, struct uex_buffer *lines)
{
    size_t asked = 0, shown = 0;

    uex_running_sort(&follow->running);
    for (size_t i = 0; i < follow->running.count; i++)
        asked += uex_status_is_asked(follow->report, follow->running.items[i].progress.group_id);
    if (asked > room && room > 0)
        room--;
    for (size_t i = 0; i < follow->running.count && shown < room; i++) {
        if (!uex_status_is_asked(follow->report, follow->running.items[i].progress.group_id))
            continue;
        uex_running_write(&follow->running.items[i], uex_wall_ms(), lines);
        uex_buffer_append_text(lines, "\n");
        shown++;
    }
    if (shown < asked)
        uex_buffer_append_format(lines, "… and %zu more\n", asked - shown);
}

static void draw_running(struct follow *follow)
{
    size_t room = uex_live_room(&follow->live);
    struct uex_overview overview;
    struct uex_buffer lines = {0};
    int64_t now_ms = uex_monotonic_ms();

    if (!follow->is_live || !uex_live_is_due(&follow->live, now_ms))
        return;
    uex_running_expire(&follow->running, now_ms);
    if (room > 3 && uex_overview_watch_latest(follow->watch, &overview)) {
        uex_overview_write(&overview, &lines);
        uex_buffer_append_text(&lines, "\n");
        room--;
    }
    if (follow->report->run_id != NULL)
        uex_buffer_append_format(&lines, "run %s: ", follow->report->run_id);
    uex_status_counts_write(&follow->report->rows, &lines);
    uex_buffer_append_format(&lines, "; %zu running%s  (Ctrl-C to stop)\n", follow->running.count,
                             follow->is_away ? "; KAFKA DOES NOT ANSWER" : "");
    append_running(follow, room > 2 ? room - 2 : 0, &lines);
    uex_live_draw(&follow->live, &lines);
    uex_buffer_clear(&lines);
}

static void check_kafka(struct follow *follow)
{
    bool is_new = false;

    follow->is_away = uex_topic_reader_is_away(follow->reader, &is_new);
    if (is_new && !follow->live.is_on) /* a terminal shows it at the bottom */
        uex_output_error("Kafka does not answer; waiting for it");
}

static enum uex_error handle_next(struct follow *follow, struct uex_fault *fault)
{
    rd_kafka_message_t *message = NULL;
    enum uex_error err = uex_topic_reader_next(follow->reader, WAIT_MS, &message, fault);

    if (err == UEX_OK) {
        err = take_message(follow, message);
        rd_kafka_message_destroy(message);
    } else if (err == UEX_END) {
        err = print_existing(follow);
    } else if (err == UEX_TIMEOUT) {
        check_kafka(follow);
        err = uex_output_closed() ? UEX_END : UEX_OK;
    }
    draw_running(follow);
    return err;
}

/* Until a signal comes or stdout has no reader. Returns the exit code. */
static int follow_outcomes(struct uex_status_report *report)
{
    const struct uex_read_topic topics[] = {{.name = report->config->topics_state, .from = UEX_READ_ALL},
                                            {.name = report->config->topics_progress, .from = UEX_READ_NEW}};
    struct follow *follow = calloc(1, sizeof(*follow));
    struct uex_buffer end = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_NO_MEMORY;
    bool stopped = false;

    if (follow == NULL)
        return uex_output_fail(err, &fault);
    follow->report = report;
    uex_live_begin(&follow->live);
    follow->watch = follow->live.is_on ? uex_overview_watch_new(report->config) : NULL;
    err = uex_ctl_read_topics(report->config, topics, 2, &follow->reader, &fault);
    while (err == UEX_OK)
        err = handle_next(follow, &fault);
    uex_live_erase(&follow->live);
    stopped = err == UEX_CANCELLED && follow->is_live;
    if (stopped && report->format == UEX_OUTPUT_TABLE) {
        uex_status_print_counts(report, &end);
        fprintf(stderr, "stopped; %s", uex_buffer_text(&end));
    }
    uex_buffer_clear(&end);
    uex_topic_reader_close(follow->reader);
    uex_running_clear(&follow->running);
    uex_overview_watch_free(follow->watch);
    free(follow);
    return stopped || err == UEX_END ? UEX_EXIT_DONE : uex_output_fail(err, &fault);
}

/* ---- once */

/* Why a named group has no outcome. */
static const char *why_missing(const struct uex_status_report *report, enum uex_status status)
{
    if (status == UEX_STATUS_RUNNING)
        return "its command runs now";
    if (status == UEX_STATUS_QUEUED)
        return "its command waits for a worker";
    return status == UEX_STATUS_UNKNOWN && report->rows.waiting_unknown
               ? "it is unknown whether a command waits"
               : "no command waits; exportctl trigger exports it";
}

/* Named groups without an outcome. */
static int report_missing(const struct uex_status_report *report)
{
    int code = UEX_EXIT_DONE, reported = 0;

    for (size_t i = 0; report->group_count > 0 && i < report->rows.count; i++) {
        const struct uex_status_row *row = report->rows.items[i];

        if (!uex_status_is_open(row->status) && !(row->status == UEX_STATUS_UNKNOWN && report->rows.waiting_unknown))
            continue;
        code = UEX_EXIT_FAILED;
        if (reported++ < REPORTED_MAX)
            uex_output_error("%s has no outcome%s%s: %s; exportctl status --follow shows what is running",
                             row->group_id, report->run_id == NULL ? "" : " in run ",
                             report->run_id == NULL ? "" : report->run_id, why_missing(report, row->status));
    }
    if (reported > REPORTED_MAX)
        uex_output_error("and %d more", reported - REPORTED_MAX);
    return code;
}

/* A run that no group knows may still be in the run topic: one without groups, or an old one. */
static int check_run(const struct uex_status_report *report)
{
    struct uex_buffer known = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_status_run_is_known(report)
                             ? UEX_OK
                             : uex_known_runs_read(report->config, false, report->rows.runs, &fault);

    if (err != UEX_OK)
        return uex_output_fail(err, &fault);
    if (uex_status_run_is_known(report))
        return UEX_EXIT_DONE;
    uex_known_runs_sort(report->rows.runs);
    uex_known_runs_write(report->rows.runs, KNOWN_SHOWN, &known);
    uex_output_error("nothing is known of this run: no group has an outcome or a command in run %s; known runs, newest "
                     "first: %s",
                     report->run_id, uex_buffer_text(&known));
    uex_buffer_clear(&known);
    return UEX_EXIT_FAILED;
}

/* --check. */
static int check(const struct uex_status_report *report)
{
    struct uex_buffer why = {0};
    const bool is_all_right = uex_status_is_all_right(report, &why);

    if (!is_all_right)
        uex_output_error("not everything is exported: %s", uex_buffer_text(&why));
    uex_buffer_clear(&why);
    return is_all_right ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

/* A state record; of groups that were asked for, --history keeps all of it. */
static enum uex_error take_state(void *context, const rd_kafka_message_t *message)
{
    struct uex_status_report *report = context;
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1] = "";
    enum uex_error err = UEX_OK;

    if (report->rows.history != NULL && message->key != NULL && message->key_len <= UEX_GROUP_ID_MAX_BYTES) {
        memcpy(group_id, message->key, message->key_len);
        if (uex_status_is_asked(report, group_id))
            err = uex_state_set_take(report->rows.history, message);
    }
    return err == UEX_OK ? uex_status_rows_take(&report->rows, message) : err;
}

static enum uex_error read_states(struct uex_status_report *report, struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = report->config->topics_state, .from = UEX_READ_ALL};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(report->config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_state, report, fault);
    uex_topic_reader_close(reader);
    return err;
}

static int show_once(struct uex_status_report *report)
{
    struct uex_fault fault = {0};
    struct uex_buffer out = {.cap_bytes = SIZE_MAX / 2};
    enum uex_error err = read_states(report, &fault);
    int code = UEX_EXIT_FAILED;

    if (err == UEX_OK)
        err = uex_status_build(report);
    if (err != UEX_OK)
        return uex_output_fail(err, &fault);
    code = check_run(report);
    if (code != UEX_EXIT_DONE)
        return code;
    code = UEX_EXIT_FAILED;
    uex_status_print(report, &out);
    if (uex_output_print(&out))
        code = report->check ? check(report) : report_missing(report);
    uex_buffer_clear(&out);
    return code;
}

/* ---- the request */

static enum uex_error read_options(struct uex_status_report *report)
{
    const struct uex_ctl_options *given = &uex_ctl_options;
    const long otherwise = uex_output_is_terminal() && report->group_count == 0 ? SHOWN_ON_TERMINAL : 0;
    long limit = 0;

    if (uex_output_format(given->output, &report->format) != UEX_OK ||
        uex_option_text("--run", given->run, UEX_RUN_ID_MAX_CHARACTERS) != UEX_OK ||
        uex_option_number("--limit", given->limit, 0, SHOWN_MOST, otherwise, &limit) != UEX_OK ||
        uex_operands_are_groups(report->group_count, report->group_ids) != UEX_OK)
        return UEX_CONFIG;
    if (given->history && report->group_count == 0)
        uex_output_error("--history needs a GROUP");
    else if (given->follow && (given->history || given->check))
        uex_output_error("--follow cannot be combined with --history or --check");
    else if (given->history && given->check)
        uex_output_error("--history cannot be combined with --check");
    else {
        report->shown_max = (size_t)limit;
        report->run_id = given->run;
        report->check = given->check;
        return UEX_OK;
    }
    return UEX_CONFIG;
}

/* `--run last`, and --check without a run: the run that was started last. */
static enum uex_error find_run(struct uex_status_report *report, struct uex_fault *fault)
{
    const bool is_last = report->run_id != NULL && strcmp(report->run_id, LAST_RUN) == 0;
    const bool is_check = report->check && report->run_id == NULL && report->group_count == 0;
    enum uex_error err = UEX_OK;

    if (!is_last && !is_check) { /* what its record tells is a help only */
        if (report->run_id != NULL)
            (void)!uex_known_runs_read(report->config, false, report->rows.runs, NULL);
        return UEX_OK;
    }
    err = uex_known_runs_read(report->config, is_last, report->rows.runs, fault);
    if (err != UEX_OK)
        return err;
    uex_known_runs_sort(report->rows.runs);
    report->run_id = report->rows.runs->count == 0 ? NULL : report->rows.runs->items[0].run_id;
    if (is_last && report->run_id == NULL)
        return uex_fail(fault, UEX_NOT_FOUND, "no run is known yet");
    return UEX_OK;
}

/* What counts for the run that was asked for. A run that topics.run does not know was not started again; whether it is
 * known at all is looked at when the states were read. */
static enum uex_error find_rule(const struct uex_status_report *report, struct uex_run_rule *rule,
                                struct uex_fault *fault)
{
    struct uex_run_record record = {0};
    enum uex_error err = UEX_OK;

    *rule = (struct uex_run_rule){.run_id = report->run_id};
    if (report->run_id == NULL)
        return UEX_OK;
    err = uex_run_record_find(report->config, report->run_id, report->config->startup_timeout_ms, &uex_program_cancel,
                              &record, NULL, fault);
    if (err == UEX_OK) {
        rule->started_at_ms = record.started_at_ms;
        rule->started_again = record.started_again;
    }
    uex_run_record_clear(&record);
    return err == UEX_KAFKA_TOPICS || err == UEX_NOT_FOUND ? UEX_OK : err;
}

int uex_status_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_status_report report = {.config = config, .group_ids = operands, .group_count = operand_count};
    struct uex_known_runs *runs = calloc(1, sizeof(*runs));
    struct uex_state_set history = {0};
    char run_id[UEX_RUN_ID_MAX_BYTES + 1] = "";
    struct uex_run_rule rule = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_NO_MEMORY;
    int code = UEX_EXIT_USAGE;

    if (read_options(&report) != UEX_OK) {
        free(runs);
        return code;
    }
    if (!uex_ask_for_unknown_groups(config, operand_count, operands, "Show what is known of it all the same?")) {
        free(runs);
        return UEX_EXIT_FAILED;
    }
    report.rows.runs = runs;
    report.rows.history = uex_ctl_options.history ? &history : NULL;
    if (runs != NULL)
        err = find_run(&report, &fault);
    if (err == UEX_OK && report.run_id != NULL) { /* it may stand among the known ones, which move */
        snprintf(run_id, sizeof(run_id), "%s", report.run_id);
        report.run_id = run_id;
    }
    if (err == UEX_OK)
        err = find_rule(&report, &rule, &fault);
    if (err == UEX_OK) {
        report.rows.rule = report.run_id == NULL ? NULL : &rule;
        uex_status_begin(&report);
        code = uex_ctl_options.follow ? follow_outcomes(&report) : show_once(&report);
        uex_status_clear(&report);
    } else {
        code = uex_output_fail(err, &fault);
    }
    uex_state_set_clear(&history);
    free(runs);
    return code;
}
