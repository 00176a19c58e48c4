/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/sasl.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

/* What librdkafka uses where sasl.mechanisms is not set. */
#define MECHANISM_DEFAULT "GSSAPI"
#define GRANT_BY_JWT "urn:ietf:params:oauth:grant-type:jwt-bearer"

static bool given(const struct uex_config *config, const char *property)
{
    const char *value = uex_config_kafka(config, property);

    return value != NULL && value[0] != '\0';
}

static bool is(const struct uex_config *config, const char *property, const char *value)
{
    const char *found = uex_config_kafka(config, property);

    return found != NULL && strcasecmp(found, value) == 0;
}

static bool speaks_sasl(const struct uex_config *config)
{
    const char *protocol = uex_config_kafka(config, "security.protocol");

    return protocol != NULL && strncasecmp(protocol, "sasl", 4) == 0;
}

static void need(const struct uex_config *config, const char *property, const char *why, struct uex_buffer *problems)
{
    if (!given(config, property))
        uex_buffer_append_format(problems, "kafka.%s: must be set for %s\n", property, why);
}

static void check_kerberos(const struct uex_config *config, struct uex_buffer *problems)
{
    const char *keytab = uex_config_kafka(config, "sasl.kerberos.keytab");

    /* Somebody who gives a password does not mean Kerberos. */
    if (!given(config, "sasl.mechanisms") && (given(config, "sasl.username") || given(config, "sasl.password")))
        uex_buffer_append_text(problems,
                               "kafka.sasl.mechanisms: must be set (PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512) for "
                               "kafka.sasl.username and kafka.sasl.password; without it GSSAPI (Kerberos) is "
                               "used, which has neither\n");
    else if (keytab != NULL && keytab[0] != '\0' && access(keytab, R_OK) != 0)
        uex_buffer_append_text(problems, "kafka.sasl.kerberos.keytab: the file cannot be read\n");
}

static void check_oauth(const struct uex_config *config, struct uex_buffer *problems)
{
    bool is_oidc = is(config, "sasl.oauthbearer.method", "oidc");
    bool is_by_jwt = is(config, "sasl.oauthbearer.grant.type", GRANT_BY_JWT);
    bool is_by_metadata = given(config, "sasl.oauthbearer.metadata.authentication.type") &&
                          !is(config, "sasl.oauthbearer.metadata.authentication.type", "none");

    if (!is_oidc && !is(config, "enable.sasl.oauthbearer.unsecure.jwt", "true")) {
        uex_buffer_append_text(problems, "kafka.sasl.oauthbearer.method: must be oidc for OAUTHBEARER, with "
                                         "kafka.sasl.oauthbearer.token.endpoint.url, …client.id and …client.secret; "
                                         "the programs have no other source of tokens\n");
        return;
    }
    if (!is_oidc || is_by_metadata)
        return;
    need(config, "sasl.oauthbearer.token.endpoint.url", "OAUTHBEARER with the method oidc", problems);
    if (is_by_jwt)
        return;
    need(config, "sasl.oauthbearer.client.id", "OAUTHBEARER with the method oidc", problems);
    need(config, "sasl.oauthbearer.client.secret", "OAUTHBEARER with the method oidc", problems);
}

enum uex_error uex_sasl_check(const struct uex_config *config, struct uex_buffer *problems)
{
    const char *mechanism = uex_config_kafka(config, "sasl.mechanisms");
    size_t before_bytes = problems->size_bytes;

    if (!speaks_sasl(config))
        return UEX_OK;
    if (mechanism == NULL || mechanism[0] == '\0')
        mechanism = MECHANISM_DEFAULT;
    if (strcmp(mechanism, "PLAIN") == 0 || strcmp(mechanism, "SCRAM-SHA-256") == 0 ||
        strcmp(mechanism, "SCRAM-SHA-512") == 0) {
        need(config, "sasl.username", mechanism, problems);
        need(config, "sasl.password", mechanism, problems);
    } else if (strcmp(mechanism, "OAUTHBEARER") == 0) {
        check_oauth(config, problems);
    } else if (strcmp(mechanism, MECHANISM_DEFAULT) == 0) {
        check_kerberos(config, problems);
    } else {
        uex_buffer_append_text(problems, "kafka.sasl.mechanisms: must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, "
                                         "OAUTHBEARER, GSSAPI\n");
    }
    return problems->size_bytes == before_bytes ? UEX_OK : UEX_CONFIG;
}

void uex_sasl_check_unused(const struct uex_config *config, struct uex_buffer *problems)
{
    if (speaks_sasl(config))
        return;
    for (size_t i = 0; i < config->kafka_count; i++)
        if (strncmp(config->kafka[i].name, "sasl.", 5) == 0)
            uex_buffer_append_format(problems,
                                     "kafka.%s: has no effect, because kafka.security.protocol is %s; for SASL it is "
                                     "sasl_ssl or sasl_plaintext\n",
                                     config->kafka[i].name,
                                     given(config, "security.protocol") ? uex_config_kafka(config, "security.protocol")
                                                                        : "not set (plaintext)");
}
