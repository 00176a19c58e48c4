/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/retry/waiting.h"

#include "ctl/connect.h"
#include "export/program.h"
#include "kafka/unfinished.h"

#define ASK_MS 10000

struct pass {
    const struct uex_waiting_commands *reading;
    struct uex_tier tiers[UEX_TIERS_MAX];
    struct uex_unfinished_topic topics[1 + UEX_TIERS_MAX];
    const struct uex_tier *tier_of[1 + UEX_TIERS_MAX]; /* of each topic; NULL: the command topic */
    size_t topic_count;
};

static enum uex_error take(void *context, size_t topic, const rd_kafka_message_t *message)
{
    const struct pass *pass = context;

    return pass->reading->take(pass->reading->context, message, pass->tier_of[topic]);
}

static void add_topic(struct pass *pass, const char *name, const struct uex_tier *tier)
{
    pass->tier_of[pass->topic_count] = tier;
    pass->topics[pass->topic_count++] = (struct uex_unfinished_topic){.name = name, .read_max = UINT64_MAX};
}

static enum uex_error find_topics(const struct uex_config *config, struct pass *pass, struct uex_fault *fault)
{
    rd_kafka_t *handle = NULL;
    size_t tier_count = 0;
    enum uex_error err = uex_ctl_connect(config, UEX_KAFKA_READER, &handle, fault);

    if (err == UEX_OK)
        err = uex_topics_tiers(handle, config, ASK_MS, pass->tiers, &tier_count, fault);
    if (pass->reading->with_command_topic)
        add_topic(pass, config->topics_command, NULL);
    for (size_t i = 0; i < tier_count && err == UEX_OK; i++)
        if (pass->tiers[i].partition_count > 0)
            add_topic(pass, pass->tiers[i].topic, &pass->tiers[i]);
    uex_kafka_destroy(handle);
    return err;
}

enum uex_error uex_waiting_commands_read(const struct uex_config *config, const struct uex_waiting_commands *reading,
                                         struct uex_fault *fault)
{
    struct pass pass = {.reading = reading};
    struct uex_lag_readers readers = {0};
    enum uex_error err = find_topics(config, &pass, fault);
    const struct uex_unfinished_reading how = {.answer_ms = ASK_MS,
                                               .until_ms = uex_monotonic_ms() + config->startup_timeout_ms,
                                               .cancel = &uex_program_cancel,
                                               .take = take,
                                               .context = &pass};

    if (err == UEX_OK)
        err = uex_lag_readers_open(config, config->kafka_group_id, &readers, fault);
    if (err == UEX_OK)
        err = uex_unfinished_read(&readers, &how, pass.topics, pass.topic_count, fault);
    for (size_t i = 0; i < pass.topic_count && err == UEX_OK; i++)
        if (!pass.topics[i].is_missing && !pass.topics[i].is_exact)
            err = uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "%s could not be read to its end within startup.timeout",
                           pass.topics[i].name);
    uex_lag_readers_close(&readers);
    return err;
}
