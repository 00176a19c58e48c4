/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

void uex_reset_forget_held(struct uex_slot *slot)
{
    while (slot->first_held != NULL) {
        struct uex_delivery *next = slot->first_held->next_in_group;

        uex_delivery_free(slot->first_held);
        slot->first_held = next;
    }
    slot->last_held = NULL;
    slot->hold = UEX_HOLD_NONE;
}

void uex_reset_cancel(struct uex_engine *engine, size_t source, int32_t partition)
{
    for (struct uex_delivery *delivery = engine->deliveries; delivery != NULL; delivery = delivery->next) {
        if (delivery->source == source && delivery->partition == partition)
            uex_cancel_request(&delivery->cancel);
    }
}

bool uex_reset_notice(struct uex_engine *engine, size_t source, int32_t partition, int64_t offset, int64_t *read_next)
{
    struct uex_slot *slot = uex_engine_slot(engine, source, partition);
    struct uex_marks marks;

    *read_next = slot->read_next;
    slot->read_next = offset;
    if (offset >= *read_next)
        return false;
    uex_reset_cancel(engine, source, partition);
    uex_reset_forget_held(slot);
    uex_window_restore(&slot->window, offset, (struct uex_bytes){0}, &marks);
    uex_starts_restore(slot, &marks);
    slot->end_offset = UEX_OFFSET_NONE;
    slot->committed_base = UEX_OFFSET_NONE;
    return true;
}
