/* SPDX-License-Identifier: Apache-2.0 */
#include "run/outcomes.h"

#include <stdlib.h>

#include "kafka/topic_reader.h"

/* The clocks of brokers and of the run's starter may differ by so much. */
#define CLOCKS_MS (10 * 60 * 1000)

/* ---- what a state says of the run */

static void take_newest(const struct uex_group_state_view *view, struct uex_run_outcome *out)
{
    out->record = view->record;
    memcpy(out->command_id, view->command_id, sizeof(out->command_id));
    out->record.command_id = out->command_id;
}

/* An entry of `recent` has no figures; lastExported has some, where it is of the same command. */
static void take_recent(const struct uex_group_state_view *view, const struct uex_recent_view *entry,
                        struct uex_run_outcome *out)
{
    const struct uex_last_exported_view *last = &view->memory.last;

    uex_uuid_from_bytes(entry->command_id, out->command_id);
    out->sha256[0] = 0;
    out->record = (struct uex_state_record){.group_id = view->record.group_id,
                                            .outcome = entry->outcome,
                                            .reason = entry->reason,
                                            .command_id = out->command_id,
                                            .run_id = entry->run_id,
                                            .at_ms = entry->at_ms,
                                            .rows = UEX_UNKNOWN,
                                            .bytes = UEX_UNKNOWN,
                                            .file_path = "",
                                            .sha256 = out->sha256,
                                            .snapshot_at_ms = UEX_NO_TIME,
                                            .duration_ms = UEX_NO_TIME,
                                            .attempts = UEX_UNKNOWN,
                                            .next_attempt_at_ms = UEX_NO_TIME};
    if (entry->outcome != UEX_OUTCOME_EXPORTED || !view->memory.has_last ||
        memcmp(last->command_id, entry->command_id, sizeof(last->command_id)) != 0)
        return;
    out->record.rows = last->rows;
    out->record.file_path = last->file_path;
    if (last->has_sha256)
        uex_hex(last->sha256, sizeof(last->sha256), out->sha256);
}

bool uex_run_outcome_of(const struct uex_group_state_view *view, const struct uex_run_rule *rule,
                        struct uex_run_outcome *out)
{
    const struct uex_state_record *newest = &view->record;

    if (uex_run_rule_ends(rule, newest->run_id, newest->outcome, newest->at_ms)) {
        take_newest(view, out);
        return true;
    }
    for (size_t i = view->memory.recent_count; i-- > 0;) {
        const struct uex_recent_view *entry = &view->memory.recent[i];

        if (!uex_run_rule_ends(rule, entry->run_id, entry->outcome, entry->at_ms))
            continue;
        take_recent(view, entry, out);
        return true;
    }
    if (!uex_run_rule_fits(rule, newest->run_id, newest->outcome, newest->at_ms))
        return false;
    take_newest(view, out);
    return true;
}

/* ---- the pass */

struct pass {
    const struct uex_run_pass *asked;
    uint8_t *is_open; /* a bit for each member: wanted, and not handed out yet */
    size_t open_count;
};

static enum uex_error mark_wanted(struct pass *pass, struct uex_fault *fault)
{
    const struct uex_run_members *members = pass->asked->members;

    pass->is_open = calloc(members->count / 8 + 1, 1);
    if (pass->is_open == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a pass over the groups of a run");
    for (size_t i = 0; i < members->count; i++) {
        if (!pass->asked->wanted(&members->items[i]))
            continue;
        pass->is_open[i / 8] |= (uint8_t)(1U << i % 8);
        pass->open_count++;
    }
    return UEX_OK;
}

static bool is_open(const struct pass *pass, size_t index)
{
    return (pass->is_open[index / 8] >> index % 8 & 1) != 0;
}

static enum uex_error hand_out(struct pass *pass, size_t index, const struct uex_state_record *outcome)
{
    pass->is_open[index / 8] &= (uint8_t) ~(1U << index % 8);
    pass->open_count--;
    return pass->asked->take(pass->asked->context, outcome);
}

/* The member whose outcome stands on this record, or stood on one before it that is gone. */
static const struct uex_run_member *member_of(const struct pass *pass, const rd_kafka_message_t *message)
{
    const struct uex_run_members *members = pass->asked->members;
    const struct uex_run_member *member =
        message->key == NULL || message->payload == NULL
            ? NULL
            : uex_run_members_find(members, uex_bytes_of(message->key, message->key_len));

    if (member == NULL || !is_open(pass, (size_t)(member - members->items)) || member->offset < 0 ||
        member->partition != message->partition || message->offset < member->offset)
        return NULL;
    return member;
}

/* `recent` is most of a record, and only read where the newest outcome is not the one. The caller clears `view`. */
static enum uex_error read_outcome(const struct uex_run_pass *asked, struct uex_bytes value,
                                   struct uex_group_state_view *view, struct uex_run_outcome *out, bool *is_found)
{
    const struct uex_run_rule rule = uex_run_rule_of(asked->run);
    enum uex_error err = uex_group_state_newest_read(value, view, NULL);

    if (err == UEX_OK && uex_run_rule_ends(&rule, view->record.run_id, view->record.outcome, view->record.at_ms)) {
        take_newest(view, out);
        *is_found = true;
        return UEX_OK;
    }
    uex_group_state_view_clear(view);
    err = uex_group_state_view_read(value, view, NULL);
    *is_found = err == UEX_OK && uex_run_outcome_of(view, &rule, out);
    return err;
}

/* UEX_END: everything was handed out, the rest of the topic says nothing more. */
static enum uex_error take_state(void *context, const rd_kafka_message_t *message)
{
    struct pass *pass = context;
    const struct uex_run_pass *asked = pass->asked;
    const struct uex_run_member *member = member_of(pass, message);
    struct uex_run_outcome outcome;
    struct uex_group_state_view view;
    enum uex_error err = UEX_OK;
    bool is_found = false;

    if (member == NULL)
        return UEX_OK;
    err = read_outcome(asked, uex_bytes_of(message->payload, message->len), &view, &outcome, &is_found);
    if (err == UEX_OK && is_found)
        err = hand_out(pass, (size_t)(member - asked->members->items), &outcome.record);
    else if (err == UEX_MALFORMED)
        err = UEX_OK; /* somebody else's; the member keeps what it knows */
    uex_group_state_view_clear(&view);
    return err == UEX_OK && pass->open_count == 0 ? UEX_END : err;
}

static enum uex_error read_topic(struct pass *pass, enum uex_read_from from, struct uex_fault *fault)
{
    const struct uex_run_pass *asked = pass->asked;
    const struct uex_read_topic topic = {
        .name = asked->config->topics_state, .from = from, .since_ms = asked->run->started_at_ms - CLOCKS_MS};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_topic_reader_open(asked->config, &topic, 1, asked->wait_ms, asked->cancel, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_state, pass, fault);
    uex_topic_reader_close(reader);
    return err;
}

/* The group was forgotten meanwhile, or its state cannot be read any more. */
static enum uex_error hand_out_bare(struct pass *pass)
{
    const struct uex_run_members *members = pass->asked->members;
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < members->count && err == UEX_OK; i++) {
        const struct uex_run_member *member = &members->items[i];
        const struct uex_state_record outcome = {.group_id = uex_run_member_id(members, member),
                                                 .outcome = member->outcome,
                                                 .reason = "",
                                                 .command_id = "",
                                                 .run_id = pass->asked->run->run_id,
                                                 .at_ms = member->at_ms,
                                                 .rows = member->rows,
                                                 .bytes = member->bytes,
                                                 .file_path = "",
                                                 .sha256 = "",
                                                 .snapshot_at_ms = UEX_NO_TIME,
                                                 .duration_ms = UEX_NO_TIME,
                                                 .attempts = UEX_UNKNOWN,
                                                 .next_attempt_at_ms = UEX_NO_TIME};

        if (is_open(pass, i))
            err = hand_out(pass, i, &outcome);
    }
    return err;
}

enum uex_error uex_run_pass_read(const struct uex_run_pass *asked, struct uex_fault *fault)
{
    struct pass pass = {.asked = asked};
    enum uex_error err = mark_wanted(&pass, fault);

    if (err == UEX_OK && pass.open_count > 0)
        err = read_topic(&pass, UEX_READ_SINCE, fault);
    if (err == UEX_OK && pass.open_count > 0)
        err = read_topic(&pass, UEX_READ_ALL, fault);
    if (err == UEX_OK && pass.open_count > 0)
        err = hand_out_bare(&pass);
    free(pass.is_open);
    return err;
}
