/* SPDX-License-Identifier: Apache-2.0 */
/* completion: the script for zsh. Source: zshcompsys(1), zshcompwid(1). */
#include "ctl/manual/completion.h"

static const char head[] =
    "#compdef exportctl\n"
    "# zsh completion for exportctl. Made by `exportctl completion zsh`; a file _exportctl in a folder of $fpath, or:\n"
    "# source <(exportctl completion zsh)\n"
    "_exportctl_runs() {\n"
    "    local -a runs\n"
    "    runs=(last ${(f)\"$(${words[1]}" UEX_COMPLETION_RUNS ")\"})\n"
    "    compadd -a runs\n"
    "}\n"
    "_exportctl() {\n"
    "    local prev=${words[CURRENT-1]} cur=${words[CURRENT]} before='' first='' second='' subcommand='' word i\n"
    "    local -a flags settings seconds firsts\n"
    "    for ((i = 2; i < CURRENT; i++)); do\n"
    "        word=${words[i]}\n"
    "        case $before in\n"
    "        ";

static const char after_values[] = ") ;;\n"
                                   "        *)\n"
                                   "            case $word in\n"
                                   "            -*) ;;\n"
                                   "            *) if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then "
                                   "second=$word; fi ;;\n"
                                   "            esac\n"
                                   "            ;;\n"
                                   "        esac\n"
                                   "        before=$word\n"
                                   "    done\n"
                                   "    if [[ $cur == --*=* ]]; then\n"
                                   "        prev=${cur%%=*}\n"
                                   "        compset -P '*='\n"
                                   "    fi\n"
                                   "    [[ $prev != -o ]] || prev=--output\n";

/* Settings are many: they are offered once something of their name stands there. */
static const char tail[] = "    if [[ $cur == -* ]]; then\n"
                           "        _describe -o option flags\n"
                           "        [[ ${#cur} -le 2 ]] || _describe -o setting settings -S ''\n"
                           "    elif [[ -z $first ]]; then\n"
                           "        _describe subcommand firsts\n"
                           "    elif [[ -z $second ]]; then\n"
                           "        _describe word seconds\n"
                           "    fi\n"
                           "}\n"
                           "if [[ ${funcstack[1]} == _exportctl ]]; then\n"
                           "    _exportctl \"$@\"\n"
                           "else\n"
                           "    compdef _exportctl exportctl\n"
                           "fi\n";

/* 'name:what it means', as _describe wants it. */
static void append_described(const char *name, const char *suffix, const char *meaning, struct uex_buffer *out)
{
    uex_buffer_append_format(out, " '%s%s:", name, suffix);
    for (; *meaning != 0; meaning++) {
        if (*meaning == '\'')
            uex_buffer_append_text(out, "'\\'");
        else if (*meaning == ':' || *meaning == '\\')
            uex_buffer_append_text(out, "\\");
        uex_buffer_append(out, meaning, 1);
    }
    uex_buffer_append_text(out, "'");
}

static void append_options(const struct uex_option *options, struct uex_buffer *out)
{
    for (; options != NULL && options->name != NULL; options++)
        append_described(options->name, "", options->help, out);
}

static void append_value(const char *subcommand, const char *name, enum uex_value_kind kind, const char *choices,
                         struct uex_buffer *out)
{
    if (kind == UEX_VALUE_NONE)
        return;
    if (subcommand == NULL)
        uex_buffer_append_format(out, "    *' %s')", name);
    else
        uex_buffer_append_format(out, "    '%s %s')", subcommand, name);
    if (kind == UEX_VALUE_FILE)
        uex_buffer_append_text(out, " _files;");
    else if (kind == UEX_VALUE_CHOICES)
        uex_buffer_append_format(out, " compadd -- %s;", choices);
    else if (kind == UEX_VALUE_ERROR) {
        uex_buffer_append_text(out, " compadd -- ");
        uex_completion_errors(out);
        uex_buffer_append_text(out, ";");
    } else if (kind == UEX_VALUE_RUN)
        uex_buffer_append_text(out, " _exportctl_runs;");
    uex_buffer_append_text(out, " return ;;\n");
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

static void append_settings(struct uex_buffer *out)
{
    struct uex_completion_setting setting;

    uex_buffer_append_text(out, "    case \"$subcommand $prev\" in\n");
    for (size_t i = 0; uex_completion_setting(i, &setting); i++)
        if (setting.choices[0] != 0)
            append_value(NULL, setting.option, UEX_VALUE_CHOICES, setting.choices, out);
    uex_buffer_append_text(out, "    esac\n    settings=(");
    for (size_t i = 0; uex_completion_setting(i, &setting); i++)
        append_described(setting.option, "=", setting.help, out);
    uex_buffer_append_text(out, ")\n");
}

/* First words, and for each the second ones. */
static void append_words(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "    firsts=(");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        char word[32] = "";

        if (uex_subcommand_is_again(subcommands, subcommand))
            continue;
        strncat(word, subcommand->name, strcspn(subcommand->name, " ") < 31 ? strcspn(subcommand->name, " ") : 31);
        append_described(word, "", subcommand->brief != NULL ? subcommand->brief : subcommand->summary, out);
    }
    uex_buffer_append_text(out, ")\n    subcommand=$first\n    case $first in\n");
    for (const struct uex_subcommand *first = subcommands; first->name != NULL; first++) {
        const size_t length = strcspn(first->name, " ");

        if (uex_subcommand_is_again(subcommands, first) || first->name[length] == 0)
            continue;
        uex_buffer_append_format(out, "    %.*s) subcommand=\"$first $second\" seconds=(", (int)length, first->name);
        for (const struct uex_subcommand *row = first; row->name != NULL; row++)
            if (uex_subcommand_begins(row, first->name, length))
                append_described(row->name + length + 1, "", row->summary, out);
        uex_buffer_append_text(out, ") ;;\n");
    }
    uex_buffer_append_text(out, "    help) seconds=(${firsts[@]} 'settings:every setting with its default') ;;\n"
                                "    completion) seconds=(");
    for (const struct uex_completion *shell = uex_completions; shell->shell != NULL; shell++)
        append_described(shell->shell, "", "the script for this shell", out);
    uex_buffer_append_text(out, ") ;;\n    esac\n");
}

static void append_always(struct uex_buffer *out)
{
    append_options(uex_common_options, out);
    append_described("--config", "", "read settings from this INI file", out);
    append_described("--help", "", "show the usage and exit", out);
    append_described("--version", "", "show the version and exit", out);
}

void uex_completion_zsh(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    uex_buffer_append_text(out, head);
    uex_completion_valued(subcommands, " | ", out);
    uex_buffer_append_text(out, after_values);
    append_words(subcommands, out);
    uex_buffer_append_text(out, "    case \"$subcommand $prev\" in\n");
    append_value(NULL, "--config", UEX_VALUE_FILE, NULL, out);
    append_values(NULL, uex_common_options, out);
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        append_values(subcommand->name, subcommand->options, out);
    uex_buffer_append_text(out, "    esac\n");
    append_settings(out);
    uex_buffer_append_text(out, "    flags=(");
    append_always(out);
    uex_buffer_append_text(out, ")\n    case $subcommand in\n");
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++) {
        uex_buffer_append_format(out, "    '%s') flags+=(", subcommand->name);
        append_options(subcommand->options, out);
        uex_buffer_append_text(out, ") ;;\n");
    }
    uex_buffer_append_text(out, "    esac\n");
    uex_buffer_append_text(out, tail);
}
