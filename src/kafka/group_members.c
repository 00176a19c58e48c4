/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/group_members.h"

#include <string.h>

#include "kafka/client.h"

static bool same_partitions(const rd_kafka_topic_partition_list_t *one, const rd_kafka_topic_partition_list_t *other)
{
    if (one == NULL || one->cnt != other->cnt)
        return false;
    for (int i = 0; i < one->cnt; i++) {
        if (rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)(uintptr_t)other, one->elems[i].topic,
                                               one->elems[i].partition) == NULL)
            return false;
    }
    return true;
}

static bool find_owner(const rd_kafka_ConsumerGroupDescription_t *group, const char *member_id,
                       const rd_kafka_topic_partition_list_t *list)
{
    if (rd_kafka_ConsumerGroupDescription_state(group) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE)
        return false;
    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(group); i++) {
        const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(group, i);
        const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);

        if (strcmp(rd_kafka_MemberDescription_consumer_id(member), member_id) == 0)
            return assignment != NULL && same_partitions(rd_kafka_MemberAssignment_partitions(assignment), list);
    }
    return false;
}

/* The description of the one group that was asked for. */
static enum uex_error read_answer(const rd_kafka_event_t *event, const char *member_id,
                                  const rd_kafka_topic_partition_list_t *list, bool *owned, struct uex_fault *fault)
{
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result((rd_kafka_event_t *)(uintptr_t)event), &count);
    const rd_kafka_error_t *error = count == 0 ? NULL : rd_kafka_ConsumerGroupDescription_error(groups[0]);

    if (error != NULL && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_fail(fault, uex_kafka_error_of(rd_kafka_error_code(error)), "asking for the group's members: %s",
                        rd_kafka_error_string(error));
    *owned = count > 0 && find_owner(groups[0], member_id, list);
    return UEX_OK;
}

enum uex_error uex_group_members_owns(rd_kafka_t *handle, const char *group_id, const char *member_id,
                                      const rd_kafka_topic_partition_list_t *list, int timeout_ms, bool *owned,
                                      struct uex_fault *fault)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_event_t *event = NULL;
    enum uex_error error = UEX_KAFKA_UNAVAILABLE;
    char text[200] = "";

    *owned = false;
    (void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof(text));
    rd_kafka_DescribeConsumerGroups(handle, &group_id, 1, options, queue);
    event = uex_kafka_await(queue, RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT, timeout_ms + 100,
                            "asking for the group's members", fault);
    if (event != NULL) {
        error = read_answer(event, member_id, list, owned, fault);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return error;
}
