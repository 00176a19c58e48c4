/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/kafka_watch.h"

#include "export/log.h"
#include "kafka/client.h"

#define ASK_EVERY_MS 10000
#define ASK_TIMEOUT_MS 1000
/* A broker that restarts, or a machine that is busy, is not away yet. */
#define AWAY_AFTER_MS 4000
#define AWAY_UNANSWERED 3
#define TELL_EVERY_MS 60000

bool uex_kafka_watch_is_due(const struct uex_kafka_watch *watch, uint64_t failures, int64_t now_ms)
{
    return watch->asked_ms == 0 || watch->unanswered > 0 || failures != watch->failures ||
           now_ms - watch->asked_ms >= ASK_EVERY_MS;
}

static enum uex_kafka_word take_answer(struct uex_kafka_watch *watch, uint64_t failures, int64_t now_ms)
{
    const bool was_told = watch->told_ms != 0;

    watch->unanswered = 0;
    watch->told_ms = 0;
    if (was_told || watch->failures_ms == 0) { /* what failed in an outage is told, and so is what came before */
        watch->failures_told = failures;
        watch->failures_ms = now_ms;
        return was_told ? UEX_KAFKA_WORD_BACK : UEX_KAFKA_WORD_NONE;
    }
    if (failures == watch->failures_told || now_ms - watch->failures_ms < TELL_EVERY_MS)
        return UEX_KAFKA_WORD_NONE;
    watch->failures_told = failures;
    watch->failures_ms = now_ms;
    return UEX_KAFKA_WORD_SOME;
}

enum uex_kafka_word uex_kafka_watch_take(struct uex_kafka_watch *watch, bool answered, uint64_t failures,
                                         int64_t now_ms, int64_t at_ms)
{
    watch->asked_ms = now_ms;
    watch->failures = failures;
    if (answered)
        return take_answer(watch, failures, now_ms);
    if (watch->unanswered++ == 0) {
        watch->since_ms = now_ms;
        watch->since_at_ms = at_ms;
    }
    if (watch->unanswered < AWAY_UNANSWERED || now_ms - watch->since_ms < AWAY_AFTER_MS ||
        (watch->told_ms != 0 && now_ms - watch->told_ms < TELL_EVERY_MS))
        return UEX_KAFKA_WORD_NONE;
    watch->told_ms = now_ms;
    return UEX_KAFKA_WORD_AWAY;
}

static void say(enum uex_kafka_word word, const struct uex_kafka_watch *watch, struct uex_engine *engine,
                uint64_t failures)
{
    struct uex_engine_numbers numbers;
    char failure[200] = "";

    uex_engine_numbers(engine, &numbers);
    uex_kafka_last_failure(failure, sizeof(failure));
    switch (word) {
    case UEX_KAFKA_WORD_AWAY:
        uex_log(UEX_LOG_ERROR, UEX_EVENT_KAFKA_AWAY,
                "Kafka does not answer: nothing is read or committed until it does; running exports go on",
                UEX_TIME("since", watch->since_at_ms), UEX_NUM("outcomes", numbers.uncommitted),
                UEX_STR("error", failure));
        break;
    case UEX_KAFKA_WORD_BACK:
        uex_log(UEX_LOG_INFO, UEX_EVENT_KAFKA_BACK, "Kafka answers again; outcomes that wait are committed now",
                UEX_TIME("since", watch->since_at_ms), UEX_INT("away_ms", uex_monotonic_ms() - watch->since_ms),
                UEX_NUM("outcomes", numbers.uncommitted));
        break;
    case UEX_KAFKA_WORD_SOME:
        uex_log(UEX_LOG_WARN, UEX_EVENT_KAFKA_CLIENT,
                "connections to brokers fail or get no answer, while another connection works", UEX_STR("kind", "FAIL"),
                UEX_STR("detail", failure), UEX_NUM("suppressed", failures));
        break;
    case UEX_KAFKA_WORD_NONE:
        break;
    }
}

void uex_kafka_watch_look(struct uex_kafka_watch *watch, struct uex_engine *engine)
{
    const uint64_t failures = uex_kafka_connection_failures(), told = watch->failures_told;
    const int64_t now_ms = uex_monotonic_ms(), at_ms = uex_wall_ms();
    enum uex_kafka_word word = UEX_KAFKA_WORD_NONE;

    if (!uex_kafka_watch_is_due(watch, failures, now_ms))
        return;
    word = uex_kafka_watch_take(watch, uex_engine_kafka_answers(engine, ASK_TIMEOUT_MS), failures, now_ms, at_ms);
    if (word != UEX_KAFKA_WORD_NONE)
        say(word, watch, engine, failures - told);
}
