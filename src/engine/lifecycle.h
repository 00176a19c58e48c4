/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/lifecycle.h — the phases of the engine and of an assignment, and which may follow which.
 *
 * Pure functions over enums: any thread. The engine's values are guarded by its lock.
 */
#ifndef ENGINE_LIFECYCLE_H
#define ENGINE_LIFECYCLE_H

#include <stdbool.h>

/* The engine on its way to its end; only forwards, phases may be left out. */
enum uex_lifecycle {
    UEX_LIFECYCLE_WORKING,
    UEX_LIFECYCLE_DRAINING, /* no new work; running jobs may end */
    UEX_LIFECYCLE_LEAVING,  /* the intake leaves the consumer group and ends */
    UEX_LIFECYCLE_STOPPING, /* the committer ends */
    UEX_LIFECYCLE_COUNT
};

/* Why the program has to end, if not by a signal. The worse one stays. */
enum uex_failure {
    UEX_FAILURE_NONE,
    UEX_FAILURE_BROKEN, /* no memory, or a consumer that cannot go on: exit code 1 */
    UEX_FAILURE_REFUSED /* Kafka or the database refuses a setting: exit code 2 */
};

/* The partitions of this worker, from one rebalance to the next.
 *
 *            ┌───────► FENCED ────────┐
 *   NONE ────┤           ▲            ├──► ENDING ──► NONE
 *            └───────► HELD ──► CLOSING ──┘
 */
enum uex_assignment {
    UEX_ASSIGNMENT_NONE,    /* between a revoke and the next assignment */
    UEX_ASSIGNMENT_HELD,    /* commands start and outcomes are committed */
    UEX_ASSIGNMENT_FENCED,  /* the broker refuses offsets of this generation: nothing is committed */
    UEX_ASSIGNMENT_CLOSING, /* a revoke: nothing starts, the crash markers are taken back by the next commits */
    UEX_ASSIGNMENT_ENDING,  /* no new transaction; the running one may end */
    UEX_ASSIGNMENT_COUNT
};

/* May `to` follow `from`? A phase does not follow itself. */
bool uex_lifecycle_may_follow(enum uex_lifecycle from, enum uex_lifecycle to);
bool uex_assignment_may_follow(enum uex_assignment from, enum uex_assignment to);

/* Change *phase to `to` where that may follow; else it stays as it is. True: it has changed. */
bool uex_lifecycle_advance(enum uex_lifecycle *phase, enum uex_lifecycle to);
bool uex_assignment_advance(enum uex_assignment *phase, enum uex_assignment to);

/* May a command be started, and may a transaction begin, in this phase? */
bool uex_assignment_may_start(enum uex_assignment phase);
bool uex_assignment_may_commit(enum uex_assignment phase);
#endif
