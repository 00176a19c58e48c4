/* SPDX-License-Identifier: Apache-2.0 */
/* How the overview looks, and the sentence why nothing moves. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/output.h"
#include "ctl/status/overview.h"

/* "3 workers", "no worker", "workers unknown: not authorized". */
static void append_figure(struct uex_buffer *out, const struct uex_overview_figure *figure, const char *none,
                          const char *one, const char *many)
{
    char count[UEX_CELL_SIZE];

    if (figure->count == UEX_UNKNOWN) {
        uex_buffer_append_format(out, "%s unknown: ", many);
        uex_output_append_clean(out, figure->why_not);
        return;
    }
    if (figure->count == 0 && none != NULL) {
        uex_buffer_append_text(out, none);
        return;
    }
    uex_output_count(figure->count, count);
    uex_buffer_append_format(out, "%s %s", count, figure->count == 1 ? one : many);
}

static void append_breaker(struct uex_buffer *out, const struct uex_overview_breaker *breaker)
{
    char since[UEX_OUTPUT_TIME_SIZE];

    uex_output_time(breaker->since_ms, since);
    uex_buffer_append_text(out, "circuit breaker of ");
    uex_output_append_clean(out, breaker->dependency);
    uex_buffer_append_format(out, " open since %s (", since);
    uex_output_append_clean(out, breaker->code);
    uex_buffer_append_text(out, ")");
}

void uex_overview_write(const struct uex_overview *overview, struct uex_buffer *out)
{
    char next[UEX_OUTPUT_TIME_SIZE];

    append_figure(out, &overview->workers, "no worker", "worker", "workers");
    uex_buffer_append_text(out, "; ");
    append_figure(out, &overview->waiting, NULL, "waiting", "waiting");
    uex_buffer_append_text(out, "; ");
    append_figure(out, &overview->retrying, NULL, "retrying", "retrying");
    if (overview->next_retry_ms != UEX_NO_TIME) {
        uex_output_time(overview->next_retry_ms, next);
        uex_buffer_append_format(out, ", next at %s", next);
    }
    uex_buffer_append_text(out, "; ");
    append_figure(out, &overview->open_letters, "no open dead letter", "open dead letter", "open dead letters");
    for (size_t i = 0; overview->breakers.count != UEX_UNKNOWN && i < overview->breakers.count; i++) {
        uex_buffer_append_text(out, "; ");
        append_breaker(out, &overview->breaker[i]);
    }
    if (overview->breakers.count == 0 || overview->breakers.count == UEX_UNKNOWN) {
        uex_buffer_append_text(out, "; ");
        append_figure(out, &overview->breakers, "no open breaker", "", "breakers");
    }
}

static void append_number(struct uex_buffer *out, const char *name, const struct uex_overview_figure *figure)
{
    if (figure->count == UEX_UNKNOWN)
        uex_buffer_append_format(out, "\"%s\": null, ", name);
    else
        uex_buffer_append_format(out, "\"%s\": %" PRIu64 ", ", name, figure->count);
}

static void append_breakers(struct uex_buffer *out, const struct uex_overview *overview)
{
    char since[UEX_TIME_TEXT_SIZE];

    uex_buffer_append_text(out, "\"breakers\": ");
    if (overview->breakers.count == UEX_UNKNOWN) {
        uex_buffer_append_text(out, "null");
        return;
    }
    uex_buffer_append_text(out, "[");
    for (size_t i = 0; i < overview->breakers.count; i++) {
        const struct uex_overview_breaker *breaker = &overview->breaker[i];

        uex_time_format(breaker->since_ms, since);
        uex_buffer_append_format(out, "%s{\"dependency\": ", i == 0 ? "" : ", ");
        uex_buffer_append_json(out, breaker->dependency);
        uex_buffer_append_format(out, ", \"since\": \"%s\", \"code\": ", since);
        uex_buffer_append_json(out, breaker->code);
        uex_buffer_append_format(out, ", \"workers\": %zu}", breaker->worker_count);
    }
    uex_buffer_append_text(out, "]");
}

void uex_overview_write_json(const struct uex_overview *overview, struct uex_buffer *out)
{
    const struct {
        const char *name;
        const struct uex_overview_figure *figure;
    } figures[] = {{"workers", &overview->workers},
                   {"waiting", &overview->waiting},
                   {"retrying", &overview->retrying},
                   {"openDeadLetters", &overview->open_letters},
                   {"breakers", &overview->breakers}};
    const size_t count = sizeof(figures) / sizeof(figures[0]);
    const char *separator = "";
    char next[UEX_TIME_TEXT_SIZE];

    uex_buffer_append_text(out, "{");
    for (size_t i = 0; i + 1 < count; i++)
        append_number(out, figures[i].name, figures[i].figure);
    uex_time_format(overview->next_retry_ms, next);
    uex_buffer_append_text(out, "\"nextRetryAt\": ");
    uex_buffer_append_json(out, next[0] == 0 ? NULL : next);
    uex_buffer_append_text(out, ", ");
    append_breakers(out, overview);
    uex_buffer_append_text(out, ", \"unknown\": {");
    for (size_t i = 0; i < count; i++) {
        if (figures[i].figure->count != UEX_UNKNOWN)
            continue;
        uex_buffer_append_format(out, "%s\"%s\": ", separator, figures[i].name);
        uex_buffer_append_json(out, figures[i].figure->why_not);
        separator = ", ";
    }
    uex_buffer_append_text(out, "}}");
}

/* "5 commands wait" */
static void append_waiting(struct uex_buffer *out, uint64_t count)
{
    char text[UEX_CELL_SIZE];

    uex_output_count(count, text);
    uex_buffer_append_format(out, "%s command%s", text, count == 1 ? " waits" : "s wait");
}

enum uex_hindrance uex_overview_why(const struct uex_overview *overview, struct uex_buffer *out)
{
    const uint64_t waiting = overview->waiting.count, workers = overview->workers.count;
    char next[UEX_OUTPUT_TIME_SIZE], count[UEX_CELL_SIZE];

    if (workers == 0) {
        uex_buffer_append_text(out, "no worker runs");
        if (waiting != UEX_UNKNOWN && waiting > 0) {
            uex_buffer_append_text(out, "; ");
            append_waiting(out, waiting);
        }
        return UEX_HINDRANCE_NO_WORKER;
    }
    if (overview->breakers.count != UEX_UNKNOWN && overview->breakers.count > 0) {
        append_breaker(out, &overview->breaker[0]);
        uex_buffer_append_text(out, "; commands start again when it closes");
        return UEX_HINDRANCE_BREAKER;
    }
    if (waiting != UEX_UNKNOWN && waiting > 0) {
        append_waiting(out, waiting);
        if (workers != UEX_UNKNOWN) {
            uex_output_count(workers, count);
            uex_buffer_append_format(out, " for %s worker%s", count, workers == 1 ? "" : "s");
        }
        return UEX_HINDRANCE_QUEUE;
    }
    if (overview->next_retry_ms != UEX_NO_TIME) {
        uex_output_time(overview->next_retry_ms, next);
        uex_buffer_append_format(out, "the next retry is due at %s", next);
        return UEX_HINDRANCE_RETRY;
    }
    return UEX_HINDRANCE_NONE;
}
