/* SPDX-License-Identifier: Apache-2.0 */
#include "store/task_thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "export/clock.h"
#include "export/thread.h"

#define QUEUE_MAX 4

struct uex_task_thread {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t id;
    bool started;
    bool ending;                       /* guarded, as all below */
    struct uex_task *queue[QUEUE_MAX]; /* waiting tasks, oldest first */
    size_t queue_count;
};

bool uex_task_state_may_become(enum uex_task_state from, enum uex_task_state to)
{
    return (from == UEX_TASK_IDLE && to == UEX_TASK_WAITING) || (from == UEX_TASK_WAITING && to == UEX_TASK_RUNNING) ||
           (from == UEX_TASK_RUNNING && to == UEX_TASK_DONE) || (from == UEX_TASK_DONE && to == UEX_TASK_IDLE);
}

static bool become(struct uex_task *task, enum uex_task_state to)
{
    if (!uex_task_state_may_become(task->state, to))
        return false;
    task->state = to;
    return true;
}

static void *thread_main(void *argument)
{
    struct uex_task_thread *thread = argument;

    pthread_mutex_lock(&thread->lock);
    for (;;) {
        while (!thread->ending && thread->queue_count == 0)
            pthread_cond_wait(&thread->changed, &thread->lock);
        if (thread->ending)
            break;
        struct uex_task *task = thread->queue[0];
        thread->queue_count--;
        memmove(thread->queue, thread->queue + 1, thread->queue_count * sizeof(thread->queue[0]));
        (void)become(task, UEX_TASK_RUNNING);
        pthread_mutex_unlock(&thread->lock);
        task->run(task->context);
        pthread_mutex_lock(&thread->lock);
        (void)become(task, UEX_TASK_DONE);
        pthread_cond_broadcast(&thread->changed);
    }
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

struct uex_task_thread *uex_task_thread_new(void)
{
    struct uex_task_thread *thread = calloc(1, sizeof(*thread));

    if (thread == NULL)
        return NULL;
    pthread_mutex_init(&thread->lock, NULL);
    uex_cond_init(&thread->changed);
    return thread;
}

static bool start(struct uex_task_thread *thread)
{
    thread->started = uex_thread_start(&thread->id, thread_main, thread);
    return thread->started;
}

enum uex_error uex_task_thread_submit(struct uex_task_thread *thread, struct uex_task *task)
{
    enum uex_error err = UEX_OK;

    if (!thread->started && !start(thread))
        return UEX_NO_MEMORY;
    pthread_mutex_lock(&thread->lock);
    if (thread->queue_count == QUEUE_MAX || !become(task, UEX_TASK_WAITING)) {
        err = UEX_INTERNAL;
    } else {
        thread->queue[thread->queue_count++] = task;
        pthread_cond_broadcast(&thread->changed);
    }
    pthread_mutex_unlock(&thread->lock);
    return err;
}

bool uex_task_thread_wait(struct uex_task_thread *thread, struct uex_task *task, int64_t wait_ms)
{
    const int64_t until_ms = uex_monotonic_ms() + wait_ms;
    bool done;

    pthread_mutex_lock(&thread->lock);
    while (task->state == UEX_TASK_WAITING || task->state == UEX_TASK_RUNNING)
        if (!uex_cond_wait_until(&thread->changed, &thread->lock, until_ms))
            break;
    done = task->state == UEX_TASK_IDLE || become(task, UEX_TASK_IDLE);
    pthread_mutex_unlock(&thread->lock);
    return done;
}

void uex_task_thread_free(struct uex_task_thread *thread)
{
    if (thread == NULL)
        return;
    if (thread->started) {
        pthread_mutex_lock(&thread->lock);
        thread->ending = true;
        pthread_cond_broadcast(&thread->changed);
        pthread_mutex_unlock(&thread->lock);
        pthread_join(thread->id, NULL);
    }
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}
