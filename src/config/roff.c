/* SPDX-License-Identifier: Apache-2.0 */
#include "config/roff.h"

#include <ctype.h>

#include "config/kafka.h"
#include "config/load.h"

void uex_roff_text(struct uex_buffer *out, const char *text)
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

void uex_roff_head(struct uex_buffer *out, const char *name, const char *section, const char *summary)
{
    uex_buffer_append_text(out, ".TH ");
    for (const char *at = name; *at != 0; at++) {
        char upper = (char)toupper((unsigned char)*at);

        uex_buffer_append(out, &upper, 1);
    }
    uex_buffer_append_format(out, " %s \"\" \"users\\-export " UEX_VERSION "\" \"users\\-export\"\n.SH NAME\n",
                             section);
    uex_roff_text(out, name);
    uex_buffer_append_text(out, " \\- ");
    uex_roff_text(out, summary);
    uex_buffer_append_text(out, "\n");
}

void uex_roff_term(struct uex_buffer *out, const char *term, const char *value, const char *meaning)
{
    uex_buffer_append_text(out, ".TP\n\\fB");
    uex_roff_text(out, term);
    uex_buffer_append_text(out, "\\fR");
    if (value != NULL) {
        uex_buffer_append_text(out, " \\fI");
        uex_roff_text(out, value);
        uex_buffer_append_text(out, "\\fR");
    }
    uex_buffer_append_text(out, "\n");
    uex_roff_text(out, meaning);
    uex_buffer_append_text(out, "\n");
}

void uex_roff_common_options(struct uex_buffer *out)
{
    uex_roff_term(out, "--config", "FILE", "Read settings from this INI file.");
    uex_roff_term(out, "--section.key=", "value", "One setting; overrides all other sources.");
    uex_roff_term(out, "--help", NULL, "Show the usage and exit.");
    uex_roff_term(out, "--version", NULL, "Show the version and exit.");
}

void uex_roff_exit_codes(struct uex_buffer *out)
{
    uex_buffer_append_text(out, ".SH EXIT STATUS\n");
    uex_roff_term(out, "0", NULL, "done");
    uex_roff_term(out, "1", NULL, "the work failed");
    uex_roff_term(out, "2", NULL, "wrong usage or configuration; nothing was done");
    uex_roff_term(out, "3", NULL, "a dependency did not answer within startup.timeout or --wait-for");
    uex_roff_term(out, "4", NULL, "--timeout or schedule.wait ran out");
}

static void append_environment(struct uex_buffer *out)
{
    uex_buffer_append_text(out, ".SH ENVIRONMENT\n");
    uex_roff_term(out, "EXPORT_SECTION_KEY", NULL,
                  "A setting: EXPORT_POSTGRES_DSN is postgres.dsn, EXPORT_EXPORT_LANES is export.lanes.");
    uex_roff_term(out, "EXPORT_SECTION_KEY_FILE", NULL, "The file that holds a setting that is secret.");
    uex_roff_term(out, "EXPORT_CONFIG", NULL, "The INI file, where --config does not name one.");
}

/* The first sentence; the section NAME has no room for more. */
static void append_first_sentence(struct uex_buffer *out, const char *text)
{
    for (; *text != 0 && *text != '.'; text++)
        uex_buffer_append(out, *text == '\n' ? " " : text, 1);
}

void uex_roff_program(const struct uex_program *program, struct uex_buffer *out)
{
    struct uex_buffer summary = {0};

    append_first_sentence(&summary, program->summary);
    uex_roff_head(out, program->name, "8", uex_buffer_text(&summary));
    out->failed = out->failed || uex_buffer_failed(&summary);
    uex_buffer_clear(&summary);
    uex_buffer_append_text(out, ".SH SYNOPSIS\n\\fB");
    uex_roff_text(out, program->name);
    uex_buffer_append_text(out, "\\fR [\\fIOPTION\\fR…]\n.SH DESCRIPTION\n");
    uex_roff_text(out, program->summary);
    uex_buffer_append_text(out, "\n.SH OPTIONS\n");
    for (const struct uex_option *option = program->options; option != NULL && option->name != NULL; option++)
        uex_roff_term(out, option->name, option->value_name, option->help);
    uex_roff_common_options(out);
    append_environment(out);
    uex_roff_exit_codes(out);
    uex_buffer_append_text(out, ".SH SEE ALSO\n\\fBusers\\-export.ini\\fR(5), \\fBexportctl\\fR(1)\n");
}

static void append_setting(const struct uex_setting *setting, struct uex_buffer *out)
{
    const char *default_words = setting->default_words != NULL ? setting->default_words : setting->default_text;
    struct uex_buffer text = {0}, variable = {0};

    uex_config_variable(setting->key, &variable);
    uex_buffer_append_format(&text, "%s.\nDefault: %s.\nAllowed: ", setting->help,
                             *default_words == 0 ? "empty" : default_words);
    uex_setting_allowed(setting, &text);
    uex_buffer_append_format(&text, ".\n%s%s.", uex_buffer_text(&variable),
                             setting->secret ? "; secret: also the file that the variable with _FILE behind it names"
                                             : "");
    uex_roff_term(out, setting->key, NULL, uex_buffer_text(&text));
    out->failed = out->failed || uex_buffer_failed(&text) || uex_buffer_failed(&variable);
    uex_buffer_clear(&text);
    uex_buffer_clear(&variable);
}

void uex_roff_file(struct uex_buffer *out)
{
    uex_roff_head(out, UEX_MANUAL_FILE_PAGE, "5", "settings of export-worker, export-scheduler and exportctl");
    uex_buffer_append_text(out, ".nh\n.SH DESCRIPTION\n"); /* a name that is hyphenated cannot be copied */
    uex_roff_text(
        out, "The three programs read the same settings. A setting can be a flag, a variable of the environment, or "
             "a line of the INI file that --config or EXPORT_CONFIG names; a flag goes first, then the environment, "
             "then the file, then the default. exportctl config check reports mistakes, exportctl config show "
             "prints the values in force.");
    uex_buffer_append_text(out, "\n.PP\n");
    uex_roff_text(
        out, "The file is UTF-8: lines [section] and key = value. A comment has a line of its own that begins with "
             "# or ;. The value is everything behind =, without the blanks around it; there are no quotes, no "
             "escapes and no continuation lines. A key may appear once. Durations have a unit (ms, s, m, h), sizes "
             "too (B, KiB, MiB, GiB).");
    uex_buffer_append_text(out, "\n.SH EXAMPLE\n.nf\n"
                                "profile = production\n\n[kafka]\nbootstrap.servers = broker\\-1:9092\n\n[storage]\n"
                                "url = s3://exports/nightly\n.fi\n.SH SETTINGS\n");
    for (size_t i = 0; i < uex_setting_count; i++) {
        if (i == 1)
            uex_roff_term(out, UEX_KAFKA_KEY, NULL, UEX_KAFKA_HELP);
        append_setting(&uex_settings[i], out);
    }
    append_environment(out);
    uex_buffer_append_text(
        out, ".SH SEE ALSO\n\\fBexport\\-worker\\fR(8), \\fBexport\\-scheduler\\fR(8), \\fBexportctl\\fR(1)\n");
}
