/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/subscription.c — which topics commands are read from. */
#include <stdlib.h>

#include "engine/engine.h"

#define ASK_TIMEOUT_MS 10000

static bool knows_input_topic(const struct uex_engine *engine, const char *topic)
{
    for (size_t input_topic = 0; input_topic < engine->input_topic_count; input_topic++) {
        if (strcmp(engine->input_topics[input_topic].topic, topic) == 0)
            return true;
    }
    return false;
}

static enum uex_error add_input_topic(struct uex_engine *engine, const char *topic, struct uex_fault *fault)
{
    char *copy = strdup(topic);
    bool has_room = false;

    if (copy == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "topics");
    uex_engine_lock(engine); /* for those who count the input topics from outside */
    has_room = uex_epoch_reserve_input_topics_synced(engine, engine->input_topic_count + 1);
    if (has_room)
        engine->input_topics[engine->input_topic_count++].topic = copy;
    uex_engine_unlock(engine);
    if (has_room)
        return UEX_OK;
    free(copy);
    return uex_fail(fault, UEX_NO_MEMORY, "topics");
}

/* The command topic, then the configured tiers in their order (a retry goes to input_topics[1 + tier]), then tiers that
 * are no longer configured but still there. */
static enum uex_error find_input_topics(struct uex_engine *engine, struct uex_fault *fault)
{
    struct uex_tier tiers[UEX_TIERS_MAX];
    size_t count = 0;
    enum uex_error error = uex_consumer_tiers(engine->handles, ASK_TIMEOUT_MS, tiers, &count, fault);

    for (size_t i = 0; i < count && error == UEX_OK; i++) {
        if (tiers[i].configured && tiers[i].partition_count == 0)
            error = uex_fail(fault, UEX_KAFKA_TOPICS,
                             "there is no topic %s, or it may not be seen; this makes it: exportctl topics create",
                             tiers[i].topic);
    }
    if (error == UEX_OK && engine->input_topic_count == 0)
        error = add_input_topic(engine, engine->config->topics_command, fault);
    for (int configured = 1; configured >= 0; configured--) {
        for (size_t i = 0; i < count && error == UEX_OK; i++) {
            if (tiers[i].configured == (configured == 1) && tiers[i].partition_count > 0 &&
                !knows_input_topic(engine, tiers[i].topic) && engine->input_topic_count < UEX_INPUT_TOPICS_MAX)
                error = add_input_topic(engine, tiers[i].topic, fault);
        }
    }
    return error;
}

enum uex_error uex_engine_subscribe(struct uex_engine *engine, struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    const enum uex_error error = find_input_topics(engine, fault);

    if (error != UEX_OK)
        return error;
    list = rd_kafka_topic_partition_list_new((int)engine->input_topic_count);
    for (size_t i = 0; i < engine->input_topic_count; i++)
        (void)rd_kafka_topic_partition_list_add(list, engine->input_topics[i].topic, RD_KAFKA_PARTITION_UA);
    /* Who leaves and comes makes the group assign the partitions that there are now. Who was given an assignment that
     * it did not take asks for its own again, and keeps its member id. */
    code = engine->consumer.subscribe(engine->consumer.context, list, engine->membership.passed_over_count == 0);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? UEX_OK : uex_kafka_fail(fault, code, "the topics cannot be subscribed");
}
