/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/task_thread.h — one thread that does one task after the other for its owner, so that a part can be on its
 * way while the next one is filled. The thread starts with the first task and blocks all signals. All functions are the
 * owner's thread's. */
#ifndef EXPORT_STORE_TASK_THREAD_H
#define EXPORT_STORE_TASK_THREAD_H

#include "export/error.h"

enum uex_task_state { UEX_TASK_IDLE, UEX_TASK_WAITING, UEX_TASK_RUNNING, UEX_TASK_DONE };

/* Is the step allowed? IDLE → WAITING → RUNNING → DONE → IDLE, and nothing else. */
bool uex_task_state_may_become(enum uex_task_state from, enum uex_task_state to);

/* A task; owned by its submitter, and, together with what `context` points to, the thread's from
 * uex_task_thread_submit() until uex_task_thread_wait() returned true. */
struct uex_task {
    void (*run)(void *context);
    void *context;
    enum uex_task_state state; /* guarded by the thread's lock */
};

struct uex_task_thread;

/* NULL: no memory. */
UEX_MUST_CHECK struct uex_task_thread *uex_task_thread_new(void);
/* Hand a task over; it begins when those before it are done. The task must be idle. UEX_NO_MEMORY: no thread could be
 * started, the task was not taken; UEX_INTERNAL: it is not idle, or too many are waiting. */
UEX_MUST_CHECK enum uex_error uex_task_thread_submit(struct uex_task_thread *thread, struct uex_task *task);
/* Wait for a submitted task, `wait_ms` at most. True: it is done and idle again (also when it never was submitted). */
UEX_MUST_CHECK bool uex_task_thread_wait(struct uex_task_thread *thread, struct uex_task *task, int64_t wait_ms);
/* End the thread after the task that runs now. Accepts NULL. Nobody may wait any more. */
void uex_task_thread_free(struct uex_task_thread *thread);
#endif
