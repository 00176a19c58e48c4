/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delivery.h"

#include <stdlib.h>

struct uex_delivery *uex_delivery_new(struct uex_record *record, size_t source)
{
    struct uex_delivery *delivery = calloc(1, sizeof(*delivery));

    if (delivery == NULL)
        return NULL;
    delivery->record = record;
    delivery->source = source;
    delivery->partition = record->partition;
    delivery->offset = record->offset;
    delivery->taken_at_ms = uex_wall_ms();
    delivery->attempt = 1;
    return delivery;
}

void uex_outcome_clear(struct uex_outcome *outcome)
{
    uex_job_outcome_clear(&outcome->job);
    uex_group_memory_free(outcome->memory);
    memset(outcome, 0, sizeof(*outcome));
}

void uex_delivery_free(struct uex_delivery *delivery)
{
    if (delivery == NULL)
        return;
    uex_outcome_clear(&delivery->outcome);
    free(delivery->refused_topic);
    uex_command_clear(&delivery->command);
    uex_record_free(delivery->record);
    free(delivery);
}

size_t uex_delivery_size_bytes(const struct uex_delivery *delivery)
{
    return sizeof(*delivery) + uex_record_size_bytes(delivery->record);
}
