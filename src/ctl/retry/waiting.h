/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/retry/waiting.h — the commands that have no outcome yet: the records of the retry topics, and of the command
 * topic, that the workers' committed offsets and bitmaps do not call finished. Main thread. */
#ifndef EXPORT_CTL_RETRY_WAITING_H
#define EXPORT_CTL_RETRY_WAITING_H

#include "kafka/topics.h"

/* Who gets them. Record and tier are borrowed; an error ends the reading. */
struct uex_waiting_commands {
    bool with_command_topic;
    /* `tier` is NULL for a record of the command topic. */
    enum uex_error (*take)(void *context, const rd_kafka_message_t *message, const struct uex_tier *tier);
    void *context;
};

/* Read them all. A command that moves to the next tier meanwhile may come twice or not at all. Waits until Kafka
 * answers. UEX_KAFKA_UNAVAILABLE: also if startup.timeout was not enough; UEX_KAFKA (a right is missing), UEX_CANCELLED
 * by uex_program_cancel, and errors of `take`. */
UEX_MUST_CHECK enum uex_error uex_waiting_commands_read(const struct uex_config *config,
                                                        const struct uex_waiting_commands *reading,
                                                        struct uex_fault *fault);
#endif
