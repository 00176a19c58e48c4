/* SPDX-License-Identifier: Apache-2.0 */
#include "config/table.h"
#include "unit/config/config_fixture.h"

static void environment__settings_of_every_kind__are_found_by_their_names(void **state)
{
    struct loaded loaded = load_with(WITH("EXPORT_PROFILE=test", "EXPORT_S3_SSE_KMS_KEY_ID=k", "EXPORT_S3_SSE=aws:kms",
                                          "EXPORT_EXPORT_LANES=9", "EXPORT_RETRY_DELAYS=", "EXPORT_S3_CA_FILE=/ca.pem",
                                          "EXPORT_KAFKA_BOOTSTRAP_SERVERS=b:1", "EXPORT_KAFKA_LOG_LEVEL=7",
                                          "EXPORT_KAFKA_SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_FILE=/k", "PATH=/bin",
                                          "export_log_level=loud", "EXPORTED=1"),
                                     NOTHING);

    (void)state;
    assert_loaded(&loaded);
    assert_int_equal(loaded.warnings.size_bytes, 0);
    assert_int_equal(loaded.config.profile, UEX_PROFILE_TEST);
    assert_string_equal(loaded.config.s3_sse_kms_key_id, "k");
    assert_int_equal(loaded.config.export_lanes, 9);
    assert_int_equal(loaded.config.retry_tier_count, 0);
    assert_string_equal(loaded.config.s3_ca_file, "/ca.pem");
    assert_string_equal(uex_config_kafka(&loaded.config, "bootstrap.servers"), "b:1");
    assert_string_equal(uex_config_kafka(&loaded.config, "log_level"), "7");
    assert_string_equal(uex_config_kafka(&loaded.config, "sasl.oauthbearer.assertion.private.key.file"), "/k");
    unload(&loaded);
}

static void environment__unknown_variables__are_warned_about_without_their_values(void **state)
{
    struct loaded loaded =
        load_with(WITH("EXPORT_KAFKA_PORT=tcp://10.0.0.1:9092", "EXPORT_KAFKA_SERVICE_HOST=10.0.0.1",
                       "EXPORT_KAFKA_PORT_9092_TCP_ADDR=10.0.0.1", "EXPORT_LANES=3", "EXPORT_POSTGRES_DSM=hunter2",
                       "EXPORT_=hunter2", "EXPORT_A\nB=hunter2", "EXPORT_LOG_LEVEL_FILE=/hunter2"),
                  NOTHING);

    (void)state;
    assert_loaded(&loaded);
    assert_int_equal(line_count(&loaded.warnings), 8);
    assert_holds(&loaded.warnings, "EXPORT_KAFKA_PORT is not a setting; it is ignored\n");
    assert_holds(&loaded.warnings, "EXPORT_LANES is not a setting; it is ignored; did you mean EXPORT_EXPORT_LANES?\n");
    assert_holds(&loaded.warnings, "did you mean EXPORT_POSTGRES_DSN?");
    assert_holds(&loaded.warnings, "EXPORT_LOG_LEVEL_FILE");
    assert_lacks(&loaded.warnings, "hunter2");
    assert_lacks(&loaded.warnings, "10.0.0.1");
    assert_int_equal(loaded.config.kafka_count, 1);
    unload(&loaded);
}

/* Load with EXPORT_<name>_FILE naming a file of these bytes. */
static struct loaded load_secret(const char *name, const void *bytes, size_t size_bytes, const char *other)
{
    char path[64], variable[256];
    struct loaded loaded = {0};

    write_file(path, bytes, size_bytes);
    snprintf(variable, sizeof variable, "EXPORT_%s_FILE=%s", name, path);
    loaded = load_with(WITH(variable, other), NOTHING);
    unlink(path);
    return loaded;
}

static void secret_file__content__loses_only_its_last_line_ends(void **state)
{
    static const struct {
        const char *content, *value;
    } cases[] = {{"hunter2", "hunter2"},
                 {"hunter2\n", "hunter2"},
                 {"hunter2\n\n", "hunter2"},
                 {"hunter2\r\n", "hunter2"},
                 {"hunter2\r\n\r\n", "hunter2"},
                 {" hunter2 ;#", " hunter2 ;#"},
                 {"", ""},
                 {"\n", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded loaded = load_secret("S3_SECRET_ACCESS_KEY", cases[i].content, strlen(cases[i].content),
                                           "EXPORT_S3_ACCESS_KEY_ID=k");

        assert_string_equal(loaded.config.s3_secret_access_key, cases[i].value);
        assert_int_equal(loaded.error, *cases[i].value == '\0' ? UEX_CONFIG : UEX_OK);
        unload(&loaded);
    }
}

static void secret_file__every_secret__can_be_given_so(void **state)
{
    static const char *const names[] = {"POSTGRES_DSN",           "REDIS_URL",
                                        "EXPORT_MASK_KEY",        "KAFKA_SASL_PASSWORD",
                                        "KAFKA_SSL_KEY_PASSWORD", "KAFKA_SSL_KEYSTORE_PASSWORD",
                                        "KAFKA_SSL_KEY_PEM",      "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct loaded loaded = load_secret(names[i], "hunter2\n", 8, NULL);
        struct uex_buffer shown = {0};

        assert_loaded(&loaded);
        assert_int_equal(loaded.warnings.size_bytes, 0);
        uex_config_show(&loaded.config, false, &shown);
        assert_holds(&shown, " = (set) (environment)\n");
        assert_lacks(&shown, "hunter2");
        uex_buffer_clear(&shown);
        unload(&loaded);
    }
}

static void secret_file__with_its_variable__is_a_problem(void **state)
{
    struct loaded loaded = load_secret("POSTGRES_DSN", "hunter2\n", 8, "EXPORT_POSTGRES_DSN=hunter2");

    (void)state;
    assert_one_problem(&loaded, "postgres.dsn: EXPORT_POSTGRES_DSN is set too; only one of them is allowed");
    assert_lacks(&loaded.problems, "hunter2");
    unload(&loaded);
}

static void secret_file__that_cannot_be_used__is_a_problem_without_its_text(void **state)
{
    struct loaded loaded = load_with(WITH("EXPORT_POSTGRES_DSN_FILE=/hunter2", "EXPORT_REDIS_URL_FILE=hunter2",
                                          "EXPORT_KAFKA_SASL_PASSWORD_FILE=", "EXPORT_EXPORT_MASK_KEY_FILE=/dev/zero"),
                                     NOTHING);

    (void)state;
    assert_int_equal(loaded.error, UEX_CONFIG);
    assert_int_equal(line_count(&loaded.problems), 4);
    assert_holds(&loaded.problems, "postgres.dsn: the file that the variable names cannot be read: No such file");
    assert_holds(&loaded.problems, "kafka.sasl.password");
    assert_holds(&loaded.problems, "export.mask_key: the file that the variable names cannot be read: longer than");
    assert_lacks(&loaded.problems, "hunter2");
    unload(&loaded);
    loaded = load_secret("POSTGRES_DSN", "hun\0ter2", 8, NULL);
    assert_one_problem(&loaded, "zero byte");
    assert_lacks(&loaded.problems, "ter2");
    unload(&loaded);
}

static void environment__megabyte_values__are_refused_shortly(void **state)
{
    size_t size_bytes = (size_t)1 << 20;
    char *variable = malloc(size_bytes + 1);
    static const char *const names[] = {"EXPORT_POSTGRES_DSN=", "EXPORT_LOG_LEVEL=", "EXPORT_KAFKA_CLIENT_ID="};

    (void)state;
    assert_non_null(variable);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct loaded loaded = {0};

        memset(variable, 'x', size_bytes);
        variable[size_bytes] = '\0';
        memcpy(variable, names[i], strlen(names[i]));
        loaded = load_with(WITH(variable), NOTHING);
        assert_one_problem(&loaded, "the value is longer than 65536 bytes");
        assert_true(loaded.problems.size_bytes < 200);
        unload(&loaded);
    }
    free(variable);
}

/* Every setting of one line that holds a secret, and what people keep beside them; the last is no secret. */
static const char *const lines[] = {"postgres.dsn",           "redis.url",           "s3.secret_access_key",
                                    "s3.session_token",       "export.mask_key",     "kafka.sasl.password",
                                    "kafka.ssl.key.password", "kafka.sasl.username", "kafka.bootstrap.servers"};

static struct loaded load_value(const char *key, const char *value, bool as_flag)
{
    char flag[256], variable[256];

    snprintf(flag, sizeof flag, "--%s=%s", key, value);
    snprintf(variable, sizeof variable, "EXPORT_%s=%s", key, value);
    for (char *at = variable; *at != '='; at++)
        *at = (char)(*at == '.' ? '_' : *at >= 'a' && *at <= 'z' ? *at - 32 : *at);
    return as_flag ? load_with(WITH("EXPORT_S3_ACCESS_KEY_ID=k", "EXPORT_S3_SECRET_ACCESS_KEY=k"), WITH(flag))
                   : load_with(WITH("EXPORT_S3_ACCESS_KEY_ID=k", variable,
                                    strcmp(key, "s3.secret_access_key") == 0 ? "A=" : "EXPORT_S3_SECRET_ACCESS_KEY=k"),
                               NOTHING);
}

static const char *value_in(const struct loaded *loaded, const char *key)
{
    const struct uex_setting *setting = uex_setting_find(key);

    if (setting == NULL)
        return uex_config_kafka(&loaded->config, key + strlen("kafka."));
    return *uex_setting_text(setting, (struct uex_config *)(uintptr_t)&loaded->config);
}

static void value__line_ends_behind_it__are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof lines / sizeof lines[0]); i++) {
        struct loaded loaded = load_value(lines[i / 2], "hunter2\r\n\n", i % 2 == 0);

        assert_loaded(&loaded);
        assert_string_equal(value_in(&loaded, lines[i / 2]), "hunter2");
        unload(&loaded);
    }
}

static void value__control_character_inside__is_refused_without_the_value(void **state)
{
    static const char *const values[] = {"hun\nter2", "hun\tter2", "\rhunter2", "hunter2\x7f"};

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof lines / sizeof lines[0] - 1); i++) {
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            struct loaded loaded;

            if (i / 2 == 0 && j < 3) /* postgres.dsn */
                continue;
            loaded = load_value(lines[i / 2], values[j], i % 2 == 0);
            assert_int_equal(loaded.error, UEX_CONFIG);
            assert_holds(&loaded.problems, lines[i / 2]);
            assert_holds(&loaded.problems, ": the value contains a control character");
            assert_lacks(&loaded.problems, "ter2");
            unload(&loaded);
        }
    }
}

static void dsn__words_on_several_lines__are_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct loaded loaded = load_value("postgres.dsn", "host=/run\n\tuser=u\r\n\tpassword=p\n\n", i == 0);

        assert_loaded(&loaded);
        assert_string_equal(loaded.config.postgres_dsn, "host=/run\n\tuser=u\r\n\tpassword=p");
        unload(&loaded);
        loaded = load_value("postgres.dsn", "host=/run\n\x01hunter2", i == 0);
        assert_one_problem(&loaded, "neither a line end nor a tab");
        assert_lacks(&loaded.problems, "ter2");
        unload(&loaded);
        loaded = load_value("postgres.dsn", "'host=/run\nuser=u'", i == 0);
        assert_one_problem(&loaded, "postgres.dsn: the value is in quotes");
        unload(&loaded);
    }
}

static void value__pem_of_several_lines__is_kept(void **state)
{
    struct loaded loaded = load_secret("KAFKA_SSL_KEY_PEM", "-----BEGIN\nx\n-----END\n", 22, NULL);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(uex_config_kafka(&loaded.config, "ssl.key.pem"), "-----BEGIN\nx\n-----END\n");
    unload(&loaded);
}

/* Two lines are what `openssl rand -base64 64` writes; with another key every pseudonym would change. */
static void secret_file__mask_key_of_two_lines__is_kept(void **state)
{
    struct loaded loaded = load_secret("EXPORT_MASK_KEY", "hun\nter2\n", 9, NULL);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.export_mask_key, "hun\nter2");
    unload(&loaded);
}

static void kafka__property_that_is_no_secret__is_librdkafkas_to_judge(void **state)
{
    static const char *const command = "\"/opt/k5/kinit\" -R -t \"/etc/keytab\"";
    struct loaded loaded = load_value("kafka.bootstrap.servers", "a:9092,\nb:9092", false);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(uex_config_kafka(&loaded.config, "bootstrap.servers"), "a:9092,\nb:9092");
    unload(&loaded);
    loaded = load_value("kafka.sasl.kerberos.kinit.cmd", command, false);
    assert_loaded(&loaded);
    assert_string_equal(uex_config_kafka(&loaded.config, "sasl.kerberos.kinit.cmd"), command);
    unload(&loaded);
}

static void value__in_quotes__is_refused_naming_them(void **state)
{
    static const char *const keys[] = {"postgres.dsn",
                                       "redis.url",
                                       "s3.access_key_id",
                                       "s3.secret_access_key",
                                       "s3.session_token",
                                       "storage.url",
                                       "s3.endpoint",
                                       "s3.region",
                                       "s3.ca_file",
                                       "s3.sse_kms_key_id",
                                       "s3.storage_class",
                                       "s3.tagging",
                                       "s3.acl",
                                       "export.domain_id",
                                       "export.mask",
                                       "export.mask_key",
                                       "export.work_dir",
                                       "export.lanes",
                                       "topics.command",
                                       "log.level",
                                       "http.listen",
                                       "kafka.bootstrap.servers",
                                       "kafka.group.id",
                                       "kafka.sasl.password",
                                       "kafka.client.id",
                                       "schedule.at",
                                       "kafka.sasl.username",
                                       "kafka.ssl.key.pem"};
    static const char *const values[] = {"\"hunter2\"", "'hunter2'", "\"\"", "\"hunter2\"\r\n"};

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof keys / sizeof keys[0]); i++) {
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            struct loaded loaded = load_value(keys[i / 2], values[j], i % 2 == 0);

            assert_int_equal(loaded.error, UEX_CONFIG);
            assert_holds(&loaded.problems, keys[i / 2]);
            assert_holds(&loaded.problems, ": the value is in quotes");
            assert_lacks(&loaded.problems, "hunter2");
            unload(&loaded);
        }
    }
}

static void value__quotes_of_sql__are_kept(void **state)
{
    struct loaded loaded =
        load_with(WITH("EXPORT_POSTGRES_USER_VIEW=\"My View\"", "EXPORT_EXPORT_KEY_COLUMN=\"Id\""), NOTHING);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.postgres_user_view, "\"My View\"");
    unload(&loaded);
    loaded = load_with(WITH("EXPORT_POSTGRES_USER_VIEW='export_user'"), NOTHING);
    assert_one_problem(&loaded, "postgres.user_view: the value is in quotes");
    unload(&loaded);
}

static void secret_file__password_in_quotes__is_taken_with_a_warning(void **state)
{
    struct loaded loaded = load_secret("EXPORT_MASK_KEY", "\"hunter2\"\n", 10, NULL);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.export_mask_key, "\"hunter2\"");
    assert_holds(&loaded.warnings, "export.mask_key: the value in the file is in quotes");
    assert_lacks(&loaded.warnings, "hunter2");
    unload(&loaded);
    loaded = load_secret("S3_SECRET_ACCESS_KEY", "'hunter2'\n", 10, "EXPORT_S3_ACCESS_KEY_ID=k");
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.s3_secret_access_key, "'hunter2'");
    unload(&loaded);
    loaded = load_secret("POSTGRES_DSN", "\"hunter2\"\n", 10, NULL);
    assert_one_problem(&loaded, "postgres.dsn: the value is in quotes");
    unload(&loaded);
}

static void secret_file__path_in_quotes__is_said(void **state)
{
    struct loaded loaded = load_with(WITH("EXPORT_POSTGRES_DSN_FILE=\"/hunter2\""), NOTHING);

    (void)state;
    assert_one_problem(&loaded, "the path is in quotes");
    assert_lacks(&loaded.problems, "hunter2");
    unload(&loaded);
}

static void aws__variables__lose_line_ends_and_may_not_be_in_quotes(void **state)
{
    const char *const *good = WITH("AWS_CONTAINER_AUTHORIZATION_TOKEN=t\r\n", "EXPORT_STORAGE_URL=s3://b",
                                   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2\n");
    struct loaded loaded = load_with(good, NOTHING);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.aws.container_token, "t");
    assert_string_equal(loaded.config.aws.container_url, "http://169.254.170.2/v2");
    unload(&loaded);
    loaded = load_with(WITH("AWS_CONTAINER_AUTHORIZATION_TOKEN=hun\nter2", "EXPORT_STORAGE_URL=s3://b"), NOTHING);
    assert_one_problem(&loaded, "AWS_CONTAINER_AUTHORIZATION_TOKEN: the value contains a control character");
    assert_lacks(&loaded.problems, "ter2");
    unload(&loaded);
    loaded = load_with(WITH("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=\"/v2\"", "EXPORT_STORAGE_URL=s3://b"), NOTHING);
    assert_one_problem(&loaded, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: the value is in quotes");
    unload(&loaded);
    /* Nobody asks them where the settings name who writes. */
    loaded = load_with(WITH("AWS_ROLE_ARN='a'", "EXPORT_STORAGE_URL=s3://b", "EXPORT_S3_ACCESS_KEY_ID=k",
                            "EXPORT_S3_SECRET_ACCESS_KEY=k"),
                       NOTHING);
    assert_loaded(&loaded);
    unload(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment__settings_of_every_kind__are_found_by_their_names),
        cmocka_unit_test(environment__unknown_variables__are_warned_about_without_their_values),
        cmocka_unit_test(secret_file__content__loses_only_its_last_line_ends),
        cmocka_unit_test(secret_file__every_secret__can_be_given_so),
        cmocka_unit_test(secret_file__with_its_variable__is_a_problem),
        cmocka_unit_test(secret_file__that_cannot_be_used__is_a_problem_without_its_text),
        cmocka_unit_test(environment__megabyte_values__are_refused_shortly),
        cmocka_unit_test(value__line_ends_behind_it__are_cut),
        cmocka_unit_test(value__control_character_inside__is_refused_without_the_value),
        cmocka_unit_test(dsn__words_on_several_lines__are_kept),
        cmocka_unit_test(value__pem_of_several_lines__is_kept),
        cmocka_unit_test(secret_file__mask_key_of_two_lines__is_kept),
        cmocka_unit_test(kafka__property_that_is_no_secret__is_librdkafkas_to_judge),
        cmocka_unit_test(value__in_quotes__is_refused_naming_them),
        cmocka_unit_test(value__quotes_of_sql__are_kept),
        cmocka_unit_test(secret_file__password_in_quotes__is_taken_with_a_warning),
        cmocka_unit_test(secret_file__path_in_quotes__is_said),
        cmocka_unit_test(aws__variables__lose_line_ends_and_may_not_be_in_quotes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
