/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/dlq/dlq.h"
#include "export/program.h"
#include "kafka/partitioner.h"
#include "kafka/txn.h"

#define TRIES_MAX 3
#define ASK_MS 10000
/* Short: after a kill, workers wait for the open transaction for this time. */
#define TRANSACTION_MS 20000

struct uex_dlq_sender {
    const struct uex_config *config;
    enum uex_dlq_action action;
    const char *by, *reason;
    struct uex_txn txn;
    int32_t partition_count; /* of the command topic */
};

static void on_delivery(void *opaque, const char *topic, rd_kafka_resp_err_t code, int64_t offset)
{
    struct uex_dlq_item *item = opaque;

    (void)topic;
    (void)offset;
    if (item != NULL && uex_kafka_refuses_record(code))
        item->refused = code;
}

static enum uex_error taken_over(struct uex_fault *fault)
{
    return uex_fail(fault, UEX_KAFKA, "another dlq replay or discard was started; only one can run at a time");
}

enum uex_error uex_dlq_sender_open(const struct uex_config *config, enum uex_dlq_action action, const char *by,
                                   const char *reason, struct uex_dlq_sender **out, struct uex_fault *fault)
{
    struct uex_dlq_sender *sender = calloc(1, sizeof(*sender));
    char id[300];
    struct uex_txn_setup setup = {.config = config,
                                  .policy = UEX_TXN_GIVES_UP,
                                  .transactional_id = id,
                                  .timeout_ms = TRANSACTION_MS,
                                  .cancel = &uex_program_cancel,
                                  .on_delivery = on_delivery};
    enum uex_error err = UEX_OK;

    *out = sender;
    if (sender == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for a replay");
    *sender = (struct uex_dlq_sender){.config = config, .action = action, .by = by, .reason = reason};
    /* A fixed id: a new sender aborts the open transaction of the previous one and fences it. */
    snprintf(id, sizeof(id), "%.249s-dlq", config->kafka_group_id);
    uex_txn_init(&sender->txn, &setup);
    err = uex_txn_prepare(&sender->txn, config->startup_timeout_ms, fault);
    if (uex_txn_was_taken_over(&sender->txn))
        err = taken_over(fault);
    if (err == UEX_OK)
        err = uex_kafka_partition_count(sender->txn.producer, config->topics_command, ASK_MS, &sender->partition_count,
                                        fault);
    return err;
}

void uex_dlq_sender_close(struct uex_dlq_sender *sender)
{
    if (sender == NULL)
        return;
    uex_txn_close(&sender->txn);
    free(sender);
}

static enum uex_error produce_command(struct uex_dlq_sender *sender, struct uex_dlq_item *item, struct uex_fault *fault)
{
    const struct uex_record *record = item->record;
    struct uex_txn_record command = {
        .topic = sender->config->topics_command,
        .partition =
            record->key.data == NULL ? RD_KAFKA_PARTITION_UA : uex_partition_of(record->key, sender->partition_count),
        .key = record->key,
        .value = item->value.size_bytes > 0 ? uex_buffer_bytes(&item->value) : record->value,
        .headers = uex_headers_replay(record, item->command_id),
        .opaque = item};

    if (command.headers == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for headers");
    return uex_txn_produce(&sender->txn, &command, fault);
}

static enum uex_error produce_mark(struct uex_dlq_sender *sender, struct uex_dlq_item *item, struct uex_fault *fault)
{
    struct uex_dlq_mark mark = {.partition = item->record->partition,
                                .offset = item->record->offset,
                                .action = sender->action,
                                .at_ms = uex_wall_ms(),
                                .by = sender->by,
                                .reason = sender->reason};
    struct uex_txn_record record = {.topic = sender->config->topics_dlq,
                                    .partition = item->record->partition,
                                    .key = item->record->key,
                                    .opaque = item};

    memcpy(mark.command_id, item->command_id, sizeof(mark.command_id));
    record.headers = uex_dlq_mark_headers(&mark);
    if (record.headers == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for headers");
    return uex_txn_produce(&sender->txn, &record, fault);
}

static enum uex_error produce_all(struct uex_dlq_sender *sender, struct uex_dlq_item *items, size_t count,
                                  struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < count && err == UEX_OK; i++) {
        if (items[i].refused != RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        if (uex_cancel_requested(&uex_program_cancel))
            return uex_fail(fault, UEX_CANCELLED, "stopped");
        if (sender->action == UEX_DLQ_REPLAYED)
            err = produce_command(sender, &items[i], fault);
        if (err == UEX_OK)
            err = produce_mark(sender, &items[i], fault);
    }
    return err;
}

static size_t count_refused(const struct uex_dlq_item *items, size_t count)
{
    size_t refused = 0;

    for (size_t i = 0; i < count; i++)
        refused += items[i].refused != RD_KAFKA_RESP_ERR_NO_ERROR;
    return refused;
}

/* One transaction from begin to end; aborted on a failure. */
static enum uex_error try_once(struct uex_dlq_sender *sender, struct uex_dlq_item *items, size_t count,
                               struct uex_fault *fault)
{
    enum uex_error err = uex_txn_begin(&sender->txn, fault);

    if (err == UEX_OK)
        err = produce_all(sender, items, count, fault);
    if (err == UEX_OK)
        err = uex_txn_commit(&sender->txn, fault);
    uex_txn_abort(&sender->txn);
    return err;
}

enum uex_error uex_dlq_sender_send(struct uex_dlq_sender *sender, struct uex_dlq_item *items, size_t count,
                                   struct uex_fault *fault)
{
    for (int tries = 1;;) {
        size_t refused_before = count_refused(items, count);
        enum uex_error err = UEX_OK;

        if (refused_before == count)
            return UEX_OK;
        err = try_once(sender, items, count, fault);
        if (err == UEX_OK)
            return UEX_OK;
        if (uex_txn_was_taken_over(&sender->txn))
            return taken_over(fault);
        if (sender->txn.state != UEX_TXN_READY || err == UEX_CANCELLED || err == UEX_NO_MEMORY)
            return err;
        if (count_refused(items, count) > refused_before)
            continue; /* try again without those */
        if (tries++ == TRIES_MAX)
            return err;
    }
}
