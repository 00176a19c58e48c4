/* SPDX-License-Identifier: Apache-2.0 */
/* The table as people see it. UEX_WRITE_DOCS=1 writes deploy/config.example.ini and the table in docs/configuration.md
 * anew instead of comparing them. */
#include "config/kafka.h"
#include "config/table.h"
#include "unit/config/config_fixture.h"

#define EXAMPLE UEX_SOURCE_DIR "/deploy/config.example.ini"
#define DOCUMENT UEX_SOURCE_DIR "/docs/configuration.md"
#define TABLE_BEGIN "<!-- settings: begin -->\n"
#define TABLE_END "<!-- settings: end -->\n"

/* What is promised outside: written here once more by hand, so that a slip in the table is seen. */
static const struct {
    const char *key, *default_text;
    bool secret;
} promised[] = {
    {"topics.command", "export-group", false},
    {"topics.retry", "export-group-retry", false},
    {"topics.state", "export-group-state", false},
    {"topics.progress", "export-group-progress", false},
    {"topics.result", "flairbit-users", false},
    {"topics.dlq", "flairbit-dlq", false},
    {"topics.run", "export-group-run", false},
    {"postgres.dsn", "", true},
    {"postgres.stall_timeout", "60s", false},
    {"postgres.max_lag", "0s", false},
    {"postgres.group_view", "export_group", false},
    {"postgres.user_view", "export_user", false},
    {"redis.url", "", true},
    {"redis.ttl", "300s", false},
    {"storage.url", "", false},
    {"s3.endpoint", "", false},
    {"s3.region", "us-east-1", false},
    {"s3.access_key_id", "", true},
    {"s3.secret_access_key", "", true},
    {"s3.session_token", "", true},
    {"s3.path_style", "true", false},
    {"s3.ca_file", "", false},
    {"s3.connect_timeout", "5s", false},
    {"s3.stall_timeout", "30s", false},
    {"s3.sse", "", false},
    {"s3.sse_kms_key_id", "", false},
    {"s3.checksum", "off", false},
    {"s3.storage_class", "", false},
    {"s3.tagging", "", false},
    {"s3.acl", "", false},
    {"export.domain_id", "", false},
    {"export.format", "csv", false},
    {"export.parquet_codec", "zstd", false},
    {"export.row_group", "16MiB", false},
    {"export.columns",
     "username,groupId=group_id,displayName=display_name,gender,dateOfBirth=date_of_birth,location,intent,bio,smokes,"
     "drinks,wantsKids=wants_kids,education,religion,occupation,preferredGenders=preferred_genders,"
     "preferredMinAge=preferred_min_age,preferredMaxAge=preferred_max_age,relationshipType=relationship_type,"
     "openToLongDistance=open_to_long_distance,readyForMatching=ready_for_matching",
     false},
    {"export.list_column", "username", false},
    {"export.row_key", "", false},
    {"export.pending_column", "sent_to_matching_service", false},
    {"export.file_types", "COST_BASED", false},
    {"export.list_types", "NON_COST_BASED", false},
    {"export.version", "1.0", false},
    {"export.lanes", "", false},
    {"export.readers", "1", false},
    {"export.key_column", "", false},
    {"export.batch_rows", "1000", false},
    {"export.max_row", "64MiB", false},
    {"export.compression_level", "1", false},
    {"export.version_field", "column", false},
    {"export.mask", "", false},
    {"export.mask_key", "", true},
    {"export.formula_guard", "off", false},
    {"export.announce_empty", "false", false},
    {"export.work_dir", "", false},
    {"retry.delays", "30s,5m,30m", false},
    {"retry.crashes", "5", false},
    {"retry.attempts", "3", false},
    {"producer.rate", "0", false},
    {"commit.interval", "100ms", false},
    {"commit.max_list", "32MiB", false},
    {"http.listen", "0.0.0.0:9464", false},
    {"metrics.max_groups", "200", false},
    {"log.level", "info", false},
    {"log.format", "json", false},
    {"schedule.at", "23:20", false},
    {"schedule.timezone", "Asia/Kolkata", false},
    {"profile", "production", false},
    {"schedule.lag_group", "", false},
    {"schedule.lag_max", "0", false},
    {"schedule.lag_wait", "0", false},
    {"schedule.wait", "0s", false},
    {"schedule.manifest", "false", false},
    {"schedule.report", "false", false},
    {"startup.timeout", "60s", false},
    {"shutdown.timeout", "25s", false},
};
#define PROMISED_COUNT (sizeof promised / sizeof promised[0])

static void table__keys_defaults_and_secrets__are_the_promised_ones(void **state)
{
    (void)state;
    assert_int_equal(uex_setting_count, PROMISED_COUNT);
    for (size_t i = 0; i < PROMISED_COUNT; i++) {
        const struct uex_setting *setting = uex_setting_find(promised[i].key);

        if (setting == NULL)
            fail_msg("%s is missing", promised[i].key);
        assert_string_equal(setting->default_text, promised[i].default_text);
        assert_int_equal(setting->secret, promised[i].secret);
        assert_true(strlen(setting->help) > 0);
    }
}

/* Two settings in one field, or a field of the wrong size, would overwrite each other. */
static void table__fields__do_not_overlap(void **state)
{
    (void)state;
    for (size_t i = 0; i < uex_setting_count; i++) {
        for (size_t j = 0; j < i; j++) {
            size_t low = uex_settings[i].offset < uex_settings[j].offset ? i : j;
            size_t high = low == i ? j : i;
            bool narrow = uex_settings[low].type == UEX_SETTING_CHOICE || uex_settings[low].type == UEX_SETTING_SMALL;
            size_t size_bytes = uex_settings[low].type == UEX_SETTING_BOOLEAN ? 1 : narrow ? sizeof(int) : 8;

            assert_true(uex_settings[low].offset + size_bytes <= uex_settings[high].offset);
        }
    }
}

static void help__every_key__is_in_it_with_default_and_meaning(void **state)
{
    struct uex_buffer help = {0};
    struct uex_buffer line = {0};

    (void)state;
    uex_config_help(&help);
    assert_int_equal(line_count(&help), PROMISED_COUNT + 1);
    for (size_t i = 0; i < uex_setting_count; i++) {
        uex_buffer_reset(&line);
        uex_buffer_append_format(&line, "  --%s ", uex_settings[i].key);
        assert_holds(&help, uex_buffer_text(&line));
        assert_holds(&help, uex_settings[i].help);
    }
    assert_holds(&help, "(default: 30s,5m,30m)");
    assert_holds(&help, "--kafka.<property>");
    uex_buffer_clear(&help);
    uex_buffer_clear(&line);
}

static void show__secrets__are_never_in_it(void **state)
{
    struct uex_buffer flags[PROMISED_COUNT] = {0};
    const char *arguments[PROMISED_COUNT + 4] = {"--kafka.sasl.password=hunter2", "--kafka.ssl.key.pem=hunter2",
                                                 "--storage.url=s3://hunter2:hunter2@bucket"};
    size_t count = 3;
    struct uex_buffer shown = {0};
    struct loaded loaded = {0};

    (void)state;
    for (size_t i = 0; i < PROMISED_COUNT; i++) {
        if (!promised[i].secret)
            continue;
        uex_buffer_append_format(&flags[i], "--%s=hunter2", promised[i].key);
        arguments[count++] = uex_buffer_text(&flags[i]);
    }
    loaded = load_with(NOTHING, arguments);
    assert_loaded(&loaded);
    for (int as_json = 0; as_json <= 1; as_json++) {
        uex_buffer_reset(&shown);
        uex_config_show(&loaded.config, as_json != 0, &shown);
        assert_lacks(&shown, "hunter2");
        assert_holds(&shown, as_json != 0 ? "\"postgres.dsn\": {\"value\": \"(set)\", \"source\": \"flag\"}"
                                          : "postgres.dsn = (set) (flag)\n");
        assert_holds(&shown, as_json != 0 ? "\"kafka.sasl.password\": {\"value\": \"(set)\", \"source\": \"flag\"}"
                                          : "kafka.sasl.password = (set) (flag)\n");
    }
    uex_buffer_clear(&shown);
    for (size_t i = 0; i < PROMISED_COUNT; i++)
        uex_buffer_clear(&flags[i]);
    unload(&loaded);
}

static void show__values_in_force__have_their_sources(void **state)
{
    struct loaded loaded = load_with(WITH("EXPORT_REDIS_TTL=7s"), WITH("--topics.dlq=x", "--export.key_column=\"q\""));
    struct uex_buffer shown = {0};

    (void)state;
    assert_loaded(&loaded);
    uex_config_show(&loaded.config, false, &shown);
    assert_int_equal(line_count(&shown), PROMISED_COUNT + 1);
    assert_holds(&shown, "redis.ttl = 7s (environment)\n");
    assert_holds(&shown, "topics.dlq = x (flag)\n");
    assert_holds(&shown, "log.level = info (default)\n");
    assert_holds(&shown, "redis.url = (not set) (default)\n");
    assert_holds(&shown, "kafka.group.id = export-workers (default)\n");
    uex_buffer_reset(&shown);
    uex_config_show(&loaded.config, true, &shown);
    assert_int_equal(strncmp(uex_buffer_text(&shown), "{\"kafka.group.id\": {", 20), 0);
    assert_holds(&shown, ", \"export.key_column\": {\"value\": \"\\\"q\\\"\", \"source\": \"flag\"}, ");
    assert_holds(&shown, "}}\n");
    uex_buffer_clear(&shown);
    unload(&loaded);
}

static void read_whole(const char *path, struct uex_buffer *out)
{
    FILE *file = fopen(path, "r");
    size_t got = 0;
    char piece[4096];

    if (file == NULL)
        fail_msg("%s cannot be read", path);
    while ((got = fread(piece, 1, sizeof piece, file)) > 0)
        uex_buffer_append(out, piece, got);
    fclose(file);
}

/* Is the file this text? Or write it, where that is asked for. */
static void compare_or_write(const char *path, const struct uex_buffer *expected)
{
    struct uex_buffer found = {0};
    FILE *file = NULL;

    if (getenv("UEX_WRITE_DOCS") != NULL) {
        file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(expected->data, 1, expected->size_bytes, file), expected->size_bytes);
        assert_int_equal(fclose(file), 0);
    }
    read_whole(path, &found);
    if (strcmp(uex_buffer_text(&found), uex_buffer_text(expected)) != 0)
        fail_msg("%s is not what the table gives; UEX_WRITE_DOCS=1 writes it anew", path);
    uex_buffer_clear(&found);
}

static size_t section_bytes(const char *key)
{
    const char *dot = strchr(key, '.');

    return dot == NULL ? 0 : (size_t)(dot - key);
}

/* Does the setting at `index` begin a section? */
static bool begins_section(size_t index)
{
    const char *key = uex_settings[index].key;
    size_t size_bytes = section_bytes(key);

    return index == 0 || size_bytes != section_bytes(uex_settings[index - 1].key) ||
           strncmp(key, uex_settings[index - 1].key, size_bytes) != 0;
}

static const char *default_words(const struct uex_setting *setting)
{
    return setting->default_words != NULL ? setting->default_words : setting->default_text;
}

/* A Markdown table, one line each: key, default, what is allowed, meaning. */
static void append_reference(struct uex_buffer *markdown)
{
    uex_buffer_append_text(markdown, "| key | default | allowed | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < uex_setting_count; i++) {
        const struct uex_setting *setting = &uex_settings[i];
        bool coded = setting->default_words == NULL && *setting->default_text != '\0';

        if (i == 1)
            uex_buffer_append_format(markdown, "| `%s` | | as librdkafka has it | %s |\n", UEX_KAFKA_KEY,
                                     UEX_KAFKA_HELP);
        uex_buffer_append_format(markdown, "| `%s` | %s%s%s | ", setting->key, coded ? "`" : "", default_words(setting),
                                 coded ? "`" : "");
        uex_setting_allowed(setting, markdown);
        uex_buffer_append_format(markdown, " | %s%s |\n", setting->help, setting->secret ? " (secret)" : "");
    }
}

/* A configuration file with every setting, commented out. */
static void append_example(struct uex_buffer *out)
{
    uex_buffer_append_text(
        out,
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# Every setting with its default. Lines are `key = value`; a comment has its own line, what stands after\n"
        "# a value belongs to it; there are no quotes and no continuation lines. Secrets are better kept out of\n"
        "# this file: EXPORT_POSTGRES_DSN_FILE and its like name a file that holds one.\n");
    for (size_t i = 0; i < uex_setting_count; i++) {
        const struct uex_setting *setting = &uex_settings[i];
        size_t size_bytes = section_bytes(setting->key);

        if (i == 1)
            uex_buffer_append_format(out,
                                     "\n[kafka]\n# %s\n#bootstrap.servers = broker-1:9092,broker-2:9092\n"
                                     "#group.id = export-workers\n",
                                     UEX_KAFKA_HELP);
        if (begins_section(i) && size_bytes > 0)
            uex_buffer_append_format(out, "\n[%.*s]\n", (int)size_bytes, setting->key);
        uex_buffer_append_format(out, "# %s\n# allowed: ", setting->help);
        uex_setting_allowed(setting, out);
        if (setting->default_words != NULL)
            uex_buffer_append_format(out, "\n# default: %s", setting->default_words);
        uex_buffer_append_format(out, "\n#%s =%s%s\n", setting->key + (size_bytes == 0 ? 0 : size_bytes + 1),
                                 *setting->default_text == '\0' ? "" : " ", setting->default_text);
    }
}

static void example__committed_file__is_the_tables(void **state)
{
    struct uex_buffer expected = {0};

    (void)state;
    append_example(&expected);
    compare_or_write(EXAMPLE, &expected);
    uex_buffer_clear(&expected);
}

static void reference__committed_document__holds_the_table(void **state)
{
    struct uex_buffer expected = {0};
    struct uex_buffer found = {0};
    const char *begin = NULL;
    const char *end = NULL;

    (void)state;
    read_whole(DOCUMENT, &found);
    begin = strstr(uex_buffer_text(&found), TABLE_BEGIN);
    end = strstr(uex_buffer_text(&found), TABLE_END);
    assert_true(begin != NULL && end != NULL && begin < end);
    uex_buffer_append(&expected, found.data, (size_t)((const uint8_t *)begin - found.data) + strlen(TABLE_BEGIN));
    append_reference(&expected);
    assert_int_equal(uex_buffer_failed(&expected), false);
    uex_buffer_append_text(&expected, end);
    compare_or_write(DOCUMENT, &expected);
    uex_buffer_clear(&found);
    uex_buffer_clear(&expected);
}

/* As it stands it sets nothing; with its comments taken off it sets every default. */
static void example__read_as_a_file__gives_the_defaults(void **state)
{
    struct uex_buffer text = {0};
    struct loaded loaded = {0};

    (void)state;
    append_example(&text);
    loaded = load_file(uex_buffer_text(&text));
    assert_loaded(&loaded);
    unload(&loaded);
    for (size_t i = 0; i + 1 < text.size_bytes; i++) {
        if (text.data[i] == '#' && text.data[i + 1] != ' ' && (i == 0 || text.data[i - 1] == '\n'))
            text.data[i] = ' ';
    }
    loaded = load_file(uex_buffer_text(&text));
    /* The two of the lag gate are given now, but so is the empty group that turns it off. */
    assert_loaded(&loaded);
    assert_string_equal(uex_config_kafka(&loaded.config, "bootstrap.servers"), "broker-1:9092,broker-2:9092");
    for (size_t i = 0; i < uex_setting_count; i++) {
        struct uex_buffer line = {0};
        struct uex_buffer shown = {0};

        uex_config_show(&loaded.config, false, &shown);
        uex_buffer_append_format(&line, "\n%s = ", uex_settings[i].key);
        if (!uex_settings[i].secret && uex_settings[i].work_out == NULL)
            uex_buffer_append_format(&line, "%s (file)\n", uex_settings[i].default_text);
        assert_holds(&shown, uex_buffer_text(&line));
        uex_buffer_clear(&line);
        uex_buffer_clear(&shown);
    }
    unload(&loaded);
    uex_buffer_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table__keys_defaults_and_secrets__are_the_promised_ones),
        cmocka_unit_test(table__fields__do_not_overlap),
        cmocka_unit_test(help__every_key__is_in_it_with_default_and_meaning),
        cmocka_unit_test(show__secrets__are_never_in_it),
        cmocka_unit_test(show__values_in_force__have_their_sources),
        cmocka_unit_test(example__committed_file__is_the_tables),
        cmocka_unit_test(reference__committed_document__holds_the_table),
        cmocka_unit_test(example__read_as_a_file__gives_the_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
