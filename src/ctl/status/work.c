/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/status/work.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "export/program.h"
#include "export/thread.h"

#define STEP_MS 10
#define FOUND_CAP_BYTES ((size_t)256 << 20) /* a million ids of the longest kind */

struct uex_status_work {
    const struct uex_config *config;
    struct uex_status_wanted wanted;
    pthread_t thread;
    struct uex_cancel cancel;
    atomic_bool is_done;
    bool is_joined;
    struct uex_overview overview;
    struct uex_running running;
    struct uex_buffer found; /* "r" or "w", the group's id, a zero byte; one behind the other */
};

static bool is_wanted(const struct uex_status_wanted *wanted, const struct uex_command *command)
{
    if (wanted->run_id != NULL && strcmp(command->run_id, wanted->run_id) != 0)
        return false;
    for (int i = 0; i < wanted->group_count; i++)
        if (strcmp(wanted->group_ids[i], command->group_id) == 0)
            return true;
    return wanted->group_count == 0;
}

static enum uex_error take_waiting(void *context, const struct uex_command *command, bool is_running)
{
    struct uex_status_work *work = context;

    if (!is_wanted(&work->wanted, command))
        return UEX_OK;
    uex_buffer_append(&work->found, is_running ? "r" : "w", 1);
    uex_buffer_append(&work->found, command->group_id, strlen(command->group_id) + 1);
    return uex_buffer_failed(&work->found) ? UEX_NO_MEMORY : UEX_OK;
}

static void *read_work(void *context)
{
    struct uex_status_work *work = context;
    const bool looks = work->wanted.run_id != NULL || work->wanted.group_count > 0;
    const struct uex_overview_reading reading = {.config = work->config,
                                                 .cancel = &work->cancel,
                                                 .waiting = looks ? take_waiting : NULL,
                                                 .context = work,
                                                 .running = &work->running};

    uex_overview_read(&reading, &work->overview);
    atomic_store(&work->is_done, true);
    return NULL;
}

struct uex_status_work *uex_status_work_start(const struct uex_config *config, const struct uex_status_wanted *wanted)
{
    struct uex_status_work *work = calloc(1, sizeof(*work));

    if (work == NULL)
        return NULL;
    work->config = config;
    work->wanted = *wanted;
    work->found.cap_bytes = FOUND_CAP_BYTES;
    if (!uex_thread_start(&work->thread, read_work, work)) {
        free(work);
        return NULL;
    }
    return work;
}

void uex_status_work_finish(struct uex_status_work *work, int64_t wait_ms)
{
    const int64_t until_ms = uex_monotonic_ms() + wait_ms;

    if (work == NULL || work->is_joined)
        return;
    while (!atomic_load(&work->is_done) && uex_monotonic_ms() < until_ms && uex_sleep_ms(STEP_MS, &uex_program_cancel))
        continue;
    uex_cancel_request(&work->cancel);
    pthread_join(work->thread, NULL);
    work->is_joined = true;
    uex_running_sort(&work->running);
}

void uex_status_work_free(struct uex_status_work *work)
{
    if (work == NULL)
        return;
    uex_status_work_finish(work, 0);
    uex_running_clear(&work->running);
    uex_buffer_clear(&work->found);
    free(work);
}

const struct uex_overview *uex_status_work_overview(const struct uex_status_work *work)
{
    static struct uex_overview nothing;

    if (work != NULL)
        return &work->overview;
    uex_overview_init(&nothing, "no memory to read it");
    return &nothing;
}

struct uex_running *uex_status_work_running(struct uex_status_work *work)
{
    static struct uex_running none;

    return work == NULL ? &none : &work->running;
}

bool uex_status_work_knows_all(const struct uex_status_work *work)
{
    return work != NULL && work->overview.waiting.count != UEX_UNKNOWN && work->overview.waiting_is_exact;
}

const char *uex_status_work_next(const struct uex_status_work *work, const char *previous, bool *is_running)
{
    const char *end = NULL, *at = NULL;

    if (work == NULL || work->found.size_bytes == 0)
        return NULL;
    end = (const char *)work->found.data + work->found.size_bytes;
    at = previous == NULL ? (const char *)work->found.data : previous + strlen(previous) + 1;
    if (at >= end)
        return NULL;
    *is_running = *at == 'r';
    return at + 1;
}
