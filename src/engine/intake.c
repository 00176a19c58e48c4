/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "engine/engine.h"

#define POLL_MS 100
#define RESTORE_BUDGET_MS 20
#define SERVE_EVERY_MS 20
#define LOOK_AGAIN_MS 200
#define SEEK_TIMEOUT_MS 1000
#define REJOIN_AFTER_MS 1000

/* Its worker left while this record was perhaps under way: it is not even parsed before its start is committed. */
static void take_suspect(struct uex_engine *engine, struct uex_input *input, struct uex_inflight *inflight)
{
    uex_engine_lock(engine);
    uex_window_see(&input->window, inflight->offset);
    uex_dispatch_add_synced(engine, inflight);
    inflight->suspect = true;
    inflight->below_marker = true;
    uex_inflight_append(&engine->synced.poison.first_suspect, &engine->synced.poison.last_suspect, inflight);
    pthread_cond_signal(&engine->synced.work_changed);
    uex_engine_unlock(engine);
}

/* Take a record that is not backpressured. UEX_BACKPRESSURE_NONE: the command is taken over (or was known already). */
static enum uex_backpressure take(struct uex_engine *engine, struct uex_input *input, struct uex_inflight *inflight)
{
    const int64_t due_ms = uex_policy_due_ms(engine, inflight);
    enum uex_backpressure backpressure = UEX_BACKPRESSURE_NONE;
    bool known = false;
    bool suspect = false;
    bool ended = false;

    uex_engine_lock(engine);
    if (!uex_window_fits(&input->window, inflight->offset))
        backpressure = UEX_BACKPRESSURE_WINDOW;
    known = backpressure == UEX_BACKPRESSURE_NONE &&
            (uex_dispatch_find_synced(engine, inflight->input_topic, inflight->partition, inflight->offset) != NULL ||
             uex_window_finished(&input->window, inflight->offset));
    if (known)
        uex_window_see(&input->window, inflight->offset);
    suspect = uex_starts_is_suspect_synced(input, inflight->offset);
    uex_engine_unlock(engine);
    if (known)
        uex_inflight_free(inflight);
    if (known || backpressure != UEX_BACKPRESSURE_NONE)
        return backpressure;
    if (due_ms != UEX_NO_TIME && due_ms > uex_wall_ms()) {
        input->backpressured_until_ms = due_ms;
        return UEX_BACKPRESSURE_DUE;
    }
    if (suspect) {
        take_suspect(engine, input, inflight);
        return UEX_BACKPRESSURE_NONE;
    }
    backpressure = uex_classify(engine, inflight, &ended);
    if (backpressure != UEX_BACKPRESSURE_NONE)
        return backpressure;
    if (engine->observer.read != NULL)
        engine->observer.read(engine->observer.context, inflight);
    if (!ended && engine->observer.seen != NULL)
        engine->observer.seen(engine->observer.context, inflight);
    uex_engine_lock(engine);
    uex_window_see(&input->window, inflight->offset);
    uex_dispatch_add_synced(engine, inflight);
    if (ended)
        uex_dispatch_submit_synced(engine, inflight);
    else
        uex_dispatch_enqueue_synced(engine, inflight);
    uex_engine_unlock(engine);
    return UEX_BACKPRESSURE_NONE;
}

static void note_backpressure(struct uex_engine *engine, struct uex_input *input, enum uex_backpressure backpressure)
{
    if (backpressure == UEX_BACKPRESSURE_GROWN && engine->membership.resubscribe_at_ms == 0)
        engine->membership.resubscribe_at_ms = uex_monotonic_ms() + REJOIN_AFTER_MS;
    input->backpressure = backpressure;
    if (backpressure != UEX_BACKPRESSURE_DUE)
        input->backpressured_until_ms = uex_wall_ms() + LOOK_AGAIN_MS;
}

static bool find_input_topic(const struct uex_engine *engine, const char *topic, size_t *input_topic)
{
    for (size_t i = 0; i < engine->input_topic_count; i++) {
        if (strcmp(engine->input_topics[i].topic, topic) == 0) {
            *input_topic = i;
            return true;
        }
    }
    return false;
}

/* Is what was read here (a record, NULL: the end) to be taken? */
static bool is_next(struct uex_engine *engine, size_t input_topic, int32_t partition, int64_t offset,
                    const struct uex_record *record)
{
    static const struct {
        enum uex_log_level level;
        enum uex_event event;
        const char *message;
    } lines[] = {
        [UEX_STEP_SAME] = {UEX_LOG_INFO, UEX_EVENT_LOG_UNCHANGED,
                           "the records read again are the same as before; continuing"},
        [UEX_STEP_CHECK] = {UEX_LOG_WARN, UEX_EVENT_LOG_CHECK,
                            "the topic does not continue where it was read; reading its last records again to compare"},
        [UEX_STEP_CUT] = {UEX_LOG_ERROR, UEX_EVENT_LOG_CUT,
                          "the end of the topic's log is gone (unclean leader election?); its commands are cancelled, "
                          "earlier ones go on"},
        [UEX_STEP_ANEW] = {UEX_LOG_ERROR, UEX_EVENT_TOPIC_RESET,
                           "other records than before (topic re-created?); restarting from the topic's beginning"},
    };
    struct uex_input *input = uex_engine_input(engine, input_topic, partition);
    int64_t read_until = UEX_OFFSET_NONE;
    int64_t seek_to = UEX_OFFSET_NONE;
    enum uex_step step = UEX_STEP_ON;

    uex_engine_lock(engine);
    step = uex_reset_notice_synced(engine, input_topic, partition, offset, record, &read_until);
    seek_to = input->seek_to;
    if (seek_to != UEX_OFFSET_NONE)
        pthread_cond_signal(&engine->synced.outcomes_changed);
    uex_engine_unlock(engine);
    if (step == UEX_STEP_ON || step == UEX_STEP_DROP)
        return step == UEX_STEP_ON;
    uex_log(lines[step].level, lines[step].event, lines[step].message,
            UEX_STR("topic", engine->input_topics[input_topic].topic), UEX_INT("partition", partition),
            UEX_INT("offset", offset), UEX_INT("read_until", read_until),
            seek_to < 0 ? UEX_STR("read_from", NULL) : UEX_INT("read_from", seek_to));
    return step == UEX_STEP_SAME;
}

static void note_age(struct uex_inflight *inflight)
{
    const int64_t asked_ms = inflight->record->envelope.origin.timestamp_ms;

    inflight->since_ms = asked_ms > 0 ? asked_ms : inflight->taken_at_ms;
}

/* A record that asks for more than its tier's delay would hold the partition behind it for as long as it likes. */
static void note_early(const struct uex_engine *engine, const struct uex_inflight *inflight)
{
    const int64_t asked_ms = inflight->record->envelope.due_ms;
    const int64_t due_ms = uex_policy_due_ms(engine, inflight);

    if (inflight->input_topic == 0 || asked_ms == UEX_NO_TIME || asked_ms <= due_ms)
        return;
    uex_log(UEX_LOG_WARN, UEX_EVENT_RETRY_DUE_BOUNDED,
            "retry record asks for a longer wait than its topic's delay (foreign record, or a wrong clock?); the "
            "topic's delay counts",
            UEX_STR("topic", inflight->record->topic), UEX_INT("partition", inflight->partition),
            UEX_INT("offset", inflight->offset), UEX_INT("asked_ms", asked_ms), UEX_TIME("due_at", due_ms));
}

/* The input partition that this belongs to; NULL: none that is assigned. */
static struct uex_input *input_of(struct uex_engine *engine, const struct uex_fetched *fetched, size_t *input_topic)
{
    struct uex_input *input = NULL;

    if (find_input_topic(engine, fetched->topic, input_topic))
        input = uex_engine_input(engine, *input_topic, fetched->partition);
    return input != NULL && input->assigned ? input : NULL;
}

static void on_record(struct uex_engine *engine, const struct uex_fetched *fetched)
{
    size_t input_topic = 0;
    struct uex_input *input = input_of(engine, fetched, &input_topic);
    struct uex_record *record = fetched->record;
    struct uex_inflight *inflight = NULL;

    if (input == NULL) {
        uex_record_free(record);
        return;
    }
    if (record != NULL && !is_next(engine, input_topic, record->partition, record->offset, record)) {
        uex_record_free(record);
        return;
    }
    inflight = record == NULL ? NULL : uex_inflight_new(record, input_topic);
    if (inflight == NULL) {
        uex_record_free(record);
        uex_log(UEX_LOG_ERROR, UEX_EVENT_OUT_OF_MEMORY,
                "not enough memory for a record; the program ends, the next owner reads the record again");
        uex_engine_break(engine);
        return;
    }
    note_age(inflight);
    note_early(engine, inflight);
    if (input->first_backpressured == NULL) {
        const enum uex_backpressure backpressure = take(engine, input, inflight);

        if (backpressure == UEX_BACKPRESSURE_NONE)
            return;
        note_backpressure(engine, input, backpressure);
    }
    uex_inflight_append(&input->first_backpressured, &input->last_backpressured, inflight);
}

/* ---- input partitions: backpressured records, pauses, committed offsets */

/* Everything before the reported end was read: what held no record (transaction markers) is finished, and the committed
 * offset may move on. */
static void move_to_end(struct uex_engine *engine, struct uex_input *input)
{
    if (input->first_backpressured != NULL || input->end_offset == UEX_OFFSET_NONE)
        return;
    uex_engine_lock(engine);
    if (input->end_offset >= input->window.next && uex_window_fits(&input->window, input->end_offset)) {
        uex_window_see_end(&input->window, input->end_offset);
        if (input->window.base != input->committed_base)
            pthread_cond_signal(&engine->synced.outcomes_changed);
    }
    uex_engine_unlock(engine);
}

static void serve_backpressured(struct uex_engine *engine, struct uex_input *input)
{
    while (input->first_backpressured != NULL && input->backpressured_until_ms <= uex_wall_ms()) {
        struct uex_inflight *inflight = input->first_backpressured;
        struct uex_inflight *next = inflight->next_in_group;
        const enum uex_backpressure backpressure = take(engine, input, inflight);

        if (backpressure != UEX_BACKPRESSURE_NONE) {
            note_backpressure(engine, input, backpressure);
            return;
        }
        input->first_backpressured = next;
        if (next == NULL)
            input->last_backpressured = NULL;
    }
}

/* Full from the bound on, free again below half of it. */
static bool queue_is_full(const struct uex_engine *engine)
{
    if (engine->synced.in_flight.count >= engine->queue_max ||
        engine->synced.in_flight.bytes >= engine->queue_max_bytes)
        return true;
    return engine->membership.backpressured && (engine->synced.in_flight.count > engine->queue_max / 2 ||
                                                engine->synced.in_flight.bytes > engine->queue_max_bytes / 2);
}

/* What librdkafka did becomes true of the input partitions; a partition that it refuses is told again. It must not be
 * told to resume what is not paused: before 2.4 it may deliver records again then. */
static void note_paused(struct uex_engine *engine, const rd_kafka_topic_partition_list_t *list, bool paused)
{
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &list->elems[i];
        size_t input_topic = 0;

        if (place->err == RD_KAFKA_RESP_ERR_NO_ERROR && find_input_topic(engine, place->topic, &input_topic))
            uex_engine_input(engine, input_topic, place->partition)->paused = paused;
    }
}

static void apply_pauses(struct uex_engine *engine, rd_kafka_topic_partition_list_t *pause,
                         rd_kafka_topic_partition_list_t *resume)
{
    if (pause->cnt > 0 && engine->consumer.pause(engine->consumer.context, pause) == RD_KAFKA_RESP_ERR_NO_ERROR)
        note_paused(engine, pause, true);
    if (resume->cnt > 0 && engine->consumer.resume(engine->consumer.context, resume) == RD_KAFKA_RESP_ERR_NO_ERROR)
        note_paused(engine, resume, false);
}

/* Records from before the seek do not come any more: librdkafka drops them. What fails is tried again at the next
 * round.
 */
static void apply_seeks(struct uex_engine *engine, rd_kafka_topic_partition_list_t *seek)
{
    if (seek->cnt == 0 ||
        engine->consumer.seek(engine->consumer.context, seek, SEEK_TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (int i = 0; i < seek->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &seek->elems[i];
        size_t input_topic = 0;

        if (place->err == RD_KAFKA_RESP_ERR_NO_ERROR && find_input_topic(engine, place->topic, &input_topic))
            uex_engine_input(engine, input_topic, place->partition)->seek_to = UEX_OFFSET_NONE;
    }
}

static void serve_inputs(struct uex_engine *engine)
{
    rd_kafka_topic_partition_list_t *pause = rd_kafka_topic_partition_list_new(8);
    rd_kafka_topic_partition_list_t *resume = rd_kafka_topic_partition_list_new(8);
    rd_kafka_topic_partition_list_t *seek = rd_kafka_topic_partition_list_new(1);
    int64_t oldest_ms = UEX_NO_TIME;
    bool full = false;

    uex_engine_lock(engine);
    engine->membership.backpressured = queue_is_full(engine) || engine->synced.lifecycle != UEX_LIFECYCLE_WORKING ||
                                       uex_breaker_any_open_synced(engine);
    full = engine->membership.backpressured;
    if (engine->synced.wants_rejoin && engine->membership.resubscribe_at_ms == 0)
        engine->membership.resubscribe_at_ms = uex_monotonic_ms() + REJOIN_AFTER_MS;
    engine->synced.wants_rejoin = false;
    uex_engine_unlock(engine);
    for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
        for (int32_t i = 0; i < engine->synced.partition_count; i++) {
            struct uex_input *input = uex_engine_input(engine, input_topic, i);
            bool want_pause = false;

            if (input == NULL || !input->assigned)
                continue;
            if (!full)
                serve_backpressured(engine, input);
            move_to_end(engine, input);
            if (input->first_backpressured != NULL &&
                (oldest_ms == UEX_NO_TIME || input->first_backpressured->since_ms < oldest_ms))
                oldest_ms = input->first_backpressured->since_ms;
            if (input->seek_to != UEX_OFFSET_NONE)
                rd_kafka_topic_partition_list_add(seek, engine->input_topics[input_topic].topic, i)->offset =
                    input->seek_to;
            want_pause = full || input->first_backpressured != NULL;
            if (want_pause == input->paused)
                continue;
            (void)rd_kafka_topic_partition_list_add(want_pause ? pause : resume,
                                                    engine->input_topics[input_topic].topic, i);
        }
    }
    engine->oldest_backpressured_ms = oldest_ms;
    apply_seeks(engine, seek);
    apply_pauses(engine, pause, resume);
    rd_kafka_topic_partition_list_destroy(pause);
    rd_kafka_topic_partition_list_destroy(resume);
    rd_kafka_topic_partition_list_destroy(seek);
}

/* Thousands of small records come between two rounds: the bound of the queue is seen at once. */
static bool is_filled(struct uex_engine *engine)
{
    bool filled = false;

    uex_engine_lock(engine);
    filled = !engine->membership.backpressured && queue_is_full(engine);
    uex_engine_unlock(engine);
    return filled;
}

static void on_end(struct uex_engine *engine, const struct uex_fetched *fetched)
{
    size_t input_topic = 0;
    struct uex_input *input = input_of(engine, fetched, &input_topic);

    if (input == NULL || !is_next(engine, input_topic, fetched->partition, fetched->offset, NULL))
        return;
    uex_engine_lock(engine);
    input->end_offset = fetched->offset;
    uex_starts_see_end_synced(engine, input, fetched->offset);
    uex_engine_unlock(engine);
    move_to_end(engine, input);
}

static void on_error(struct uex_engine *engine, const struct uex_fetched *fetched)
{
    if (fetched->code == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT) {
        uex_engine_refuse(engine, fetched->error_text,
                          "kafka.session.timeout.ms has to be between group.min.session.timeout.ms and "
                          "group.max.session.timeout.ms of the brokers");
    } else if (fetched->code == RD_KAFKA_RESP_ERR__FATAL) {
        uex_log(UEX_LOG_ERROR, UEX_EVENT_CONSUMER_FATAL,
                "consumer cannot go on (another member with the same kafka.group.instance.id?); the program ends",
                UEX_STR("error", fetched->error_text));
        uex_engine_break(engine);
    } else {
        uex_log(UEX_LOG_WARN, UEX_EVENT_CONSUMER_ERROR, "consumer error; going on",
                UEX_STR("error", rd_kafka_err2str(fetched->code)), UEX_STR("topic", fetched->topic),
                UEX_INT("partition", fetched->partition));
    }
}

static void on_fetched(struct uex_engine *engine, const struct uex_fetched *fetched)
{
    if (fetched->kind == UEX_FETCHED_RECORD)
        on_record(engine, fetched);
    else if (fetched->kind == UEX_FETCHED_END)
        on_end(engine, fetched);
    else
        on_error(engine, fetched);
}

static void resubscribe(struct uex_engine *engine)
{
    struct uex_fault fault = {0};

    engine->membership.resubscribe_at_ms = 0;
    uex_log(UEX_LOG_INFO, UEX_EVENT_REJOIN, "rejoining the consumer group: topics changed or assignment rejected");
    if (uex_engine_subscribe(engine, &fault) != UEX_OK) {
        uex_log(UEX_LOG_WARN, UEX_EVENT_SUBSCRIBE_FAILED, "subscribing failed; trying again",
                UEX_STR("error", fault.text));
        engine->membership.resubscribe_at_ms = uex_monotonic_ms() + 5000;
    }
}

/* One round: at most one fetched record, and what is due. */
void uex_intake_step(struct uex_engine *engine, struct uex_intake *intake)
{
    struct uex_fetched fetched = {0};
    bool has_fetched = false;

    engine->intake_heartbeat_ms = uex_monotonic_ms();
    has_fetched = engine->consumer.poll(engine->consumer.context, intake->restoring ? 0 : POLL_MS, &fetched);
    if (has_fetched)
        on_fetched(engine, &fetched);
    uex_rebalance_continue(engine);
    intake->restoring = uex_restore_step(engine, RESTORE_BUDGET_MS);
    if (!has_fetched || is_filled(engine) || uex_monotonic_ms() - intake->served_ms >= SERVE_EVERY_MS) {
        serve_inputs(engine);
        intake->served_ms = uex_monotonic_ms();
    }
    if (engine->membership.resubscribe_at_ms != 0 && uex_monotonic_ms() >= engine->membership.resubscribe_at_ms)
        resubscribe(engine);
}

void *uex_intake_run(void *argument)
{
    struct uex_engine *engine = argument;
    struct uex_intake intake = {0};

    while (uex_engine_lifecycle(engine) < UEX_LIFECYCLE_LEAVING)
        uex_intake_step(engine, &intake);
    uex_rebalance_abandon(engine);
    engine->consumer.close(engine->consumer.context);
    return NULL;
}
