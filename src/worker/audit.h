/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/audit.h — the audit line: one log line for each committed outcome. */
#ifndef WORKER_AUDIT_H
#define WORKER_AUDIT_H

#include "engine/inflight.h"

/* Who asked, which group, what came of it, how many rows, which object, digest, snapshot, how long. Any thread. */
void uex_audit(const struct uex_inflight *inflight);
#endif
