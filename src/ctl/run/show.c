/* SPDX-License-Identifier: Apache-2.0 */
/* run show: a run's record, what the states say now, and the groups that failed or have not ended. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/options.h"
#include "ctl/run/run.h"
#include "ctl/subcommands.h"
#include "run/outcomes.h"

#define SHOWN_ON_TERMINAL 50
#define SHOWN_MOST 100000000
#define COLUMN_OUTCOME 1
#define UNFINISHED "unfinished"

/* A group that was not exported, or not yet. */
struct trouble {
    const char *group_id;          /* the members' */
    enum uex_outcome_kind outcome; /* UEX_OUTCOME_COUNT: none yet */
    char command_id[UEX_UUID_TEXT_SIZE];
    char *reason; /* owned; NULL: none */
    int64_t at_ms, next_attempt_at_ms;
    uint64_t attempts;
};

struct show {
    struct uex_run_watch watch;
    struct uex_run_counts now;
    struct trouble *items; /* owned; failed ones first, each kind by its groups' ids */
    size_t count, capacity;
};

/* ---- the groups */

static enum uex_error add_trouble(struct show *show, const struct trouble *item)
{
    if (show->count == show->capacity) {
        size_t capacity = show->capacity == 0 ? 64 : 2 * show->capacity;
        struct trouble *grown = reallocarray(show->items, capacity, sizeof(*grown));

        if (grown == NULL)
            return UEX_NO_MEMORY;
        show->items = grown;
        show->capacity = capacity;
    }
    show->items[show->count++] = *item;
    return UEX_OK;
}

static bool is_in_trouble(const struct uex_run_member *member)
{
    return member->outcome == UEX_OUTCOME_DEAD_LETTERED || (!uex_run_member_has_ended(member) && member->is_retrying);
}

static enum uex_error take_outcome(void *context, const struct uex_state_record *outcome)
{
    struct show *show = context;
    const struct uex_run_member *member =
        uex_run_members_find(&show->watch.members, uex_bytes_of_text(outcome->group_id));
    struct trouble item = {.outcome = outcome->outcome,
                           .at_ms = outcome->at_ms,
                           .next_attempt_at_ms = outcome->next_attempt_at_ms,
                           .attempts = outcome->attempts};
    enum uex_error err = UEX_OK;

    if (member == NULL)
        return UEX_OK;
    item.group_id = uex_run_member_id(&show->watch.members, member);
    snprintf(item.command_id, sizeof(item.command_id), "%s", outcome->command_id);
    if (outcome->reason[0] != 0 && (item.reason = strdup(outcome->reason)) == NULL)
        return UEX_NO_MEMORY;
    err = add_trouble(show, &item);
    if (err != UEX_OK)
        free(item.reason);
    return err;
}

static enum uex_error add_without_outcome(struct show *show)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < show->watch.members.count && err == UEX_OK; i++) {
        const struct uex_run_member *member = &show->watch.members.items[i];
        const struct trouble item = {.group_id = uex_run_member_id(&show->watch.members, member),
                                     .outcome = UEX_OUTCOME_COUNT,
                                     .at_ms = UEX_NO_TIME,
                                     .next_attempt_at_ms = UEX_NO_TIME,
                                     .attempts = UEX_UNKNOWN};

        if (!uex_run_member_has_ended(member) && !member->is_retrying)
            err = add_trouble(show, &item);
    }
    return err;
}

static int rank_of(const struct trouble *item)
{
    return item->outcome == UEX_OUTCOME_DEAD_LETTERED ? 0 : item->outcome == UEX_OUTCOME_RETRIED ? 1 : 2;
}

static int compare(const void *left, const void *right)
{
    int by_rank = rank_of(left) - rank_of(right);

    return by_rank != 0 ? by_rank
                        : strcmp(((const struct trouble *)left)->group_id, ((const struct trouble *)right)->group_id);
}

static enum uex_error read_groups(struct show *show, struct uex_fault *fault)
{
    struct uex_run_watch *watch = &show->watch;
    const struct uex_run_pass pass = {.config = watch->config,
                                      .run = &watch->record,
                                      .members = &watch->members,
                                      .wanted = is_in_trouble,
                                      .take = take_outcome,
                                      .context = show,
                                      .wait_ms = watch->config->startup_timeout_ms,
                                      .cancel = &uex_program_cancel};
    enum uex_error err = uex_run_watch_open(watch, fault);

    if (err == UEX_OK)
        err = uex_run_watch_catch_up(watch, fault);
    if (err != UEX_OK)
        return err;
    show->now = uex_run_follow_counts(watch->follow);
    err = uex_run_pass_read(&pass, fault);
    if (err == UEX_OK)
        err = add_without_outcome(show);
    if (show->count > 1)
        qsort(show->items, show->count, sizeof(show->items[0]), compare);
    return err;
}

/* ---- printing */

static const char *outcome_text(const struct trouble *item)
{
    return item->outcome == UEX_OUTCOME_COUNT ? UNFINISHED : uex_outcome_text(item->outcome);
}

static const char *colour(size_t column, const char *cell)
{
    if (column != COLUMN_OUTCOME)
        return NULL;
    return strcmp(cell, uex_outcome_text(UEX_OUTCOME_DEAD_LETTERED)) == 0 ? "31" : "33";
}

static void write_groups(const struct show *show, size_t from, size_t count, enum uex_output format,
                         struct uex_buffer *out)
{
    static const struct uex_column_of_table columns[] = {
        {"groupId", "GROUP", UEX_CELL_TEXT},       {"outcome", "OUTCOME", UEX_CELL_TEXT},
        {"reason", "REASON", UEX_CELL_TEXT},       {"at", "WHEN", UEX_CELL_TIME},
        {"attempts", "ATTEMPTS", UEX_CELL_NUMBER}, {"nextAttemptAt", "NEXT ATTEMPT", UEX_CELL_TIME},
        {"commandId", "COMMAND", UEX_CELL_ID},
    };
    struct uex_table table = {
        .columns = columns, .column_count = sizeof(columns) / sizeof(columns[0]), .colour = colour};

    table.cells.cap_bytes = SIZE_MAX / 2;
    for (size_t i = from; i < from + count; i++) {
        const struct trouble *item = &show->items[i];
        char at[UEX_TIME_TEXT_SIZE], next[UEX_TIME_TEXT_SIZE], attempts[UEX_CELL_SIZE];

        uex_time_format(item->at_ms, at);
        uex_time_format(item->next_attempt_at_ms, next);
        const char *const cells[] = {item->group_id,
                                     outcome_text(item),
                                     uex_cell_text(item->reason),
                                     uex_cell_text(at),
                                     uex_cell_number(item->attempts, attempts),
                                     uex_cell_text(next),
                                     uex_cell_text(item->command_id)};

        uex_table_add(&table, cells);
    }
    uex_table_write(&table, format, out);
    uex_table_clear(&table);
}

/* Dead letters that were replayed, or groups that ended late. */
static bool has_moved_on(const struct show *show)
{
    const struct uex_run_record *record = &show->watch.record;

    return record->status != UEX_RUN_STARTED &&
           (record->dead_lettered != show->now.dead_lettered || record->unfinished != show->now.unfinished);
}

static void write_text(const struct show *show, size_t most, struct uex_buffer *out)
{
    const struct uex_run_record *record = &show->watch.record;
    struct uex_run_counts then = record->status == UEX_RUN_STARTED ? show->now : uex_run_counts_of(record);
    size_t shown = most > 0 && most < show->count ? most : show->count;

    uex_buffer_append_text(out, "run ");
    uex_output_append_clean(out, record->run_id);
    uex_buffer_append_format(out, ": %s, ", uex_run_status_text(record->status));
    uex_run_counts_write(&then, out);
    uex_buffer_append_text(out, "\n");
    uex_run_record_write_lines(record, out);
    if (has_moved_on(show)) {
        uex_buffer_append_text(out, "  now       ");
        uex_run_counts_write(&show->now, out);
        uex_buffer_append_text(out, "; exportctl run finish writes the end again\n");
    }
    if (shown == 0)
        return;
    uex_buffer_append_text(out, "\n");
    write_groups(show, 0, shown, UEX_OUTPUT_TABLE, out);
    if (shown < show->count)
        uex_buffer_append_format(out, "… and %zu more (--limit 0 shows all)\n", show->count - shown);
}

static void write_json(const struct show *show, struct uex_buffer *out)
{
    size_t failed = 0;
    char at[UEX_TIME_TEXT_SIZE];

    while (failed < show->count && show->items[failed].outcome == UEX_OUTCOME_DEAD_LETTERED)
        failed++;
    uex_time_format(uex_wall_ms(), at);
    uex_buffer_append_text(out, "{\"run\": ");
    uex_run_record_write_json(&show->watch.record, out);
    uex_buffer_append_format(out, ", \"at\": \"%s\", \"counts\": ", at);
    uex_run_counts_write_json(&show->now, out);
    uex_buffer_append_text(out, ", \"failed\": ");
    write_groups(show, 0, failed, UEX_OUTPUT_JSON, out);
    uex_buffer_append_text(out, ", \"unfinished\": ");
    write_groups(show, failed, show->count - failed, UEX_OUTPUT_JSON, out);
    uex_buffer_append_text(out, "}\n");
}

static void clear(struct show *show)
{
    for (size_t i = 0; i < show->count; i++)
        free(show->items[i].reason);
    free(show->items);
    uex_run_watch_close(&show->watch);
}

int uex_run_show_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct show show = {.watch = {.config = config}};
    struct uex_buffer out = {.cap_bytes = SIZE_MAX / 2};
    struct uex_fault fault = {0};
    long most = 0, otherwise = uex_output_is_terminal() ? SHOWN_ON_TERMINAL : 0;
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_USAGE;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_number("--limit", uex_ctl_options.limit, 0, SHOWN_MOST, otherwise, &most) != UEX_OK)
        return code;
    code = uex_ctl_run_operand(config, operand_count, operands, &show.watch.record);
    if (code == UEX_EXIT_DONE) {
        err = read_groups(&show, &fault);
        if (err == UEX_OK && format == UEX_OUTPUT_JSON)
            write_json(&show, &out);
        else if (err == UEX_OK)
            write_text(&show, (size_t)most, &out);
        if (err != UEX_OK)
            code = uex_output_fail(err, &fault);
        else
            code = uex_output_print(&out) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    }
    uex_buffer_clear(&out);
    clear(&show);
    return code;
}
