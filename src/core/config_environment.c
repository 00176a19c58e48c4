/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/config_environment.c — settings from EXPORT_ variables and from the files that EXPORT_…_FILE names. */
#include <stdlib.h>

#include "config_file.h"
#include "config_given.h"
#include "config_kafka.h"
#include "config_load.h"

#define PREFIX "EXPORT_"
#define FILE_SUFFIX "_FILE"

static bool same_variable(const char *variable, const char *prefix, const char *name)
{
    struct uex_buffer key = {0};
    struct uex_buffer own = {0};
    bool same = false;

    uex_buffer_append_format(&key, "%s%s", prefix, name);
    uex_config_variable(uex_buffer_text(&key), &own);
    same = strcmp(uex_buffer_text(&own), variable) == 0;
    uex_buffer_clear(&key);
    uex_buffer_clear(&own);
    return same;
}

/* The property that librdkafka itself knows though our list does not: one that is newer than the list. */
static bool judged_kafka_key(const char *variable, const char *value, struct uex_buffer *key)
{
    static const char prefix[] = PREFIX "KAFKA_";
    const char *name = NULL;

    if (strncmp(variable, prefix, strlen(prefix)) != 0)
        return false;
    uex_buffer_reset(key);
    uex_buffer_append_text(key, UEX_KAFKA_PREFIX);
    for (name = variable + strlen(prefix); *name != '\0'; name++) {
        char c = *name == '_' ? '.' : *name;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        uex_buffer_append(key, &c, 1);
    }
    name = uex_buffer_text(key) + strlen(UEX_KAFKA_PREFIX);
    return uex_kafka_name_valid(name) && uex_kafka_check(name, value, NULL) != UEX_NOT_FOUND;
}

/* The setting of a variable; false if there is none. A variable has no dots: the known names give them back. */
static bool key_of(const char *variable, const char *value, struct uex_buffer *key)
{
    uex_buffer_reset(key);
    for (size_t i = 0; i < uex_setting_count; i++) {
        if (same_variable(variable, "", uex_settings[i].key)) {
            uex_buffer_append_text(key, uex_settings[i].key);
            return true;
        }
    }
    for (size_t i = 0; uex_kafka_names[i] != NULL; i++) {
        if (same_variable(variable, UEX_KAFKA_PREFIX, uex_kafka_names[i])) {
            uex_buffer_append_format(key, "%s%s", UEX_KAFKA_PREFIX, uex_kafka_names[i]);
            return true;
        }
    }
    return judged_kafka_key(variable, value, key);
}

static bool is_secret(const char *key)
{
    const struct uex_setting *setting = uex_setting_find(key);

    return setting == NULL ? uex_kafka_secret(key) : setting->secret;
}

static void warn_unknown(struct uex_config_loader *loader, const char *variable)
{
    struct uex_buffer closest = {0};
    size_t size_bytes = strlen(variable);

    /* The name is anybody's bytes. */
    if (size_bytes > 200 ||
        strspn(variable, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") != size_bytes) {
        uex_buffer_append_text(loader->warnings, "a variable whose name begins with EXPORT_ is not a setting; it is"
                                                 " ignored\n");
        return;
    }
    uex_buffer_append_format(loader->warnings, "%s is not a setting; it is ignored", variable);
    if (uex_config_closest(variable + strlen(PREFIX), &closest)) {
        uex_buffer_append_text(loader->warnings, "; did you mean ");
        uex_config_variable(uex_buffer_text(&closest), loader->warnings);
        uex_buffer_append_text(loader->warnings, "?");
    }
    uex_buffer_append_text(loader->warnings, "\n");
    uex_buffer_clear(&closest);
}

static const char *value_of(char *const *environment, const char *variable)
{
    size_t size_bytes = strlen(variable);

    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, variable, size_bytes) == 0 && (*environment)[size_bytes] == '=')
            return *environment + size_bytes + 1;
    }
    return NULL;
}

/* `base` is the variable without _FILE; its own value must not be there as well. */
static void apply_file(struct uex_config_loader *loader, const struct uex_config_place *place, const char *key,
                       const char *base, const char *path)
{
    struct uex_buffer content = {0};
    struct uex_fault fault = {0};

    if (value_of(loader->environment, base) != NULL) {
        uex_config_problem(loader, place, key, "%s is set too; only one of them is allowed", base);
        return;
    }
    if (uex_config_read(path, UEX_CONFIG_VALUE_MAX_BYTES, &content, &fault) != UEX_OK) {
        /* Without the path: somebody may have put the secret itself into the variable. */
        uex_config_problem(loader, place, key, "the file that the variable names cannot be read: %s%s", fault.text,
                           uex_given_quoted(UEX_GIVEN_LINE, path) ? " (the path is in quotes; write it without them)"
                                                                  : "");
    } else {
        struct uex_config_place file = *place;

        file.own_file = true;
        uex_config_apply(loader, &file, key, uex_buffer_text(&content));
    }
    if (content.data != NULL)
        explicit_bzero(content.data, content.capacity_bytes);
    uex_buffer_clear(&content);
}

/* True if the variable is a secret's _FILE. */
static bool apply_as_file(struct uex_config_loader *loader, const struct uex_config_place *place, const char *path,
                          struct uex_buffer *key)
{
    size_t size_bytes = strlen(place->name);
    struct uex_buffer base = {0};
    bool applied = false;

    if (size_bytes > strlen(FILE_SUFFIX) && strcmp(place->name + size_bytes - strlen(FILE_SUFFIX), FILE_SUFFIX) == 0) {
        uex_buffer_append(&base, place->name, size_bytes - strlen(FILE_SUFFIX));
        applied = key_of(uex_buffer_text(&base), "", key) && is_secret(uex_buffer_text(key));
    }
    if (applied)
        apply_file(loader, place, uex_buffer_text(key), uex_buffer_text(&base), path);
    uex_buffer_clear(&base);
    return applied;
}

void uex_config_apply_environment(struct uex_config_loader *loader)
{
    struct uex_buffer name = {0};
    struct uex_buffer key = {0};

    for (char *const *at = loader->environment; *at != NULL; at++) {
        const char *equals = strchr(*at, '=');
        struct uex_config_place place = {.source = UEX_SOURCE_ENVIRONMENT};

        if (equals == NULL || strncmp(*at, PREFIX, strlen(PREFIX)) != 0)
            continue;
        uex_buffer_reset(&name);
        uex_buffer_append(&name, *at, (size_t)(equals - *at));
        place.name = uex_buffer_text(&name);
        if (strcmp(place.name, PREFIX "CONFIG") == 0)
            continue;
        if (key_of(place.name, equals + 1, &key))
            uex_config_apply(loader, &place, uex_buffer_text(&key), equals + 1);
        else if (!apply_as_file(loader, &place, equals + 1, &key))
            warn_unknown(loader, place.name);
    }
    uex_buffer_clear(&name);
    uex_buffer_clear(&key);
}
