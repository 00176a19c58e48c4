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
/* A real transaction under a name of the worker's prefix, aborted at its end; `handle` then asks the brokers for the
 * markers that ended it, which have the times of their clocks. */
void uex_doctor_transaction(struct uex_doctor *doctor, rd_kafka_t *handle);
#endif
