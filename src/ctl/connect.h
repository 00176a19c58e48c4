/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/connect.h — dependencies that answer: each is waited for, at most uex_wait_for_ms(), and after 1 s a line on
 * stderr says so. uex_program_cancel ends the waits. Main thread. */
#ifndef EXPORT_CTL_CONNECT_H
#define EXPORT_CTL_CONNECT_H

#include "ctl/waiting.h"
#include "export/layout.h"
#include "kafka/topic_reader.h"
#include "run/records.h"

/* A handle of this role, once a broker has answered. UEX_KAFKA_UNAVAILABLE, UEX_CANCELLED, UEX_CONFIG. The caller
 * destroys `*out` in any case (uex_kafka_destroy()). */
UEX_MUST_CHECK enum uex_error uex_ctl_connect(const struct uex_config *config, enum uex_kafka_role role,
                                              rd_kafka_t **out, struct uex_fault *fault);
/* A reader of these topics; once Kafka has answered, its waits are those of startup.timeout. Errors as of
 * uex_topic_reader_open(). */
UEX_MUST_CHECK enum uex_error uex_ctl_read_topics(const struct uex_config *config, const struct uex_read_topic *topics,
                                                  size_t topic_count, struct uex_topic_reader **out,
                                                  struct uex_fault *fault);
/* All records of topics.run; errors as of uex_run_records_read(). */
UEX_MUST_CHECK enum uex_error uex_ctl_read_runs(const struct uex_config *config, struct uex_run_records *out,
                                                struct uex_fault *fault);
/* For other first questions to Kafka: the line that says so. uex_waiting_end() ends it. */
void uex_ctl_begin_waiting_for_kafka(struct uex_waiting *waiting, const struct uex_config *config);
/* The database answers. Errors of uex_groups_await(). */
UEX_MUST_CHECK enum uex_error uex_ctl_await_database(const struct uex_config *config, struct uex_fault *fault);
/* The layout of the settings, resolved with the user view. Errors of uex_layout_new(), uex_groups_await() and
 * uex_postgres_check_views(). The caller frees `*out`. */
UEX_MUST_CHECK enum uex_error uex_ctl_read_layout(const struct uex_config *config, struct uex_layout **out,
                                                  struct uex_fault *fault);
#endif
