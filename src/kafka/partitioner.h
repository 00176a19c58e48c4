/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/partitioner.h — which partition a key belongs to. */
#ifndef EXPORT_KAFKA_PARTITIONER_H
#define EXPORT_KAFKA_PARTITIONER_H

#include "export/bytes.h"

/* murmur2 of the key, sign bit cleared, modulo the partition count: what Java's producer does with a key. Source:
 * Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2 and toPositive, BuiltInPartitioner.partitionForKey.
 * `partition_count` at least 1, otherwise 0 is returned. Any thread. */
int32_t uex_partition_of(struct uex_bytes key, int32_t partition_count);
/* The hash itself, for tests against published values. */
uint32_t uex_murmur2(struct uex_bytes data);
#endif
