/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/send.h"

#include <stdio.h>
#include <stdlib.h>

#include "kafka/bulk.h"

#define SAY_MS 5000

struct sending {
    const struct uex_run *run;
    const struct uex_group_list *list;
    const char *group_id; /* of the record asked for last */
    int64_t said_ms;
};

static void command_of(void *context, uint64_t index, struct uex_bytes *key, struct uex_buffer *value)
{
    struct sending *sending = context;

    sending->group_id = uex_group_list_next(sending->list, index == 0 ? NULL : sending->group_id);
    *key = uex_bytes_of_text(sending->group_id);
    uex_run_command(sending->run, sending->group_id, value);
}

static void say_progress(void *context, uint64_t delivered)
{
    struct sending *sending = context;
    int64_t now_ms = uex_monotonic_ms();

    if (now_ms - sending->said_ms < SAY_MS)
        return;
    sending->said_ms = now_ms;
    uex_log(UEX_LOG_INFO, UEX_EVENT_SCHEDULE_PROGRESS, "sending commands", UEX_STR("run", sending->run->run_id),
            UEX_NUM("sent", delivered), UEX_NUM("groups", sending->list->count));
}

enum uex_error uex_send_commands(const struct uex_config *config, const struct uex_run *run,
                                 const struct uex_group_list *list, const struct uex_cancel *cancel,
                                 struct uex_send_result *result, struct uex_fault *fault)
{
    int64_t start_ms = uex_monotonic_ms();
    struct sending sending = {.run = run, .list = list, .said_ms = start_ms};
    struct uex_bulk bulk = {.config = config,
                            .timeout_ms = UEX_SEND_TRANSACTION_MS,
                            .topic = config->topics_command,
                            .count = list->count,
                            .record = command_of,
                            .progress = say_progress,
                            .context = &sending,
                            .cancel = cancel,
                            .opening = "becoming the one scheduler",
                            .what = "sending a command",
                            .unknown_end = "the same run can be started again, no group is exported twice"};
    char *id = NULL;
    enum uex_error err = UEX_OK;

    *result = (struct uex_send_result){0};
    if (asprintf(&id, "%s-scheduler", config->kafka_group_id) < 0)
        return uex_fail(fault, UEX_NO_MEMORY, "the transactional id");
    bulk.transactional_id = id;
    err = uex_bulk_send(&bulk, &result->fenced, fault);
    if (err == UEX_OK && !result->fenced)
        result->sent = list->count;
    result->duration_ms = uex_monotonic_ms() - start_ms;
    free(id);
    return err;
}
