/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/doctor/doctor.h — the parts of `exportctl doctor`: each tests one dependency, on a thread of its own, and
 * collects a line for each check. The main thread prints them. */
#ifndef EXPORT_CTL_DOCTOR_H
#define EXPORT_CTL_DOCTOR_H

#include "ctl/output.h"
#include "export/object_store.h"
#include "kafka/client.h"

enum uex_doctor_result { UEX_DOCTOR_OK, UEX_DOCTOR_WARN, UEX_DOCTOR_FAIL, UEX_DOCTOR_SKIP };

/* The report of one part. */
struct uex_doctor {
    const struct uex_config *config;
    struct uex_store_service *store; /* for the part that tests it; NULL: `store_fault` says why */
    struct uex_fault store_fault;
    struct uex_buffer where;      /* the servers, for the sentence of a failure; no secret */
    struct uex_buffer text, json; /* the rows so far: lines, and members of an array */
    size_t row_count, fail_count, warn_count;
    bool unreachable; /* the dependency did not answer */
};

/* Add a line: the dependency and the check ("kafka", "transactions"), its result, and how to fix it (NULL: nothing to
 * fix). */
void uex_doctor_report(struct uex_doctor *doctor, const char *dependency, const char *check,
                       enum uex_doctor_result result, const char *fix, const char *format, ...) UEX_PRINTF(6, 7);
/* The same for an error: UEX_DOCTOR_FAIL with the servers' names, and exit code 3 if the dependency could not be
 * reached. `fix` NULL: by the error. */
void uex_doctor_fail(struct uex_doctor *doctor, const char *dependency, const char *check, enum uex_error err,
                     const struct uex_fault *fault, const char *fix);
/* A line about a clock that is `skew_ms` ahead of ours (negative: behind), give or take `precision_ms`. */
void uex_doctor_clock(struct uex_doctor *doctor, const char *dependency, const char *whose, int64_t skew_ms,
                      int64_t precision_ms);

void uex_doctor_kafka(struct uex_doctor *doctor);
void uex_doctor_postgres(struct uex_doctor *doctor);
void uex_doctor_store(struct uex_doctor *doctor);
void uex_doctor_redis(struct uex_doctor *doctor);
/* Run a transaction under an id with the worker's prefix, and abort it. `handle` then finds the markers that ended it:
 * they have the times of the brokers' clocks. */
void uex_doctor_transaction(struct uex_doctor *doctor, rd_kafka_t *handle);
#endif
