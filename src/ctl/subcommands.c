/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/subcommands.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/output.h"

#define WORD_SIZE 32

int uex_subcommand_word_count(const struct uex_subcommand *subcommand)
{
    return strchr(subcommand->name, ' ') == NULL ? 1 : 2;
}

const char *uex_option_alias(const struct uex_option *option)
{
    return strcmp(option->name, "--output") == 0 ? ", -o" : "";
}

static bool is_valued(const struct uex_option *options, const char *argument)
{
    for (; options != NULL && options->name != NULL; options++)
        if (options->value_name != NULL && strcmp(options->name, argument) == 0)
            return true;
    return false;
}

/* Does this flag take the next argument as its value, wherever it stands? */
static bool takes_next(const struct uex_subcommand *subcommands, const char *argument)
{
    if (strncmp(argument, "--", 2) != 0 || strchr(argument, '=') != NULL)
        return false;
    if (strchr(argument, '.') != NULL || strcmp(argument, "--config") == 0 || strcmp(argument, "--output") == 0 ||
        strcmp(argument, "--profile") == 0 || is_valued(uex_common_options, argument))
        return true;
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        if (is_valued(subcommand->options, argument))
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

/* ---- the command line with the long name of --output */

static char *long_form(const char *argument)
{
    char *text = NULL;

    if (strncmp(argument, "-o", 2) != 0)
        return strdup(argument);
    argument += 2;
    return asprintf(&text, "--output%s%s", *argument == 0 || *argument == '=' ? "" : "=", argument) < 0 ? NULL : text;
}

char **uex_arguments_expand(const struct uex_subcommand *subcommands, int argument_count, char *const *arguments)
{
    char **copy = calloc((size_t)argument_count + 1, sizeof(*copy));
    bool is_value = false, has_ended = false;

    for (int i = 0; i < argument_count && copy != NULL; i++) {
        copy[i] = is_value || has_ended ? strdup(arguments[i]) : long_form(arguments[i]);
        if (copy[i] == NULL) {
            uex_arguments_free(copy);
            return NULL;
        }
        has_ended = has_ended || (!is_value && strcmp(arguments[i], "--") == 0);
        is_value = !is_value && takes_next(subcommands, copy[i]);
    }
    return copy;
}

void uex_arguments_free(char **arguments)
{
    for (char **argument = arguments; argument != NULL && *argument != NULL; argument++)
        free(*argument);
    free(arguments);
}

/* ---- finding */

bool uex_subcommand_begins(const struct uex_subcommand *subcommand, const char *first_word, size_t size_bytes)
{
    return strcspn(subcommand->name, " ") == size_bytes && strncmp(subcommand->name, first_word, size_bytes) == 0;
}

bool uex_subcommand_is_again(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand)
{
    for (const struct uex_subcommand *earlier = subcommands; earlier != subcommand; earlier++)
        if (uex_subcommand_begins(earlier, subcommand->name, strcspn(subcommand->name, " ")))
            return true;
    return false;
}

static bool is_named(const struct uex_subcommand *subcommand, const char *first, const char *second)
{
    size_t length = strlen(first);

    if (!uex_subcommand_begins(subcommand, first, length))
        return false;
    return subcommand->name[length] == 0 || (second != NULL && strcmp(subcommand->name + length + 1, second) == 0);
}

const char *uex_subcommand_second_word(const struct uex_subcommand *subcommands, int argument_count,
                                       char *const *arguments)
{
    int first = next_word(subcommands, 0, argument_count, arguments);
    int second = first == argument_count ? first : next_word(subcommands, first + 1, argument_count, arguments);

    return second == argument_count ? NULL : arguments[second];
}

const struct uex_subcommand *uex_subcommand_find(const struct uex_subcommand *subcommands, int argument_count,
                                                 char *const *arguments, const char **first_word)
{
    int first = next_word(subcommands, 0, argument_count, arguments);
    const char *second = uex_subcommand_second_word(subcommands, argument_count, arguments);

    *first_word = first == argument_count ? NULL : arguments[first];
    for (const struct uex_subcommand *subcommand = subcommands; *first_word != NULL && subcommand->name != NULL;
         subcommand++)
        if (is_named(subcommand, *first_word, second))
            return subcommand;
    return NULL;
}

/* ---- what was perhaps meant */

static bool is_close(const char *word, const char *name)
{
    const char *const names[] = {name, NULL};

    return strcmp(word, name) == 0 || uex_program_closest(word, names) != NULL;
}

/* How well a row fits the words: 3 both, 2 the first, 1 the second stands first, 0 not at all. */
static int fitness(const struct uex_subcommand *subcommand, const char *first_word, const char *second_word)
{
    const char *second = strchr(subcommand->name, ' ');
    char first[WORD_SIZE];
    bool is_first = false;

    snprintf(first, sizeof(first), "%.*s", (int)strcspn(subcommand->name, " "), subcommand->name);
    is_first = is_close(first_word, first);
    if (is_first && second != NULL && second_word != NULL && is_close(second_word, second + 1))
        return 3;
    if (is_first)
        return 2;
    return second != NULL && strcmp(first_word, second + 1) == 0 ? 1 : 0; /* "replay" without its "dlq" */
}

void uex_subcommand_guess(const struct uex_subcommand *subcommands, const char *first_word, const char *second_word,
                          struct uex_buffer *out)
{
    const struct uex_subcommand *best = NULL;
    const char *separator = "";
    int most = 0;

    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        int found = fitness(subcommand, first_word, second_word);

        if (found > most)
            best = subcommand;
        most = found > most ? found : most;
    }
    if (most == 3)
        uex_buffer_append_text(out, best->name);
    if (most == 2)
        uex_buffer_append(out, best->name, strcspn(best->name, " "));
    /* Several may have this second word. */
    for (const struct uex_subcommand *subcommand = subcommands; most == 1 && subcommand->name != NULL; subcommand++) {
        if (fitness(subcommand, first_word, second_word) != 1)
            continue;
        uex_buffer_append_format(out, "%s%s", separator, subcommand->name);
        separator = " or ";
    }
}

bool uex_subcommand_is_first(const struct uex_subcommand *subcommands, const char *first_word)
{
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        if (uex_subcommand_begins(subcommand, first_word, strlen(first_word)))
            return true;
    return false;
}

/* Of `dlq`: " list, show, replay or discard". */
static void append_second_words(const struct uex_subcommand *subcommands, const char *first_word,
                                struct uex_buffer *out)
{
    const struct uex_subcommand *found = NULL;
    const size_t length = strlen(first_word);

    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        if (!uex_subcommand_begins(subcommand, first_word, length))
            continue;
        if (found != NULL)
            uex_buffer_append_format(out, "%s %s", out->size_bytes == 0 ? "" : ",", found->name + length + 1);
        found = subcommand;
    }
    if (found != NULL)
        uex_buffer_append_format(out, "%s %s", out->size_bytes == 0 ? "" : " or", found->name + length + 1);
}

int uex_subcommand_unknown(const struct uex_subcommand *subcommands, const char *first_word, const char *second_word)
{
    struct uex_buffer guess = {0}, seconds = {0};
    const char *open = "", *close = "";

    if (first_word == NULL) {
        uex_output_error("no subcommand given; see exportctl --help");
        return UEX_EXIT_USAGE;
    }
    uex_subcommand_guess(subcommands, first_word, second_word, &guess);
    if (uex_subcommand_is_first(subcommands, first_word)) {
        append_second_words(subcommands, first_word, &seconds);
        if (strcmp(uex_buffer_text(&guess), first_word) != 0 && guess.size_bytes > 0) {
            open = " (did you mean ";
            close = "?)";
        } else {
            uex_buffer_reset(&guess);
        }
        uex_output_error("%.60s needs one of%s%s%s%s; see exportctl %.60s --help", first_word,
                         uex_buffer_text(&seconds), open, uex_buffer_text(&guess), close, first_word);
    } else if (guess.size_bytes > 0) {
        uex_output_error("unknown subcommand '%.60s'; did you mean %s? See exportctl --help", first_word,
                         uex_buffer_text(&guess));
    } else {
        uex_output_error("unknown subcommand '%.60s'; see exportctl --help", first_word);
    }
    uex_buffer_clear(&guess);
    uex_buffer_clear(&seconds);
    return UEX_EXIT_USAGE;
}
