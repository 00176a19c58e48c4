/* SPDX-License-Identifier: Apache-2.0 */
/* trigger. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check/checks.h"
#include "ctl/ask.h"
#include "ctl/connect.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "ctl/trigger/trigger.h"
#include "export/group_list.h"
#include "export/postgres.h"

#define APPLICATION_NAME "exportctl"

/* Sorted, each group once, with a new command id. */
static void sort_commands(struct uex_awaited_set *commands)
{
    size_t kept = 0;

    uex_awaited_sort(commands);
    for (size_t i = 0; i < commands->count; i++) {
        if (kept > 0 && strcmp(commands->items[kept - 1].group_id, commands->items[i].group_id) == 0)
            continue;
        commands->items[kept] = commands->items[i];
        commands->items[kept].known_at_ms = UEX_NO_TIME;
        uex_uuid_random(commands->items[kept++].command_id);
    }
    commands->count = kept;
}

static enum uex_error take_named(struct uex_trigger *trigger, int operand_count, char **operands)
{
    trigger->commands.items = calloc((size_t)operand_count + 1, sizeof(*trigger->commands.items));
    if (trigger->commands.items == NULL)
        return UEX_NO_MEMORY;
    for (int i = 0; i < operand_count; i++)
        trigger->commands.items[trigger->commands.count++].group_id = operands[i];
    return UEX_OK;
}

static enum uex_error take_all(struct uex_trigger *trigger, struct uex_group_list *list, struct uex_fault *fault)
{
    enum uex_error err = uex_ctl_await_database(trigger->config, fault);

    if (err == UEX_OK)
        err = uex_groups_read(trigger->config, APPLICATION_NAME, trigger->config->startup_timeout_ms,
                              &uex_program_cancel, list, fault);
    if (err != UEX_OK)
        return err;
    trigger->commands.items = calloc((size_t)list->count + 1, sizeof(*trigger->commands.items));
    if (trigger->commands.items == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the groups");
    for (const char *id = uex_group_list_next(list, NULL); id != NULL; id = uex_group_list_next(list, id))
        trigger->commands.items[trigger->commands.count++].group_id = id;
    if (list->left_out > 0)
        uex_output_error("%" PRIu64 " active groups were left out: their ids are not 1 to 255 bytes of UTF-8 without "
                         "control characters",
                         list->left_out);
    return UEX_OK;
}

static int send_and_print(const struct uex_trigger *trigger)
{
    struct uex_fault fault = {0};
    rd_kafka_t *admin = NULL;
    enum uex_error err =
        uex_ctl_connect(trigger->config, UEX_KAFKA_ADMIN, &admin, &fault); /* gives the best reason why not */

    uex_kafka_destroy(admin);
    if (err == UEX_OK)
        err = uex_trigger_send(trigger, &fault);
    if (err != UEX_OK)
        return uex_trigger_fail(err, &fault);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%zu command%s sent to %s; exportctl status --follow shows the outcome%s\n",
                trigger->commands.count, trigger->commands.count == 1 ? "" : "s", trigger->config->topics_command,
                trigger->commands.count == 1 ? "" : "s");
    return uex_trigger_print(trigger) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}

static bool print_document(void *context)
{
    return uex_trigger_print(context);
}

static int send_and_wait(struct uex_trigger *trigger)
{
    struct uex_await *await = NULL;
    struct uex_fault fault = {0};
    enum uex_error err = uex_await_open(trigger->config, &await, &fault);
    int code = UEX_EXIT_FAILED;

    trigger->commands.skips_are_fine = trigger->all;
    trigger->commands.format = trigger->format;
    trigger->commands.print = print_document;
    trigger->commands.context = trigger;
    if (err == UEX_OK)
        err = uex_trigger_send(trigger, &fault);
    if (err != UEX_OK)
        code = uex_trigger_fail(err, &fault);
    else if (trigger->format == UEX_OUTPUT_JSON || uex_trigger_print(trigger))
        code = uex_await_outcomes(await, &trigger->commands);
    uex_await_close(await);
    return code;
}

/* --dry-run: no broker is asked. */
static int print_only(const struct uex_trigger *trigger)
{
    if (!uex_trigger_print_values(trigger))
        return UEX_EXIT_FAILED;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "%zu command%s would be sent to %s; nothing was sent (--dry-run)\n", trigger->commands.count,
                trigger->commands.count == 1 ? "" : "s", trigger->config->topics_command);
    return UEX_EXIT_DONE;
}

/* Only --all needs the database. */
void uex_trigger_check(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};
    bool has_dsn = config->postgres_dsn != NULL && config->postgres_dsn[0] != 0;

    uex_check_kafka(config, problems);
    if (!uex_ctl_options.all)
        return;
    if (!has_dsn)
        uex_buffer_append_text(problems, "postgres.dsn: required for --all, to read the active groups\n");
    else if (uex_postgres_check_dsn(config->postgres_dsn, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "postgres.dsn: %s\n", fault.text);
}

static enum uex_error read_options(struct uex_trigger *trigger, int operand_count, char **operands)
{
    const struct uex_ctl_options *given = &uex_ctl_options;

    if (uex_output_format(given->output, &trigger->format) != UEX_OK ||
        uex_option_text("--run", given->run, UEX_RUN_ID_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--reason", given->reason, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_text("--by", given->by, UEX_FREE_TEXT_MAX_CHARACTERS) != UEX_OK ||
        uex_option_wait(&trigger->commands.timeout_ms) != UEX_OK ||
        uex_operands_are_groups(operand_count, operands) != UEX_OK)
        return UEX_CONFIG;
    if (given->all == (operand_count > 0)) {
        uex_output_error(given->all ? "give either --all or GROUP…, not both"
                                    : "no group given; name groups or give --all");
        return UEX_CONFIG;
    }
    if (given->again && (!given->all || given->run == NULL)) {
        uex_output_error("--again needs --all and --run");
        return UEX_CONFIG;
    }
    trigger->all = given->all;
    trigger->run_id = given->run;
    trigger->reason = given->reason;
    uex_option_by(trigger->requested_by);
    return UEX_OK;
}

int uex_trigger_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_trigger trigger = {.config = config, .requested_at_ms = uex_wall_ms()};
    struct uex_group_list list = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_USAGE;

    if (read_options(&trigger, operand_count, operands) != UEX_OK)
        return code;
    if (!trigger.all && !uex_ctl_options.dry_run &&
        !uex_ask_for_unknown_groups(config, operand_count, operands, "Send a command all the same?")) {
        uex_output_error("nothing was sent");
        return UEX_EXIT_FAILED;
    }
    err = trigger.all ? take_all(&trigger, &list, &fault) : take_named(&trigger, operand_count, operands);
    sort_commands(&trigger.commands);
    if (err != UEX_OK) {
        code = uex_output_fail(err, &fault);
    } else if (trigger.commands.count == 0 && uex_trigger_starts_run(&trigger) && !uex_ctl_options.dry_run) {
        code = uex_trigger_start_empty_run(&trigger);
    } else if (trigger.commands.count == 0) {
        uex_output_error("no active group; nothing was sent");
        code = UEX_EXIT_DONE;
    } else {
        code = uex_ctl_options.dry_run ? print_only(&trigger)
               : uex_ctl_options.wait  ? send_and_wait(&trigger)
                                       : send_and_print(&trigger);
    }
    if (code == UEX_EXIT_DONE && list.left_out > 0)
        code = UEX_EXIT_FAILED;
    uex_awaited_clear(&trigger.commands);
    uex_group_list_clear(&list);
    return code;
}
