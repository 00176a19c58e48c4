/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/group_members.h — what a consumer group's coordinator says of its members. */
#ifndef EXPORT_KAFKA_GROUP_MEMBERS_H
#define EXPORT_KAFKA_GROUP_MEMBERS_H

#include <librdkafka/rdkafka.h>

#include "export/error.h"

/* Ask the coordinator of `group_id` whether `member_id` is now assigned exactly the partitions of `list`, in a stable
 * group. `*owned` is false while the group rebalances, for who is no member, and for another list. The request is
 * DescribeGroups (Kafka protocol, API 15), for which Read on the group is right enough. `handle` may be of any role
 * and in use by other threads; waits for `timeout_ms` at most. UEX_KAFKA_UNAVAILABLE or UEX_KAFKA: no answer, *owned
 * is false. */
UEX_MUST_CHECK enum uex_error uex_group_members_owns(rd_kafka_t *handle, const char *group_id, const char *member_id,
                                                     const rd_kafka_topic_partition_list_t *list, int timeout_ms,
                                                     bool *owned, struct uex_fault *fault);
#endif
