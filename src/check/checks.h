/* SPDX-License-Identifier: Apache-2.0 */
/* src/check/checks.h — checks of a configuration that need more than the table of settings; nothing is reached. Each
 * adds a line to `problems` for each mistake. */
#ifndef EXPORT_CHECK_CHECKS_H
#define EXPORT_CHECK_CHECKS_H

#include "export/config.h"

void uex_check_kafka(const struct uex_config *config, struct uex_buffer *problems);
/* Kafka's properties and topic names, masks, storage.url with s3.*, redis.url, postgres.dsn. */
void uex_check_all(const struct uex_config *config, struct uex_buffer *problems);
#endif
