/* SPDX-License-Identifier: Apache-2.0 */
/* verify. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check/checks.h"
#include "ctl/connect.h"
#include "ctl/live.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "ctl/verify/verify.h"
#include "ctl/waiting.h"
#include "export/command.h"

#define SHOWN_ON_TERMINAL 50
#define SHOWN_MOST 100000000
#define NUMBER_SIZE 24
#define FIXED_COLUMNS 4
#define PAUSE_MS 200

static const char *const keys[] = {
#define KEY(name, key, title) [UEX_VERIFY_##name] = key,
    UEX_VERIFY_CHECKS(KEY)
#undef KEY
};

/* ---- printing */

static const char *colour_of(size_t column, const char *cell)
{
    (void)column;
    return strcmp(cell, "FAILS") == 0 ? "31" : strcmp(cell, "holds") == 0 ? "32" : NULL;
}

static void add_row(struct uex_table *table, const struct uex_verified *item)
{
    static const char *const verdicts[] = {
        [UEX_VERDICT_OPEN] = "-", [UEX_VERDICT_HOLDS] = "holds", [UEX_VERDICT_FAILS] = "FAILS"};
    char rows[NUMBER_SIZE] = "", bytes[NUMBER_SIZE] = "";
    const char *cells[FIXED_COLUMNS + UEX_VERIFY_COUNT] = {item->group_id,
                                                           !item->is_announced ? ""
                                                           : item->is_list     ? "list"
                                                                               : "file",
                                                           rows, bytes};

    if (item->announced.rows != UEX_UNKNOWN)
        snprintf(rows, sizeof(rows), "%" PRIu64, item->announced.rows);
    if (item->announced.bytes != UEX_UNKNOWN)
        snprintf(bytes, sizeof(bytes), "%" PRIu64, item->announced.bytes);
    for (int i = 0; i < UEX_VERIFY_COUNT; i++)
        cells[FIXED_COLUMNS + i] = verdicts[item->verdicts[i]];
    uex_table_add(table, cells);
}

/* Each line of `lines`, with the group before it. */
static void write_lines(const struct uex_verified *item, const struct uex_buffer *lines, struct uex_buffer *out)
{
    const char *line = uex_buffer_text(lines);

    if (uex_buffer_failed(lines))
        out->failed = true;
    for (; *line != 0; line += strcspn(line, "\n"), line += *line != 0) {
        char text[512];

        snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
        uex_buffer_append_format(out, "%s: ", item->group_id);
        uex_output_append_clean(out, text);
        uex_buffer_append_text(out, "\n");
    }
}

static void write_problems(const struct uex_verified *item, struct uex_buffer *out)
{
    if (item->announcement_count > 1)
        uex_buffer_append_format(out,
                                 "%s: command %s was announced %u times (a duplicate older than the last 16 commands "
                                 "of its group runs again); the newest announcement was verified\n",
                                 item->group_id, item->command_id, item->announcement_count);
    write_lines(item, &item->problems, out);
    write_lines(item, &item->notes, out);
}

/* First those with a failed check, then the others; `shown_max` at most (0: all). */
static void write_table(const struct uex_verification *verification, size_t shown_max, struct uex_buffer *out)
{
    static const struct uex_column_of_table columns[FIXED_COLUMNS + UEX_VERIFY_COUNT] = {
        {"groupId", "GROUP", UEX_CELL_TEXT},
        {"kind", "KIND", UEX_CELL_TEXT},
        {"rows", "ROWS", UEX_CELL_COUNT},
        {"bytes", "BYTES", UEX_CELL_COUNT},
#define COLUMN(name, key, title) {key, title, UEX_CELL_TEXT},
        UEX_VERIFY_CHECKS(COLUMN)
#undef COLUMN
    };
    struct uex_table table = {
        .columns = columns, .column_count = FIXED_COLUMNS + UEX_VERIFY_COUNT, .colour = colour_of};
    size_t done_count = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < verification->count; i++) {
            const struct uex_verified *item = &verification->items[i];

            if (!item->is_done || uex_verified_is_good(item) != (pass == 1))
                continue;
            done_count++;
            if (shown_max == 0 || table.row_count < shown_max)
                add_row(&table, item);
        }
    }
    uex_table_write(&table, UEX_OUTPUT_TABLE, out);
    if (done_count > table.row_count)
        uex_buffer_append_format(out, "… and %zu more (--limit 0 shows all)\n", done_count - table.row_count);
    uex_table_clear(&table);
}

static void count_good(const struct uex_verification *verification, size_t *good, size_t *bad)
{
    *good = *bad = 0;
    for (size_t i = 0; i < verification->count; i++) {
        if (verification->items[i].is_done && uex_verified_is_good(&verification->items[i]))
            (*good)++;
        else if (verification->items[i].is_done)
            (*bad)++;
    }
}

static void write_text(const struct uex_verification *verification, size_t shown_max, struct uex_buffer *out)
{
    size_t good = 0, bad = 0;

    count_good(verification, &good, &bad);
    if (good + bad > 0) {
        write_table(verification, shown_max, out);
        uex_buffer_append_text(out, "\n");
    }
    for (size_t i = 0; i < verification->count; i++)
        if (verification->items[i].is_done)
            write_problems(&verification->items[i], out);
    uex_buffer_append_format(out, "%zu hold%s, %zu fail%s", good, good == 1 ? "s" : "", bad, bad == 1 ? "s" : "");
    for (int i = 0; i < UEX_OUTCOME_COUNT; i++)
        if (verification->other_counts[i] > 0)
            uex_buffer_append_format(out, "; %zu %s: nothing to verify", verification->other_counts[i],
                                     uex_outcome_text((enum uex_outcome_kind)i));
    uex_buffer_append_text(out, "\n");
}

static void append_member(struct uex_buffer *out, const char *name, const char *text)
{
    uex_buffer_append_format(out, ", \"%s\": ", name);
    uex_buffer_append_json(out, text == NULL || text[0] == 0 ? NULL : text);
}

static void append_number(struct uex_buffer *out, const char *name, uint64_t number)
{
    if (number == UEX_UNKNOWN)
        uex_buffer_append_format(out, ", \"%s\": null", name);
    else
        uex_buffer_append_format(out, ", \"%s\": %" PRIu64, name, number);
}

/* "a", "b": a text for each line. */
static void append_lines(const struct uex_buffer *lines, struct uex_buffer *out)
{
    const char *line = uex_buffer_text(lines);

    if (uex_buffer_failed(lines))
        out->failed = true;
    for (bool is_first = true; *line != 0; line += strcspn(line, "\n"), line += *line != 0, is_first = false) {
        uex_buffer_append_text(out, is_first ? "" : ", ");
        uex_buffer_append_json_bytes(out, uex_bytes_of(line, strcspn(line, "\n")));
    }
}

static void write_json_item(const struct uex_verified *item, struct uex_buffer *out)
{
    static const char *const verdicts[] = {
        [UEX_VERDICT_OPEN] = "null", [UEX_VERDICT_HOLDS] = "true", [UEX_VERDICT_FAILS] = "false"};

    uex_buffer_append_text(out, "{\"groupId\": ");
    uex_buffer_append_json(out, item->group_id);
    append_member(out, "commandId", item->command_id);
    append_member(out, "runId", item->run_id);
    append_member(out, "kind", !item->is_announced ? NULL : item->is_list ? "list" : "file");
    append_member(out, "filePath", item->announced.file_path);
    append_number(out, "rows", item->announced.rows);
    append_number(out, "bytes", item->announced.bytes);
    append_member(out, "sha256", item->announced.sha256);
    uex_buffer_append_format(out, ", \"holds\": %s, \"checks\": {", uex_verified_is_good(item) ? "true" : "false");
    for (int i = 0; i < UEX_VERIFY_COUNT; i++)
        uex_buffer_append_format(out, "%s\"%s\": %s", i == 0 ? "" : ", ", keys[i], verdicts[item->verdicts[i]]);
    uex_buffer_append_text(out, "}, \"problems\": [");
    append_lines(&item->problems, out);
    if (item->notes.size_bytes > 0) {
        uex_buffer_append_text(out, "], \"notes\": [");
        append_lines(&item->notes, out);
    }
    uex_buffer_append_text(out, "]}");
}

static void write_json(const struct uex_verification *verification, struct uex_buffer *out)
{
    const char *separator = "\n  ";

    uex_buffer_append_text(out, "[");
    for (size_t i = 0; i < verification->count; i++) {
        if (!verification->items[i].is_done)
            continue;
        uex_buffer_append_text(out, separator);
        write_json_item(&verification->items[i], out);
        separator = ",\n  ";
    }
    uex_buffer_append_text(out, "\n]\n");
}

/* ---- doing */

struct doing {
    struct uex_live live;
    const struct uex_verification *verification;
    size_t index;
    struct uex_waiting *waiting; /* until the store has answered */
};

static void end_waiting(struct doing *doing)
{
    if (doing->waiting != NULL)
        uex_waiting_end(doing->waiting);
    doing->waiting = NULL;
}

static void show_progress(void *context, uint64_t size_bytes)
{
    struct doing *doing = context;
    const struct uex_verified *item = &doing->verification->items[doing->index];
    struct uex_buffer line = {0};
    char size[32], whole[32];

    end_waiting(doing);
    if (!uex_live_is_due(&doing->live, uex_monotonic_ms()))
        return;
    uex_output_size(size_bytes, size);
    uex_output_size(item->announced.bytes == UEX_UNKNOWN ? size_bytes : item->announced.bytes, whole);
    uex_buffer_append_format(&line, "%zu of %zu  ", doing->index + 1, doing->verification->count);
    uex_output_append_name(&line, item->group_id);
    uex_buffer_append_format(&line, "  %s of %s\n", size, whole);
    uex_live_draw(&doing->live, &line);
    uex_buffer_clear(&line);
}

/* The first object that is asked for: the store is waited for as other dependencies are. */
static enum uex_error verify_first(struct doing *doing, struct uex_object_store *store, struct uex_fault *fault)
{
    struct uex_verified *item = &doing->verification->items[doing->index];
    const int64_t wait_ms = uex_wait_for_ms(doing->verification->config);
    const int64_t until_ms = uex_monotonic_ms() + wait_ms;
    struct uex_waiting waiting;
    enum uex_error err = UEX_OK;

    uex_waiting_begin(&waiting, "the object store (storage.url)", wait_ms, NULL);
    doing->waiting = &waiting;
    do {
        err = uex_verify_object(item, store, doing->verification->layout, show_progress, doing, fault);
    } while (err == UEX_STORE_UNAVAILABLE && doing->waiting != NULL && uex_monotonic_ms() < until_ms &&
             uex_sleep_ms(PAUSE_MS, store->cancel));
    end_waiting(doing);
    return err;
}

static enum uex_error verify_objects(struct uex_verification *verification, struct uex_object_store *store,
                                     struct uex_fault *fault)
{
    struct doing doing = {.verification = verification};
    enum uex_error err = UEX_OK;
    bool has_answered = false;

    uex_live_begin(&doing.live);
    for (size_t i = 0; i < verification->count && err == UEX_OK; i++) {
        struct uex_verified *item = &verification->items[i];

        doing.index = i;
        if (uex_output_closed())
            break;
        if (uex_cancel_requested(&uex_program_cancel))
            err = UEX_CANCELLED;
        else if (item->announced.file_path == NULL || item->domain_id[0] == 0)
            err = UEX_OK;
        else if (has_answered)
            err = uex_verify_object(item, store, doing.verification->layout, show_progress, &doing, fault);
        else
            err = verify_first(&doing, store, fault);
        has_answered = has_answered || (err == UEX_OK && item->announced.file_path != NULL);
        item->is_done = err == UEX_OK;
    }
    uex_live_erase(&doing.live);
    return err;
}

static bool has_object(const struct uex_verification *verification)
{
    for (size_t i = 0; i < verification->count; i++)
        if (verification->items[i].announced.file_path != NULL)
            return true;
    return false;
}

/* Today's layout with the types of the view, if there is a database. Without an answer it stays as the settings have
 * it. */
static enum uex_error resolve_layout(struct uex_verification *verification, struct uex_fault *fault)
{
    const char *dsn = verification->config->postgres_dsn;
    struct uex_layout *layout = NULL;
    struct uex_fault of_database = {0};
    enum uex_error err;

    if (dsn == NULL || dsn[0] == 0 || !has_object(verification))
        return UEX_OK;
    err = uex_ctl_read_layout(verification->config, &layout, &of_database);
    if (err == UEX_CANCELLED || err == UEX_NO_MEMORY)
        return uex_fail(fault, err, "%s", of_database.text);
    if (err != UEX_OK) {
        uex_output_error("today's layout is not known: %s (%s); columns are compared with export.columns",
                         of_database.text, uex_error_code(err));
        return UEX_OK;
    }
    uex_layout_free(verification->layout);
    verification->layout = layout;
    return UEX_OK;
}

static int verify_all(struct uex_verification *verification, struct uex_object_store *store, int group_count,
                      char **group_ids, enum uex_output format, size_t shown_max)
{
    struct uex_state_set states = {0};
    struct uex_fault fault = {0};
    struct uex_buffer out = {.cap_bytes = SIZE_MAX / 2};
    size_t good = 0, bad = 0;
    int code = UEX_EXIT_FAILED;
    enum uex_error err = uex_states_read(verification->config, &states, &fault);

    if (err == UEX_OK)
        err = uex_verify_find(verification, &states, group_count, group_ids);
    uex_state_set_clear(&states);
    if (err == UEX_OK)
        err = uex_verify_announcements(verification, &fault);
    if (err == UEX_OK)
        err = resolve_layout(verification, &fault);
    if (err == UEX_OK)
        err = verify_objects(verification, store, &fault);
    count_good(verification, &good, &bad);
    if (err == UEX_OK || good + bad > 0) {
        if (format == UEX_OUTPUT_JSON)
            write_json(verification, &out);
        else
            write_text(verification, shown_max, &out);
        if (uex_output_print(&out) && bad == 0)
            code = UEX_EXIT_DONE;
    }
    uex_buffer_clear(&out);
    if (err == UEX_OK && verification->count == 0 && group_count == 0) {
        uex_output_error("no export of run %s is in the states; see exportctl status --run %s", verification->run_id,
                         verification->run_id);
        code = UEX_EXIT_FAILED;
    }
    if (err == UEX_CANCELLED)
        uex_output_error("stopped: %zu of %zu were verified", good + bad, verification->count);
    else if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    return err == UEX_CANCELLED ? UEX_EXIT_FAILED : code;
}

void uex_verify_check_config(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};

    uex_check_kafka(config, problems);
    if (config->storage_url != NULL && config->storage_url[0] != 0 && uex_object_store_check(config, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "%s\n", fault.text);
}

int uex_verify_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_verification verification = {.config = config, .run_id = uex_ctl_options.run};
    struct uex_store_service *service = NULL;
    struct uex_object_store *store = NULL;
    struct uex_fault fault = {0};
    enum uex_output format = UEX_OUTPUT_TABLE;
    long limit = 0, otherwise = uex_output_is_terminal() && operand_count == 0 ? SHOWN_ON_TERMINAL : 0;
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_USAGE;

    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_text("--run", uex_ctl_options.run, UEX_RUN_ID_MAX_CHARACTERS) != UEX_OK ||
        uex_option_number("--limit", uex_ctl_options.limit, 0, SHOWN_MOST, otherwise, &limit) != UEX_OK ||
        uex_operands_are_groups(operand_count, operands) != UEX_OK)
        return code;
    if (operand_count == 0 && uex_ctl_options.run == NULL) {
        uex_output_error("nothing to verify; name groups or give --run");
        return code;
    }
    err = uex_layout_new(config, &verification.layout, &fault);
    if (err == UEX_OK)
        err = uex_store_service_new(config, &service, &fault);
    if (err == UEX_OK)
        err = uex_object_store_new(service, &store, &fault);
    if (err == UEX_OK) {
        store->cancel = &uex_program_cancel;
        code = verify_all(&verification, store, operand_count, operands, format, (size_t)limit);
        store->destroy(store);
    } else {
        code = uex_output_fail(err, &fault);
    }
    uex_store_service_free(service);
    uex_layout_free(verification.layout);
    uex_verification_clear(&verification);
    return code;
}
