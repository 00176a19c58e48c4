/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/object_meta.h"
#include "store/s3_store.h"

#define COMMAND "0f0e0d0c-0b0a-4908-8706-050403020100"

static void take(struct uex_object_facts *facts, const char *name, const char *value)
{
    uex_object_facts_take(facts, uex_bytes_of_text(name), uex_bytes_of_text(value));
}

static void key__plain_group__is_domain_group_command(void **state)
{
    struct uex_buffer key = {0};

    (void)state;
    uex_object_key("d0", "g-17", COMMAND, ".csv.gz", &key);
    assert_string_equal(uex_buffer_text(&key), "d0/g-17/" COMMAND ".csv.gz");
    assert_true(uex_object_key_valid(uex_buffer_text(&key)));
    uex_buffer_clear(&key);
}

static void key__groups_that_would_climb_or_split__are_encoded(void **state)
{
    static const char *const cases[][2] = {{"..", "d0/%2E%2E/c.csv.gz"},
                                           {".", "d0/%2E/c.csv.gz"},
                                           {"../../etc", "d0/..%2F..%2Fetc/c.csv.gz"},
                                           {"a b/c%d\xc3\xa4", "d0/a%20b%2Fc%25d%C3%A4/c.csv.gz"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_buffer key = {0};
        uex_object_key("d0", cases[i][0], "c", ".csv.gz", &key);
        assert_string_equal(uex_buffer_text(&key), cases[i][1]);
        assert_true(uex_object_key_valid(uex_buffer_text(&key)));
        uex_buffer_clear(&key);
    }
}

static void key_valid__empty_relative_or_long_ones__are_refused(void **state)
{
    static const char *const cases[] = {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\nb", "a/\x7f"};
    char text[UEX_OBJECT_KEY_MAX_BYTES + 2] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_false(uex_object_key_valid(cases[i]));
    assert_false(uex_object_key_valid(NULL));
    memset(text, 'k', UEX_OBJECT_KEY_MAX_BYTES);
    assert_true(uex_object_key_valid(text));
    text[UEX_OBJECT_KEY_MAX_BYTES] = 'k';
    assert_false(uex_object_key_valid(text));
}

static void facts_take__what_a_writer_sent__comes_back(void **state)
{
    struct uex_object_meta meta = {.has_tags = true,
                                   .tags = {.command_id = COMMAND, .snapshot_at_ms = 1795000000123},
                                   .row_count = 17,
                                   .has_sha256 = true,
                                   .sha256 = {1, 2, 3}};
    struct uex_s3_write_headers headers;
    struct uex_config config = {0};
    struct uex_object_facts facts;

    (void)state;
    uex_object_facts_init(&facts);
    facts.size_bytes = 5;
    uex_s3_write_headers_init(&headers, &config, &meta);
    assert_int_equal(headers.count, 6);
    for (size_t i = 1; i < headers.count; i++)
        take(&facts, headers.items[i].name + strlen("x-amz-meta-"), headers.items[i].value);
    assert_string_equal(facts.command_id, COMMAND);
    assert_int_equal(facts.snapshot_at_ms, 1795000000123);
    assert_int_equal(facts.row_count, 17);
    assert_true(facts.has_sha256);
    assert_memory_equal(facts.sha256, meta.sha256, sizeof(meta.sha256));
    assert_true(uex_object_facts_match(&facts, &meta, 5));
    assert_false(uex_object_facts_match(&facts, &meta, 6));
    meta.sha256[31] = 9;
    assert_false(uex_object_facts_match(&facts, &meta, 5));
    uex_object_facts_clear(&facts);
}

static void facts_match__upload_without_a_digest__needs_command_size_and_snapshot(void **state)
{
    struct uex_object_meta meta = {
        .has_tags = true, .tags = {.command_id = COMMAND, .snapshot_at_ms = 1795000000123}, .has_sha256 = true};
    struct uex_object_facts facts;

    (void)state;
    uex_object_facts_init(&facts);
    facts.size_bytes = 5;
    assert_false(uex_object_facts_match(&facts, &meta, 5));
    take(&facts, "export-command-id", COMMAND);
    assert_false(uex_object_facts_match(&facts, &meta, 5));
    take(&facts, "export-snapshot-at", "2026-11-18T13:46:40.123Z");
    meta.tags.snapshot_at_ms = facts.snapshot_at_ms;
    assert_true(uex_object_facts_match(&facts, &meta, 5));
    meta.tags.snapshot_at_ms++;
    assert_false(uex_object_facts_match(&facts, &meta, 5));
}

static void facts_take__damaged_values__leave_the_object_foreign(void **state)
{
    struct uex_object_facts facts;

    (void)state;
    uex_object_facts_init(&facts);
    take(&facts, "export-command-id", "not-a-uuid");
    take(&facts, "export-row-count", "-1");
    take(&facts, "export-row-count", "99999999999999999999");
    take(&facts, "export-row-count", "");
    take(&facts, "export-row-count", "9007199254740993");
    take(&facts, "export-row-count", "9223372036854775807");
    take(&facts, "export-sha256", "zz");
    take(&facts, "export-snapshot-at", "yesterday");
    take(&facts, "something-else", "x");
    assert_string_equal(facts.command_id, "");
    assert_true(facts.row_count == UEX_UNKNOWN);
    assert_false(facts.has_sha256);
    assert_true(facts.snapshot_at_ms == UEX_NO_TIME);
}

static void facts_take__largest_count__is_known(void **state)
{
    struct uex_object_facts facts;

    (void)state;
    uex_object_facts_init(&facts);
    take(&facts, "export-row-count", "9007199254740992");
    assert_true(facts.row_count == UEX_COUNT_MAX);
}

static void write_headers__encryption_is_asked_for__is_on_every_write(void **state)
{
    struct uex_config config = {.s3_sse = (char *)"aws:kms", .s3_sse_kms_key_id = (char *)"key-1"};
    struct uex_object_meta meta = {.row_count = UEX_UNKNOWN};
    struct uex_s3_write_headers headers;

    (void)state;
    uex_s3_write_headers_init(&headers, &config, &meta);
    assert_int_equal(headers.count, 4);
    assert_string_equal(headers.items[0].value, "application/gzip");
    assert_string_equal(headers.items[1].name, "x-amz-server-side-encryption");
    assert_string_equal(headers.items[1].value, "aws:kms");
    assert_string_equal(headers.items[2].name, "x-amz-server-side-encryption-aws-kms-key-id");
    assert_string_equal(headers.items[2].value, "key-1");
    assert_string_equal(headers.items[3].name, "x-amz-meta-export-version");
}

static struct uex_config good_config(void)
{
    return (struct uex_config){.storage_url = (char *)"s3://users-export/exports",
                               .s3_endpoint = (char *)"http://s3.example.com:9000",
                               .s3_region = (char *)"us-east-1",
                               .s3_access_key_id = (char *)"a",
                               .s3_secret_access_key = (char *)"b",
                               .s3_session_token = (char *)"",
                               .s3_ca_file = (char *)"",
                               .s3_sse = (char *)"",
                               .s3_sse_kms_key_id = (char *)"",
                               .s3_path_style = true};
}

static void check__good_settings__pass(void **state)
{
    struct uex_config config = good_config();
    struct uex_s3_settings settings;

    (void)state;
    assert_int_equal(uex_object_store_check(&config, NULL), UEX_OK);
    config.s3_path_style = false;
    assert_int_equal(uex_s3_settings_init(&settings, &config, NULL), UEX_OK);
    assert_string_equal(settings.host, "users-export.s3.example.com:9000");
    uex_s3_settings_clear(&settings);
    config.storage_url = (char *)"file:///tmp/exports";
    assert_int_equal(uex_object_store_check(&config, NULL), UEX_OK);
}

static void check__settings_that_do_not_fit__are_refused(void **state)
{
    struct uex_config config = good_config();

    (void)state;
    config.storage_url = (char *)"";
    assert_int_equal(uex_object_store_check(&config, NULL), UEX_CONFIG);
    config = good_config();
    config.s3_endpoint = (char *)"s3.example.com";
    assert_int_equal(uex_object_store_check(&config, NULL), UEX_CONFIG);
    config = good_config();
    config.s3_endpoint = (char *)"http://127.0.0.1:9000";
    config.s3_path_style = false;
    assert_int_equal(uex_object_store_check(&config, NULL), UEX_CONFIG);
    config = good_config();
    config.s3_sse = (char *)"rot13";
    assert_int_equal(uex_object_store_check(&config, NULL), UEX_CONFIG);
    config.s3_sse = (char *)"AES256";
    config.s3_sse_kms_key_id = (char *)"key";
    assert_int_equal(uex_object_store_check(&config, NULL), UEX_CONFIG);
}

static void new__ca_file_that_cannot_be_read__is_refused(void **state)
{
    struct uex_config config = good_config();
    struct uex_store_service *service = NULL;

    (void)state;
    config.s3_ca_file = (char *)"/nonexistent/ca.pem";
    assert_int_equal(uex_store_service_new(&config, &service, NULL), UEX_CONFIG);
    assert_null(service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key__plain_group__is_domain_group_command),
        cmocka_unit_test(key__groups_that_would_climb_or_split__are_encoded),
        cmocka_unit_test(key_valid__empty_relative_or_long_ones__are_refused),
        cmocka_unit_test(facts_take__what_a_writer_sent__comes_back),
        cmocka_unit_test(facts_match__upload_without_a_digest__needs_command_size_and_snapshot),
        cmocka_unit_test(facts_take__damaged_values__leave_the_object_foreign),
        cmocka_unit_test(facts_take__largest_count__is_known),
        cmocka_unit_test(write_headers__encryption_is_asked_for__is_on_every_write),
        cmocka_unit_test(check__good_settings__pass),
        cmocka_unit_test(check__settings_that_do_not_fit__are_refused),
        cmocka_unit_test(new__ca_file_that_cannot_be_read__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
