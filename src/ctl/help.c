/* SPDX-License-Identifier: Apache-2.0 */
/* What exportctl says of itself. The overview fits a terminal of 24 lines and 80 columns; everything else is as wide.
 */
#include <stdio.h>

#include "ctl/subcommands.h"
#include "export/config.h"

#define WIDTH 80
#define OPTION_COLUMN 29   /* where the meaning of an option begins */
#define OVERVIEW_COLUMN 32 /* where the summary of a subcommand begins */
#define EXIT_CODES                                                                                                     \
    "Exit codes: 0 done; 1 the work failed; 2 wrong usage or configuration; 3 a dependency did not answer within "     \
    "--wait-for; 4 --timeout ran out."

/* Characters, not bytes. */
static size_t width_of(const char *text, size_t size_bytes)
{
    size_t width = 0;

    for (size_t i = 0; i < size_bytes; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

static void append_blanks(struct uex_buffer *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        uex_buffer_append_text(out, " ");
}

static void end_line(struct uex_buffer *out, size_t indent)
{
    uex_buffer_append_text(out, "\n");
    append_blanks(out, indent);
}

/* Append text, wrapped at WIDTH and ended by a line end. The line has `column` columns already, the next ones begin
 * with `indent` blanks. A line end of the text is a blank; an empty line, or a line that begins with a blank, begins a
 * line. */
static void append_wrapped(struct uex_buffer *out, const char *text, size_t column, size_t indent)
{
    bool is_first = true;

    while (*text != 0) {
        size_t size_bytes = strcspn(text, " \n"), width = width_of(text, size_bytes);

        if (!is_first && size_bytes > 0 && column + 1 + width > WIDTH) {
            end_line(out, indent);
            column = indent;
        } else if (!is_first && size_bytes > 0) {
            uex_buffer_append_text(out, " ");
            column++;
        }
        uex_buffer_append(out, text, size_bytes);
        column += width;
        is_first = is_first && size_bytes == 0;
        text += size_bytes;
        if (text[0] == '\n' && (text[1] == '\n' || text[1] == ' ')) {
            if (text[1] == '\n')
                uex_buffer_append_text(out, "\n");
            end_line(out, indent);
            column = indent;
            is_first = true;
            for (text += text[1] == '\n' ? 2 : 1; *text == ' '; text++, column++)
                uex_buffer_append_text(out, " ");
        } else if (*text != 0) {
            text++;
        }
    }
    uex_buffer_append_text(out, "\n");
}

/* "  LEFT        right", `right` wrapped in a column of its own; on a line of its own where `left` is too long. */
static void append_pair(struct uex_buffer *out, const char *left, const char *right, size_t column)
{
    size_t width = 2 + width_of(left, strlen(left));

    uex_buffer_append_format(out, "  %s", left);
    if (width + 1 > column)
        end_line(out, column);
    else
        append_blanks(out, column - width);
    append_wrapped(out, right, column, column);
}

static void append_options(const struct uex_option *options, struct uex_buffer *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        char left[96];

        snprintf(left, sizeof(left), "%s%s%s%s", options->name, uex_option_alias(options),
                 options->value_name == NULL ? "" : " ", options->value_name == NULL ? "" : options->value_name);
        append_pair(out, left, options->help, OPTION_COLUMN);
    }
}

static void help_of_one(const struct uex_subcommand *subcommand, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "Usage: exportctl %s%s%s [OPTION…]\n\n", subcommand->name,
                             subcommand->operands == NULL ? "" : " ",
                             subcommand->operands == NULL ? "" : subcommand->operands);
    append_wrapped(out, subcommand->summary, 0, 0);
    if (subcommand->details != NULL) {
        uex_buffer_append_text(out, "\n");
        append_wrapped(out, subcommand->details, 0, 0);
    }
    uex_buffer_append_text(out, "\nOptions:\n");
    append_options(subcommand->options, out);
    append_options(uex_common_options, out);
    append_pair(out, "--config FILE", "read settings from this INI file", OPTION_COLUMN);
    append_pair(out, "--section.key=value", "one setting; overrides all other sources (exportctl help settings)",
                OPTION_COLUMN);
    append_pair(out, "--help, --version", "show this, or the version, and exit", OPTION_COLUMN);
    if (subcommand->examples != NULL)
        uex_buffer_append_text(out, "\nExamples:\n");
    for (const struct uex_example *example = subcommand->examples; example != NULL && example->command != NULL;
         example++) {
        uex_buffer_append_format(out, "  %s\n", example->command);
        append_blanks(out, 6);
        append_wrapped(out, example->what, 6, 6);
    }
    uex_buffer_append_text(out, "\n");
    append_wrapped(out, EXIT_CODES, 0, 0);
}

/* ---- the overview: a line for each first word */

/* "dlq list|show|replay|discard", or "status [GROUP…]"; `brief` is what the line says of them. */
static void collect(const struct uex_subcommand *first, char *name, size_t name_size, const char **brief)
{
    const size_t length = strcspn(first->name, " ");
    size_t used = (size_t)snprintf(name, name_size, "%.*s", (int)length, first->name);
    const char *separator = " ";

    *brief = first->summary;
    for (const struct uex_subcommand *subcommand = first; subcommand->name != NULL; subcommand++) {
        if (!uex_subcommand_begins(subcommand, first->name, length))
            continue;
        if (subcommand->brief != NULL)
            *brief = subcommand->brief;
        if (subcommand->name[length] != 0 && used < name_size)
            used += (size_t)snprintf(name + used, name_size - used, "%s%s", separator, subcommand->name + length + 1);
        else if (subcommand->operands != NULL && used < name_size)
            used += (size_t)snprintf(name + used, name_size - used, " %s", subcommand->operands);
        separator = "|";
    }
}

static void append_overview(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        const char *brief = NULL;
        char name[160];

        if (uex_subcommand_is_again(subcommands, subcommand))
            continue;
        collect(subcommand, name, sizeof(name), &brief);
        append_pair(out, name, brief, OVERVIEW_COLUMN);
    }
}

/* The subcommands that begin with a word. False: there is none. */
static bool append_group(const struct uex_subcommand *subcommands, const char *first_word, struct uex_buffer *out)
{
    bool is_any = false;

    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        char name[160];

        if (!uex_subcommand_begins(subcommand, first_word, strlen(first_word)))
            continue;
        if (!is_any)
            uex_buffer_append_format(out, "Usage: exportctl %s SUBCOMMAND [OPTION…]\n\n", first_word);
        is_any = true;
        snprintf(name, sizeof(name), "%s%s%s", subcommand->name, subcommand->operands == NULL ? "" : " ",
                 subcommand->operands == NULL ? "" : subcommand->operands);
        append_pair(out, name, subcommand->summary, OVERVIEW_COLUMN);
    }
    if (is_any) {
        uex_buffer_append_text(out, "\n");
        append_wrapped(out, "`exportctl help SUBCOMMAND` shows the options of a subcommand.", 0, 0);
    }
    return is_any;
}

void uex_subcommand_help(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand,
                         const char *first_word, struct uex_buffer *out)
{
    if (subcommand != NULL) {
        help_of_one(subcommand, out);
        return;
    }
    if (first_word != NULL && append_group(subcommands, first_word, out))
        return;
    uex_buffer_append_text(out, "Usage: exportctl SUBCOMMAND [OPTION…]\n\nSubcommands:\n");
    append_overview(subcommands, out);
    uex_buffer_append_text(out, "\n");
    append_wrapped(out,
                   "`exportctl help SUBCOMMAND` shows its options, `exportctl help settings` all settings. "
                   "Every subcommand takes --config FILE, --section.key=value, --wait-for D, --color WHEN, --wide. "
                   "Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 no answer; 4 timeout.",
                   0, 0);
}

void uex_settings_help(struct uex_buffer *out)
{
    append_wrapped(out,
                   "Each setting can be a flag (--export.lanes=4), a variable of the environment "
                   "(EXPORT_EXPORT_LANES=4), or a line of the INI file that --config or EXPORT_CONFIG names; a flag "
                   "goes first, then the environment. A secret can also be in the file that EXPORT_SECTION_KEY_FILE "
                   "names. `exportctl config show` prints the values in force.",
                   0, 0);
    uex_buffer_append_text(out, "\n");
    uex_config_help(out);
}
