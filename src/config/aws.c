/* SPDX-License-Identifier: Apache-2.0 */
#include "config/aws.h"

#include <stdlib.h>

#include "config/given.h"
#include "export/text.h"

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

static const char *value_of(char *const *environment, const char *variable)
{
    const size_t size_bytes = strlen(variable);

    for (; *environment != NULL; environment++)
        if (strncmp(*environment, variable, size_bytes) == 0 && (*environment)[size_bytes] == '=')
            return (*environment)[size_bytes + 1] == '\0' ? NULL : *environment + size_bytes + 1;
    return NULL;
}

static enum uex_error take_relative(struct uex_config_aws *aws, const char *path)
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
        const char *value = value_of(environment, fields[i].variable);

        if (value == NULL)
            continue;
        *field_of(aws, i) = uex_text_copy(uex_bytes_of(value, uex_given_bytes(UEX_GIVEN_LINE, value)));
        if (*field_of(aws, i) == NULL)
            return UEX_NO_MEMORY;
    }
    if (aws->role_arn == NULL || aws->token_file == NULL) { /* one alone says nothing to us */
        uex_secret_free(aws->role_arn);
        uex_secret_free(aws->token_file);
        aws->role_arn = aws->token_file = NULL;
    }
    return take_relative(aws, value_of(environment, RELATIVE_URI));
}

static void check_variable(struct uex_config_loader *loader, const char *variable)
{
    static const struct uex_config_place nowhere = {.source = UEX_SOURCE_DEFAULT};
    const char *value = value_of(loader->environment, variable);

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
