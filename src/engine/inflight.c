/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/inflight.h"

#include <stdlib.h>

struct uex_inflight *uex_inflight_new(struct uex_record *record, size_t input_topic)
{
    struct uex_inflight *inflight = calloc(1, sizeof(*inflight));

    if (inflight == NULL)
        return NULL;
    inflight->record = record;
    inflight->input_topic = input_topic;
    inflight->partition = record->partition;
    inflight->offset = record->offset;
    inflight->taken_at_ms = uex_wall_ms();
    inflight->attempt = 1;
    return inflight;
}

void uex_outcome_clear(struct uex_outcome *outcome)
{
    uex_job_outcome_clear(&outcome->job);
    uex_group_memory_free(outcome->memory);
    memset(outcome, 0, sizeof(*outcome));
}

void uex_inflight_free(struct uex_inflight *inflight)
{
    if (inflight == NULL)
        return;
    uex_outcome_clear(&inflight->outcome);
    free(inflight->refused_topic);
    uex_command_clear(&inflight->command);
    uex_record_free(inflight->record);
    free(inflight);
}

const char *uex_outcome_error_text(const struct uex_outcome *outcome)
{
    return outcome->fault.text[0] != '\0' ? outcome->fault.text : uex_error_sentence(outcome->fault.error);
}

size_t uex_inflight_size_bytes(const struct uex_inflight *inflight)
{
    return sizeof(*inflight) + uex_record_size_bytes(inflight->record);
}

void uex_inflight_append(struct uex_inflight **first, struct uex_inflight **last, struct uex_inflight *inflight)
{
    inflight->next_in_group = NULL;
    if (*last != NULL)
        (*last)->next_in_group = inflight;
    else
        *first = inflight;
    *last = inflight;
}

void uex_inflight_prepend(struct uex_inflight **first, struct uex_inflight **last, struct uex_inflight *inflight)
{
    inflight->next_in_group = *first;
    *first = inflight;
    if (*last == NULL)
        *last = inflight;
}

void uex_inflight_free_all(struct uex_inflight *first)
{
    while (first != NULL) {
        struct uex_inflight *next = first->next;

        uex_inflight_free(first);
        first = next;
    }
}
