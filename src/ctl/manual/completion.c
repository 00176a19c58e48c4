/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/manual/completion.h"

#include <stdio.h>

#include "config/table.h"

const struct uex_completion uex_completions[] = {
    {"bash", uex_completion_bash}, {"zsh", uex_completion_zsh}, {"fish", uex_completion_fish}, {0}};

enum uex_value_kind uex_completion_kind(const struct uex_option *option)
{
    if (option->value_name == NULL)
        return UEX_VALUE_NONE;
    if (strcmp(option->name, "--run") == 0)
        return UEX_VALUE_RUN;
    if (strncmp(option->value_name, "FILE", 4) == 0)
        return UEX_VALUE_FILE;
    if (strchr(option->value_name, '|') != NULL)
        return UEX_VALUE_CHOICES;
    return strcmp(option->value_name, "CODE") == 0 ? UEX_VALUE_ERROR : UEX_VALUE_ANY;
}

void uex_completion_choices(const char *value_name, struct uex_buffer *out)
{
    for (; *value_name != 0; value_name++)
        uex_buffer_append(out, *value_name == '|' ? " " : value_name, 1);
}

void uex_completion_errors(struct uex_buffer *out)
{
    const char *separator = "";

    for (int error = 0; error < UEX_ERROR_COUNT; error++) {
        if (uex_error_disposition((enum uex_error)error) == UEX_DISPOSITION_NONE)
            continue;
        uex_buffer_append_format(out, "%s%s", separator, uex_error_code((enum uex_error)error));
        separator = " ";
    }
}

static bool is_there(const struct uex_buffer *names, const char *name)
{
    const size_t length = strlen(name);
    const char *at = uex_buffer_text(names);

    while ((at = strstr(at, name)) != NULL) {
        /* No name holds a character of a separator. */
        if (at[length] == 0 || strchr(" |", at[length]) != NULL)
            return true;
        at += length;
    }
    return false;
}

static void add_valued(const struct uex_option *options, const char *separator, struct uex_buffer *names)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (options->value_name == NULL || is_there(names, options->name))
            continue;
        uex_buffer_append_format(names, "%s%s", separator, options->name);
    }
}

void uex_completion_valued(const struct uex_subcommand *subcommands, const char *separator, struct uex_buffer *out)
{
    struct uex_buffer names = {0};

    uex_buffer_append_format(&names, "--config%s-o", separator);
    add_valued(uex_common_options, separator, &names);
    for (const struct uex_subcommand *subcommand = subcommands; subcommand->name != NULL; subcommand++)
        add_valued(subcommand->options, separator, &names);
    uex_buffer_append_buffer(out, &names);
    uex_buffer_clear(&names);
}

/* The properties of librdkafka that most people set. */
static const struct {
    const char *key, *choices, *help;
} kafka[] = {
    {"kafka.bootstrap.servers", "", "the brokers: host:port, ..."},
    {"kafka.group.id", "", "the consumer group of the workers"},
    {"kafka.security.protocol", "plaintext|ssl|sasl_plaintext|sasl_ssl", "how brokers are spoken to"},
    {"kafka.sasl.mechanism", "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER|GSSAPI", "how to log in"},
    {"kafka.sasl.username", "", "who logs in"},
    {"kafka.ssl.ca.location", "", "the file of certificate authorities"},
};
#define KAFKA_COUNT (sizeof(kafka) / sizeof(kafka[0]))

static const char *choices_of(const struct uex_setting *setting)
{
    if (setting->type == UEX_SETTING_BOOLEAN)
        return "true|false";
    return setting->type == UEX_SETTING_CHOICE ? setting->allowed : "";
}

bool uex_completion_setting(size_t index, struct uex_completion_setting *out)
{
    const struct uex_setting *setting = NULL;

    if (index >= KAFKA_COUNT + uex_setting_count)
        return false;
    if (index >= KAFKA_COUNT)
        setting = &uex_settings[index - KAFKA_COUNT];
    snprintf(out->option, sizeof(out->option), "--%s", setting == NULL ? kafka[index].key : setting->key);
    snprintf(out->choices, sizeof(out->choices), "%s", setting == NULL ? kafka[index].choices : choices_of(setting));
    for (char *at = out->choices; *at != 0; at++)
        *at = *at == '|' ? ' ' : *at;
    out->help = setting == NULL ? kafka[index].help : setting->help;
    return true;
}
