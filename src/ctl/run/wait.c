/* SPDX-License-Identifier: Apache-2.0 */
/* run wait: until every group of a run has ended. */
#include <inttypes.h>

#include "ctl/live.h"
#include "ctl/options.h"
#include "ctl/run/run.h"
#include "ctl/status/overview.h"
#include "ctl/subcommands.h"

#define WAIT_MS 200
#define SAY_EVERY_MS 60000
#define PAUSE_MS 5000

struct waiting {
    struct uex_run_watch watch;
    enum uex_output format;
    struct uex_live live;
    struct uex_overview_watch *overview; /* why nothing moves; NULL: no memory for it */
    int64_t begun_ms;
    uint64_t ended_count;
    int64_t moved_ms;   /* monotonic: when that grew last */
    int64_t timeout_ms; /* UEX_NO_TIME: none */
    int64_t said_ms;    /* of the last line for those who have no terminal */
    bool is_away;       /* Kafka does not answer; that was said */
};

/* A group has ended since: then nothing has to be explained. */
static void note_movement(struct waiting *waiting, const struct uex_run_counts *counts)
{
    uint64_t ended_count = counts->groups - counts->unfinished;

    if (ended_count != waiting->ended_count)
        waiting->moved_ms = uex_monotonic_ms();
    waiting->ended_count = ended_count;
}

static void draw(struct waiting *waiting)
{
    int64_t now_ms = uex_monotonic_ms();
    bool is_due =
        waiting->live.is_on ? uex_live_is_due(&waiting->live, now_ms) : now_ms - waiting->said_ms >= SAY_EVERY_MS;
    struct uex_run_counts counts;
    struct uex_buffer line = {0};
    char age[32];

    if (!uex_run_follow_is_caught_up(waiting->watch.follow))
        return;
    counts = uex_run_follow_counts(waiting->watch.follow);
    note_movement(waiting, &counts);
    if (!waiting->live.is_on)
        uex_overview_watch_say(waiting->overview, waiting->moved_ms);
    if (!is_due)
        return;
    uex_output_duration(now_ms - waiting->begun_ms, age);
    uex_run_counts_write(&counts, &line);
    uex_buffer_append_format(&line, "; waiting for %s\n", age);
    if (!waiting->live.is_on)
        uex_output_error("%.*s", (int)line.size_bytes - 1, uex_buffer_text(&line));
    else if (uex_overview_watch_why(waiting->overview, waiting->moved_ms, &line) != UEX_HINDRANCE_NONE)
        uex_buffer_append_text(&line, "\n");
    if (waiting->live.is_on)
        uex_live_draw(&waiting->live, &line);
    waiting->said_ms = now_ms;
    uex_buffer_clear(&line);
}

/* Said once for each time that it is so. */
static void check_kafka(struct waiting *waiting)
{
    bool was_away = waiting->is_away;

    waiting->is_away = uex_run_follow_is_away(waiting->watch.follow);
    if (!waiting->is_away || was_away)
        return;
    uex_live_erase(&waiting->live);
    uex_output_error("Kafka does not answer; waiting for it");
}

/* What stood in the topic is gone with its outcomes; only new ones can end the run now. */
static bool goes_on_after(struct waiting *waiting, enum uex_error err, const struct uex_fault *fault)
{
    if (err == UEX_KAFKA_TOPICS) {
        uex_live_erase(&waiting->live);
        uex_output_error("%s; waiting for outcomes that are not known yet", fault->text);
        (void)uex_sleep_ms(PAUSE_MS, &uex_program_cancel);
    }
    return err == UEX_OK || err == UEX_KAFKA_TOPICS || err == UEX_KAFKA_UNAVAILABLE;
}

static enum uex_error wait_for_end(struct waiting *waiting, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    while (goes_on_after(waiting, err, fault)) {
        int64_t left_ms = waiting->timeout_ms == UEX_NO_TIME
                              ? WAIT_MS
                              : waiting->timeout_ms - (uex_monotonic_ms() - waiting->begun_ms);

        if (left_ms <= 0 || uex_output_closed()) {
            err = left_ms <= 0 ? UEX_TIMEOUT : UEX_END;
            break;
        }
        err = uex_run_follow_read(waiting->watch.follow, left_ms < WAIT_MS ? left_ms : WAIT_MS, fault);
        check_kafka(waiting);
        draw(waiting);
    }
    uex_live_erase(&waiting->live);
    return err == UEX_END ? UEX_OK : err;
}

static bool print(const struct waiting *waiting, const struct uex_run_counts *counts)
{
    const struct uex_run_record *record = &waiting->watch.record;
    struct uex_buffer out = {0};
    bool printed = false;

    if (waiting->format == UEX_OUTPUT_JSON) {
        uex_buffer_append_text(&out, "{\"run\": ");
        uex_run_record_write_json(record, &out);
        uex_buffer_append_text(&out, ", \"counts\": ");
        uex_run_counts_write_json(counts, &out);
        uex_buffer_append_text(&out, "}\n");
    } else {
        uex_buffer_append_text(&out, "run ");
        uex_output_append_clean(&out, record->run_id);
        uex_buffer_append_text(&out, ": ");
        uex_run_counts_write(counts, &out);
        uex_buffer_append_text(&out, "\n");
    }
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    return printed;
}

static int report(const struct waiting *waiting, enum uex_error err, const struct uex_fault *fault,
                  const struct uex_run_counts *counts)
{
    int code = print(waiting, counts) ? uex_run_exit_of(counts) : UEX_EXIT_FAILED;

    if (counts->dead_lettered > 0)
        uex_output_error("%" PRIu64 " group%s failed for good; exportctl run show %s shows %s", counts->dead_lettered,
                         counts->dead_lettered == 1 ? "" : "s", waiting->watch.record.run_id,
                         counts->dead_lettered == 1 ? "it" : "them");
    if (err == UEX_OK)
        return code;
    if (err != UEX_CANCELLED && err != UEX_TIMEOUT)
        return uex_output_fail(err, fault);
    uex_output_error("%s: %" PRIu64 " of %" PRIu64 " groups have ended; the others continue",
                     err == UEX_TIMEOUT ? "--timeout ran out" : "stopped", counts->groups - counts->unfinished,
                     counts->groups);
    return err == UEX_TIMEOUT ? UEX_EXIT_TIMEOUT : UEX_EXIT_FAILED;
}

/* A run that is completed needs no waiting. Its dead letters may have been replayed since, so the states are asked;
 * what they no longer know of an old run stands in its record. */
static enum uex_error look_again(struct waiting *waiting, struct uex_run_counts *counts, struct uex_fault *fault)
{
    struct uex_run_counts now;
    enum uex_error err = UEX_OK;

    *counts = uex_run_counts_of(&waiting->watch.record);
    if (counts->dead_lettered == 0)
        return UEX_OK;
    err = uex_run_watch_open(&waiting->watch, fault);
    if (err == UEX_OK)
        err = uex_run_watch_catch_up(&waiting->watch, fault);
    if (err != UEX_OK)
        return err;
    now = uex_run_follow_counts(waiting->watch.follow);
    if (now.unfinished == 0)
        *counts = now;
    return UEX_OK;
}

static int wait_for_run(struct waiting *waiting)
{
    struct uex_run_counts counts = uex_run_counts_of(&waiting->watch.record);
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;

    if (waiting->watch.record.status == UEX_RUN_COMPLETED) {
        err = look_again(waiting, &counts, &fault);
        return err == UEX_OK ? report(waiting, err, &fault, &counts) : uex_output_fail(err, &fault);
    }
    err = uex_run_watch_open(&waiting->watch, &fault);
    if (err == UEX_OK)
        err = wait_for_end(waiting, &fault);
    if (waiting->watch.follow != NULL && uex_run_follow_is_caught_up(waiting->watch.follow))
        counts = uex_run_follow_counts(waiting->watch.follow);
    return err == UEX_OK || err == UEX_CANCELLED || err == UEX_TIMEOUT ? report(waiting, err, &fault, &counts)
                                                                       : uex_output_fail(err, &fault);
}

int uex_run_wait_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct waiting waiting = {.watch = {.config = config}, .begun_ms = uex_monotonic_ms()};
    int code = UEX_EXIT_USAGE;

    if (uex_output_format(uex_ctl_options.output, &waiting.format) != UEX_OK ||
        uex_option_duration("--timeout", uex_ctl_options.timeout, UEX_NO_TIME, &waiting.timeout_ms) != UEX_OK)
        return code;
    waiting.said_ms = waiting.moved_ms = waiting.begun_ms;
    waiting.overview = uex_overview_watch_new(config);
    uex_live_begin(&waiting.live);
    code = uex_ctl_run_operand(config, operand_count, operands, &waiting.watch.record);
    if (code == UEX_EXIT_DONE)
        code = wait_for_run(&waiting);
    uex_overview_watch_free(waiting.overview);
    uex_run_watch_close(&waiting.watch);
    return code;
}
