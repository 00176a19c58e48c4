/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/sasl.h — do the properties for authentication fit each other? From the configuration alone: no handle is
 * made and no broker asked. Any thread. */
#ifndef EXPORT_KAFKA_SASL_H
#define EXPORT_KAFKA_SASL_H

#include "export/config.h"

/* Add a line for each setting that is missing or wrong, so that no broker can accept the client: a mechanism without
 * what it needs, one that librdkafka does not have, a keytab that cannot be read. UEX_CONFIG if there is any. Source:
 * librdkafka, CONFIGURATION.md, and rdkafka_sasl*.c. */
enum uex_error uex_sasl_check(const struct uex_config *config, struct uex_buffer *problems);
/* Add a line for each setting that has no effect, because kafka.security.protocol is without SASL: such a client may
 * work, but hardly as it was meant. */
void uex_sasl_check_unused(const struct uex_config *config, struct uex_buffer *problems);
#endif
