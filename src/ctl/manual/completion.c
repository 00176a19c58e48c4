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
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} before='' first='' second='' verb='' "
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

static size_t first_length(const struct uex_verb *verb)
{
    return strcspn(verb->name, " ");
}

/* Does an earlier row begin with the same word? */
static bool is_first_again(const struct uex_verb *verbs, const struct uex_verb *verb)
{
    size_t length = first_length(verb);

    for (const struct uex_verb *earlier = verbs; earlier != verb; earlier++)
        if (first_length(earlier) == length && strncmp(earlier->name, verb->name, length) == 0)
            return true;
    return false;
}

/* "--config | --output | …": whatever takes a value in any verb, so that the value is not taken for a word. */
static void append_value_options(const struct uex_verb *verbs, struct uex_buffer *out)
{
    struct uex_buffer seen = {0};
    char pattern[80];

    uex_buffer_append_text(&seen, "        --config");
    for (const struct uex_verb *verb = verbs; verb->name != NULL; verb++) {
        for (const struct uex_option *option = verb->options; option->name != NULL; option++) {
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
static void append_values(const struct uex_verb *verb, struct uex_buffer *out)
{
    for (const struct uex_option *option = verb->options; option->name != NULL; option++) {
        const char *bar = option->value_name == NULL ? NULL : strchr(option->value_name, '|');

        if (option->value_name == NULL)
            continue;
        uex_buffer_append_format(out, "    '%s %s')\n", verb->name, option->name);
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

static void append_options(const struct uex_verb *verb, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "    '%s') options='", verb->name);
    for (const struct uex_option *option = verb->options; option->name != NULL; option++)
        uex_buffer_append_format(out, "%s ", option->name);
    uex_buffer_append_text(out, COMMON_OPTIONS "' ;;\n");
}

/* The second words of the verbs that begin with this word. */
static void append_second_words(const struct uex_verb *first, struct uex_buffer *out)
{
    size_t length = first_length(first);
    bool is_open = false;

    for (const struct uex_verb *verb = first; verb->name != NULL; verb++) {
        if (first_length(verb) != length || strncmp(verb->name, first->name, length) != 0 || verb->name[length] == 0)
            continue;
        if (!is_open)
            uex_buffer_append_format(out, "    %.*s) verb=\"$first $second\" words='", (int)length, first->name);
        uex_buffer_append_format(out, "%s%s", is_open ? " " : "", verb->name + length + 1);
        is_open = true;
    }
    if (is_open)
        uex_buffer_append_text(out, "' ;;\n");
}

void uex_completion_bash(const struct uex_verb *verbs, struct uex_buffer *out)
{
    const char *separator = "";

    uex_buffer_append_text(out, head);
    append_value_options(verbs, out);
    uex_buffer_append_text(out, after_values);
    uex_buffer_append_text(out, "    local options='" COMMON_OPTIONS "' words='' firsts='");
    for (const struct uex_verb *verb = verbs; verb->name != NULL; verb++) {
        if (is_first_again(verbs, verb))
            continue;
        uex_buffer_append_format(out, "%s%.*s", separator, (int)first_length(verb), verb->name);
        separator = " ";
    }
    uex_buffer_append_text(out, "'\n    case $first in\n");
    for (const struct uex_verb *verb = verbs; verb->name != NULL; verb++)
        if (!is_first_again(verbs, verb))
            append_second_words(verb, out);
    uex_buffer_append_text(out, "    completion) verb=completion words=bash ;;\n"
                                "    *) verb=$first ;;\n"
                                "    esac\n"
                                "    case \"$verb $prev\" in\n"
                                "    *' --config')\n"
                                "        compopt -o filenames\n"
                                "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                                "        return\n"
                                "        ;;\n");
    for (const struct uex_verb *verb = verbs; verb->name != NULL; verb++)
        append_values(verb, out);
    uex_buffer_append_text(out, "    esac\n    case $verb in\n");
    for (const struct uex_verb *verb = verbs; verb->name != NULL; verb++)
        append_options(verb, out);
    uex_buffer_append_text(out, "    esac\n");
    uex_buffer_append_text(out, tail);
}
