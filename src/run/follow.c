/* SPDX-License-Identifier: Apache-2.0 */
#include "run/follow.h"

#include <stdlib.h>

#include "kafka/topic_reader.h"

#define OPEN_MS 10000
#define LOOK_EVERY_MS 5000

struct uex_run_follow {
    struct uex_run_follow_setup setup;
    struct uex_run_tally tally;
    struct uex_topic_reader *reader; /* NULL: to be opened */
    bool is_caught_up;               /* this reader was at the topic's end */
    bool did_not_open;
    int64_t looked_ms; /* monotonic: when it was last asked whether the topic is the same */
};

struct uex_run_follow *uex_run_follow_new(const struct uex_run_follow_setup *setup)
{
    struct uex_run_follow *follow = calloc(1, sizeof(*follow));
    struct uex_run_rule rule;

    if (follow == NULL)
        return NULL;
    follow->setup = *setup;
    rule = uex_run_rule_of(setup->run);
    if (uex_run_tally_begin(&follow->tally, &rule, setup->run->groups, setup->members) == UEX_OK)
        return follow;
    uex_run_follow_free(follow);
    return NULL;
}

void uex_run_follow_free(struct uex_run_follow *follow)
{
    if (follow == NULL)
        return;
    uex_topic_reader_close(follow->reader);
    uex_run_tally_clear(&follow->tally);
    free(follow);
}

struct uex_run_counts uex_run_follow_counts(const struct uex_run_follow *follow)
{
    return uex_run_tally_counts(&follow->tally);
}

bool uex_run_follow_is_caught_up(const struct uex_run_follow *follow)
{
    return follow->is_caught_up;
}

bool uex_run_follow_is_away(struct uex_run_follow *follow)
{
    bool is_new = false;

    return follow->reader == NULL ? follow->did_not_open : uex_topic_reader_is_away(follow->reader, &is_new);
}

static enum uex_error open_topic(struct uex_run_follow *follow, struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = follow->setup.config->topics_state, .from = UEX_READ_ALL};
    enum uex_error err = UEX_OK;

    if (follow->reader != NULL)
        return UEX_OK;
    follow->is_caught_up = false;
    err = uex_topic_reader_open(follow->setup.config, &topic, 1, OPEN_MS, follow->setup.cancel, &follow->reader, fault);
    follow->did_not_open = err == UEX_KAFKA_UNAVAILABLE;
    follow->looked_ms = uex_monotonic_ms();
    return err;
}

/* The next call opens the topic again. */
static void close_topic(struct uex_run_follow *follow)
{
    uex_topic_reader_close(follow->reader);
    follow->reader = NULL;
    follow->is_caught_up = false;
}

static enum uex_error look_at_topic(struct uex_run_follow *follow, struct uex_fault *fault)
{
    enum uex_topic_change change = UEX_TOPIC_UNCHANGED;

    if (uex_monotonic_ms() - follow->looked_ms < LOOK_EVERY_MS)
        return UEX_OK;
    change = uex_topic_reader_change(follow->reader);
    follow->looked_ms = uex_monotonic_ms();
    if (change != UEX_TOPIC_UNCHANGED)
        close_topic(follow); /* a partition more is nothing to be said: all are read again */
    return change != UEX_TOPIC_REMADE
               ? UEX_OK
               : uex_fail(fault, UEX_KAFKA_TOPICS, "topic %s is gone, or has lost records that were there before",
                          follow->setup.config->topics_state);
}

/* One record, or the first arrival at the end. UEX_TIMEOUT: nothing came. */
static enum uex_error read_one(struct uex_run_follow *follow, int64_t wait_ms, struct uex_fault *fault)
{
    rd_kafka_message_t *message = NULL;
    enum uex_error err = uex_topic_reader_next(follow->reader, wait_ms, &message, fault);

    if (err == UEX_OK) {
        err = uex_run_tally_take(&follow->tally, message);
        rd_kafka_message_destroy(message);
        if (err != UEX_OK)
            (void)uex_fail(fault, err, "no memory for the groups of run %s", follow->setup.run->run_id);
    } else if (err == UEX_END) {
        follow->is_caught_up = true;
        err = UEX_OK;
    }
    return err;
}

static bool has_ended(const struct uex_run_follow *follow)
{
    return follow->is_caught_up && uex_run_follow_counts(follow).unfinished == 0;
}

enum uex_error uex_run_follow_read(struct uex_run_follow *follow, int64_t wait_ms, struct uex_fault *fault)
{
    const int64_t until_ms = uex_monotonic_ms() + wait_ms;
    enum uex_error err = open_topic(follow, fault);
    int64_t left_ms = 0;

    if (err == UEX_OK)
        err = look_at_topic(follow, fault);
    while (err == UEX_OK && follow->reader != NULL && !has_ended(follow)) {
        if (!uex_topic_reader_is_ready(follow->reader) && (left_ms = until_ms - uex_monotonic_ms()) <= 0)
            break;
        err = read_one(follow, left_ms, fault);
    }
    if (err == UEX_TIMEOUT)
        err = UEX_OK;
    return err == UEX_OK && has_ended(follow) ? UEX_END : err;
}
