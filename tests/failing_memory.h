/* SPDX-License-Identifier: Apache-2.0 */
/* tests/failing_memory.h — a torture test: an operation runs again and again, and each time one more allocation is the
 * one that fails. The manner is that of curl's `runtests.pl -t`.
 *
 * An operation does its work, notes what came out with uex_torture_note(), and frees everything. It returns UEX_OK, or
 * UEX_NO_MEMORY. The first run has all the memory it asks for, and what it notes is the right result. In every later
 * run UEX_OK with another result fails the test ("wrong, and nobody is told"), and so does every other error ("bad
 * input" where only memory was short). A crash or a read out of bounds shows with the asan preset. One more operation
 * is one more row of uex_torture_all().
 *
 * The allocator stands in the test's own executable, so the calls of libraries and of libc (asprintf, getline) fail
 * too. Only the thread that tortures is counted. Include this header in one file of an executable.
 */
#ifndef EXPORT_TEST_FAILING_MEMORY_H
#define EXPORT_TEST_FAILING_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "export/error.h"

#define UEX_TORTURE_NOTES_SIZE ((size_t)256 << 10)
#define UEX_TORTURE_ALLOCATIONS_MAX 100000

/* What stands behind: the sanitizer's allocator where there is one, else glibc's. */
extern void *__interceptor_malloc(size_t size) __attribute__((weak));
extern void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
extern void *__interceptor_realloc(void *old, size_t size) __attribute__((weak));
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static _Thread_local struct {
    bool armed;
    bool from_then_on; /* all allocations from the failing one on, not it alone */
    size_t count;      /* allocations of this run */
    size_t failing;    /* the number of the one that fails, from 1; 0: none does */
} uex_torture;

/* Called before the sanitizer is ready, so not instrumented. */
#define UEX_TORTURE_EARLY __attribute__((no_sanitize("address", "undefined")))

UEX_TORTURE_EARLY static bool uex_torture_fails(void)
{
    if (!uex_torture.armed)
        return false;
    uex_torture.count++;
    return uex_torture.failing != 0 && (uex_torture.from_then_on ? uex_torture.count >= uex_torture.failing
                                                                 : uex_torture.count == uex_torture.failing);
}

UEX_TORTURE_EARLY void *malloc(size_t size)
{
    if (uex_torture_fails())
        return NULL;
    return __interceptor_malloc != NULL ? __interceptor_malloc(size) : __libc_malloc(size);
}

UEX_TORTURE_EARLY void *calloc(size_t count, size_t size)
{
    if (uex_torture_fails())
        return NULL;
    return __interceptor_calloc != NULL ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
}

UEX_TORTURE_EARLY void *realloc(void *old, size_t size)
{
    if (uex_torture_fails())
        return NULL;
    return __interceptor_realloc != NULL ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}

/* The sanitizer's own one does not call malloc. */
char *strdup(const char *text)
{
    char *copy = malloc(strlen(text) + 1);

    return copy == NULL ? NULL : strcpy(copy, text);
}

/* The sanitizer knows what the dynamic linker keeps by who called malloc, and here that is this header. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:allocate_dtv\nleak:_dl_\n";
}

/* False: what follows in this operation prepares or cleans up, and has all the memory it asks for. */
static inline void uex_torture_count(bool counted)
{
    uex_torture.armed = counted;
}

/* From the Nth allocation of this thread on all fail. For a child process that must end. */
static inline void uex_torture_from(size_t failing)
{
    uex_torture.count = 0;
    uex_torture.failing = failing;
    uex_torture.from_then_on = true;
    uex_torture.armed = true;
}

static char uex_torture_notes[UEX_TORTURE_NOTES_SIZE], uex_torture_right[UEX_TORTURE_NOTES_SIZE];
static size_t uex_torture_noted_bytes;

/* Part of an operation's result. */
static inline void uex_torture_note(const char *format, ...) UEX_PRINTF(1, 2);
static inline void uex_torture_note(const char *format, ...)
{
    const bool was_armed = uex_torture.armed;
    const size_t left_bytes = UEX_TORTURE_NOTES_SIZE - uex_torture_noted_bytes;
    va_list arguments;
    int size;

    uex_torture.armed = false;
    va_start(arguments, format);
    size = vsnprintf(uex_torture_notes + uex_torture_noted_bytes, left_bytes, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && (size_t)size < left_bytes);
    uex_torture_noted_bytes += (size_t)size;
    uex_torture.armed = was_armed;
}

struct uex_torture_case {
    const char *name;
    enum uex_error (*run)(void);
    bool in_child; /* each run in a process of its own, which may end with 1: that counts as UEX_NO_MEMORY */
};

static enum uex_error uex_torture_run(const struct uex_torture_case *operation, size_t failing, bool from_then_on)
{
    enum uex_error err = UEX_OK;

    uex_torture_noted_bytes = 0;
    uex_torture_notes[0] = '\0';
    uex_torture.count = 0;
    uex_torture.failing = failing;
    uex_torture.from_then_on = from_then_on;
    uex_torture.armed = true;
    err = operation->run();
    uex_torture.armed = false;
    return err;
}

/* The same in a process of its own. */
static enum uex_error uex_torture_run_in_child(const struct uex_torture_case *operation, size_t failing,
                                               bool from_then_on)
{
    enum uex_error err = UEX_NO_MEMORY;
    int channel[2], status = 0;
    ssize_t got = 0;
    pid_t child = 0;

    assert_int_equal(pipe(channel), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        err = uex_torture_run(operation, failing, from_then_on);
        (void)!write(channel[1], &uex_torture.count, sizeof(uex_torture.count));
        (void)!write(channel[1], &err, sizeof(err));
        (void)!write(channel[1], uex_torture_notes, uex_torture_noted_bytes);
        _exit(0);
    }
    (void)close(channel[1]);
    uex_torture_noted_bytes = 0;
    if (read(channel[0], &uex_torture.count, sizeof(uex_torture.count)) == sizeof(uex_torture.count) &&
        read(channel[0], &err, sizeof(err)) == sizeof(err))
        while ((got = read(channel[0], uex_torture_notes + uex_torture_noted_bytes,
                           UEX_TORTURE_NOTES_SIZE - 1 - uex_torture_noted_bytes)) > 0)
            uex_torture_noted_bytes += (size_t)got;
    uex_torture_notes[uex_torture_noted_bytes] = '\0';
    (void)close(channel[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) <= 1 ? err : UEX_INTERNAL; /* a crash */
}

static enum uex_error uex_torture_go(const struct uex_torture_case *operation, size_t failing, bool from_then_on)
{
    return operation->in_child ? uex_torture_run_in_child(operation, failing, from_then_on)
                               : uex_torture_run(operation, failing, from_then_on);
}

static void uex_torture_one(const struct uex_torture_case *operation, bool from_then_on)
{
    size_t total = 0, wrong = 0;

    (void)uex_torture_go(operation, 0, false); /* what libraries make once is made now */
    assert_int_equal(uex_torture_go(operation, 0, false), UEX_OK);
    total = uex_torture.count;
    assert_true(total <= UEX_TORTURE_ALLOCATIONS_MAX);
    memcpy(uex_torture_right, uex_torture_notes, uex_torture_noted_bytes + 1);
    for (size_t failing = 1; failing <= total; failing++) {
        const enum uex_error err = uex_torture_go(operation, failing, from_then_on);

        if (err == UEX_NO_MEMORY || (err == UEX_OK && strcmp(uex_torture_notes, uex_torture_right) == 0))
            continue;
        wrong++;
        print_error("%s: allocation %zu of %zu fails%s: %s%s\n", operation->name, failing, total,
                    from_then_on ? ", and all after it" : "", uex_error_code(err),
                    err == UEX_OK ? " with a wrong result" : "");
    }
    print_message("%s: %zu allocations\n", operation->name, total);
    assert_int_equal(wrong, 0);
}

static inline void uex_torture_all(const struct uex_torture_case *operations, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uex_torture_one(&operations[i], false);
        uex_torture_one(&operations[i], true);
    }
}
#endif
