/* SPDX-License-Identifier: Apache-2.0 */
/* forget. */
#include "ctl/forget/forget.h"

#include <stdio.h>
#include <stdlib.h>

#include "ctl/ask.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "export/uuid.h"
#include "kafka/txn.h"

#define TRANSACTION_MS 20000

struct forget {
    const struct uex_config *config;
    enum uex_output format;
    struct uex_forgotten_set groups;
    char by[UEX_WHO_SIZE];
};

/* A record without a value wherever a state of the group stands: compaction removes both, and who reads before that
 * takes it for what it means. */
static enum uex_error produce_tombstones(const struct forget *forget, struct uex_txn *txn, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < forget->groups.count; i++) {
        const struct uex_forgotten *item = &forget->groups.items[i];

        for (size_t at = 0; at < item->partition_count && err == UEX_OK; at++) {
            const struct uex_txn_record record = {.topic = forget->config->topics_state,
                                                  .partition = item->partitions[at],
                                                  .key = uex_bytes_of_text(item->group_id)};

            err = uex_txn_produce(txn, &record, fault);
        }
    }
    return err;
}

static enum uex_error send_tombstones(const struct forget *forget, struct uex_fault *fault)
{
    struct uex_txn txn = {0};
    char id[300], random[UEX_UUID_TEXT_SIZE];
    const struct uex_txn_setup setup = {.config = forget->config,
                                        .policy = UEX_TXN_GIVES_UP,
                                        .transactional_id = id,
                                        .timeout_ms = TRANSACTION_MS,
                                        .cancel = &uex_program_cancel};
    enum uex_error err = UEX_OK;

    uex_uuid_random(random);
    snprintf(id, sizeof(id), "%.249s-forget-%s", forget->config->kafka_group_id, random);
    uex_txn_init(&txn, &setup);
    err = uex_txn_prepare(&txn, forget->config->startup_timeout_ms, fault);
    if (err == UEX_OK)
        err = uex_txn_begin(&txn, fault);
    if (err == UEX_OK)
        err = produce_tombstones(forget, &txn, fault);
    if (err == UEX_OK)
        err = uex_txn_commit(&txn, fault);
    uex_txn_abort(&txn);
    uex_txn_close(&txn);
    return err;
}

/* Nothing is forgotten while one of them cannot be. False: so it is. */
static bool may_be_forgotten(const struct forget *forget)
{
    bool may = true;

    for (size_t i = 0; i < forget->groups.count; i++) {
        const struct uex_forgotten *item = &forget->groups.items[i];

        if (item->partition_count == 0)
            uex_output_error("%s has no state; there is nothing to forget", item->group_id);
        else if (item->waits_at[0] != '\0')
            uex_output_error("%s cannot be forgotten while a command of it waits or runs (%s); exportctl status "
                             "--follow shows when it has ended",
                             item->group_id, item->waits_at);
        else
            continue;
        may = false;
    }
    return may;
}

static bool is_confirmed(const struct forget *forget)
{
    char question[128];

    if (uex_ctl_options.force)
        return true;
    for (size_t i = 0; i < forget->groups.count; i++) {
        char at[UEX_TIME_TEXT_SIZE];

        uex_time_format(forget->groups.items[i].last_exported_at_ms, at);
        uex_output_error("%s: %s%s", forget->groups.items[i].group_id, at[0] == 0 ? "never exported" : "last exported ",
                         at);
    }
    uex_output_error("its commands will not be known as duplicates any more, and its last export not at all; objects "
                     "and results stay");
    snprintf(question, sizeof(question), "Forget %zu group%s?", forget->groups.count,
             forget->groups.count == 1 ? "" : "s");
    return uex_ask(question);
}

static bool print_forgotten(const struct forget *forget)
{
    static const struct uex_column_of_table columns[] = {{"groupId", "GROUP", UEX_CELL_TEXT},
                                                         {"result", "RESULT", UEX_CELL_TEXT},
                                                         {"lastExportedAt", "LAST EXPORTED", UEX_CELL_TIME}};
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};
    struct uex_buffer out = {0};
    bool printed = false;

    for (size_t i = 0; i < forget->groups.count; i++) {
        const struct uex_forgotten *item = &forget->groups.items[i];
        char at[UEX_TIME_TEXT_SIZE];
        const char *cells[] = {item->group_id, "forgotten", NULL};

        uex_time_format(item->last_exported_at_ms, at);
        cells[2] = uex_cell_text(at);
        uex_table_add(&table, cells);
        uex_log_audit(UEX_LOG_INFO, UEX_EVENT_GROUP_FORGOTTEN, "state of a group forgotten",
                      UEX_STR("group", item->group_id), UEX_STR("topic", forget->config->topics_state),
                      UEX_STR("by", forget->by), UEX_STR("reason", uex_ctl_options.reason));
    }
    uex_table_write(&table, forget->format, &out);
    uex_buffer_append_text(&out, forget->format == UEX_OUTPUT_JSON ? "\n" : "");
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}

static int forget_groups(struct forget *forget)
{
    struct uex_fault fault = {0};
    enum uex_error err = uex_forget_look(forget->config, &forget->groups, &fault);

    if (err != UEX_OK)
        return uex_output_fail(err, &fault);
    if (!may_be_forgotten(forget))
        return UEX_EXIT_FAILED;
    if (!is_confirmed(forget)) {
        uex_output_error("nothing was forgotten");
        return UEX_EXIT_FAILED;
    }
    err = send_tombstones(forget, &fault);
    if (err == UEX_TIMEOUT)
        uex_output_error("it is unknown whether they were forgotten; run the same command again");
    if (err != UEX_OK) {
        int code = uex_output_fail(err, &fault);

        return err == UEX_TIMEOUT ? UEX_EXIT_FAILED : code;
    }
    return print_forgotten(forget) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

int uex_forget_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct forget forget = {.config = config};
    struct uex_fault fault = {0};
    int code = UEX_EXIT_USAGE;

    if (uex_output_format(uex_ctl_options.output, &forget.format) != UEX_OK ||
        uex_option_text("--reason", uex_ctl_options.reason, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--by", uex_ctl_options.by, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_operands_are_groups(operand_count, operands) != UEX_OK)
        return code;
    if (operand_count == 0)
        uex_output_error("no group given; name the groups to forget");
    else if (!uex_ctl_options.force && !uex_can_ask())
        uex_output_error("forget asks first; without a terminal it needs --force");
    if (operand_count == 0 || (!uex_ctl_options.force && !uex_can_ask()))
        return code;
    uex_option_by(forget.by);
    code = uex_forgotten_make(operand_count, operands, &forget.groups) == UEX_OK
               ? forget_groups(&forget)
               : uex_output_fail(UEX_NO_MEMORY, &fault);
    uex_forgotten_clear(&forget.groups);
    return code;
}
