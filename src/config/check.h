/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/check.h — checks of texts that the table of settings names. */
#ifndef EXPORT_CONFIG_CHECK_H
#define EXPORT_CONFIG_CHECK_H

#include <stdbool.h>

/* 1 to 249 characters a-z A-Z 0-9 . _ -, not "." or ".." (Apache Kafka, org.apache.kafka.common.internals.Topic). */
bool uex_check_topic(const char *text);
/* The same with room for "-15" behind it. */
bool uex_check_retry_topic(const char *text);
/* A name of SQL, plain or quoted, of at most 63 bytes (PostgreSQL documentation, 4.1.1). */
bool uex_check_sql_name(const char *text);
/* The same with a schema before it or not. */
bool uex_check_view(const char *text);
bool uex_check_region(const char *text);
bool uex_check_endpoint(const char *text);
bool uex_check_sse(const char *text);
bool uex_check_version(const char *text);
/* Values of group_type with commas between them: each as long as struct uex_group holds it, and plain in JSON. */
bool uex_check_group_types(const char *text);
/* A storage class or a canned ACL: 1 to 64 characters a-z A-Z 0-9 _ -. Stores have names of their own for both. */
bool uex_check_s3_word(const char *text);
/* Tags of an object, URL-encoded: key=value&key=value (tagging.c). */
bool uex_check_tagging(const char *text);
bool uex_check_listen(const char *text);
bool uex_check_clock_time(const char *text);
bool uex_check_kafka_group(const char *text);
/* A path that starts with '/'. */
bool uex_check_absolute_path(const char *text);
/* Valid UTF-8 without control characters. */
bool uex_check_plain(const char *text);
#endif
