/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status/known_runs.h"

#include <stdlib.h>

#include "ctl/connect.h"
#include "ctl/output.h"
#include "export/group_state_view.h"
#include "export/program.h"
#include "run/records.h"

static struct uex_known_run *find(struct uex_known_runs *runs, const char *run_id)
{
    if (runs->last < runs->count && strcmp(runs->items[runs->last].run_id, run_id) == 0)
        return &runs->items[runs->last];
    for (size_t i = 0; i < runs->count; i++) {
        if (strcmp(runs->items[i].run_id, run_id) != 0)
            continue;
        runs->last = i;
        return &runs->items[i];
    }
    return NULL;
}

/* A free place, or that of the oldest run if it is older than `at_ms`; NULL: none. */
static struct uex_known_run *place_for(struct uex_known_runs *runs, int64_t at_ms)
{
    struct uex_known_run *oldest = &runs->items[0];

    if (runs->count < UEX_KNOWN_RUNS_MAX)
        return &runs->items[runs->count++];
    for (size_t i = 1; i < runs->count; i++)
        if (runs->items[i].at_ms < oldest->at_ms)
            oldest = &runs->items[i];
    return oldest->at_ms < at_ms ? oldest : NULL;
}

void uex_known_runs_add(struct uex_known_runs *runs, const char *run_id, int64_t at_ms)
{
    const size_t size_bytes = run_id == NULL ? 0 : strlen(run_id);
    struct uex_known_run *run = NULL;

    if (runs == NULL || size_bytes == 0 || size_bytes > UEX_RUN_ID_MAX_BYTES)
        return;
    run = find(runs, run_id);
    if (run != NULL) {
        run->at_ms = run->at_ms < at_ms ? at_ms : run->at_ms;
        return;
    }
    run = place_for(runs, at_ms);
    if (run == NULL)
        return;
    memcpy(run->run_id, run_id, size_bytes + 1);
    run->at_ms = at_ms;
    run->ended_group_count = UEX_UNKNOWN;
}

uint64_t uex_known_runs_ended_groups(const struct uex_known_runs *runs, const char *run_id)
{
    for (size_t i = 0; i < runs->count; i++)
        if (strcmp(runs->items[i].run_id, run_id) == 0)
            return runs->items[i].ended_group_count;
    return UEX_UNKNOWN;
}

bool uex_known_runs_have(const struct uex_known_runs *runs, const char *run_id)
{
    for (size_t i = 0; i < runs->count; i++)
        if (strcmp(runs->items[i].run_id, run_id) == 0)
            return true;
    return false;
}

static int newest_first(const void *left, const void *right)
{
    const struct uex_known_run *a = left, *b = right;

    if (a->at_ms != b->at_ms)
        return a->at_ms > b->at_ms ? -1 : 1;
    return strcmp(b->run_id, a->run_id);
}

void uex_known_runs_sort(struct uex_known_runs *runs)
{
    if (runs->count > 1)
        qsort(runs->items, runs->count, sizeof(runs->items[0]), newest_first);
    runs->last = 0;
}

void uex_known_runs_write(const struct uex_known_runs *runs, size_t most, struct uex_buffer *out)
{
    if (runs->count == 0)
        uex_buffer_append_text(out, "none");
    for (size_t i = 0; i < runs->count && i < most; i++) {
        if (i > 0)
            uex_buffer_append_text(out, ", ");
        uex_output_append_clean(out, runs->items[i].run_id);
    }
    if (runs->count > most)
        uex_buffer_append_format(out, " and %zu more", runs->count - most);
}

static enum uex_error take_state(void *context, const rd_kafka_message_t *message)
{
    struct uex_group_state_view view = {0};
    enum uex_error err = UEX_OK;

    if (message->payload != NULL)
        err = uex_group_state_newest_read(uex_bytes_of(message->payload, message->len), &view, NULL);
    if (err == UEX_OK && message->payload != NULL)
        uex_known_runs_add(context, view.record.run_id, view.record.at_ms);
    uex_group_state_view_clear(&view);
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

static enum uex_error read_states(const struct uex_config *config, struct uex_known_runs *runs, struct uex_fault *fault)
{
    const struct uex_read_topic topic = {.name = config->topics_state, .from = UEX_READ_ALL};
    struct uex_topic_reader *reader = NULL;
    enum uex_error err = uex_ctl_read_topics(config, &topic, 1, &reader, fault);

    if (err == UEX_OK)
        err = uex_topic_reader_drain(reader, take_state, runs, fault);
    uex_topic_reader_close(reader);
    return err;
}

static void add_record(struct uex_known_runs *runs, const struct uex_run_record *record)
{
    struct uex_known_run *run = NULL;

    uex_known_runs_add(runs, record->run_id, record->started_at_ms);
    run = find(runs, record->run_id);
    if (run != NULL && record->status != UEX_RUN_STARTED)
        run->ended_group_count = record->groups;
}

enum uex_error uex_known_runs_read(const struct uex_config *config, bool or_states, struct uex_known_runs *runs,
                                   struct uex_fault *fault)
{
    struct uex_run_records records = {0};
    enum uex_error err = uex_run_records_read(config, config->startup_timeout_ms, &uex_program_cancel, &records, fault);

    for (size_t i = 0; i < records.count; i++)
        if (!records.items[i].is_foreign)
            add_record(runs, &records.items[i].record);
    uex_run_records_clear(&records);
    if (err == UEX_KAFKA_TOPICS) /* before 1.1 there was no such topic */
        err = UEX_OK;
    return err == UEX_OK && or_states && runs->count == 0 ? read_states(config, runs, fault) : err;
}
