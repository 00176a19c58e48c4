/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/subcommands.h — the subcommands of exportctl, one row each. Command line, --help, manual page and completion
 * come from the table. */
#ifndef EXPORT_CTL_SUBCOMMANDS_H
#define EXPORT_CTL_SUBCOMMANDS_H

#include "export/program.h"

/* A command line, and what it is for. A table of them ends with a zeroed row. */
struct uex_example {
    const char *command; /* "exportctl status g-17" */
    const char *what;
};

#define UEX_BRIEF_MAX 48 /* a line of the overview has 80 columns */

struct uex_subcommand {
    const char *name;     /* one word, or two with a space: "topics check" */
    const char *operands; /* "GROUP…"; NULL: the subcommand takes none */
    const char *summary;  /* one sentence */
    const char *brief;    /* at most UEX_BRIEF_MAX characters for the overview, once for each first word */
    const char *details;  /* more for --help and the manual, as lines; NULL: nothing */
    const struct uex_example *examples; /* NULL: none */
    const struct uex_option *options;
    unsigned needs;                                                              /* enum uex_config_need */
    void (*check)(const struct uex_config *config, struct uex_buffer *problems); /* as in struct uex_program */
    void (*report)(const struct uex_buffer *problems);                           /* as in struct uex_program */
    /* Do it; returns the exit code. `operands` are the words behind the subcommand. */
    int (*run)(const struct uex_config *config, int operand_count, char **operands);
    bool ignores_config; /* as in struct uex_program */
};

/* Ends with a zeroed row. */
extern const struct uex_subcommand uex_subcommands[];
/* What every subcommand takes besides its own options. Ends with a zeroed row. */
extern const struct uex_option uex_common_options[];
/* ", -o" for --output, which has the only short name; else "". */
const char *uex_option_alias(const struct uex_option *option);

/* A copy of the command line in which "-o X", "-oX" and "-o=X" are --output. NULL: no memory. Freed with
 * uex_arguments_free(). */
char **uex_arguments_expand(const struct uex_subcommand *subcommands, int argument_count, char *const *arguments);
void uex_arguments_free(char **arguments);

/* The subcommand that the arguments name, NULL if none. Settings, --config and --output may stand before it.
 * `*first_word` is the first word that is no flag (NULL: there is none), for the error message. */
const struct uex_subcommand *uex_subcommand_find(const struct uex_subcommand *subcommands, int argument_count,
                                                 char *const *arguments, const char **first_word);
/* The second word that is no flag; NULL: there is none. */
const char *uex_subcommand_second_word(const struct uex_subcommand *subcommands, int argument_count,
                                       char *const *arguments);
/* How many words the subcommand's name has. */
int uex_subcommand_word_count(const struct uex_subcommand *subcommand);
/* Is this its first word? */
bool uex_subcommand_begins(const struct uex_subcommand *subcommand, const char *first_word, size_t size_bytes);
/* Does an earlier row begin with the same word? */
bool uex_subcommand_is_again(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand);
/* Does any subcommand begin with this word? */
bool uex_subcommand_is_first(const struct uex_subcommand *subcommands, const char *first_word);
/* Report on stderr that these words (NULL: not given) are no subcommand, and what was perhaps meant. Returns
 * UEX_EXIT_USAGE. */
int uex_subcommand_unknown(const struct uex_subcommand *subcommands, const char *first_word, const char *second_word);
/* Append what somebody who wrote these words (the second NULL: there is none) may have meant: "dlq replay". Nothing if
 * nothing is close. */
void uex_subcommand_guess(const struct uex_subcommand *subcommands, const char *first_word, const char *second_word,
                          struct uex_buffer *out);
/* --help: of the subcommand, of the subcommands that begin with `first_word`, or of all. */
void uex_subcommand_help(const struct uex_subcommand *subcommands, const struct uex_subcommand *subcommand,
                         const char *first_word, struct uex_buffer *out);
/* All settings, and where they can be set. */
void uex_settings_help(struct uex_buffer *out);

void uex_config_check_settings(const struct uex_config *config, struct uex_buffer *problems);
int uex_config_check_run(const struct uex_config *config, int operand_count, char **operands);
void uex_config_check_report(const struct uex_buffer *problems);
int uex_config_show_run(const struct uex_config *config, int operand_count, char **operands);
int uex_topics_check_run(const struct uex_config *config, int operand_count, char **operands);
int uex_topics_create_run(const struct uex_config *config, int operand_count, char **operands);
int uex_topics_grow_run(const struct uex_config *config, int operand_count, char **operands);
int uex_doctor_run(const struct uex_config *config, int operand_count, char **operands);
int uex_dlq_list_run(const struct uex_config *config, int operand_count, char **operands);
int uex_dlq_show_run(const struct uex_config *config, int operand_count, char **operands);
int uex_dlq_replay_run(const struct uex_config *config, int operand_count, char **operands);
int uex_dlq_discard_run(const struct uex_config *config, int operand_count, char **operands);
int uex_forget_run(const struct uex_config *config, int operand_count, char **operands);
int uex_retry_list_run(const struct uex_config *config, int operand_count, char **operands);
int uex_trigger_run(const struct uex_config *config, int operand_count, char **operands);
void uex_trigger_check(const struct uex_config *config, struct uex_buffer *problems);
int uex_run_list_run(const struct uex_config *config, int operand_count, char **operands);
int uex_run_show_run(const struct uex_config *config, int operand_count, char **operands);
int uex_run_wait_run(const struct uex_config *config, int operand_count, char **operands);
int uex_run_finish_run(const struct uex_config *config, int operand_count, char **operands);
void uex_run_finish_check(const struct uex_config *config, struct uex_buffer *problems);
int uex_verify_run(const struct uex_config *config, int operand_count, char **operands);
void uex_verify_check_config(const struct uex_config *config, struct uex_buffer *problems);
int uex_export_run(const struct uex_config *config, int operand_count, char **operands);
void uex_export_check(const struct uex_config *config, struct uex_buffer *problems);
int uex_schema_run(const struct uex_config *config, int operand_count, char **operands);
int uex_report_run(const struct uex_config *config, int operand_count, char **operands);
void uex_report_check(const struct uex_config *config, struct uex_buffer *problems);
int uex_status_run(const struct uex_config *config, int operand_count, char **operands);
#endif
