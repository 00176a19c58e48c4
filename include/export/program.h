/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/program.h — how the three programs start: --help, --version, configuration, log, exit codes.
 *
 * A program describes itself with one struct and calls uex_program_start() first in main(). Main thread only, except
 * uex_program_cancel.
 */
#ifndef EXPORT_PROGRAM_H
#define EXPORT_PROGRAM_H

#include "export/clock.h"
#include "export/config.h"

/* What the programs exit with. */
enum uex_exit {
    UEX_EXIT_DONE = 0,
    UEX_EXIT_FAILED = 1,      /* the work failed */
    UEX_EXIT_USAGE = 2,       /* wrong usage or configuration; nothing was done */
    UEX_EXIT_UNREACHABLE = 3, /* a dependency could not be reached within startup.timeout */
    UEX_EXIT_TIMEOUT = 4      /* --timeout of a waiting command ran out */
};

/* A flag of the program's own (settings are not among them). A table of them ends with a zeroed entry. */
struct uex_option {
    const char *name;       /* "--run" */
    const char *value_name; /* "ID"; NULL: the flag takes no value */
    const char *help;       /* one line */
    const char **value;     /* where the value goes (borrowed from the command line); for flags with a value */
    bool *given;            /* set when the flag is there; may be NULL for flags with a value */
};

struct uex_program {
    const char *name;                 /* "export-scheduler": in --version and as field "program" of log lines */
    const char *synopsis;             /* "export-scheduler [OPTION…]" */
    const char *summary;              /* one or a few sentences for --help */
    const struct uex_option *options; /* may be NULL */
    unsigned needs;                   /* enum uex_config_need */
    uex_kafka_judge kafka_judge;      /* uex_kafka_judge_property of src/kafka/client.h; may be NULL */
    /* Checks of modules above this one; adds a line to `problems` for each mistake. Called also with a configuration
     * that has mistakes already, so that all are reported at once. May be NULL. */
    void (*check)(const struct uex_config *config, struct uex_buffer *problems);
    /* Writes the whole --help text instead of the one made from the above; `arguments` are those of the command line.
     * May be NULL. */
    void (*help)(struct uex_buffer *out, int argument_count, char *const *arguments);
    /* Reports the mistakes (one a line; empty: there are none, and the start goes on) instead of stderr. May be NULL.
     */
    void (*report)(const struct uex_buffer *problems);
    bool ignores_config; /* works with any configuration: its mistakes are not reported */
    bool takes_operands; /* words that are not options are left to the program; otherwise they are a mistake */
    bool for_people;     /* a tool for operators: mistakes are plain lines, the log is text on a terminal */
};

/* Start: ignores SIGPIPE, answers --help, --help=man (its manual page) and --version (stdout), loads and checks the
 * configuration, reads the program's own flags, sets up the log. True: go on; `*operand_count` words are left at the
 * front of `operands` (which has room for argc + 1 pointers and ends with NULL). False: leave with `*exit_code`. All
 * mistakes are reported at once, on stderr. The caller clears `config` in any case. */
UEX_MUST_CHECK bool uex_program_start(const struct uex_program *program, int argc, char **argv,
                                      struct uex_config *config, int *operand_count, char **operands, int *exit_code);

/* Is --help, --help=man or --version among the arguments? */
bool uex_program_asks(int argc, char **argv);

/* Take the flags of the table out of `arguments` ("--run ID", "--run=ID"; "--" ends the flags and is taken out); what
 * is left stays in order and its count in `*argument_count`. A line in `problems` for each unknown flag, missing or
 * superfluous value and flag given twice. False if any. */
UEX_MUST_CHECK bool uex_options_parse(const struct uex_option *options, int *argument_count, char **arguments,
                                      struct uex_buffer *problems);
/* The name that a mistyped word may have meant; NULL: none is close. `names` ends with NULL. */
const char *uex_program_closest(const char *word, const char *const *names);
/* The options part of --help, one line each. */
void uex_options_help(const struct uex_option *options, struct uex_buffer *out);
/* Report lines of `problems` as log lines, or as plain lines for people. */
void uex_program_report_problems(const struct uex_program *program, const struct uex_buffer *problems);

/* Requested by SIGINT and SIGTERM once uex_program_catch_signals() was called; a second signal ends the process at once
 * with 128 + its number. */
extern struct uex_cancel uex_program_cancel;
/* Call before threads are started. */
void uex_program_catch_signals(void);
/* SIGHUP does not end the program from now on; has one come since the last question? */
void uex_program_catch_hangup(void);
bool uex_program_hung_up(void);

/* UEX_EXIT_UNREACHABLE for what could not be reached, UEX_EXIT_USAGE for UEX_CONFIG, else UEX_EXIT_FAILED. */
int uex_exit_of(enum uex_error error);
#endif
