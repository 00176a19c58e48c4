/* SPDX-License-Identifier: Apache-2.0 */
/* config check, config show. */
#include <stdio.h>

#include "check/checks.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "kafka/sasl.h"

/* What the programs cannot do without; without --for it is what 1.0 asked for: everything of a worker. */
static const struct {
    const char *name, *program;
    unsigned needs;
} programs[] = {
    {"worker", "export-worker", UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE},
    {"scheduler", "export-scheduler", UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_DOMAIN},
    {"exportctl", "exportctl", UEX_NEED_KAFKA},
};
#define PROGRAM_COUNT (sizeof(programs) / sizeof(programs[0]))

/* The index of the program of --for; 0 without it; PROGRAM_COUNT: it is none. */
static size_t find_program(void)
{
    const char *name = uex_ctl_options.for_program;
    size_t i = 0;

    while (name != NULL && i < PROGRAM_COUNT && strcmp(programs[i].name, name) != 0)
        i++;
    return i;
}

/* The scheduler needs the store only for what it puts beside the objects at the end of a run. */
static unsigned needs_of_end(const struct uex_config *config, size_t at)
{
    const bool is_scheduler = strcmp(programs[at].name, "scheduler") == 0;

    return is_scheduler && (config->schedule_manifest || config->schedule_report) ? UEX_NEED_STORAGE : 0;
}

/* Everything, and more than a start asks: a setting that has no effect is a mistake here, and no reason not to start.
 */
void uex_config_check_settings(const struct uex_config *config, struct uex_buffer *problems)
{
    const size_t at = find_program();

    if (at == PROGRAM_COUNT)
        uex_buffer_append_text(problems, "--for: must be worker, scheduler or exportctl\n");
    else
        (void)!uex_config_require(config, programs[at].needs | needs_of_end(config, at), problems);
    uex_check_all(config, problems);
    uex_sasl_check_unused(config, problems);
}

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
    if (config->export_domain_id[0] == 0 && (programs[find_program()].needs & UEX_NEED_STORAGE) != 0)
        uex_output_error(
            "note: export.domain_id is not set; export-scheduler needs it, and so do commands without a domainId");
    if (format == UEX_OUTPUT_TABLE) {
        uex_buffer_append_format(&out, "The configuration is valid%s%s. No dependency was contacted.\n",
                                 uex_ctl_options.for_program == NULL ? "" : " for ",
                                 uex_ctl_options.for_program == NULL ? "" : programs[find_program()].program);
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
