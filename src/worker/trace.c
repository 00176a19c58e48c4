/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "export/log.h"
#include "export/uuid.h"

/* Two workers may read the same record in the same millisecond. */
static char process_id[UEX_UUID_TEXT_SIZE];
static pthread_once_t process_once = PTHREAD_ONCE_INIT;

static void name_process(void)
{
    uex_uuid_random(process_id);
}

static void span_id(const struct uex_inflight *inflight, const char *name, int64_t since_ms, char *out)
{
    uint8_t digest[UEX_SHA256_SIZE];
    char text[512];

    (void)pthread_once(&process_once, name_process);
    (void)snprintf(text, sizeof(text), "%s/%s/%" PRId32 "/%" PRId64 "/%" PRId64 "/%s", process_id, name,
                   inflight->partition, inflight->offset, since_ms, inflight->record->topic);
    uex_sha256(uex_bytes_of_text(text), digest);
    uex_hex(digest, (UEX_SPAN_ID_SIZE - 1) / 2, out);
}

/* The 128 bits of a command's id are a trace's id as they stand. */
static void trace_of_command(const char *command_id, char *out)
{
    size_t size_bytes = 0;

    for (; *command_id != '\0' && size_bytes < UEX_TRACE_ID_SIZE - 1; command_id++) {
        if (*command_id != '-')
            out[size_bytes++] = *command_id;
    }
    out[size_bytes] = '\0';
}

void uex_trace_command(const struct uex_inflight *inflight, struct uex_span *out)
{
    const struct uex_trace_parent *parent = &inflight->record->envelope.trace;

    *out = (struct uex_span){0};
    if (inflight->record->envelope.has_trace) {
        memcpy(out->trace_id, parent->trace_id, sizeof(out->trace_id));
        memcpy(out->parent_id, parent->span_id, sizeof(out->parent_id));
        out->is_sampled = parent->is_sampled;
    } else {
        trace_of_command(inflight->command.command_id, out->trace_id);
    }
    span_id(inflight, "command", inflight->taken_at_ms, out->span_id);
}

static void export_span(const struct uex_inflight *inflight, int64_t started_at_ms, struct uex_span *out)
{
    uex_trace_command(inflight, out);
    memcpy(out->parent_id, out->span_id, sizeof(out->parent_id));
    span_id(inflight, "export", started_at_ms, out->span_id);
}

static void say(const struct uex_inflight *inflight, const struct uex_span *span, const char *name, bool begins,
                int64_t since_ms, const char *result)
{
    uex_log(span->is_sampled ? UEX_LOG_INFO : UEX_LOG_DEBUG, begins ? UEX_EVENT_SPAN_BEGIN : UEX_EVENT_SPAN_END,
            begins ? "span begins" : "span ends", UEX_STR("span", name), UEX_STR("trace_id", span->trace_id),
            UEX_STR("span_id", span->span_id), UEX_STR("parent_span_id", span->parent_id),
            UEX_TIME("began_at", begins ? UEX_NO_TIME : since_ms),
            UEX_INT("span_ms", begins ? UEX_NO_TIME : uex_wall_ms() - since_ms), UEX_STR("result", result),
            UEX_STR("group", inflight->command.group_id), UEX_STR("command", inflight->command.command_id),
            UEX_STR("run", inflight->command.run_id), UEX_INT("attempt", inflight->attempt),
            UEX_STR("topic", inflight->record->topic), UEX_INT("partition", inflight->partition),
            UEX_INT("offset", inflight->offset));
}

void uex_trace_command_begins(const struct uex_inflight *inflight)
{
    struct uex_span span;

    uex_trace_command(inflight, &span);
    say(inflight, &span, "command", true, inflight->taken_at_ms, NULL);
}

void uex_trace_command_ends(const struct uex_inflight *inflight)
{
    struct uex_span span;

    uex_trace_command(inflight, &span);
    say(inflight, &span, "command", false, inflight->taken_at_ms, uex_outcome_text(inflight->outcome.kind));
}

void uex_trace_export_begins(const struct uex_inflight *inflight, int64_t started_at_ms)
{
    struct uex_span span;

    export_span(inflight, started_at_ms, &span);
    say(inflight, &span, "export", true, started_at_ms, NULL);
}

void uex_trace_export_ends(const struct uex_inflight *inflight, int64_t started_at_ms,
                           const struct uex_job_outcome *job)
{
    struct uex_span span;

    export_span(inflight, started_at_ms, &span);
    say(inflight, &span, "export", false, started_at_ms, job->error == UEX_OK ? "ok" : uex_error_code(job->error));
}
