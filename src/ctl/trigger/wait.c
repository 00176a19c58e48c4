/* SPDX-License-Identifier: Apache-2.0 */
/* trigger --wait: reads the state topic from where it ended before the commands were sent, until each has ended. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/live.h"
#include "ctl/status/running.h"
#include "ctl/trigger/trigger.h"
#include "export/program.h"

#define WAIT_MS 200
#define REPORTED_MAX 20

struct wait {
    struct uex_trigger *trigger;
    struct uex_topic_reader *reader;
    struct uex_running running;
    struct uex_live live;
    int64_t sent_ms; /* monotonic */
};

static struct uex_triggered *find_item(const struct uex_trigger *trigger, const rd_kafka_message_t *message)
{
    size_t low = 0, high = trigger->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const char *group_id = trigger->items[middle].group_id;
        size_t size_bytes = strlen(group_id), common = size_bytes < message->key_len ? size_bytes : message->key_len;
        int order = memcmp(message->key, group_id, common);

        if (order == 0 && size_bytes == message->key_len)
            return &trigger->items[middle];
        if (order < 0 || (order == 0 && message->key_len < size_bytes))
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Was a named group skipped for another reason than being empty? The operator has to know. */
static bool is_undone(const struct uex_trigger *trigger, const struct uex_status_row *row)
{
    return !trigger->all && row->status == UEX_STATUS_SKIPPED &&
           strcmp(row->reason, uex_skip_text(UEX_SKIP_EMPTY)) != 0;
}

static bool print_outcome(struct wait *wait, const struct uex_status_row *row)
{
    struct uex_buffer out = {0};
    bool printed = true;

    if (wait->trigger->format == UEX_OUTPUT_TABLE) {
        uex_status_row_write(row, &out);
        uex_buffer_append_text(&out, "\n");
        uex_live_erase(&wait->live);
        printed = uex_output_print(&out);
        uex_buffer_clear(&out);
    }
    return printed && !uex_output_closed();
}

/* Is this command's outcome in the record: as the newest one or, if others followed, among the recent ones?
 */
static bool tells_of(const struct uex_group_state_view *view, const char *command_id, bool *is_newest)
{
    uint8_t bytes[16];

    *is_newest = strcmp(view->record.command_id, command_id) == 0;
    uex_uuid_to_bytes(command_id, bytes);
    for (size_t i = 0; !*is_newest && i < view->memory.recent_count; i++)
        if (memcmp(view->memory.recent[i].command_id, bytes, sizeof(bytes)) == 0)
            return true;
    return *is_newest;
}

static struct uex_status_row *row_of_recent(const struct uex_triggered *item, const struct uex_group_state_view *view)
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

static enum uex_error take_state(struct wait *wait, const rd_kafka_message_t *message)
{
    struct uex_triggered *item = message->key == NULL ? NULL : find_item(wait->trigger, message);
    struct uex_group_state_view view = {0};
    bool is_newest = false;
    enum uex_error err = UEX_OK;

    if (item == NULL || item->has_ended || message->payload == NULL)
        return UEX_OK;
    err = uex_group_state_view_read(uex_bytes_of(message->payload, message->len), &view, NULL);
    if (err != UEX_NO_MEMORY && (err != UEX_OK || !tells_of(&view, item->command_id, &is_newest)))
        err = UEX_END; /* the outcome of another command */
    if (err != UEX_OK) {
        err = err == UEX_END ? UEX_OK : err;
        goto done;
    }
    uex_status_row_free(item->outcome);
    item->outcome = is_newest ? uex_status_row_of_record(&view.record) : row_of_recent(item, &view);
    if (item->outcome == NULL) {
        err = UEX_NO_MEMORY;
        goto done;
    }
    if (item->outcome->status != UEX_STATUS_RETRIED) {
        item->has_ended = true;
        wait->trigger->ended_count++;
        uex_running_end(&wait->running, item->command_id);
    }
    err = print_outcome(wait, item->outcome) ? UEX_OK : UEX_END;
done:
    uex_group_state_view_clear(&view);
    return err;
}

static enum uex_error take_message(struct wait *wait, const rd_kafka_message_t *message)
{
    const struct uex_triggered *item = NULL;

    if (strcmp(rd_kafka_topic_name(message->rkt), wait->trigger->config->topics_progress) != 0)
        return take_state(wait, message);
    item = message->key == NULL ? NULL : find_item(wait->trigger, message);
    if (item != NULL && !item->has_ended)
        (void)uex_running_take(&wait->running, uex_bytes_of(message->payload, message->len), uex_monotonic_ms());
    return UEX_OK;
}

static const struct uex_running_export *running_of(const struct wait *wait, const struct uex_triggered *item)
{
    for (size_t i = 0; i < wait->running.count; i++)
        if (strcmp(wait->running.items[i].progress.command_id, item->command_id) == 0)
            return &wait->running.items[i];
    return NULL;
}

static void write_line(const struct wait *wait, const struct uex_triggered *item, struct uex_buffer *lines)
{
    const struct uex_running_export *running = running_of(wait, item);
    char age[32];

    uex_output_duration(uex_monotonic_ms() - wait->sent_ms, age);
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

static void draw_waiting(struct wait *wait)
{
    const struct uex_trigger *trigger = wait->trigger;
    size_t room = uex_live_room(&wait->live), shown = 0, open_count = trigger->count - trigger->ended_count;
    struct uex_buffer lines = {0};

    if (!uex_live_is_due(&wait->live, uex_monotonic_ms()))
        return;
    uex_running_expire(&wait->running, uex_monotonic_ms());
    for (int pass = 0; pass < 2; pass++) { /* running ones first */
        for (size_t i = 0; i < trigger->count && shown + 2 < room; i++) {
            const struct uex_triggered *item = &trigger->items[i];

            if (item->has_ended || (running_of(wait, item) != NULL) != (pass == 0))
                continue;
            write_line(wait, item, &lines);
            shown++;
        }
    }
    uex_buffer_append_format(&lines, "%zu of %zu have ended, %zu running", trigger->ended_count, trigger->count,
                             wait->running.count);
    if (open_count > shown)
        uex_buffer_append_format(&lines, "; %zu more not shown", open_count - shown);
    uex_buffer_append_text(&lines, "\n");
    uex_live_draw(&wait->live, &lines);
    uex_buffer_clear(&lines);
}

/* Read to the ends of the topics before anything is sent. */
static enum uex_error read_to_ends(struct wait *wait, struct uex_fault *fault)
{
    const struct uex_config *config = wait->trigger->config;
    const struct uex_read_topic topics[] = {{.name = config->topics_state, .from = UEX_READ_NEW},
                                            {.name = config->topics_progress, .from = UEX_READ_NEW}};
    int64_t until_ms = uex_monotonic_ms() + config->startup_timeout_ms;
    enum uex_error err = uex_ctl_read_topics(config, topics, 2, &wait->reader, fault);

    while (err == UEX_OK) {
        rd_kafka_message_t *message = NULL;

        err = uex_topic_reader_next(wait->reader, WAIT_MS, &message, fault);
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
static void check_kafka(struct wait *wait)
{
    bool is_new = false;

    (void)uex_topic_reader_is_away(wait->reader, &is_new);
    if (!is_new)
        return;
    uex_live_erase(&wait->live);
    uex_output_error("Kafka does not answer; waiting for it. The commands were sent");
}

static enum uex_error wait_for_outcomes(struct wait *wait, struct uex_fault *fault)
{
    struct uex_trigger *trigger = wait->trigger;
    enum uex_error err = UEX_OK;

    while (err == UEX_OK && trigger->ended_count < trigger->count) {
        rd_kafka_message_t *message = NULL;
        int64_t waited_ms = uex_monotonic_ms() - wait->sent_ms;
        int64_t left_ms = trigger->timeout_ms == UEX_NO_TIME ? WAIT_MS : trigger->timeout_ms - waited_ms;

        if (left_ms <= 0)
            return UEX_TIMEOUT;
        err = uex_topic_reader_next(wait->reader, left_ms < WAIT_MS ? left_ms : WAIT_MS, &message, fault);
        if (err == UEX_OK) {
            err = take_message(wait, message);
            rd_kafka_message_destroy(message);
        } else if (err == UEX_TIMEOUT || err == UEX_END) {
            check_kafka(wait);
            err = uex_output_closed() ? UEX_END : UEX_OK;
        }
        draw_waiting(wait);
    }
    return err;
}

/* One line for each failed command. */
static int report_failures(const struct uex_trigger *trigger)
{
    size_t count = 0;

    for (size_t i = 0; i < trigger->count; i++) {
        const struct uex_status_row *row = trigger->items[i].outcome;
        enum uex_error reason = UEX_INTERNAL;
        bool is_error = row != NULL && row->status == UEX_STATUS_DEAD_LETTERED;

        if (row == NULL || (!is_error && !is_undone(trigger, row)) || count++ >= REPORTED_MAX)
            continue;
        if (!is_error)
            uex_output_error("%s was not exported: %s", trigger->items[i].group_id, row->reason);
        else
            uex_output_error("%s failed: %s (%s); details: exportctl dlq list --group %s", trigger->items[i].group_id,
                             uex_error_from_code(row->reason, &reason) ? uex_error_sentence(reason) : "error",
                             row->reason, trigger->items[i].group_id);
    }
    if (count > REPORTED_MAX)
        uex_output_error("and %zu more", count - REPORTED_MAX);
    return count == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

static int report_end(struct wait *wait, enum uex_error err, const struct uex_fault *fault)
{
    const struct uex_trigger *trigger = wait->trigger;
    int code = UEX_EXIT_FAILED;

    uex_live_erase(&wait->live);
    if (trigger->format == UEX_OUTPUT_JSON && !uex_trigger_print(trigger))
        return code;
    code = report_failures(trigger);
    if (err == UEX_OK || err == UEX_END) /* UEX_END: stdout has no reader any more */
        return code;
    if (err != UEX_CANCELLED && err != UEX_TIMEOUT)
        return uex_output_fail(err, fault);
    uex_output_error("%s: %zu of %zu commands have ended; the others continue, exportctl status --follow shows them",
                     err == UEX_TIMEOUT ? "--timeout ran out" : "stopped", trigger->ended_count, trigger->count);
    return err == UEX_TIMEOUT ? UEX_EXIT_TIMEOUT : UEX_EXIT_FAILED;
}

int uex_trigger_and_wait(struct uex_trigger *trigger)
{
    struct wait *wait = calloc(1, sizeof(*wait));
    struct uex_fault fault = {0};
    enum uex_error err = UEX_NO_MEMORY;
    int code = UEX_EXIT_FAILED;

    if (wait == NULL)
        return uex_output_fail(err, &fault);
    wait->trigger = trigger;
    err = read_to_ends(wait, &fault);
    if (err == UEX_OK)
        err = uex_trigger_send(trigger, &fault);
    if (err != UEX_OK) {
        code = uex_trigger_fail(err, &fault);
        goto done;
    }
    wait->sent_ms = uex_monotonic_ms();
    uex_live_begin(&wait->live);
    if (trigger->format == UEX_OUTPUT_TABLE && !uex_trigger_print(trigger))
        goto done;
    err = uex_output_closed() ? UEX_END : wait_for_outcomes(wait, &fault);
    code = report_end(wait, err, &fault);
done:
    uex_topic_reader_close(wait->reader);
    uex_running_clear(&wait->running);
    free(wait);
    return code;
}
