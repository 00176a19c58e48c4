/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/lag.h"

#include <inttypes.h>

#define ASK_MS 10000
#define PAUSE_MS 1000
#define LOG_EVERY_MS 30000
#define LAG_UNKNOWN (-1)

static enum uex_error sum_up(rd_kafka_t *handle, const rd_kafka_topic_partition_list_t *committed, int64_t *lag,
                             struct uex_fault *fault)
{
    for (int i = 0; i < committed->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &committed->elems[i];
        int64_t low = 0, high = 0, from = 0;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(handle, at->topic, at->partition, &low, &high, ASK_MS);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return uex_kafka_fail(fault, code, "asking for the end of the results");
        if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return uex_kafka_fail(fault, at->err, "asking for the offsets of schedule.lag_group");
        from = at->offset >= low ? at->offset : low;
        *lag += high > from ? high - from : 0;
    }
    return UEX_OK;
}

enum uex_error uex_lag_of(const struct uex_lag_readers *readers, const char *topic, int64_t *lag,
                          struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    int32_t partition_count = 0;
    enum uex_error err = uex_kafka_partition_count(readers->ends, topic, ASK_MS, &partition_count, fault);

    *lag = 0;
    if (err != UEX_OK)
        return err;
    list = rd_kafka_topic_partition_list_new(partition_count);
    rd_kafka_topic_partition_list_add_range(list, topic, 0, partition_count - 1);
    err = uex_kafka_fail(fault, rd_kafka_committed(readers->committed, list, ASK_MS),
                         "asking for the offsets of schedule.lag_group");
    if (err == UEX_OK)
        err = sum_up(readers->ends, list, lag, fault);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static enum uex_error open_reader(const struct uex_config *config, enum uex_kafka_role role, rd_kafka_t **out,
                                  struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, role, fault);
    enum uex_error err = conf == NULL ? UEX_CONFIG : UEX_OK;

    if (err == UEX_OK)
        err = uex_kafka_conf_set(conf, "group.id", config->schedule_lag_group, fault);
    if (err != UEX_OK) {
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        return err;
    }
    *out = uex_kafka_create(role, conf, fault);
    return *out == NULL ? UEX_CONFIG : UEX_OK;
}

/* Read the lag once. UEX_END: the gate is open; UEX_OK: it is not. *lag is LAG_UNKNOWN if Kafka did not answer; then it
 * is read again until the wait is over. */
static enum uex_error read_lag(const struct uex_lag_readers *readers, const struct uex_config *config, int64_t *lag,
                               struct uex_fault *fault)
{
    enum uex_error err = uex_lag_of(readers, config->topics_result, lag, fault);

    if (err == UEX_OK && *lag <= config->schedule_lag_max)
        return UEX_END;
    if (err != UEX_KAFKA_UNAVAILABLE)
        return err;
    *lag = LAG_UNKNOWN;
    return UEX_OK;
}

static enum uex_error wait_is_over(const struct uex_config *config, int64_t lag, struct uex_fault *fault)
{
    const struct uex_fault last = *fault;

    if (lag == LAG_UNKNOWN)
        return uex_fail(fault, UEX_TIMEOUT, "the lag of consumer group %s is still unknown after schedule.lag_wait: %s",
                        config->schedule_lag_group, last.text);
    return uex_fail(fault, UEX_TIMEOUT,
                    "consumer group %s still lags %" PRId64 " records (allowed: %" PRId64
                    ") on %s after schedule.lag_wait",
                    config->schedule_lag_group, lag, config->schedule_lag_max, config->topics_result);
}

static enum uex_error wait_for_readers(const struct uex_lag_readers *readers, const struct uex_config *config,
                                       const struct uex_cancel *cancel, struct uex_fault *fault)
{
    int64_t start_ms = uex_monotonic_ms(), logged_ms = 0, lag = 0;
    enum uex_error err = UEX_OK;

    for (;;) {
        int64_t now_ms = 0;

        err = read_lag(readers, config, &lag, fault);
        if (err == UEX_END) {
            uex_log(UEX_LOG_INFO, UEX_EVENT_LAG_REACHED, "downstream consumer group has caught up",
                    UEX_STR("lag_group", config->schedule_lag_group), UEX_INT("lag", lag),
                    UEX_INT("waited_ms", uex_monotonic_ms() - start_ms));
            return UEX_OK;
        }
        if (err != UEX_OK)
            return err;
        now_ms = uex_monotonic_ms();
        if (now_ms - start_ms >= config->schedule_lag_wait_ms)
            return wait_is_over(config, lag, fault);
        if (logged_ms == 0 || now_ms - logged_ms >= LOG_EVERY_MS) {
            uex_log(UEX_LOG_INFO, UEX_EVENT_LAG_WAIT, "waiting for the downstream consumer group to catch up",
                    UEX_STR("lag_group", config->schedule_lag_group), UEX_INT("lag", lag),
                    UEX_INT("lag_max", config->schedule_lag_max),
                    UEX_STR("error", lag == LAG_UNKNOWN ? fault->text : NULL));
            logged_ms = now_ms;
        }
        if (!uex_sleep_ms(PAUSE_MS, cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped while waiting for the lag gate");
    }
}

enum uex_error uex_lag_wait(const struct uex_config *config, const struct uex_cancel *cancel, struct uex_fault *fault)
{
    struct uex_lag_readers readers = {0};
    enum uex_error err = UEX_OK;

    if (config->schedule_lag_group[0] == 0)
        return UEX_OK;
    err = open_reader(config, UEX_KAFKA_READER, &readers.ends, fault);
    if (err == UEX_OK)
        err = open_reader(config, UEX_KAFKA_READER_UNCOMMITTED, &readers.committed, fault);
    if (err == UEX_OK)
        err = wait_for_readers(&readers, config, cancel, fault);
    uex_kafka_destroy(readers.committed);
    uex_kafka_destroy(readers.ends);
    return err;
}
