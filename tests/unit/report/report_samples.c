/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the page of a made-up run: report_samples good|failed|running|empty|hostile|large. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "report/page.h"

#define NIGHT INT64_C(1795369800000) /* 2026-11-22T17:50:00Z, 23:20 in India */
#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define RUNS 40

struct sample {
    struct uex_report report;
    struct uex_run_record runs[RUNS];
    char names[RUNS][16];
};

/* A number that looks like chance and is the same each time. */
static uint64_t noise(uint64_t seed)
{
    seed = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (seed ^ (seed >> 29)) >> 16;
}

static struct uex_report_group group(const char *id, enum uex_outcome_kind outcome, const char *reason,
                                     const char *error)
{
    return (struct uex_report_group){.group_id = id,
                                     .outcome = outcome,
                                     .has_outcome = true,
                                     .reason = reason,
                                     .error = error,
                                     .rows = UEX_UNKNOWN,
                                     .bytes = UEX_UNKNOWN,
                                     .attempts = 1,
                                     .duration_ms = UEX_NO_TIME,
                                     .at_ms = NIGHT + 64000,
                                     .next_attempt_at_ms = UEX_NO_TIME};
}

static void add(struct sample *sample, const struct uex_report_group *one)
{
    if (uex_report_add(&sample->report, one) != UEX_OK)
        exit(1);
}

static void add_exported(struct sample *sample, int count)
{
    static const char *const cities[] = {"bengaluru", "pune", "kochi", "delhi", "chennai", "goa", "jaipur", "mumbai"};
    char id[64];

    for (int i = 0; i < count; i++) {
        struct uex_report_group one = group(id, UEX_OUTCOME_EXPORTED, NULL, NULL);
        uint64_t chance = noise((uint64_t)i);

        (void)snprintf(id, sizeof(id), "%s-%03d", cities[chance % 8], i);
        one.rows = 20 + chance % 400 + (i % 97 == 0 ? 40000 + chance % 90000 : 0);
        one.bytes = one.rows * 61;
        one.duration_ms = 30 + (int64_t)(one.rows / 40) + (int64_t)(chance % 300);
        one.attempts = i % 211 == 0 ? 2 : 1;
        add(sample, &one);
    }
}

static void add_skipped(struct sample *sample, int count, const char *reason)
{
    for (int i = 0; i < count; i++) {
        struct uex_report_group one = group("quiet", UEX_OUTCOME_SKIPPED, reason, NULL);

        add(sample, &one);
    }
}

static void add_failed(struct sample *sample)
{
    const char *data = "column date_of_birth of the view export_user: \"0000-00-00\" is no date (SQLSTATE 22008, "
                       "datetime_field_overflow)";
    const char *denied =
        "PUT exports/5f0c1f3e/pune-011/0b3a25fa.csv.gz: 403 AccessDenied, an explicit deny in a bucket policy";
    struct uex_report_group many[] = {
        group("pune-011", UEX_OUTCOME_DEAD_LETTERED, "store-denied", denied),
        group("pune-104", UEX_OUTCOME_DEAD_LETTERED, "store-denied", denied),
        group("campus-delhi", UEX_OUTCOME_DEAD_LETTERED, "database-data", data),
        group("lottery 2026", UEX_OUTCOME_DEAD_LETTERED, "malformed-command",
              "requestedAt: \"yesterday\" is no RFC 3339 time"),
        group("kochi-new", UEX_OUTCOME_DEAD_LETTERED, "database-stalled",
              "COPY made no progress for 60 s (postgres.stall_timeout)"),
    };

    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        many[i].attempts = i == 4 ? 4 : 1;
        add(sample, &many[i]);
    }
}

static void add_late(struct sample *sample)
{
    struct uex_report_group one = group("jaipur-221", UEX_OUTCOME_RETRIED, "store-unavailable",
                                        "PUT of part 3: no answer within s3.stall_timeout (30 s)");
    struct uex_report_group two = group("mumbai-007", UEX_OUTCOME_EXPORTED, NULL, NULL);

    one.next_attempt_at_ms = NIGHT + 2400000;
    two.has_outcome = false;
    add(sample, &one);
    add(sample, &two);
}

static void set_runs(struct sample *sample, int count, enum uex_run_status status)
{
    for (int i = 0; i < count; i++) {
        struct uex_run_record *run = &sample->runs[i];
        uint64_t chance = noise(77 + (uint64_t)i);
        time_t day = (time_t)((NIGHT - i * DAY_MS) / 1000);
        struct tm split;

        (void)strftime(sample->names[i], sizeof(sample->names[i]), "%Y-%m-%d", localtime_r(&day, &split));
        *run = (struct uex_run_record){.run_id = sample->names[i],
                                       .status = i == 9 ? UEX_RUN_INCOMPLETE : UEX_RUN_COMPLETED,
                                       .groups = 1188 - (uint64_t)i / 2,
                                       .dead_lettered = i % 7 == 3 ? chance % 9 : 0,
                                       .unfinished = i == 9 ? 14 : 0,
                                       .skipped = 60 + chance % 8,
                                       .rows = 1190000 + chance % 80000,
                                       .bytes = 72000000 + chance % 5000000,
                                       .started_at_ms = NIGHT - i * DAY_MS + 4100,
                                       .ended_at_ms = NIGHT - i * DAY_MS + 1100000 + (int64_t)(chance % 500000)};
        run->exported = run->groups - run->skipped - run->dead_lettered - run->unfinished;
    }
    sample->report.runs = sample->runs;
    sample->report.run_count = (size_t)count;
    sample->report.timezone = "Asia/Kolkata";
    sample->report.made_at_ms = NIGHT + 1500000;
    sample->runs[0].status = status;
}

/* The newest run's record says what was counted. */
static void end_run(struct sample *sample)
{
    const struct uex_report *report = &sample->report;
    struct uex_run_record *run = &sample->runs[0];

    run->groups = report->groups;
    run->exported = report->exported;
    run->skipped = report->skipped;
    run->dead_lettered = report->dead_lettered;
    run->unfinished = report->unfinished;
    run->rows = report->rows;
    run->bytes = report->bytes;
    run->manifest_path = (char *)(uintptr_t) "s3://users-export/exports/_runs/2026-11-22/20261122T181020Z.jsonl.gz";
    (void)snprintf(run->manifest_sha256, sizeof(run->manifest_sha256),
                   "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
}

static void make_hostile(struct sample *sample)
{
    static char long_id[256], wide_id[256];
    struct uex_report_group all[] = {
        group("<script>alert(1)</script>", UEX_OUTCOME_DEAD_LETTERED, "database-data",
              "</style><img src=x onerror=alert(2)>"),
        group("it's \"quoted\" & $HOME `id`", UEX_OUTCOME_DEAD_LETTERED, "database-data", "a\tb\nc\x01\xff\xfe"),
        group("-rf", UEX_OUTCOME_DEAD_LETTERED, "malformed-command", ""),
        group("\xe2\x80\xaegnp.exe / \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", UEX_OUTCOME_DEAD_LETTERED,
              "from-another-release", "?"),
        group(long_id, UEX_OUTCOME_DEAD_LETTERED, "store-denied", long_id),
        group(wide_id, UEX_OUTCOME_EXPORTED, NULL, NULL),
        group(long_id, UEX_OUTCOME_RETRIED, "store-unavailable", long_id),
    };

    memset(long_id, 'w', sizeof(long_id) - 1);
    for (int i = 0; i < 84; i++)
        memcpy(wide_id + i * 3, "\xe5\xa4\xa9", 3);
    all[5].rows = UINT64_C(1000000000000);
    all[5].bytes = UINT64_C(9007199254740992);
    all[5].duration_ms = INT64_C(400) * DAY_MS;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        add(sample, &all[i]);
    sample->runs[0].run_id = (char *)(uintptr_t) "\"><b>night</b> & a run of sixty-four characters, without end …";
}

static void add_large(struct sample *sample)
{
    char id[32];

    for (int i = 0; i < 3000; i++) {
        struct uex_report_group one =
            group(id, UEX_OUTCOME_DEAD_LETTERED, i % 3 == 0 ? "store-denied" : "database-data", "no");

        (void)snprintf(id, sizeof(id), "group-%05d", i);
        add(sample, &one);
        one.has_outcome = false;
        add(sample, &one);
    }
}

int main(int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    struct sample *sample = calloc(1, sizeof(*sample));
    struct uex_buffer out = {0};
    bool is_running = strcmp(name, "running") == 0, is_empty = strcmp(name, "empty") == 0;

    if (sample == NULL || setenv("TZ", "Asia/Kolkata", 1) != 0)
        return 1;
    tzset();
    uex_report_init(&sample->report);
    set_runs(sample,
             is_empty                    ? 1
             : strcmp(name, "good") == 0 ? 9
                                         : RUNS,
             is_running ? UEX_RUN_STARTED : UEX_RUN_COMPLETED);
    if (!is_empty) {
        add_exported(sample, is_running ? 800 : 1120);
        add_skipped(sample, 51, "empty");
        add_skipped(sample, 9, "invalid-group-type");
    }
    if (strcmp(name, "failed") == 0 || is_running)
        add_failed(sample);
    if (strcmp(name, "failed") == 0 || is_running)
        add_late(sample);
    if (strcmp(name, "hostile") == 0)
        make_hostile(sample);
    if (strcmp(name, "large") == 0)
        add_large(sample);
    if (!is_running)
        end_run(sample);
    if (sample->report.unfinished > 0 && !is_running)
        sample->runs[0].status = UEX_RUN_INCOMPLETE;
    uex_report_write(&sample->report, &out);
    if (uex_buffer_failed(&out) || fwrite(out.data, 1, out.size_bytes, stdout) != out.size_bytes)
        return 1;
    uex_buffer_clear(&out);
    uex_report_clear(&sample->report);
    free(sample);
    return 0;
}
