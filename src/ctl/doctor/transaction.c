/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does, once for each topic, and aborted: a transaction with a record, and one with an offset. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/doctor/doctor.h"
#include "export/program.h"
#include "export/uuid.h"
#include "kafka/topics.h"
#include "kafka/txn.h"

#define KEY "export-doctor"
#define DELIVERY_MS 3000
#define ASK_MS 10000
#define CLOCK_ASK_MS 5000
#define BROKERS_MAX 16
#define CLOCK_RANGE_MS INT64_C(7200000) /* clocks that are off by more are not measured */

/* A record of the transaction, in a partition whose leader's clock is measured. */
struct probe {
    int32_t broker_id, partition;
    int64_t offset; /* of the record; -1: it was not accepted */
};
struct probes {
    struct probe items[BROKERS_MAX];
    size_t count;
    int64_t aborting_at_ms, aborted_at_ms; /* local clock: before and after the abort */
};

struct attempt {
    struct uex_doctor *doctor;
    struct uex_txn txn;
    struct uex_topic_plan *plan;
    struct uex_buffer denied; /* topics without the right to write */
    bool dlq_denied;          /* among them the one that shows the clocks */
    bool run_denied;          /* of the topic that workers do not need */
    size_t tried_count;
    struct uex_fault fault;
    enum uex_error err; /* of the first step that failed */
};

/* A record on its way. */
struct sent {
    bool answered;
    rd_kafka_resp_err_t code;
    int64_t offset;
};

static void on_delivery(void *opaque, const char *topic, rd_kafka_resp_err_t code, int64_t offset)
{
    struct sent *sent = opaque;

    (void)topic;
    *sent = (struct sent){.answered = true, .code = code, .offset = offset};
}

/* With an old timestamp, so that a search by time finds the marker and not the record. */
static bool send_record(struct attempt *attempt, const char *topic, int32_t partition, struct sent *sent)
{
    const struct uex_txn_record record = {.topic = topic,
                                          .partition = partition,
                                          .key = uex_bytes_of_text(KEY),
                                          .timestamp_ms = uex_wall_ms() - 2 * CLOCK_RANGE_MS,
                                          .opaque = sent};

    *sent = (struct sent){0};
    attempt->err = uex_txn_produce(&attempt->txn, &record, &attempt->fault);
    return attempt->err == UEX_OK;
}

static void await_delivery(struct attempt *attempt, const struct sent *sent)
{
    int64_t until_ms = uex_monotonic_ms() + DELIVERY_MS;

    while (!sent->answered && uex_monotonic_ms() < until_ms && !uex_cancel_requested(&uex_program_cancel))
        (void)rd_kafka_poll(attempt->txn.producer, 50);
}

/* Send an offset in the transaction. If the transaction has failed already, this returns why. */
static rd_kafka_resp_err_t send_position(struct attempt *attempt, char *text, size_t text_size)
{
    const struct uex_config *config = attempt->doctor->config;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_error_t *error = NULL;
    char name[300];

    snprintf(name, sizeof(name), "%.249s-doctor", config->kafka_group_id);
    error = uex_txn_try_offset(&attempt->txn, name, config->topics_command);
    if (error != NULL) {
        code = rd_kafka_error_code(error);
        snprintf(text, text_size, "%s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    return code;
}

static bool abort_transaction(struct attempt *attempt)
{
    uex_txn_abort(&attempt->txn);
    if (attempt->txn.state == UEX_TXN_READY)
        return true;
    attempt->err = uex_fail(&attempt->fault, UEX_KAFKA, "cannot abort a transaction");
    return false;
}

static bool is_of_runs(const struct attempt *attempt, const char *topic)
{
    return strcmp(topic, attempt->doctor->config->topics_run) == 0;
}

/* Only the topic of runs may be missing here: topics check has named it. */
static bool is_there(struct attempt *attempt, const char *topic)
{
    struct uex_fault fault = {0};
    int32_t partition_count = 0;

    return !is_of_runs(attempt, topic) ||
           uex_kafka_partition_count(attempt->txn.producer, topic, ASK_MS, &partition_count, &fault) == UEX_OK;
}

/* May this topic be written to? False: stop, no further topic is tried. */
static bool try_topic(struct attempt *attempt, const char *topic)
{
    struct sent sent = {0};
    char text[200] = "";
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

    if ((attempt->err = uex_txn_begin(&attempt->txn, &attempt->fault)) != UEX_OK)
        return false;
    if (!send_record(attempt, topic, 0, &sent)) {
        (void)abort_transaction(attempt);
        return false;
    }
    await_delivery(attempt, &sent);
    /* In a failed transaction a record is only discarded; the next step returns the reason. */
    if (!sent.answered || sent.code != RD_KAFKA_RESP_ERR_NO_ERROR)
        code = send_position(attempt, text, sizeof(text));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && sent.answered)
        code = sent.code;
    attempt->tried_count++;
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED && is_of_runs(attempt, topic)) {
        attempt->run_denied = true;
    } else if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        uex_buffer_append_format(&attempt->denied, "%s%s", attempt->denied.size_bytes == 0 ? "" : ", ", topic);
        attempt->dlq_denied = attempt->dlq_denied || strcmp(topic, attempt->doctor->config->topics_dlq) == 0;
    } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
        attempt->err = uex_kafka_fail(&attempt->fault, code, topic);
    return abort_transaction(attempt) && attempt->err == UEX_OK;
}

/* One partition of the dead-letter topic, where little is written, for each broker that leads one. */
static void choose_partitions(struct attempt *attempt, struct probes *probes)
{
    const struct rd_kafka_metadata *metadata = NULL;

    if (rd_kafka_metadata(attempt->txn.producer, 1, NULL, &metadata, ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];

        for (int j = 0; strcmp(topic->topic, attempt->doctor->config->topics_dlq) == 0 && j < topic->partition_cnt;
             j++) {
            size_t known = 0;

            while (known < probes->count && probes->items[known].broker_id != topic->partitions[j].leader)
                known++;
            if (known == probes->count && probes->count < BROKERS_MAX && topic->partitions[j].leader >= 0)
                probes->items[probes->count++] = (struct probe){
                    .broker_id = topic->partitions[j].leader, .partition = topic->partitions[j].id, .offset = -1};
        }
    }
    rd_kafka_metadata_destroy(metadata);
}

static void check_position(struct uex_doctor *doctor, rd_kafka_resp_err_t code, const char *text)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        uex_doctor_report(doctor, "kafka", "positions", UEX_DOCTOR_OK, NULL,
                          "a transaction can commit offsets of groups named %s…", doctor->config->kafka_group_id);
    else
        uex_doctor_report(doctor, "kafka", "positions", UEX_DOCTOR_FAIL,
                          "allow READ on groups with the prefix kafka.group.id", "%s", text);
}

/* The last transaction: an offset, and the records whose markers show the brokers' clocks. */
static bool try_positions(struct attempt *attempt, struct probes *probes)
{
    struct sent sent[BROKERS_MAX];
    char text[200] = "";
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    bool aborted = false;

    if (!attempt->dlq_denied)
        choose_partitions(attempt, probes);
    if ((attempt->err = uex_txn_begin(&attempt->txn, &attempt->fault)) != UEX_OK)
        return false;
    for (size_t i = 0; i < probes->count; i++)
        if (!send_record(attempt, attempt->doctor->config->topics_dlq, probes->items[i].partition, &sent[i])) {
            (void)abort_transaction(attempt);
            return false;
        }
    for (size_t i = 0; i < probes->count; i++)
        await_delivery(attempt, &sent[i]);
    code = send_position(attempt, text, sizeof(text));
    probes->aborting_at_ms = uex_wall_ms();
    aborted = abort_transaction(attempt);
    probes->aborted_at_ms = uex_wall_ms();
    for (size_t i = 0; i < probes->count; i++) {
        if (sent[i].answered && sent[i].code == RD_KAFKA_RESP_ERR_NO_ERROR)
            probes->items[i].offset = sent[i].offset;
    }
    check_position(attempt->doctor, code, text);
    return aborted;
}

static bool try_all(struct attempt *attempt, struct probes *probes)
{
    const struct uex_config *config = attempt->doctor->config;
    char id[300], random[UEX_UUID_TEXT_SIZE];
    int32_t partition_count = 0;

    uex_uuid_random(random);
    snprintf(id, sizeof(id), "%.240s-doctor-%s", config->kafka_group_id, random);
    uex_txn_init(&attempt->txn, &(struct uex_txn_setup){.config = config,
                                                        .policy = UEX_TXN_GIVES_UP,
                                                        .transactional_id = id,
                                                        .cancel = &uex_program_cancel,
                                                        .on_delivery = on_delivery});
    attempt->err = uex_txn_prepare(&attempt->txn, config->startup_timeout_ms, &attempt->fault);
    /* Each topic without metadata would cost a second. */
    if (attempt->err == UEX_OK)
        attempt->err = uex_kafka_partition_count(attempt->txn.producer, config->topics_command, ASK_MS,
                                                 &partition_count, &attempt->fault);
    if (attempt->err == UEX_OK)
        attempt->err = uex_topics_plan(config, 0, 0, attempt->plan, &attempt->fault);
    if (attempt->err != UEX_OK)
        return false;
    for (size_t i = 0; i < attempt->plan->count; i++)
        if (uex_cancel_requested(&uex_program_cancel) ||
            (is_there(attempt, attempt->plan->topics[i].name) && !try_topic(attempt, attempt->plan->topics[i].name)))
            return false;
    return try_positions(attempt, probes);
}

static void try_transactions(struct uex_doctor *doctor, struct probes *probes)
{
    struct attempt attempt = {.doctor = doctor, .plan = calloc(1, sizeof(*attempt.plan))};
    bool done = attempt.plan != NULL && try_all(&attempt, probes);
    const char *fix = attempt.err == UEX_CONFIG
                          ? "set kafka.transaction.timeout.ms to at most transaction.max.timeout.ms of the brokers"
                          : "allow WRITE and DESCRIBE on transactional ids with the prefix kafka.group.id, and WRITE "
                            "on all topics";

    if (attempt.plan == NULL || uex_buffer_failed(&attempt.denied)) {
        attempt.err = uex_fail(&attempt.fault, UEX_NO_MEMORY, "no memory to try a transaction");
        done = false;
    }
    if (!done) {
        probes->count = 0;
        if (attempt.err != UEX_OK)
            uex_doctor_fail(doctor, "kafka", "transactions", attempt.err, &attempt.fault, fix);
    } else {
        uex_doctor_report(doctor, "kafka", "transactions", UEX_DOCTOR_OK, NULL,
                          "began and aborted transactions under ids named %s…", doctor->config->kafka_group_id);
    }
    if (attempt.denied.size_bytes > 0)
        uex_doctor_report(doctor, "kafka", "writing", UEX_DOCTOR_FAIL, "allow WRITE on these topics",
                          "not authorized to write to %s", uex_buffer_text(&attempt.denied));
    else if (done)
        uex_doctor_report(doctor, "kafka", "writing", UEX_DOCTOR_OK, NULL,
                          "%zu topics accepted a record of an aborted transaction", attempt.tried_count);
    if (attempt.run_denied)
        uex_doctor_report(doctor, "kafka", "runs", UEX_DOCTOR_WARN,
                          "allow WRITE on it to the Kafka user of export-scheduler; workers do not need it",
                          "not authorized to write to %s: runs cannot be recorded", doctor->config->topics_run);
    uex_txn_close(&attempt.txn);
    uex_buffer_clear(&attempt.denied);
    free(attempt.plan);
}

/* ---- the brokers' clocks */

/* No request returns a broker's clock, but the marker that ends a transaction has the time of the partition's leader,
 * and Kafka can find the first offset "not before" a time. It finds the marker after our record for times up to the
 * marker's own, and not for later ones, so twenty requests find that time to the millisecond. Source: Apache Kafka,
 * MemoryRecords.withEndTransactionMarker (timestamp) and LogSegment.findOffsetByTimestamp (which looks at control
 * records too). */

/* The first offset whose time is not before `at_ms`; the end if there is none. */
static bool first_not_before(rd_kafka_t *handle, const char *topic, int32_t partition, int64_t at_ms, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    bool known = false;

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = at_ms;
    known = rd_kafka_offsets_for_times(handle, list, CLOCK_ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR &&
            list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    *offset = list->elems[0].offset < 0 ? INT64_MAX : list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return known;
}

/* The marker's time. False: it cannot be found, for example because another record is in between. */
static bool find_marker(rd_kafka_t *handle, const char *topic, const struct probe *probe, int64_t around_ms,
                        int64_t *out)
{
    int64_t low = around_ms - CLOCK_RANGE_MS, high = around_ms + CLOCK_RANGE_MS, offset = 0;

    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;

        if (!first_not_before(handle, topic, probe->partition, middle, &offset))
            return false;
        if (offset <= probe->offset + 1)
            low = middle;
        else
            high = middle - 1;
    }
    *out = low;
    return first_not_before(handle, topic, probe->partition, low, &offset) && offset == probe->offset + 1;
}

static void check_clocks(struct uex_doctor *doctor, rd_kafka_t *handle, const struct probes *probes)
{
    int64_t half_ms = (probes->aborted_at_ms - probes->aborting_at_ms) / 2;
    int64_t middle_ms = probes->aborting_at_ms + half_ms;
    char whose[48];

    for (size_t i = 0; i < probes->count; i++) {
        int64_t at_ms = 0;

        snprintf(whose, sizeof(whose), "broker %d", (int)probes->items[i].broker_id);
        if (probes->items[i].offset >= 0 &&
            find_marker(handle, doctor->config->topics_dlq, &probes->items[i], middle_ms, &at_ms))
            uex_doctor_clock(doctor, "kafka", whose, at_ms - middle_ms, half_ms + 1);
        else
            uex_doctor_report(doctor, "kafka", "clock", UEX_DOCTOR_SKIP, NULL,
                              "%s: unknown (another client wrote to %s at the same time, or a clock is off by hours)",
                              whose, doctor->config->topics_dlq);
    }
}

void uex_doctor_transaction(struct uex_doctor *doctor, rd_kafka_t *handle)
{
    struct probes probes = {0};

    try_transactions(doctor, &probes);
    check_clocks(doctor, handle, &probes);
}
