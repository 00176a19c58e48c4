/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/backoff.h"
#include "kafka/client.h"

/* A round of the intake: a revoke waits 5 s at most, positions, partition counts and topics are asked with 1 to 10 s,
 * watermarks with 5 s for each of the state's partitions. */
#define INTAKE_BOUND_MS 120000
/* What a transaction may take beside Kafka's own timeout: a full queue 100 s, the flush 120 s or as long
 * as the timeout. */
#define COMMITTER_BOUND_MS 300000
#define MONITOR_BOUND_MS 60000
/* Beside the stall timeouts: name lookups, the disk, a machine that is busy otherwise. */
#define LANE_SLACK_MS 60000
#define BACKOFF_LONGEST_MS 30000
/* Kafka is back: so long the committer has for finding out. */
#define KAFKA_BACK_MS 120000
#define KAFKA_ASK_MS 1000

/* A step of a job gives up after its stall timeout and is repeated retry.attempts times. */
static int64_t lane_bound_ms(const struct uex_config *config)
{
    const int64_t step_ms =
        config->postgres_stall_timeout_ms + config->s3_stall_timeout_ms + config->s3_connect_timeout_ms;

    return (config->retry_attempts + 1) * (step_ms + (config->retry_attempts > 0 ? BACKOFF_LONGEST_MS : 0)) +
           LANE_SLACK_MS;
}

void uex_health_init(struct uex_health *health, const struct uex_config *config, const struct uex_lanes *lanes)
{
    memset(health, 0, sizeof(*health));
    health->lanes = lanes;
    health->intake_bound_ms = INTAKE_BOUND_MS;
    health->committer_bound_ms = COMMITTER_BOUND_MS + 2 * uex_kafka_transaction_timeout_ms(config);
    health->lane_bound_ms = lane_bound_ms(config);
    health->monitor_bound_ms = MONITOR_BOUND_MS;
}

/* ---- what the monitor does */

static bool is_overdue(int64_t heartbeat_ms, int64_t bound_ms)
{
    return heartbeat_ms != 0 && uex_monotonic_ms() - heartbeat_ms > bound_ms;
}

void uex_health_tick(struct uex_health *health)
{
    health->monitor_heartbeat_ms = uex_monotonic_ms();
    if (!is_overdue(uex_engine_committer_heartbeat_ms(health->engine), health->committer_bound_ms) ||
        !uex_engine_kafka_answers(health->engine, KAFKA_ASK_MS))
        health->kafka_answers_since_ms = 0;
    else if (health->kafka_answers_since_ms == 0)
        health->kafka_answers_since_ms = uex_monotonic_ms();
}

/* ---- /livez */

struct check {
    char name[24];
    bool good;
    int64_t age_ms; /* -1: it has nothing to do */
    int64_t bound_ms;
};

static struct check check_heartbeat(const char *name, int64_t heartbeat_ms, int64_t bound_ms)
{
    struct check check = {.bound_ms = bound_ms, .good = !is_overdue(heartbeat_ms, bound_ms)};

    (void)snprintf(check.name, sizeof(check.name), "%s", name);
    check.age_ms = heartbeat_ms == 0 ? -1 : uex_monotonic_ms() - heartbeat_ms;
    return check;
}

static struct check check_committer(const struct uex_health *health)
{
    struct check check =
        check_heartbeat("committer", uex_engine_committer_heartbeat_ms(health->engine), health->committer_bound_ms);
    const int64_t since_ms = health->kafka_answers_since_ms;

    check.good = check.good || since_ms == 0 || uex_monotonic_ms() - since_ms < KAFKA_BACK_MS;
    return check;
}

static struct check check_lane(const struct uex_health *health, size_t index)
{
    const struct uex_lane *lane = &health->lanes->lanes[index];
    char name[24];

    (void)snprintf(name, sizeof(name), "lane-%u", (unsigned)index);
    return check_heartbeat(name, lane->busy ? lane->moved_ms : 0, health->lane_bound_ms);
}

static void write_check(const struct check *check, bool first, struct uex_buffer *body)
{
    uex_buffer_append_format(body, "%s\n  {\"name\": \"%s\", \"status\": \"%s\", ", first ? "" : ",", check->name,
                             check->age_ms < 0 ? "idle" : (check->good ? "ok" : "stuck"));
    if (check->age_ms >= 0)
        uex_buffer_append_format(body, "\"age_ms\": %" PRId64 ", ", check->age_ms);
    uex_buffer_append_format(body, "\"bound_ms\": %" PRId64 "}", check->bound_ms);
}

static const char *phase_text(int phase)
{
    static const char *const texts[] = {"starting", "waiting for dependencies", "running", "stopping"};

    return texts[phase];
}

bool uex_health_live(const struct uex_health *health, bool verbose, struct uex_buffer *body)
{
    const int phase = health->phase;
    const size_t thread_count = phase == UEX_PHASE_RUNNING ? 3 + health->lanes->count : 0;
    struct uex_buffer checks = {0};
    struct check stuck = {.good = true};

    for (size_t i = 0; i < thread_count; i++) {
        struct check check;

        if (i == 0)
            check = check_heartbeat("intake", uex_engine_intake_heartbeat_ms(health->engine), health->intake_bound_ms);
        else if (i == 1)
            check = check_committer(health);
        else if (i == 2)
            check = check_heartbeat("monitor", health->monitor_heartbeat_ms, health->monitor_bound_ms);
        else
            check = check_lane(health, i - 3);
        write_check(&check, i == 0, &checks);
        if (!check.good && stuck.good)
            stuck = check;
    }
    if (verbose)
        uex_buffer_append_format(body, "{\"status\": \"%s\", \"phase\": \"%s\", \"checks\": [%s%s]}\n",
                                 stuck.good ? "ok" : "stuck", phase_text(phase), uex_buffer_text(&checks),
                                 thread_count > 0 ? "\n" : "");
    else if (stuck.good)
        uex_buffer_append_text(body, "ok\n");
    else
        uex_buffer_append_format(body, "stuck: %s has not come round for %" PRId64 " ms (bound: %" PRId64 " ms)\n",
                                 stuck.name, stuck.age_ms, stuck.bound_ms);
    uex_buffer_clear(&checks);
    return stuck.good;
}

/* ---- /readyz */

bool uex_health_ready(const struct uex_health *health, bool verbose, struct uex_buffer *body)
{
    const int phase = health->phase;
    struct uex_engine_numbers now = {0};
    const char *why = phase_text(phase);
    bool ready = false;

    if (phase == UEX_PHASE_RUNNING) {
        uex_engine_numbers(health->engine, &now);
        ready = now.is_joined && now.can_commit && now.restored == now.partitions &&
                (now.partitions > 0 || !now.is_partial);
        why = ready                            ? "ok"
              : !now.is_joined                 ? "joining the consumer group"
              : !now.can_commit                ? "waiting for the transactional producer"
              : now.restored != now.partitions ? "restoring the groups' states"
                                               : "no partition is owned in all command and retry topics";
    }
    if (!verbose) {
        uex_buffer_append_format(body, ready ? "%s\n" : "not ready: %s\n", why);
        return ready;
    }
    uex_buffer_append_format(body,
                             "{\"status\": \"%s\", \"phase\": \"%s\", \"joined\": %s, \"partitions\": %zu, "
                             "\"restored\": %zu, \"lanes_waiting_for_connection\": %zu, \"breakers\": {",
                             ready ? "ok" : "not ready", phase_text(phase), now.is_joined ? "true" : "false",
                             now.partitions, now.restored, now.waiting_lanes);
    for (size_t i = 0; i < UEX_DEPENDENCY_COUNT; i++)
        uex_buffer_append_format(body, "%s\"%s\": \"%s\"", i == 0 ? "" : ", ", uex_breaker_text((enum uex_dependency)i),
                                 now.breakers[i].open ? "open" : "closed");
    uex_buffer_append_text(body, "}}\n");
    return ready;
}
