/* SPDX-License-Identifier: Apache-2.0 */
/* A big group read by several connections: the same export as by one. */
#include "job_fixture.h"

#include <zlib.h>

#define USERS 130000 /* more than UEX_JOB_SHARE_ROWS, as the planner sees it too */
#define READERS 3

static int set_up(void **state)
{
    if (fixture_set_up(state) != 0 || database.admin == NULL)
        return database.admin == NULL ? 0 : -1;
    database_run(
        "ALTER TABLE users ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY; CREATE INDEX ON users (group_id, id);"
        "CREATE OR REPLACE VIEW export_user AS SELECT * FROM users");
    add_users("g", USERS);
    database_run("INSERT INTO users (group_id, username) SELECT 'list', 'user ' || n FROM generate_series(1, 120000) n;"
                 "ANALYZE users");
    fixture.config.export_readers = READERS;
    fixture.config.export_key_column = plain_text("id");
    new_runner((struct uex_job_limits){.part_bytes = 900000, .list_bytes = 32 << 20});
    return 0;
}

static int tear_down(void **state)
{
    if (database.admin != NULL)
        database_run("DROP VIEW export_user; ALTER TABLE users DROP COLUMN id; "
                     "CREATE VIEW export_user AS SELECT * FROM users");
    return fixture_tear_down(state);
}

/* Every row of the group once: users are "user N", with their bios. */
static void assert_object_is_whole(void)
{
    static unsigned char seen[USERS + 1];
    char path[4096], *line = NULL;
    size_t size = 0, lines = 0;
    FILE *pipe;

    memset(seen, 0, sizeof(seen));
    (void)snprintf(path, sizeof(path), "gzip -dc %s/" DOMAIN_ID "/g/" COMMAND_ID ".csv.gz",
                   fixture.storage_url + strlen("file://"));
    pipe = popen(path, "r");
    assert_non_null(pipe);
    while (getline(&line, &size, pipe) > 0) {
        long number = 0;

        if (lines == 0 && strncmp(line, "username,", 9) == 0)
            lines++;
        else if (sscanf(line, "user %ld,g,", &number) == 1 && number >= 1 && number <= USERS)
            seen[number]++;
    }
    assert_int_equal(pclose(pipe), 0);
    free(line);
    assert_int_equal(lines, 1);
    for (long n = 1; n <= USERS; n++)
        assert_int_equal(seen[n], 1);
}

struct batches {
    uint64_t row_count, count, longest;
    int64_t duration_ms;
};

static void count_batch(void *context, const struct uex_group *group, uint64_t row_count, int64_t duration_ms)
{
    struct batches *batches = context;

    (void)group;
    batches->row_count += row_count;
    batches->count++;
    batches->duration_ms += duration_ms;
    assert_true(duration_ms >= 0);
    assert_true(row_count <= 1000);
}

static void assert_exported(void)
{
    if (fixture.out.error != UEX_OK)
        print_error("%s: %s\n", uex_error_code(fixture.out.error), fixture.out.fault.text);
    assert_int_equal(fixture.out.error, UEX_OK);
    assert_int_equal(fixture.out.row_count, USERS);
    assert_int_equal(fixture.out.object.row_count, USERS);
    assert_int_equal(fixture.progress.row_count, USERS);
    assert_int_equal(fixture.progress.text_bytes, fixture.out.text_bytes);
    assert_object_is_whole();
}

static long connections(void)
{
    return database_number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                           "application_name = 'users-export'");
}

/* Only the runner's own is left; the server takes a moment to end the others. */
static void assert_one_connection(void)
{
    int64_t deadline_ms = uex_monotonic_ms() + 10000;

    while (connections() > 1 && uex_monotonic_ms() < deadline_ms)
        (void)uex_sleep_ms(20, NULL);
    assert_true(connections() <= 1);
}

static void run__big_group__every_row_once_and_counted(void **state)
{
    struct batches batches = {0};
    const struct uex_job_observer observer = {.context = &batches, .batch = count_batch};

    (void)state;
    database_needed();
    run_job(&observer);
    assert_exported();
    assert_false(fixture.runner->cannot_share);
    assert_int_equal(batches.row_count, USERS);
    assert_int_equal(batches.count, USERS / 1000);
    assert_true(batches.duration_ms <= fixture.out.csv_duration_ms + 1);
    assert_one_connection();
    assert_int_equal(stored_files(), 2);
    assert_true(fixture.out.snapshot_at_ms > 1600000000000);
}

static void run__key_column_and_levels__the_same_rows(void **state)
{
    (void)state;
    database_needed();
    fixture.config.export_key_column = plain_text("username");
    fixture.config.export_compression_level = 6;
    new_runner((struct uex_job_limits){.part_bytes = 900000, .list_bytes = 32 << 20});
    run_job_well();
    assert_exported();
}

static void run__no_key_column__is_read_by_one(void **state)
{
    (void)state;
    database_needed();
    fixture.config.export_key_column = plain_text("");
    run_job_well();
    assert_exported();
    assert_true(fixture.runner->cannot_share);
}

static void run__small_group_and_list__use_one_connection(void **state)
{
    (void)state;
    database_needed();
    database_run("DELETE FROM users WHERE group_id = 'g'; ANALYZE users");
    add_users("g", 50);
    run_job_well();
    assert_int_equal(fixture.out.row_count, 50);
    (void)strcpy(fixture.group_id, "list");
    run_job_well();
    assert_int_equal(fixture.out.row_count, 120000);
    assert_true(fixture.out.part_count > 1);
    assert_one_connection();
}

static void run__no_connection_for_the_others__one_goes_on(void **state)
{
    char sql[300], dsn[512];

    (void)state;
    database_needed();
    (void)snprintf(sql, sizeof(sql),
                   "CREATE ROLE %s_one LOGIN PASSWORD 'x' CONNECTION LIMIT 1; "
                   "GRANT SELECT ON export_user, export_group, users TO %s_one",
                   database.name, database.name);
    database_run(sql);
    (void)snprintf(sql, sizeof(sql), "%s_one", database.name);
    database_dsn(database.name, sql, dsn, sizeof(dsn));
    (void)strcat(dsn, " password='x'");
    fixture.config.postgres_dsn = dsn;
    new_runner((struct uex_job_limits){.part_bytes = 900000, .list_bytes = 32 << 20});
    run_job_well();
    assert_exported();
    uex_job_runner_free(fixture.runner);
    fixture.runner = NULL;
    fixture.config.postgres_dsn = database.dsn;
    (void)snprintf(sql, sizeof(sql), "DROP OWNED BY %s_one; DROP ROLE %s_one", database.name, database.name);
    database_run(sql);
}

/* Who looks how many connections the job has, batch by batch, and may begin to wait for one. */
struct watcher {
    _Atomic size_t waiting_count;
    long most, last; /* connections */
};

static void look_at_connections(void *context, const struct uex_group *group, uint64_t row_count, int64_t duration_ms)
{
    struct watcher *watcher = context;

    (void)group;
    (void)row_count;
    (void)duration_ms;
    (void)uex_sleep_ms(5, NULL); /* the readers are ahead of the lane */
    watcher->last = connections();
    if (watcher->last > watcher->most)
        watcher->most = watcher->last;
    watcher->waiting_count = 1;
}

static void run__somebody_waits_for_a_connection__readers_end_after_their_part(void **state)
{
    struct watcher watcher = {0};
    const struct uex_job_observer observer = {.context = &watcher, .batch = look_at_connections};

    (void)state;
    database_needed();
    uex_job_runner_observe_shortage(fixture.runner, &watcher.waiting_count);
    run_job(&observer);
    assert_exported();
    assert_int_equal(watcher.most, READERS);
    assert_int_equal(watcher.last, 1);
    /* Nor does a group begin with more than one then. */
    watcher.most = 0;
    (void)strcpy(fixture.command.command_id, "00000000-0000-4000-8000-0000000000aa");
    run_job(&observer);
    assert_int_equal(fixture.out.error, UEX_OK);
    assert_int_equal(fixture.out.row_count, USERS);
    assert_int_equal(watcher.most, 1);
}

static void run__connections_end_in_the_middle__the_step_is_repeated(void **state)
{
    struct saboteur saboteur = {0};
    const struct uex_job_observer observer = {.context = &saboteur, .batch = kill_backend_once};

    (void)state;
    database_needed();
    run_job(&observer);
    assert_exported();
    assert_true(saboteur.row_count > USERS); /* what was read in vain counts too */
    assert_int_equal(stored_files(), 2);
}

static void cancel_job(void *context, const struct uex_group *group, uint64_t row_count, int64_t duration_ms)
{
    (void)context;
    (void)group;
    (void)row_count;
    (void)duration_ms;
    uex_cancel_request(&fixture.cancel);
}

static void run__cancelled_in_the_middle__leaves_nothing(void **state)
{
    const struct uex_job_observer observer = {.batch = cancel_job};

    (void)state;
    database_needed();
    run_job(&observer);
    assert_int_equal(fixture.out.error, UEX_CANCELLED);
    assert_int_equal(stored_files(), 0);
    assert_one_connection();
    fixture.cancel = (struct uex_cancel){0};
    run_job_well(); /* the runner is as good as before */
    assert_exported();
}

static void run__one_part_has_a_formula__all_end(void **state)
{
    (void)state;
    database_needed();
    database_run("UPDATE users SET bio = '=1+1' WHERE group_id = 'g' AND username = 'user 129000'");
    fixture.config.export_formula_guard = UEX_GUARD_REJECT;
    new_runner((struct uex_job_limits){.part_bytes = 900000, .list_bytes = 32 << 20});
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_FORMULA_REJECTED);
    assert_int_equal(stored_files(), 0);
    assert_one_connection();
}

static void run__rows_stop_coming__ends_by_the_stall_timeout(void **state)
{
    int64_t start_ms;

    (void)state;
    database_needed();
    fixture.config.postgres_stall_timeout_ms = 500;
    fixture.config.retry_attempts = 0;
    new_runner((struct uex_job_limits){.part_bytes = 900000, .list_bytes = 32 << 20});
    database_run("CREATE OR REPLACE FUNCTION wait_a_bit(n text) RETURNS text LANGUAGE plpgsql AS "
                 "$$BEGIN IF n = 'user 120000' THEN PERFORM pg_sleep(60); END IF; RETURN n; END$$; "
                 "DROP VIEW export_user; CREATE VIEW export_user AS SELECT wait_a_bit(username) AS username, group_id, "
                 "display_name, gender, date_of_birth, location, intent, bio, smokes, drinks, wants_kids, education, "
                 "religion, occupation, preferred_genders, preferred_min_age, preferred_max_age, relationship_type, "
                 "open_to_long_distance, ready_for_matching, sent_to_matching_service, bio AS key FROM users");
    fixture.config.export_key_column = plain_text("key");
    start_ms = uex_monotonic_ms();
    run_job(NULL);
    assert_int_equal(fixture.out.error, UEX_DB_STALLED);
    assert_true(uex_monotonic_ms() - start_ms < 30000);
    assert_int_equal(stored_files(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(run__big_group__every_row_once_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__key_column_and_levels__the_same_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__no_key_column__is_read_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__small_group_and_list__use_one_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__no_connection_for_the_others__one_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__somebody_waits_for_a_connection__readers_end_after_their_part, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(run__connections_end_in_the_middle__the_step_is_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__cancelled_in_the_middle__leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__one_part_has_a_formula__all_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(run__rows_stop_coming__ends_by_the_stall_timeout, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, database_create, database_drop);
}
