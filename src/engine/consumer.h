/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/consumer.h — what the engine asks of Kafka on its reading side, as a struct of functions.
 *
 * uex_consumer_open() fills it with librdkafka; unit tests play it. All functions take `context`. The intake thread
 * calls them, others where that is said. Lists are borrowed. A librdkafka code of RD_KAFKA_RESP_ERR_NO_ERROR is
 * success; elements of a list may have errors of their own.
 */
#ifndef ENGINE_CONSUMER_H
#define ENGINE_CONSUMER_H

#include <librdkafka/rdkafka.h>

#include "export/config.h"
#include "kafka/record.h"
#include "kafka/topics.h"

/* What a poll of the consumer brought. */
enum uex_fetched_kind { UEX_FETCHED_RECORD, UEX_FETCHED_END, UEX_FETCHED_ERROR };
struct uex_fetched {
    enum uex_fetched_kind kind;
    const char *topic; /* valid until the next poll; NULL: an error of the whole client */
    int32_t partition;
    int64_t offset;            /* of the record, or the end of the partition */
    struct uex_record *record; /* of a record; owned by the caller; NULL when memory ends */
    rd_kafka_resp_err_t code;  /* of an error */
    char error_text[256];
};

struct uex_consumer {
    void *context;

    /* Subscribe to these topics; with `leave_first` the member leaves the group before. Also before the intake runs. */
    rd_kafka_resp_err_t (*subscribe)(void *context, const rd_kafka_topic_partition_list_t *topics, bool leave_first);
    /* The next of what was fetched, within `timeout_ms`; false: nothing. Rebalances are called back from here. */
    bool (*poll)(void *context, int timeout_ms, struct uex_fetched *out);
    rd_kafka_resp_err_t (*pause)(void *context, rd_kafka_topic_partition_list_t *list);
    rd_kafka_resp_err_t (*resume)(void *context, rd_kafka_topic_partition_list_t *list);
    rd_kafka_resp_err_t (*seek)(void *context, rd_kafka_topic_partition_list_t *list, int timeout_ms);
    /* Answer a rebalance; NULL: a revoke. */
    void (*assign)(void *context, const rd_kafka_topic_partition_list_t *list);
    /* Is the assignment that is revoked somebody else's already? */
    bool (*is_lost)(void *context);
    /* Of this generation; the caller owns it. NULL: none. */
    rd_kafka_consumer_group_metadata_t *(*group_metadata)(void *context);
    /* Does the group's coordinator name exactly these partitions for this member? See group_members.h. */
    enum uex_error (*confirm)(void *context, const rd_kafka_topic_partition_list_t *partitions, int64_t timeout_ms,
                              int32_t *coordinator, bool *holds, struct uex_fault *fault);
    /* Stable committed offsets and their metadata, into the list. The committer's thread too. */
    rd_kafka_resp_err_t (*committed)(void *context, rd_kafka_topic_partition_list_t *list, int timeout_ms);
    /* Leave the group; calls back a last revoke. */
    void (*close)(void *context);

    /* Partitions of the command topic, and of the state topic, as the brokers have them now. The first: any thread. */
    enum uex_error (*command_partitions)(void *context, int64_t timeout_ms, int32_t *count, struct uex_fault *fault);
    enum uex_error (*state_partitions)(void *context, int64_t timeout_ms, int32_t *count, struct uex_fault *fault);
    /* First offset and high watermark of a partition of the state topic, asked of a read_uncommitted client. */
    rd_kafka_resp_err_t (*state_watermarks)(void *context, int32_t partition, int64_t *low, int64_t *high,
                                            int timeout_ms);
    /* Read the state topic from these offsets, read_committed; NULL: no more. */
    rd_kafka_resp_err_t (*state_assign)(void *context, const rd_kafka_topic_partition_list_t *list);
    /* A record, an end or an error of it; NULL: nothing within `timeout_ms`. Given back with state_release. */
    rd_kafka_message_t *(*state_poll)(void *context, int timeout_ms);
    void (*state_release)(void *context, rd_kafka_message_t *message);
};

struct uex_consumer_handles;

/* Called back in poll() and close(): partitions were assigned or revoked. */
typedef void uex_rebalance_function(void *opaque, rd_kafka_resp_err_t code,
                                    rd_kafka_topic_partition_list_t *partitions);

/* Make the handles; no broker is asked. UEX_CONFIG, UEX_NO_MEMORY. `config` is borrowed. */
UEX_MUST_CHECK enum uex_error uex_consumer_open(const struct uex_config *config, uex_rebalance_function *rebalance,
                                                void *opaque, struct uex_consumer_handles **handles,
                                                struct uex_consumer *out, struct uex_fault *fault);
/* Accepts NULL. The group was left before. */
void uex_consumer_free(struct uex_consumer_handles *handles);

/* ---- for the start, health and metrics; any thread */
/* Wait until a broker answers. UEX_KAFKA_UNAVAILABLE after `timeout_ms`, UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_consumer_wait(struct uex_consumer_handles *handles, int64_t timeout_ms,
                                                const struct uex_cancel *cancel, struct uex_fault *fault);
/* The id of the cluster; `out` has UEX_KAFKA_CLUSTER_ID_SIZE bytes. */
UEX_MUST_CHECK enum uex_error uex_consumer_cluster_id(struct uex_consumer_handles *handles, int64_t timeout_ms,
                                                      char *out, struct uex_fault *fault);
/* The retry topics that are configured or still there; see uex_topics_tiers(). */
UEX_MUST_CHECK enum uex_error uex_consumer_tiers(struct uex_consumer_handles *handles, int64_t timeout_ms,
                                                 struct uex_tier *tiers, size_t *count, struct uex_fault *fault);
/* Does a broker answer within `timeout_ms`? */
bool uex_consumer_is_answered(struct uex_consumer_handles *handles, int timeout_ms);
/* First offset and end of an assigned partition as of its last fetch, without asking; false: not known. */
bool uex_consumer_known_range(struct uex_consumer_handles *handles, const char *topic, int32_t partition, int64_t *low,
                              int64_t *high);
#endif
