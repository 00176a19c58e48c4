/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/client_internal.h — what the client*.c files share; for them and their unit test. */
#ifndef EXPORT_KAFKA_CLIENT_INTERNAL_H
#define EXPORT_KAFKA_CLIENT_INTERNAL_H

#include "kafka/client.h"

/* Put the log and error callbacks into `conf`. */
void uex_kafka_log_install(rd_kafka_conf_t *conf);
/* The rate limit of log lines of one kind. True: write this one; `*suppressed` is how many were left out since the last
 * one. Any thread. */
bool uex_kafka_log_allowed(const char *kind, int64_t now_ms, uint64_t *suppressed);

/* Have the brokers refused this client (authentication, TLS) for so long, and nothing else failed since? Any thread. */
bool uex_kafka_is_refused(int64_t lasting_ms);

/* Does this property mean something to a consumer (else: producer)? From librdkafka's own table. Any thread. */
bool uex_kafka_property_applies(const char *name, bool is_consumer);
/* Is a handle of this role a consumer (else: producer)? */
bool uex_kafka_is_consumer(enum uex_kafka_role role);
#endif
