/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "export/text.h"
#include "kafka/bulk.h"
#include "run/start.h"

#define LOG_EVERY_MS 5000

bool uex_run_id_valid(struct uex_bytes run_id)
{
    size_t character_count = 0;

    for (size_t i = 0; i < run_id.size_bytes; i++)
        character_count += (run_id.data[i] & 0xc0) != 0x80;
    /* The rule for group ids but for the length. */
    return uex_group_id_valid(run_id) && character_count <= UEX_RUN_ID_MAX_CHARACTERS;
}

void uex_run_command(const struct uex_run *run, const char *group_id, struct uex_buffer *value)
{
    struct uex_command command = {.group_id = (char *)(uintptr_t)group_id,
                                  .run_id = (char *)(uintptr_t)run->run_id,
                                  .requested_at_ms = run->requested_at_ms,
                                  .requested_by = (char *)(uintptr_t)UEX_REQUESTED_BY,
                                  .reason = (char *)(uintptr_t) ""};

    memcpy(command.domain_id, run->domain_id, strlen(run->domain_id) + 1); /* checked: a UUID or "" */
    uex_command_id_of_schedule(run->run_id, group_id, command.command_id);
    uex_command_write_json(&command, value);
}

struct sending {
    const struct uex_run *run;
    const struct uex_group_list *list;
    const char *group_id; /* of the record asked for last */
    int64_t logged_ms;
};

static void command_of(void *context, uint64_t index, struct uex_bytes *key, struct uex_buffer *value)
{
    struct sending *sending = context;

    sending->group_id = uex_group_list_next(sending->list, index == 0 ? NULL : sending->group_id);
    *key = uex_bytes_of_text(sending->group_id);
    uex_run_command(sending->run, sending->group_id, value);
}

static void log_progress(void *context, uint64_t delivered)
{
    struct sending *sending = context;
    int64_t now_ms = uex_monotonic_ms();

    if (now_ms - sending->logged_ms < LOG_EVERY_MS)
        return;
    sending->logged_ms = now_ms;
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULE_PROGRESS, "sending commands", UEX_STR("run", sending->run->run_id),
            UEX_NUM("sent", delivered), UEX_NUM("groups", sending->list->count));
}

/* Without a record of the run, as long as nobody has made the topic for it. */
static enum uex_error send_unrecorded(struct uex_bulk *bulk, bool *fenced, struct uex_fault *fault)
{
    char *id = NULL;
    enum uex_error err = UEX_OK;

    if (asprintf(&id, "%s-scheduler", bulk->config->kafka_group_id) < 0)
        return uex_fail(fault, UEX_NO_MEMORY, "the transactional id");
    bulk->transactional_id = id;
    err = uex_bulk_send(bulk, fenced, fault);
    free(id);
    return err;
}

enum uex_error uex_send_commands(const struct uex_config *config, const struct uex_run *run,
                                 const struct uex_group_list *list, const struct uex_run_record *started, bool again,
                                 const struct uex_cancel *cancel, struct uex_send_result *result,
                                 struct uex_fault *fault)
{
    int64_t start_ms = uex_monotonic_ms();
    struct sending sending = {.run = run, .list = list, .logged_ms = start_ms};
    struct uex_bulk bulk = {.config = config,
                            .timeout_ms = UEX_SEND_TRANSACTION_MS,
                            .topic = config->topics_command,
                            .count = list->count,
                            .record = command_of,
                            .progress = log_progress,
                            .context = &sending,
                            .cancel = cancel,
                            .opening = "becoming the one scheduler",
                            .what = "sending a command",
                            .unknown_end = "the same run can be started again, no group is exported twice"};
    struct uex_run_start_result start = {0};
    enum uex_error err = started == NULL ? send_unrecorded(&bulk, &start.fenced, fault)
                                         : uex_run_start(&bulk, started, again, &start, fault);

    *result = (struct uex_send_result){.fenced = start.fenced,
                                       .was_there = start.was_there,
                                       .started_again = start.started_again,
                                       .found = start.found,
                                       .duration_ms = uex_monotonic_ms() - start_ms};
    if (err == UEX_OK && !result->fenced && !result->was_there)
        result->sent = list->count;
    return err;
}
