/* SPDX-License-Identifier: Apache-2.0 */
/* exportctl itself while allocations fail: it prints what it prints otherwise (a library may add a word of its own, as
 * libsasl2 does), or its exit code is not 0. */
#include "failing_memory.h"

#define main exportctl_main
#include "ctl/main.c"
#undef main

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/state_reader.h"
#include "ctl/status/rows.h"
#include "export/command.h"

#define OUTPUT_SIZE ((size_t)128 << 10)
#define ID "00000000-0000-4000-8000-000000000007"
#define NEW_ID "00000000-0000-4000-8000-000000000008"
#define STATE(group)                                                                                                   \
    "{\"version\":1,\"groupId\":\"" group "\",\"outcome\":\"exported\",\"commandId\":\"" ID                            \
    "\",\"runId\":\"r\",\"at\":\"2026-01-01T00:00:00Z\",\"rows\":3,\"recent\":[{\"commandId\":\"" ID                   \
    "\",\"runId\":\"r\",\"outcome\":\"exported\",\"at\":\"2026-01-01T00:00:00Z\"}]}"

/* ---- parts of it */

static enum uex_error take(struct uex_state_set *set, const char *group_id, const char *value, int32_t partition)
{
    const rd_kafka_message_t message = {.key = (void *)(uintptr_t)group_id,
                                        .key_len = strlen(group_id),
                                        .payload = (void *)(uintptr_t)value,
                                        .len = strlen(value),
                                        .partition = partition};

    return uex_state_set_take(set, &message);
}

/* What a replay asks: was this command exported? */
static enum uex_error find_state(void)
{
    struct uex_state_set set = {0};
    struct uex_status_row *row = NULL;
    struct uex_bytes value = {0};
    enum uex_error err = take(&set, "g", STATE("g"), 0);

    if (err == UEX_OK)
        err = take(&set, "g", STATE("g"), 1); /* two partitions: the times decide */
    if (err == UEX_OK)
        err = take(&set, "h", STATE("h"), 0);
    if (err == UEX_OK) {
        value = uex_state_set_find(&set, "g");
        uex_torture_note("count=%zu value=%s absent=%d\n", set.count, (const char *)value.data,
                         uex_state_set_find(&set, "x").data == NULL);
        row = uex_status_row_of_state("g", value, NULL);
        err = row == NULL ? UEX_NO_MEMORY : UEX_OK;
    }
    if (err == UEX_OK)
        uex_torture_note("status=%d run=%s\n", (int)row->status, row->run_id);
    uex_status_row_free(row);
    uex_state_set_clear(&set);
    return err;
}

static enum uex_error reissue_command(void)
{
    struct uex_buffer out = {0};
    enum uex_error err = uex_command_reissue(
        uex_bytes_of_text("g"), uex_bytes_of_text("{\"groupId\":\"g\",\"runId\":\"" ID "\",\"commandId\":\"" ID "\"}"),
        NEW_ID, &out, NULL);

    if (err == UEX_OK)
        uex_torture_note("%s", uex_buffer_text(&out));
    uex_buffer_clear(&out);
    return err;
}

static void torture__parts__right_result_or_no_memory(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "the states of the groups", .run = find_state},
        {.name = "a command with another id", .run = reissue_command},
    };

    (void)state;
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
}

/* ---- the whole program, in a process of its own each time */

struct result {
    int status; /* of waitpid(2) */
    size_t allocations;
    char output[OUTPUT_SIZE];
};

static void read_all(int file, struct result *out)
{
    size_t used = 0;
    ssize_t got = 0;

    while ((got = read(file, out->output + used, OUTPUT_SIZE - 1 - used)) > 0)
        used += (size_t)got;
    assert_true(used < OUTPUT_SIZE - 1);
    out->output[used] = '\0';
}

static void child(char **argv, size_t failing, bool from_then_on, int out, int count)
{
    int argc = 0, code = 0;

    while (argv[argc] != NULL)
        argc++;
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    uex_torture_from(failing);
    uex_torture.from_then_on = from_then_on;
    code = exportctl_main(argc, argv);
    if (fflush(stdout) != 0)
        code = UEX_EXIT_FAILED;
    (void)!write(count, &uex_torture.count, sizeof(uex_torture.count));
    _exit(code);
}

static void run(char **argv, size_t failing, bool from_then_on, struct result *out)
{
    int output[2], count[2];
    pid_t pid = 0;

    assert_int_equal(pipe(output), 0);
    assert_int_equal(pipe(count), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        child(argv, failing, from_then_on, output[1], count[1]);
    (void)close(output[1]);
    (void)close(count[1]);
    read_all(output[0], out);
    out->allocations = 0;
    (void)!read(count[0], &out->allocations, sizeof(out->allocations));
    (void)close(output[0]);
    (void)close(count[0]);
    assert_int_equal(waitpid(pid, &out->status, 0), pid);
}

static void torture_subcommand(char **argv, int right_code)
{
    static struct result right, result;
    size_t total = 0;

    run(argv, 0, false, &right);
    assert_true(WIFEXITED(right.status));
    assert_int_equal(WEXITSTATUS(right.status), right_code);
    total = right.allocations;
    for (size_t failing = 1; failing <= total; failing++) {
        run(argv, failing, failing % 2 == 0, &result);
        if (WIFEXITED(result.status) && (WEXITSTATUS(result.status) == UEX_EXIT_FAILED ||
                                         (WEXITSTATUS(result.status) == right_code && right_code != UEX_EXIT_DONE) ||
                                         strstr(result.output, right.output) != NULL))
            continue;
        if (WIFSIGNALED(result.status) && WTERMSIG(result.status) == SIGABRT)
            continue; /* librdkafka asserts that it has memory */
        fail_msg("%s %s: allocation %zu of %zu fails: status %#x, and this output:\n%s", argv[1],
                 argv[2] == NULL ? "" : argv[2], failing, total, (unsigned)result.status, result.output);
    }
    print_message("%s %s: %zu allocations\n", argv[1], argv[2] == NULL ? "" : argv[2], total);
}

#define SUBCOMMAND(...)                                                                                                \
    (char *[])                                                                                                         \
    {                                                                                                                  \
        (char *)(uintptr_t) "exportctl", __VA_ARGS__, NULL                                                             \
    }
#define WORD(text) ((char *)(uintptr_t)(text))

static void torture__subcommands__right_output_or_not_0(void **state)
{
    (void)state;
    assert_int_equal(setenv("EXPORT_EXPORT_MASK", "displayName:redact", 1), 0);
    assert_int_equal(setenv("EXPORT_KAFKA_LINGER_MS", "7", 1), 0);
    torture_subcommand(SUBCOMMAND(WORD("config"), WORD("show")), UEX_EXIT_DONE);
    torture_subcommand(SUBCOMMAND(WORD("config"), WORD("show"), WORD("--output=json")), UEX_EXIT_DONE);
    torture_subcommand(SUBCOMMAND(WORD("config"), WORD("check"), WORD("--kafka.bootstrap.servers=k:9092"),
                                  WORD("--postgres.dsn=host=x"), WORD("--storage.url=file:///tmp")),
                       UEX_EXIT_DONE);
    torture_subcommand(SUBCOMMAND(WORD("config"), WORD("check"), WORD("--output=json"), WORD("--topics.comand=x")),
                       UEX_EXIT_USAGE);
    torture_subcommand(SUBCOMMAND(WORD("--help")), UEX_EXIT_DONE);
    torture_subcommand(SUBCOMMAND(WORD("completion"), WORD("bash")), UEX_EXIT_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture__parts__right_result_or_no_memory),
        cmocka_unit_test(torture__subcommands__right_output_or_not_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
