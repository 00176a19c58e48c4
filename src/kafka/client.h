/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/client.h — librdkafka handles made from the configuration, their log, and what their errors mean here.
 *
 * Order of properties: our defaults, what the configuration passes through and the role can use, then what exactly-once
 * depends on. Source: librdkafka, CONFIGURATION.md. Any thread makes handles; who may use a handle is librdkafka's
 * rule.
 */
#ifndef EXPORT_KAFKA_CLIENT_H
#define EXPORT_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "export/clock.h"
#include "export/config.h"

#define UEX_KAFKA_CLUSTER_ID_SIZE 128
#define UEX_KAFKA_QUEUE_BACKOFF 0x02020000 /* the rd_kafka_version() that has fetch.queue.backoff.ms */

/* What a handle is for. */
enum uex_kafka_role {
    UEX_KAFKA_GROUP_CONSUMER,     /* member of kafka.group.id: range, read_committed, EOF events, commits by hand */
    UEX_KAFKA_READER,             /* assigns by hand, read_committed, from the start; group "<kafka.group.id>-reader",
                                     which commits nothing */
    UEX_KAFKA_READER_UNCOMMITTED, /* the same, read_uncommitted: its watermarks are high watermarks */
    UEX_KAFKA_TX_PRODUCER,        /* idempotent; the caller sets transactional.id and may set its own timeouts */
    UEX_KAFKA_PRODUCER,           /* idempotent, without transactions */
    UEX_KAFKA_ADMIN
};

/* The properties for a handle of this role. Freed by rd_kafka_conf_destroy() or taken by uex_kafka_create(). NULL with
 * UEX_CONFIG in `fault` for a property that librdkafka refuses (uex_kafka_check_properties() has refused such a
 * configuration before) or UEX_NO_MEMORY. */
UEX_MUST_CHECK rd_kafka_conf_t *uex_kafka_conf_new(const struct uex_config *config, enum uex_kafka_role role,
                                                   struct uex_fault *fault);

/* Set one property. UEX_CONFIG with librdkafka's reason. The value never appears in the reason's text. */
UEX_MUST_CHECK enum uex_error uex_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                                 struct uex_fault *fault);

/* Make the handle; `conf` is taken in any case. Consumers serve all their events by rd_kafka_consumer_poll(). No broker
 * is asked. NULL: UEX_CONFIG in `fault` (properties that do not fit together, with librdkafka's reason) or UEX_KAFKA
 * (no resources). Destroy with uex_kafka_destroy(). */
UEX_MUST_CHECK rd_kafka_t *uex_kafka_create(enum uex_kafka_role role, rd_kafka_conf_t *conf, struct uex_fault *fault);
/* Accepts NULL. Consumers leave their group first (bounded by librdkafka's own timeouts). */
void uex_kafka_destroy(rd_kafka_t *handle);

/* Is this a property with a value that the programs can take? As uex_kafka_judge of export/config.h. Any thread. */
UEX_MUST_CHECK enum uex_error uex_kafka_judge_property(const char *name, const char *value, struct uex_fault *fault);

/* A line in `problems` for each property of the configuration that librdkafka does not know, whose value it refuses,
 * that needs a callback, or that the programs set themselves; and for sets that do not fit together (authentication by
 * kafka/sasl.h; then a group consumer and a transactional producer are made, without asking a broker). UEX_CONFIG if
 * there is any. */
enum uex_error uex_kafka_check_properties(const struct uex_config *config, struct uex_buffer *problems);

/* Wait until a broker answers. UEX_KAFKA_UNAVAILABLE after `timeout_ms`, or within a few seconds when the brokers
 * refuse this client and uex_kafka_give_up_when_refused() was called; UEX_CANCELLED. */
UEX_MUST_CHECK enum uex_error uex_kafka_wait(rd_kafka_t *handle, int64_t timeout_ms, const struct uex_cancel *cancel,
                                             struct uex_fault *fault);

/* A handle of this role, once a broker has answered within `wait_ms`. UEX_KAFKA_UNAVAILABLE, UEX_CANCELLED, UEX_CONFIG,
 * UEX_KAFKA (no resources). The caller destroys `*out` in any case (uex_kafka_destroy()). */
UEX_MUST_CHECK enum uex_error uex_kafka_connect(const struct uex_config *config, enum uex_kafka_role role,
                                                int64_t wait_ms, const struct uex_cancel *cancel, rd_kafka_t **out,
                                                struct uex_fault *fault);
/* Why a connection of any handle failed last, "" if none did: librdkafka's own words. Any thread. */
void uex_kafka_last_failure(char *out, size_t size);

/* For tools, where somebody waits for the answer: a wait for brokers that fail to authenticate this client, or do not
 * speak TLS as it does, ends soon from now on. A program that runs by itself waits on: credentials may be about to be
 * created. Main thread, before handles are made. */
void uex_kafka_give_up_when_refused(void);

/* The cluster's id, "" for brokers that have none. `out` has UEX_KAFKA_CLUSTER_ID_SIZE bytes. */
UEX_MUST_CHECK enum uex_error uex_kafka_cluster_id(rd_kafka_t *handle, int64_t timeout_ms, char *out,
                                                   struct uex_fault *fault);

/* How many partitions a topic has now. Asks a broker. UEX_NOT_FOUND: there is no such topic (none is created). */
UEX_MUST_CHECK enum uex_error uex_kafka_partition_count(rd_kafka_t *handle, const char *topic, int64_t timeout_ms,
                                                        int32_t *out, struct uex_fault *fault);

/* The first offset and the end of a partition. Asks its leader; asks again, for `timeout_ms` at most, while there is
 * none. For a read_committed handle the end is the last stable offset. */
UEX_MUST_CHECK enum uex_error uex_kafka_watermarks(rd_kafka_t *handle, const char *topic, int32_t partition,
                                                   int64_t timeout_ms, const struct uex_cancel *cancel, int64_t *low,
                                                   int64_t *high, struct uex_fault *fault);

/* message.max.bytes in force for our producers. */
size_t uex_kafka_message_max_bytes(const struct uex_config *config);

/* The worker's transaction.timeout.ms: kafka.transaction.timeout.ms, else what covers the longest list that is allowed
 * at 4 MB/s, within what brokers allow by default. */
int64_t uex_kafka_transaction_timeout_ms(const struct uex_config *config);

/* How long the longest list that commit.max_list allows takes at 4 MB/s. */
int64_t uex_kafka_longest_list_ms(const struct uex_config *config);

/* What a code of librdkafka means here. UEX_CONFIG: the broker refuses a timeout of the configuration.
 * UEX_RESULT_REFUSED: this record and no other is refused; UEX_KAFKA_UNAVAILABLE: later it may work; UEX_KAFKA_TOPICS:
 * the topic or partition is not there; UEX_KAFKA: anything else. */
enum uex_error uex_kafka_error_of(rd_kafka_resp_err_t code);
/* Is this record alone refused, so that the transaction would succeed without it? */
bool uex_kafka_refuses_record(rd_kafka_resp_err_t code);
/* Fill `fault` from a code ("what: reason") and return the error. */
enum uex_error uex_kafka_fail(struct uex_fault *fault, rd_kafka_resp_err_t code, const char *what);
/* The same from an error object, which is destroyed; NULL: UEX_OK. */
enum uex_error uex_kafka_fail_error(struct uex_fault *fault, rd_kafka_error_t *error, const char *what);

/* Why a connection of any handle failed last, "" if none did: librdkafka's own words. Any thread. */
void uex_kafka_last_failure(char *out, size_t size);
/* The program looks after the brokers itself and says when they are away: librdkafka's lines of failing connections are
 * for level debug from now on. Before the first handle. */
void uex_kafka_log_watched(void);
/* How many such lines there were in this process: when it rises, it is time to look. Any thread. */
uint64_t uex_kafka_connection_failures(void);

/* Wait for the result of an admin request on `queue`. The caller destroys the event. NULL with `fault` filled: no
 * result, or an error. */
UEX_MUST_CHECK rd_kafka_event_t *uex_kafka_await(rd_kafka_queue_t *queue, rd_kafka_event_type_t type,
                                                 int64_t timeout_ms, const char *what, struct uex_fault *fault);
#endif
