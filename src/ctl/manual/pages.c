/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages. Source: man(7), groff_man(7). */
#include <stdio.h>

#include "config/roff.h"
#include "ctl/manual/manual.h"

#define SECTION "1"

void uex_manual_name(const struct uex_subcommand *subcommand, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "exportctl");
    if (subcommand != NULL)
        uex_buffer_append_text(out, "-");
    for (const char *at = subcommand == NULL ? "" : subcommand->name; *at != 0; at++)
        uex_buffer_append(out, *at == ' ' ? "-" : at, 1);
}

static void append_head(const struct uex_subcommand *subcommand, const char *summary, struct uex_buffer *out)
{
    struct uex_buffer name = {0};

    uex_manual_name(subcommand, &name);
    uex_roff_head(out, uex_buffer_text(&name), SECTION, summary);
    out->failed = out->failed || uex_buffer_failed(&name);
    uex_buffer_clear(&name);
}

static void append_options(const struct uex_option *options, struct uex_buffer *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        char names[64];

        snprintf(names, sizeof(names), "%s%s", options->name, uex_option_alias(options));
        uex_roff_term(out, names, options->value_name, options->help);
    }
}

static void append_subcommand(const struct uex_subcommand *subcommand, struct uex_buffer *out)
{
    append_head(subcommand, subcommand->summary, out);
    uex_buffer_append_text(out, ".SH SYNOPSIS\n\\fBexportctl ");
    uex_roff_text(out, subcommand->name);
    uex_buffer_append_text(out, "\\fR ");
    uex_roff_text(out, subcommand->operands == NULL ? "" : subcommand->operands);
    uex_buffer_append_text(out, subcommand->operands == NULL ? "[\\fIOPTION\\fR…]\n" : " [\\fIOPTION\\fR…]\n");
    uex_buffer_append_text(out, ".SH DESCRIPTION\n");
    uex_roff_text(out, subcommand->summary);
    if (subcommand->details != NULL) {
        uex_buffer_append_text(out, "\n.PP\n");
        uex_roff_text(out, subcommand->details);
    }
    uex_buffer_append_text(out, "\n.SH OPTIONS\n");
    append_options(subcommand->options, out);
    append_options(uex_common_options, out);
    uex_roff_common_options(out);
    if (subcommand->examples != NULL)
        uex_buffer_append_text(out, ".SH EXAMPLES\n");
    for (const struct uex_example *example = subcommand->examples; example != NULL && example->command != NULL;
         example++)
        uex_roff_term(out, example->command, NULL, example->what);
    uex_roff_exit_codes(out);
    uex_buffer_append_text(out, ".SH SEE ALSO\n\\fBexportctl\\fR(1), \\fBusers\\-export.ini\\fR(5)\n");
}

static void append_all(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    struct uex_buffer settings = {0};

    append_head(NULL, "the operators' tool of users-export", out);
    uex_buffer_append_text(out,
                           ".SH SYNOPSIS\n\\fBexportctl\\fR \\fISUBCOMMAND\\fR [\\fIOPTION\\fR…]\n.SH DESCRIPTION\n");
    uex_roff_text(out,
                  "Triggers exports of groups of users, shows their outcomes, replays or discards dead letters, and "
                  "checks configuration, topics and files. Each subcommand has its own page, exportctl-SUBCOMMAND(1).");
    uex_buffer_append_text(out, "\n.SH SUBCOMMANDS\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        uex_roff_term(out, subcommand->name, subcommand->operands, subcommand->summary);
    uex_buffer_append_text(out, ".SH OPTIONS\n");
    append_options(uex_common_options, out);
    uex_roff_common_options(out);
    uex_roff_exit_codes(out);
    uex_buffer_append_text(
        out, ".SH SETTINGS\nEach can also be set as EXPORT_SECTION_KEY in the environment, or in the file of "
             "\\-\\-config or EXPORT_CONFIG; a secret also through the file that EXPORT_SECTION_KEY_FILE "
             "names.\n.PP\n.nf\n");
    uex_config_help(&settings);
    uex_roff_text(out, uex_buffer_text(&settings));
    out->failed = out->failed || uex_buffer_failed(&settings);
    uex_buffer_append_text(out, ".fi\n");
    uex_buffer_clear(&settings);
}

void uex_manual_page(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand,
                     struct uex_buffer *out)
{
    if (subcommand == NULL)
        append_all(subcommands, out);
    else
        append_subcommand(subcommand, out);
}
