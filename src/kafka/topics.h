/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/topics.h — the topics that the configuration needs: planned, checked, created, grown.
 *
 * Handles: UEX_KAFKA_ADMIN. Waits are bounded by `timeout_ms`. One thread at a time.
 */
#ifndef EXPORT_KAFKA_TOPICS_H
#define EXPORT_KAFKA_TOPICS_H

#include "kafka/client.h"

#define UEX_TOPIC_NAME_SIZE 250 /* Kafka allows 249 characters */
#define UEX_TOPIC_SETTINGS_MAX 6
#define UEX_TIERS_MAX 64 /* existing retry topics that are looked at */
#define UEX_TOPICS_MAX (UEX_TIERS_MAX + 6)
#define UEX_PARTITIONS_DEFAULT 12
#define UEX_PARTITIONS_MAX 10000

enum uex_topic_kind {
    UEX_TOPIC_COMMAND,
    UEX_TOPIC_RETRY,
    UEX_TOPIC_STATE,
    UEX_TOPIC_PROGRESS,
    UEX_TOPIC_RESULT,
    UEX_TOPIC_DLQ,
    UEX_TOPIC_RUN
};

struct uex_topic_setting {
    const char *name; /* "cleanup.policy" */
    char value[32];
};

/* A topic as the configuration needs it. */
struct uex_topic {
    char name[UEX_TOPIC_NAME_SIZE];
    enum uex_topic_kind kind;
    size_t tier; /* of a retry topic */
    int32_t partition_count;
    bool same_count;            /* must have the command topic's count */
    int32_t replication_factor; /* 0: not known yet */
    struct uex_topic_setting settings[UEX_TOPIC_SETTINGS_MAX];
    size_t setting_count;
};

struct uex_topic_plan {
    struct uex_topic topics[UEX_TOPICS_MAX];
    size_t count;
};

/* The topics of the configuration. `partition_count` 0: UEX_PARTITIONS_DEFAULT; `replication_factor` 0: not known.
 * UEX_CONFIG: a name that Kafka does not allow, or two topics of one name. Asks no broker. */
UEX_MUST_CHECK enum uex_error uex_topics_plan(const struct uex_config *config, int32_t partition_count,
                                              int32_t replication_factor, struct uex_topic_plan *out,
                                              struct uex_fault *fault);

/* A retry topic, or tier. */
struct uex_tier {
    char topic[UEX_TOPIC_NAME_SIZE];
    size_t number;           /* "<topics.retry>-<number>" */
    int32_t partition_count; /* 0: it does not exist */
    bool configured;         /* among retry.delays; others are only consumed */
};

/* The retry topics of the configuration and the existing ones beyond it, by number. `out` has UEX_TIERS_MAX places. */
UEX_MUST_CHECK enum uex_error uex_topics_tiers(rd_kafka_t *handle, const struct uex_config *config, int64_t timeout_ms,
                                               struct uex_tier *out, size_t *count, struct uex_fault *fault);
/* The number of a retry topic ("<retry>-<number>", no leading zero, below UEX_TIERS_MAX). */
UEX_MUST_CHECK bool uex_topics_tier_number(const char *retry, const char *topic, size_t *number);

enum uex_topic_severity { UEX_TOPIC_GOOD, UEX_TOPIC_WARNING, UEX_TOPIC_ERROR };

/* One thing that was checked. Strings are owned by the list. */
struct uex_topic_finding {
    enum uex_topic_severity severity; /* errors stop the worker */
    char *topic;
    char *what;     /* "partitions", "cleanup.policy", … */
    char *expected; /* "12", "at least 2" */
    char *found;    /* "missing" where there is none */
    char *fix;      /* the command that fixes it; NULL for good ones */
};

struct uex_topic_findings {
    struct uex_topic_finding *items;
    size_t count, capacity;
    size_t error_count, warning_count;
    int32_t partition_count; /* of the command topic; 0: it does not exist */
};
/* Accepts an empty list. */
void uex_topic_findings_clear(struct uex_topic_findings *findings);

/* Check all topics of the configuration and existing retry topics beyond it. UEX_OK also when there are findings of any
 * severity; other errors when Kafka could not be asked. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_topics_check(rd_kafka_t *handle, const struct uex_config *config, int64_t timeout_ms,
                                               struct uex_topic_findings *out, struct uex_fault *fault);

/* What became of one topic. */
struct uex_topic_created {
    bool created;    /* false: it was there */
    char error[200]; /* "" unless Kafka refused */
};

/* Create what is missing and wait until all are visible with their partitions, which takes each broker its own time.
 * Existing topics are left as they are. `partition_count` 0: that of the command topic if it exists, else
 * UEX_PARTITIONS_DEFAULT; `replication_factor` 0: 3, or fewer if there are fewer brokers. `plan` tells what was asked
 * for; `created` (UEX_TOPICS_MAX places) what became of each. UEX_KAFKA: one or more were refused. */
UEX_MUST_CHECK enum uex_error uex_topics_create(rd_kafka_t *handle, const struct uex_config *config,
                                                int32_t partition_count, int32_t replication_factor, int64_t timeout_ms,
                                                struct uex_topic_plan *plan, struct uex_topic_created *created,
                                                struct uex_fault *fault);

/* What became of one topic that was to grow. */
struct uex_topic_growth {
    char topic[UEX_TOPIC_NAME_SIZE];
    int32_t before, after; /* partitions */
    bool grown;            /* by this call; false: it had as many, or was not reached */
    char error[200];       /* "" unless Kafka refused */
};
struct uex_topic_growths {
    struct uex_topic_growth items[UEX_TOPICS_MAX];
    size_t count;
    int32_t partition_count; /* of all topics afterwards */
    bool was_unequal;        /* an earlier growth was not finished */
};

/* Grow command, state and all existing retry topics to `partition_count` partitions, in the order state, retry,
 * command. Each is visible on the brokers before the next one grows, so a worker that sees new partitions of the
 * command topic finds those of the others. 0: the highest count of them, which finishes an interrupted growth.
 * `replication_factor` is that of the new partitions, 0: what their topic has. UEX_CONFIG: fewer than there are
 * (partitions are never removed), or more replicas than brokers; UEX_KAFKA_TOPICS: one is missing; then nothing was
 * changed. UEX_CANCELLED (seen between topics), UEX_KAFKA, UEX_KAFKA_UNAVAILABLE: `out` has what was grown; the same
 * call finishes it. */
UEX_MUST_CHECK enum uex_error uex_topics_grow(rd_kafka_t *handle, const struct uex_config *config,
                                              int32_t partition_count, int32_t replication_factor, int64_t timeout_ms,
                                              const struct uex_cancel *cancel, struct uex_topic_growths *out,
                                              struct uex_fault *fault);
#endif
