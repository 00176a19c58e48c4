/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/config/config_fixture.h"

#include <sys/stat.h>

static void load__nothing_given__defaults_hold(void **state)
{
    struct loaded loaded = load_with(NOTHING, NOTHING);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.topics_command, "export-group");
    assert_string_equal(loaded.config.postgres_dsn, "");
    assert_int_equal(loaded.config.postgres_stall_timeout_ms, 60000);
    assert_int_equal(loaded.config.commit_max_list_bytes, 32 << 20);
    assert_int_equal(loaded.config.retry_tier_count, 3);
    assert_int_equal(loaded.config.retry_delays_ms[0], 30000);
    assert_int_equal(loaded.config.retry_delays_ms[2], 1800000);
    assert_int_equal(loaded.config.export_compression_level, 1);
    assert_int_equal(loaded.config.log_level, UEX_LOG_INFO);
    assert_int_equal(loaded.config.log_format, UEX_LOG_JSON);
    assert_int_equal(loaded.config.profile, UEX_PROFILE_PRODUCTION);
    assert_true(loaded.config.s3_path_style);
    assert_in_range(loaded.config.export_lanes, 2, 64);
    assert_string_equal(loaded.config.export_work_dir, "/tmp/users-export");
    assert_string_equal(loaded.config.kafka_group_id, "export-workers");
    assert_string_equal(uex_config_kafka(&loaded.config, "group.id"), "export-workers");
    unload(&loaded);
}

static void load__tmpdir__work_dir_stands_in_it(void **state)
{
    struct loaded loaded = load_with(WITH("TMPDIR=/var/spool/x"), NOTHING);

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.export_work_dir, "/var/spool/x/users-export");
    unload(&loaded);
}

/* The default work_dir in this folder. */
static void assert_work_dir(const char *folder, const char *name)
{
    char variable[128], expected[128];
    struct loaded loaded = {0};

    snprintf(variable, sizeof variable, "TMPDIR=%s", folder);
    snprintf(expected, sizeof expected, "%s/%s", folder, name);
    loaded = load_with(WITH(variable), NOTHING);
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.export_work_dir, expected);
    unload(&loaded);
}

static void load__default_work_dir_of_somebody_else__gets_the_users_number(void **state)
{
    char folder[] = "/tmp/config_test.XXXXXX", path[64], own_name[64];

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/users-export", folder);
    snprintf(own_name, sizeof own_name, "users-export-%u", (unsigned)geteuid());
    assert_work_dir(folder, "users-export");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_work_dir(folder, "users-export");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(symlink("/etc", path), 0);
    assert_work_dir(folder, own_name);
    assert_int_equal(unlink(path), 0);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(path, 0777), 0);
        assert_int_equal(chown(path, 12345, 12345), 0);
        assert_work_dir(folder, own_name);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void load__empty_text_for_a_worked_out_default__is_the_default(void **state)
{
    struct loaded loaded = load_with(WITH("EXPORT_EXPORT_LANES=", "EXPORT_EXPORT_WORK_DIR="), NOTHING);

    (void)state;
    assert_loaded(&loaded);
    assert_in_range(loaded.config.export_lanes, 2, 64);
    assert_string_equal(loaded.config.export_work_dir, "/tmp/users-export");
    unload(&loaded);
}

static void load__all_sources__flag_beats_environment_beats_file_beats_default(void **state)
{
    const char *text = "[topics]\ncommand = file\nstate = file\nresult = file-result\n[kafka]\nclient.id = file\n"
                       "linger.ms = 1\n";
    char path[64];
    struct loaded loaded = {0};

    (void)state;
    write_file(path, text, strlen(text));
    loaded = load_with(WITH("EXPORT_TOPICS_COMMAND=environment", "EXPORT_TOPICS_STATE=environment-state",
                            "EXPORT_KAFKA_CLIENT_ID=environment", "EXPORT_KAFKA_QUEUE_BUFFERING_MAX_MS=2"),
                       WITH("--config", path, "--topics.command=flag", "--kafka.client.id=flag"));
    unlink(path);
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.topics_command, "flag");
    assert_string_equal(loaded.config.topics_state, "environment-state");
    assert_string_equal(loaded.config.topics_result, "file-result");
    assert_string_equal(loaded.config.topics_dlq, "flairbit-dlq");
    assert_string_equal(uex_config_kafka(&loaded.config, "client.id"), "flag");
    /* One property under two names: the order of sources holds across them. */
    assert_string_equal(uex_config_kafka(&loaded.config, "linger.ms"), "2");
    unload(&loaded);
}

static void load__config_file_by_variable__is_read_and_a_flag_replaces_it(void **state)
{
    char first[64], second[64], variable[128];
    struct loaded loaded = {0};

    (void)state;
    write_file(first, "[log]\nlevel = debug\n", 20);
    write_file(second, "[log]\nlevel = error\n", 20);
    snprintf(variable, sizeof variable, "EXPORT_CONFIG=%s", first);
    loaded = load_with(WITH(variable), NOTHING);
    assert_loaded(&loaded);
    assert_int_equal(loaded.config.log_level, UEX_LOG_DEBUG);
    unload(&loaded);
    loaded = load_with(WITH(variable), WITH("--config", second));
    assert_loaded(&loaded);
    assert_int_equal(loaded.config.log_level, UEX_LOG_ERROR);
    unload(&loaded);
    loaded = load_with(WITH("EXPORT_CONFIG="), NOTHING);
    assert_loaded(&loaded);
    unload(&loaded);
    unlink(first);
    unlink(second);
}

static void load__config_file_that_cannot_be_read__is_a_problem(void **state)
{
    struct loaded loaded = load_with(NOTHING, WITH("--config=/nonexistent/x.ini"));

    (void)state;
    assert_one_problem(&loaded, "/nonexistent/x.ini");
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--config=/tmp"));
    assert_one_problem(&loaded, "/tmp");
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--config=/dev/zero"));
    assert_one_problem(&loaded, "longer than");
    unload(&loaded);
}

static void load__flags_among_other_arguments__rest_keeps_its_order(void **state)
{
    struct loaded loaded =
        load_with(NOTHING, WITH("trigger", "--log.level=debug", "g.1", "--topics.dlq", "x", "--wait", "--profile",
                                "test", "--output=file.csv", "--", "--log.level=nonsense", "--config"));
    static const char *const rest[] = {"trigger", "g.1", "--wait", "--output=file.csv", "--", "--log.level=nonsense",
                                       "--config"};

    (void)state;
    assert_loaded(&loaded);
    assert_int_equal(loaded.argument_count, 7);
    for (int i = 0; i < 7; i++)
        assert_string_equal(loaded.arguments[i], rest[i]);
    assert_null(loaded.arguments[7]);
    assert_int_equal(loaded.config.log_level, UEX_LOG_DEBUG);
    assert_int_equal(loaded.config.profile, UEX_PROFILE_TEST);
    assert_string_equal(loaded.config.topics_dlq, "x");
    unload(&loaded);
}

static void load__flag_without_value__is_a_problem(void **state)
{
    struct loaded loaded = load_with(NOTHING, WITH("--topics.dlq", "--log.level=debug", "--postgres.dsn"));

    (void)state;
    assert_int_equal(loaded.error, UEX_CONFIG);
    assert_holds(&loaded.problems, "topics.dlq: needs a value");
    assert_holds(&loaded.problems, "postgres.dsn: needs a value");
    assert_int_equal(line_count(&loaded.problems), 2);
    assert_int_equal(loaded.argument_count, 0);
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--config"));
    assert_one_problem(&loaded, "config: needs a value");
    unload(&loaded);
}

static void load__flag_twice__the_last_counts(void **state)
{
    struct loaded loaded = load_with(NOTHING, WITH("--log.level=debug", "--log.level=error"));

    (void)state;
    assert_loaded(&loaded);
    assert_int_equal(loaded.config.log_level, UEX_LOG_ERROR);
    unload(&loaded);
}

static void load__unknown_key__is_a_problem_with_the_closest(void **state)
{
    static const struct {
        const char *flag;
        const char *answer;
    } cases[] = {
        {"--log.levl=debug", "did you mean log.level?"},
        {"--log.LEVEL=debug", "did you mean log.level?"},
        {"--postgres.stall-timeout=1s", "did you mean postgres.stall_timeout?"},
        {"--kafka.bootstrap.server=x", "did you mean kafka.bootstrap.servers?"},
        {"--export.x.lanes=1", "did you mean export.lanes?"},
        {"--nothing.like.it=1", "unknown setting (flag --nothing.like.it)"},
        {"--kafka.=1", "unknown setting"},
        {"--.=1", "unknown setting"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded loaded = load_with(NOTHING, WITH(cases[i].flag));

        assert_one_problem(&loaded, cases[i].answer);
        unload(&loaded);
    }
}

static void load__many_mistakes__are_told_at_once_with_their_places(void **state)
{
    const char *text = "[log]\nlevel = loud\n[s3]\nregio = x\n";
    char path[64], place[256];
    struct loaded loaded = {0};

    (void)state;
    write_file(path, text, strlen(text));
    loaded = load_with(WITH("EXPORT_REDIS_TTL=5", "EXPORT_KAFKA_ACKS=1"),
                       WITH("--config", path, "--export.batch_rows=0", "--log.level=info"));
    unlink(path);
    assert_int_equal(loaded.error, UEX_CONFIG);
    assert_int_equal(line_count(&loaded.problems), 5);
    snprintf(place, sizeof place,
             "log.level: \"loud\" is not allowed; allowed: one of debug, info, warn, error (file %s, line 2)\n", path);
    assert_holds(&loaded.problems, place);
    assert_holds(&loaded.problems, "s3.regio: unknown setting; did you mean s3.region?");
    assert_holds(&loaded.problems, "redis.ttl: \"5\" is not allowed; allowed: a duration (units ms, s, m, h), 1s to "
                                   "168h (environment variable EXPORT_REDIS_TTL)\n");
    assert_holds(&loaded.problems, "kafka.acks: may not be set: ");
    assert_holds(&loaded.problems, "export.batch_rows: \"0\" is not allowed; allowed: a whole number, 1 to 10000000 "
                                   "(flag --export.batch_rows)\n");
    unload(&loaded);
}

static void load__thousands_of_mistakes__are_cut(void **state)
{
    static char text[300000];
    struct loaded loaded = {0};

    (void)state;
    memset(text, '\n', sizeof text - 1);
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        text[i] = 'x';
    loaded = load_file(text);
    assert_int_equal(loaded.error, UEX_CONFIG);
    assert_int_equal(line_count(&loaded.problems), 101);
    assert_holds(&loaded.problems, "and more\n");
    unload(&loaded);
}

static void load__settings_that_must_fit__are_checked_together(void **state)
{
    static const struct {
        const char *flags[4];
        const char *problem; /* NULL: none */
    } cases[] = {
        {{"--schedule.lag_group=g"}, "schedule.lag_max: must be set too"},
        {{"--schedule.lag_group=g"}, "schedule.lag_wait: must be set too"},
        {{"--schedule.lag_group=g", "--schedule.lag_max=0", "--schedule.lag_wait=1m"}, NULL},
        {{"--schedule.lag_max=1"}, "schedule.lag_max: has no effect"},
        {{"--schedule.lag_max=1", "--schedule.lag_group="}, NULL},
        {{"--s3.sse_kms_key_id=k"}, "s3.sse_kms_key_id: needs s3.sse aws:kms"},
        {{"--s3.sse_kms_key_id=k", "--s3.sse=AES256"}, "s3.sse_kms_key_id: needs s3.sse aws:kms"},
        {{"--s3.sse_kms_key_id=k", "--s3.sse=aws:kms"}, NULL},
        {{"--s3.access_key_id=k"}, "s3.secret_access_key: must be set too"},
        {{"--s3.secret_access_key=k"}, "s3.access_key_id: must be set too"},
        {{"--s3.session_token=k"}, "s3.session_token: needs"},
        {{"--s3.session_token=k", "--s3.access_key_id=k", "--s3.secret_access_key=k"}, NULL},
        {{"--topics.dlq=x", "--topics.result=x"}, "topics.dlq: must not be the same topic as topics.result"},
        {{"--topics.dlq=export-group-retry-0"}, "topics.dlq: must not be a retry tier"},
        {{"--topics.dlq=export-group-retry-0x"}, NULL},
        {{"--export.file_types=A, B", "--export.list_types=C,B"}, "export.list_types: B is in export.file_types too"},
        {{"--export.file_types=NON_COST_BASED"}, "export.list_types: NON_COST_BASED is in export.file_types too"},
        {{"--export.file_types=COST_BASED,NON_COST_BASED", "--export.list_types="}, NULL},
        {{"--export.file_types=", "--export.list_types="}, "export.list_types: must not be empty"},
        {{"--export.file_types=", "--export.list_types=A"}, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct loaded loaded = load_with(NOTHING, cases[i].flags);

        if (cases[i].problem == NULL)
            assert_loaded(&loaded);
        else
            assert_holds(&loaded.problems, cases[i].problem);
        assert_int_equal(loaded.error, cases[i].problem == NULL ? UEX_OK : UEX_CONFIG);
        unload(&loaded);
    }
}

static void require__nothing_set__names_each_and_how_to_set_it(void **state)
{
    struct loaded loaded = load_with(NOTHING, WITH("--storage.url=s3://bucket"));
    unsigned all = UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE | UEX_NEED_DOMAIN;

    (void)state;
    assert_loaded(&loaded);
    assert_int_equal(uex_config_require(&loaded.config, all, &loaded.problems), UEX_CONFIG);
    assert_int_equal(line_count(&loaded.problems), 5);
    assert_holds(&loaded.problems, "kafka.bootstrap.servers: must be set, by flag --kafka.bootstrap.servers=…, by "
                                   "environment variable EXPORT_KAFKA_BOOTSTRAP_SERVERS, or as bootstrap.servers in "
                                   "section [kafka] of the file\n");
    assert_holds(&loaded.problems, "EXPORT_POSTGRES_DSN or EXPORT_POSTGRES_DSN_FILE");
    assert_holds(&loaded.problems, "s3.access_key_id");
    assert_holds(&loaded.problems, "s3.secret_access_key");
    assert_holds(&loaded.problems, "export.domain_id");
    unload(&loaded);
}

static void require__what_is_needed_is_there__is_content(void **state)
{
    struct loaded loaded = load_with(
        NOTHING, WITH("--storage.url=file:///x", "--kafka.metadata.broker.list=b:9092", "--postgres.dsn=host=/x"));

    (void)state;
    assert_loaded(&loaded);
    assert_int_equal(
        uex_config_require(&loaded.config, UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE, &loaded.problems),
        UEX_OK);
    assert_int_equal(loaded.problems.size_bytes, 0);
    unload(&loaded);
}

static void clear__zeroed_struct__is_accepted(void **state)
{
    struct uex_config config = {0};

    (void)state;
    uex_config_clear(&config);
    uex_config_clear(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load__nothing_given__defaults_hold),
        cmocka_unit_test(load__tmpdir__work_dir_stands_in_it),
        cmocka_unit_test(load__default_work_dir_of_somebody_else__gets_the_users_number),
        cmocka_unit_test(load__empty_text_for_a_worked_out_default__is_the_default),
        cmocka_unit_test(load__all_sources__flag_beats_environment_beats_file_beats_default),
        cmocka_unit_test(load__config_file_by_variable__is_read_and_a_flag_replaces_it),
        cmocka_unit_test(load__config_file_that_cannot_be_read__is_a_problem),
        cmocka_unit_test(load__flags_among_other_arguments__rest_keeps_its_order),
        cmocka_unit_test(load__flag_without_value__is_a_problem),
        cmocka_unit_test(load__flag_twice__the_last_counts),
        cmocka_unit_test(load__unknown_key__is_a_problem_with_the_closest),
        cmocka_unit_test(load__many_mistakes__are_told_at_once_with_their_places),
        cmocka_unit_test(load__thousands_of_mistakes__are_cut),
        cmocka_unit_test(load__settings_that_must_fit__are_checked_together),
        cmocka_unit_test(require__nothing_set__names_each_and_how_to_set_it),
        cmocka_unit_test(require__what_is_needed_is_there__is_content),
        cmocka_unit_test(clear__zeroed_struct__is_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
