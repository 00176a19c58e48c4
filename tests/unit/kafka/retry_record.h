/* SPDX-License-Identifier: Apache-2.0 */
/* What a retry record says of the command's place in the command topic, for tests of headers. */
#ifndef EXPORT_TESTS_RETRY_RECORD_H
#define EXPORT_TESTS_RETRY_RECORD_H

#include "unit/kafka/kafka_fixture.h"

#define TOPIC "export-group"
#define TIER "export-group-retry-0"
#define ID "0b6e3b52-9df1-4b4f-8a0c-0a2f3b6c7d8e"

static const uint8_t three[] = {0, 0, 0, 3};
static const uint8_t place[] = {0, 0, 0, 0, 0, 0, 1, 2};

static inline void add_origin(struct record_fixture *fixture)
{
    fixture_header_text(fixture, "kafka_original-topic", TOPIC);
    fixture_header(fixture, "kafka_original-partition", three, 4);
    fixture_header(fixture, "kafka_original-offset", place, 8);
    fixture_header(fixture, "kafka_original-timestamp", place, 8);
}
#endif
