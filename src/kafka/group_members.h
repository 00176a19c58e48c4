/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/group_members.h — what a consumer group's coordinator says of its members. */
#ifndef EXPORT_KAFKA_GROUP_MEMBERS_H
#define EXPORT_KAFKA_GROUP_MEMBERS_H

#include <librdkafka/rdkafka.h>

#include "export/error.h"

/* That a member of a group is assigned exactly these partitions. All borrowed. */
struct uex_group_claim {
    const char *group_id, *member_id;
    const rd_kafka_topic_partition_list_t *partitions;
};

/* Does the claim hold now, in a stable group? `*holds` is false while the group rebalances, for who is no member, and
 * for other partitions. The request is DescribeGroups (Kafka protocol, API 15), for which Read on the group is right
 * enough. `*coordinator` is the broker that was asked last, and is asked first; -1: none yet. Where it does not answer
 * for the group, those behind it in the cluster's list are asked, one after the other, over several calls if need be.
 * They are asked by number, since librdkafka's own way to a group's coordinator (rdkafka_coord.c) keeps one that was
 * demoted, and aborts the process when it finds one after the request has timed out (its issue 4605).
 *
 * `handle` may be of any role and in use by other threads. Each broker has a second, all of them `timeout_ms`, with a
 * second more. UEX_KAFKA_UNAVAILABLE, UEX_KAFKA: nobody answered, the fault has the last reason, *holds is false. */
UEX_MUST_CHECK enum uex_error uex_group_members_confirm(rd_kafka_t *handle, const struct uex_group_claim *claim,
                                                        int64_t timeout_ms, int32_t *coordinator, bool *holds,
                                                        struct uex_fault *fault);
#endif
