/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/consumer.h"

#include <stdlib.h>

#include "kafka/client.h"
#include "kafka/group_members.h"

struct uex_consumer_handles {
    const struct uex_config *config;
    uex_rebalance_function *rebalance;
    void *opaque;
    rd_kafka_t *consumer;     /* of the group */
    rd_kafka_t *probe;        /* read_uncommitted: high watermarks and partition counts; any thread */
    rd_kafka_t *reader;       /* read_committed: the state topic */
    rd_kafka_message_t *last; /* of the last poll: `topic` is its */
};

static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                         void *opaque)
{
    struct uex_consumer_handles *handles = opaque;

    (void)consumer;
    handles->rebalance(handles->opaque, code, partitions);
}

static rd_kafka_t *make(struct uex_consumer_handles *handles, enum uex_kafka_role role, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(handles->config, role, fault);

    if (conf == NULL)
        return NULL;
    if (role == UEX_KAFKA_GROUP_CONSUMER) {
        rd_kafka_conf_set_opaque(conf, handles);
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    }
    return uex_kafka_create(role, conf, fault);
}

/* ---- the group's consumer */

static rd_kafka_resp_err_t subscribe(void *context, const rd_kafka_topic_partition_list_t *topics, bool leave_first)
{
    struct uex_consumer_handles *handles = context;

    if (leave_first)
        (void)rd_kafka_unsubscribe(handles->consumer);
    return rd_kafka_subscribe(handles->consumer, topics);
}

static void release_last(struct uex_consumer_handles *handles)
{
    if (handles->last != NULL)
        rd_kafka_message_destroy(handles->last);
    handles->last = NULL;
}

static bool poll(void *context, int timeout_ms, struct uex_fetched *out)
{
    struct uex_consumer_handles *handles = context;
    rd_kafka_message_t *message = NULL;

    release_last(handles);
    message = rd_kafka_consumer_poll(handles->consumer, timeout_ms);
    if (message == NULL)
        return false;
    handles->last = message;
    *out = (struct uex_fetched){.topic = message->rkt == NULL ? NULL : rd_kafka_topic_name(message->rkt),
                                .partition = message->partition,
                                .offset = message->offset,
                                .code = message->err};
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        out->kind = UEX_FETCHED_RECORD;
        out->record = uex_record_copy(message, handles->config->topics_command);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        out->kind = UEX_FETCHED_END;
    } else {
        out->kind = UEX_FETCHED_ERROR;
        (void)snprintf(out->error_text, sizeof(out->error_text), "%s", rd_kafka_message_errstr(message));
    }
    return true;
}

static rd_kafka_resp_err_t pause_partitions(void *context, rd_kafka_topic_partition_list_t *list)
{
    return rd_kafka_pause_partitions(((struct uex_consumer_handles *)context)->consumer, list);
}

static rd_kafka_resp_err_t resume(void *context, rd_kafka_topic_partition_list_t *list)
{
    return rd_kafka_resume_partitions(((struct uex_consumer_handles *)context)->consumer, list);
}

static rd_kafka_resp_err_t seek(void *context, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    rd_kafka_error_t *error =
        rd_kafka_seek_partitions(((struct uex_consumer_handles *)context)->consumer, list, timeout_ms);
    const rd_kafka_resp_err_t code = rd_kafka_error_code(error);

    if (error != NULL)
        rd_kafka_error_destroy(error);
    return code;
}

static void assign(void *context, const rd_kafka_topic_partition_list_t *list)
{
    (void)rd_kafka_assign(((struct uex_consumer_handles *)context)->consumer, list);
}

static bool is_lost(void *context)
{
    return rd_kafka_assignment_lost(((struct uex_consumer_handles *)context)->consumer) != 0;
}

static rd_kafka_consumer_group_metadata_t *group_metadata(void *context)
{
    return rd_kafka_consumer_group_metadata(((struct uex_consumer_handles *)context)->consumer);
}

static enum uex_error confirm(void *context, const rd_kafka_topic_partition_list_t *partitions, int64_t timeout_ms,
                              int32_t *coordinator, bool *holds, struct uex_fault *fault)
{
    struct uex_consumer_handles *handles = context;
    struct uex_group_claim claim = {.group_id = handles->config->kafka_group_id, .partitions = partitions};
    char *member_id = rd_kafka_memberid(handles->consumer);
    enum uex_error error = UEX_OK;

    *holds = false;
    if (member_id == NULL)
        return UEX_OK;
    claim.member_id = member_id;
    error = uex_group_members_confirm(handles->probe, &claim, timeout_ms, coordinator, holds, fault);
    rd_kafka_mem_free(handles->consumer, member_id);
    return error;
}

static rd_kafka_resp_err_t committed(void *context, rd_kafka_topic_partition_list_t *list, int timeout_ms)
{
    return rd_kafka_committed(((struct uex_consumer_handles *)context)->consumer, list, timeout_ms);
}

static void leave(void *context)
{
    struct uex_consumer_handles *handles = context;

    release_last(handles);
    (void)rd_kafka_consumer_close(handles->consumer);
}

/* ---- counts and the state topic */

static enum uex_error command_partitions(void *context, int64_t timeout_ms, int32_t *count, struct uex_fault *fault)
{
    struct uex_consumer_handles *handles = context;

    return uex_kafka_partition_count(handles->probe, handles->config->topics_command, timeout_ms, count, fault);
}

static enum uex_error state_partitions(void *context, int64_t timeout_ms, int32_t *count, struct uex_fault *fault)
{
    struct uex_consumer_handles *handles = context;

    return uex_kafka_partition_count(handles->reader, handles->config->topics_state, timeout_ms, count, fault);
}

static rd_kafka_resp_err_t state_watermarks(void *context, int32_t partition, int64_t *low, int64_t *high,
                                            int timeout_ms)
{
    struct uex_consumer_handles *handles = context;

    return rd_kafka_query_watermark_offsets(handles->probe, handles->config->topics_state, partition, low, high,
                                            timeout_ms);
}

static rd_kafka_resp_err_t state_assign(void *context, const rd_kafka_topic_partition_list_t *list)
{
    return rd_kafka_assign(((struct uex_consumer_handles *)context)->reader, list);
}

static rd_kafka_message_t *state_poll(void *context, int timeout_ms)
{
    return rd_kafka_consumer_poll(((struct uex_consumer_handles *)context)->reader, timeout_ms);
}

static void state_release(void *context, rd_kafka_message_t *message)
{
    (void)context;
    rd_kafka_message_destroy(message);
}

/* ---- life */

static void fill(struct uex_consumer *out, struct uex_consumer_handles *handles)
{
    *out = (struct uex_consumer){
        .context = handles,
        .subscribe = subscribe,
        .poll = poll,
        .pause = pause_partitions,
        .resume = resume,
        .seek = seek,
        .assign = assign,
        .is_lost = is_lost,
        .group_metadata = group_metadata,
        .confirm = confirm,
        .committed = committed,
        .close = leave,
        .command_partitions = command_partitions,
        .state_partitions = state_partitions,
        .state_watermarks = state_watermarks,
        .state_assign = state_assign,
        .state_poll = state_poll,
        .state_release = state_release,
    };
}

enum uex_error uex_consumer_open(const struct uex_config *config, uex_rebalance_function *rebalance, void *opaque,
                                 struct uex_consumer_handles **handles, struct uex_consumer *out,
                                 struct uex_fault *fault)
{
    struct uex_consumer_handles *made = calloc(1, sizeof(*made));

    *handles = made;
    if (made == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "the consumer");
    made->config = config;
    made->rebalance = rebalance;
    made->opaque = opaque;
    fill(out, made);
    made->probe = make(made, UEX_KAFKA_READER_UNCOMMITTED, fault);
    made->reader = made->probe == NULL ? NULL : make(made, UEX_KAFKA_READER, fault);
    made->consumer = made->reader == NULL ? NULL : make(made, UEX_KAFKA_GROUP_CONSUMER, fault);
    return made->consumer == NULL ? UEX_CONFIG : UEX_OK;
}

void uex_consumer_free(struct uex_consumer_handles *handles)
{
    if (handles == NULL)
        return;
    release_last(handles);
    uex_kafka_destroy(handles->consumer);
    uex_kafka_destroy(handles->reader);
    uex_kafka_destroy(handles->probe);
    free(handles);
}

/* ---- for the start, health and metrics */

enum uex_error uex_consumer_wait(struct uex_consumer_handles *handles, int64_t timeout_ms,
                                 const struct uex_cancel *cancel, struct uex_fault *fault)
{
    return uex_kafka_wait(handles->probe, timeout_ms, cancel, fault);
}

enum uex_error uex_consumer_cluster_id(struct uex_consumer_handles *handles, int64_t timeout_ms, char *out,
                                       struct uex_fault *fault)
{
    return uex_kafka_cluster_id(handles->probe, timeout_ms, out, fault);
}

enum uex_error uex_consumer_tiers(struct uex_consumer_handles *handles, int64_t timeout_ms, struct uex_tier *tiers,
                                  size_t *count, struct uex_fault *fault)
{
    return uex_topics_tiers(handles->probe, handles->config, timeout_ms, tiers, count, fault);
}

bool uex_consumer_is_answered(struct uex_consumer_handles *handles, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;

    if (rd_kafka_metadata(handles->probe, 0, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

bool uex_consumer_known_range(struct uex_consumer_handles *handles, const char *topic, int32_t partition, int64_t *low,
                              int64_t *high)
{
    return rd_kafka_get_watermark_offsets(handles->consumer, topic, partition, low, high) == RD_KAFKA_RESP_ERR_NO_ERROR;
}
