/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/group_members.h — asks the coordinator of a consumer group for its members. */
#ifndef EXPORT_KAFKA_GROUP_MEMBERS_H
#define EXPORT_KAFKA_GROUP_MEMBERS_H

#include <librdkafka/rdkafka.h>

#include "export/error.h"

/* The claim that a member of a group is assigned exactly these partitions. All borrowed. */
struct uex_group_claim {
    const char *group_id, *member_id;
    const rd_kafka_topic_partition_list_t *partitions;
};

/* Does the claim hold now, in a stable group? `*holds` is false while the group rebalances, for a member id that is not
 * in the group, and for other partitions. The request is DescribeGroups (Kafka protocol, API 15); the right to read the
 * group is enough. `*coordinator` is the broker that was asked last; it is asked first. -1: none yet. If it does not
 * answer for the group, the brokers behind it in the cluster's list are asked, one after the other, over several calls
 * if need be. They are asked by id: librdkafka's own search for a coordinator (rdkafka_coord.c) keeps a demoted one,
 * and aborts the process when it finds one after the request has timed out (its issue 4605).
 *
 * `handle` may have any role, and other threads may use it. Each broker is waited for 1 s, all of them `timeout_ms` and
 * 1 s. UEX_KAFKA_UNAVAILABLE, UEX_KAFKA: no answer; the fault has the last reason, *holds is false. */
UEX_MUST_CHECK enum uex_error uex_group_members_confirm(rd_kafka_t *handle, const struct uex_group_claim *claim,
                                                        int64_t timeout_ms, int32_t *coordinator, bool *holds,
                                                        struct uex_fault *fault);

/* How many members the group has; 0 also where there is no such group. `coordinator`, times and errors as above. */
UEX_MUST_CHECK enum uex_error uex_group_members_count(rd_kafka_t *handle, const char *group_id, int64_t timeout_ms,
                                                      int32_t *coordinator, size_t *count, struct uex_fault *fault);
#endif
