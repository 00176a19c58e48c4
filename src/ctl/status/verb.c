/* SPDX-License-Identifier: Apache-2.0 */
/* status. */
#include "ctl/options.h"
#include "ctl/status/status.h"
#include "ctl/verbs.h"
#include "export/command.h"

#define SHOWN_ON_TERMINAL 50
#define SHOWN_MOST 100000000
#define COMPLAINTS_MAX 20

/* Groups that were named and have nothing to show. */
static int complain_missing(const struct uex_status_report *report)
{
    int code = UEX_EXIT_DONE, said = 0;

    for (size_t i = 0; report->group_count > 0 && i < report->rows.count; i++) {
        if (report->rows.items[i]->status != UEX_STATUS_MISSING)
            continue;
        code = UEX_EXIT_FAILED;
        if (said++ < COMPLAINTS_MAX)
            uex_output_complain("%s has no outcome%s%s; exportctl trigger exports it, exportctl status --follow shows "
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
    enum uex_error err = uex_topic_reader_open(report->config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, uex_status_rows_take, &report->rows, fault);
    uex_topic_reader_close(reader);
    return err;
}

static int show(struct uex_status_report *report)
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
        code = complain_missing(report);
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
    if (report.run_id != NULL && operand_count == 0)
        report.active = uex_active_groups_start(config);
    code = uex_ctl_options.follow ? uex_status_follow(&report) : show(&report);
    if (report.active != NULL) {
        struct uex_group_list unused = {0};
        struct uex_fault fault = {0};

        if (uex_active_groups_finish(report.active, 0, &unused, &fault) == UEX_OK)
            uex_group_list_clear(&unused);
    }
    uex_status_rows_clear(&report.rows);
    return code;
}
