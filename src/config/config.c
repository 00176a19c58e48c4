/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/config.c — all sources in their order: defaults, file, environment, flags. */
#include "export/config.h"

#include <stdlib.h>

#include "config/file.h"
#include "config/kafka.h"
#include "config/load.h"
#include "export/text.h"

#define DEFAULT_GROUP_ID "export-workers"

/* A setting on the command line. */
struct flag {
    char *key;
    const char *value; /* borrowed */
};

struct flags {
    struct flag *items;
    size_t count;
    const char *config_file; /* borrowed; NULL: no --config */
};

/* The length of the setting's name in "--section.key" or "--section.key=value"; 0: it is none of ours. */
static size_t flag_name_bytes(const char *argument)
{
    const char *name = argument + 2;
    size_t size_bytes = 0;

    if (strncmp(argument, "--", 2) != 0)
        return 0;
    size_bytes = strcspn(name, "=");
    if (memchr(name, '.', size_bytes) != NULL || strncmp(argument, "--config=", 9) == 0 ||
        strcmp(argument, "--config") == 0)
        return size_bytes;
    return strncmp(argument, "--profile=", 10) == 0 || strcmp(argument, "--profile") == 0 ? size_bytes : 0;
}

static bool flag_name_valid(const char *name, size_t size_bytes)
{
    static const char marks[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return size_bytes <= UEX_CONFIG_KEY_MAX_BYTES && strspn(name, marks) >= size_bytes;
}

static void apply_flag(struct uex_config_loader *loader, struct flags *flags, const char *argument, size_t name_bytes,
                       const char *value)
{
    char *key = uex_text_copy(uex_bytes_of(argument + 2, name_bytes));
    struct uex_config_place place = {.source = UEX_SOURCE_FLAG, .name = key};

    if (key == NULL) {
        loader->broken = UEX_NO_MEMORY;
        return;
    }
    if (value == NULL) {
        uex_config_problem(loader, &place, key, "needs a value; write --%s=VALUE if it begins with two dashes", key);
        free(key);
    } else if (strcmp(key, "config") == 0) {
        flags->config_file = value;
        free(key);
    } else {
        flags->items[flags->count++] = (struct flag){.key = key, .value = value};
    }
}

/* Take our flags out of the command line, leave the rest in its order. */
static void split_arguments(struct uex_config_loader *loader, struct flags *flags, int *argument_count,
                            char **arguments)
{
    struct uex_config_place nowhere = {.source = UEX_SOURCE_DEFAULT};
    int count = *argument_count;
    int kept = 0;
    int at = 0;

    flags->items = calloc((size_t)count + 1, sizeof *flags->items);
    if (flags->items == NULL) {
        loader->broken = UEX_NO_MEMORY;
        return;
    }
    for (; at < count && strcmp(arguments[at], "--") != 0; at++) {
        char *argument = arguments[at];
        size_t name_bytes = flag_name_bytes(argument);
        const char *value = NULL;

        if (name_bytes == 0) {
            arguments[kept++] = argument;
            continue;
        }
        if (argument[2 + name_bytes] == '=')
            value = argument + 2 + name_bytes + 1;
        else if (at + 1 < count && strncmp(arguments[at + 1], "--", 2) != 0)
            value = arguments[++at];
        if (!flag_name_valid(argument + 2, name_bytes))
            /* Not quoted: it may be "--kafka.sasl.password:secret". */
            uex_config_problem(loader, &nowhere, NULL, "argument %d is not the name of a setting", at + 1);
        else
            apply_flag(loader, flags, argument, name_bytes, value);
    }
    while (at < count)
        arguments[kept++] = arguments[at++];
    if (kept < count)
        arguments[kept] = NULL;
    *argument_count = kept;
}

static void apply_defaults(struct uex_config_loader *loader)
{
    struct uex_config_place place = {.source = UEX_SOURCE_DEFAULT};

    for (size_t i = 0; i < uex_setting_count; i++) {
        uex_config_apply(loader, &place, uex_settings[i].key, uex_settings[i].default_text);
        /* A default that this machine refuses (a time zone without tzdata) is a problem, but not a NULL for others. */
        if (!uex_setting_ensure(&uex_settings[i], loader->config))
            loader->broken = UEX_NO_MEMORY;
    }
    if (loader->broken == UEX_OK)
        loader->broken =
            uex_kafka_keep(loader->config, "group.id", DEFAULT_GROUP_ID, uex_config_source_name(UEX_SOURCE_DEFAULT));
}

static void report_line(void *context, size_t line, const char *what)
{
    struct uex_config_loader *loader = context;
    struct uex_config_place place = {.source = UEX_SOURCE_FILE, .name = loader->file, .line = line};

    uex_config_problem(loader, &place, NULL, "%s", what);
}

/* The name under which a key counts as the same. */
static const char *canonical_key(const char *key)
{
    size_t prefix_bytes = strlen(UEX_KAFKA_PREFIX);

    return strncmp(key, UEX_KAFKA_PREFIX, prefix_bytes) == 0 ? uex_kafka_canonical(key + prefix_bytes) : key;
}

static void apply_entries(struct uex_config_loader *loader, const struct uex_config_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct uex_config_entry *entry = &entries->items[i];
        struct uex_config_place place = {.source = UEX_SOURCE_FILE, .name = loader->file, .line = entry->line};
        size_t earlier = 0;

        while (strcmp(canonical_key(entries->items[earlier].key), canonical_key(entry->key)) != 0)
            earlier++;
        if (earlier < i)
            uex_config_problem(loader, &place, entry->key, "was set before, in line %zu", entries->items[earlier].line);
        else
            uex_config_apply(loader, &place, entry->key, entry->value);
    }
}

static void apply_file(struct uex_config_loader *loader)
{
    struct uex_config_place place = {.source = UEX_SOURCE_FILE, .name = loader->file};
    struct uex_config_entries entries = {0};
    struct uex_buffer text = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_config_read(loader->file, UEX_CONFIG_FILE_MAX_BYTES, &text, &fault);

    if (err == UEX_NO_MEMORY) {
        loader->broken = err;
        goto done;
    }
    if (err != UEX_OK) {
        uex_config_problem(loader, &place, NULL, "the configuration file cannot be read: %s", fault.text);
        goto done;
    }
    err = uex_config_entries_read(uex_buffer_bytes(&text), &entries, report_line, loader);
    if (err == UEX_OK)
        apply_entries(loader, &entries);
    else
        loader->broken = err;
done:
    uex_config_entries_clear(&entries);
    if (text.data != NULL)
        explicit_bzero(text.data, text.capacity_bytes);
    uex_buffer_clear(&text);
}

/* --config, else EXPORT_CONFIG; NULL where neither is there or is empty. */
static const char *file_to_read(const struct flags *flags, char *const *environment)
{
    const char *file = flags->config_file;

    for (; file == NULL && *environment != NULL; environment++) {
        if (strncmp(*environment, "EXPORT_CONFIG=", strlen("EXPORT_CONFIG=")) == 0)
            file = *environment + strlen("EXPORT_CONFIG=");
    }
    return file != NULL && *file == '\0' ? NULL : file;
}

static void derive_and_check(struct uex_config_loader *loader)
{
    const char *group_id = uex_config_kafka(loader->config, "group.id");

    loader->config->kafka_group_id = uex_text_copy(uex_bytes_of_text(group_id));
    if (loader->config->kafka_group_id == NULL)
        loader->broken = UEX_NO_MEMORY;
    else
        uex_config_cross_check(loader);
}

enum uex_error uex_config_load(struct uex_config *out, int *argument_count, char **arguments, char *const *environment,
                               struct uex_buffer *problems, struct uex_buffer *warnings)
{
    struct uex_config_loader loader = {
        .config = out, .problems = problems, .warnings = warnings, .environment = environment};
    struct flags flags = {0};

    *out = (struct uex_config){0};
    out->origins = calloc(uex_setting_count, sizeof *out->origins);
    if (out->origins == NULL)
        return UEX_NO_MEMORY;
    split_arguments(&loader, &flags, argument_count, arguments);
    if (loader.broken != UEX_OK)
        goto done;
    apply_defaults(&loader);
    loader.file = file_to_read(&flags, environment);
    if (loader.file != NULL)
        apply_file(&loader);
    uex_config_apply_environment(&loader);
    if (loader.broken == UEX_OK)
        loader.broken = uex_config_aws_take(&out->aws, environment);
    for (size_t i = 0; i < flags.count; i++) {
        struct uex_config_place place = {.source = UEX_SOURCE_FLAG, .name = flags.items[i].key};

        uex_config_apply(&loader, &place, flags.items[i].key, flags.items[i].value);
    }
    if (loader.broken == UEX_OK)
        derive_and_check(&loader);
done:
    for (size_t i = 0; i < flags.count; i++)
        free(flags.items[i].key);
    free(flags.items);
    if (loader.broken != UEX_OK || uex_buffer_failed(problems) || uex_buffer_failed(warnings))
        return loader.broken != UEX_OK ? loader.broken : UEX_NO_MEMORY;
    return loader.problem_count > 0 ? UEX_CONFIG : UEX_OK;
}

void uex_config_clear(struct uex_config *config)
{
    for (size_t i = 0; i < uex_setting_count; i++) {
        uex_setting_free(&uex_settings[i], config);
        if (config->origins != NULL)
            free(config->origins[i].text);
    }
    free(config->origins);
    free(config->kafka_group_id);
    uex_config_aws_clear(&config->aws);
    uex_kafka_free(config);
    *config = (struct uex_config){0};
}
