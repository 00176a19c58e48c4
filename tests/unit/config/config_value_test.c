/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"
#include "config/table.h"
#include "unit/config/config_fixture.h"

static void values__allowed_and_refused__by_the_setting(void **state)
{
    static const struct {
        const char *key;
        const char *allowed[10];
        const char *refused[20];
    } cases[] = {
        {"postgres.stall_timeout",
         {"10ms", "1s", "90m", "24h", "0010s"},
         {"", "0", "5", "9ms", "25h", "1 s", " 1s", "1s ", "-1s", "+1s", "1.5s", "1S", "1d", "s", "1ss", "1e3ms",
          "9223372036854775807h", "99999999999999999999s", "0x1s"}},
        {"commit.interval", {"0", "0ms", "60s"}, {"61s", "100", "1MiB"}},
        {"shutdown.timeout", {"0", "1h"}, {"61m"}},
        {"commit.max_list", {"1024B", "1KiB", "1GiB", "32MiB"}, {"", "0", "1024", "1KB", "1kib", "2GiB", "1 MiB"}},
        {"export.batch_rows", {"1", "0100"}, {"", "0", "-1", "1.0", "1e3", "10000001", "1k", "９"}},
        {"export.compression_level", {"1", "9"}, {"0", "10", "fast"}},
        {"export.lanes", {"1", "256"}, {"0", "257", "auto"}},
        {"producer.rate", {"0", "1000000"}, {"-1", "off"}},
        {"retry.attempts", {"0", "20"}, {"21"}},
        {"s3.path_style", {"true", "false"}, {"", "1", "yes", "TRUE", "on"}},
        {"export.version_field", {"column", "comment", "none"}, {"", "Column", "col", "column|comment", "columns"}},
        {"export.formula_guard", {"off", "prefix", "reject"}, {"on"}},
        {"export.file_types",
         {"", "PREMIUM", "PREMIUM,gold plus, é ", "012345678901234567890123456789012345678901234567890123456789012"},
         {",", "A,", "A,,B", " ", "say \"A\"", "A\\B", "A\tB", "\xff",
          "0123456789012345678901234567890123456789012345678901234567890123"}},
        {"log.level", {"debug", "info", "warn", "error"}, {"warning", "INFO"}},
        {"log.format", {"json", "text"}, {"xml"}},
        {"profile", {"production", "test"}, {"", "prod"}},
        {"export.domain_id",
         {"", "10731DEF-ce10-4a86-a579-f4438f52a638"},
         {"x", "10731defce104a86a579f4438f52a638", "{10731def-ce10-4a86-a579-f4438f52a638}",
          "10731def-ce10-4a86-a579-f4438f52a63g"}},
        {"retry.delays",
         {"", "1ms", "30s,5m,30m", "1s,1s", "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s"},
         {"0", "1s,0", ",", "1s,", ",1s", "1s,,1s", "1s;2s", "1s, 2s", "5",
          "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s", "169h"}},
        {"topics.command", {"a", "A.b_c-9", "..."}, {"", ".", "..", "a b", "a/b", "é", "a,b"}},
        {"postgres.group_view",
         {"v", "public.v", "_v$1", "\"My View\"", "public.\"a\"\"b\"", "\"a.b\".\"c\"", "größe"},
         {"", "1v", "a.b.c", "a.", ".a", "\"a", "\"\"", "a b", "v;drop", "v--", "\"a\"b", "a-b",
          "x123456789012345678901234567890123456789012345678901234567890123"}},
        {"export.key_column", {"", "id", "\"Id\""}, {"a.b", "1", "id)"}},
        {"http.listen",
         {"", "0.0.0.0:9464", "[::]:9464", "localhost:0", "[fe80::1%eth0]:1", "h-1.x:65535"},
         {"9464", ":9464", "::1:9464", "[::1]", "h:65536", "h:-1", "h:1x", "h:", "[]:1", "h /:1", "[a:1", "a]:1"}},
        {"s3.endpoint",
         {"", "http://127.0.0.1:9000", "https://s3.example.com", "https://[::1]:9000", "https://s3.example.com/",
          "HTTP://LOCALHOST:9000/", "Https://S3.Example.COM", "https://[::1]", "http://min_io"},
         {"s3.example.com", "ftp://x", "http://", "http:///", "http://x:0", "http://x/y", "http://x//", "http://x/y/",
          "https://u:p@x", "http://x:99999", "http://x:", "http://[::1", "http://::1"}},
        {"s3.sse", {"", "AES256", "aws:kms"}, {"aes256", "aws:kms:dsse"}},
        {"s3.checksum", {"off", "crc32", "sha256", "md5"}, {"", "CRC32", "crc32c", "crc64nvme", "sha1"}},
        {"s3.storage_class", {"", "STANDARD_IA", "cold-2"}, {"STANDARD IA", "A\"", "Ä", "a,b", "a\r\nb"}},
        {"s3.acl", {"", "private", "bucket-owner-full-control"}, {"private, public-read", "a b", "a\nb"}},
        {"s3.tagging",
         {"", "team=matching", "team=matching&cost%20centre=4711", "a=", "a=b+c&b=b%2Bc", "k%C3%A4=%E2%82%AC",
          "path=/a/b:c@d", "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1"},
         {"team", "=x", "&", "a=1&", "&a=1", "a=1&&b=2", "a=1&a=2", "a+b=1&a%20b=2", "a=b=c", "a=b c", "a=%", "a=%4",
          "a=%zz", "a=%00", "a=%0a", "a=%ff", "gr\xc3\xb6=x", "a=1;b=2",
          "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1"}},
        {"s3.region", {"eu-west-1"}, {"", "eu west"}},
        {"schedule.at", {"00:00", "23:59"}, {"", "24:00", "23:60", "9:00", "23:20:00", "23.20", "2a:00"}},
        {"schedule.timezone", {"UTC", "Europe/Berlin"}, {"", "Nowhere/Land", "../etc/passwd", "/etc/localtime"}},
        {"schedule.lag_group", {"", "a group"}, {"a\tb"}},
        {"export.work_dir", {"/tmp/x"}, {"x", "./x"}},
        {"export.mask", {"", "bio:null"}, {"bio\n:null", "\xff"}},
        {"storage.url", {"", "s3://b/p", "file:///x"}, {"s3://b\x01"}},
        {"postgres.dsn", {"", "host=a password='x\x01'", "\xff"}, {NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct uex_setting *setting = uex_setting_find(cases[i].key);
        struct uex_config config = {0};

        assert_non_null(setting);
        for (size_t j = 0; j < 10 && cases[i].allowed[j] != NULL; j++) {
            if (uex_setting_store(setting, &config, cases[i].allowed[j]) != UEX_OK)
                fail_msg("%s: \"%s\" is refused", cases[i].key, cases[i].allowed[j]);
        }
        for (size_t j = 0; j < 20 && cases[i].refused[j] != NULL; j++) {
            if (uex_setting_store(setting, &config, cases[i].refused[j]) != UEX_CONFIG)
                fail_msg("%s: \"%s\" is taken", cases[i].key, cases[i].refused[j]);
        }
        uex_config_clear(&config);
    }
}

static void values__units__become_milliseconds_and_bytes(void **state)
{
    int64_t value = 0;

    (void)state;
    assert_true(uex_duration_parse("7ms", &value));
    assert_int_equal(value, 7);
    assert_true(uex_duration_parse("7s", &value));
    assert_int_equal(value, 7000);
    assert_true(uex_duration_parse("7m", &value));
    assert_int_equal(value, 420000);
    assert_true(uex_duration_parse("7h", &value));
    assert_int_equal(value, 25200000);
    assert_true(uex_size_parse("7B", &value));
    assert_int_equal(value, 7);
    assert_true(uex_size_parse("7KiB", &value));
    assert_int_equal(value, 7168);
    assert_true(uex_size_parse("7MiB", &value));
    assert_int_equal(value, 7340032);
    assert_true(uex_size_parse("7GiB", &value));
    assert_int_equal(value, INT64_C(7516192768));
    assert_true(uex_size_parse("0", &value));
    assert_int_equal(value, 0);
    assert_false(uex_size_parse("7", &value));
    assert_false(uex_size_parse("999999999999999999GiB", &value));
}

static void values__stored__are_what_was_said(void **state)
{
    struct loaded loaded =
        load_with(NOTHING, WITH("--export.domain_id=10731DEF-CE10-4A86-A579-F4438F52A638", "--retry.delays=1s,2m",
                                "--export.version_field=none", "--export.formula_guard=reject", "--s3.path_style=false",
                                "--export.compression_level=9", "--log.format=text", "--commit.max_list=2KiB"));

    (void)state;
    assert_loaded(&loaded);
    assert_string_equal(loaded.config.export_domain_id, "10731def-ce10-4a86-a579-f4438f52a638");
    assert_int_equal(loaded.config.retry_tier_count, 2);
    assert_int_equal(loaded.config.retry_delays_ms[1], 120000);
    assert_int_equal(loaded.config.export_version_field, UEX_VERSION_NONE);
    assert_int_equal(loaded.config.export_formula_guard, UEX_GUARD_REJECT);
    assert_false(loaded.config.s3_path_style);
    assert_int_equal(loaded.config.export_compression_level, 9);
    assert_int_equal(loaded.config.log_format, UEX_LOG_TEXT);
    assert_int_equal(loaded.config.commit_max_list_bytes, 2048);
    unload(&loaded);
}

static void values__text_that_was_never_stored__becomes_empty(void **state)
{
    const struct uex_setting *setting = uex_setting_find("schedule.timezone");
    struct uex_config config = {0};

    (void)state;
    assert_int_equal(uex_setting_store(setting, &config, "Nowhere/Land"), UEX_CONFIG);
    assert_true(uex_setting_ensure(setting, &config));
    assert_string_equal(config.schedule_timezone, "");
    assert_true(uex_setting_ensure(uex_setting_find("export.lanes"), &config));
    assert_int_equal(config.export_lanes, 0);
    uex_config_clear(&config);
}

static void values__refused__are_quoted_shortly_on_one_line(void **state)
{
    char flag[600] = "--log.level=a\nb\x1b[31m";
    struct loaded loaded = {0};

    (void)state;
    for (size_t i = strlen(flag); i < 500; i += 2)
        memcpy(flag + i, "\xc3\xa9", 2);
    loaded = load_with(NOTHING, WITH(flag));
    assert_one_problem(&loaded, "log.level: \"a?b?[31m");
    assert_holds(&loaded.problems, "…\" is not allowed");
    assert_true(loaded.problems.size_bytes < 300);
    unload(&loaded);
    loaded = load_with(NOTHING, WITH("--log.level=\xff"));
    assert_one_problem(&loaded, "log.level: (not UTF-8) is not allowed");
    unload(&loaded);
}

static void values__credentials_in_the_wrong_setting__are_not_quoted(void **state)
{
    struct loaded loaded =
        load_with(NOTHING, WITH("--s3.endpoint=https://me:hunter2@s3:9000", "--log.level=postgres://me:hunter2@db/x"));

    (void)state;
    assert_int_equal(line_count(&loaded.problems), 2);
    assert_lacks(&loaded.problems, "hunter2");
    unload(&loaded);
}

static void listen_split__host_and_port__come_apart(void **state)
{
    char host[UEX_LISTEN_HOST_SIZE];
    uint16_t port = 0;

    (void)state;
    assert_true(uex_listen_split("[::1]:9464", host, &port));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 9464);
    assert_true(uex_listen_split("localhost:65535", host, &port));
    assert_string_equal(host, "localhost");
    assert_int_equal(port, 65535);
    assert_false(uex_listen_split("localhost", host, &port));
}

static bool tag_is_taken(const char *key_character, int key_count, const char *value_character, int value_count)
{
    struct uex_buffer text = {0};
    bool is_taken = false;

    for (int i = 0; i < key_count; i++)
        uex_buffer_append_text(&text, key_character);
    uex_buffer_append_text(&text, "=");
    for (int i = 0; i < value_count; i++)
        uex_buffer_append_text(&text, value_character);
    is_taken = uex_check_tagging(uex_buffer_text(&text));
    uex_buffer_clear(&text);
    return is_taken;
}

static void tagging__longest_key_and_value__are_counted_in_characters(void **state)
{
    (void)state;
    assert_true(tag_is_taken("k", 128, "v", 256));
    assert_false(tag_is_taken("k", 129, "v", 1));
    assert_false(tag_is_taken("k", 1, "v", 257));
    assert_true(tag_is_taken("%F0%9F%98%80", 128, "v", 1));
    assert_true(tag_is_taken("k", 1, "%F0%9F%98%80", 256));
    assert_false(tag_is_taken("%F0%9F%98%80", 129, "v", 1));
    assert_false(tag_is_taken("%F0%9F%98%80", 128, "%F0%9F%98%80", 256)); /* more than all headers may have */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values__allowed_and_refused__by_the_setting),
        cmocka_unit_test(values__units__become_milliseconds_and_bytes),
        cmocka_unit_test(values__stored__are_what_was_said),
        cmocka_unit_test(values__text_that_was_never_stored__becomes_empty),
        cmocka_unit_test(values__refused__are_quoted_shortly_on_one_line),
        cmocka_unit_test(values__credentials_in_the_wrong_setting__are_not_quoted),
        cmocka_unit_test(tagging__longest_key_and_value__are_counted_in_characters),
        cmocka_unit_test(listen_split__host_and_port__come_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
