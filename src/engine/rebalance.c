/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "export/buffer.h"
#include "kafka/client.h"
#include "kafka/group_metadata.h"

#define CLOSE_WAIT_MS 3000
#define OFFSETS_TIMEOUT_MS 1000
#define ASK_TIMEOUT_MS 5000
#define LOG_EVERY_MS 10000
#define CONFIRM_TIMEOUT_MS 3000
#define CONFIRM_WITHIN_MS 20000
#define REJOIN_AFTER_MS 5000
/* A group waits for a slow member as long as max.poll.interval.ms says, 5 minutes if nothing else is configured. */
#define ANOTHER_WITHIN_MS (6 * 60 * 1000)
#define PASSED_OVER_WARN 5

static void drop_pending(struct uex_engine *engine)
{
    if (engine->membership.pending != NULL)
        rd_kafka_topic_partition_list_destroy(engine->membership.pending);
    engine->membership.pending = NULL;
    if (engine->membership.pending_metadata != NULL)
        rd_kafka_consumer_group_metadata_destroy(engine->membership.pending_metadata);
    engine->membership.pending_metadata = NULL;
}

void uex_rebalance_abandon(struct uex_engine *engine)
{
    if (engine->membership.pending == NULL)
        return;
    drop_pending(engine);
    engine->consumer.assign(engine->consumer.context,
                            NULL); /* librdkafka does not leave the group before it is answered */
}

/* ---- revoke */

/* Wait until the committer is between two transactions. */
static void wait_between_synced(struct uex_engine *engine, int64_t until_ms)
{
    (void)uex_assignment_advance(&engine->synced.assignment, UEX_ASSIGNMENT_ENDING);
    while (engine->synced.outbox.transaction_open) {
        if (!uex_engine_wait_synced(engine, &engine->synced.between, until_ms)) {
            uex_log(UEX_LOG_WARN, UEX_EVENT_TXN_UNFINISHED,
                    "transaction did not end before the partitions were revoked; its outcome will be read from the "
                    "committed offsets");
            break;
        }
    }
}

static bool any_open_marker_synced(struct uex_engine *engine)
{
    for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
        for (int32_t i = 0; i < engine->synced.partition_count; i++) {
            const struct uex_input *input = uex_engine_input(engine, input_topic, i);

            if (input->assigned && input->committed_until != UEX_OFFSET_NONE && !input->closed)
                return true;
        }
    }
    return false;
}

/* Nothing more is started; the committed offsets say so, and outcomes that are ready go out with them. */
static void close_markers_synced(struct uex_engine *engine, bool lost)
{
    const int64_t until_ms = uex_monotonic_ms() + CLOSE_WAIT_MS;

    if (lost || !uex_assignment_advance(&engine->synced.assignment, UEX_ASSIGNMENT_CLOSING))
        return;
    pthread_cond_broadcast(&engine->synced.outcomes_changed);
    while (any_open_marker_synced(engine) && engine->synced.assignment == UEX_ASSIGNMENT_CLOSING) {
        if (!uex_engine_wait_synced(engine, &engine->synced.between, until_ms))
            break;
    }
}

static void revoke(struct uex_engine *engine, bool lost)
{
    rd_kafka_topic_partition_list_t *resume = rd_kafka_topic_partition_list_new(8);

    drop_pending(engine);
    uex_restore_cancel(engine);
    uex_engine_lock(engine);
    if (engine->synced.assignment != UEX_ASSIGNMENT_NONE) {
        const int64_t until_ms = uex_monotonic_ms() + UEX_REVOKE_WAIT_MS; /* one bound for both */

        close_markers_synced(engine, lost);
        wait_between_synced(engine, until_ms);
    }
    (void)uex_assignment_advance(&engine->synced.assignment, UEX_ASSIGNMENT_NONE);
    uex_dispatch_drop_queued_synced(engine);
    for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
        for (int32_t i = 0; i < engine->synced.partition_count; i++) {
            struct uex_input *input = uex_engine_input(engine, input_topic, i);

            if (input->paused) /* a pause must not outlive the assignment */
                (void)rd_kafka_topic_partition_list_add(resume, engine->input_topics[input_topic].topic, i);
            input->paused = false;
            input->assigned = false;
            uex_reset_forget_backpressured_synced(input);
        }
    }
    for (int32_t i = 0; i < engine->synced.partition_count; i++)
        engine->synced.partitions[i].assigned = false;
    uex_engine_unlock(engine);
    if (resume->cnt > 0)
        (void)engine->consumer.resume(engine->consumer.context, resume);
    rd_kafka_topic_partition_list_destroy(resume);
}

/* ---- assign */

enum uex_error uex_committed_offsets_read(struct uex_engine *engine, rd_kafka_topic_partition_list_t *list,
                                          int timeout_ms)
{
    if (list->cnt == 0)
        return UEX_OK;
    if (engine->consumer.committed(engine->consumer.context, list, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return UEX_TIMEOUT;
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return UEX_TIMEOUT;
    }
    return UEX_OK;
}

/* librdkafka joins again on new metadata of the topics without waiting for the answer to an assignment (rdkafka_cgrp.c,
 * rd_kafka_cgrp_revoke_all_rejoin). An assignment that is looked at later was captured with a later generation, in
 * which its partitions may be another's; the broker would believe it. The coordinator knows: if it names the same
 * partitions for this member now, they belong to the captured generation, or to a later one, and then it refuses the
 * captured. (A coordinator that fails over in that moment may forget a generation; so many coincidences are left.) */
static enum uex_error confirm(struct uex_engine *engine, bool *stands, struct uex_fault *fault)
{
    *stands = false;
    if (!uex_group_metadata_is_member(engine->membership.pending_metadata))
        return UEX_OK;
    return engine->consumer.confirm(engine->consumer.context, engine->membership.pending, CONFIRM_TIMEOUT_MS,
                                    &engine->membership.coordinator, stands, fault);
}

/* Answer an assignment with nothing: the client waits for an answer, and does not rejoin a group that rebalances before
 * it has one. Should no other assignment follow, the worker joins again after `again_ms`. */
static void pass_over(struct uex_engine *engine, enum uex_log_level level, enum uex_event event, const char *message,
                      int64_t again_ms, const struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);

    engine->membership.passed_over_count++;
    engine->membership.resubscribe_at_ms = uex_monotonic_ms() + again_ms;
    uex_log(level, event, message, UEX_INT("partitions", engine->membership.pending->cnt),
            UEX_INT("generation", uex_group_metadata_generation(engine->membership.pending_metadata)),
            UEX_STR("error", fault->text[0] == '\0' ? NULL : fault->text));
    drop_pending(engine);
    engine->consumer.assign(engine->consumer.context, none);
    rd_kafka_topic_partition_list_destroy(none);
}

static bool is_confirmed(struct uex_engine *engine)
{
    struct uex_fault fault = {0};
    bool stands = false;

    if (confirm(engine, &stands, &fault) != UEX_OK) {
        if (uex_monotonic_ms() - engine->membership.pending_since_ms > CONFIRM_WITHIN_MS)
            pass_over(engine, UEX_LOG_WARN, UEX_EVENT_ASSIGNMENT_UNCONFIRMED,
                      "coordinator did not confirm the assignment; rejoining the consumer group", REJOIN_AFTER_MS,
                      &fault);
        return false;
    }
    engine->membership.pending_since_ms = uex_monotonic_ms();
    if (!stands) {
        pass_over(engine, engine->membership.passed_over_count + 1 < PASSED_OVER_WARN ? UEX_LOG_INFO : UEX_LOG_WARN,
                  UEX_EVENT_ASSIGNMENT_OUTDATED, "assignment out of date: the group is being assigned again",
                  ANOTHER_WITHIN_MS, &fault);
    }
    return stands;
}

/* Committed offsets of what was assigned, stable ones. UEX_TIMEOUT: not yet. */
static enum uex_error ask_offsets(struct uex_engine *engine, rd_kafka_topic_partition_list_t **out, int32_t *count,
                                  struct uex_fault *fault)
{
    enum uex_error error = UEX_OK;

    *out = rd_kafka_topic_partition_list_copy(engine->membership.pending);
    error = uex_committed_offsets_read(engine, *out, OFFSETS_TIMEOUT_MS);
    if (error == UEX_OK && (*out)->cnt > 0)
        error = engine->consumer.command_partitions(engine->consumer.context, ASK_TIMEOUT_MS, count, fault);
    /* A broker that has not heard of a growth yet must not decide which partitions there are. */
    for (int i = 0; error == UEX_OK && i < (*out)->cnt; i++) {
        if ((*out)->elems[i].partition >= *count && strcmp((*out)->elems[i].topic, engine->input_topics[0].topic) == 0)
            error = UEX_TIMEOUT;
    }
    if (error == UEX_OK)
        return UEX_OK;
    rd_kafka_topic_partition_list_destroy(*out);
    *out = NULL;
    return error;
}

/* "0-3,7": the partition numbers that are worked here. */
static void write_numbers(const struct uex_engine *engine, struct uex_buffer *out)
{
    for (int32_t i = 0; i < engine->synced.partition_count; i++) {
        const int32_t first = i;

        if (!engine->synced.partitions[i].assigned)
            continue;
        while (i + 1 < engine->synced.partition_count && engine->synced.partitions[i + 1].assigned)
            i++;
        uex_buffer_append_format(out, "%s%" PRId32, uex_buffer_text(out)[0] == '\0' ? "" : ",", first);
        if (i > first)
            uex_buffer_append_format(out, "-%" PRId32, i);
    }
}

static void log_assigned(const struct uex_engine *engine, int count, size_t adopted, size_t cancelled)
{
    struct uex_buffer numbers = {0};

    write_numbers(engine, &numbers);
    uex_log(UEX_LOG_INFO, UEX_EVENT_PARTITIONS_ASSIGNED, "partitions assigned", UEX_INT("partitions", count),
            UEX_STR("numbers", uex_buffer_text(&numbers)), UEX_NUM("adopted", adopted), UEX_NUM("cancelled", cancelled),
            UEX_INT("generation", uex_group_metadata_generation(engine->synced.group_metadata)));
    uex_buffer_clear(&numbers);
}

static void log_offsets_unknown(struct uex_engine *engine, const struct uex_fault *fault)
{
    if (uex_monotonic_ms() - engine->membership.pending_logged_ms <= LOG_EVERY_MS)
        return;
    uex_log(UEX_LOG_WARN, UEX_EVENT_OFFSETS_UNKNOWN,
            "committed offsets not known yet (the previous owner's transaction is open, or Kafka does not answer); "
            "asking again",
            UEX_STR("error", fault->text[0] == '\0' ? NULL : fault->text));
    engine->membership.pending_logged_ms = uex_monotonic_ms();
}

void uex_rebalance_continue(struct uex_engine *engine)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    struct uex_fault fault = {0};
    size_t adopted = 0;
    size_t cancelled = 0;
    int32_t count = 0;
    bool memory = false;

    if (engine->membership.pending == NULL || !is_confirmed(engine))
        return;
    if (ask_offsets(engine, &list, &count, &fault) != UEX_OK) {
        log_offsets_unknown(engine, &fault);
        return;
    }
    uex_engine_lock(engine);
    memory = uex_epoch_resize_synced(engine, count);
    if (memory)
        uex_epoch_begin_synced(engine, list, &adopted, &cancelled);
    else
        uex_engine_out_of_memory_synced(engine, "partitions");
    uex_engine_unlock(engine);
    if (!memory) {
        rd_kafka_topic_partition_list_destroy(list);
        return;
    }
    drop_pending(engine);
    engine->consumer.assign(engine->consumer.context, list);
    log_assigned(engine, list->cnt, adopted, cancelled);
    rd_kafka_topic_partition_list_destroy(list);
    if (engine->observer.rebalanced != NULL)
        engine->observer.rebalanced(engine->observer.context, (size_t)engine->synced.partition_count, adopted,
                                    cancelled);
    uex_restore_begin(engine);
}

void uex_rebalance_callback(void *opaque, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *partitions)
{
    struct uex_engine *engine = opaque;
    /* Captured before anything waits: a heartbeat that fails meanwhile would make it nobody's. */
    rd_kafka_consumer_group_metadata_t *metadata = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
                                                       ? engine->consumer.group_metadata(engine->consumer.context)
                                                       : NULL;

    revoke(engine, engine->consumer.is_lost(engine->consumer.context));
    if (engine->membership.resubscribe_at_ms != 0) /* the group assigns again anyway */
        engine->membership.resubscribe_at_ms = uex_monotonic_ms() + ANOTHER_WITHIN_MS;
    if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && uex_engine_lifecycle(engine) >= UEX_LIFECYCLE_LEAVING) {
        if (metadata != NULL)
            rd_kafka_consumer_group_metadata_destroy(metadata);
    } else if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        /* The metadata of this generation, used for this epoch only: a live one could speak for a generation that does
         * not own the work any more, and the broker would believe it. */
        engine->membership.pending_metadata = metadata;
        engine->membership.pending = rd_kafka_topic_partition_list_copy(partitions);
        engine->membership.pending_since_ms = engine->membership.pending_logged_ms = uex_monotonic_ms();
        engine->membership.resubscribe_at_ms = 0; /* whatever it was for, here is an assignment */
        uex_rebalance_continue(engine);
        return;
    } else if (error != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        uex_log(UEX_LOG_WARN, UEX_EVENT_REBALANCE_FAILED, "rebalance failed; the client tries again",
                UEX_STR("error", rd_kafka_err2str(error)));
    } else {
        uex_log(UEX_LOG_INFO, UEX_EVENT_PARTITIONS_REVOKED, "partitions revoked",
                UEX_INT("partitions", partitions->cnt));
    }
    engine->consumer.assign(engine->consumer.context, NULL);
}
