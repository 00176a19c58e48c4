/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/doctor/doctor.h — the rooms of `exportctl doctor`: each tries one dependency and says what it found, a line
 * at a time. Main thread. */
#ifndef EXPORT_CTL_DOCTOR_H
#define EXPORT_CTL_DOCTOR_H

#include "ctl/output.h"
#include "kafka/client.h"

enum uex_doctor_result { UEX_DOCTOR_OK, UEX_DOCTOR_WARN, UEX_DOCTOR_FAIL, UEX_DOCTOR_SKIP };

struct uex_doctor {
    const struct uex_config *config;
    enum uex_output format;
    struct uex_buffer json; /* the rows so far */
    size_t row_count, fail_count, warn_count;
    bool unreachable; /* a dependency did not answer */
};

/* A line: what was looked at ("kafka", "transactions"), how it is, and what mends it (NULL: nothing needs to). It is
 * printed at once in a table. */
void uex_doctor_say(struct uex_doctor *doctor, const char *dependency, const char *check, enum uex_doctor_result result,
                    const char *mend, const char *format, ...) UEX_PRINTF(6, 7);
/* The same for an error: fails, and the exit code tells of what could not be reached. `mend` NULL: by the error. */
void uex_doctor_fail(struct uex_doctor *doctor, const char *dependency, const char *check, enum uex_error err,
                     const struct uex_fault *fault, const char *mend);
/* A line about a clock that is `skew_ms` ahead of ours (negative: behind), known to `precision_ms`. */
void uex_doctor_clock(struct uex_doctor *doctor, const char *dependency, const char *whose, int64_t skew_ms,
                      int64_t precision_ms);

void uex_doctor_kafka(struct uex_doctor *doctor);
void uex_doctor_postgres(struct uex_doctor *doctor);
void uex_doctor_store(struct uex_doctor *doctor);
void uex_doctor_redis(struct uex_doctor *doctor);

/* ---- transaction.c: a real transaction under a name of the worker's prefix, given up at its end */

#define UEX_DOCTOR_BROKERS_MAX 16
#define UEX_DOCTOR_CLOCK_RANGE_MS INT64_C(7200000) /* clocks that are off by more are not told */

/* A record that the transaction wrote where its leader's clock is asked for. */
struct uex_doctor_probe {
    int32_t broker_id, partition;
    int64_t offset;            /* of the record; -1: it was not taken */
    rd_kafka_resp_err_t error; /* why */
};
struct uex_doctor_probes {
    struct uex_doctor_probe items[UEX_DOCTOR_BROKERS_MAX];
    size_t count;
    int64_t aborting_at_ms, aborted_at_ms; /* local: the abort was asked for, was answered */
};
/* Says how it went. `probes` are the records in topics.dlq, one for each broker that leads a partition of it; none
 * if the transaction failed. */
void uex_doctor_transaction(struct uex_doctor *doctor, struct uex_doctor_probes *probes);

/* ---- clock.c: the brokers' clocks, by the markers that ended the transaction */
void uex_doctor_broker_clocks(struct uex_doctor *doctor, rd_kafka_t *handle, const struct uex_doctor_probes *probes);
#endif
