/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations and records made by hand, for tests of the Kafka modules. */
#ifndef EXPORT_TESTS_KAFKA_FIXTURE_H
#define EXPORT_TESTS_KAFKA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "kafka/headers.h"
#include "kafka/topics.h"

/* A configuration with the default topics and the given properties (name, value, …, NULL); nothing in it is owned. */
struct kafka_fixture {
    struct uex_config config;
    struct uex_kafka_property properties[16];
};

static inline struct uex_config *fixture_config(struct kafka_fixture *fixture, ...)
{
    va_list arguments;
    char *name = NULL;

    *fixture = (struct kafka_fixture){.config = {.kafka_group_id = (char *)"export-workers",
                                                 .topics_command = (char *)"export-group",
                                                 .topics_retry = (char *)"export-group-retry",
                                                 .topics_state = (char *)"export-group-state",
                                                 .topics_progress = (char *)"export-group-progress",
                                                 .topics_result = (char *)"flairbit-users",
                                                 .topics_dlq = (char *)"flairbit-dlq",
                                                 .topics_run = (char *)"export-group-run",
                                                 .retry_delays_ms = {30000, 300000, 1800000},
                                                 .retry_tier_count = 3}};
    fixture->config.kafka = fixture->properties;
    fixture->properties[fixture->config.kafka_count++] =
        (struct uex_kafka_property){.name = (char *)"group.id", .value = (char *)"export-workers"};
    va_start(arguments, fixture);
    while ((name = va_arg(arguments, char *)) != NULL) {
        struct uex_kafka_property *property = &fixture->properties[fixture->config.kafka_count++];

        property->name = name;
        property->value = va_arg(arguments, char *);
        property->secret = strstr(name, "password") != NULL;
    }
    va_end(arguments);
    return &fixture->config;
}

/* A record with headers; everything is borrowed, and its envelope is always read. */
#define FIXTURE_COMMAND_TOPIC "export-group"
struct record_fixture {
    struct uex_record record;
    struct uex_record_header headers[32];
};

static inline void fixture_record(struct record_fixture *fixture, const char *topic)
{
    *fixture = (struct record_fixture){
        .record = {.topic = topic, .partition = 5, .offset = 77, .timestamp_ms = 1700000000123, .header_count = 0}};
    fixture->record.headers = fixture->headers;
    uex_envelope_read(&fixture->record, FIXTURE_COMMAND_TOPIC);
}

static inline void fixture_header(struct record_fixture *fixture, const char *name, const void *value,
                                  size_t size_bytes)
{
    fixture->headers[fixture->record.header_count++] =
        (struct uex_record_header){.name = name, .value = uex_bytes_of(value, size_bytes)};
    uex_envelope_read(&fixture->record, FIXTURE_COMMAND_TOPIC);
}

static inline void fixture_header_text(struct record_fixture *fixture, const char *name, const char *text)
{
    fixture_header(fixture, name, text, text == NULL ? 0 : strlen(text));
}
#endif
