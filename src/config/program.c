/* SPDX-License-Identifier: Apache-2.0 */
#include "export/program.h"

#include "config/load.h"
#include "config/roff.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define OPTIONS_COMPARED_MAX 48

extern char **environ;

static void print(FILE *stream, const struct uex_buffer *text)
{
    fwrite(uex_buffer_text(text), 1, text->size_bytes, stream);
    fflush(stream);
}

void uex_program_report_problems(const struct uex_program *program, const struct uex_buffer *problems)
{
    const char *line = uex_buffer_text(problems);

    while (*line != 0) {
        size_t length = strcspn(line, "\n");

        if (length > 0 && program->for_people)
            fprintf(stderr, "%s: %.*s\n", program->name, (int)length, line);
        else if (length > 0)
            uex_log_format(UEX_LOG_ERROR, UEX_EVENT_CONFIG_INVALID, "%.*s", (int)length, line);
        line += length + (line[length] != 0);
    }
}

static void report_warnings(const struct uex_buffer *warnings)
{
    const char *line = uex_buffer_text(warnings);

    while (*line != 0) {
        size_t length = strcspn(line, "\n");

        if (length > 0)
            uex_log_format(UEX_LOG_WARN, UEX_EVENT_CONFIG_WARNING, "%.*s", (int)length, line);
        line += length + (line[length] != 0);
    }
}

static void write_help(const struct uex_program *program, struct uex_buffer *out)
{
    uex_buffer_append_format(out, "Usage: %s\n\n%s\n\nOptions:\n", program->synopsis, program->summary);
    uex_options_help(program->options, out);
    uex_buffer_append_text(out, "\nSettings, each also as EXPORT_SECTION_KEY in the environment or in the file of "
                                "--config FILE or EXPORT_CONFIG:\n");
    uex_config_help(out);
    uex_buffer_append_text(out,
                           "\nExit codes: 0 done; 1 the work failed; 2 wrong usage or configuration; 3 a dependency "
                           "could not be reached within\nstartup.timeout; 4 --timeout ran out.\n");
}

/* The first --help or --version (NULL: neither is there); "--" ends the flags. */
static const char *question(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
            strcmp(argv[i], "--help=man") == 0)
            return argv[i];
    return NULL;
}

bool uex_program_asks(int argc, char **argv)
{
    return question(argc, argv) != NULL;
}

/* --help and --version are answered whatever else is wrong. */
static bool answer_questions(const struct uex_program *program, int argc, char **argv, int *exit_code)
{
    const char *asked = question(argc, argv);
    struct uex_buffer text = {0};

    if (asked == NULL)
        return false;
    if (strcmp(asked, "--version") == 0)
        uex_buffer_append_format(&text, "%s %s\n", program->name, UEX_VERSION);
    else if (strcmp(asked, "--help=man") == 0 && program->help == NULL)
        uex_roff_program(program, &text);
    else if (program->help != NULL)
        program->help(&text, argc - 1, argv + 1);
    else
        write_help(program, &text);
    if (uex_buffer_failed(&text)) {
        fprintf(stderr, "%s: %s\n", program->name, uex_error_sentence(UEX_NO_MEMORY));
        *exit_code = UEX_EXIT_FAILED;
    } else {
        print(stdout, &text);
    }
    uex_buffer_clear(&text);
    return true;
}

/* Collect all mistakes of the command line and the configuration. */
static enum uex_error load(const struct uex_program *program, int *operand_count, char **operands,
                           struct uex_config *config, struct uex_buffer *problems, struct uex_buffer *warnings)
{
    enum uex_error err = UEX_OK;
    bool fits = true;

    uex_config_judge_kafka(program->kafka_judge);
    err = uex_config_load(config, operand_count, operands, environ, problems, warnings);
    if (program->ignores_config && err != UEX_NO_MEMORY) {
        uex_buffer_reset(problems);
        uex_buffer_reset(warnings);
        err = UEX_OK;
    }
    fits = uex_options_parse(program->options, operand_count, operands, problems);
    operands[*operand_count] = NULL;
    for (int i = 0; i < *operand_count && !program->takes_operands; i++) {
        uex_buffer_append_format(problems, "%s: unexpected argument; %s takes options only, see --help\n", operands[i],
                                 program->name);
        fits = false;
    }
    if (err == UEX_OK || err == UEX_CONFIG) {
        if (uex_config_require(config, program->needs, problems) != UEX_OK)
            fits = false;
        if (program->check != NULL)
            program->check(config, problems);
    }
    if (err == UEX_OK && (!fits || problems->size_bytes > 0))
        err = UEX_CONFIG;
    /* What could not be written down is unknown: a mistake that is not seen must not start the program. */
    if (uex_buffer_failed(problems) || uex_buffer_failed(warnings))
        err = UEX_NO_MEMORY;
    return err;
}

/* Memory and environment hold secrets and rows: no core dump of them, and no look into them for other processes of the
 * same user. A sanitizer has to look into its own process. */
static void keep_memory_private(void)
{
    const struct rlimit none = {0};

    (void)setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    (void)prctl(PR_SET_DUMPABLE, 0); /* a core_pattern that is a pipe does not heed the limit */
#endif
}

bool uex_program_start(const struct uex_program *program, int argc, char **argv, struct uex_config *config,
                       int *operand_count, char **operands, int *exit_code)
{
    struct uex_buffer problems = {0}, warnings = {0};
    enum uex_log_format format = UEX_LOG_JSON;
    enum uex_error err = UEX_OK;

    *exit_code = UEX_EXIT_DONE;
    (void)signal(SIGPIPE, SIG_IGN); /* stderr, stdout and connections of hiredis may have no reader any more */
    keep_memory_private();
    if (answer_questions(program, argc, argv, exit_code))
        return false;
    *operand_count = argc > 0 ? argc - 1 : 0;
    for (int i = 0; i < *operand_count; i++)
        operands[i] = argv[i + 1];
    operands[*operand_count] = NULL;
    uex_log_setup(program->name, UEX_LOG_INFO, format);
    err = load(program, operand_count, operands, config, &problems, &warnings);
    format = program->for_people && isatty(STDERR_FILENO) ? UEX_LOG_TEXT : config->log_format;
    uex_log_setup(program->name, config->log_level, format);
    report_warnings(&warnings);
    if (err == UEX_NO_MEMORY) /* the list is cut somewhere */
        uex_buffer_reset(&problems);
    else if (program->report != NULL)
        program->report(&problems);
    else
        uex_program_report_problems(program, &problems);
    if (err != UEX_OK && problems.size_bytes == 0)
        uex_log(UEX_LOG_ERROR, UEX_EVENT_START_FAILED, uex_error_sentence(err), UEX_STR("error", uex_error_code(err)));
    if (err != UEX_OK)
        *exit_code = uex_exit_of(err);
    uex_buffer_clear(&problems);
    uex_buffer_clear(&warnings);
    return err == UEX_OK;
}

static const struct uex_option *find_option(const struct uex_option *options, const char *argument, size_t length)
{
    for (; options != NULL && options->name != NULL; options++)
        if (strlen(options->name) == length && memcmp(options->name, argument, length) == 0)
            return options;
    return NULL;
}

static void report_unknown(const struct uex_option *options, const char *argument, size_t length,
                           struct uex_buffer *problems)
{
    /* The options that every program has come first. */
    const char *names[OPTIONS_COMPARED_MAX + 1] = {"--config", "--help", "--version"}, *closest = NULL;
    struct uex_buffer setting = {0};
    char name[64] = "";

    for (size_t i = 0, at = 3; at < OPTIONS_COMPARED_MAX && options != NULL && options[i].name != NULL; i++)
        names[at++] = options[i].name;
    if (length < sizeof(name)) {
        memcpy(name, argument, length);
        closest = uex_program_closest(name, names);
    }
    uex_buffer_append_format(problems, "%.*s: unknown option; ", (int)length, argument);
    if (closest != NULL)
        uex_buffer_append_format(problems, "did you mean %s?\n", closest);
    else if (strlen(name) > 4 && uex_config_closest(name + 2, &setting)) /* "--lanes", without its section */
        uex_buffer_append_format(problems, "did you mean --%s?\n", uex_buffer_text(&setting));
    else
        uex_buffer_append_text(problems, "--help shows the options\n");
    uex_buffer_clear(&setting);
}

/* Take one flag; `next` is the argument behind it (NULL: none). Returns how many arguments it used. */
static int read_option(const struct uex_option *options, char *argument, char *next, struct uex_buffer *problems)
{
    size_t length = strcspn(argument, "=");
    const struct uex_option *option = find_option(options, argument, length);
    const char *value = argument[length] == '=' ? argument + length + 1 : NULL;
    int used = 1;

    if (option == NULL) {
        report_unknown(options, argument, length, problems);
        return 1;
    }
    if (option->value_name == NULL && value != NULL)
        uex_buffer_append_format(problems, "%s: takes no value\n", option->name);
    if (option->value_name != NULL && value == NULL && next != NULL) {
        value = next;
        used = 2;
    }
    if (option->value_name != NULL && value == NULL)
        uex_buffer_append_format(problems, "%s: needs a value (%s)\n", option->name, option->value_name);
    if ((option->given != NULL && *option->given) || (option->value_name != NULL && *option->value != NULL))
        uex_buffer_append_format(problems, "%s: given more than once\n", option->name);
    if (option->given != NULL)
        *option->given = true;
    if (option->value_name != NULL)
        *option->value = value;
    return used;
}

bool uex_options_parse(const struct uex_option *options, int *argument_count, char **arguments,
                       struct uex_buffer *problems)
{
    size_t before_bytes = problems->size_bytes;
    int kept = 0, i = 0;

    while (i < *argument_count) {
        if (strcmp(arguments[i], "--") == 0) {
            for (i++; i < *argument_count; i++)
                arguments[kept++] = arguments[i];
        } else if (arguments[i][0] == '-' && arguments[i][1] != 0) {
            i += read_option(options, arguments[i], i + 1 < *argument_count ? arguments[i + 1] : NULL, problems);
        } else {
            arguments[kept++] = arguments[i++];
        }
    }
    *argument_count = kept;
    return problems->size_bytes == before_bytes;
}

void uex_options_help(const struct uex_option *options, struct uex_buffer *out)
{
    char left[64];

    for (; options != NULL && options->name != NULL; options++) {
        snprintf(left, sizeof(left), "%s%s%s", options->name, options->value_name == NULL ? "" : " ",
                 options->value_name == NULL ? "" : options->value_name);
        uex_buffer_append_format(out, "  %-28s %s\n", left, options->help);
    }
    uex_buffer_append_format(out, "  %-28s %s\n", "--config FILE", "read settings from this INI file");
    uex_buffer_append_format(out, "  %-28s %s\n", "--section.key=value", "one setting; overrides all other sources");
    uex_buffer_append_format(out, "  %-28s %s\n", "--help, --version", "show this, or the version, and exit");
}

struct uex_cancel uex_program_cancel;
static volatile sig_atomic_t signal_count;

static void on_signal(int number)
{
    if (signal_count++ > 0)
        _exit(128 + number);
    uex_cancel_request(&uex_program_cancel);
}

void uex_program_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static volatile sig_atomic_t hung_up;

static void on_hangup(int number)
{
    (void)number;
    hung_up = 1;
}

void uex_program_catch_hangup(void)
{
    struct sigaction action = {.sa_handler = on_hangup, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(SIGHUP, &action, NULL);
}

bool uex_program_hung_up(void)
{
    const bool asked = hung_up != 0;

    hung_up = 0;
    return asked;
}

int uex_exit_of(enum uex_error error)
{
    switch (error) {
    case UEX_OK:
        return UEX_EXIT_DONE;
    case UEX_CONFIG:
        return UEX_EXIT_USAGE;
    case UEX_TIMEOUT:
    case UEX_DB_UNAVAILABLE:
    case UEX_DB_CONNECTIONS:
    case UEX_DB_SILENT:
    case UEX_STORE_UNAVAILABLE:
    case UEX_KAFKA_UNAVAILABLE:
        return UEX_EXIT_UNREACHABLE;
    default:
        return UEX_EXIT_FAILED;
    }
}
