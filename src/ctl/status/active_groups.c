/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status/active_groups.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "export/program.h"
#include "export/thread.h"

#define APPLICATION_NAME "exportctl"

struct uex_active_groups {
    const struct uex_config *config;
    pthread_t thread;
    struct uex_cancel cancel;
    atomic_bool is_done;
    struct uex_group_list list;
    struct uex_fault fault;
    enum uex_error error;
};

static void *read_groups(void *context)
{
    struct uex_active_groups *groups = context;
    struct uex_postgres *postgres = uex_postgres_new(groups->config, APPLICATION_NAME);

    groups->error = postgres == NULL ? uex_fail(&groups->fault, UEX_NO_MEMORY, "no memory for a connection") : UEX_OK;
    if (postgres != NULL) {
        uex_postgres_set_cancel(postgres, &groups->cancel);
        groups->error = uex_postgres_each_active_group(postgres, uex_group_list_add, &groups->list, &groups->fault);
    }
    uex_postgres_free(postgres);
    atomic_store(&groups->is_done, true);
    return NULL;
}

struct uex_active_groups *uex_active_groups_start(const struct uex_config *config)
{
    struct uex_active_groups *groups = NULL;

    if (config->postgres_dsn == NULL || config->postgres_dsn[0] == 0)
        return NULL;
    groups = calloc(1, sizeof(*groups));
    if (groups == NULL)
        return NULL;
    groups->config = config;
    if (!uex_thread_start(&groups->thread, read_groups, groups)) {
        free(groups);
        return NULL;
    }
    return groups;
}

enum uex_error uex_active_groups_finish(struct uex_active_groups *groups, int64_t wait_ms, struct uex_group_list *out,
                                        struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + wait_ms;
    enum uex_error err = UEX_NOT_FOUND;

    if (groups == NULL)
        return uex_fail(fault, err, "postgres.dsn is not set");
    while (!atomic_load(&groups->is_done) && uex_monotonic_ms() < until_ms && uex_sleep_ms(10, &uex_program_cancel))
        continue;
    if (!atomic_load(&groups->is_done))
        uex_cancel_request(&groups->cancel); /* every wait of the connection ends soon */
    pthread_join(groups->thread, NULL);
    err = groups->error;
    if (err == UEX_OK)
        *out = groups->list;
    else if (err == UEX_CANCELLED)
        err = uex_fail(fault, UEX_DB_UNAVAILABLE, "the database did not answer within %" PRId64 " s", wait_ms / 1000);
    else
        err = uex_fail(fault, err, "%s", groups->fault.text[0] == 0 ? uex_error_sentence(err) : groups->fault.text);
    if (err != UEX_OK)
        uex_group_list_clear(&groups->list);
    free(groups);
    return err;
}
