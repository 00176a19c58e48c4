/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/kafka.h — what is known of librdkafka's properties without librdkafka. */
#ifndef EXPORT_CONFIG_KAFKA_H
#define EXPORT_CONFIG_KAFKA_H

#include "export/config.h"

/* In the list of settings. */
#define UEX_KAFKA_KEY "kafka.<property>"
#define UEX_KAFKA_HELP                                                                                                 \
    "any property of librdkafka, for consumer, producer and admin alike: kafka.bootstrap.servers, "                    \
    "kafka.security.protocol, …; kafka.group.id is export-workers by default"
#define UEX_KAFKA_PREFIX "kafka."
#define UEX_KAFKA_NAME_MAX_BYTES 100
#define UEX_KAFKA_PROPERTIES_MAX 256

extern const char *const uex_kafka_names[]; /* ends with NULL */

/* The name under which a property is kept: aliases get the name that most people use. */
const char *uex_kafka_canonical(const char *name);
/* Why a property may not be set at all; NULL: it may. */
const char *uex_kafka_refusal(const char *name);
/* Does the name say that the value is a secret? Holds for unknown names too. */
bool uex_kafka_secret(const char *name);
/* Lower-case letters, digits, dots and underscores. */
bool uex_kafka_name_valid(const char *name);
/* UEX_OK; UEX_NOT_FOUND: no such property; UEX_CONFIG: bad value, the fault says why. */
UEX_MUST_CHECK enum uex_error uex_kafka_check(const char *name, const char *value, struct uex_fault *fault);
/* Keep a value, replacing an earlier one. UEX_LIMIT beyond UEX_KAFKA_PROPERTIES_MAX; UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_kafka_keep(struct uex_config *config, const char *name, const char *value,
                                             const char *source);
/* Frees all, wipes the secret ones. */
void uex_kafka_free(struct uex_config *config);
#endif
