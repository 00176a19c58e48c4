/* SPDX-License-Identifier: Apache-2.0 */
#include "run/end.h"

#include <stdio.h>
#include <stdlib.h>

#include "kafka/txn.h"
#include "run/records.h"

#define TRANSACTION_MS 30000

/* One writing of an end. */
struct ending {
    const struct uex_config *config;
    const struct uex_run_record *expected, *end;
    int64_t wait_ms;
    const struct uex_cancel *cancel;
    struct uex_txn txn;
    rd_kafka_resp_err_t refused; /* why a broker did not take the record */
};

static void on_delivery(void *opaque, const char *topic, rd_kafka_resp_err_t code, int64_t offset)
{
    struct ending *ending = opaque;

    (void)topic;
    (void)offset;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__PURGE_QUEUE)
        ending->refused = code;
}

static enum uex_error find_now(const struct ending *ending, struct uex_run_record *out, struct uex_fault *fault)
{
    uex_run_record_clear(out);
    return uex_run_record_find_settled(ending->config, ending->expected->run_id, ending->wait_ms, ending->cancel, out,
                                       NULL, fault);
}

static enum uex_error produce_end(struct ending *ending, struct uex_fault *fault)
{
    struct uex_txn_record record = {.topic = ending->config->topics_run,
                                    .partition = RD_KAFKA_PARTITION_UA,
                                    .key = uex_bytes_of_text(ending->end->run_id),
                                    .opaque = ending};
    struct uex_buffer value = {0};
    enum uex_error err = UEX_OK;

    uex_run_record_write_json(ending->end, &value);
    if (uex_buffer_failed(&value)) {
        uex_buffer_clear(&value);
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the end of run %s", ending->end->run_id);
    }
    record.value = uex_buffer_bytes(&value);
    record.headers = rd_kafka_headers_new(2);
    (void)rd_kafka_header_add(record.headers, UEX_RUN_HEADER_COMMAND_TOPIC, -1, ending->config->topics_command, -1);
    if (ending->end->started_again)
        (void)rd_kafka_header_add(record.headers, UEX_RUN_HEADER_AGAIN, -1, "true", -1);
    err = uex_txn_produce(&ending->txn, &record, fault);
    uex_buffer_clear(&value);
    return err;
}

static enum uex_error write_end(struct ending *ending, struct uex_fault *fault)
{
    enum uex_error err = uex_txn_begin(&ending->txn, fault);

    if (err == UEX_OK)
        err = produce_end(ending, fault);
    if (err == UEX_OK)
        err = uex_txn_commit(&ending->txn, fault);
    if (err == UEX_TIMEOUT)
        (void)uex_fail(fault, err,
                       "Kafka did not answer the commit: it is unknown whether the end of run %s is written",
                       ending->end->run_id);
    else if (err != UEX_OK && ending->refused != RD_KAFKA_RESP_ERR_NO_ERROR)
        err = uex_kafka_fail(fault, ending->refused, "writing the end of a run");
    uex_txn_abort(&ending->txn);
    return err;
}

/* Begin with the transactional id, look, write. */
static enum uex_error look_and_write(struct ending *ending, bool *written, struct uex_run_record *found,
                                     struct uex_fault *fault)
{
    enum uex_error err = uex_txn_prepare(&ending->txn, ending->wait_ms, fault);

    if (err == UEX_OK)
        err = find_now(ending, found, fault);
    if (err != UEX_OK || !uex_run_record_is(found, ending->expected))
        return err;
    err = write_end(ending, fault);
    *written = err == UEX_OK;
    return err;
}

/* The record afterwards. Where another process took over, what it has done so far. */
static enum uex_error settle(struct ending *ending, enum uex_error err, bool written, struct uex_run_record *found,
                             struct uex_fault *fault)
{
    if (written) {
        uex_run_record_clear(found);
        return uex_run_record_copy(ending->end, found) == UEX_OK
                   ? UEX_OK
                   : uex_fail(fault, UEX_NO_MEMORY, "no memory for run %s", ending->end->run_id);
    }
    return err != UEX_OK && uex_txn_was_taken_over(&ending->txn) ? find_now(ending, found, fault) : err;
}

enum uex_error uex_run_end(const struct uex_config *config, const struct uex_run_record *expected,
                           const struct uex_run_record *end, int64_t wait_ms, const struct uex_cancel *cancel,
                           bool *written, struct uex_run_record *found, struct uex_fault *fault)
{
    struct ending ending = {.config = config, .expected = expected, .end = end, .wait_ms = wait_ms, .cancel = cancel};
    struct uex_txn_setup setup = {.config = config,
                                  .policy = UEX_TXN_GIVES_UP,
                                  .timeout_ms = TRANSACTION_MS,
                                  .cancel = cancel,
                                  .purpose = "writing the end of the run",
                                  .on_delivery = on_delivery};
    struct uex_run_record mine = {0};
    struct uex_run_record *now = found != NULL ? found : &mine;
    char *id = NULL;
    enum uex_error err = UEX_OK;

    *now = (struct uex_run_record){0};
    *written = false;
    if (asprintf(&id, "%s-run", config->kafka_group_id) < 0)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the transactional id");
    setup.transactional_id = id;
    uex_txn_init(&ending.txn, &setup);
    err = look_and_write(&ending, written, now, fault);
    err = settle(&ending, err, *written, now, fault);
    uex_txn_close(&ending.txn);
    uex_run_record_clear(&mine);
    free(id);
    return err;
}

struct uex_run_record uex_run_end_of(const struct uex_run_record *started, const struct uex_run_counts *counts)
{
    struct uex_run_record end = *started;

    end.status = counts->unfinished == 0 ? UEX_RUN_COMPLETED : UEX_RUN_INCOMPLETE;
    end.groups = counts->groups;
    end.exported = counts->exported;
    end.skipped = counts->skipped;
    end.dead_lettered = counts->dead_lettered;
    end.unfinished = counts->unfinished;
    end.rows = counts->rows;
    end.bytes = counts->bytes;
    end.ended_at_ms = uex_wall_ms();
    end.manifest_path = NULL;
    end.manifest_sha256[0] = 0;
    return end;
}
