/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/apply.c — one value from one place goes into the configuration, or a problem is written. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/check.h"
#include "config/file.h"
#include "config/kafka.h"
#include "config/load.h"
#include "export/text.h"

const char *uex_config_source_name(enum uex_config_source source)
{
    static const char *const names[] = {"default", "file", "environment", "flag"};

    return names[source];
}

static void append_place(struct uex_buffer *out, const struct uex_config_place *place)
{
    switch (place->source) {
    case UEX_SOURCE_DEFAULT:
        break;
    case UEX_SOURCE_FILE:
        uex_buffer_append_format(out, " (file %s", place->name);
        if (place->line > 0)
            uex_buffer_append_format(out, ", line %zu", place->line);
        uex_buffer_append_text(out, ")");
        break;
    case UEX_SOURCE_ENVIRONMENT:
        uex_buffer_append_format(out, " (environment variable %s)", place->name);
        break;
    case UEX_SOURCE_FLAG:
        uex_buffer_append_format(out, " (flag --%s)", place->name);
        break;
    }
}

void uex_config_problem(struct uex_config_loader *loader, const struct uex_config_place *place, const char *key,
                        const char *format, ...)
{
    char text[1024];
    va_list arguments;

    /* Somebody who passes a file of another kind need not read all its lines here. */
    if (loader->problem_count == UEX_CONFIG_PROBLEMS_MAX)
        uex_buffer_append_text(loader->problems, "and more\n");
    if (loader->problem_count++ >= UEX_CONFIG_PROBLEMS_MAX)
        return;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    va_end(arguments);
    if (key != NULL)
        uex_buffer_append_format(loader->problems, "%s: ", key);
    uex_buffer_append_text(loader->problems, text);
    append_place(loader->problems, place);
    uex_buffer_append_text(loader->problems, "\n");
}

static void report_unknown(struct uex_config_loader *loader, const struct uex_config_place *place, const char *key)
{
    struct uex_buffer closest = {0};

    if (loader->problem_count < UEX_CONFIG_PROBLEMS_MAX && uex_config_closest(key, &closest))
        uex_config_problem(loader, place, key, "unknown setting; did you mean %s?", uex_buffer_text(&closest));
    else if (uex_buffer_failed(&closest))
        loader->broken = UEX_NO_MEMORY;
    else
        uex_config_problem(loader, place, key, "unknown setting");
    uex_buffer_clear(&closest);
}

static void apply_kafka(struct uex_config_loader *loader, const struct uex_config_place *place, const char *key,
                        const char *text)
{
    const char *name = key + strlen(UEX_KAFKA_PREFIX);
    bool secret = uex_kafka_secret(name);
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (uex_kafka_refusal(name) != NULL) {
        uex_config_problem(loader, place, key, "may not be set: %s", uex_kafka_refusal(name));
        return;
    }
    if (strcmp(name, "group.instance.id") == 0 && place->source == UEX_SOURCE_FILE) {
        uex_config_problem(loader, place, key,
                           "may not be set in a file: workers that share it would fence each other; each needs its own,"
                           " by flag or environment");
        return;
    }
    err = uex_kafka_name_valid(name) ? uex_kafka_check(name, text, &fault) : UEX_NOT_FOUND;
    if (err == UEX_NOT_FOUND) {
        report_unknown(loader, place, key);
    } else if (err == UEX_NO_MEMORY) {
        loader->broken = err;
    } else if (err != UEX_OK) {
        /* librdkafka's sentence quotes the value. */
        uex_config_problem(loader, place, key, "librdkafka refuses the value%s%s", secret ? "" : ": ",
                           secret ? "" : fault.text);
    } else if (!secret && !uex_utf8_valid(uex_bytes_of_text(text))) {
        uex_config_problem(loader, place, key, "the value is not UTF-8");
    } else if (strcmp(name, "group.id") == 0 && !uex_check_kafka_group(text)) {
        uex_config_problem(loader, place, key, "allowed: 1 to 200 bytes without control characters");
    } else {
        err = uex_kafka_keep(loader->config, name, text, uex_config_source_name(place->source));
        if (err == UEX_LIMIT)
            uex_config_problem(loader, place, key, "more than %d properties", UEX_KAFKA_PROPERTIES_MAX);
        else if (err != UEX_OK)
            loader->broken = err;
    }
}

static void report_refused(struct uex_config_loader *loader, const struct uex_config_place *place,
                           const struct uex_setting *setting, const char *text)
{
    struct uex_buffer value = {0};
    struct uex_buffer allowed = {0};

    if (setting->secret)
        uex_buffer_append_text(&value, "the value");
    else
        uex_config_quote(text, &value);
    uex_setting_allowed(setting, &allowed);
    if (uex_buffer_failed(&value) || uex_buffer_failed(&allowed))
        loader->broken = UEX_NO_MEMORY;
    else
        uex_config_problem(loader, place, setting->key, "%s is not allowed; allowed: %s", uex_buffer_text(&value),
                           uex_buffer_text(&allowed));
    uex_buffer_clear(&value);
    uex_buffer_clear(&allowed);
}

static void apply_setting(struct uex_config_loader *loader, const struct uex_config_place *place,
                          const struct uex_setting *setting, const char *text)
{
    struct uex_config_origin *origin = &loader->config->origins[setting - uex_settings];
    struct uex_buffer worked_out = {0};
    char *copy = NULL;
    enum uex_error err = UEX_OK;

    if (*text == '\0' && setting->work_out != NULL) {
        setting->work_out(loader->environment, &worked_out);
        text = uex_buffer_text(&worked_out);
    }
    err = uex_buffer_failed(&worked_out) ? UEX_NO_MEMORY : uex_setting_store(setting, loader->config, text);
    if (err == UEX_CONFIG) {
        report_refused(loader, place, setting, text);
    } else if (err == UEX_OK) {
        copy = setting->secret ? NULL : uex_text_copy(uex_bytes_of_text(text));
        if (copy == NULL && !setting->secret)
            err = UEX_NO_MEMORY;
        free(origin->text);
        *origin = (struct uex_config_origin){.text = copy, .source = place->source};
    }
    if (err != UEX_OK && err != UEX_CONFIG)
        loader->broken = err;
    uex_buffer_clear(&worked_out);
}

/* Why a value cannot be meant; NULL: it can. Quotes of a password in a file may belong to it: its author wrote them. */
static const char *fault_of(const struct uex_config_place *place, const struct uex_setting *setting,
                            enum uex_given_kind kind, const char *value)
{
    /* uex_setting_store() checks what is no secret, and shows it; librdkafka checks its own properties. */
    bool checked_later = setting != NULL ? !setting->secret : kind == UEX_GIVEN_LINE;
    /* A key may be any bytes: `openssl rand -base64 64` writes two lines, and another key would hash differently. */
    bool any_text = setting != NULL && setting->any_text && place->own_file;

    if (uex_given_quoted(kind, value) && kind != UEX_GIVEN_FREE)
        return UEX_GIVEN_QUOTED;
    if (uex_given_quoted(kind, value) && place->source != UEX_SOURCE_FILE && !place->own_file)
        return UEX_GIVEN_QUOTED "; where they do belong to it, give it in a file";
    if (checked_later || any_text || !uex_given_has_control(kind, value))
        return NULL;
    return kind == UEX_GIVEN_WORDS ? UEX_GIVEN_CONTROL_AMONG_WORDS : UEX_GIVEN_CONTROL;
}

/* What somebody gave, without what it picked up on its way here. */
static void apply_given(struct uex_config_loader *loader, const struct uex_config_place *place,
                        const struct uex_setting *setting, const char *key, const char *text)
{
    enum uex_given_kind kind = uex_given_kind_of(setting, key);
    char *value = uex_text_copy(uex_bytes_of(text, uex_given_bytes(kind, text)));
    const char *fault = NULL;

    if (value == NULL) {
        loader->broken = UEX_NO_MEMORY;
        return;
    }
    fault = fault_of(place, setting, kind, value);
    if (fault != NULL) {
        uex_config_problem(loader, place, key, "%s", fault);
        goto done;
    }
    if (uex_given_quoted(kind, value))
        uex_buffer_append_format(loader->warnings, "%s: the value in the file is in quotes; they are part of it\n",
                                 key);
    if (setting != NULL)
        apply_setting(loader, place, setting, value);
    else
        apply_kafka(loader, place, key, value);
done:
    uex_secret_free(value);
}

void uex_config_apply(struct uex_config_loader *loader, const struct uex_config_place *place, const char *key,
                      const char *text)
{
    const struct uex_setting *setting = uex_setting_find(key);

    if (loader->broken != UEX_OK)
        return;
    if (setting == NULL && strncmp(key, UEX_KAFKA_PREFIX, strlen(UEX_KAFKA_PREFIX)) != 0)
        report_unknown(loader, place, key);
    else if (strlen(text) > UEX_CONFIG_VALUE_MAX_BYTES)
        uex_config_problem(loader, place, key, "the value is longer than %zu bytes", UEX_CONFIG_VALUE_MAX_BYTES);
    else if (place->source == UEX_SOURCE_DEFAULT && setting != NULL)
        apply_setting(loader, place, setting, text);
    else
        apply_given(loader, place, setting, key, text);
}

enum uex_given_kind uex_given_kind_of(const struct uex_setting *setting, const char *key)
{
    size_t size_bytes = strlen(key);

    if (setting != NULL && setting->sql_name)
        return UEX_GIVEN_SQL;
    if (setting != NULL)
        return setting->free_text ? UEX_GIVEN_FREE : setting->words ? UEX_GIVEN_WORDS : UEX_GIVEN_LINE;
    /* ssl.ca.pem, ssl.certificate.pem, ssl.key.pem and those to come. */
    if (size_bytes > 4 && strcmp(key + size_bytes - 4, ".pem") == 0)
        return UEX_GIVEN_LINES;
    return uex_kafka_secret(key) || strcmp(key, UEX_KAFKA_PREFIX "sasl.username") == 0 ? UEX_GIVEN_FREE
                                                                                       : UEX_GIVEN_LINE;
}

static size_t without_line_ends(const char *text)
{
    size_t size_bytes = strlen(text);

    while (size_bytes > 0 && (text[size_bytes - 1] == '\n' || text[size_bytes - 1] == '\r'))
        size_bytes--;
    return size_bytes;
}

size_t uex_given_bytes(enum uex_given_kind kind, const char *text)
{
    return kind == UEX_GIVEN_LINES ? strlen(text) : without_line_ends(text);
}

/* One pair of quotes around all of it. With more of them inside it is a text that has quotes of its own: the command
 * line of sasl.kerberos.kinit.cmd, for example. */
static bool in_quotes_of(const char *text, char quote)
{
    size_t size_bytes = without_line_ends(text);

    return size_bytes >= 2 && text[0] == quote && text[size_bytes - 1] == quote &&
           memchr(text + 1, quote, size_bytes - 2) == NULL;
}

bool uex_given_quoted(enum uex_given_kind kind, const char *text)
{
    return in_quotes_of(text, '\'') || (kind != UEX_GIVEN_SQL && in_quotes_of(text, '"'));
}

static bool is_between_words(enum uex_given_kind kind, char character)
{
    return kind == UEX_GIVEN_WORDS && (character == '\n' || character == '\r' || character == '\t');
}

bool uex_given_has_control(enum uex_given_kind kind, const char *text)
{
    size_t size_bytes = kind == UEX_GIVEN_LINES ? 0 : uex_given_bytes(kind, text);

    for (size_t i = 0; i < size_bytes; i++) {
        if (((unsigned char)text[i] < 0x20 && !is_between_words(kind, text[i])) || text[i] == 0x7f)
            return true;
    }
    return false;
}
