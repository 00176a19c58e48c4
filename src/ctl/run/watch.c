/* SPDX-License-Identifier: Apache-2.0 */
/* The groups of one run, from its commands and the state topic. */
#include "ctl/run/run.h"

#define READ_MS 200

enum uex_error uex_run_watch_open(struct uex_run_watch *watch, struct uex_fault *fault)
{
    const struct uex_config *config = watch->config;
    const struct uex_run_follow_setup setup = {
        .config = config, .run = &watch->record, .members = &watch->members, .cancel = &uex_program_cancel};
    enum uex_error err = uex_run_members_read(config, watch->record.run_id, watch->record.started_at_ms,
                                              config->startup_timeout_ms, &uex_program_cancel, &watch->members, fault);

    if (err != UEX_OK)
        return err;
    watch->follow = uex_run_follow_new(&setup);
    return watch->follow == NULL ? uex_fail(fault, UEX_NO_MEMORY, "no memory for following a run") : UEX_OK;
}

enum uex_error uex_run_watch_catch_up(struct uex_run_watch *watch, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    while (err == UEX_OK && !uex_run_follow_is_caught_up(watch->follow)) {
        err = uex_run_follow_read(watch->follow, READ_MS, fault);
        if (err == UEX_OK && uex_run_follow_is_away(watch->follow))
            err = uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "Kafka does not answer any more; %s was not read to its end",
                           watch->config->topics_state);
    }
    return err == UEX_END ? UEX_OK : err;
}

void uex_run_watch_close(struct uex_run_watch *watch)
{
    uex_run_follow_free(watch->follow);
    watch->follow = NULL;
    uex_run_members_clear(&watch->members);
    uex_run_record_clear(&watch->record);
}
