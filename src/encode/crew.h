/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/crew.h — threads of the process that compress blocks for streams that are held up by compressing, while
 * CPUs are idle. One for each CPU that affinity and cgroup allow, but one; they start when they are needed first and
 * end with the last user. Any thread. */
#ifndef EXPORT_ENCODE_CREW_H
#define EXPORT_ENCODE_CREW_H

#include "encode/block.h"

/* A block on its way through the crew; the crew's from uex_crew_offer() until uex_crew_wait() returned. */
struct uex_crew_task {
    struct uex_gzip_block *block;
    int level;
    bool done; /* guarded by the crew */
};

/* The crew lives while it has users. Returns how many helpers there can be. */
int uex_crew_join(void);
void uex_crew_leave(void);

/* The calling thread compresses itself from now on, and until it stops: it takes a CPU that helpers cannot have. */
void uex_crew_begin_work(void);
void uex_crew_end_work(void);

/* Hand a block over if there are helpers, with CPUs, that have no other block waiting. False: do it yourself. */
UEX_MUST_CHECK bool uex_crew_offer(struct uex_crew_task *task);
UEX_MUST_CHECK bool uex_crew_is_done(const struct uex_crew_task *task);
/* Wait for an offered task. Helpers only compute, so this ends. */
void uex_crew_wait(const struct uex_crew_task *task);

/* For tests: as if there were so many CPUs (0: as many as there are). While there are no users. */
void uex_crew_set_cpus(int cpu_count);
#endif
