/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/connect.h"

#include "export/program.h"

enum uex_error uex_ctl_connect(const struct uex_config *config, enum uex_kafka_role role, rd_kafka_t **out,
                               struct uex_fault *fault)
{
    return uex_kafka_connect(config, role, config->startup_timeout_ms, &uex_program_cancel, out, fault);
}

enum uex_error uex_ctl_read_topics(const struct uex_config *config, const struct uex_read_topic *topics,
                                   size_t topic_count, struct uex_topic_reader **out, struct uex_fault *fault)
{
    return uex_topic_reader_open(config, topics, topic_count, config->startup_timeout_ms, &uex_program_cancel, out,
                                 fault);
}
