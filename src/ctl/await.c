/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/await.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/connect.h"
#include "ctl/live.h"
#include "ctl/status/overview.h"
#include "export/program.h"

#define WAIT_MS 200
#define REPORTED_MAX 20

struct uex_await {
    const struct uex_config *config;
    struct uex_awaited_set *set;
    struct uex_topic_reader *reader;
    struct uex_running running;
    struct uex_live live;
    int64_t sent_ms, moved_ms;           /* monotonic: moved_ms of the last outcome or progress */
    struct uex_overview_watch *overview; /* why nothing moves; NULL: no memory for it */
};

static int compare_items(const void *left, const void *right)
{
    const struct uex_awaited *a = left, *b = right;
    int order = strcmp(a->group_id, b->group_id);

    return order != 0 ? order : strcmp(a->command_id, b->command_id);
}

void uex_awaited_sort(struct uex_awaited_set *set)
{
    if (set->count > 1)
        qsort(set->items, set->count, sizeof(set->items[0]), compare_items);
}

void uex_awaited_clear(struct uex_awaited_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        uex_status_row_free(set->items[i].outcome);
    free(set->items);
    *set = (struct uex_awaited_set){0};
}

/* The order of a group's id and a record's key, as strcmp() has it. */
static int compare_key(const char *group_id, const rd_kafka_message_t *message)
{
    size_t size_bytes = strlen(group_id), common = size_bytes < message->key_len ? size_bytes : message->key_len;
    int order = memcmp(group_id, message->key, common);

    if (order != 0 || size_bytes == message->key_len)
        return order;
    return size_bytes < message->key_len ? -1 : 1;
}

/* The first command of the record's group, and how many the group has. */
static struct uex_awaited *find_items(const struct uex_awaited_set *set, const rd_kafka_message_t *message,
                                      size_t *count)
{
    size_t low = 0, high = set->count;

    *count = 0;
    if (message->key == NULL)
        return NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (compare_key(set->items[middle].group_id, message) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + *count < set->count && compare_key(set->items[low + *count].group_id, message) == 0)
        ++*count;
    return *count == 0 ? NULL : &set->items[low];
}

/* Was a named group skipped for another reason than being empty? The operator has to know. */
static bool is_undone(const struct uex_awaited_set *set, const struct uex_status_row *row)
{
    return !set->skips_are_fine && row->status == UEX_STATUS_SKIPPED &&
           strcmp(row->reason, uex_skip_text(UEX_SKIP_EMPTY)) != 0;
}

static bool print_outcome(struct uex_await *await, const struct uex_status_row *row)
{
    struct uex_buffer out = {0};
    bool printed = true;

    if (await->set->format == UEX_OUTPUT_TABLE) {
        uex_status_row_write(row, &out);
        uex_buffer_append_text(&out, "\n");
        uex_live_erase(&await->live);
        printed = uex_output_print(&out);
        uex_buffer_clear(&out);
    }
    return printed && !uex_output_closed();
}

/* The newest outcome of this command in the record: the record's own or, if others followed, the one among the recent
 * ones, where a command stands once. One that was known before is none: the clocks of two workers are not compared. */
static bool tells_of(const struct uex_group_state_view *view, const struct uex_awaited *item, bool *is_newest)
{
    const struct uex_recent_view *found = NULL;
    uint8_t bytes[16];

    *is_newest = strcmp(view->record.command_id, item->command_id) == 0;
    if (*is_newest)
        return view->record.at_ms != item->known_at_ms;
    uex_uuid_to_bytes(item->command_id, bytes);
    for (size_t i = 0; i < view->memory.recent_count; i++)
        if (memcmp(view->memory.recent[i].command_id, bytes, sizeof(bytes)) == 0)
            found = &view->memory.recent[i];
    return found != NULL && found->at_ms != item->known_at_ms;
}

static struct uex_status_row *row_of_recent(const struct uex_awaited *item, const struct uex_group_state_view *view)
{
    char command_id[UEX_UUID_TEXT_SIZE];
    struct uex_state_record record = {.group_id = item->group_id,
                                      .command_id = item->command_id,
                                      .rows = UEX_UNKNOWN,
                                      .bytes = UEX_UNKNOWN,
                                      .snapshot_at_ms = UEX_NO_TIME,
                                      .duration_ms = UEX_NO_TIME,
                                      .attempts = UEX_UNKNOWN,
                                      .next_attempt_at_ms = UEX_NO_TIME};

    for (size_t i = 0; i < view->memory.recent_count; i++) {
        uex_uuid_from_bytes(view->memory.recent[i].command_id, command_id);
        if (strcmp(command_id, item->command_id) != 0)
            continue;
        record.outcome = view->memory.recent[i].outcome;
        record.reason = view->memory.recent[i].reason;
        record.run_id = view->memory.recent[i].run_id;
        record.at_ms = view->memory.recent[i].at_ms;
    }
    return uex_status_row_of_record(&record);
}

/* What a state record says of one command of its group. UEX_END: stdout has no reader any more. */
static enum uex_error take_outcome(struct uex_await *await, struct uex_awaited *item,
                                   const struct uex_group_state_view *view)
{
    bool is_newest = false;

    if (item->has_ended || !tells_of(view, item, &is_newest))
        return UEX_OK;
    uex_status_row_free(item->outcome);
    item->outcome = is_newest ? uex_status_row_of_record(&view->record) : row_of_recent(item, view);
    if (item->outcome == NULL)
        return UEX_NO_MEMORY;
    await->moved_ms = uex_monotonic_ms();
    if (item->outcome->status != UEX_STATUS_RETRIED) {
        item->has_ended = true;
        await->set->ended_count++;
        uex_running_end(&await->running, item->command_id);
    }
    return print_outcome(await, item->outcome) ? UEX_OK : UEX_END;
}

static enum uex_error take_state(struct uex_await *await, const rd_kafka_message_t *message)
{
    size_t count = 0;
    struct uex_awaited *items = find_items(await->set, message, &count);
    struct uex_group_state_view view = {0};
    enum uex_error err = UEX_OK;

    if (items == NULL || message->payload == NULL)
        return UEX_OK;
    err = uex_group_state_view_read(uex_bytes_of(message->payload, message->len), &view, NULL);
    for (size_t i = 0; i < count && err == UEX_OK; i++)
        err = take_outcome(await, &items[i], &view);
    uex_group_state_view_clear(&view);
    return err == UEX_MALFORMED ? UEX_OK : err;
}

static enum uex_error take_message(struct uex_await *await, const rd_kafka_message_t *message)
{
    const struct uex_awaited *items = NULL;
    size_t count = 0;
    bool is_open = false;

    if (strcmp(rd_kafka_topic_name(message->rkt), await->config->topics_progress) != 0)
        return take_state(await, message);
    items = find_items(await->set, message, &count);
    for (size_t i = 0; i < count; i++)
        is_open = is_open || !items[i].has_ended;
    if (is_open &&
        uex_running_take(&await->running, uex_bytes_of(message->payload, message->len), uex_monotonic_ms()) != NULL)
        await->moved_ms = uex_monotonic_ms();
    return UEX_OK;
}

static const struct uex_running_export *running_of(const struct uex_await *await, const struct uex_awaited *item)
{
    for (size_t i = 0; i < await->running.count; i++)
        if (strcmp(await->running.items[i].progress.command_id, item->command_id) == 0)
            return &await->running.items[i];
    return NULL;
}

static void write_line(const struct uex_await *await, const struct uex_awaited *item, struct uex_buffer *lines)
{
    const struct uex_running_export *running = running_of(await, item);
    char age[32];

    uex_output_duration(uex_monotonic_ms() - await->sent_ms, age);
    if (running != NULL) {
        uex_running_write(running, uex_wall_ms(), lines);
    } else if (item->outcome != NULL) {
        uex_status_row_write(item->outcome, lines);
    } else {
        uex_output_append_name(lines, item->group_id);
        uex_buffer_append_format(lines, "  waiting  %s", age);
    }
    uex_buffer_append_text(lines, "\n");
}

static void draw_waiting(struct uex_await *await)
{
    const struct uex_awaited_set *set = await->set;
    size_t room = uex_live_room(&await->live), shown = 0, open_count = set->count - set->ended_count;
    struct uex_buffer lines = {0};

    if (!uex_live_is_due(&await->live, uex_monotonic_ms()))
        return;
    uex_running_expire(&await->running, uex_monotonic_ms());
    for (int pass = 0; pass < 2; pass++) { /* running ones first */
        for (size_t i = 0; i < set->count && shown + 2 < room; i++) {
            const struct uex_awaited *item = &set->items[i];

            if (item->has_ended || (running_of(await, item) != NULL) != (pass == 0))
                continue;
            write_line(await, item, &lines);
            shown++;
        }
    }
    uex_buffer_append_format(&lines, "%zu of %zu have ended, %zu running", set->ended_count, set->count,
                             await->running.count);
    if (open_count > shown)
        uex_buffer_append_format(&lines, "; %zu more not shown", open_count - shown);
    uex_buffer_append_text(&lines, "\n");
    if (uex_overview_watch_why(await->overview, await->moved_ms, &lines) != UEX_HINDRANCE_NONE)
        uex_buffer_append_text(&lines, "\n");
    uex_live_draw(&await->live, &lines);
    uex_buffer_clear(&lines);
}

/* Read to the ends of the topics before anything is sent. */
static enum uex_error read_to_ends(struct uex_await *await, struct uex_fault *fault)
{
    const struct uex_config *config = await->config;
    const struct uex_read_topic topics[] = {{.name = config->topics_state, .from = UEX_READ_NEW},
                                            {.name = config->topics_progress, .from = UEX_READ_NEW}};
    int64_t until_ms = uex_monotonic_ms() + config->startup_timeout_ms;
    enum uex_error err = uex_ctl_read_topics(config, topics, 2, &await->reader, fault);

    while (err == UEX_OK) {
        rd_kafka_message_t *message = NULL;

        err = uex_topic_reader_next(await->reader, WAIT_MS, &message, fault);
        if (message != NULL)
            rd_kafka_message_destroy(message); /* of other commands: ours are not sent yet */
        if (err == UEX_TIMEOUT && uex_monotonic_ms() < until_ms)
            err = UEX_OK;
    }
    if (err == UEX_TIMEOUT)
        return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "Kafka did not return the end offsets of %s; nothing was sent",
                        config->topics_state);
    return err == UEX_END ? UEX_OK : err;
}

/* No record comes while long exports run, nor while Kafka is unavailable; only the latter is reported. */
static void check_kafka(struct uex_await *await)
{
    bool is_new = false;

    (void)uex_topic_reader_is_away(await->reader, &is_new);
    if (!is_new)
        return;
    uex_live_erase(&await->live);
    uex_output_error("Kafka does not answer; waiting for it. The commands were sent");
}

static enum uex_error wait_for_outcomes(struct uex_await *await, struct uex_fault *fault)
{
    struct uex_awaited_set *set = await->set;
    enum uex_error err = UEX_OK;

    while (err == UEX_OK && set->ended_count < set->count) {
        rd_kafka_message_t *message = NULL;
        int64_t waited_ms = uex_monotonic_ms() - await->sent_ms;
        int64_t left_ms = set->timeout_ms == UEX_NO_TIME ? WAIT_MS : set->timeout_ms - waited_ms;

        if (left_ms <= 0)
            return UEX_TIMEOUT;
        err = uex_topic_reader_next(await->reader, left_ms < WAIT_MS ? left_ms : WAIT_MS, &message, fault);
        if (err == UEX_OK) {
            err = take_message(await, message);
            rd_kafka_message_destroy(message);
        } else if (err == UEX_TIMEOUT || err == UEX_END) {
            check_kafka(await);
            err = uex_output_closed() ? UEX_END : UEX_OK;
        }
        if (!await->live.is_on)
            uex_overview_watch_say(await->overview, await->moved_ms);
        draw_waiting(await);
    }
    return err;
}

/* One line for each failed command. */
static int report_failures(const struct uex_awaited_set *set)
{
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct uex_status_row *row = set->items[i].outcome;
        enum uex_error reason = UEX_INTERNAL;
        bool is_error = row != NULL && row->status == UEX_STATUS_DEAD_LETTERED;

        if (row == NULL || (!is_error && !is_undone(set, row)) || count++ >= REPORTED_MAX)
            continue;
        if (!is_error)
            uex_output_error("%s was not exported: %s", set->items[i].group_id, row->reason);
        else
            uex_output_error("%s failed: %s (%s); details: exportctl dlq list --group %s", set->items[i].group_id,
                             uex_error_from_code(row->reason, &reason) ? uex_error_sentence(reason) : "error",
                             row->reason, set->items[i].group_id);
    }
    if (count > REPORTED_MAX)
        uex_output_error("and %zu more", count - REPORTED_MAX);
    return count == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

static int report_end(struct uex_await *await, enum uex_error err, const struct uex_fault *fault)
{
    const struct uex_awaited_set *set = await->set;
    int code = UEX_EXIT_FAILED;

    uex_live_erase(&await->live);
    if (set->format == UEX_OUTPUT_JSON && !set->print(set->context))
        return code;
    code = report_failures(set);
    if (err == UEX_OK || err == UEX_END) /* UEX_END: stdout has no reader any more */
        return code;
    if (err != UEX_CANCELLED && err != UEX_TIMEOUT)
        return uex_output_fail(err, fault);
    uex_output_error("%s: %zu of %zu commands have ended; the others continue, exportctl status --follow shows them",
                     err == UEX_TIMEOUT ? "--timeout ran out" : "stopped", set->ended_count, set->count);
    return err == UEX_TIMEOUT ? UEX_EXIT_TIMEOUT : UEX_EXIT_FAILED;
}

enum uex_error uex_await_open(const struct uex_config *config, struct uex_await **out, struct uex_fault *fault)
{
    struct uex_await *await = calloc(1, sizeof(*await));

    *out = await;
    if (await == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory to wait for outcomes");
    await->config = config;
    return read_to_ends(await, fault);
}

int uex_await_outcomes(struct uex_await *await, struct uex_awaited_set *set)
{
    struct uex_fault fault = {0};

    await->set = set;
    await->sent_ms = await->moved_ms = uex_monotonic_ms();
    await->overview = uex_overview_watch_new(await->config);
    uex_live_begin(&await->live);
    return report_end(await, uex_output_closed() ? UEX_END : wait_for_outcomes(await, &fault), &fault);
}

void uex_await_close(struct uex_await *await)
{
    if (await == NULL)
        return;
    uex_overview_watch_free(await->overview);
    uex_topic_reader_close(await->reader);
    uex_running_clear(&await->running);
    free(await);
}
