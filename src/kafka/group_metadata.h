/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/group_metadata.h — is a consumer's group metadata that of a member? */
#ifndef EXPORT_KAFKA_GROUP_METADATA_H
#define EXPORT_KAFKA_GROUP_METADATA_H

#include <librdkafka/rdkafka.h>

#include <stdbool.h>
#include <stdint.h>

/* False for NULL, and for metadata with generation -1 or without a member id. A broker accepts offsets under such
 * metadata from anybody, unchecked (KIP-447), so it must never be sent with a transaction; a consumer that has just
 * lost its membership has such metadata. librdkafka before 2.6 has no function for this, so its serialized form is
 * read. Its layout is first tried on known metadata; if it is another layout, the answer is true. Any thread. */
bool uex_group_metadata_is_member(const rd_kafka_consumer_group_metadata_t *metadata);

/* Is the layout of this librdkafka known? If not, uex_group_metadata_is_member() cannot tell, and the worker logs that
 * at its start. Any thread. */
bool uex_group_metadata_is_readable(void);

/* The generation, for the log; -1: none, or the layout is another one. Any thread. */
int32_t uex_group_metadata_generation(const rd_kafka_consumer_group_metadata_t *metadata);
#endif
