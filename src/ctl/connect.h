/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/connect.h — a Kafka client whose brokers answer. Main thread. */
#ifndef EXPORT_CTL_CONNECT_H
#define EXPORT_CTL_CONNECT_H

#include "kafka/client.h"

/* A handle of this role, once a broker has answered within startup.timeout. UEX_KAFKA_UNAVAILABLE, UEX_CANCELLED,
 * UEX_CONFIG. The caller destroys `*out` in any case (uex_kafka_destroy()). */
UEX_MUST_CHECK enum uex_error uex_ctl_connect(const struct uex_config *config, enum uex_kafka_role role,
                                              rd_kafka_t **out, struct uex_fault *fault);
#endif
