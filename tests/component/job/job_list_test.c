/* SPDX-License-Identifier: Apache-2.0 */
#include "job_fixture.h"

#include <cJSON.h>

/* Checks each message and gives the usernames of all, joined by '\n', in order. */
static size_t read_parts(struct uex_buffer *names, size_t part_bytes)
{
    size_t name_count = 0;
    uint64_t offset = 0;

    for (size_t i = 0; i < fixture.out.part_count; i++) {
        const struct uex_result_part *part = &fixture.out.parts[i];
        char *text = calloc(1, part->size_bytes + (size_t)1);
        cJSON *json, *list, *name;

        assert_non_null(text);
        assert_int_equal(part->offset, offset);
        assert_true(part->size_bytes <= part_bytes);
        offset += part->size_bytes;
        assert_int_equal(uex_spool_read(fixture.out.lists, part->offset, (uint8_t *)text, part->size_bytes, NULL),
                         UEX_OK);
        json = cJSON_ParseWithOpts(text, NULL, true);
        assert_non_null(json);
        assert_int_equal(cJSON_GetArraySize(json), 6);
        assert_string_equal(cJSON_GetObjectItem(json, "groupId")->valuestring, "list");
        assert_string_equal(cJSON_GetObjectItem(json, "domainId")->valuestring, DOMAIN_ID);
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "filePath")));
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "fileName")));
        assert_true(cJSON_IsNull(cJSON_GetObjectItem(json, "contentType")));
        list = cJSON_GetObjectItem(json, "usernames");
        assert_true(cJSON_GetArraySize(list) > 0);
        cJSON_ArrayForEach(name, list)
        {
            uex_buffer_append_format(names, "%s\n", cJSON_IsNull(name) ? "(null)" : name->valuestring);
            name_count++;
        }
        cJSON_Delete(json);
        free(text);
    }
    assert_int_equal(offset, uex_spool_size_bytes(fixture.out.lists));
    return name_count;
}

static int list_set_up(void **state)
{
    int rc = fixture_set_up(state);

    (void)snprintf(fixture.group_id, sizeof(fixture.group_id), "list");
    return rc;
}

static void run__short_list__is_one_message(void **state)
{
    struct uex_buffer names = {0};

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) VALUES ('list', 'naïve \"user\"'), ('list', NULL),"
                 " ('list', 'zoë🎈'), ('list', E'tab\\tand\\\\')");
    run_job_well();
    assert_int_equal(fixture.out.part_count, 1);
    assert_int_equal(fixture.out.row_count, 4);
    assert_int_equal(read_parts(&names, 900000), 4);
    assert_string_equal(uex_buffer_text(&names), "naïve \"user\"\n(null)\nzoë🎈\ntab\tand\\\n");
    assert_null(fixture.out.object.url);
    assert_true(fixture.out.snapshot_at_ms != UEX_NO_TIME);
    assert_int_equal(stored_files(), 0);
    uex_buffer_clear(&names);
}

static void run__long_list__is_cut_into_messages_that_fit(void **state)
{
    struct uex_buffer names = {0};
    PGresult *result;
    const char *at;

    (void)state;
    database_needed();
    new_runner((struct uex_job_limits){.part_bytes = 1000, .list_bytes = 32 << 20});
    add_users("list", 20000);
    run_job_well();
    assert_true(fixture.out.part_count > 200);
    assert_int_equal(fixture.out.row_count, 20000);
    assert_int_equal(read_parts(&names, 1000), 20000);
    result = PQexec(database.admin, "SELECT username FROM users ORDER BY ctid");
    at = uex_buffer_text(&names);
    for (int i = 0; i < PQntuples(result); i++) {
        size_t length = strlen(PQgetvalue(result, i, 0));

        assert_memory_equal(at, PQgetvalue(result, i, 0), length);
        at += length + 1;
    }
    PQclear(result);
    uex_buffer_clear(&names);
}

static void run__name_at_the_limit__fits_and_one_byte_more_does_not(void **state)
{
    struct uex_buffer names = {0};
    size_t bytes;

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) VALUES ('list', repeat('x', 300))");
    run_job_well();
    bytes = fixture.out.parts[0].size_bytes;
    new_runner((struct uex_job_limits){.part_bytes = bytes, .list_bytes = bytes});
    run_job_well();
    assert_int_equal(read_parts(&names, bytes), 1);
    new_runner((struct uex_job_limits){.part_bytes = bytes - 1, .list_bytes = bytes});
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_RESULT_REFUSED);
    new_runner((struct uex_job_limits){.part_bytes = bytes, .list_bytes = bytes - 1});
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_RESULT_REFUSED);
    assert_null(fixture.out.lists);
    assert_null(fixture.out.parts);
    uex_buffer_clear(&names);
}

static void run__list_over_the_bound__is_refused_early(void **state)
{
    (void)state;
    database_needed();
    new_runner((struct uex_job_limits){.part_bytes = 10000, .list_bytes = 100000});
    add_users("list", 50000);
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_RESULT_REFUSED);
    assert_non_null(strstr(fixture.out.fault.text, "commit.max_list"));
    assert_true(fixture.out.row_count < 20000);
}

static void run__database_gone_in_the_middle__no_name_twice(void **state)
{
    struct saboteur saboteur = {0};
    struct uex_job_observer observer = {.context = &saboteur, .batch = kill_backend_once};
    struct uex_buffer names = {0};

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) SELECT 'list', 'u' || n || repeat('x', 90) "
                 "FROM generate_series(1, 100000) n");
    run_job(&observer);
    assert_int_equal(fixture.out.error, UEX_OK);
    assert_true(saboteur.row_count > 100000);
    assert_int_equal(read_parts(&names, 900000), 100000);
    assert_int_equal(fixture.out.row_count, 100000);
    uex_buffer_clear(&names);
}

static void run__masked_and_guarded__in_lists_too(void **state)
{
    struct uex_buffer names = {0};

    (void)state;
    database_needed();
    database_run("INSERT INTO users (group_id, username) VALUES ('list', '=cmd'), ('list', 'plain')");
    fixture.config.export_formula_guard = UEX_GUARD_PREFIX;
    run_job_well();
    assert_int_equal(read_parts(&names, 900000), 2);
    assert_string_equal(uex_buffer_text(&names), "'=cmd\nplain\n");
    uex_buffer_reset(&names);
    fixture.config.export_mask = plain_text("username:redact");
    new_runner((struct uex_job_limits){.part_bytes = 900000, .list_bytes = 32 << 20});
    run_job_well();
    (void)read_parts(&names, 900000);
    assert_string_equal(uex_buffer_text(&names), "***\n***\n");
    uex_buffer_clear(&names);
}

int main(void)
{
#define LIST_TEST(function) cmocka_unit_test_setup_teardown(function, list_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        LIST_TEST(run__short_list__is_one_message),
        LIST_TEST(run__long_list__is_cut_into_messages_that_fit),
        LIST_TEST(run__name_at_the_limit__fits_and_one_byte_more_does_not),
        LIST_TEST(run__list_over_the_bound__is_refused_early),
        LIST_TEST(run__database_gone_in_the_middle__no_name_twice),
        LIST_TEST(run__masked_and_guarded__in_lists_too),
    };

    return cmocka_run_group_tests(tests, database_create, database_drop);
}
