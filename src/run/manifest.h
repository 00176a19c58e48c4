/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/manifest.h — the object that lists what became of each group of a run (schedule.manifest): JSON Lines in one
 * gzip member, create-only. Nobody looks for it: only the run's record announces it. One thread. */
#ifndef EXPORT_RUN_MANIFEST_H
#define EXPORT_RUN_MANIFEST_H

#include "export/object_store.h"
#include "export/run_record.h"
#include "run/members.h"

/* What it is made of. Borrowed. */
struct uex_run_manifest_setup {
    const struct uex_config *config;
    struct uex_store_service *service;
    const struct uex_run_record *run;
    const struct uex_run_members *members; /* all of them have ended */
    int64_t until_ms;                      /* monotonic: tried until then, once at least */
    const struct uex_cancel *cancel;
};

struct uex_run_manifest {
    char *path; /* owned; the object's URL */
    char sha256[UEX_SHA256_HEX_SIZE];
    int64_t ended_at_ms; /* when the run ended: the object is named after it */
    uint64_t line_count;
};
/* Accepts a zeroed struct. */
void uex_run_manifest_clear(struct uex_run_manifest *manifest);

/* Create it: a line for each member, in no particular order, as uex_manifest_line_write() has it. The key is
 * "_runs/<runId, percent-encoded>/<endedAt as 20261122T190000Z>.jsonl.gz". If that name is taken, a second later is
 * taken for the end. Streamed: the memory is that of one object being written. What the store or Kafka refuse is tried
 * again until `until_ms` (event run-manifest-wait, once a minute); then their error. UEX_CANCELLED, UEX_NO_MEMORY,
 * UEX_CONFIG, UEX_LIMIT at once. The caller clears `out` in any case. */
UEX_MUST_CHECK enum uex_error uex_run_manifest_create(const struct uex_run_manifest_setup *setup,
                                                      struct uex_run_manifest *out, struct uex_fault *fault);

/* Append the object's key; the store adds its prefix. */
void uex_run_manifest_key(const char *run_id, int64_t ended_at_ms, struct uex_buffer *out);
#endif
