/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/connect.h — Kafka clients whose brokers answer: how long exportctl waits for them. Main thread. */
#ifndef EXPORT_CTL_CONNECT_H
#define EXPORT_CTL_CONNECT_H

#include "kafka/topic_reader.h"

/* A handle of this role, once a broker has answered within startup.timeout. UEX_KAFKA_UNAVAILABLE, UEX_CANCELLED,
 * UEX_CONFIG. The caller destroys `*out` in any case (uex_kafka_destroy()). */
UEX_MUST_CHECK enum uex_error uex_ctl_connect(const struct uex_config *config, enum uex_kafka_role role,
                                              rd_kafka_t **out, struct uex_fault *fault);
/* A reader of these topics that waits for startup.timeout and ends with uex_program_cancel; errors as of
 * uex_topic_reader_open(). */
UEX_MUST_CHECK enum uex_error uex_ctl_read_topics(const struct uex_config *config, const struct uex_read_topic *topics,
                                                  size_t topic_count, struct uex_topic_reader **out,
                                                  struct uex_fault *fault);
#endif
