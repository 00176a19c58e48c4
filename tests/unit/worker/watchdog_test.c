/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "export/log.h"

#define SHORT_MS 100
#define NEVER_MS 3600000

/* The exit code of a child that runs `body`; the watchdog ends the whole process. */
static int exit_code_of(void (*body)(void))
{
    const pid_t child = fork();
    int status = 0;

    if (child == 0) {
        uex_log_setup("test", UEX_LOG_ERROR, UEX_LOG_JSON);
        body();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The watchdog itself is all that it reads: it once asked the engine, which may be freed by then. */
static void hang_after_teardown(void)
{
    static struct uex_watchdog watchdog;

    watchdog.exit_code = 1;
    uex_watchdog_start(&watchdog, SHORT_MS);
    watchdog.exit_code = 4; /* it broke on the way down */
    (void)uex_sleep_ms(NEVER_MS, NULL);
}

static void end_in_time(void)
{
    static struct uex_watchdog watchdog;

    watchdog.exit_code = 1;
    uex_watchdog_start(&watchdog, SHORT_MS);
    uex_watchdog_stop(&watchdog);
    (void)uex_sleep_ms(3LL * SHORT_MS, NULL);
}

static void stop_unstarted(void)
{
    static struct uex_watchdog watchdog;

    uex_watchdog_stop(&watchdog);
}

static void watchdog__shutdown_hangs__process_ends_with_the_last_exit_code(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(hang_after_teardown), 4);
}

static void watchdog__shutdown_ends_in_time__does_nothing(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(end_in_time), 0);
}

static void watchdog__not_started__stops(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(stop_unstarted), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watchdog__shutdown_hangs__process_ends_with_the_last_exit_code),
        cmocka_unit_test(watchdog__shutdown_ends_in_time__does_nothing),
        cmocka_unit_test(watchdog__not_started__stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
