/* SPDX-License-Identifier: Apache-2.0 */
/* status, once or followed. */
#include "ctl/status/status.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/live.h"
#include "ctl/options.h"
#include "ctl/status/running.h"
#include "ctl/subcommands.h"
#include "export/command.h"
#include "export/program.h"

#define WAIT_MS 200
#define SHOWN_ON_TERMINAL 50
#define SHOWN_MOST 100000000
#define REPORTED_MAX 20

/* ---- --follow: new outcomes, and running exports. On a terminal the running exports are at the bottom and change in
 * place; elsewhere each update is a line. */

struct follow {
    struct uex_status_report *report;
    struct uex_topic_reader *reader;
    struct uex_running running;
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

static enum uex_error take_progress(struct follow *follow, const rd_kafka_message_t *message)
{
    const struct uex_running_export *item =
        uex_running_take(&follow->running, uex_bytes_of(message->payload, message->len), uex_monotonic_ms());
    struct uex_buffer out = {0};

    if (item == NULL || !uex_status_is_asked(follow->report, item->progress.group_id))
        return UEX_OK;
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
    size_t attention_count = 0;

    if (err != UEX_OK)
        return err;
    follow->is_live = true;
    while (attention_count < report->rows.count && report->rows.items[attention_count]->status < UEX_STATUS_UNKNOWN)
        attention_count++;
    uex_status_print_counts(report, &out);
    if (report->format == UEX_OUTPUT_TABLE && attention_count > 0) {
        if (report->shown_max > 0 && attention_count > report->shown_max)
            attention_count = report->shown_max;
        uex_buffer_append_text(&out, "\n");
        uex_status_rows_write(&report->rows, attention_count, report->format, &out);
        uex_buffer_append_text(&out, "\n");
    }
    return print_above(follow, &out) ? UEX_OK : UEX_END;
}

static void draw_running(struct follow *follow)
{
    size_t room = uex_live_room(&follow->live), shown = 0;
    struct uex_buffer lines = {0};
    int64_t now_ms = uex_monotonic_ms();

    if (!follow->is_live || !uex_live_is_due(&follow->live, now_ms))
        return;
    uex_running_expire(&follow->running, now_ms);
    if (follow->report->run_id != NULL)
        uex_buffer_append_format(&lines, "run %s: ", follow->report->run_id);
    uex_status_counts_write(&follow->report->rows, &lines);
    uex_buffer_append_format(&lines, "; %zu running%s  (Ctrl-C to stop)\n", follow->running.count,
                             follow->is_away ? "; KAFKA DOES NOT ANSWER" : "");
    for (size_t i = 0; i < follow->running.count && shown + 2 < room; i++) {
        if (!uex_status_is_asked(follow->report, follow->running.items[i].progress.group_id))
            continue;
        uex_running_write(&follow->running.items[i], uex_wall_ms(), &lines);
        uex_buffer_append_text(&lines, "\n");
        shown++;
    }
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
    free(follow);
    return stopped || err == UEX_END ? UEX_EXIT_DONE : uex_output_fail(err, &fault);
}

/* ---- once */

/* Named groups without an outcome. */
static int report_missing(const struct uex_status_report *report)
{
    int code = UEX_EXIT_DONE, reported = 0;

    for (size_t i = 0; report->group_count > 0 && i < report->rows.count; i++) {
        if (report->rows.items[i]->status != UEX_STATUS_MISSING)
            continue;
        code = UEX_EXIT_FAILED;
        if (reported++ < REPORTED_MAX)
            uex_output_error("%s has no outcome%s%s; exportctl trigger exports it, exportctl status --follow shows "
                             "what is running",
                             report->rows.items[i]->group_id, report->run_id == NULL ? "" : " in run ",
                             report->run_id == NULL ? "" : report->run_id);
    }
    return code;
}

static enum uex_error read_states(struct uex_status_report *report, struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = report->config->topics_state, .from = UEX_READ_ALL};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(report->config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, uex_status_rows_take, &report->rows, fault);
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
    uex_status_print(report, &out);
    if (uex_output_print(&out))
        code = report_missing(report);
    uex_buffer_clear(&out);
    return code;
}

int uex_status_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_status_report report = {
        .config = config, .run_id = uex_ctl_options.run, .group_ids = operands, .group_count = operand_count};
    long limit = 0, otherwise = uex_output_is_terminal() && operand_count == 0 ? SHOWN_ON_TERMINAL : 0;
    int code = UEX_EXIT_USAGE;

    if (uex_output_format(uex_ctl_options.output, &report.format) != UEX_OK ||
        uex_option_text("--run", report.run_id, UEX_RUN_ID_MAX_CHARACTERS) != UEX_OK ||
        uex_option_number("--limit", uex_ctl_options.limit, 0, SHOWN_MOST, otherwise, &limit) != UEX_OK ||
        uex_operands_are_groups(operand_count, operands) != UEX_OK)
        return code;
    report.shown_max = (size_t)limit;
    report.rows.run_id = report.run_id;
    uex_status_begin(&report);
    code = uex_ctl_options.follow ? follow_outcomes(&report) : show_once(&report);
    uex_status_clear(&report);
    return code;
}
