/* SPDX-License-Identifier: Apache-2.0 */
#include "component/test_layout.h"
#include "job_fixture.h"

#include "component/csv_line.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <zlib.h>

static const char *object_path(void)
{
    static char path[4096];

    (void)snprintf(path, sizeof(path), "%s/" DOMAIN_ID "/g/" COMMAND_ID ".csv.gz",
                   fixture.storage_url + strlen("file://"));
    return path;
}

static void meta_path(char *out, size_t size)
{
    (void)snprintf(out, size, "%s.meta.json", object_path());
}

static void read_file(const char *path, struct uex_buffer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = 1;

    assert_true(fd >= 0);
    while (size > 0) {
        uint8_t *place = uex_buffer_reserve(out, 65536);

        assert_non_null(place);
        size = read(fd, place, 65536);
        out->size_bytes += size > 0 ? (size_t)size : 0;
    }
    close(fd);
}

static void write_file(const char *path, const void *data, size_t size_bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0 && write(fd, data, size_bytes) == (ssize_t)size_bytes);
    close(fd);
}

static void gunzip(const char *path, struct uex_buffer *out)
{
    gzFile file = gzopen(path, "rb");
    int size = 1;

    assert_non_null(file);
    while (size > 0) {
        uint8_t *place = uex_buffer_reserve(out, 65536);

        assert_non_null(place);
        size = gzread(file, place, 65536);
        assert_true(size >= 0);
        out->size_bytes += (size_t)size;
    }
    gzclose(file);
}

/* The facts say what the file is. */
static void assert_facts_are_true(void)
{
    struct uex_buffer bytes = {0};
    uint8_t sha256[UEX_SHA256_SIZE];

    read_file(object_path(), &bytes);
    uex_sha256(uex_buffer_bytes(&bytes), sha256);
    assert_true(fixture.out.object.has_sha256);
    assert_memory_equal(fixture.out.object.sha256, sha256, sizeof(sha256));
    assert_int_equal(fixture.out.object.size_bytes, bytes.size_bytes);
    assert_string_equal(fixture.out.object.url + strlen("file://"), object_path());
    uex_buffer_clear(&bytes);
}

struct batches {
    uint64_t row_count;
    int calls, groups_known;
};

static void note_batch(void *context, const struct uex_group *group, uint64_t row_count, int64_t duration_ms)
{
    struct batches *batches = context;

    assert_string_equal(group->group_id, "g");
    assert_true(duration_ms >= 0);
    batches->row_count += row_count;
    batches->calls++;
}

static void note_group(void *context, const struct uex_group *group)
{
    assert_int_equal(group->type, UEX_GROUP_FILE);
    ((struct batches *)context)->groups_known++;
}

static void run__cost_based__writes_the_object(void **state)
{
    struct batches batches = {0};
    struct uex_job_observer observer = {.context = &batches, .group_known = note_group, .batch = note_batch};
    struct uex_buffer text = {0}, header = {0};
    int64_t now_ms = uex_wall_ms();

    (void)state;
    database_needed();
    add_users("g", 2500);
    run_job(&observer);
    assert_int_equal(fixture.out.error, UEX_OK);
    assert_int_equal(fixture.out.skip, UEX_SKIP_NONE);
    assert_int_equal(fixture.out.row_count, 2500);
    assert_int_equal(batches.row_count, 2500);
    assert_int_equal(batches.calls, 3);
    assert_int_equal(batches.groups_known, 1);
    assert_false(fixture.out.object_was_there);
    assert_string_equal(fixture.out.domain_id, DOMAIN_ID);
    assert_string_equal(fixture.out.object.command_id, COMMAND_ID);
    assert_true(fixture.out.snapshot_at_ms >= now_ms - 60000 && fixture.out.snapshot_at_ms <= now_ms + 60000);
    assert_int_equal(fixture.out.object.snapshot_at_ms, fixture.out.snapshot_at_ms);
    assert_facts_are_true();
    assert_int_equal(stored_files(), 2);
    gunzip(object_path(), &text);
    uex_layout_write_header(plain_layout(), UEX_VERSION_COLUMN, &header);
    assert_memory_equal(text.data, header.data, header.size_bytes);
    assert_int_equal(text.size_bytes, header.size_bytes + fixture.out.text_bytes);
    assert_int_equal(fixture.progress.row_count, 2500);
    assert_int_equal(fixture.progress.text_bytes, fixture.out.text_bytes);
    assert_int_equal(fixture.progress.object_bytes, fixture.out.object.size_bytes);
    uex_buffer_clear(&text);
    uex_buffer_clear(&header);
}

/* Every row of the file is a row of the view, by another reading of it. */
static void run__comment_mode__rows_equal_what_another_query_reads(void **state)
{
    struct uex_buffer text = {0};
    struct csv_line line = {0};
    PGresult *result;
    const char *at, *end;

    (void)state;
    database_needed();
    fixture.config.export_version_field = UEX_VERSION_COMMENT;
    add_users("g", 1);
    run_job_well();
    gunzip(object_path(), &text);
    at = uex_buffer_text(&text);
    assert_memory_equal(at, "# ExportVersion: 1.0\nusername,groupId,", 38);
    at = strchr(strchr(at, '\n') + 1, '\n') + 1;
    end = uex_buffer_text(&text) + text.size_bytes;
    assert_true(csv_line_parse(uex_bytes_of(at, (size_t)(end - at)), &line));
    assert_int_equal(line.count, plain_layout()->column_count);
    result = PQexec(database.admin, "SELECT username, group_id, display_name, gender, date_of_birth, location, intent,"
                                    " bio, smokes::text FROM users");
    for (int i = 0; i < PQnfields(result); i++) {
        if (PQgetisnull(result, 0, i))
            assert_null(line.fields[i]);
        else
            assert_string_equal(line.fields[i], PQgetvalue(result, 0, i));
    }
    PQclear(result);
    csv_line_clear(&line);
    uex_buffer_clear(&text);
}

static void run__again__announces_the_same_object(void **state)
{
    struct uex_object_facts first;
    struct stat before, after;

    (void)state;
    database_needed();
    add_users("g", 100);
    run_job_well();
    first = fixture.out.object;
    first.url = NULL;
    assert_int_equal(stat(object_path(), &before), 0);
    add_users("g", 100);
    run_job_well();
    assert_true(fixture.out.object_was_there);
    assert_int_equal(fixture.out.row_count, 100);
    assert_memory_equal(fixture.out.object.sha256, first.sha256, sizeof(first.sha256));
    assert_int_equal(fixture.out.snapshot_at_ms, first.snapshot_at_ms);
    assert_int_equal(stat(object_path(), &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_facts_are_true();
}

static void set_meta(const char *command_id)
{
    char path[4200], json[200];

    meta_path(path, sizeof(path));
    (void)snprintf(json, sizeof(json),
                   "{\"export-version\":\"1.0\",\"export-command-id\":\"%s\","
                   "\"export-snapshot-at\":\"2026-11-22T17:50:00.123Z\"}",
                   command_id);
    write_file(path, json, strlen(json));
}

static void run__object_without_counts__is_read_back(void **state)
{
    (void)state;
    database_needed();
    for (int mode = UEX_VERSION_COLUMN; mode <= UEX_VERSION_NONE; mode++) {
        fixture.config.export_version_field = (enum uex_version_field)mode;
        (void)unlink(object_path());
        database_run("TRUNCATE users");
        add_users("g", 321);
        run_job_well();
        assert_false(fixture.out.object_was_there);
        set_meta(COMMAND_ID);
        run_job_well();
        assert_true(fixture.out.object_was_there);
        assert_int_equal(fixture.out.row_count, 321);
        assert_int_equal(fixture.out.snapshot_at_ms, 1795369800123);
        assert_facts_are_true();
    }
}

static void run__object_cut_off__is_broken_and_stays(void **state)
{
    struct uex_buffer bytes = {0};

    (void)state;
    database_needed();
    add_users("g", 321);
    run_job_well();
    set_meta(COMMAND_ID);
    read_file(object_path(), &bytes);
    write_file(object_path(), bytes.data, bytes.size_bytes - 9);
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_OBJECT_BROKEN);
    assert_int_equal(fixture.out.fault.error, UEX_OBJECT_BROKEN);
    assert_int_equal(stored_files(), 2);
    uex_buffer_clear(&bytes);
}

static void run__something_else_under_the_name__is_a_conflict(void **state)
{
    char path[4200];

    (void)state;
    database_needed();
    add_users("g", 10);
    run_job_well();
    set_meta("00000000-0000-4000-8000-000000000000");
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_OBJECT_CONFLICT);
    meta_path(path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_OBJECT_CONFLICT);
    assert_int_equal(stored_files(), 1);
}

static void run__groups_that_are_not_exported__leave_nothing(void **state)
{
    static const struct {
        const char *group_id;
        enum uex_skip_reason skip;
    } cases[] = {
        {"nobody", UEX_SKIP_UNKNOWN_GROUP},    {"asleep", UEX_SKIP_INACTIVE}, {"odd", UEX_SKIP_INVALID_GROUP_TYPE},
        {"asleep and odd", UEX_SKIP_INACTIVE}, {"g", UEX_SKIP_EMPTY},         {"list", UEX_SKIP_EMPTY},
    };

    (void)state;
    database_needed();
    database_run("INSERT INTO groups VALUES ('asleep', 'COST_BASED', false), ('odd', 'LOTTERY', true),"
                 " ('asleep and odd', 'LOTTERY', false)");
    add_users("nobody", 3);
    add_users("odd", 3);
    add_users("asleep", 3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(fixture.group_id, sizeof(fixture.group_id), "%s", cases[i].group_id);
        run_job_well();
        assert_int_equal(fixture.out.skip, cases[i].skip);
        assert_int_equal(fixture.out.row_count, cases[i].skip == UEX_SKIP_EMPTY ? 0 : UEX_UNKNOWN);
        assert_null(fixture.out.object.url);
        assert_null(fixture.out.lists);
        assert_string_equal(fixture.out.group.group_id, cases[i].group_id);
        assert_int_equal(stored_files(), 0);
    }
}

static void run__domain__of_the_command_then_of_the_configuration(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 1);
    (void)snprintf(fixture.command.domain_id, sizeof(fixture.command.domain_id),
                   "11111111-1111-4111-8111-111111111111");
    run_job_well();
    assert_non_null(strstr(fixture.out.object.url, "/11111111-1111-4111-8111-111111111111/g/"));
    fixture.command.domain_id[0] = '\0';
    run_job_well();
    assert_non_null(strstr(fixture.out.object.url, "/" DOMAIN_ID "/g/"));
    fixture.config.export_domain_id = plain_text("");
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_NO_DOMAIN);
}

static void run__database_gone_in_the_middle__starts_the_stream_again(void **state)
{
    struct saboteur saboteur = {0};
    struct uex_job_observer observer = {.context = &saboteur, .batch = kill_backend_once};
    struct uex_buffer text = {0};

    (void)state;
    database_needed();
    add_users("g", 60000);
    run_job(&observer);
    assert_int_equal(fixture.out.error, UEX_OK);
    assert_true(saboteur.row_count > 60000);
    assert_int_equal(fixture.out.row_count, 60000);
    assert_facts_are_true();
    assert_int_equal(stored_files(), 2);
    gunzip(object_path(), &text);
    assert_int_equal(fixture.progress.row_count, 60000);
    uex_buffer_clear(&text);
}

static void run__data_that_cannot_be_read__leaves_nothing(void **state)
{
    (void)state;
    database_needed();
    add_users("g", 60000);
    database_run("UPDATE users SET bio = 'marker' WHERE username = 'user 59999'; "
                 "CREATE OR REPLACE VIEW export_user AS SELECT username, group_id, display_name, gender, date_of_birth,"
                 " location, intent, CASE bio WHEN 'marker' THEN bio::int::text ELSE bio END AS bio, smokes, drinks,"
                 " wants_kids, education, religion, occupation, preferred_genders, preferred_min_age,"
                 " preferred_max_age, relationship_type, open_to_long_distance, ready_for_matching,"
                 " sent_to_matching_service FROM users");
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_DB_DATA);
    assert_null(strstr(fixture.out.fault.text, "marker"));
    assert_null(fixture.out.object.url);
    assert_int_equal(stored_files(), 0);
}

static void run__formula_rejected__leaves_nothing(void **state)
{
    (void)state;
    database_needed();
    fixture.config.export_formula_guard = UEX_GUARD_REJECT;
    add_users("g", 5000);
    run_job_well();
    assert_int_equal(unlink(object_path()), 0);
    database_run("UPDATE users SET bio = '=1' WHERE username = 'user 4999'");
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_FORMULA_REJECTED);
    assert_int_equal(stored_files(), 0); /* nor the first object's metadata */
}

static void request_cancel(void *context, const struct uex_group *group, uint64_t row_count, int64_t duration_ms)
{
    (void)group;
    (void)row_count;
    (void)duration_ms;
    uex_cancel_request(context);
}

static void run__cancelled_in_the_middle__leaves_nothing(void **state)
{
    struct uex_job_observer observer = {.context = &fixture.cancel, .batch = request_cancel};

    (void)state;
    database_needed();
    add_users("g", 60000);
    run_job(&observer);
    assert_int_equal(fixture.out.error, UEX_CANCELLED);
    assert_true(fixture.out.row_count < 60000);
    assert_int_equal(stored_files(), 0);
    fixture.cancel = (struct uex_cancel){0};
    run_job_well();
    assert_int_equal(fixture.out.row_count, 60000);
}

static enum uex_error append_bytes(void *context, struct uex_bytes data)
{
    uex_buffer_append(context, data.data, data.size_bytes);
    return UEX_OK;
}

static void export_to__group__gives_the_same_file(void **state)
{
    struct uex_buffer bytes = {0};
    uint8_t sha256[UEX_SHA256_SIZE];

    (void)state;
    database_needed();
    add_users("g", 2000);
    uex_job_outcome_clear(&fixture.out);
    assert_int_equal(
        uex_job_export_to(fixture.runner, "g", (struct uex_sink){append_bytes, &bytes}, NULL, NULL, &fixture.out),
        UEX_OK);
    uex_sha256(uex_buffer_bytes(&bytes), sha256);
    assert_memory_equal(fixture.out.object.sha256, sha256, sizeof(sha256));
    assert_int_equal(fixture.out.object.size_bytes, bytes.size_bytes);
    assert_int_equal(fixture.out.row_count, 2000);
    run_job_well();
    assert_memory_equal(fixture.out.object.sha256, sha256, sizeof(sha256));
    uex_buffer_clear(&bytes);
    uex_job_outcome_clear(&fixture.out);
    assert_int_equal(
        uex_job_export_to(fixture.runner, "nobody", (struct uex_sink){append_bytes, &bytes}, NULL, NULL, &fixture.out),
        UEX_OK);
    assert_int_equal(fixture.out.skip, UEX_SKIP_UNKNOWN_GROUP);
    assert_int_equal(bytes.size_bytes, 0);
}

static void runner_check__views_and_store__are_both_looked_at(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    database_needed();
    assert_int_equal(uex_job_runner_check(fixture.runner, NULL, &fault), UEX_OK);
    assert_int_equal(uex_job_runner_probe_database(fixture.runner, NULL, &fault), UEX_OK);
    assert_int_equal(uex_job_runner_probe_store(fixture.runner, NULL, &fault), UEX_OK);
    fixture.config.postgres_user_view = plain_text("no_such_view");
    assert_int_equal(uex_job_runner_check(fixture.runner, NULL, &fault), UEX_DB_SCHEMA);
    assert_non_null(strstr(fault.text, "no_such_view"));
}

int main(void)
{
#define JOB_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        JOB_TEST(run__cost_based__writes_the_object),
        JOB_TEST(run__comment_mode__rows_equal_what_another_query_reads),
        JOB_TEST(run__again__announces_the_same_object),
        JOB_TEST(run__object_without_counts__is_read_back),
        JOB_TEST(run__object_cut_off__is_broken_and_stays),
        JOB_TEST(run__something_else_under_the_name__is_a_conflict),
        JOB_TEST(run__groups_that_are_not_exported__leave_nothing),
        JOB_TEST(run__domain__of_the_command_then_of_the_configuration),
        JOB_TEST(run__database_gone_in_the_middle__starts_the_stream_again),
        JOB_TEST(run__data_that_cannot_be_read__leaves_nothing),
        JOB_TEST(run__formula_rejected__leaves_nothing),
        JOB_TEST(run__cancelled_in_the_middle__leaves_nothing),
        JOB_TEST(export_to__group__gives_the_same_file),
        JOB_TEST(runner_check__views_and_store__are_both_looked_at),
    };

    return cmocka_run_group_tests(tests, database_create, database_drop);
}
