/* SPDX-License-Identifier: Apache-2.0 */
/* retry list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/options.h"
#include "ctl/retry/waiting.h"
#include "ctl/subcommands.h"
#include "export/command.h"
#include "export/text.h"
#include "kafka/dead_letter.h"

#define SHOWN_ON_TERMINAL 50
#define SHOWN_MOST 100000000
#define RECORDS_MAX_BYTES ((size_t)256 << 20)

/* One command that waits; one block of memory with its texts. */
struct waiting {
    int64_t due_ms; /* UEX_NO_TIME: none; it is tried at once */
    int64_t offset, attempts;
    int32_t partition;
    size_t tier;
    char topic[UEX_TOPIC_NAME_SIZE];
    char command_id[UEX_UUID_TEXT_SIZE];
    const char *group_id, *error_code, *error;
    char texts[];
};

struct list {
    const struct uex_config *config;
    char *const *group_ids; /* only these; none: all */
    int group_count;
    struct waiting **items;
    size_t count, capacity, size_bytes;
};

static bool is_asked(const struct list *list, const struct uex_record *record)
{
    bool asked = list->group_count == 0;

    for (int i = 0; i < list->group_count && !asked; i++)
        asked = record->key.data != NULL && strlen(list->group_ids[i]) == record->key.size_bytes &&
                memcmp(list->group_ids[i], record->key.data, record->key.size_bytes) == 0;
    return asked;
}

static struct waiting *waiting_new(const struct uex_record *record, const struct uex_tier *tier, size_t *size_bytes)
{
    const char *group_id =
        record->key.data != NULL && uex_group_id_valid(record->key) ? (const char *)record->key.data : "";
    struct uex_dead_letter letter; /* a retry record's headers are those of a dead letter */
    struct waiting *item = NULL;
    size_t group_bytes = strlen(group_id) + 1, code_bytes = 0, error_bytes = 0;

    uex_dead_letter_read(record, &letter);
    code_bytes = strlen(letter.error_code) + 1;
    error_bytes = strlen(letter.error) + 1;
    *size_bytes = sizeof(*item) + group_bytes + code_bytes + error_bytes;
    item = calloc(1, *size_bytes);
    if (item == NULL)
        return NULL;
    *item = (struct waiting){.due_ms = record->envelope.due_ms,
                             .offset = record->offset,
                             .attempts = letter.attempts,
                             .partition = record->partition,
                             .tier = tier->number};
    memcpy(item->topic, tier->topic, sizeof(item->topic));
    memcpy(item->command_id, letter.command_id, sizeof(item->command_id));
    item->group_id = memcpy(item->texts, group_id, group_bytes);
    item->error_code = memcpy(item->texts + group_bytes, letter.error_code, code_bytes);
    item->error = memcpy(item->texts + group_bytes + code_bytes, letter.error, error_bytes);
    return item;
}

static enum uex_error add(struct list *list, const struct uex_record *record, const struct uex_tier *tier)
{
    size_t size_bytes = 0;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        struct waiting **items = realloc(list->items, capacity * sizeof(struct waiting *));

        if (items == NULL)
            return UEX_NO_MEMORY;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count] = waiting_new(record, tier, &size_bytes);
    if (list->items[list->count] == NULL)
        return UEX_NO_MEMORY;
    list->count++;
    list->size_bytes += size_bytes;
    return list->size_bytes > RECORDS_MAX_BYTES ? UEX_LIMIT : UEX_OK;
}

static enum uex_error take(void *context, const rd_kafka_message_t *message, const struct uex_tier *tier)
{
    struct list *list = context;
    struct uex_record *record = uex_record_copy(message, list->config->topics_command);
    enum uex_error err = UEX_NO_MEMORY;

    if (record != NULL)
        err = is_asked(list, record) ? add(list, record, tier) : UEX_OK;
    uex_record_free(record);
    return err;
}

static int by_due(const void *left, const void *right)
{
    const struct waiting *a = *(struct waiting *const *)left, *b = *(struct waiting *const *)right;

    if (a->due_ms != b->due_ms)
        return a->due_ms < b->due_ms ? -1 : 1;
    return strcmp(a->group_id, b->group_id);
}

static void add_row(struct uex_table *table, const struct waiting *item)
{
    char tier[UEX_CELL_SIZE], partition[UEX_CELL_SIZE], offset[UEX_CELL_SIZE], attempts[UEX_CELL_SIZE];
    char due[UEX_TIME_TEXT_SIZE];

    uex_time_format(item->due_ms, due);
    const char *const cells[] = {
        uex_cell_text(item->group_id),
        uex_cell_text(item->command_id),
        item->topic,
        uex_cell_number(item->tier, tier),
        uex_cell_number((uint64_t)item->partition, partition),
        uex_cell_number((uint64_t)item->offset, offset),
        uex_cell_text(due),
        uex_cell_number(item->attempts < 0 ? UEX_UNKNOWN : (uint64_t)item->attempts, attempts),
        uex_cell_text(item->error_code),
        uex_cell_text(item->error),
    };
    uex_table_add(table, cells);
}

static bool print_list(const struct list *list, size_t shown, enum uex_output format)
{
    static const struct uex_column_of_table columns[] = {
        {"groupId", "GROUP", UEX_CELL_TEXT},   {"commandId", "COMMAND", UEX_CELL_ID},
        {"topic", NULL, UEX_CELL_TEXT},        {"tier", "TIER", UEX_CELL_NUMBER},
        {"partition", NULL, UEX_CELL_NUMBER},  {"offset", NULL, UEX_CELL_NUMBER},
        {"dueAt", "DUE", UEX_CELL_TIME},       {"attempts", "ATTEMPTS", UEX_CELL_NUMBER},
        {"errorCode", "ERROR", UEX_CELL_TEXT}, {"error", NULL, UEX_CELL_TEXT},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};
    struct uex_buffer out = {.cap_bytes = SIZE_MAX / 2};
    bool printed = false;

    table.cells.cap_bytes = SIZE_MAX / 2;
    for (size_t i = 0; i < shown; i++)
        add_row(&table, list->items[i]);
    if (format == UEX_OUTPUT_JSON || shown > 0)
        uex_table_write(&table, format, &out);
    if (format == UEX_OUTPUT_JSON)
        uex_buffer_append_text(&out, "\n");
    else if (shown < list->count)
        uex_buffer_append_format(&out, "… and %zu more (--limit 0 shows all)\n", list->count - shown);
    if (format == UEX_OUTPUT_TABLE)
        uex_buffer_append_format(&out, "%s%zu command%s wait%s in the retry topics\n", list->count == 0 ? "" : "\n",
                                 list->count, list->count == 1 ? "" : "s", list->count == 1 ? "s" : "");
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}

int uex_retry_list_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct list list = {.config = config, .group_ids = operands, .group_count = operand_count};
    const struct uex_waiting_commands reading = {.take = take, .context = &list};
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_fault fault = {0};
    long limit = 0;
    size_t shown = 0;
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_FAILED;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_number("--limit", uex_ctl_options.limit, 0, SHOWN_MOST,
                          uex_output_is_terminal() ? SHOWN_ON_TERMINAL : 0, &limit) != UEX_OK ||
        uex_operands_are_groups(operand_count, operands) != UEX_OK)
        return UEX_EXIT_USAGE;
    err = uex_waiting_commands_read(config, &reading, &fault);
    if (err == UEX_LIMIT)
        (void)uex_fail(&fault, err, "the commands that wait take more than 256 MiB; name some GROUPs");
    if (list.count > 1)
        qsort(list.items, list.count, sizeof(struct waiting *), by_due);
    shown = limit > 0 && (size_t)limit < list.count && format == UEX_OUTPUT_TABLE ? (size_t)limit : list.count;
    if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    else if (print_list(&list, shown, format))
        code = UEX_EXIT_DONE;
    for (size_t i = 0; i < list.count; i++)
        free(list.items[i]);
    free(list.items);
    return code;
}
