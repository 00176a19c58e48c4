/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages. Source: man(7), groff_man(7). */
#include <ctype.h>

#include "ctl/manual/manual.h"

#define SECTION "1"

/* Text as roff prints it: no escapes, a '-' that can be copied to a shell, no line that looks like a request. */
static void append_roff(struct uex_buffer *out, const char *text)
{
    bool at_line_start = true;

    for (; *text != 0; text++) {
        if (at_line_start && (*text == '.' || *text == '\''))
            uex_buffer_append_text(out, "\\&");
        at_line_start = *text == '\n';
        if (*text == '\\')
            uex_buffer_append_text(out, "\\e");
        else if (*text == '-')
            uex_buffer_append_text(out, "\\-");
        else
            uex_buffer_append(out, text, 1);
    }
}

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
    uex_buffer_append_text(out, ".TH ");
    for (const char *at = uex_buffer_text(&name); *at != 0; at++) {
        char upper = (char)toupper((unsigned char)*at);

        uex_buffer_append(out, &upper, 1);
    }
    uex_buffer_append_text(out, " " SECTION " \"\" \"users\\-export " UEX_VERSION "\" \"users\\-export\"\n.SH NAME\n");
    append_roff(out, uex_buffer_text(&name));
    out->failed = out->failed || uex_buffer_failed(&name);
    uex_buffer_append_text(out, " \\- ");
    append_roff(out, summary);
    uex_buffer_append_text(out, "\n");
    uex_buffer_clear(&name);
}

static void append_term(struct uex_buffer *out, const char *term, const char *value, const char *meaning)
{
    uex_buffer_append_text(out, ".TP\n\\fB");
    append_roff(out, term);
    uex_buffer_append_text(out, "\\fR");
    if (value != NULL) {
        uex_buffer_append_text(out, " \\fI");
        append_roff(out, value);
        uex_buffer_append_text(out, "\\fR");
    }
    uex_buffer_append_text(out, "\n");
    append_roff(out, meaning);
    uex_buffer_append_text(out, "\n");
}

static void append_exit_codes(struct uex_buffer *out)
{
    uex_buffer_append_text(out, ".SH EXIT STATUS\n");
    append_term(out, "0", NULL, "done");
    append_term(out, "1", NULL, "the work failed");
    append_term(out, "2", NULL, "wrong usage or configuration; nothing was done");
    append_term(out, "3", NULL, "a dependency could not be reached within startup.timeout");
    append_term(out, "4", NULL, "--timeout ran out");
}

static void append_common_options(struct uex_buffer *out)
{
    append_term(out, "--config", "FILE", "Read settings from this INI file.");
    append_term(out, "--section.key=", "value", "One setting; overrides all other sources.");
    append_term(out, "--help", NULL, "Show the usage and exit.");
    append_term(out, "--version", NULL, "Show the version and exit.");
}

static void append_subcommand(const struct uex_subcommand *subcommand, struct uex_buffer *out)
{
    append_head(subcommand, subcommand->summary, out);
    uex_buffer_append_text(out, ".SH SYNOPSIS\n\\fBexportctl ");
    append_roff(out, subcommand->name);
    uex_buffer_append_text(out, "\\fR ");
    append_roff(out, subcommand->operands == NULL ? "" : subcommand->operands);
    uex_buffer_append_text(out, subcommand->operands == NULL ? "[\\fIOPTION\\fR…]\n" : " [\\fIOPTION\\fR…]\n");
    uex_buffer_append_text(out, ".SH DESCRIPTION\n");
    append_roff(out, subcommand->summary);
    if (subcommand->details != NULL) {
        uex_buffer_append_text(out, "\n.PP\n");
        append_roff(out, subcommand->details);
    }
    uex_buffer_append_text(out, "\n.SH OPTIONS\n");
    for (const struct uex_option *option = subcommand->options; option->name != NULL; option++)
        append_term(out, option->name, option->value_name, option->help);
    append_common_options(out);
    if (subcommand->examples != NULL)
        uex_buffer_append_text(out, ".SH EXAMPLES\n");
    for (const struct uex_example *example = subcommand->examples; example != NULL && example->command != NULL;
         example++)
        append_term(out, example->command, NULL, example->what);
    append_exit_codes(out);
    uex_buffer_append_text(out, ".SH SEE ALSO\n\\fBexportctl\\fR(1), which lists the settings\n");
}

static void append_all(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    struct uex_buffer settings = {0};

    append_head(NULL, "the operators' tool of users-export", out);
    uex_buffer_append_text(out,
                           ".SH SYNOPSIS\n\\fBexportctl\\fR \\fISUBCOMMAND\\fR [\\fIOPTION\\fR…]\n.SH DESCRIPTION\n");
    append_roff(out,
                "Triggers exports of groups of users, shows their outcomes, replays or discards dead letters, and "
                "checks configuration, topics and files. Each subcommand has its own page, exportctl-SUBCOMMAND(1).");
    uex_buffer_append_text(out, "\n.SH SUBCOMMANDS\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        append_term(out, subcommand->name, subcommand->operands, subcommand->summary);
    uex_buffer_append_text(out, ".SH OPTIONS\n");
    append_common_options(out);
    append_exit_codes(out);
    uex_buffer_append_text(
        out, ".SH SETTINGS\nEach can also be set as EXPORT_SECTION_KEY in the environment, or in the file of "
             "\\-\\-config or EXPORT_CONFIG; a secret also through the file that EXPORT_SECTION_KEY_FILE "
             "names.\n.PP\n.nf\n");
    uex_config_help(&settings);
    append_roff(out, uex_buffer_text(&settings));
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
