/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/background.h — a call that cannot be bounded, made bounded.
 *
 * Name lookups and some calls of client libraries (PQcancel, blocking connects) wait as long as they like. Here such a
 * call runs on a thread of its own and its caller waits for a while at most.
 */
#ifndef EXPORT_BACKGROUND_H
#define EXPORT_BACKGROUND_H

#include "export/clock.h"

/* Run `run(context)` on a thread of its own, with all signals blocked there, and wait until it is done, at most
 * `wait_ms`, or until `cancel` (may be NULL) is requested (seen within 50 ms).
 * UEX_OK: it is done and `context` is the caller's again. UEX_TIMEOUT, UEX_CANCELLED: it goes on by itself; `context`
 * is no longer the caller's and `drop(context)` is called on that thread at its end. UEX_NO_MEMORY: nothing was run and
 * `context` is the caller's. Any thread. */
UEX_MUST_CHECK enum uex_error uex_background_call(void (*run)(void *context), void (*drop)(void *context),
                                                  void *context, int64_t wait_ms, const struct uex_cancel *cancel);
#endif
