/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/lag.h"

#include <inttypes.h>

#include "kafka/lag.h"

#define ASK_MS 10000
#define PAUSE_MS 1000
#define LOG_EVERY_MS 30000
#define LAG_UNKNOWN (-1)

/* Read the lag once. UEX_END: the gate is open; UEX_OK: it is not. *lag is LAG_UNKNOWN if Kafka did not answer; then it
 * is read again until the wait is over. */
static enum uex_error read_lag(const struct uex_lag_readers *readers, const struct uex_config *config, int64_t *lag,
                               struct uex_fault *fault)
{
    enum uex_error err = uex_lag_of(readers, config->topics_result, ASK_MS, lag, fault);

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
    err = uex_lag_readers_open(config, config->schedule_lag_group, &readers, fault);
    if (err == UEX_OK)
        err = wait_for_readers(&readers, config, cancel, fault);
    uex_lag_readers_close(&readers);
    return err;
}
