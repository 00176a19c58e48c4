/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's lock is never held while a log line waits for a reader of stderr. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/settle.h"
#include "export/thread.h"

#define HANG_S 3 /* a bound for what must not wait at all; a line waits 5 s */

static struct uex_engine engine;
static char command_topic[] = "commands";
static atomic_bool settled;
static int saved_stderr = -1, reading_end = -1;

static int set_up(void **state)
{
    int ends[2];
    char byte = '.';

    (void)state;
    memset(&engine, 0, sizeof(engine));
    engine.input_topics[0].topic = command_topic;
    engine.input_topic_count = 1;
    (void)pthread_mutex_init(&engine.synced.lock, NULL);
    uex_cond_init(&engine.synced.work_changed);
    uex_cond_init(&engine.synced.outcomes_changed);
    uex_cond_init(&engine.synced.between);
    settled = false;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return 1;
    while (write(ends[1], &byte, 1) == 1)
        continue;
    (void)fcntl(ends[1], F_SETFL, 0);
    saved_stderr = dup(STDERR_FILENO);
    (void)dup2(ends[1], STDERR_FILENO);
    (void)close(ends[1]);
    reading_end = ends[0];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)dup2(saved_stderr, STDERR_FILENO);
    (void)close(saved_stderr);
    (void)close(reading_end);
    (void)pthread_mutex_destroy(&engine.synced.lock);
    (void)pthread_cond_destroy(&engine.synced.work_changed);
    (void)pthread_cond_destroy(&engine.synced.outcomes_changed);
    (void)pthread_cond_destroy(&engine.synced.between);
    return 0;
}

/* An outcome that Kafka refused in every form; its refusal is an error line. */
static struct uex_inflight *refused_outcome(void)
{
    struct uex_record *record = calloc(1, 2 * sizeof(*record)); /* a record is the first member of a larger block */
    struct uex_inflight *inflight = NULL;

    record->topic = command_topic;
    record->offset = 7;
    inflight = uex_inflight_new(record, 0);
    inflight->outcome.kind = UEX_OUTCOME_DEAD_LETTERED;
    inflight->outcome.value_refused = true;
    inflight->outcome.headers_refused = true;
    inflight->refused_code = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    return inflight;
}

static void *settle(void *argument)
{
    struct uex_batch *batch = argument;

    uex_engine_lock(&engine);
    uex_settle_synced(&engine, batch, false);
    settled = true;
    uex_engine_unlock(&engine);
    return NULL;
}

static bool lock_within(int seconds)
{
    struct timespec until = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    while (!settled) {
        struct timespec now = {0};

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec > until.tv_sec)
            return false;
        (void)usleep(1000);
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    return pthread_mutex_timedlock(&engine.synced.lock, &until) == 0;
}

static bool stderr_says(const char *text)
{
    static char read_so_far[1 << 20];
    size_t size_bytes = 0;

    for (int i = 0; i < 500; i++) {
        const ssize_t more = read(reading_end, read_so_far + size_bytes, sizeof(read_so_far) - 1 - size_bytes);

        if (more > 0)
            size_bytes += (size_t)more;
        read_so_far[size_bytes] = '\0';
        if (strstr(read_so_far, text) != NULL)
            return true;
        if (more < 0 && errno != EAGAIN)
            return false;
        if (more < 0)
            (void)usleep(10000);
    }
    return false;
}

static void unlock__nobody_reads_stderr__others_get_the_lock_meanwhile(void **state)
{
    struct uex_batch *batch = calloc(1, sizeof(*batch));
    struct uex_inflight *inflight = refused_outcome();
    pthread_t thread;
    bool locked = false;

    (void)state;
    batch->commands[batch->count++] = inflight;
    assert_int_equal(pthread_create(&thread, NULL, settle, batch), 0);
    locked = lock_within(HANG_S);
    if (locked)
        (void)pthread_mutex_unlock(&engine.synced.lock);
    assert_true(stderr_says("refuses even the bare dead letter")); /* it was only put off */
    (void)pthread_join(thread, NULL);
    assert_true(locked);
    uex_inflight_free(inflight);
    free(batch);
}

static void release__locked__is_freed_when_the_lock_is_given_up(void **state)
{
    struct uex_inflight *inflight = refused_outcome();

    (void)state;
    uex_engine_lock(&engine);
    uex_dispatch_add_synced(&engine, inflight);
    uex_dispatch_release_synced(&engine, inflight);
    assert_null(engine.synced.in_flight.first);
    assert_int_equal(engine.synced.in_flight.count, 0);
    assert_ptr_equal(engine.synced.gone, inflight); /* closing its spool may take a while */
    uex_engine_unlock(&engine);
    assert_null(engine.synced.gone);
}

static void *log_and_wait(void *argument)
{
    (void)argument;
    uex_engine_lock(&engine);
    uex_log(UEX_LOG_WARN, UEX_EVENT_SCHEDULED, "before a long wait");
    while (!settled)
        (void)uex_engine_wait_synced(&engine, &engine.synced.between, uex_monotonic_ms() + 3600 * 1000);
    uex_engine_unlock(&engine);
    return NULL;
}

static void wait__line_is_held_back__is_written_before_the_wait(void **state)
{
    pthread_t thread;
    bool is_written = false;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, log_and_wait, NULL), 0);
    is_written = stderr_says("before a long wait");
    (void)pthread_mutex_lock(&engine.synced.lock);
    settled = true;
    (void)pthread_cond_broadcast(&engine.synced.between);
    (void)pthread_mutex_unlock(&engine.synced.lock);
    (void)pthread_join(thread, NULL);
    assert_true(is_written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unlock__nobody_reads_stderr__others_get_the_lock_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(release__locked__is_freed_when_the_lock_is_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wait__line_is_held_back__is_written_before_the_wait, set_up, tear_down),
    };

    uex_log_setup("lock-test", UEX_LOG_INFO, UEX_LOG_JSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
