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

void uex_manual_name(const struct uex_verb *verb, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "exportctl");
    if (verb != NULL)
        uex_buffer_append_text(out, "-");
    for (const char *at = verb == NULL ? "" : verb->name; *at != 0; at++)
        uex_buffer_append(out, *at == ' ' ? "-" : at, 1);
}

static void append_head(const struct uex_verb *verb, const char *summary, struct uex_buffer *out)
{
    struct uex_buffer name = {0};

    uex_manual_name(verb, &name);
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
    append_term(out, "2", NULL, "wrong usage or configuration, said before anything was touched");
    append_term(out, "3", NULL, "a dependency could not be reached within startup.timeout");
    append_term(out, "4", NULL, "--timeout ran out");
}

static void append_common_options(struct uex_buffer *out)
{
    append_term(out, "--config", "FILE", "Read settings from this INI file.");
    append_term(out, "--section.key=", "value", "One setting, before all other sources.");
    append_term(out, "--help", NULL, "Show the usage and exit.");
    append_term(out, "--version", NULL, "Show the version and exit.");
}

static void append_verb(const struct uex_verb *verb, struct uex_buffer *out)
{
    append_head(verb, verb->summary, out);
    uex_buffer_append_text(out, ".SH SYNOPSIS\n\\fBexportctl ");
    append_roff(out, verb->name);
    uex_buffer_append_text(out, "\\fR ");
    append_roff(out, verb->operands == NULL ? "" : verb->operands);
    uex_buffer_append_text(out, verb->operands == NULL ? "[\\fIOPTION\\fR…]\n" : " [\\fIOPTION\\fR…]\n");
    uex_buffer_append_text(out, ".SH DESCRIPTION\n");
    append_roff(out, verb->summary);
    if (verb->details != NULL) {
        uex_buffer_append_text(out, "\n.PP\n");
        append_roff(out, verb->details);
    }
    uex_buffer_append_text(out, "\n.SH OPTIONS\n");
    for (const struct uex_option *option = verb->options; option->name != NULL; option++)
        append_term(out, option->name, option->value_name, option->help);
    append_common_options(out);
    if (verb->examples != NULL)
        uex_buffer_append_text(out, ".SH EXAMPLES\n");
    for (const struct uex_example *example = verb->examples; example != NULL && example->command != NULL; example++)
        append_term(out, example->command, NULL, example->what);
    append_exit_codes(out);
    uex_buffer_append_text(out, ".SH SEE ALSO\n\\fBexportctl\\fR(1), which tells the settings\n");
}

static void append_all(const struct uex_verb *verbs, struct uex_buffer *out)
{
    struct uex_buffer settings = {0};

    append_head(NULL, "the operators' tool of users-export", out);
    uex_buffer_append_text(out, ".SH SYNOPSIS\n\\fBexportctl\\fR \\fIVERB\\fR [\\fIOPTION\\fR…]\n.SH DESCRIPTION\n");
    append_roff(out, "Triggers exports of groups of users, tells what became of them, mends what failed, and checks "
                     "configuration, topics and files. Each verb has a page of its own, exportctl-VERB(1).");
    uex_buffer_append_text(out, "\n.SH VERBS\n");
    for (const struct uex_verb *verb = verbs; verb->name != NULL; verb++)
        append_term(out, verb->name, verb->operands, verb->summary);
    uex_buffer_append_text(out, ".SH OPTIONS\n");
    append_common_options(out);
    append_exit_codes(out);
    uex_buffer_append_text(out, ".SH SETTINGS\nEach also as EXPORT_SECTION_KEY in the environment, or in the file of "
                                "\\-\\-config or EXPORT_CONFIG; a secret also from the file that "
                                "EXPORT_SECTION_KEY_FILE names.\n.PP\n.nf\n");
    uex_config_help(&settings);
    append_roff(out, uex_buffer_text(&settings));
    out->failed = out->failed || uex_buffer_failed(&settings);
    uex_buffer_append_text(out, ".fi\n");
    uex_buffer_clear(&settings);
}

void uex_manual_page(const struct uex_verb *verbs, const struct uex_verb *verb, struct uex_buffer *out)
{
    if (verb == NULL)
        append_all(verbs, out);
    else
        append_verb(verb, out);
}
