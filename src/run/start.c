/* SPDX-License-Identifier: Apache-2.0 */
#include "run/start.h"

#include <stdio.h>
#include <stdlib.h>

#include "run/records.h"

struct start {
    const struct uex_bulk *bulk;
    const char *run_id;
    bool again;
    struct uex_bulk_extra *also; /* the record */
    struct uex_run_start_result *result;
};

/* Nobody else starts a run between this look and the commit: they would have fenced this process. */
static enum uex_error look_for_run(void *context, struct uex_fault *fault)
{
    struct start *start = context;
    bool is_foreign = false;
    enum uex_error err =
        uex_run_record_find_settled(start->bulk->config, start->run_id, start->bulk->config->startup_timeout_ms,
                                    start->bulk->cancel, &start->result->found, &is_foreign, fault);

    if (err == UEX_NOT_FOUND && is_foreign)
        return uex_fail(fault, UEX_CONFIG,
                        "topics.run %s has a run %s of another deployment (its command topic is not %s); give this "
                        "deployment a run topic of its own",
                        start->bulk->config->topics_run, start->run_id, start->bulk->config->topics_command);
    if (err == UEX_OK && start->again) {
        start->also->headers[1].value = "true";
        start->result->started_again = true;
        return UEX_OK;
    }
    if (err == UEX_NOT_FOUND)
        return UEX_OK;
    return err == UEX_OK ? UEX_END : err;
}

enum uex_error uex_run_start(struct uex_bulk *bulk, const struct uex_run_record *started, bool again,
                             struct uex_run_start_result *result, struct uex_fault *fault)
{
    struct uex_bulk_extra also = {
        .topic = bulk->config->topics_run,
        .key = uex_bytes_of_text(started->run_id),
        .headers = {{UEX_RUN_HEADER_COMMAND_TOPIC, bulk->config->topics_command}, {UEX_RUN_HEADER_AGAIN, NULL}}};
    struct start start = {.bulk = bulk, .run_id = started->run_id, .again = again, .also = &also, .result = result};
    struct uex_buffer value = {0};
    char *id = NULL;
    enum uex_error err = UEX_OK;

    *result = (struct uex_run_start_result){0};
    uex_run_record_write_json(started, &value);
    if (uex_buffer_failed(&value) || asprintf(&id, "%s-scheduler", bulk->config->kafka_group_id) < 0) {
        uex_buffer_clear(&value);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the start of run %s", started->run_id);
    }
    also.value = uex_buffer_bytes(&value);
    bulk->transactional_id = id;
    bulk->also = &also;
    bulk->ready = look_for_run;
    bulk->ready_context = &start;
    err = uex_bulk_send(bulk, &result->fenced, fault);
    result->was_there = err == UEX_END;
    bulk->transactional_id = NULL;
    bulk->also = NULL;
    bulk->ready = NULL;
    uex_buffer_clear(&value);
    free(id);
    return err == UEX_END ? UEX_OK : err;
}
