/* SPDX-License-Identifier: Apache-2.0 */
/* config check, config show. */
#include <stdio.h>

#include "ctl/options.h"
#include "ctl/subcommands.h"

/* The mistakes of the configuration are the result of this subcommand. */
void uex_config_check_report(const struct uex_buffer *problems)
{
    struct uex_buffer out = {0};
    enum uex_output format = UEX_OUTPUT_TABLE;
    const char *line = uex_buffer_text(problems);
    bool is_first = true;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK)
        format = UEX_OUTPUT_TABLE;
    if (format == UEX_OUTPUT_TABLE) {
        if (problems->size_bytes > 0)
            fprintf(stderr, "%s", line);
        return;
    }
    uex_buffer_append_format(&out, "{\"good\": %s, \"problems\": [", *line == 0 ? "true" : "false");
    for (; *line != 0; line += strcspn(line, "\n"), line += *line != 0) {
        if (!is_first)
            uex_buffer_append_text(&out, ", ");
        uex_buffer_append_json_bytes(&out, uex_bytes_of(line, strcspn(line, "\n")));
        is_first = false;
    }
    uex_buffer_append_text(&out, "]}\n");
    if (!uex_output_print(&out))
        uex_output_error("cannot print the result");
    uex_buffer_clear(&out);
}

/* The start of the program has checked everything; a configuration that comes here is valid. */
int uex_config_check_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_buffer out = {0};
    enum uex_output format = UEX_OUTPUT_TABLE;
    int code = UEX_EXIT_DONE;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK)
        return UEX_EXIT_USAGE;
    if (config->export_domain_id[0] == 0)
        uex_output_error(
            "note: export.domain_id is not set; export-scheduler needs it, and so do commands without a domainId");
    if (format == UEX_OUTPUT_TABLE) {
        uex_buffer_append_text(&out, "The configuration is valid. No dependency was contacted.\n");
        code = uex_output_print(&out) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
        uex_buffer_clear(&out);
    }
    return code;
}

int uex_config_show_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_buffer out = {0};
    enum uex_output format = UEX_OUTPUT_TABLE;
    int code = UEX_EXIT_USAGE;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK)
        return code;
    uex_config_show(config, format == UEX_OUTPUT_JSON, &out);
    if (out.size_bytes > 0 && out.data[out.size_bytes - 1] != '\n')
        uex_buffer_append_text(&out, "\n");
    code = uex_output_print(&out) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    uex_buffer_clear(&out);
    return code;
}
