/* SPDX-License-Identifier: Apache-2.0 */
/* src/worker/trace.h — spans of a command, as log lines: one where a span begins, one where it ends.
 *
 *   command   one attempt of a command, from its record being read to its outcome being committed
 *   export    inside of it: the job in a lane, from the database to the store
 *
 * The trace is that of the command's header traceparent, whose span is the parent; the header goes on unchanged, so all
 * attempts, the dead letter and the result are in one trace. Without one the trace has the command's id. Nothing is
 * kept of a span: its id follows from what the command has anyway. An attempt whose partition is lost has no end: the
 * next owner begins another.
 *
 * The lines are of level info where the header says "sampled", else debug. Any thread.
 */
#ifndef WORKER_TRACE_H
#define WORKER_TRACE_H

#include "engine/inflight.h"
#include "kafka/trace_parent.h"

/* The ids that a line about a command carries. */
struct uex_span {
    char trace_id[UEX_TRACE_ID_SIZE]; /* "" for a command that has neither a header nor an id */
    char span_id[UEX_SPAN_ID_SIZE];
    char parent_id[UEX_SPAN_ID_SIZE]; /* "": none */
    bool is_sampled;
};

/* The span "command" of a command: the same at each call. */
void uex_trace_command(const struct uex_inflight *inflight, struct uex_span *out);

/* Its lines. */
void uex_trace_command_begins(const struct uex_inflight *inflight);
void uex_trace_command_ends(const struct uex_inflight *inflight);
/* Those of "export"; `started_at_ms` is when this run of the job began, the same in both calls. */
void uex_trace_export_begins(const struct uex_inflight *inflight, int64_t started_at_ms);
void uex_trace_export_ends(const struct uex_inflight *inflight, int64_t started_at_ms,
                           const struct uex_job_outcome *job);
#endif
