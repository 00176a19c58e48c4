/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/group_metadata.h — does a consumer's group metadata speak for a member? */
#ifndef EXPORT_KAFKA_GROUP_METADATA_H
#define EXPORT_KAFKA_GROUP_METADATA_H

#include <librdkafka/rdkafka.h>

#include <stdbool.h>
#include <stdint.h>

/* False for NULL and for metadata with generation -1 or without a member id: a broker takes offsets under these from
 * anybody, unchecked, so they must never be sent with a transaction (KIP-447; a consumer that has just lost its
 * membership gives such metadata). librdkafka before 2.6 has no way to ask, so its written form is read, whose layout
 * is first tried on metadata that are known; where the layout is another one the answer is true. Any thread. */
bool uex_group_metadata_is_member(const rd_kafka_consumer_group_metadata_t *metadata);

/* Is the layout of this librdkafka known? Where it is not, whether metadata speak for a member cannot be told: the
 * worker says so at its start. Any thread. */
bool uex_group_metadata_is_readable(void);

/* The generation, for the log; -1: none, or the layout is another one. Any thread. */
int32_t uex_group_metadata_generation(const rd_kafka_consumer_group_metadata_t *metadata);
#endif
