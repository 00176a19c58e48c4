/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/subcommands.h"

#include <stdio.h>

#define NAME_WIDTH 32 /* of the column of names */

#define UEX_EXIT_CODES_HELP                                                                                            \
    "\nExit codes: 0 done; 1 the work failed; 2 wrong usage or configuration; 3 a dependency could not be reached "    \
    "within\nstartup.timeout; 4 --timeout ran out.\n"

int uex_subcommand_word_count(const struct uex_subcommand *subcommand)
{
    return strchr(subcommand->name, ' ') == NULL ? 1 : 2;
}

/* Does this flag take the next argument as its value, wherever it stands? */
static bool takes_next(const struct uex_subcommand *subcommands, const char *argument)
{
    if (strncmp(argument, "--", 2) != 0 || strchr(argument, '=') != NULL)
        return false;
    if (strchr(argument, '.') != NULL || strcmp(argument, "--config") == 0 || strcmp(argument, "--output") == 0 ||
        strcmp(argument, "--profile") == 0)
        return true;
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        for (const struct uex_option *option = subcommand->options; option != NULL && option->name != NULL; option++)
            if (option->value_name != NULL && strcmp(option->name, argument) == 0)
                return true;
    return false;
}

/* The index of the first word at or behind `from` that is no flag; `count` if there is none. */
static int next_word(const struct uex_subcommand *subcommands, int from, int count, char *const *arguments)
{
    int i = from;

    while (i < count && arguments[i][0] == '-')
        i += takes_next(subcommands, arguments[i]) ? 2 : 1;
    return i < count ? i : count;
}

static bool is_named(const struct uex_subcommand *subcommand, const char *first, const char *second)
{
    size_t length = strcspn(subcommand->name, " ");

    if (strlen(first) != length || strncmp(subcommand->name, first, length) != 0)
        return false;
    return subcommand->name[length] == 0 || (second != NULL && strcmp(subcommand->name + length + 1, second) == 0);
}

const struct uex_subcommand *uex_subcommand_find(const struct uex_subcommand *subcommands, int argument_count,
                                                 char *const *arguments, const char **first_word)
{
    int first = next_word(subcommands, 0, argument_count, arguments);
    int second = first == argument_count ? first : next_word(subcommands, first + 1, argument_count, arguments);

    *first_word = first == argument_count ? NULL : arguments[first];
    for (const struct uex_subcommand *subcommand = subcommands; *first_word != NULL && subcommand->name != NULL;
         subcommand++)
        if (is_named(subcommand, *first_word, second == argument_count ? NULL : arguments[second]))
            return subcommand;
    return NULL;
}

static void help_of_one(const struct uex_subcommand *subcommand, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "Usage: exportctl %s%s%s [OPTION…]\n\n%s\n", subcommand->name,
                             subcommand->operands == NULL ? "" : " ",
                             subcommand->operands == NULL ? "" : subcommand->operands, subcommand->summary);
    if (subcommand->details != NULL)
        uex_buffer_append_format(out, "\n%s\n", subcommand->details);
    uex_buffer_append_text(out, "\nOptions:\n");
    uex_options_help(subcommand->options, out);
    if (subcommand->examples != NULL)
        uex_buffer_append_text(out, "\nExamples:\n");
    for (const struct uex_example *example = subcommand->examples; example != NULL && example->command != NULL;
         example++)
        uex_buffer_append_format(out, "  %s\n      %s\n", example->command, example->what);
    uex_buffer_append_text(out, UEX_EXIT_CODES_HELP);
}

/* Characters, not bytes, and at most the column's. */
static int width_of(const char *name)
{
    int width = 0;

    for (; *name != 0; name++)
        width += ((unsigned char)*name & 0xc0) != 0x80;
    return width < NAME_WIDTH ? width : NAME_WIDTH;
}

void uex_subcommand_help(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand,
                         const char *first_word, struct uex_buffer *out)
{
    size_t before_bytes = 0;
    char name[80];
    int pass = 0;

    if (subcommand != NULL) {
        help_of_one(subcommand, out);
        return;
    }
    uex_buffer_append_text(
        out, "Usage: exportctl SUBCOMMAND [OPTION…]\n\nThe operators' tool of users-export.\n\nSubcommands:\n");
    before_bytes = out->size_bytes;
    for (; pass < 2 && out->size_bytes == before_bytes; pass++) {
        for (subcommand = subcommands; subcommand->name != NULL; subcommand++) {
            size_t length = strcspn(subcommand->name, " ");

            /* First those that begin with the word; where there is none, all. */
            if (pass == 0 && first_word != NULL &&
                (strlen(first_word) != length || strncmp(subcommand->name, first_word, length) != 0))
                continue;
            snprintf(name, sizeof(name), "%s%s%s", subcommand->name, subcommand->operands == NULL ? "" : " ",
                     subcommand->operands == NULL ? "" : subcommand->operands);
            uex_buffer_append_format(out, "  %s%*s %s\n", name, NAME_WIDTH - width_of(name), "", subcommand->summary);
        }
    }
    if (pass == 1 && first_word != NULL) {
        uex_buffer_append_text(out, "\n`exportctl SUBCOMMAND --help` shows the options of a subcommand, `exportctl "
                                    "--help` all subcommands and settings.\n");
        return;
    }
    uex_buffer_append_text(
        out, "\n`exportctl SUBCOMMAND --help` shows the options of a subcommand.\n\nSettings, each also as "
             "EXPORT_SECTION_KEY in the environment or in the file of --config FILE or "
             "EXPORT_CONFIG:\n");
    uex_config_help(out);
    uex_buffer_append_text(out, UEX_EXIT_CODES_HELP);
}
