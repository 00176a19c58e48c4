/* SPDX-License-Identifier: Apache-2.0 */
/* exportctl: the operators' tool. */
#include <stdlib.h>

#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "kafka/client.h"

#define OPTIONS_MAX 48

static void help(struct uex_buffer *out, int argument_count, char *const *arguments)
{
    const char *first_word = NULL;
    const struct uex_subcommand *subcommand =
        uex_subcommand_find(uex_subcommands, argument_count, arguments, &first_word);

    uex_subcommand_help(uex_subcommands, subcommand, first_word, out);
}

/* What every subcommand takes stands behind its own options. False: too many. */
static bool join_options(const struct uex_option *own, struct uex_option *out, size_t room)
{
    size_t count = 0;

    for (; own->name != NULL && count + 1 < room; own++)
        out[count++] = *own;
    for (const struct uex_option *common = uex_common_options; common->name != NULL && count + 1 < room; common++)
        out[count++] = *common;
    out[count] = (struct uex_option){0};
    return count + 1 < room;
}

/* The options of every subcommand take effect. UEX_CONFIG: one of them has no such value, reported. */
static enum uex_error apply_common(struct uex_config *config)
{
    enum uex_error err = uex_screen_setup(uex_ctl_options.color, uex_ctl_options.wide);

    if (err != UEX_OK)
        return err;
    return uex_option_duration("--wait-for", uex_ctl_options.wait_for, config->startup_timeout_ms,
                               &config->startup_timeout_ms);
}

static int run_subcommand(const struct uex_subcommand *subcommand, struct uex_config *config, int operand_count,
                          char **operands)
{
    const int words = uex_subcommand_word_count(subcommand);

    if (apply_common(config) != UEX_OK)
        return UEX_EXIT_USAGE;
    if (operand_count > words && subcommand->operands == NULL) {
        uex_output_error("%s takes no operands, but '%.60s' was given", subcommand->name, operands[words]);
        return UEX_EXIT_USAGE;
    }
    /* A subcommand reports a failure itself, in one line; warnings of libraries would only repeat it. */
    if (config->log_level == UEX_LOG_INFO || config->log_level == UEX_LOG_WARN)
        uex_log_setup("exportctl", UEX_LOG_ERROR, config->log_format);
    uex_program_catch_signals();
    uex_kafka_give_up_when_refused();
    return subcommand->run(config, operand_count - words, operands + words);
}

static int start(int argc, char **argv)
{
    const char *first_word = NULL;
    const struct uex_subcommand *subcommand = uex_subcommand_find(uex_subcommands, argc - 1, argv + 1, &first_word);
    struct uex_option options[OPTIONS_MAX];
    struct uex_program program = {.name = "exportctl",
                                  .kafka_judge = uex_kafka_judge_property,
                                  .help = help,
                                  .takes_operands = true,
                                  .for_people = true};
    struct uex_config config = {0};
    char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    int operand_count = 0, code = UEX_EXIT_FAILED;

    if (operands == NULL)
        return code;
    if (subcommand == NULL && !uex_program_asks(argc, argv)) {
        code = uex_subcommand_unknown(uex_subcommands, first_word,
                                      uex_subcommand_second_word(uex_subcommands, argc - 1, argv + 1));
        goto done;
    }
    if (subcommand != NULL) {
        if (!join_options(subcommand->options, options, OPTIONS_MAX))
            goto done;
        program.options = options;
        program.needs = subcommand->needs;
        program.check = subcommand->check;
        program.report = subcommand->report;
        program.ignores_config = subcommand->ignores_config;
    }
    if (uex_program_start(&program, argc, argv, &config, &operand_count, operands, &code))
        code = run_subcommand(subcommand, &config, operand_count, operands);
done:
    uex_config_clear(&config);
    free(operands);
    return code;
}

int main(int argc, char **argv)
{
    char **arguments = uex_arguments_expand(uex_subcommands, argc, argv);
    const int code = arguments == NULL ? UEX_EXIT_FAILED : start(argc, arguments);

    uex_arguments_free(arguments);
    return code;
}
