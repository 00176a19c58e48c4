/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/job/job_fixture.h — a runner over the test's database and a store in a directory of its own. */
#ifndef COMPONENT_JOB_FIXTURE_H
#define COMPONENT_JOB_FIXTURE_H

#include "component/database.h"

#include "export/job.h"
#include "job/runner.h"

#include <ftw.h>

#define DOMAIN_ID "5f0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d11"
#define COMMAND_ID "7b0c1f3e-6d0b-4b1e-9a57-2a4f0f3c9d22"

struct job_fixture {
    char directory[64]; /* holds store/ and spool/ */
    char storage_url[96], work_dir[96];
    struct uex_config config;
    struct uex_spool_dir *spools;
    struct uex_job_services *services;
    struct uex_job_runner *runner;
    struct uex_cancel cancel;
    struct uex_job_progress progress;
    struct uex_job_outcome out;
    char group_id[64];
    struct uex_command command;
};

static struct job_fixture fixture;

static char *plain_text(const char *text)
{
    return (char *)(uintptr_t)text;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void close_runner(void)
{
    uex_job_runner_free(fixture.runner);
    uex_job_services_free(fixture.services);
    fixture.runner = NULL;
    fixture.services = NULL;
}

static void new_runner(struct uex_job_limits limits)
{
    struct uex_fault fault = {0};

    close_runner();
    if (uex_job_services_new(&fixture.config, &fixture.services, &fault) != UEX_OK) {
        print_error("%s\n", fault.text);
        fail();
    }
    uex_compression_pool_free(fixture.services->compression_pool);
    fixture.services->compression_pool = uex_compression_pool_new(6); /* threads, however many CPUs there are */
    if (uex_job_runner_new(fixture.services, fixture.spools, limits, &fixture.runner, &fault) != UEX_OK) {
        print_error("%s\n", fault.text);
        fail();
    }
}

static int fixture_set_up(void **state)
{
    (void)state;
    if (database.admin == NULL)
        return 0;
    fixture = (struct job_fixture){.directory = "/tmp/job-test.XXXXXX", .group_id = "g"};
    if (mkdtemp(fixture.directory) == NULL)
        return -1;
    (void)snprintf(fixture.storage_url, sizeof(fixture.storage_url), "file://%s/store", fixture.directory);
    (void)snprintf(fixture.work_dir, sizeof(fixture.work_dir), "%s/spool", fixture.directory);
    fixture.config = database.config;
    fixture.config.storage_url = fixture.storage_url;
    fixture.config.export_domain_id = plain_text(DOMAIN_ID);
    fixture.config.export_mask = plain_text("");
    fixture.config.export_mask_key = plain_text("");
    fixture.config.redis_url = plain_text("");
    fixture.config.retry_attempts = 3;
    fixture.command = (struct uex_command){.group_id = fixture.group_id,
                                           .command_id = COMMAND_ID,
                                           .run_id = plain_text(""),
                                           .requested_by = plain_text(""),
                                           .reason = plain_text(""),
                                           .requested_at_ms = UEX_NO_TIME};
    if (uex_spool_dir_open(fixture.work_dir, &fixture.spools, NULL) != UEX_OK)
        return -1;
    new_runner((struct uex_job_limits){.part_bytes = 900000, .list_bytes = 32 << 20});
    database_run("TRUNCATE groups, users; CREATE OR REPLACE VIEW export_user AS SELECT * FROM users; "
                 "INSERT INTO groups VALUES ('g', 'COST_BASED', true), ('list', 'NON_COST_BASED', true)");
    return 0;
}

static int fixture_tear_down(void **state)
{
    (void)state;
    if (database.admin == NULL)
        return 0;
    uex_job_outcome_clear(&fixture.out);
    close_runner();
    uex_spool_dir_close(fixture.spools);
    (void)nftw(fixture.directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void add_users(const char *group_id, int count)
{
    char sql[400];

    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO users (group_id, username, bio, smokes) SELECT '%s', 'user ' || n, "
                   "repeat('bio ' || n || E'\\n', 1 + n %% 20), n %% 2 = 0 FROM generate_series(1, %d) n",
                   group_id, count);
    database_run(sql);
}

static void run_job(const struct uex_job_observer *observer)
{
    uex_job_outcome_clear(&fixture.out);
    uex_job_run(fixture.runner, &fixture.command, &fixture.cancel, &fixture.progress, observer, &fixture.out);
}

/* Run, and show what went wrong if it did. */
static void run_job_well(void)
{
    run_job(NULL);
    if (fixture.out.error != UEX_OK)
        print_error("%s: %s\n", uex_error_code(fixture.out.error), fixture.out.fault.text);
    assert_int_equal(fixture.out.error, UEX_OK);
}

/* Ends the database connection of the running job from within it, the first time that it is called. */
struct saboteur {
    int calls;
    uint64_t row_count;
};

static inline void kill_backend_once(void *context, const struct uex_group *group, uint64_t row_count,
                                     int64_t duration_ms)
{
    struct saboteur *saboteur = context;

    (void)group;
    (void)duration_ms;
    saboteur->row_count += row_count;
    if (saboteur->calls++ == 0)
        database_run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                     "AND application_name = 'users-export'");
}

static int file_count;

static int count_file(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)path;
    (void)status;
    (void)walk;
    file_count += type == FTW_F;
    return 0;
}

/* Files in the store, of any kind. */
static int stored_files(void)
{
    file_count = 0;
    (void)nftw(fixture.storage_url + strlen("file://"), count_file, 16, FTW_PHYS);
    return file_count;
}
#endif
