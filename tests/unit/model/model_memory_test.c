/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the models fails once: commands, states, results, progress, masks. */
#include "failing_memory.h"

#include "export/command.h"
#include "export/group_progress.h"
#include "export/group_state.h"
#include "export/layout.h"
#include "export/result.h"
#include "export/run_record.h"
#include "export/worker_record.h"

#define ID "00000000-0000-4000-8000-000000000007"

static enum uex_error note(enum uex_error err, struct uex_buffer *buffer)
{
    if (err == UEX_OK && uex_buffer_failed(buffer))
        err = UEX_NO_MEMORY;
    for (size_t i = 0; err == UEX_OK && i < buffer->size_bytes; i++)
        uex_torture_note("%c", buffer->data[i] == 0 ? '_' : buffer->data[i]);
    uex_buffer_clear(buffer);
    return err;
}

/* What a value says, and what is written of it. */
static enum uex_error read_and_write(struct uex_bytes value)
{
    struct uex_command command = {0};
    struct uex_buffer out = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_command_parse(uex_bytes_of_text("g"), value, &command, &fault);

    if (err == UEX_MALFORMED) { /* that is a result too */
        uex_torture_note("%s", fault.text);
        err = UEX_OK;
    } else if (err == UEX_OK) {
        uex_command_write_json(&command, &out);
    }
    uex_command_clear(&command);
    return note(err, &out);
}

static enum uex_error command_in_json(void)
{
    return read_and_write(uex_bytes_of_text("{\"groupId\":\"g\",\"commandId\":\"" ID
                                            "\",\"runId\":\"r\",\"reason\":\"a \\u00e4\","
                                            "\"requestedAt\":\"2026-01-01T00:00:00Z\",\"more\":{\"a\":[1,2]}}"));
}

static enum uex_error malformed_command(void)
{
    return read_and_write(uex_bytes_of_text("{\"groupId\":\"g\",\"groupId\":\"g\"}"));
}

static enum uex_error command_in_avro(void)
{
    static char group_id[] = "g", run_id[] = "r", empty[] = "";
    const struct uex_command command = {
        .group_id = group_id, .run_id = run_id, .requested_by = empty, .reason = empty, .command_id = ID};
    struct uex_buffer value = {0};
    enum uex_error err = uex_command_write_avro(&command, &value);

    if (err == UEX_OK)
        err = read_and_write(uex_buffer_bytes(&value));
    uex_buffer_clear(&value);
    return err;
}

/* A group's memory through a record and back, and one outcome more. */
static enum uex_error state_record(void)
{
    struct uex_group_memory *memory = uex_group_memory_new(), *copy = NULL, *again = NULL;
    struct uex_state_record record = {.group_id = "g",
                                      .outcome = UEX_OUTCOME_EXPORTED,
                                      .command_id = ID,
                                      .run_id = "r",
                                      .at_ms = 1000,
                                      .rows = 3,
                                      .bytes = 4,
                                      .file_path = "s3://bucket/key",
                                      .snapshot_at_ms = 900,
                                      .duration_ms = 5,
                                      .attempts = 1,
                                      .next_attempt_at_ms = UEX_NO_TIME};
    struct uex_buffer first = {0}, second = {0};
    enum uex_error err = memory == NULL ? UEX_NO_MEMORY : uex_group_memory_add(memory, &record);

    if (err == UEX_OK)
        uex_group_state_write(&record, memory, &first);
    if (err == UEX_OK)
        err = uex_buffer_failed(&first) ? UEX_NO_MEMORY : uex_group_state_read(uex_buffer_bytes(&first), &again, NULL);
    if (err == UEX_OK && (copy = uex_group_memory_copy(again)) == NULL)
        err = UEX_NO_MEMORY;
    record.command_id = "00000000-0000-4000-8000-000000000008";
    if (err == UEX_OK)
        err = uex_group_memory_add(copy, &record);
    if (err == UEX_OK) {
        uex_torture_note("%d %d ", uex_group_memory_is_duplicate(copy, ID),
                         uex_group_memory_is_duplicate(copy, record.command_id));
        uex_group_state_write(&record, copy, &second);
    }
    uex_group_memory_free(memory);
    uex_group_memory_free(copy);
    uex_group_memory_free(again);
    uex_buffer_clear(&first);
    return note(err, &second);
}

static enum uex_error results(void)
{
    struct uex_buffer out = {0};

    uex_result_write_file("g", ID, "s3://bucket/key.csv.gz", "application/gzip", &out);
    uex_result_write_list_head("g", ID, &out);
    uex_buffer_append_json(&out, "name \"x\"");
    uex_result_write_list_tail(&out);
    return note(UEX_OK, &out);
}

static enum uex_error run_record(void)
{
    struct uex_run_record read = {0}, copy = {0};
    struct uex_buffer out = {0};
    enum uex_error err =
        uex_run_record_parse(uex_bytes_of_text("{\"version\":1,\"runId\":\"r\",\"status\":\"completed\",\"groups\":3,"
                                               "\"requestedBy\":\"somebody\",\"manifestPath\":\"s3://bucket/key\"}"),
                             &read, NULL);

    if (err == UEX_OK)
        err = uex_run_record_copy(&read, &copy);
    if (err == UEX_OK)
        uex_run_record_write_json(&copy, &out);
    uex_run_record_clear(&read);
    uex_run_record_clear(&copy);
    return note(err, &out);
}

static enum uex_error progress(void)
{
    struct uex_group_progress read = {0};
    enum uex_error err = uex_group_progress_read(
        uex_bytes_of_text("{\"groupId\":\"g\",\"commandId\":\"" ID "\",\"worker\":\"w\",\"rows\":1,\"bytes\":2,"
                          "\"startedAt\":\"2026-01-01T00:00:00Z\",\"at\":\"2026-01-01T00:00:01Z\"}"),
        &read, NULL);

    if (err == UEX_OK)
        uex_torture_note("%s %s %s %d", read.group_id, read.command_id, read.worker, (int)read.row_count);
    return err;
}

static enum uex_error worker_record(void)
{
    struct uex_worker_record read = {0};
    struct uex_buffer out = {0};
    enum uex_error err = uex_worker_record_parse(
        uex_bytes_of_text("{\"version\":1,\"worker\":\"w\",\"at\":\"2026-01-01T00:00:00Z\",\"running\":1,\"queued\":2,"
                          "\"breakers\":[{\"dependency\":\"store\",\"since\":\"2026-01-01T00:00:00Z\",\"code\":\"c\"}],"
                          "\"stopping\":true}"),
        &read, NULL);

    if (err == UEX_OK)
        uex_worker_record_write_json(&read, &out);
    uex_worker_record_clear(&read);
    return note(err, &out);
}

static enum uex_error a_layout(void)
{
    static const struct uex_view_column columns[] = {
        {.name = "id", .kind = {.type = UEX_COLUMN_BIGINT, .typmod = -1}, .type_text = "bigint"},
        {.name = "name", .kind = {.type = UEX_COLUMN_TEXT, .typmod = -1}, .type_text = "text"}};
    static char names[] = "number=id,name", list_column[] = "name", mask[] = "name:hash", key[] = "k";
    const struct uex_config config = {
        .export_columns = names, .export_list_column = list_column, .export_mask = mask, .export_mask_key = key};
    struct uex_layout *layout = NULL, *resolved = NULL;
    struct uex_buffer out = {0};
    enum uex_error err = uex_layout_new(&config, &layout, NULL);

    if (err == UEX_OK)
        err = uex_layout_resolve(layout, "v", columns, 2, &resolved, NULL);
    if (err == UEX_OK) {
        uex_layout_write_header(resolved, UEX_VERSION_COLUMN, &out);
        uex_torture_note("%s", resolved->id);
    }
    uex_layout_free(layout);
    uex_layout_free(resolved);
    return note(err, &out);
}

static void torture__models__right_result_or_no_memory(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "a command in JSON", .run = command_in_json},
        {.name = "a malformed command", .run = malformed_command},
        {.name = "a command in Avro", .run = command_in_avro, .in_child = true},
        {.name = "a state record", .run = state_record},
        {.name = "results", .run = results},
        {.name = "progress", .run = progress},
        {.name = "run record", .run = run_record},
        {.name = "a worker's record", .run = worker_record},
        {.name = "a layout", .run = a_layout, .in_child = true},
    };

    (void)state;
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture__models__right_result_or_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
