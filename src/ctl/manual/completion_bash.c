/* SPDX-License-Identifier: Apache-2.0 */
/* completion: the script for bash. Source: Bash Reference Manual, Programmable Completion. */
#include "ctl/manual/completion.h"

#define ALWAYS "--config --help --version"

static const char head[] =
    "# bash completion for exportctl. Made by `exportctl completion bash`; this loads it: source <(exportctl "
    "completion bash)\n"
    "_exportctl_runs() {\n"
    "    printf 'last\\n'\n"
    "    \"${COMP_WORDS[0]}\"" UEX_COMPLETION_RUNS "\n"
    "}\n"
    "_exportctl() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} before='' first='' second='' "
    "subcommand='' choices='' word i\n"
    "    COMPREPLY=()\n"
    "    # bash takes --name=value apart at the '='.\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=''\n"
    "    elif [[ $prev == = ]]; then\n"
    "        prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    [[ $prev != -o ]] || prev=--output\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $before in\n"
    "        ";

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

/* Settings are many: they are offered once something of their name stands there. */
static const char tail[] = "    if [[ $cur == -* ]]; then\n"
                           "        choices=$options\n"
                           "        [[ ${#cur} -le 2 ]] || choices+=\" $settings\"\n"
                           "    elif [[ -z $first ]]; then\n"
                           "        choices=$firsts\n"
                           "    elif [[ -z $second ]]; then\n"
                           "        choices=$words\n"
                           "    fi\n"
                           "    mapfile -t COMPREPLY < <(compgen -W \"$choices\" -- \"$cur\")\n"
                           "    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then\n"
                           "        compopt -o nospace\n"
                           "    fi\n"
                           "} &&\n"
                           "    complete -F _exportctl exportctl\n";

/* What stands behind an option or a setting; `subcommand` is its name, or "*" for any. */
static void append_value(const char *subcommand, const char *name, enum uex_value_kind kind, const char *choices,
                         struct uex_buffer *out)
{
    if (kind == UEX_VALUE_NONE)
        return;
    if (subcommand == NULL)
        uex_buffer_append_format(out, "    *' %s')\n", name);
    else
        uex_buffer_append_format(out, "    '%s %s')\n", subcommand, name);
    if (kind == UEX_VALUE_FILE)
        uex_buffer_append_text(out, "        compopt -o filenames\n"
                                    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n");
    else if (kind == UEX_VALUE_CHOICES)
        uex_buffer_append_format(out, "        mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n", choices);
    else if (kind == UEX_VALUE_ERROR)
        uex_buffer_append_text(out, "        mapfile -t COMPREPLY < <(compgen -W \"$errors\" -- \"$cur\")\n");
    else if (kind == UEX_VALUE_RUN)
        uex_buffer_append_text(out,
                               "        mapfile -t COMPREPLY < <(compgen -W \"$(_exportctl_runs)\" -- \"$cur\")\n");
    uex_buffer_append_text(out, "        return\n        ;;\n");
}

static void append_values(const char *subcommand, const struct uex_option *options, struct uex_buffer *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        struct uex_buffer choices = {0};

        if (options->value_name != NULL)
            uex_completion_choices(options->value_name, &choices);
        append_value(subcommand, options->name, uex_completion_kind(options), uex_buffer_text(&choices), out);
        out->failed = out->failed || uex_buffer_failed(&choices);
        uex_buffer_clear(&choices);
    }
}

static void append_setting_values(struct uex_buffer *out)
{
    struct uex_completion_setting setting;

    for (size_t i = 0; uex_completion_setting(i, &setting); i++)
        if (setting.choices[0] != 0)
            append_value(NULL, setting.option, UEX_VALUE_CHOICES, setting.choices, out);
}

static void append_settings(struct uex_buffer *out)
{
    struct uex_completion_setting setting;

    uex_buffer_append_text(out, "    local settings='");
    for (size_t i = 0; uex_completion_setting(i, &setting); i++)
        uex_buffer_append_format(out, "%s%s=", i == 0 ? "" : " ", setting.option);
    uex_buffer_append_text(out, "'\n    local errors='");
    uex_completion_errors(out);
    uex_buffer_append_text(out, "'\n");
}

static void append_names(const struct uex_option *options, struct uex_buffer *out)
{
    for (; options != NULL && options->name != NULL; options++)
        uex_buffer_append_format(out, "%s ", options->name);
}

/* The second words of the subcommands that begin with this word. */
static void append_second_words(const struct uex_subcommand *first, struct uex_buffer *out)
{
    const size_t length = strcspn(first->name, " ");
    bool is_open = false;

    for (const struct uex_subcommand *subcommand = first; subcommand->name != NULL; subcommand++) {
        if (!uex_subcommand_begins(subcommand, first->name, length) || subcommand->name[length] == 0)
            continue;
        if (!is_open)
            uex_buffer_append_format(out, "    %.*s) subcommand=\"$first $second\" words='", (int)length, first->name);
        uex_buffer_append_format(out, "%s%s", is_open ? " " : "", subcommand->name + length + 1);
        is_open = true;
    }
    if (is_open)
        uex_buffer_append_text(out, "' ;;\n");
}

static void append_firsts(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    const char *separator = "";

    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        if (uex_subcommand_is_again(subcommands, subcommand))
            continue;
        uex_buffer_append_format(out, "%s%.*s", separator, (int)strcspn(subcommand->name, " "), subcommand->name);
        separator = " ";
    }
}

/* Which subcommand the words are, and which second words fit the first. */
static void append_words(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "    local options='");
    append_names(uex_common_options, out);
    uex_buffer_append_text(out, ALWAYS "' words='' firsts='");
    append_firsts(subcommands, out);
    uex_buffer_append_text(out, "'\n    case $first in\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        if (!uex_subcommand_is_again(subcommands, subcommand))
            append_second_words(subcommand, out);
    uex_buffer_append_text(out, "    help) subcommand=help words=\"$firsts settings\" ;;\n"
                                "    completion) subcommand=completion words='");
    for (const struct uex_completion *shell = uex_completions; shell->shell != NULL; shell++)
        uex_buffer_append_format(out, "%s%s", shell == uex_completions ? "" : " ", shell->shell);
    uex_buffer_append_text(out, "' ;;\n    *) subcommand=$first ;;\n    esac\n");
}

void uex_completion_bash(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    uex_buffer_append_text(out, head);
    uex_completion_valued(subcommands, " | ", out);
    uex_buffer_append_text(out, after_values);
    append_settings(out);
    append_words(subcommands, out);
    uex_buffer_append_text(out, "    case \"$subcommand $prev\" in\n");
    append_value(NULL, "--config", UEX_VALUE_FILE, NULL, out);
    append_values(NULL, uex_common_options, out);
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        append_values(subcommand->name, subcommand->options, out);
    append_setting_values(out);
    uex_buffer_append_text(out, "    esac\n    case $subcommand in\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        uex_buffer_append_format(out, "    '%s') options='", subcommand->name);
        append_names(subcommand->options, out);
        append_names(uex_common_options, out);
        uex_buffer_append_text(out, ALWAYS "' ;;\n");
    }
    uex_buffer_append_text(out, "    esac\n");
    uex_buffer_append_text(out, tail);
}
