/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/lag.h"

#include <inttypes.h>

#define ASK_MS 10000
#define PAUSE_MS 1000
#define SAY_MS 30000

static const rd_kafka_topic_partition_t *committed_at(const rd_kafka_topic_partition_list_t *list, const char *topic,
                                                      int32_t partition)
{
    for (int i = 0; list != NULL && i < list->cnt; i++)
        if (list->elems[i].partition == partition && strcmp(list->elems[i].topic, topic) == 0)
            return &list->elems[i];
    return NULL;
}

static enum uex_error sum_up(rd_kafka_t *handle, const char *topic, int32_t partition_count,
                             const rd_kafka_topic_partition_list_t *committed, int64_t timeout_ms, int64_t *lag,
                             struct uex_fault *fault)
{
    for (int32_t partition = 0; partition < partition_count; partition++) {
        const rd_kafka_topic_partition_t *at = committed_at(committed, topic, partition);
        int64_t low = 0, high = 0, from = 0;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(handle, topic, partition, &low, &high, (int)timeout_ms);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return uex_kafka_fail(fault, code, "asking for the end of the results");
        if (at != NULL && at->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return uex_kafka_fail(fault, at->err, "asking for the offsets of schedule.lag_group");
        from = at != NULL && at->offset >= low ? at->offset : low;
        *lag += high > from ? high - from : 0;
    }
    return UEX_OK;
}

static enum uex_error ask_committed(rd_kafka_t *handle, const char *group, rd_kafka_queue_t *queue, int64_t timeout_ms,
                                    rd_kafka_event_t **event, struct uex_fault *fault)
{
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);

    (void)rd_kafka_AdminOptions_set_request_timeout(options, (int)timeout_ms, NULL, 0);
    rd_kafka_ListConsumerGroupOffsets(handle, &request, 1, options, queue);
    *event = rd_kafka_queue_poll(queue, (int)timeout_ms + 1000);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    if (*event == NULL || rd_kafka_event_type(*event) != RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT)
        return uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "asking for the offsets of schedule.lag_group: no answer");
    return uex_kafka_fail(fault, rd_kafka_event_error(*event), "asking for the offsets of schedule.lag_group");
}

enum uex_error uex_lag_of(rd_kafka_t *handle, const char *group, const char *topic, int64_t timeout_ms, int64_t *lag,
                          struct uex_fault *fault)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_event_t *event = NULL;
    const rd_kafka_group_result_t **groups = NULL;
    size_t count = 0;
    int32_t partition_count = 0;
    enum uex_error err = uex_kafka_partition_count(handle, topic, timeout_ms, &partition_count, fault);

    *lag = 0;
    if (err == UEX_OK)
        err = ask_committed(handle, group, queue, timeout_ms, &event, fault);
    if (err != UEX_OK)
        goto done;
    groups =
        rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (count != 1)
        err = uex_fail(fault, UEX_KAFKA, "asking for the offsets of schedule.lag_group: no group in the answer");
    else if (rd_kafka_group_result_error(groups[0]) != NULL)
        err = uex_kafka_fail(fault, rd_kafka_error_code(rd_kafka_group_result_error(groups[0])),
                             "asking for the offsets of schedule.lag_group");
    else
        err =
            sum_up(handle, topic, partition_count, rd_kafka_group_result_partitions(groups[0]), timeout_ms, lag, fault);
done:
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    return err;
}

/* One look. UEX_END: the gate is open. */
static enum uex_error look(rd_kafka_t *handle, const struct uex_config *config, int64_t *lag, struct uex_fault *fault)
{
    enum uex_error err = uex_lag_of(handle, config->schedule_lag_group, config->topics_result, ASK_MS, lag, fault);

    if (err == UEX_OK && *lag <= config->schedule_lag_max)
        return UEX_END;
    return err == UEX_KAFKA_UNAVAILABLE ? UEX_OK : err; /* Kafka is looked for again until the wait is over */
}

enum uex_error uex_lag_wait(rd_kafka_t *handle, const struct uex_config *config, const struct uex_cancel *cancel,
                            struct uex_fault *fault)
{
    int64_t start_ms = uex_monotonic_ms(), said_ms = 0, lag = 0;
    enum uex_error err = UEX_OK;

    if (config->schedule_lag_group[0] == 0)
        return UEX_OK;
    for (;;) {
        int64_t now_ms = 0;

        err = look(handle, config, &lag, fault);
        if (err == UEX_END) {
            uex_log(UEX_LOG_INFO, "the readers of the results have kept up",
                    UEX_STR("lag_group", config->schedule_lag_group), UEX_INT("lag", lag),
                    UEX_INT("waited_ms", uex_monotonic_ms() - start_ms));
            return UEX_OK;
        }
        if (err != UEX_OK)
            return err;
        now_ms = uex_monotonic_ms();
        if (now_ms - start_ms >= config->schedule_lag_wait_ms)
            return uex_fail(fault, UEX_TIMEOUT,
                            "consumer group %s still lags %" PRId64 " records (allowed: %" PRId64
                            ") on %s after schedule.lag_wait",
                            config->schedule_lag_group, lag, config->schedule_lag_max, config->topics_result);
        if (said_ms == 0 || now_ms - said_ms >= SAY_MS) {
            uex_log(UEX_LOG_INFO, "waiting for the readers of the results",
                    UEX_STR("lag_group", config->schedule_lag_group), UEX_INT("lag", lag),
                    UEX_INT("lag_max", config->schedule_lag_max));
            said_ms = now_ms;
        }
        if (!uex_sleep_ms(PAUSE_MS, cancel))
            return uex_fail(fault, UEX_CANCELLED, "waiting for the lag gate was given up");
    }
}
