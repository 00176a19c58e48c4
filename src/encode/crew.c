/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/crew.h"

#include <pthread.h>

#include "export/cpus.h"
#include "export/thread.h"

#define HELPERS_MAX 31

/* The process has one crew, because it has one set of CPUs. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t offered; /* a task waits, or the crew ends */
    pthread_cond_t finished;
    int cpu_count;    /* as set by a test; 0: not */
    int user_count;   /* streams and readers that may offer */
    int worker_count; /* threads of users that compress themselves */
    int helper_max;   /* of this crew */
    int helper_count; /* threads that were started */
    int busy_count;   /* tasks offered and not yet finished */
    bool ending;
    struct uex_crew_task *tasks[2 * HELPERS_MAX]; /* waiting, oldest first */
    int task_count;
    pthread_t helpers[HELPERS_MAX];
} crew = {.lock = PTHREAD_MUTEX_INITIALIZER, .offered = PTHREAD_COND_INITIALIZER, .finished = PTHREAD_COND_INITIALIZER};

static struct uex_crew_task *take_task(void)
{
    struct uex_crew_task *task = NULL;

    while (!crew.ending && crew.task_count == 0)
        pthread_cond_wait(&crew.offered, &crew.lock);
    if (crew.task_count > 0) {
        task = crew.tasks[0];
        crew.task_count--;
        memmove(crew.tasks, crew.tasks + 1, (size_t)crew.task_count * sizeof(crew.tasks[0]));
    }
    return task;
}

static void run_task(struct uex_crew_task *task, struct uex_deflater **deflater)
{
    if (*deflater == NULL || (*deflater)->level != task->level) {
        uex_deflater_free(*deflater);
        *deflater = uex_deflater_new(task->level);
    }
    if (*deflater == NULL)
        task->block->error = UEX_NO_MEMORY;
    else
        (void)!uex_gzip_block_compress(task->block, *deflater); /* the block keeps the error */
}

static void *helper_main(void *argument)
{
    struct uex_deflater *deflater = NULL;
    struct uex_crew_task *task;

    (void)argument;
    pthread_mutex_lock(&crew.lock);
    while ((task = take_task()) != NULL) {
        pthread_mutex_unlock(&crew.lock);
        run_task(task, &deflater);
        pthread_mutex_lock(&crew.lock);
        task->done = true;
        crew.busy_count--;
        pthread_cond_broadcast(&crew.finished);
    }
    pthread_mutex_unlock(&crew.lock);
    uex_deflater_free(deflater);
    return NULL;
}

static void start_helper(void)
{
    if (uex_thread_start(&crew.helpers[crew.helper_count], helper_main, NULL))
        crew.helper_count++;
}

int uex_crew_join(void)
{
    int helper_max;

    pthread_mutex_lock(&crew.lock);
    while (crew.ending) /* the last user of before is still waiting for the helpers' end */
        pthread_cond_wait(&crew.finished, &crew.lock);
    if (crew.user_count++ == 0) {
        int cpu_count = crew.cpu_count > 0 ? crew.cpu_count : uex_cpus_allowed("/proc/self/cgroup", "/sys/fs/cgroup");

        crew.helper_max = cpu_count - 1 < HELPERS_MAX ? cpu_count - 1 : HELPERS_MAX;
    }
    helper_max = crew.helper_max;
    pthread_mutex_unlock(&crew.lock);
    return helper_max;
}

void uex_crew_leave(void)
{
    int helper_count;

    pthread_mutex_lock(&crew.lock);
    if (--crew.user_count > 0 || crew.helper_count == 0) {
        pthread_mutex_unlock(&crew.lock);
        return;
    }
    crew.ending = true;
    helper_count = crew.helper_count;
    pthread_cond_broadcast(&crew.offered);
    pthread_mutex_unlock(&crew.lock);
    for (int i = 0; i < helper_count; i++)
        (void)pthread_join(crew.helpers[i], NULL);
    pthread_mutex_lock(&crew.lock);
    crew.helper_count = 0;
    crew.ending = false;
    pthread_cond_broadcast(&crew.finished);
    pthread_mutex_unlock(&crew.lock);
}

void uex_crew_begin_work(void)
{
    pthread_mutex_lock(&crew.lock);
    crew.worker_count++;
    pthread_mutex_unlock(&crew.lock);
}

void uex_crew_end_work(void)
{
    pthread_mutex_lock(&crew.lock);
    crew.worker_count--;
    pthread_mutex_unlock(&crew.lock);
}

/* A task may wait for each helper that works, so that none has to wait for the next block to be filled. */
bool uex_crew_offer(struct uex_crew_task *task)
{
    int helpers_allowed;
    bool taken;

    task->done = false;
    pthread_mutex_lock(&crew.lock);
    helpers_allowed = crew.helper_max + 1 - crew.worker_count;
    if (crew.busy_count >= crew.helper_count && crew.helper_count < helpers_allowed)
        start_helper();
    if (helpers_allowed > crew.helper_count)
        helpers_allowed = crew.helper_count;
    taken = crew.busy_count < 2 * helpers_allowed;
    if (taken) {
        crew.busy_count++;
        crew.tasks[crew.task_count++] = task;
        pthread_cond_signal(&crew.offered);
    }
    pthread_mutex_unlock(&crew.lock);
    return taken;
}

bool uex_crew_is_done(const struct uex_crew_task *task)
{
    bool done;

    pthread_mutex_lock(&crew.lock);
    done = task->done;
    pthread_mutex_unlock(&crew.lock);
    return done;
}

void uex_crew_wait(const struct uex_crew_task *task)
{
    pthread_mutex_lock(&crew.lock);
    while (!task->done)
        pthread_cond_wait(&crew.finished, &crew.lock);
    pthread_mutex_unlock(&crew.lock);
}

void uex_crew_set_cpus(int cpu_count)
{
    crew.cpu_count = cpu_count;
}
