/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/kafka_fixture.h"

#include "kafka/sasl.h"

/* The problems of these properties: one line for each, which begins with `first`, …; NULL: none. */
#define ASSERT_PROBLEMS(expected_, ...)                                                                                \
    do {                                                                                                               \
        struct kafka_fixture fixture_;                                                                                 \
        struct uex_buffer problems_ = {0};                                                                             \
                                                                                                                       \
        (void)uex_sasl_check(fixture_config(&fixture_, __VA_ARGS__, NULL), &problems_);                                \
        assert_keys(uex_buffer_text(&problems_), expected_);                                                           \
        uex_buffer_clear(&problems_);                                                                                  \
    } while (0)

/* `expected` are the keys, each with a blank behind it. */
static void assert_keys(const char *problems, const char *expected)
{
    char found[512] = "";

    for (const char *line = problems; *line != '\0'; line = strchr(line, '\n') + 1) {
        strncat(found, line, strcspn(line, ":"));
        strcat(found, " ");
        assert_null(strstr(line, "geheim"));
    }
    assert_string_equal(found, expected);
}

static void check__sets_that_work__are_passed(void **state)
{
    (void)state;
    ASSERT_PROBLEMS("", "security.protocol", "ssl");
    ASSERT_PROBLEMS("", "security.protocol", "SASL_SSL", "sasl.mechanisms", "SCRAM-SHA-512", "sasl.username", "u",
                    "sasl.password", "geheim");
    ASSERT_PROBLEMS("", "security.protocol", "sasl_plaintext", "sasl.mechanisms", "PLAIN", "sasl.username", "u",
                    "sasl.password", "geheim");
    ASSERT_PROBLEMS("", "security.protocol", "sasl_ssl", "sasl.kerberos.keytab", "/dev/null");
    ASSERT_PROBLEMS("", "security.protocol", "sasl_ssl", "sasl.mechanisms", "OAUTHBEARER",
                    "enable.sasl.oauthbearer.unsecure.jwt", "true");
    ASSERT_PROBLEMS("", "security.protocol", "sasl_ssl", "sasl.mechanisms", "OAUTHBEARER", "sasl.oauthbearer.method",
                    "oidc", "sasl.oauthbearer.client.id", "i", "sasl.oauthbearer.client.secret", "geheim",
                    "sasl.oauthbearer.token.endpoint.url", "https://x/token");
    ASSERT_PROBLEMS("", "security.protocol", "sasl_ssl", "sasl.mechanisms", "OAUTHBEARER", "sasl.oauthbearer.method",
                    "oidc", "sasl.oauthbearer.metadata.authentication.type", "azure_imds");
    ASSERT_PROBLEMS("", "security.protocol", "sasl_ssl", "sasl.mechanisms", "OAUTHBEARER", "sasl.oauthbearer.method",
                    "oidc", "sasl.oauthbearer.grant.type", "urn:ietf:params:oauth:grant-type:jwt-bearer",
                    "sasl.oauthbearer.token.endpoint.url", "https://x/token");
}

static void check__sets_that_cannot_work__name_what_is_missing(void **state)
{
    (void)state;
    ASSERT_PROBLEMS("kafka.sasl.username kafka.sasl.password ", "security.protocol", "sasl_ssl", "sasl.mechanisms",
                    "SCRAM-SHA-256");
    ASSERT_PROBLEMS("kafka.sasl.password ", "security.protocol", "sasl_plaintext", "sasl.mechanisms", "PLAIN",
                    "sasl.username", "u");
    ASSERT_PROBLEMS("kafka.sasl.mechanisms ", "security.protocol", "sasl_ssl", "sasl.username", "u", "sasl.password",
                    "geheim");
    ASSERT_PROBLEMS("kafka.sasl.mechanisms ", "security.protocol", "sasl_ssl", "sasl.mechanisms", "scram-sha-512",
                    "sasl.username", "u", "sasl.password", "geheim");
    ASSERT_PROBLEMS("kafka.sasl.oauthbearer.method ", "security.protocol", "sasl_ssl", "sasl.mechanisms",
                    "OAUTHBEARER");
    ASSERT_PROBLEMS("kafka.sasl.oauthbearer.token.endpoint.url kafka.sasl.oauthbearer.client.secret ",
                    "security.protocol", "sasl_ssl", "sasl.mechanisms", "OAUTHBEARER", "sasl.oauthbearer.method",
                    "oidc", "sasl.oauthbearer.client.id", "i");
    ASSERT_PROBLEMS("kafka.sasl.kerberos.keytab ", "security.protocol", "sasl_ssl", "sasl.mechanisms", "GSSAPI",
                    "sasl.kerberos.keytab", "/no/such/file");
}

static void check_unused__protocol_without_sasl__names_each(void **state)
{
    struct kafka_fixture fixture;
    struct uex_buffer problems = {0};

    (void)state;
    uex_sasl_check_unused(
        fixture_config(&fixture, "sasl.username", "u", "sasl.password", "geheim", "ssl.ca.location", "/x", NULL),
        &problems);
    assert_keys(uex_buffer_text(&problems), "kafka.sasl.username kafka.sasl.password ");
    uex_buffer_reset(&problems);
    uex_sasl_check_unused(
        fixture_config(&fixture, "security.protocol", "sasl_ssl", "sasl.username", "u", "sasl.password", "p", NULL),
        &problems);
    assert_string_equal(uex_buffer_text(&problems), "");
    uex_buffer_clear(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check__sets_that_work__are_passed),
        cmocka_unit_test(check__sets_that_cannot_work__name_what_is_missing),
        cmocka_unit_test(check_unused__protocol_without_sasl__names_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
