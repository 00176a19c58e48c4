/* SPDX-License-Identifier: Apache-2.0 */
/* report: the page of a run. */
#include <sys/stat.h>

#include "check/checks.h"
#include "ctl/export/file.h"
#include "ctl/options.h"
#include "ctl/run/run.h"
#include "ctl/subcommands.h"
#include "report/publish.h"

#define PAGE_MODE 0644 /* for a web server, too: there is no personal data in it */

void uex_report_check(const struct uex_config *config, struct uex_buffer *problems)
{
    if (uex_ctl_options.html == NULL || uex_ctl_options.html[0] == 0)
        uex_buffer_append_text(problems, "report: where to? give --html FILE, or --html - for stdout\n");
    uex_check_kafka(config, problems);
}

static enum uex_error write_file(const char *path, const struct uex_buffer *page, struct uex_fault *fault)
{
    struct uex_export_file file;
    enum uex_error err = uex_export_file_open(&file, path, true, fault);

    if (err == UEX_OK && file.temporary != NULL)
        (void)fchmod(file.fd, PAGE_MODE);
    if (err == UEX_OK)
        err = uex_export_file_write(&file, uex_buffer_bytes(page), fault);
    if (err == UEX_OK)
        err = uex_export_file_publish(&file, fault);
    uex_export_file_discard(&file);
    return err;
}

static int publish(const struct uex_buffer *page, const char *path)
{
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (strcmp(path, "-") == 0)
        return uex_output_print(page) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    err = write_file(path, page, &fault);
    return err == UEX_OK ? UEX_EXIT_DONE : uex_output_fail(err, &fault);
}

static int make_page(struct uex_run_watch *watch)
{
    const struct uex_report_question question = {.config = watch->config,
                                                 .run = &watch->record,
                                                 .members = &watch->members,
                                                 .wait_ms = watch->config->startup_timeout_ms,
                                                 .cancel = &uex_program_cancel};
    struct uex_buffer page = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_run_watch_open(watch, &fault);
    int code = UEX_EXIT_FAILED;

    if (err == UEX_OK)
        err = uex_run_watch_catch_up(watch, &fault);
    if (err == UEX_OK)
        err = uex_report_read(&question, &page, &fault);
    code = err == UEX_OK ? publish(&page, uex_ctl_options.html) : uex_output_fail(err, &fault);
    uex_buffer_clear(&page);
    return code;
}

int uex_report_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_run_watch watch = {.config = config};
    const char *name = uex_ctl_options.run == NULL ? "last" : uex_ctl_options.run;
    int code = UEX_EXIT_USAGE;

    (void)operands;
    if (operand_count > 0) {
        uex_output_error("report: unexpected argument; name the run with --run");
        return code;
    }
    if (!uex_report_set_zone(config)) {
        uex_output_error("no memory for the time zone");
        return UEX_EXIT_FAILED;
    }
    code = uex_ctl_run_find(config, name, &watch.record);
    if (code == UEX_EXIT_DONE)
        code = make_page(&watch);
    uex_run_watch_close(&watch);
    return code;
}
