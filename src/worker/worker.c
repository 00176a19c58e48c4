/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include <stdlib.h>
#include <unistd.h>

#include "export/http.h"
#include "export/program.h"
#include "export/thread.h"
#include "kafka/client.h"
#include "kafka/topics.h"
#include "worker/audit.h"
#include "worker/monitor.h"
#include "worker/sample.h"
#include "worker/trace.h"
#include "worker/watchdog.h"

#define TOPICS_TIMEOUT_MS 10000
#define TOPICS_APPEAR_MS 5000 /* brokers hear of a new topic one after the other */
#define CHECK_AGAIN_MS 1000
#define SAY_AFTER_MS 2000 /* of waiting for Kafka */
#define WATCH_MS 50
/* The end, after shutdown.timeout: deployments give the process 15 s more before it is killed (deploy/README.md). */
#define LAST_COMMIT_MS 5000
#define GIVE_UP_MS 2000 /* a lane sees that its export is given up */
#define GOODBYE_MS 2000 /* the consumer leaves the group, clients close */
#define LEAVE_MS 14000
_Static_assert(GIVE_UP_MS + LAST_COMMIT_MS + UEX_REVOKE_WAIT_MS + GOODBYE_MS <= LEAVE_MS, "a bounded end must fit");

struct worker {
    const struct uex_config *config;
    struct uex_job_services *services;
    struct uex_engine *engine;
    struct uex_lanes lanes;
    struct uex_spool_dir *spool_dir;
    struct uex_meters meters;
    struct uex_health health;
    struct uex_monitor monitor;
    struct uex_progress *progress;
    struct uex_sample_source sample;
    struct uex_http *http;
    struct uex_watchdog watchdog;
};

static int log_start_failure(enum uex_error error, const char *message, const struct uex_fault *fault)
{
    uex_log(UEX_LOG_ERROR, UEX_EVENT_START_FAILED, message, UEX_STR("code", uex_error_code(error)),
            UEX_STR("error", fault->text));
    return uex_exit_of(error);
}

/* ---- what the engine reports */

static void on_committed(void *context, const struct uex_inflight *inflight)
{
    struct worker *worker = context;

    uex_audit(inflight);
    uex_trace_command_ends(inflight);
    uex_meters_committed(&worker->meters, inflight);
}

static void on_read(void *context, const struct uex_inflight *inflight)
{
    struct worker *worker = context;

    if (inflight->outcome.kind == UEX_OUTCOME_DEAD_LETTERED)
        uex_meters_unreadable(&worker->meters, inflight);
    uex_trace_command_begins(inflight);
}

static void on_seen(void *context, const struct uex_inflight *inflight)
{
    struct worker *worker = context;

    uex_meters_seen(&worker->meters, &inflight->command);
}

/* A suspect is parsed only now. */
static void on_taken(void *context, const struct uex_inflight *inflight)
{
    if (inflight->suspect)
        on_read(context, inflight);
    on_seen(context, inflight);
}

static void on_transaction(void *context, const char *result, int64_t duration_us, size_t outcome_count)
{
    struct worker *worker = context;

    (void)outcome_count;
    uex_meters_transaction(&worker->meters, result, duration_us);
}

static void on_rebalanced(void *context, size_t partition_count, size_t adopted, size_t cancelled)
{
    struct worker *worker = context;

    (void)partition_count;
    uex_meters_rebalanced(&worker->meters, adopted, cancelled);
}

/* ---- what is reported over HTTP */

static bool on_live(void *context, bool verbose, struct uex_buffer *body)
{
    return uex_health_live(&((struct worker *)context)->health, verbose, body);
}

static bool on_ready(void *context, bool verbose, struct uex_buffer *body)
{
    return uex_health_ready(&((struct worker *)context)->health, verbose, body);
}

/* First of all, before anything is touched: an address that is in use is a mistake of the configuration. */
static int open_http(struct worker *worker)
{
    const struct uex_http_site site = {
        .context = worker, .metrics = worker->meters.registry, .live = on_live, .ready = on_ready};
    struct uex_fault fault = {0};

    if (worker->config->http_listen[0] == '\0')
        return UEX_EXIT_DONE;
    if (uex_http_open(worker->config->http_listen, &site, &worker->http, &fault) != UEX_OK ||
        uex_http_start(worker->http, &fault) != UEX_OK)
        return log_start_failure(fault.error, "HTTP server cannot start", &fault);
    uex_log(UEX_LOG_INFO, UEX_EVENT_HTTP_LISTENING, "serving /metrics, /livez and /readyz",
            UEX_STR("address", uex_http_address(worker->http)));
    return UEX_EXIT_DONE;
}

static int prepare(struct worker *worker)
{
    struct uex_fault fault = {0};

    uex_health_init(&worker->health, worker->config, &worker->lanes);
    if (uex_meters_init(&worker->meters, worker->config, &fault) != UEX_OK)
        return log_start_failure(fault.error, "worker cannot start", &fault);
    worker->sample.meters = &worker->meters;
    worker->sample.health = &worker->health;
    worker->sample.lanes = &worker->lanes;
    uex_metrics_on_scrape(worker->meters.registry, uex_sample, &worker->sample);
    return open_http(worker);
}

/* ---- start-up */

/* The run topic is no business of a worker, which may not even be allowed to see it. */
static bool log_findings(const struct uex_config *config, const struct uex_topic_findings *findings, bool last)
{
    for (size_t i = 0; i < findings->count && last; i++) {
        const struct uex_topic_finding *finding = &findings->items[i];

        if (finding->severity == UEX_TOPIC_GOOD || strcmp(finding->topic, config->topics_run) == 0)
            continue;
        uex_log(finding->severity == UEX_TOPIC_ERROR ? UEX_LOG_ERROR : UEX_LOG_WARN, UEX_EVENT_TOPIC_MISCONFIGURED,
                "topic misconfigured", UEX_STR("topic", finding->topic), UEX_STR("what", finding->what),
                UEX_STR("expected", finding->expected), UEX_STR("found", finding->found),
                UEX_STR("mend", finding->fix));
    }
    return findings->error_count == 0;
}

/* One look at the topics. UEX_KAFKA_TOPICS: they are not as they must be; `log_all`: log_start_failure so. */
static enum uex_error look_at_topics(rd_kafka_t *admin, const struct uex_config *config, bool log_all,
                                     struct uex_fault *fault)
{
    struct uex_topic_findings findings = {0};
    enum uex_error error = uex_topics_check(admin, config, TOPICS_TIMEOUT_MS, &findings, fault);

    if (error == UEX_OK && !log_findings(config, &findings, log_all || findings.error_count == 0))
        error = UEX_KAFKA_TOPICS;
    uex_topic_findings_clear(&findings);
    return error;
}

/* Topics that are missing get a few seconds to appear; Kafka itself, should it go away again, has until
 * startup.timeout. */
static int check_topics(const struct uex_config *config, int64_t until_ms)
{
    struct uex_fault fault = {0};
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, UEX_KAFKA_ADMIN, &fault);
    rd_kafka_t *admin = conf == NULL ? NULL : uex_kafka_create(UEX_KAFKA_ADMIN, conf, &fault);
    const int64_t appear_ms = uex_monotonic_ms() + TOPICS_APPEAR_MS;
    enum uex_error error = UEX_TIMEOUT;
    bool last = false;

    if (admin == NULL)
        return log_start_failure(UEX_CONFIG, "Kafka client cannot be created", &fault);
    while (error != UEX_OK && !last && !uex_cancel_requested(&uex_program_cancel)) {
        last = uex_monotonic_ms() >= appear_ms;
        error = look_at_topics(admin, config, last, &fault);
        if (error != UEX_OK && error != UEX_KAFKA_TOPICS)
            last = uex_error_disposition(error) != UEX_DISPOSITION_RETRY_STEP || uex_monotonic_ms() >= until_ms;
        if (error != UEX_OK && !last)
            (void)uex_sleep_ms(CHECK_AGAIN_MS, &uex_program_cancel);
    }
    uex_kafka_destroy(admin);
    if (error == UEX_OK || uex_cancel_requested(&uex_program_cancel))
        return UEX_EXIT_DONE;
    return error == UEX_KAFKA_TOPICS ? UEX_EXIT_USAGE : log_start_failure(error, "topics cannot be checked", &fault);
}

/* Database and store: what is wrong with the configuration ends the program at once, everything else has until
 * startup.timeout. Others may hold the database's connections for as long as they have work: that ends nothing. */
static int await_dependencies(struct worker *worker, int64_t until_ms)
{
    struct uex_fault fault = {0};
    enum uex_error said = UEX_OK;

    for (;;) {
        const enum uex_error error = uex_job_runner_check(worker->lanes.lanes[0].runner, &uex_program_cancel, &fault);

        if (error == UEX_OK || uex_cancel_requested(&uex_program_cancel))
            return UEX_EXIT_DONE;
        if (error == UEX_DB_CONNECTIONS) {
            uex_lanes_begin_short(&worker->lanes, &fault);
            return UEX_EXIT_DONE;
        }
        if (error == UEX_CONFIG)
            return log_start_failure(error, "configuration does not fit the topics and views", &fault);
        if (uex_monotonic_ms() >= until_ms) {
            (void)log_start_failure(error, "dependency not ready within startup.timeout", &fault);
            return UEX_EXIT_UNREACHABLE;
        }
        if (error != said)
            uex_log(UEX_LOG_WARN, UEX_EVENT_DEPENDENCY_WAIT, "waiting for a dependency",
                    UEX_STR("code", uex_error_code(error)), UEX_STR("error", fault.text));
        said = error;
        (void)uex_sleep_ms(CHECK_AGAIN_MS, &uex_program_cancel);
    }
}

static void warn_of_lists(const struct uex_config *config)
{
    if (uex_kafka_longest_list_ms(config) <= uex_kafka_transaction_timeout_ms(config))
        return;
    uex_log(UEX_LOG_WARN, UEX_EVENT_LIST_BEYOND_TIMEOUT,
            "a list as long as commit.max_list allows cannot be sent within kafka.transaction.timeout.ms (at 4 MB/s); "
            "its command would become a dead letter; raise the timeout or lower commit.max_list",
            UEX_INT("list_ms", uex_kafka_longest_list_ms(config)),
            UEX_INT("timeout_ms", uex_kafka_transaction_timeout_ms(config)));
}

/* Until a broker answers; that it takes longer is said. */
static enum uex_error await_kafka(struct worker *worker, struct uex_fault *fault)
{
    const int64_t timeout_ms = worker->config->startup_timeout_ms;
    const int64_t from_ms = uex_monotonic_ms();
    enum uex_error error = uex_engine_await_kafka(worker->engine, timeout_ms < SAY_AFTER_MS ? timeout_ms : SAY_AFTER_MS,
                                                  &uex_program_cancel, fault);
    const int64_t left_ms = timeout_ms - (uex_monotonic_ms() - from_ms);

    if (error != UEX_KAFKA_UNAVAILABLE || left_ms <= 0)
        return error;
    uex_log(UEX_LOG_WARN, UEX_EVENT_DEPENDENCY_WAIT, "waiting for Kafka", UEX_STR("code", uex_error_code(error)),
            UEX_STR("error", fault->text));
    return uex_engine_await_kafka(worker->engine, left_ms, &uex_program_cancel, fault);
}

static int start_up(struct worker *worker)
{
    const int64_t until_ms = uex_monotonic_ms() + worker->config->startup_timeout_ms;
    const struct uex_engine_observer observer = {.context = worker,
                                                 .committed = on_committed,
                                                 .transaction = on_transaction,
                                                 .rebalanced = on_rebalanced,
                                                 .taken = on_taken,
                                                 .read = on_read,
                                                 .seen = on_seen};
    struct uex_fault fault = {0};
    enum uex_error error = uex_engine_new(worker->config, &observer, &worker->engine, &fault);
    int code = UEX_EXIT_DONE;

    if (error != UEX_OK)
        return log_start_failure(error, "Kafka clients cannot be created", &fault);
    worker->health.engine = worker->sample.engine = worker->engine;
    warn_of_lists(worker->config);
    error = uex_spool_dir_open(worker->config->export_work_dir, &worker->spool_dir, &fault);
    if (error == UEX_OK)
        error = uex_lanes_open(&worker->lanes, worker->config, worker->engine, worker->services, &worker->meters,
                               worker->spool_dir, &fault);
    if (error == UEX_OK)
        error = uex_progress_new(worker->config, &worker->progress, &fault);
    if (error != UEX_OK)
        return log_start_failure(error, "worker cannot start", &fault);
    worker->sample.progress = worker->progress;
    worker->health.phase = UEX_PHASE_WAITING;
    error = await_kafka(worker, &fault);
    if (error == UEX_CANCELLED)
        return UEX_EXIT_DONE;
    if (error != UEX_OK) {
        (void)log_start_failure(error, "Kafka not reachable within startup.timeout", &fault);
        return UEX_EXIT_UNREACHABLE;
    }
    code = check_topics(worker->config, until_ms);
    if (code == UEX_EXIT_DONE)
        code = await_dependencies(worker, until_ms);
    if (code != UEX_EXIT_DONE || uex_cancel_requested(&uex_program_cancel))
        return code;
    error = uex_engine_join(worker->engine, &fault);
    return error == UEX_OK ? UEX_EXIT_DONE : log_start_failure(error, "consumer group cannot be joined", &fault);
}

static int start_threads(struct worker *worker)
{
    struct uex_fault fault = {0};

    if (uex_lanes_start(&worker->lanes, &fault) != UEX_OK)
        return log_start_failure(UEX_NO_MEMORY, "worker threads cannot start", &fault);
    if (uex_engine_start(worker->engine, &fault) != UEX_OK)
        return log_start_failure(UEX_NO_MEMORY, "a thread cannot start", &fault);
    if (uex_monitor_start(&worker->monitor, &worker->health, &worker->lanes, worker->progress, &fault) != UEX_OK)
        return log_start_failure(fault.error, "a thread cannot start", &fault);
    worker->health.phase = UEX_PHASE_RUNNING;
    uex_log(UEX_LOG_INFO, UEX_EVENT_WORKER_READY, "worker ready for commands", UEX_STR("version", UEX_VERSION),
            UEX_STR("topic", worker->config->topics_command), UEX_STR("consumer_group", worker->config->kafka_group_id),
            UEX_NUM("lanes", worker->lanes.count));
    return UEX_EXIT_DONE;
}

/* ---- shutdown */

static void abandon_running(struct uex_engine *engine)
{
    const size_t count = uex_engine_abandon_jobs(engine);

    if (count > 0)
        uex_log(UEX_LOG_WARN, UEX_EVENT_EXPORTS_ABANDONED,
                "shutdown.timeout is over; the next owner of the partitions runs these exports again",
                UEX_NUM("exports", count));
}

static int exit_code_of(struct uex_engine *engine)
{
    static const int codes[] = {
        [UEX_FAILURE_NONE] = UEX_EXIT_DONE,
        [UEX_FAILURE_BROKEN] = UEX_EXIT_FAILED,
        [UEX_FAILURE_REFUSED] = UEX_EXIT_USAGE,
    };

    return codes[uex_engine_failure(engine)];
}

static void note_exit_code(struct worker *worker)
{
    worker->watchdog.exit_code = exit_code_of(worker->engine);
}

/* It is not logged where it happens: the engine's lock is held there. */
static void log_starved(struct uex_engine *engine)
{
    const char *what = uex_engine_starved(engine);

    if (what != NULL)
        uex_log(UEX_LOG_ERROR, UEX_EVENT_OUT_OF_MEMORY,
                "not enough memory; the worker ends with exit code 1; the next owner takes what it has not committed",
                UEX_STR("for", what));
}

static void shut_down(struct worker *worker)
{
    struct uex_engine *engine = worker->engine;

    worker->health.phase = UEX_PHASE_STOPPING;
    log_starved(engine);
    uex_log(UEX_LOG_INFO, UEX_EVENT_SHUTDOWN_BEGIN, "shutting down: no new commands; running exports may finish");
    uex_engine_drain(engine);
    if (!uex_engine_await_jobs(engine, worker->config->shutdown_timeout_ms))
        abandon_running(engine);
    note_exit_code(worker);
    uex_watchdog_start(&worker->watchdog, LEAVE_MS);
    uex_lanes_join(&worker->lanes);
    uex_monitor_stop(&worker->monitor);
    if (!uex_engine_await_commits(engine, LAST_COMMIT_MS))
        uex_log(UEX_LOG_WARN, UEX_EVENT_OUTCOMES_UNCOMMITTED,
                "outcomes could not be committed before the end; the next owner makes them again");
    uex_engine_leave(engine);
    note_exit_code(worker); /* it may have broken on the way down */
    uex_engine_stop(engine);
    note_exit_code(worker);
}

int uex_worker_run(const struct uex_config *config, struct uex_secrets *secrets)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    struct uex_fault fault = {0};
    enum uex_error error;
    int code = UEX_EXIT_FAILED;

    if (worker == NULL)
        return UEX_EXIT_FAILED;
    worker->config = config;
    uex_kafka_log_watched();
    error = uex_job_services_new(config, &worker->services, &fault);
    code = error == UEX_OK ? prepare(worker) : log_start_failure(error, "worker cannot start", &fault);
    if (code == UEX_EXIT_DONE)
        code = start_up(worker);
    if (code == UEX_EXIT_DONE && !uex_cancel_requested(&uex_program_cancel)) {
        code = start_threads(worker);
        if (code != UEX_EXIT_DONE) /* so that the watchdog too leaves with an exit code that says so */
            uex_engine_break(worker->engine);
        while (code == UEX_EXIT_DONE && !uex_cancel_requested(&uex_program_cancel) &&
               uex_engine_failure(worker->engine) == UEX_FAILURE_NONE) {
            uex_secrets_watch(secrets, worker->services, uex_program_hung_up());
            (void)uex_sleep_ms(WATCH_MS * 4, &uex_program_cancel);
        }
        shut_down(worker);
        code = exit_code_of(worker->engine); /* it may have broken on the way down */
    }
    uex_http_close(worker->http); /* it looks at all the others */
    uex_progress_free(worker->progress);
    uex_lanes_close(&worker->lanes);
    uex_engine_free(worker->engine);
    uex_meters_clear(&worker->meters);
    uex_spool_dir_close(worker->spool_dir);
    uex_job_services_free(worker->services);
    uex_watchdog_stop(&worker->watchdog);
    free(worker);
    if (code == UEX_EXIT_DONE)
        uex_log(UEX_LOG_INFO, UEX_EVENT_SHUTDOWN_END, "worker ended");
    return code;
}
