/* SPDX-License-Identifier: Apache-2.0 */
#include "run/tally.h"

#include "export/group_state_head.h"
#include "export/group_state_view.h"
#include "export/text.h"

/* What a record says of its group in this run. */
struct finding {
    bool has_ended;
    bool is_retrying;
    bool is_of_recent; /* an older outcome, of which the record has no figures */
    enum uex_outcome_kind outcome;
    int64_t at_ms; /* of the outcome; of the record where it has not ended */
    uint64_t rows, bytes;
};

static uint64_t *count_of(struct uex_run_counts *counts, unsigned outcome)
{
    return outcome == UEX_OUTCOME_EXPORTED  ? &counts->exported
           : outcome == UEX_OUTCOME_SKIPPED ? &counts->skipped
                                            : &counts->dead_lettered;
}

static uint64_t known(uint64_t count)
{
    return count == UEX_UNKNOWN ? 0 : count;
}

/* Add what the member says, or take it away. Unsigned, so that `times` -1 takes away. */
static void count_member(struct uex_run_counts *counts, const struct uex_run_member *member, int times)
{
    const uint64_t step = (uint64_t)(int64_t)times;
    const bool is_exported = member->outcome == UEX_OUTCOME_EXPORTED;

    if (!uex_run_member_has_ended(member)) {
        counts->retrying += member->is_retrying ? step : 0;
        return;
    }
    *count_of(counts, member->outcome) += step;
    counts->rows += is_exported ? step * known(member->rows) : 0;
    counts->bytes += is_exported ? step * known(member->bytes) : 0;
}

enum uex_error uex_run_tally_begin(struct uex_run_tally *tally, const struct uex_run_rule *rule, uint64_t group_count,
                                   struct uex_run_members *members)
{
    *tally = (struct uex_run_tally){.rule = *rule, .group_count = group_count, .members = members};
    uex_buffer_append_json(&tally->quoted, rule->run_id);
    for (size_t i = 0; i < members->count; i++)
        count_member(&tally->counts, &members->items[i], 1);
    return uex_buffer_failed(&tally->quoted) ? UEX_NO_MEMORY : UEX_OK;
}

void uex_run_tally_clear(struct uex_run_tally *tally)
{
    uex_buffer_clear(&tally->quoted);
}

struct uex_run_counts uex_run_tally_counts(const struct uex_run_tally *tally)
{
    struct uex_run_counts counts = tally->counts;
    const uint64_t ended = counts.exported + counts.skipped + counts.dead_lettered;

    counts.groups = tally->members->count;
    if (tally->group_count != UEX_UNKNOWN && tally->group_count > counts.groups)
        counts.groups = tally->group_count;
    counts.unfinished = counts.groups - ended;
    return counts;
}

static void look_at_newest(const struct uex_run_tally *tally, const struct uex_state_record *record,
                           struct finding *out)
{
    *out = (struct finding){
        .outcome = record->outcome, .at_ms = record->at_ms, .rows = record->rows, .bytes = record->bytes};
    out->has_ended = uex_run_rule_ends(&tally->rule, record->run_id, record->outcome, record->at_ms);
    out->is_retrying = record->outcome == UEX_OUTCOME_RETRIED && strcmp(record->run_id, tally->rule.run_id) == 0;
}

/* The newest outcome of this run among `recent`. It has no figures; those of the last export may be its own. */
static void look_at_recent(const struct uex_run_tally *tally, const struct uex_group_memory_view *memory,
                           struct finding *out)
{
    for (size_t i = memory->recent_count; i-- > 0;) {
        const struct uex_recent_view *entry = &memory->recent[i];

        if (!uex_run_rule_ends(&tally->rule, entry->run_id, entry->outcome, entry->at_ms))
            continue;
        *out = (struct finding){.has_ended = true,
                                .is_of_recent = true,
                                .outcome = entry->outcome,
                                .at_ms = entry->at_ms,
                                .rows = UEX_UNKNOWN,
                                .bytes = UEX_UNKNOWN};
        if (memory->has_last && memcmp(memory->last.command_id, entry->command_id, sizeof(entry->command_id)) == 0)
            out->rows = memory->last.rows;
        return;
    }
}

/* Most records of the topic are of other runs, and a search is cheaper than reading them. */
static bool names_the_run(const struct uex_run_tally *tally, struct uex_bytes value)
{
    return value.size_bytes > 0 &&
           memmem(value.data, value.size_bytes, tally->quoted.data, tally->quoted.size_bytes) != NULL;
}

/* All of a record, where its head does not say enough. */
static enum uex_error look_closely(const struct uex_run_tally *tally, struct uex_bytes value, struct finding *out)
{
    struct uex_group_state_view view;
    enum uex_error err = uex_group_state_view_read(value, &view, NULL);

    if (err == UEX_OK)
        look_at_newest(tally, &view.record, out);
    if (err == UEX_OK && !out->has_ended)
        look_at_recent(tally, &view.memory, out);
    uex_group_state_view_clear(&view);
    return err;
}

/* Does the head alone say that the group has ended? Reading all of a record takes ten times as long. */
static bool ends_at_once(const struct uex_run_tally *tally, const struct uex_state_head *head)
{
    const char *run_id = tally->rule.run_id;

    return head->run_id.size_bytes == strlen(run_id) &&
           memcmp(head->run_id.data, run_id, head->run_id.size_bytes) == 0 &&
           uex_run_rule_ends(&tally->rule, run_id, head->outcome, head->at_ms);
}

static enum uex_error look(const struct uex_run_tally *tally, struct uex_bytes key, struct uex_bytes value,
                           struct finding *out)
{
    struct uex_state_head head;

    *out = (struct finding){0};
    if (!uex_group_state_head_read(value, key, &head) || !ends_at_once(tally, &head))
        return names_the_run(tally, value) ? look_closely(tally, value, out) : UEX_OK;
    *out = (struct finding){
        .has_ended = true, .outcome = head.outcome, .at_ms = head.at_ms, .rows = head.rows, .bytes = head.bytes};
    return UEX_OK;
}

/* In one partition the later record is newer. In two partitions, after the topic has grown, their times decide. */
static bool is_older(const struct uex_run_member *member, const rd_kafka_message_t *message, int64_t at_ms)
{
    return member->offset >= 0 && member->partition != message->partition && at_ms < member->at_ms;
}

/* A command of another run has followed: the record before has more to say of this outcome. */
static bool is_told_again(const struct uex_run_member *member, const struct finding *finding)
{
    return finding->is_of_recent && member->outcome == finding->outcome && member->at_ms == finding->at_ms;
}

static void note(struct uex_run_tally *tally, struct uex_run_member *member, const rd_kafka_message_t *message,
                 const struct finding *finding)
{
    if (is_older(member, message, finding->at_ms) || is_told_again(member, finding))
        return;
    count_member(&tally->counts, member, -1);
    if (finding->has_ended) {
        member->outcome = (uint8_t)finding->outcome;
        member->rows = finding->rows;
        member->bytes = finding->bytes;
    }
    member->is_retrying = finding->is_retrying;
    member->at_ms = finding->at_ms;
    member->partition = message->partition;
    member->offset = message->offset;
    count_member(&tally->counts, member, 1);
}

static bool adopts(const struct uex_run_tally *tally)
{
    return tally->group_count != UEX_UNKNOWN && tally->members->count < tally->group_count;
}

enum uex_error uex_run_tally_take(struct uex_run_tally *tally, const rd_kafka_message_t *message)
{
    const struct uex_bytes key = uex_bytes_of(message->key, message->key == NULL ? 0 : message->key_len);
    const struct uex_bytes value = uex_bytes_of(message->payload, message->payload == NULL ? 0 : message->len);
    struct uex_run_member *member = uex_run_members_find(tally->members, key);
    struct finding finding = {0};
    enum uex_error err = UEX_OK;

    if (member == NULL && (!adopts(tally) || !uex_group_id_valid(key)))
        return UEX_OK;
    err = look(tally, key, value, &finding);
    if (err == UEX_MALFORMED || (err == UEX_OK && !finding.has_ended && !finding.is_retrying))
        return UEX_OK;
    if (err == UEX_OK && member == NULL) {
        err = uex_run_members_add(tally->members, key);
        member = uex_run_members_find(tally->members, key);
    }
    if (err == UEX_OK)
        note(tally, member, message, &finding);
    return err;
}
