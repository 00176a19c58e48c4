/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/group_members.h"

#include <string.h>

#include "kafka/client.h"

#define BROKER_MS 1000

static bool same_partitions(const rd_kafka_topic_partition_list_t *one, const rd_kafka_topic_partition_list_t *other)
{
    if (one == NULL || one->cnt != other->cnt)
        return one == NULL && other->cnt == 0;
    for (int i = 0; i < one->cnt; i++) {
        if (rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)(uintptr_t)other, one->elems[i].topic,
                                               one->elems[i].partition) == NULL)
            return false;
    }
    return true;
}

static bool claim_holds(const rd_kafka_ConsumerGroupDescription_t *group, const struct uex_group_claim *claim)
{
    if (rd_kafka_ConsumerGroupDescription_state(group) != RD_KAFKA_CONSUMER_GROUP_STATE_STABLE)
        return false;
    for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(group); i++) {
        const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(group, i);
        const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);

        if (strcmp(rd_kafka_MemberDescription_consumer_id(member), claim->member_id) == 0)
            return same_partitions(assignment == NULL ? NULL : rd_kafka_MemberAssignment_partitions(assignment),
                                   claim->partitions);
    }
    return false;
}

/* What is asked of the description: whether a claim holds, or (claim NULL) how many members there are. */
struct question {
    const char *group_id;
    const struct uex_group_claim *claim;
    bool *holds;
    size_t *member_count;
};

/* The description of the one group that was asked for. */
static enum uex_error read_answer(rd_kafka_event_t *event, const struct question *question, struct uex_fault *fault)
{
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    const rd_kafka_error_t *error = count == 0 ? NULL : rd_kafka_ConsumerGroupDescription_error(groups[0]);

    if (count == 0)
        return uex_fail(fault, UEX_KAFKA, "asking for the group's members: an empty answer");
    if (question->claim == NULL && error != NULL && rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return UEX_OK; /* its coordinator has no such group: no member */
    if (error != NULL && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_fail(fault, uex_kafka_error_of(rd_kafka_error_code(error)), "asking for the group's members: %s",
                        rd_kafka_error_string(error));
    if (question->claim != NULL)
        *question->holds = claim_holds(groups[0], question->claim);
    else
        *question->member_count = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
    return UEX_OK;
}

static enum uex_error ask_broker(rd_kafka_t *handle, int32_t broker_id, const struct question *question,
                                 struct uex_fault *fault)
{
    const char *group_id = question->group_id;
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_event_t *event = NULL;
    enum uex_error error = UEX_KAFKA_UNAVAILABLE;
    char text[200] = "";

    if (rd_kafka_AdminOptions_set_request_timeout(options, BROKER_MS, text, sizeof(text)) ==
            RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_AdminOptions_set_broker(options, broker_id, text, sizeof(text)) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_DescribeConsumerGroups(handle, &group_id, 1, options, queue);
        event = uex_kafka_await(queue, RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT, BROKER_MS + 100,
                                "asking for the group's members", fault);
    } else {
        error = uex_fail(fault, UEX_INTERNAL, "asking for the group's members: %s", text);
    }
    if (event != NULL) {
        error = read_answer(event, question, fault);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    return error;
}

/* The broker behind `before` in the cluster's list, so that each has its turn; -1: no broker is known. */
static int32_t next_broker(const struct rd_kafka_metadata *metadata, int32_t before)
{
    for (int i = 0; i + 1 < metadata->broker_cnt; i++) {
        if (metadata->brokers[i].id == before)
            return metadata->brokers[i + 1].id;
    }
    return metadata->broker_cnt == 0 ? -1 : metadata->brokers[0].id;
}

/* Ask the broker that was asked last, then the others in turn, until one answers for the group. */
static enum uex_error ask(rd_kafka_t *handle, const struct question *question, int64_t timeout_ms, int32_t *coordinator,
                          struct uex_fault *fault)
{
    const int64_t until_ms = uex_monotonic_ms() + timeout_ms;
    const struct rd_kafka_metadata *metadata = NULL;
    enum uex_error error = UEX_KAFKA_UNAVAILABLE;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (*coordinator >= 0)
        error = ask_broker(handle, *coordinator, question, fault);
    if (error == UEX_OK)
        return UEX_OK;
    code = rd_kafka_metadata(handle, 0, NULL, &metadata, BROKER_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return uex_kafka_fail(fault, code, "asking for the brokers");
    for (int i = 0; i < metadata->broker_cnt && error != UEX_OK && uex_monotonic_ms() < until_ms; i++) {
        *coordinator = next_broker(metadata, *coordinator);
        error = ask_broker(handle, *coordinator, question, fault);
    }
    rd_kafka_metadata_destroy(metadata);
    return error;
}

enum uex_error uex_group_members_confirm(rd_kafka_t *handle, const struct uex_group_claim *claim, int64_t timeout_ms,
                                         int32_t *coordinator, bool *holds, struct uex_fault *fault)
{
    const struct question question = {.group_id = claim->group_id, .claim = claim, .holds = holds};

    *holds = false;
    return ask(handle, &question, timeout_ms, coordinator, fault);
}

enum uex_error uex_group_members_count(rd_kafka_t *handle, const char *group_id, int64_t timeout_ms,
                                       int32_t *coordinator, size_t *count, struct uex_fault *fault)
{
    const struct question question = {.group_id = group_id, .member_count = count};

    *count = 0;
    return ask(handle, &question, timeout_ms, coordinator, fault);
}
