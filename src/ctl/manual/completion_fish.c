/* SPDX-License-Identifier: Apache-2.0 */
/* completion: the script for fish. Source: fish documentation, "complete". */
#include "ctl/manual/completion.h"

static const char head[] =
    "# fish completion for exportctl. Made by `exportctl completion fish`; a file exportctl.fish in\n"
    "# ~/.config/fish/completions, or: exportctl completion fish | source\n"
    "function __exportctl_words --description 'the words of the command line that are no options'\n"
    "    set -l is_value 0\n"
    "    for word in (commandline -opc)[2..-1]\n"
    "        if test $is_value = 1\n"
    "            set is_value 0\n"
    "        else if contains -- $word ";

static const char after_values[] = "\n"
                                   "            set is_value 1\n"
                                   "        else if not string match -q -- '-*' $word\n"
                                   "            echo $word\n"
                                   "        end\n"
                                   "    end\n"
                                   "end\n"
                                   "function __exportctl_is --description 'the words are exactly these'\n"
                                   "    set -l words (__exportctl_words)\n"
                                   "    test \"$words\" = \"$argv\"\n"
                                   "end\n"
                                   "function __exportctl_begins --description 'the words begin with these'\n"
                                   "    set -l words (__exportctl_words)\n"
                                   "    string match -q -- \"$argv *\" \"$words \"\n"
                                   "end\n"
                                   "function __exportctl_runs\n"
                                   "    echo last\n"
                                   "    set -l program (commandline -opc)[1]\n"
                                   "    $program" UEX_COMPLETION_RUNS "\n"
                                   "end\n"
                                   "complete -c exportctl -f\n";

static void append_quoted(const char *text, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "'");
    for (; *text != 0; text++) {
        if (*text == '\'' || *text == '\\')
            uex_buffer_append_text(out, "\\");
        uex_buffer_append(out, text, 1);
    }
    uex_buffer_append_text(out, "'");
}

/* A word that may come when the words so far are exactly `words`. */
static void append_word(const char *words, size_t words_bytes, const char *word, size_t word_bytes, const char *meaning,
                        struct uex_buffer *out)
{
    uex_buffer_append_format(out, "complete -c exportctl -n \"__exportctl_is '%.*s'\" -a '%.*s' -d ", (int)words_bytes,
                             words, (int)word_bytes, word);
    append_quoted(meaning, out);
    uex_buffer_append_text(out, "\n");
}

/* An option; `condition` NULL: of every subcommand. */
static void append_option(const char *condition, const char *name, enum uex_value_kind kind, const char *choices,
                          const char *meaning, struct uex_buffer *out)
{
    uex_buffer_append_text(out, "complete -c exportctl");
    if (condition != NULL)
        uex_buffer_append_format(out, " -n \"__exportctl_begins '%s'\"", condition);
    uex_buffer_append_format(out, " -l '%s'%s", name + 2, strcmp(name, "--output") == 0 ? " -s o" : "");
    switch (kind) {
    case UEX_VALUE_NONE:
        break;
    case UEX_VALUE_ANY:
        uex_buffer_append_text(out, " -x");
        break;
    case UEX_VALUE_FILE:
        uex_buffer_append_text(out, " -r -F");
        break;
    case UEX_VALUE_CHOICES:
        uex_buffer_append_format(out, " -x -a '%s'", choices);
        break;
    case UEX_VALUE_ERROR:
        uex_buffer_append_text(out, " -x -a '");
        uex_completion_errors(out);
        uex_buffer_append_text(out, "'");
        break;
    case UEX_VALUE_RUN:
        uex_buffer_append_text(out, " -x -a '(__exportctl_runs)'");
        break;
    }
    uex_buffer_append_text(out, " -d ");
    append_quoted(meaning, out);
    uex_buffer_append_text(out, "\n");
}

static void append_options(const char *condition, const struct uex_option *options, struct uex_buffer *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        struct uex_buffer choices = {0};

        if (options->value_name != NULL)
            uex_completion_choices(options->value_name, &choices);
        append_option(condition, options->name, uex_completion_kind(options), uex_buffer_text(&choices), options->help,
                      out);
        out->failed = out->failed || uex_buffer_failed(&choices);
        uex_buffer_clear(&choices);
    }
}

static void append_words(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    for (const struct uex_subcommand *row = subcommands; row->name != NULL; row++) {
        const size_t length = strcspn(row->name, " ");
        const char *meaning = row->brief != NULL ? row->brief : row->summary;

        if (!uex_subcommand_is_again(subcommands, row)) {
            append_word("", 0, row->name, length, meaning, out);
            append_word("help", 4, row->name, length, meaning, out);
        }
        if (row->name[length] != 0)
            append_word(row->name, length, row->name + length + 1, strlen(row->name) - length - 1, row->summary, out);
    }
    append_word("help", 4, "settings", 8, "every setting with its default", out);
    for (const struct uex_completion *shell = uex_completions; shell->shell != NULL; shell++)
        append_word("completion", 10, shell->shell, strlen(shell->shell), "the script for this shell", out);
}

void uex_completion_fish(const struct uex_subcommand *subcommands, struct uex_buffer *out)
{
    struct uex_completion_setting setting;

    uex_buffer_append_text(out, head);
    uex_completion_valued(subcommands, " ", out);
    uex_buffer_append_text(out, after_values);
    append_words(subcommands, out);
    for (const struct uex_subcommand *row = subcommands; row->name != NULL; row++)
        append_options(row->name, row->options, out);
    append_options(NULL, uex_common_options, out);
    append_option(NULL, "--config", UEX_VALUE_FILE, NULL, "read settings from this INI file", out);
    append_option(NULL, "--help", UEX_VALUE_NONE, NULL, "show the usage and exit", out);
    append_option(NULL, "--version", UEX_VALUE_NONE, NULL, "show the version and exit", out);
    for (size_t i = 0; uex_completion_setting(i, &setting); i++)
        append_option(NULL, setting.option, setting.choices[0] == 0 ? UEX_VALUE_ANY : UEX_VALUE_CHOICES,
                      setting.choices, setting.help, out);
}
