/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/config/config_fixture.h — loading a configuration from what a test gives. */
#ifndef EXPORT_TESTS_CONFIG_FIXTURE_H
#define EXPORT_TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/config.h"

#define ARGUMENTS_MAX 64

struct loaded {
    struct uex_config config;
    enum uex_error error;
    struct uex_buffer problems, warnings;
    char *arguments[ARGUMENTS_MAX];
    int argument_count;
};

/* Lists of strings for load_with(). */
#define WITH(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING ((const char *const[]){NULL})

static inline struct loaded load_with(const char *const *environment, const char *const *arguments)
{
    struct loaded loaded = {0};

    while (arguments[loaded.argument_count] != NULL && loaded.argument_count < ARGUMENTS_MAX) {
        loaded.arguments[loaded.argument_count] = (char *)(uintptr_t)arguments[loaded.argument_count];
        loaded.argument_count++;
    }
    loaded.error = uex_config_load(&loaded.config, &loaded.argument_count, loaded.arguments,
                                   (char *const *)(uintptr_t)environment, &loaded.problems, &loaded.warnings);
    return loaded;
}

/* A file with these bytes; the caller removes it. */
static inline void write_file(char *path, const void *bytes, size_t size_bytes)
{
    int file = 0;

    strcpy(path, "/tmp/config_test.XXXXXX");
    file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, size_bytes), (ssize_t)size_bytes);
    assert_int_equal(close(file), 0);
}

static inline struct loaded load_file_bytes(const void *bytes, size_t size_bytes, const char *const *environment)
{
    char path[64];
    struct loaded loaded = {0};

    write_file(path, bytes, size_bytes);
    loaded = load_with(environment, WITH("--config", path));
    unlink(path);
    return loaded;
}

static inline struct loaded load_file(const char *text)
{
    return load_file_bytes(text, strlen(text), NOTHING);
}

static inline size_t line_count(const struct uex_buffer *buffer)
{
    size_t count = 0;

    for (const char *at = uex_buffer_text(buffer); *at != '\0'; at++)
        count += *at == '\n';
    return count;
}

static inline void assert_holds(const struct uex_buffer *buffer, const char *part)
{
    if (strstr(uex_buffer_text(buffer), part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, uex_buffer_text(buffer));
}

static inline void assert_lacks(const struct uex_buffer *buffer, const char *part)
{
    if (strstr(uex_buffer_text(buffer), part) != NULL)
        fail_msg("\"%s\" is in:\n%s", part, uex_buffer_text(buffer));
}

static inline void assert_loaded(const struct loaded *loaded)
{
    if (loaded->error != UEX_OK)
        fail_msg("%s:\n%s", uex_error_code(loaded->error), uex_buffer_text(&loaded->problems));
    assert_int_equal(loaded->problems.size_bytes, 0);
}

/* One problem and no more, with this in it. */
static inline void assert_one_problem(const struct loaded *loaded, const char *part)
{
    assert_int_equal(loaded->error, UEX_CONFIG);
    assert_holds(&loaded->problems, part);
    if (line_count(&loaded->problems) != 1)
        fail_msg("not one problem:\n%s", uex_buffer_text(&loaded->problems));
}

static inline void unload(struct loaded *loaded)
{
    uex_config_clear(&loaded->config);
    uex_buffer_clear(&loaded->problems);
    uex_buffer_clear(&loaded->warnings);
}
#endif
