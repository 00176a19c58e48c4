/* SPDX-License-Identifier: Apache-2.0 */
/* Lets clients in other languages look at what the models write and what they take.
 *
 * model_samples command|command-avro|result|state   prints samples, one a line: JSON text, Avro in hex
 * model_samples read-command    reads lines "KEY VALUE" in hex, "-" for none (empty bytes: "."), and answers each with
 *                               "ok " and the command as JSON, or "malformed-command " and the reason
 * model_samples read-state      reads lines "VALUE" in hex, answers "ok " and a record with that memory, or the error
 */
#include <stdio.h>
#include <stdlib.h>

#include "export/command.h"
#include "export/group_state.h"
#include "export/result.h"

#define LINE_MAX_BYTES (5u << 20)
#define ID "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
#define DOMAIN_ID "0f0e0d0c-0b0a-4908-8706-050403020100"
#define SHA "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define AT INT64_C(1795369800500)
#define ODD "g \"1\"/\\ %25 \xC3\xA9\xF0\x9F\x98\x80"

static char odd[] = ODD, plain[] = "g-17", run_id[] = "2026-11-22", scheduler[] = "export-scheduler",
            text[] = "line\nline\t\x01\"\\ \xE2\x82\xAC", empty[] = "";

static const struct uex_command commands[] = {
    {.group_id = plain, .run_id = empty, .requested_at_ms = UEX_NO_TIME, .requested_by = empty, .reason = empty},
    {.group_id = plain,
     .command_id = ID,
     .run_id = run_id,
     .domain_id = DOMAIN_ID,
     .requested_at_ms = AT,
     .requested_by = scheduler,
     .reason = empty},
    {.group_id = odd,
     .command_id = ID,
     .run_id = text,
     .domain_id = DOMAIN_ID,
     .requested_at_ms = 0,
     .requested_by = text,
     .reason = text},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int print_line(struct uex_buffer *line)
{
    int failed = uex_buffer_failed(line) || puts(uex_buffer_text(line)) < 0;

    uex_buffer_clear(line);
    return failed;
}

static int print_commands(void)
{
    int failed = 0;

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct uex_buffer line = {0};
        uex_command_write_json(&commands[i], &line);
        failed |= print_line(&line);
    }
    return failed;
}

static int print_commands_avro(void)
{
    int failed = 0;

    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct uex_buffer line = {0};
        failed |= uex_command_write_avro(&commands[i], &line) != UEX_OK;
        for (size_t at = 0; at < line.size_bytes; at++)
            (void)printf("%02x", line.data[at]);
        (void)putchar('\n');
        uex_buffer_clear(&line);
    }
    return failed;
}

static int print_results(void)
{
    static const char *const paths[] = {"s3://exports/" DOMAIN_ID "/g%201/" ID ".csv.gz",
                                        "file:///srv/100%25/" ID ".csv.gz"};
    struct uex_buffer line = {0};
    int failed = 0;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        uex_result_write_file(i == 0 ? plain : odd, DOMAIN_ID, paths[i], "application/gzip", &line);
        failed |= print_line(&line);
    }
    for (size_t count = 1; count <= 3; count += 2) {
        uex_result_write_list_head(odd, DOMAIN_ID, &line);
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                uex_buffer_append_text(&line, ",");
            uex_buffer_append_json_bytes(&line, uex_bytes_of_text(i == 0 ? plain : text));
        }
        uex_result_write_list_tail(&line);
        failed |= print_line(&line);
    }
    return failed;
}

static int print_states(void)
{
    static const struct uex_state_record records[] = {
        {plain, UEX_OUTCOME_RETRIED, "database-unavailable", ID, NULL, AT, UEX_UNKNOWN, UEX_UNKNOWN, NULL, NULL,
         UEX_NO_TIME, 12, 1, AT + 30000, text, NULL},
        {odd, UEX_OUTCOME_EXPORTED, NULL, ID, text, AT, 100000, 123456789, "s3://exports/" ODD ".csv.gz", SHA, AT - 5,
         77, 2, UEX_NO_TIME, NULL, "0123456789abcdef"},
        {plain, UEX_OUTCOME_EXPORTED, NULL, DOMAIN_ID, run_id, AT, 3, UEX_UNKNOWN, NULL, NULL, AT - 5, 7, 1,
         UEX_NO_TIME, NULL, NULL},
        {plain, UEX_OUTCOME_SKIPPED, "empty", ID, run_id, AT, 0, UEX_UNKNOWN, NULL, NULL, AT, 0, 1, UEX_NO_TIME, NULL,
         NULL},
        {plain, UEX_OUTCOME_DEAD_LETTERED, "database-data", ID, run_id, AT, UEX_UNKNOWN, UEX_UNKNOWN, NULL, NULL,
         UEX_NO_TIME, UEX_NO_TIME, 3, UEX_NO_TIME, "SQLSTATE 22P02", NULL},
    };
    struct uex_group_memory *memory = uex_group_memory_new();
    int failed = memory == NULL;

    for (size_t i = 0; i < COUNT_OF(records) && !failed; i++) {
        struct uex_buffer line = {0};
        failed = uex_group_memory_add(memory, &records[i]) != UEX_OK;
        uex_group_state_write(&records[i], memory, &line);
        failed |= print_line(&line);
    }
    uex_group_memory_free(memory);
    return failed;
}

/* Decodes in place. "-" is absent, "." is empty. False for a line that is neither these nor hex. */
static bool decode(char *hex, struct uex_bytes *out)
{
    size_t size = strlen(hex) / 2;

    *out = (struct uex_bytes){0};
    if (strcmp(hex, "-") == 0)
        return true;
    if (strcmp(hex, ".") == 0) {
        *out = uex_bytes_of(hex, 0);
        return true;
    }
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1]};
        char *end = NULL;
        long byte = strtol(pair, &end, 16);
        if (*end != '\0')
            return false;
        hex[i] = (char)byte;
    }
    *out = uex_bytes_of(hex, size);
    return true;
}

static void answer(enum uex_error error, const struct uex_fault *fault, struct uex_buffer *line)
{
    (void)printf("%s %s\n", uex_error_code(error), error == UEX_OK ? uex_buffer_text(line) : fault->text);
    (void)fflush(stdout);
    uex_buffer_clear(line);
}

static bool read_command(char *line)
{
    char *space = strchr(line, ' ');
    struct uex_bytes key, value;
    struct uex_command command;
    struct uex_fault fault = {0};
    struct uex_buffer out = {0};

    if (space == NULL)
        return false;
    *space = '\0';
    if (!decode(line, &key) || !decode(space + 1, &value))
        return false;
    enum uex_error error = uex_command_parse(key, value, &command, &fault);
    if (error == UEX_OK)
        uex_command_write_json(&command, &out);
    answer(error, &fault, &out);
    uex_command_clear(&command);
    return true;
}

static bool read_state(char *line)
{
    struct uex_group_memory *memory = NULL;
    struct uex_fault fault = {0};
    struct uex_buffer out = {0};
    struct uex_bytes value;

    if (!decode(line, &value))
        return false;
    enum uex_error error = uex_group_state_read(value, &memory, &fault);
    if (error == UEX_OK) {
        struct uex_state_record record = {
            plain,       UEX_OUTCOME_RETRIED, NULL, ID,   NULL,        uex_group_memory_at_ms(memory),
            UEX_UNKNOWN, UEX_UNKNOWN,         NULL, NULL, UEX_NO_TIME, UEX_NO_TIME,
            1,           UEX_NO_TIME,         NULL, NULL};
        uex_group_state_write(&record, memory, &out);
    }
    answer(error, &fault, &out);
    uex_group_memory_free(memory);
    return true;
}

static int read_lines(bool (*read_line)(char *line))
{
    char *line = malloc(LINE_MAX_BYTES);
    bool good = line != NULL;

    while (good && fgets(line, (int)LINE_MAX_BYTES, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        good = read_line(line);
    }
    free(line);
    return !good;
}

int main(int argument_count, char **arguments)
{
    const char *what = argument_count == 2 ? arguments[1] : "";

    if (strcmp(what, "command") == 0)
        return print_commands();
    if (strcmp(what, "command-avro") == 0)
        return print_commands_avro();
    if (strcmp(what, "result") == 0)
        return print_results();
    if (strcmp(what, "state") == 0)
        return print_states();
    if (strcmp(what, "read-command") == 0)
        return read_lines(read_command);
    if (strcmp(what, "read-state") == 0)
        return read_lines(read_state);
    (void)fputs("usage: model_samples command|command-avro|result|state|read-command|read-state\n", stderr);
    return 2;
}
