/* SPDX-License-Identifier: Apache-2.0 */
/* exportctl: the operators' tool. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/output.h"
#include "ctl/subcommands.h"
#include "kafka/client.h"

static void help(struct uex_buffer *out, int argument_count, char *const *arguments)
{
    const char *first_word = NULL;
    const struct uex_subcommand *subcommand =
        uex_subcommand_find(uex_subcommands, argument_count, arguments, &first_word);

    uex_subcommand_help(uex_subcommands, subcommand, first_word, out);
}

/* Of `dlq`: " list, show, replay or discard"; nothing for a word that no subcommand begins with. */
static void append_second_words(const char *first_word, struct uex_buffer *out)
{
    const struct uex_subcommand *found = NULL;

    for (const struct uex_subcommand *subcommand = uex_subcommands; subcommand->name != NULL; subcommand++) {
        const size_t length = strcspn(subcommand->name, " ");

        if (strlen(first_word) != length || strncmp(subcommand->name, first_word, length) != 0)
            continue;
        if (found != NULL)
            uex_buffer_append_format(out, "%s %s", out->size_bytes == 0 ? "" : ",", found->name + length + 1);
        found = subcommand;
    }
    if (found != NULL)
        uex_buffer_append_format(out, " or %s", found->name + strlen(first_word) + 1);
}

/* The first word that was perhaps meant; NULL: none is close. */
static const char *closest_first_word(const char *word, char *out, size_t out_size)
{
    const char *names[2] = {NULL}, *found = NULL;

    for (const struct uex_subcommand *subcommand = uex_subcommands; subcommand->name != NULL && found == NULL;
         subcommand++) {
        snprintf(out, out_size, "%.*s", (int)strcspn(subcommand->name, " "), subcommand->name);
        names[0] = out;
        found = uex_program_closest(word, names);
    }
    return found;
}

/* Wrong usage: no known subcommand. */
static int no_subcommand(const char *first_word)
{
    struct uex_buffer words = {0};
    char closest[32];

    if (first_word != NULL)
        append_second_words(first_word, &words);
    if (first_word == NULL)
        uex_output_error("no subcommand given; see exportctl --help");
    else if (words.size_bytes > 0)
        uex_output_error("%.60s needs one of%s; see exportctl %.60s --help", first_word, uex_buffer_text(&words),
                         first_word);
    else if (closest_first_word(first_word, closest, sizeof(closest)) != NULL)
        uex_output_error("unknown subcommand '%.60s'; did you mean %s? See exportctl --help", first_word, closest);
    else
        uex_output_error("unknown subcommand '%.60s'; see exportctl --help", first_word);
    uex_buffer_clear(&words);
    return UEX_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *first_word = NULL;
    const struct uex_subcommand *subcommand = uex_subcommand_find(uex_subcommands, argc - 1, argv + 1, &first_word);
    struct uex_program program = {.name = "exportctl",
                                  .kafka_judge = uex_kafka_judge_property,
                                  .help = help,
                                  .takes_operands = true,
                                  .for_people = true};
    struct uex_config config = {0};
    char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    int operand_count = 0, words = 0, code = UEX_EXIT_FAILED;

    if (operands == NULL)
        return code;
    if (subcommand != NULL) {
        program.options = subcommand->options;
        program.needs = subcommand->needs;
        program.check = subcommand->check;
        program.report = subcommand->report;
        words = uex_subcommand_word_count(subcommand);
    } else if (!uex_program_asks(argc, argv)) {
        code = no_subcommand(first_word);
        goto done;
    }
    if (!uex_program_start(&program, argc, argv, &config, &operand_count, operands, &code))
        goto done;
    if (operand_count > words && subcommand->operands == NULL) {
        uex_output_error("%s takes no operands, but '%.60s' was given", subcommand->name, operands[words]);
        code = UEX_EXIT_USAGE;
        goto done;
    }
    /* A subcommand reports a failure itself, in one line; warnings of libraries would only repeat it. */
    if (config.log_level == UEX_LOG_INFO || config.log_level == UEX_LOG_WARN)
        uex_log_setup(program.name, UEX_LOG_ERROR, config.log_format);
    uex_program_catch_signals();
    code = subcommand->run(&config, operand_count - words, operands + words);
done:
    uex_config_clear(&config);
    free(operands);
    return code;
}
