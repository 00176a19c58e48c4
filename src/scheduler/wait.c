/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/wait.h"

#include <malloc.h>

#include "export/program.h"
#include "report/publish.h"
#include "run/end.h"
#include "run/follow.h"
#include "run/manifest.h"
#include "run/records.h"

#define READ_MS 1000
#define SAY_EVERY_MS 60000
#define PAUSE_MS 1000
#define JITTER_MS 1500

/* What is said once a minute. */
enum say { SAY_PROGRESS, SAY_AWAY, SAY_LOST, SAY_COUNT };

struct wait {
    const struct uex_config *config;
    struct uex_store_service *service;    /* NULL: neither a manifest nor a page */
    const struct uex_run_record *started; /* the run's record: its start, or an `incomplete` end */
    struct uex_run_members *members;
    const struct uex_cancel *cancel;
    struct uex_run_follow *follow;
    int64_t until_ms; /* monotonic: schedule.wait is over */
    struct uex_run_record
        end; /* owned: how the run has ended, written by this process or another; without a run_id: it has not */
    int64_t said_ms[SAY_COUNT]; /* monotonic; 0: not said */
};

int uex_exit_of_end(const struct uex_run_record *record)
{
    if (record->status != UEX_RUN_COMPLETED)
        return UEX_EXIT_TIMEOUT;
    return record->dead_lettered > 0 && record->dead_lettered != UEX_UNKNOWN ? UEX_EXIT_FAILED : UEX_EXIT_DONE;
}

/* Log what the record of an ended run says. Returns the exit code. */
static int report_end(const struct uex_run_record *record)
{
    const bool is_complete = record->status == UEX_RUN_COMPLETED;
    const int64_t duration_ms = record->ended_at_ms == UEX_NO_TIME || record->started_at_ms == UEX_NO_TIME
                                    ? 0
                                    : record->ended_at_ms - record->started_at_ms;

    uex_log(is_complete ? UEX_LOG_INFO : UEX_LOG_ERROR,
            is_complete ? UEX_EVENT_RUN_COMPLETED : UEX_EVENT_RUN_INCOMPLETE,
            is_complete               ? "Completed export scheduling for all groups"
            : record->unfinished == 0 ? "schedule.wait is over, and the run has no manifest"
                                      : "schedule.wait is over, and some groups have not ended",
            UEX_STR("run", record->run_id), UEX_NUM("groups", record->groups), UEX_NUM("exported", record->exported),
            UEX_NUM("skipped", record->skipped), UEX_NUM("dead_lettered", record->dead_lettered),
            UEX_NUM("unfinished", record->unfinished), UEX_NUM("rows", record->rows), UEX_NUM("bytes", record->bytes),
            UEX_INT("duration_ms", duration_ms), UEX_STR("manifest", record->manifest_path));
    return uex_exit_of_end(record);
}

/* Has it not been said for a minute? */
static bool is_due(struct wait *wait, enum say what)
{
    const int64_t now_ms = uex_monotonic_ms();

    if (wait->said_ms[what] != 0 && now_ms - wait->said_ms[what] < SAY_EVERY_MS)
        return false;
    wait->said_ms[what] = now_ms;
    return true;
}

static int report_failure(const struct wait *wait, enum uex_error err, const struct uex_fault *fault)
{
    uex_log(err == UEX_CANCELLED ? UEX_LOG_INFO : UEX_LOG_ERROR, UEX_EVENT_RUN_WAIT_ENDED,
            "no longer waiting for the run's end, and nothing is written; the next start of the scheduler goes on",
            UEX_STR("run", wait->started->run_id), UEX_STR("error", uex_error_code(err)),
            UEX_STR("detail", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text));
    return err == UEX_CANCELLED ? UEX_EXIT_FAILED : uex_exit_of(err);
}

static void say_away(struct wait *wait, const struct uex_fault *fault)
{
    if (is_due(wait, SAY_AWAY))
        uex_log(UEX_LOG_WARN, UEX_EVENT_RUN_KAFKA_AWAY, "Kafka does not answer; waiting for it",
                UEX_STR("run", wait->started->run_id), UEX_STR("detail", fault->text));
}

static void say_lost(struct wait *wait, const struct uex_fault *fault)
{
    if (is_due(wait, SAY_LOST))
        uex_log(UEX_LOG_WARN, UEX_EVENT_RUN_STATES_LOST,
                "states of groups are lost; groups that had not ended before stay unfinished until schedule.wait is "
                "over, unless they are exported once more",
                UEX_STR("run", wait->started->run_id), UEX_STR("detail", fault->text));
}

/* Kafka may come back; what it says otherwise ends the waiting. */
static bool is_away(enum uex_error err)
{
    return err == UEX_KAFKA_UNAVAILABLE || err == UEX_TIMEOUT;
}

static bool is_over(const struct wait *wait, int64_t more_ms)
{
    return uex_monotonic_ms() >= wait->until_ms + more_ms;
}

/* The groups, where this process has not sent their commands itself. */
static enum uex_error find_members(struct wait *wait, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    while (wait->members->count == 0) {
        err = uex_run_members_read(wait->config, wait->started->run_id, wait->started->started_at_ms,
                                   wait->config->startup_timeout_ms, wait->cancel, wait->members, fault);
        if (!is_away(err) || is_over(wait, 0))
            return err;
        say_away(wait, fault);
        uex_run_members_clear(wait->members); /* half read */
        if (!uex_sleep_ms(PAUSE_MS, wait->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped");
    }
    return UEX_OK;
}

static void say_progress(struct wait *wait)
{
    const struct uex_run_counts counts = uex_run_follow_counts(wait->follow);

    if (uex_run_follow_is_away(wait->follow)) {
        say_away(wait, &(struct uex_fault){0});
        return;
    }
    if (!uex_run_follow_is_caught_up(wait->follow) || !is_due(wait, SAY_PROGRESS))
        return;
    uex_log(UEX_LOG_INFO, UEX_EVENT_RUN_PROGRESS, "waiting for the groups of the run",
            UEX_STR("run", wait->started->run_id), UEX_NUM("groups", counts.groups),
            UEX_NUM("exported", counts.exported), UEX_NUM("skipped", counts.skipped),
            UEX_NUM("dead_lettered", counts.dead_lettered), UEX_NUM("unfinished", counts.unfinished),
            UEX_NUM("retrying", counts.retrying));
}

/* UEX_END: all have ended. UEX_TIMEOUT: the time is over, and the states were read to their end, so that the counts are
 * true; they get startup.timeout more for that. */
static enum uex_error follow_groups(struct wait *wait, struct uex_fault *fault)
{
    for (;;) {
        const int64_t left_ms = wait->until_ms - uex_monotonic_ms();
        enum uex_error err =
            uex_run_follow_read(wait->follow, left_ms > 0 && left_ms < READ_MS ? left_ms : READ_MS, fault);

        if (err != UEX_OK && err != UEX_KAFKA_TOPICS && !is_away(err))
            return err;
        if (err == UEX_KAFKA_TOPICS)
            say_lost(wait, fault);
        else if (err != UEX_OK)
            say_away(wait, fault);
        if (is_over(wait, 0) && uex_run_follow_is_caught_up(wait->follow))
            return UEX_TIMEOUT;
        if (is_over(wait, wait->config->startup_timeout_ms))
            return err != UEX_OK ? err
                                 : uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "%s was not read to its end in time",
                                            wait->config->topics_state);
        if (err != UEX_OK && !uex_sleep_ms(PAUSE_MS, wait->cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped");
        say_progress(wait);
    }
}

/* Without memory for it there is no page. Returns the exit code. */
static int take_end(struct wait *wait, const struct uex_run_record *end)
{
    if (uex_run_record_copy(end, &wait->end) != UEX_OK)
        uex_run_record_clear(&wait->end);
    return report_end(end);
}

/* Of several processes one writes the end; the others find it. The record to be replaced is `started`, or the
 * `incomplete` of an earlier wait. */
static int write_end(struct wait *wait, const struct uex_run_record *end)
{
    for (;;) {
        struct uex_run_record found = {0};
        struct uex_fault fault = {0};
        bool written = false;
        enum uex_error err = uex_run_end(wait->config, wait->started, end, wait->config->startup_timeout_ms,
                                         wait->cancel, &written, &found, &fault);
        const bool is_settled = err == UEX_OK && (written || !uex_run_record_is(&found, wait->started));
        int code = -1;

        if (is_settled && found.status != UEX_RUN_STARTED) {
            code = take_end(wait, &found);
        } else if (is_settled) {
            uex_log(UEX_LOG_INFO, UEX_EVENT_RUN_TAKEN_OVER, "the run was started again; its end is left to who did",
                    UEX_STR("run", wait->started->run_id));
            code = UEX_EXIT_DONE;
        } else if (err != UEX_OK && (!is_away(err) || is_over(wait, wait->config->startup_timeout_ms))) {
            code = report_failure(wait, err, &fault);
        } else if (err != UEX_OK) {
            say_away(wait, &fault);
        }
        uex_run_record_clear(&found);
        if (code >= 0)
            return code;
        if (!uex_sleep_ms(PAUSE_MS + uex_monotonic_us() % JITTER_MS, wait->cancel))
            return report_failure(wait, UEX_CANCELLED, &(struct uex_fault){0});
    }
}

/* What cannot be written in time makes the run incomplete. The record is the only one that announces it, so it comes
 * first. */
static enum uex_error create_manifest(struct wait *wait, struct uex_run_manifest *manifest, struct uex_run_record *end,
                                      struct uex_fault *fault)
{
    const struct uex_run_manifest_setup setup = {.config = wait->config,
                                                 .service = wait->service,
                                                 .run = wait->started,
                                                 .members = wait->members,
                                                 .until_ms = wait->until_ms,
                                                 .cancel = wait->cancel};
    enum uex_error err = uex_run_manifest_create(&setup, manifest, fault);

    if (err == UEX_OK) {
        end->ended_at_ms = manifest->ended_at_ms;
        end->manifest_path = manifest->path;
        memcpy(end->manifest_sha256, manifest->sha256, sizeof(end->manifest_sha256));
    } else if (err != UEX_CANCELLED) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_RUN_MANIFEST_FAILED,
                "the manifest was not written, so the run is incomplete; exportctl run finish writes both",
                UEX_STR("run", wait->started->run_id), UEX_STR("error", uex_error_code(err)),
                UEX_STR("detail", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text));
        end->status = UEX_RUN_INCOMPLETE;
        end->ended_at_ms = uex_wall_ms();
        err = UEX_OK;
    }
    return err;
}

static void report_no_page(const struct wait *wait, enum uex_error err, const struct uex_fault *fault)
{
    uex_log(UEX_LOG_WARN, UEX_EVENT_RUN_REPORT_FAILED,
            "the run's page was not written; exportctl report --html makes it", UEX_STR("run", wait->started->run_id),
            UEX_STR("error", uex_error_code(err)),
            UEX_STR("detail", fault->text[0] == 0 ? uex_error_sentence(err) : fault->text));
}

/* The end is written; a page that cannot be is no reason for another exit code. Who wrote the end may have been killed
 * before its page: so everybody who knows the end publishes it, and the first one does. */
static void publish_page(struct wait *wait, const struct uex_run_record *end)
{
    const struct uex_report_question question = {.config = wait->config,
                                                 .run = end,
                                                 .members = wait->members,
                                                 .wait_ms = wait->config->startup_timeout_ms,
                                                 .cancel = wait->cancel};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (!wait->config->schedule_report || wait->service == NULL)
        return;
    err = uex_report_publish(&question, wait->service, &fault);
    if (err != UEX_OK && err != UEX_OBJECT_EXISTS)
        report_no_page(wait, err, &fault);
}

/* Would `end` say again what an earlier wait has written? */
static bool is_written(const struct wait *wait, const struct uex_run_record *end)
{
    const struct uex_run_record *before = wait->started;

    return before->status == UEX_RUN_INCOMPLETE && end->status == UEX_RUN_INCOMPLETE &&
           before->exported == end->exported && before->skipped == end->skipped &&
           before->dead_lettered == end->dead_lettered && before->unfinished == end->unfinished;
}

static int end_run(struct wait *wait, const struct uex_run_counts *counts)
{
    struct uex_run_record end = uex_run_end_of(wait->started, counts);
    struct uex_run_manifest manifest = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_FAILED;

    if (wait->config->schedule_manifest && wait->service != NULL && end.status == UEX_RUN_COMPLETED)
        err = create_manifest(wait, &manifest, &end, &fault);
    if (err != UEX_OK)
        code = report_failure(wait, err, &fault);
    else if (is_written(wait, &end))
        code = take_end(wait, wait->started);
    else
        code = write_end(wait, &end);
    if (wait->end.run_id != NULL)
        publish_page(wait, &wait->end);
    uex_run_record_clear(&wait->end);
    uex_run_manifest_clear(&manifest);
    return code;
}

/* The manifest reads the topic once more; the memory of the first reader is not to stand beside that of the second. */
static void stop_following(struct wait *wait)
{
    uex_run_follow_free(wait->follow);
    wait->follow = NULL;
    (void)malloc_trim(0);
}

static int follow_and_end(struct wait *wait)
{
    struct uex_fault fault = {0};
    struct uex_run_counts counts;
    enum uex_error err = follow_groups(wait, &fault);

    if (err != UEX_END && err != UEX_TIMEOUT)
        return report_failure(wait, err, &fault);
    counts = uex_run_follow_counts(wait->follow);
    stop_following(wait);
    return end_run(wait, &counts);
}

int64_t uex_wait_left_ms(const struct uex_config *config, const struct uex_run_record *started, bool is_known,
                         int64_t wall_ms)
{
    const int64_t whole_ms = config->schedule_wait_ms;
    const int64_t least_ms = config->startup_timeout_ms < whole_ms ? config->startup_timeout_ms : whole_ms;
    int64_t passed_ms = 0;

    if (!is_known || started->started_at_ms == UEX_NO_TIME || started->started_at_ms > wall_ms)
        return whole_ms;
    passed_ms = wall_ms - started->started_at_ms;
    return passed_ms < whole_ms - least_ms ? whole_ms - passed_ms : least_ms;
}

int uex_wait_for_run(const struct uex_config *config, struct uex_store_service *service,
                     const struct uex_run_record *started, bool is_known, struct uex_run_members *members,
                     const struct uex_cancel *cancel)
{
    struct wait wait = {.config = config,
                        .service = service,
                        .started = started,
                        .members = members,
                        .cancel = cancel,
                        .until_ms = uex_monotonic_ms() + uex_wait_left_ms(config, started, is_known, uex_wall_ms())};
    const struct uex_run_follow_setup setup = {.config = config, .run = started, .members = members, .cancel = cancel};
    struct uex_fault fault = {0};
    enum uex_error err = started->groups == 0 ? UEX_OK : find_members(&wait, &fault);
    int code = UEX_EXIT_FAILED;

    if (err != UEX_OK)
        return report_failure(&wait, err, &fault);
    (void)malloc_trim(0); /* what the commands took */
    wait.follow = uex_run_follow_new(&setup);
    if (wait.follow == NULL)
        return report_failure(&wait, UEX_NO_MEMORY, &fault);
    code = follow_and_end(&wait);
    uex_run_follow_free(wait.follow);
    return code;
}

/* Until the states were read to their end, which they are at once, or Kafka is away for startup.timeout. */
static enum uex_error catch_up(struct wait *wait, struct uex_fault *fault)
{
    const struct uex_run_follow_setup setup = {
        .config = wait->config, .run = wait->started, .members = wait->members, .cancel = wait->cancel};
    enum uex_error err = wait->started->groups == 0 ? UEX_OK : find_members(wait, fault);

    if (err != UEX_OK)
        return err;
    wait->follow = uex_run_follow_new(&setup);
    err = wait->follow == NULL ? uex_fail(fault, UEX_NO_MEMORY, "no memory for following a run")
                               : follow_groups(wait, fault);
    stop_following(wait);
    return err == UEX_END || err == UEX_TIMEOUT ? UEX_OK : err;
}

void uex_publish_page(const struct uex_config *config, struct uex_store_service *service,
                      const struct uex_run_record *ended, const struct uex_cancel *cancel)
{
    struct uex_run_members members = {0};
    struct wait wait = {.config = config,
                        .service = service,
                        .started = ended,
                        .members = &members,
                        .cancel = cancel,
                        .until_ms = uex_monotonic_ms()};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (!config->schedule_report || service == NULL)
        return;
    err = catch_up(&wait, &fault);
    if (err == UEX_OK)
        publish_page(&wait, ended);
    else
        report_no_page(&wait, err, &fault);
    uex_run_members_clear(&members);
}

int uex_end_empty_run(const struct uex_config *config, struct uex_store_service *service,
                      const struct uex_run_record *started, const struct uex_cancel *cancel)
{
    struct uex_run_members none = {0};
    const struct uex_run_counts nothing = {0};
    struct wait wait = {.config = config,
                        .service = service,
                        .started = started,
                        .members = &none,
                        .cancel = cancel,
                        .until_ms = uex_monotonic_ms() + config->schedule_wait_ms};

    return end_run(&wait, &nothing);
}
