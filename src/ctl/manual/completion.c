/* SPDX-License-Identifier: Apache-2.0 */
/* completion: the script for bash. */
#include "ctl/manual/manual.h"

#include <stdio.h>

#define COMMON_OPTIONS "--config --help --version"

static const char head[] =
    "# bash completion for exportctl. Made by `exportctl completion bash`; this loads it: source <(exportctl "
    "completion "
    "bash)\n"
    "_exportctl() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} before='' first='' second='' "
    "subcommand='' "
    "choices='' word i\n"
    "    COMPREPLY=()\n"
    "    # bash takes --name=value apart at the '='.\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=''\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $before in\n";

static const char after_values[] = ") ;;\n"
                                   "        *)\n"
                                   "            case $word in\n"
                                   "            -* | =) ;;\n"
                                   "            *) if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then "
                                   "second=$word; fi ;;\n"
                                   "            esac\n"
                                   "            ;;\n"
                                   "        esac\n"
                                   "        [[ $word == = ]] || before=$word\n"
                                   "    done\n";

static const char tail[] = "    if [[ $cur == -* ]]; then\n"
                           "        choices=$options\n"
                           "    elif [[ -z $first ]]; then\n"
                           "        choices=$firsts\n"
                           "    elif [[ -z $second ]]; then\n"
                           "        choices=$words\n"
                           "    fi\n"
                           "    mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$cur\")\n"
                           "} &&\n"
                           "    complete -F _exportctl exportctl\n";

static size_t first_length(const struct uex_subcommand *subcommand)
{
    return strcspn(subcommand->name, " ");
}

/* Does an earlier row begin with the same word? */
static bool is_first_again(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand)
{
    size_t length = first_length(subcommand);

    for (const struct uex_subcommand *earlier = subcommands; earlier != subcommand; earlier++)
        if (first_length(earlier) == length && strncmp(earlier->name, subcommand->name, length) == 0)
            return true;
    return false;
}

/* "--config | --output | …": whatever takes a value in any subcommand, so that the value is not taken for a word. */
static void append_value_options(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    struct uex_buffer seen = {0};
    char pattern[80];

    uex_buffer_append_text(&seen, "        --config");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        for (const struct uex_option *option = subcommand->options; option->name != NULL; option++) {
            snprintf(pattern, sizeof(pattern), " | %s", option->name);
            /* A name may be the beginning of another, which only repeats it. */
            if (option->value_name != NULL && strstr(uex_buffer_text(&seen), pattern) == NULL)
                uex_buffer_append_text(&seen, pattern);
        }
    }
    uex_buffer_append_buffer(out, &seen);
    uex_buffer_clear(&seen);
}

/* What stands behind an option: "table|json" is a choice, FILE a file, anything else cannot be guessed. */
static void append_values(const struct uex_subcommand *subcommand, struct uex_buffer *out)
{
    for (const struct uex_option *option = subcommand->options; option->name != NULL; option++) {
        const char *bar = option->value_name == NULL ? NULL : strchr(option->value_name, '|');

        if (option->value_name == NULL)
            continue;
        uex_buffer_append_format(out, "    '%s %s')\n", subcommand->name, option->name);
        if (strncmp(option->value_name, "FILE", 4) == 0) {
            uex_buffer_append_text(out, "        compopt -o filenames\n"
                                        "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n");
        } else if (bar != NULL) {
            uex_buffer_append_text(out, "        mapfile -t COMPREPLY < <(compgen -W '");
            for (const char *at = option->value_name; *at != 0; at++)
                uex_buffer_append(out, *at == '|' ? " " : at, 1);
            uex_buffer_append_text(out, "' -- \"$cur\")\n");
        }
        uex_buffer_append_text(out, "        return\n        ;;\n");
    }
}

static void append_options(const struct uex_subcommand *subcommand, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "    '%s') options='", subcommand->name);
    for (const struct uex_option *option = subcommand->options; option->name != NULL; option++)
        uex_buffer_append_format(out, "%s ", option->name);
    uex_buffer_append_text(out, COMMON_OPTIONS "' ;;\n");
}

/* The second words of the subcommands that begin with this word. */
static void append_second_words(const struct uex_subcommand *first, struct uex_buffer *out)
{
    size_t length = first_length(first);
    bool is_open = false;

    for (const struct uex_subcommand *subcommand = first; subcommand->name != NULL; subcommand++) {
        if (first_length(subcommand) != length || strncmp(subcommand->name, first->name, length) != 0 ||
            subcommand->name[length] == 0)
            continue;
        if (!is_open)
            uex_buffer_append_format(out, "    %.*s) subcommand=\"$first $second\" words='", (int)length, first->name);
        uex_buffer_append_format(out, "%s%s", is_open ? " " : "", subcommand->name + length + 1);
        is_open = true;
    }
    if (is_open)
        uex_buffer_append_text(out, "' ;;\n");
}

void uex_completion_bash(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    const char *separator = "";

    uex_buffer_append_text(out, head);
    append_value_options(subcommands, out);
    uex_buffer_append_text(out, after_values);
    uex_buffer_append_text(out, "    local options='" COMMON_OPTIONS "' words='' firsts='");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        if (is_first_again(subcommands, subcommand))
            continue;
        uex_buffer_append_format(out, "%s%.*s", separator, (int)first_length(subcommand), subcommand->name);
        separator = " ";
    }
    uex_buffer_append_text(out, "'\n    case $first in\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        if (!is_first_again(subcommands, subcommand))
            append_second_words(subcommand, out);
    uex_buffer_append_text(out, "    completion) subcommand=completion words=bash ;;\n"
                                "    *) subcommand=$first ;;\n"
                                "    esac\n"
                                "    case \"$subcommand $prev\" in\n"
                                "    *' --config')\n"
                                "        compopt -o filenames\n"
                                "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                                "        return\n"
                                "        ;;\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        append_values(subcommand, out);
    uex_buffer_append_text(out, "    esac\n    case $subcommand in\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        append_options(subcommand, out);
    uex_buffer_append_text(out, "    esac\n");
    uex_buffer_append_text(out, tail);
}
