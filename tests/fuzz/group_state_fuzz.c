/* SPDX-License-Identifier: Apache-2.0 */
/* State records: what is taken can be copied, added to and written, and what is written is taken again. */
#include <stdlib.h>

#include "export/group_state_view.h"

#define COMMAND_ID "10731def-ce10-4a86-a579-f4438f52a638"

static void write_and_read_again(struct uex_group_memory *memory)
{
    struct uex_state_record record = {.group_id = "g-17",
                                      .outcome = UEX_OUTCOME_EXPORTED,
                                      .command_id = COMMAND_ID,
                                      .run_id = "2026-11-22",
                                      .at_ms = 1795369800123,
                                      .rows = 5,
                                      .bytes = 100,
                                      .file_path = "s3://bucket/x.csv.gz",
                                      .sha256 = "",
                                      .snapshot_at_ms = 1795369800000,
                                      .duration_ms = 20,
                                      .attempts = 1,
                                      .next_attempt_at_ms = UEX_NO_TIME};
    struct uex_group_memory *copy = uex_group_memory_copy(memory), *again = NULL;
    struct uex_buffer written = {0};

    if (copy != NULL && uex_group_memory_add(copy, &record) == UEX_OK) {
        uex_group_state_write(&record, copy, &written);
        if (uex_buffer_failed(&written) || uex_group_state_read(uex_buffer_bytes(&written), &again, NULL) != UEX_OK ||
            !uex_group_memory_is_duplicate(again, COMMAND_ID) || uex_group_memory_at_ms(again) != record.at_ms)
            abort();
    }
    uex_group_memory_free(again);
    uex_group_memory_free(copy);
    uex_buffer_clear(&written);
}

/* Whoever shows states refuses at least what a worker refuses. */
static void read_whole(struct uex_bytes value, enum uex_error memory_error)
{
    struct uex_group_state_view view;
    struct uex_fault fault = {0};
    enum uex_error error = uex_group_state_view_read(value, &view, &fault);

    if ((error == UEX_OK && memory_error != UEX_OK) || (error != UEX_OK && fault.text[0] == '\0'))
        abort();
    uex_group_state_view_clear(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct uex_group_memory *memory = NULL;
    struct uex_fault fault = {0};
    enum uex_error error = uex_group_state_read(uex_bytes_of(data, size_bytes), &memory, &fault);

    if (error == UEX_OK)
        write_and_read_again(memory);
    else if (error != UEX_MALFORMED || fault.text[0] == '\0')
        abort();
    read_whole(uex_bytes_of(data, size_bytes), error);
    uex_group_memory_free(memory);
    return 0;
}
