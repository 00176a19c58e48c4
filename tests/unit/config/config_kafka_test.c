/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kafka.h"
#include "unit/config/config_fixture.h"

static void kafka__refused_properties__are_refused_from_everywhere_with_the_reason(void **state)
{
    static const char *const names[] = {"enable.auto.commit",
                                        "auto.commit.enable",
                                        "enable.auto.offset.store",
                                        "offset.store.method",
                                        "isolation.level",
                                        "auto.offset.reset",
                                        "partition.assignment.strategy",
                                        "group.protocol",
                                        "enable.idempotence",
                                        "acks",
                                        "request.required.acks",
                                        "transactional.id",
                                        "partitioner"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char flag[128], variable[128], text[128], expected[128];
        struct loaded loaded = {0};

        snprintf(flag, sizeof flag, "--kafka.%s=1", names[i]);
        snprintf(variable, sizeof variable, "EXPORT_KAFKA_%s=1", names[i]);
        for (char *at = variable; *at != '='; at++)
            *at = (char)(*at == '.' ? '_' : *at >= 'a' && *at <= 'z' ? *at - 32 : *at);
        snprintf(text, sizeof text, "[kafka]\n%s = 1\n", names[i]);
        snprintf(expected, sizeof expected, "kafka.%s: may not be set: ", names[i]);
        loaded = load_with(NOTHING, WITH(flag));
        assert_one_problem(&loaded, expected);
        unload(&loaded);
        loaded = load_with(WITH(variable), NOTHING);
        assert_one_problem(&loaded, expected);
        unload(&loaded);
        loaded = load_file(text);
        assert_one_problem(&loaded, expected);
        unload(&loaded);
    }
}

static void kafka__group_instance_id__only_from_flag_or_environment(void **state)
{
    struct loaded loaded = load_file("[kafka]\ngroup.instance.id = a\n");

    (void)state;
    assert_one_problem(&loaded, "kafka.group.instance.id: may not be set in a file");
    unload(&loaded);
    loaded = load_with(WITH("EXPORT_KAFKA_GROUP_INSTANCE_ID=a"), NOTHING);
    assert_loaded(&loaded);
    assert_string_equal(uex_config_kafka(&loaded.config, "group.instance.id"), "a");
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--kafka.group.instance.id=b"));
    assert_loaded(&loaded);
    unload(&loaded);
}

static void kafka__group_id__is_bounded_and_kept_twice(void **state)
{
    struct loaded loaded = load_with(NOTHING, WITH("--kafka.group.id=nightly"));

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.kafka_group_id, "nightly");
    assert_string_equal(uex_config_kafka(&loaded.config, "group.id"), "nightly");
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--kafka.group.id="));
    assert_one_problem(&loaded, "kafka.group.id");
    unload(&loaded);
}

static void kafka__aliases__are_one_property(void **state)
{
    struct loaded loaded =
        load_with(NOTHING, WITH("--kafka.metadata.broker.list=a:1", "--kafka.bootstrap.servers=b:1"));

    (void)state;
    assert_loaded(&loaded);
    assert_int_equal(loaded.config.kafka_count, 2);
    assert_string_equal(uex_config_kafka(&loaded.config, "metadata.broker.list"), "b:1");
    assert_string_equal(uex_config_kafka(&loaded.config, "bootstrap.servers"), "b:1");
    assert_null(uex_config_kafka(&loaded.config, "client.id"));
    unload(&loaded);
}

static void kafka__values_of_several_lines__are_kept(void **state)
{
    struct loaded loaded = load_with(WITH("EXPORT_KAFKA_SSL_CA_PEM=-----BEGIN\nx\n-----END\n"), NOTHING);
    struct uex_buffer shown = {0};

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(uex_config_kafka(&loaded.config, "ssl.ca.pem"), "-----BEGIN\nx\n-----END\n");
    uex_config_show(&loaded.config, false, &shown);
    assert_holds(&shown, "kafka.ssl.ca.pem = -----BEGIN x -----END  (environment)\n");
    uex_buffer_clear(&shown);
    unload(&loaded);
}

static void kafka__too_many_properties__is_a_problem(void **state)
{
    struct uex_config config = {0};
    char name[32];

    (void)state;
    for (int i = 0; i < UEX_KAFKA_PROPERTIES_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(uex_kafka_keep(&config, name, "1", "flag"), UEX_OK);
    }
    assert_int_equal(uex_kafka_keep(&config, "more", "1", "flag"), UEX_LIMIT);
    assert_int_equal(uex_kafka_keep(&config, "p0", "2", "flag"), UEX_OK);
    uex_config_clear(&config);
}

static void secret__names__are_told_by_what_they_hold(void **state)
{
    static const char *const secrets[] = {"sasl.password",
                                          "ssl.key.password",
                                          "ssl.keystore.password",
                                          "ssl.key.pem",
                                          "sasl.oauthbearer.client.secret",
                                          "sasl.oauthbearer.client.credentials.client.secret",
                                          "sasl.oauthbearer.config",
                                          "sasl.oauthbearer.assertion.private.key.pem",
                                          "sasl.oauthbearer.assertion.private.key.passphrase",
                                          "sasl.jaas.config"};
    static const char *const others[] = {"sasl.username", "ssl.key.location", "ssl.certificate.pem", "ssl.ca.pem"};

    (void)state;
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        assert_true(uex_kafka_secret(secrets[i]));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(uex_kafka_secret(others[i]));
}

/* A librdkafka that is newer than the list of names. */
static enum uex_error judge_newer(const char *name, const char *value, struct uex_fault *fault)
{
    if (strcmp(name, "brand.new") != 0 && strcmp(name, "sasl.password") != 0)
        return UEX_NOT_FOUND;
    if (strcmp(value, "bad") != 0)
        return UEX_OK;
    return uex_fail(fault, UEX_CONFIG, "\"%s\" is not a number", value);
}

static void judge__properties_of_the_linked_library__decide(void **state)
{
    struct loaded loaded = {0};

    (void)state;
    uex_config_judge_kafka(judge_newer);
    loaded = load_with(WITH("EXPORT_KAFKA_BRAND_NEW=1", "EXPORT_KAFKA_OTHER_NEW=1"), NOTHING);
    assert_loaded(&loaded);
    assert_string_equal(uex_config_kafka(&loaded.config, "brand.new"), "1");
    assert_int_equal(line_count(&loaded.warnings), 1);
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--kafka.brand.new=bad"));
    assert_one_problem(&loaded, "kafka.brand.new: librdkafka refuses the value: \"bad\" is not a number (flag");
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--kafka.sasl.password=bad"));
    assert_one_problem(&loaded, "kafka.sasl.password: librdkafka refuses the value (flag");
    assert_lacks(&loaded.problems, "bad");
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--kafka.client.id=x"));
    assert_one_problem(&loaded, "kafka.client.id: unknown setting");
    assert_lacks(&loaded.problems, "did you mean kafka.client.id?");
    unload(&loaded);
    uex_config_judge_kafka(NULL);
}

static void names__list__is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; uex_kafka_names[i] != NULL; i++) {
        assert_true(uex_kafka_name_valid(uex_kafka_names[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(uex_kafka_names[i], uex_kafka_names[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafka__refused_properties__are_refused_from_everywhere_with_the_reason),
        cmocka_unit_test(kafka__group_instance_id__only_from_flag_or_environment),
        cmocka_unit_test(kafka__group_id__is_bounded_and_kept_twice),
        cmocka_unit_test(kafka__aliases__are_one_property),
        cmocka_unit_test(kafka__values_of_several_lines__are_kept),
        cmocka_unit_test(kafka__too_many_properties__is_a_problem),
        cmocka_unit_test(secret__names__are_told_by_what_they_hold),
        cmocka_unit_test(judge__properties_of_the_linked_library__decide),
        cmocka_unit_test(names__list__is_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
