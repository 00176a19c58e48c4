/* SPDX-License-Identifier: Apache-2.0 */
#include "export/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cJSON.h>
#include <cmocka.h>

#include "export/clock.h"

static int saved_stderr = -1;
static int reading_end = -1;

static void capture_begin(void)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(saved_stderr >= 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    reading_end = ends[0];
}

static const char *capture_end(void)
{
    static char text[1 << 20];
    size_t size_bytes = 0;
    ssize_t more;

    assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
    (void)close(saved_stderr);
    while ((more = read(reading_end, text + size_bytes, sizeof(text) - 1 - size_bytes)) > 0)
        size_bytes += (size_t)more;
    (void)close(reading_end);
    text[size_bytes] = '\0';
    return text;
}

/* The line as an object; the caller deletes it. Fails unless it is exactly one line of valid JSON. */
static cJSON *parse_line(const char *text)
{
    const char *end = NULL;
    cJSON *line;

    assert_non_null(strchr(text, '\n'));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    line = cJSON_ParseWithOpts(text, &end, 0);
    assert_non_null(line);
    assert_string_equal(end, "\n");
    return line;
}

static const char *string_of(const cJSON *line, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, name));

    return text == NULL ? "" : text;
}

static int setup(void **state)
{
    (void)state;
    uex_log_setup("unit-test", UEX_LOG_DEBUG, UEX_LOG_JSON);
    return 0;
}

static void log__all_kinds_of_fields__is_one_json_object(void **state)
{
    const char *text;
    int64_t time_ms = 0;

    (void)state;
    capture_begin();
    uex_log(UEX_LOG_WARN, UEX_EVENT_SCHEDULED, "exported", UEX_STR("group", "g-17"), UEX_NUM("rows", UINT64_MAX - 1),
            UEX_INT("offset", -5), UEX_BOOL("late", 3), UEX_BOOL("again", 0), UEX_TIME("snapshot", 1795369800123));
    text = capture_end();
    assert_non_null(strstr(text, "\"rows\":18446744073709551614,"));
    cJSON *line = parse_line(text);
    assert_true(uex_time_parse(string_of(line, "time"), strlen(string_of(line, "time")), &time_ms));
    assert_true(uex_wall_ms() - time_ms < 10000);
    assert_string_equal(string_of(line, "level"), "warn");
    assert_string_equal(string_of(line, "message"), "exported");
    assert_string_equal(string_of(line, "program"), "unit-test");
    assert_string_equal(string_of(line, "event"), "scheduled");
    assert_string_equal(string_of(line, "group"), "g-17");
    assert_string_equal(string_of(line, "snapshot"), "2026-11-22T17:50:00.123Z");
    assert_true(cJSON_GetObjectItem(line, "offset")->valuedouble == -5);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(line, "late")));
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(line, "again")));
    cJSON_Delete(line);
}

static void log__unknown_values__are_left_out(void **state)
{
    (void)state;
    capture_begin();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "m", UEX_STR("a", NULL), UEX_STR("b", ""), UEX_NUM("c", UEX_UNKNOWN),
            UEX_TIME("d", UEX_NO_TIME), UEX_NUM("e", 0), UEX_INT("f", 0));
    cJSON *line = parse_line(capture_end());
    assert_int_equal(cJSON_GetArraySize(line), 5 + 2); /* time, level, message, program, event */
    assert_non_null(cJSON_GetObjectItem(line, "e"));
    assert_non_null(cJSON_GetObjectItem(line, "f"));
    cJSON_Delete(line);
}

static void log__no_fields_or_no_message__is_a_line(void **state)
{
    (void)state;
    capture_begin();
    uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULED, "alone");
    cJSON *line = parse_line(capture_end());
    assert_string_equal(string_of(line, "message"), "alone");
    cJSON_Delete(line);
    capture_begin();
    uex_log_write(UEX_LOG_ERROR, UEX_EVENT_SCHEDULED, NULL, NULL, 0);
    line = parse_line(capture_end());
    assert_string_equal(string_of(line, "message"), "");
    cJSON_Delete(line);
}

static void log__quotes_controls_and_broken_utf8__stay_valid_json(void **state)
{
    char all[256];

    (void)state;
    for (int i = 1; i < 256; i++)
        all[i - 1] = (char)i;
    all[255] = '\0';
    capture_begin();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "a\"b\\c\n\x01\x7F\xC2\x85",
            UEX_STR("bad", "x\xE9y\xF0\x9F\x98z\xED\xA0\x80"), UEX_STR("good", "\xF0\x9F\x98\x80"), UEX_STR("all", all),
            UEX_STR("we\"ird\n", "v"));
    const char *text = capture_end();
    assert_null(strpbrk(text, "\x01\x1B\x7F"));
    cJSON *line = parse_line(text);
    assert_string_equal(string_of(line, "message"), "a\"b\\c\n\x01\x7F\xC2\x85");
    assert_string_equal(string_of(line, "bad"), "x\xEF\xBF\xBDy\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_string_equal(string_of(line, "good"), "\xF0\x9F\x98\x80");
    assert_memory_equal(string_of(line, "all"), all, 127);
    assert_string_equal(string_of(line, "we\"ird\n"), "v");
    cJSON_Delete(line);
}

static void log__very_long_text__is_cut_at_a_character(void **state)
{
    static char value[20001];

    (void)state;
    value[0] = 'x'; /* so that 4,096 lies inside of a character */
    for (size_t at = 1; at + 2 < sizeof(value); at += 2)
        memcpy(value + at, "\xC3\xA9", 2);
    capture_begin();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, value, UEX_STR("value", value));
    cJSON *line = parse_line(capture_end());
    assert_int_equal(strlen(string_of(line, "value")), 4095 + 3);
    assert_string_equal(string_of(line, "value") + 4093, "\xC3\xA9\xE2\x80\xA6");
    assert_int_equal(strlen(string_of(line, "message")), 4095 + 3);
    cJSON_Delete(line);
}

static void log_format__percent_and_numbers__is_the_message(void **state)
{
    (void)state;
    capture_begin();
    uex_log_format(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "%d of %s%%", 5, "ten");
    cJSON *line = parse_line(capture_end());
    assert_string_equal(string_of(line, "message"), "5 of ten%");
    cJSON_Delete(line);
}

static void log__below_the_least_level__writes_nothing(void **state)
{
    (void)state;
    uex_log_setup("unit-test", UEX_LOG_WARN, UEX_LOG_JSON);
    assert_false(uex_log_enabled(UEX_LOG_INFO));
    assert_true(uex_log_enabled(UEX_LOG_ERROR));
    capture_begin();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "quiet");
    uex_log_format(UEX_LOG_DEBUG, UEX_EVENT_SCHEDULED, "quiet");
    assert_string_equal(capture_end(), "");
}

static void log_audit__above_the_least_level__is_written_all_the_same(void **state)
{
    cJSON *line = NULL;

    (void)state;
    uex_log_setup("unit-test", UEX_LOG_ERROR, UEX_LOG_JSON);
    capture_begin();
    uex_log_audit(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "discarded", UEX_STR("by", "asha"));
    line = cJSON_Parse(capture_end());
    assert_non_null(line);
    assert_string_equal(string_of(line, "level"), "info");
    assert_string_equal(string_of(line, "by"), "asha");
    cJSON_Delete(line);
}

static void log__text_format__is_readable_and_one_line(void **state)
{
    (void)state;
    uex_log_setup("unit-test", UEX_LOG_INFO, UEX_LOG_TEXT);
    capture_begin();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "exported \"it\"\nnow", UEX_STR("group", "g-17"),
            UEX_STR("why", "two words\x1B"), UEX_STR("q", "a=\"b\""), UEX_NUM("rows", 5), UEX_BOOL("late", 1),
            UEX_TIME("at", 0));
    const char *text = capture_end();
    assert_string_equal(text + 24,
                        " INFO  unit-test: exported \"it\"\\nnow event=scheduled group=g-17 why=\"two words\\u001b\" "
                        "q=\"a=\\\"b\\\"\" rows=5 late=true at=1970-01-01T00:00:00.000Z\n");
}

static void *log_many(void *context)
{
    for (int i = 0; i < 200; i++)
        uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "many", UEX_STR("thread", context), UEX_INT("line", i));
    return NULL;
}

static void log__several_threads__lines_do_not_mix(void **state)
{
    static const char *const NAMES[] = {"a", "bb", "ccc", "dddd"};
    pthread_t threads[4];
    int line_count = 0;

    (void)state;
    capture_begin();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)(uintptr_t)NAMES[i]), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    char *rest = NULL, *text = strdup(capture_end());
    for (char *next = strtok_r(text, "\n", &rest); next != NULL; next = strtok_r(NULL, "\n", &rest)) {
        cJSON *line = cJSON_Parse(next);

        assert_non_null(line);
        assert_true(strlen(string_of(line, "thread")) > 0);
        cJSON_Delete(line);
        line_count++;
    }
    free(text);
    assert_int_equal(line_count, 800);
}

static void log__errno__is_kept(void **state)
{
    (void)state;
    capture_begin();
    errno = ENOSPC;
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "m");
    assert_int_equal(errno, ENOSPC);
    (void)capture_end();
}

static int run_child(void (*body)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void log_to_broken_pipe(void)
{
    int ends[2];

    (void)signal(SIGPIPE, SIG_IGN);
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(9);
    (void)close(ends[0]);
    (void)close(ends[1]);
    uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULED, "nobody reads");
    uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULED, "nobody reads");
}

static void log__reader_gone__does_not_end_the_program(void **state)
{
    (void)state;
    assert_int_equal(run_child(log_to_broken_pipe), 0);
}

static void log_to_closed_stderr(void)
{
    char path[] = "/tmp/log-test-XXXXXX";
    int fd;

    (void)close(STDERR_FILENO);
    uex_log_setup("unit-test", UEX_LOG_INFO, UEX_LOG_JSON);
    fd = mkstemp(path);
    uex_log(UEX_LOG_ERROR, UEX_EVENT_SCHEDULED, "must not get into the file");
    if (fd < 0 || fd == STDERR_FILENO || lseek(fd, 0, SEEK_END) != 0)
        _exit(7);
    (void)unlink(path);
}

static void log__stderr_closed__does_not_write_into_other_files(void **state)
{
    (void)state;
    assert_int_equal(run_child(log_to_closed_stderr), 0);
}

static void log_to_full_pipe(void)
{
    static char text[1 << 20];
    int ends[2];
    int64_t begin_ms;

    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0 || fcntl(ends[1], F_SETPIPE_SZ, 16384) < 0)
        _exit(9);
    for (int i = 0; i < 200; i++)
        uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "filling",
                UEX_STR("text", "0123456789012345678901234567890123456789"));
    begin_ms = uex_monotonic_ms();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "no room");
    if (uex_monotonic_ms() - begin_ms > 500)
        _exit(8); /* only the first one may wait */
    if (read(ends[0], text, sizeof(text)) <= 0)
        _exit(7);
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "room again");
    memset(text, 0, sizeof(text));
    if (read(ends[0], text, sizeof(text) - 1) <= 0 || strstr(text, "log lines were lost") == NULL ||
        strstr(text, "room again") == NULL)
        _exit(6);
}

static void log__nobody_reads__goes_on_and_counts_lost_lines(void **state)
{
    (void)state;
    assert_int_equal(run_child(log_to_full_pipe), 0);
}

static size_t count_lines(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n' ? 1 : 0;
    return count;
}

static void log_hold__nested__writes_in_order_when_the_last_is_released(void **state)
{
    const char *text = NULL;
    char byte = 0;

    (void)state;
    capture_begin();
    assert_int_equal(fcntl(reading_end, F_SETFL, O_NONBLOCK), 0);
    uex_log_hold();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "one");
    uex_log_hold();
    uex_log_audit(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "two");
    uex_log_release();
    assert_int_equal(read(reading_end, &byte, 1), -1);
    assert_true(uex_log_is_waiting());
    uex_log_release();
    assert_false(uex_log_is_waiting());
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "three");
    text = capture_end();
    assert_int_equal(count_lines(text), 3);
    assert_true(strstr(text, "\"one\"") < strstr(text, "\"two\""));
    assert_true(strstr(text, "\"two\"") < strstr(text, "\"three\""));
}

static void log_hold__more_than_the_cap__is_reported_as_lost(void **state)
{
    static char value[4097], text[2 << 20];
    FILE *file = tmpfile(); /* a pipe has not enough room */

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    assert_non_null(file);
    saved_stderr = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
    uex_log_hold();
    for (int i = 0; i < 300; i++)
        uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "long", UEX_STR("text", value));
    uex_log_release();
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "after");
    assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
    (void)close(saved_stderr);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    assert_non_null(strstr(text, "log lines were lost"));
    assert_true(count_lines(text) < 300);
}

static void log_long_lines_to_full_pipe(void)
{
    static char value[4097], text[1 << 20];
    int ends[2];

    memset(value, 'x', sizeof(value) - 1);
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0 || fcntl(ends[1], F_SETPIPE_SZ, 16384) < 0)
        _exit(9);
    (void)alarm(60); /* a write that waits for ever */
    for (int i = 0; i < 5; i++)
        uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "long", UEX_STR("text", value), UEX_STR("more", value));
    if (read(ends[0], text, sizeof(text)) <= 0)
        _exit(7);
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULED, "room again");
    memset(text, 0, sizeof(text));
    if (read(ends[0], text, sizeof(text) - 1) <= 0 || strstr(text, "\n{\"time\"") == NULL ||
        strstr(text, "log lines were lost") == NULL)
        _exit(6); /* what is left of a line does not run into the next one */
}

static void log__line_longer_than_the_room__does_not_wait_for_ever(void **state)
{
    (void)state;
    assert_int_equal(run_child(log_long_lines_to_full_pipe), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(log__all_kinds_of_fields__is_one_json_object, setup),
        cmocka_unit_test_setup(log__unknown_values__are_left_out, setup),
        cmocka_unit_test_setup(log__no_fields_or_no_message__is_a_line, setup),
        cmocka_unit_test_setup(log__quotes_controls_and_broken_utf8__stay_valid_json, setup),
        cmocka_unit_test_setup(log__very_long_text__is_cut_at_a_character, setup),
        cmocka_unit_test_setup(log_format__percent_and_numbers__is_the_message, setup),
        cmocka_unit_test_setup(log__below_the_least_level__writes_nothing, setup),
        cmocka_unit_test_setup(log_audit__above_the_least_level__is_written_all_the_same, setup),
        cmocka_unit_test_setup(log__text_format__is_readable_and_one_line, setup),
        cmocka_unit_test_setup(log__several_threads__lines_do_not_mix, setup),
        cmocka_unit_test_setup(log__errno__is_kept, setup),
        cmocka_unit_test_setup(log__reader_gone__does_not_end_the_program, setup),
        cmocka_unit_test_setup(log__stderr_closed__does_not_write_into_other_files, setup),
        cmocka_unit_test_setup(log__nobody_reads__goes_on_and_counts_lost_lines, setup),
        cmocka_unit_test_setup(log__line_longer_than_the_room__does_not_wait_for_ever, setup),
        cmocka_unit_test_setup(log_hold__nested__writes_in_order_when_the_last_is_released, setup),
        cmocka_unit_test_setup(log_hold__more_than_the_cap__is_reported_as_lost, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
