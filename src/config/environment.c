/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/environment.c — settings from EXPORT_ variables and from the files that EXPORT_…_FILE names; and
 * the standard variables of AWS. */
#include <stdlib.h>

#include "config/file.h"
#include "config/kafka.h"
#include "config/load.h"
#include "export/text.h"

#define PREFIX "EXPORT_"
#define FILE_SUFFIX "_FILE"

/* The property that librdkafka itself knows though our list does not: one that is newer than the list. UEX_NOT_FOUND:
 * there is none. */
static enum uex_error judged_kafka_key(const char *variable, const char *value, struct uex_buffer *key)
{
    static const char prefix[] = PREFIX "KAFKA_";
    enum uex_error err = UEX_OK;
    const char *name = NULL;

    if (strncmp(variable, prefix, strlen(prefix)) != 0)
        return UEX_NOT_FOUND;
    uex_buffer_reset(key);
    uex_buffer_append_text(key, UEX_KAFKA_PREFIX);
    for (name = variable + strlen(prefix); *name != '\0'; name++) {
        char c = *name == '_' ? '.' : *name;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        uex_buffer_append(key, &c, 1);
    }
    if (uex_buffer_failed(key))
        return UEX_NO_MEMORY;
    name = uex_buffer_text(key) + strlen(UEX_KAFKA_PREFIX);
    err = uex_kafka_name_valid(name) ? uex_kafka_check(name, value, NULL) : UEX_NOT_FOUND;
    /* A value that librdkafka refuses is complained of when it is applied. */
    return err == UEX_NOT_FOUND || err == UEX_NO_MEMORY ? err : UEX_OK;
}

/* The setting of a variable; UEX_NOT_FOUND if there is none. A variable has no dots: the known names give them back. */
static enum uex_error key_of(const char *variable, const char *value, struct uex_buffer *key)
{
    uex_buffer_reset(key);
    for (size_t i = 0; i < uex_setting_count; i++) {
        if (uex_config_is_variable(variable, "", uex_settings[i].key)) {
            uex_buffer_append_text(key, uex_settings[i].key);
            return uex_buffer_failed(key) ? UEX_NO_MEMORY : UEX_OK;
        }
    }
    for (size_t i = 0; uex_kafka_names[i] != NULL; i++) {
        if (uex_config_is_variable(variable, UEX_KAFKA_PREFIX, uex_kafka_names[i])) {
            uex_buffer_append_format(key, "%s%s", UEX_KAFKA_PREFIX, uex_kafka_names[i]);
            return uex_buffer_failed(key) ? UEX_NO_MEMORY : UEX_OK;
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
    if (uex_buffer_failed(&closest))
        loader->broken = UEX_NO_MEMORY;
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
    enum uex_error err = UEX_OK;

    if (value_of(loader->environment, base) != NULL) {
        uex_config_problem(loader, place, key, "%s is set too; only one of them is allowed", base);
        return;
    }
    err = uex_config_read(path, UEX_CONFIG_VALUE_MAX_BYTES, &content, &fault);
    if (err == UEX_NO_MEMORY) {
        loader->broken = err;
    } else if (err != UEX_OK) {
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

/* UEX_NOT_FOUND: the variable is not a secret's _FILE. */
static enum uex_error apply_as_file(struct uex_config_loader *loader, const struct uex_config_place *place,
                                    const char *path, struct uex_buffer *key)
{
    size_t size_bytes = strlen(place->name);
    struct uex_buffer base = {0};
    enum uex_error err = UEX_NOT_FOUND;

    if (size_bytes > strlen(FILE_SUFFIX) && strcmp(place->name + size_bytes - strlen(FILE_SUFFIX), FILE_SUFFIX) == 0) {
        uex_buffer_append(&base, place->name, size_bytes - strlen(FILE_SUFFIX));
        err = uex_buffer_failed(&base) ? UEX_NO_MEMORY : key_of(uex_buffer_text(&base), "", key);
    }
    if (err == UEX_OK && !is_secret(uex_buffer_text(key)))
        err = UEX_NOT_FOUND;
    if (err == UEX_OK)
        apply_file(loader, place, uex_buffer_text(key), uex_buffer_text(&base), path);
    uex_buffer_clear(&base);
    return err;
}

static void apply_variable(struct uex_config_loader *loader, const char *variable, const char *value,
                           struct uex_buffer *key)
{
    const struct uex_config_place place = {.source = UEX_SOURCE_ENVIRONMENT, .name = variable};
    enum uex_error err = key_of(variable, value, key);

    if (err == UEX_OK)
        uex_config_apply(loader, &place, uex_buffer_text(key), value);
    else if (err == UEX_NOT_FOUND)
        err = apply_as_file(loader, &place, value, key);
    if (err == UEX_NOT_FOUND)
        warn_unknown(loader, variable);
    else if (err != UEX_OK)
        loader->broken = err;
}

void uex_config_apply_environment(struct uex_config_loader *loader)
{
    struct uex_buffer name = {0};
    struct uex_buffer key = {0};

    for (char *const *at = loader->environment; *at != NULL && loader->broken == UEX_OK; at++) {
        const char *equals = strchr(*at, '=');

        if (equals == NULL || strncmp(*at, PREFIX, strlen(PREFIX)) != 0)
            continue;
        uex_buffer_reset(&name);
        uex_buffer_append(&name, *at, (size_t)(equals - *at));
        if (uex_buffer_failed(&name))
            loader->broken = UEX_NO_MEMORY;
        else if (strcmp(uex_buffer_text(&name), PREFIX "CONFIG") != 0)
            apply_variable(loader, uex_buffer_text(&name), equals + 1, &key);
    }
    uex_buffer_clear(&name);
    uex_buffer_clear(&key);
}

/* Where the agents of ECS answer. Source: Amazon ECS Developer Guide, "Task IAM role". */
#define CONTAINER_HOST "http://169.254.170.2"
#define RELATIVE_URI "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"

static const struct {
    const char *variable;
    size_t offset;
} fields[] = {
    {"AWS_ROLE_ARN", offsetof(struct uex_config_aws, role_arn)},
    {"AWS_WEB_IDENTITY_TOKEN_FILE", offsetof(struct uex_config_aws, token_file)},
    {"AWS_ROLE_SESSION_NAME", offsetof(struct uex_config_aws, session_name)},
    {"AWS_ENDPOINT_URL_STS", offsetof(struct uex_config_aws, sts_url)},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI", offsetof(struct uex_config_aws, container_url)},
    {"AWS_CONTAINER_AUTHORIZATION_TOKEN", offsetof(struct uex_config_aws, container_token)},
    {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", offsetof(struct uex_config_aws, container_token_file)},
    {"AWS_CA_BUNDLE", offsetof(struct uex_config_aws, ca_file)},
};

static char **field_of(struct uex_config_aws *aws, size_t index)
{
    return (char **)(void *)((char *)aws + fields[index].offset);
}

/* NULL also where it is empty. */
static const char *filled_value_of(char *const *environment, const char *variable)
{
    const char *value = value_of(environment, variable);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

static enum uex_error set_container_url(struct uex_config_aws *aws, const char *path)
{
    struct uex_buffer url = {0};

    if (path == NULL || aws->container_url != NULL)
        return UEX_OK;
    uex_buffer_append_format(&url, "%s%s%.*s", CONTAINER_HOST, path[0] == '/' ? "" : "/",
                             (int)uex_given_bytes(UEX_GIVEN_LINE, path), path);
    aws->container_url = uex_text_copy(uex_buffer_bytes(&url));
    uex_buffer_clear(&url);
    return aws->container_url == NULL ? UEX_NO_MEMORY : UEX_OK;
}

enum uex_error uex_config_aws_take(struct uex_config_aws *aws, char *const *environment)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *value = filled_value_of(environment, fields[i].variable);

        if (value == NULL)
            continue;
        *field_of(aws, i) = uex_text_copy(uex_bytes_of(value, uex_given_bytes(UEX_GIVEN_LINE, value)));
        if (*field_of(aws, i) == NULL)
            return UEX_NO_MEMORY;
    }
    if (aws->role_arn == NULL || aws->token_file == NULL) { /* one alone is of no use */
        uex_secret_free(aws->role_arn);
        uex_secret_free(aws->token_file);
        aws->role_arn = aws->token_file = NULL;
    }
    return set_container_url(aws, filled_value_of(environment, RELATIVE_URI));
}

static void check_variable(struct uex_config_loader *loader, const char *variable)
{
    static const struct uex_config_place nowhere = {.source = UEX_SOURCE_DEFAULT};
    const char *value = filled_value_of(loader->environment, variable);

    if (value != NULL && uex_given_quoted(UEX_GIVEN_LINE, value))
        uex_config_problem(loader, &nowhere, variable, UEX_GIVEN_QUOTED);
    else if (value != NULL && uex_given_has_control(UEX_GIVEN_LINE, value))
        uex_config_problem(loader, &nowhere, variable, UEX_GIVEN_CONTROL);
}

void uex_config_aws_check(struct uex_config_loader *loader)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        check_variable(loader, fields[i].variable);
    check_variable(loader, RELATIVE_URI);
}

bool uex_config_aws_given(const struct uex_config *config)
{
    return config->aws.role_arn != NULL || config->aws.container_url != NULL;
}

void uex_config_aws_clear(struct uex_config_aws *aws)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        uex_secret_free(*field_of(aws, i));
        *field_of(aws, i) = NULL;
    }
}
