/* SPDX-License-Identifier: Apache-2.0 */
/* exportctl: the operators' tool. */
#include <stdlib.h>

#include "ctl/output.h"
#include "ctl/verbs.h"
#include "kafka/client.h"

static void help(struct uex_buffer *out, int argument_count, char *const *arguments)
{
    const char *first_word = NULL;
    const struct uex_verb *verb = uex_verb_find(uex_verbs, argument_count, arguments, &first_word);

    uex_verb_help(uex_verbs, verb, first_word, out);
}

/* Of `dlq`: " list, show, replay or discard"; nothing for a word that no verb begins with. */
static void append_second_words(const char *first_word, struct uex_buffer *out)
{
    const struct uex_verb *found = NULL;

    for (const struct uex_verb *verb = uex_verbs; verb->name != NULL; verb++) {
        const size_t length = strcspn(verb->name, " ");

        if (strlen(first_word) != length || strncmp(verb->name, first_word, length) != 0)
            continue;
        if (found != NULL)
            uex_buffer_append_format(out, "%s %s", out->size_bytes == 0 ? "" : ",", found->name + length + 1);
        found = verb;
    }
    if (found != NULL)
        uex_buffer_append_format(out, " or %s", found->name + strlen(first_word) + 1);
}

/* Wrong usage: nothing was named that could be done. */
static int no_verb(const char *first_word)
{
    struct uex_buffer words = {0};

    if (first_word != NULL)
        append_second_words(first_word, &words);
    if (first_word == NULL)
        uex_output_complain("what is to be done? exportctl --help shows the verbs");
    else if (words.size_bytes > 0)
        uex_output_complain("%.60s takes one of%s behind it; exportctl %.60s --help says more", first_word,
                            uex_buffer_text(&words), first_word);
    else
        uex_output_complain("there is no verb '%.60s'; exportctl --help shows the verbs", first_word);
    uex_buffer_clear(&words);
    return UEX_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *first_word = NULL;
    const struct uex_verb *verb = uex_verb_find(uex_verbs, argc - 1, argv + 1, &first_word);
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
    if (verb != NULL) {
        program.options = verb->options;
        program.needs = verb->needs;
        program.check = verb->check;
        program.say = verb->say;
        words = uex_verb_word_count(verb);
    } else if (!uex_program_asks(argc, argv)) {
        code = no_verb(first_word);
        goto done;
    }
    if (!uex_program_start(&program, argc, argv, &config, &operand_count, operands, &code))
        goto done;
    if (operand_count > words && verb->operands == NULL) {
        uex_output_complain("%s takes no words: '%.60s'", verb->name, operands[words]);
        code = UEX_EXIT_USAGE;
        goto done;
    }
    /* What a library has to say stands in the one line that the verb says itself. */
    if (config.log_level == UEX_LOG_INFO || config.log_level == UEX_LOG_WARN)
        uex_log_setup(program.name, UEX_LOG_ERROR, config.log_format);
    uex_program_catch_signals();
    code = verb->run(&config, operand_count - words, operands + words);
done:
    uex_config_clear(&config);
    free(operands);
    return code;
}
