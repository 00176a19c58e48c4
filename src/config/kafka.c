/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kafka.h"

#include <stdlib.h>

#include "export/text.h"

struct alias {
    const char *name;
    const char *canonical;
};

/* librdkafka would take whichever of two names is set last; one name per property keeps our own order of sources. */
static const struct alias aliases[] = {
    {"metadata.broker.list", "bootstrap.servers"},
    {"max.in.flight", "max.in.flight.requests.per.connection"},
    {"sasl.mechanism", "sasl.mechanisms"},
    {"sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id"},
    {"sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret"},
    {"max.partition.fetch.bytes", "fetch.message.max.bytes"},
    {"queue.buffering.max.ms", "linger.ms"},
    {"message.send.max.retries", "retries"},
    {"compression.codec", "compression.type"},
    {"message.timeout.ms", "delivery.timeout.ms"},
    {"request.required.acks", "acks"},
    {"auto.commit.enable", "enable.auto.commit"},
};

struct refusal {
    const char *name; /* canonical */
    const char *reason;
};

#define POSITION "the position is committed in the transaction of the outcomes, never by itself"
static const struct refusal refusals[] = {
    {"enable.auto.commit", POSITION},
    {"enable.auto.offset.store", POSITION},
    {"offset.store.method", POSITION},
    {"isolation.level", "the program reads only what is committed, or an aborted outcome would count"},
    {"auto.offset.reset", "a partition without a position starts at its beginning, or commands would be lost"},
    {"partition.assignment.strategy", "one worker must hold the same partition of all topics (range)"},
    {"group.protocol", "one worker must hold the same partition of all topics (classic protocol, range)"},
    {"enable.idempotence", "transactions need it; it is always on"},
    {"acks", "transactions need all replicas to acknowledge"},
    {"transactional.id", "each process makes its own, beginning with kafka.group.id"},
    {"partitioner", "commands are placed as Java clients place them (murmur2), or a group would have two owners"},
};

static uex_kafka_judge current_judge;

void uex_config_judge_kafka(uex_kafka_judge judge)
{
    current_judge = judge;
}

const char *uex_kafka_canonical(const char *name)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (strcmp(aliases[i].name, name) == 0)
            return aliases[i].canonical;
    }
    return name;
}

const char *uex_kafka_refusal(const char *name)
{
    name = uex_kafka_canonical(name);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (strcmp(refusals[i].name, name) == 0)
            return refusals[i].reason;
    }
    return NULL;
}

bool uex_kafka_secret(const char *name)
{
    static const char *const marks[] = {"password", "passphrase", "secret", "jaas", "key.pem", "oauthbearer.config"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strstr(name, marks[i]) != NULL)
            return true;
    }
    return false;
}

bool uex_kafka_name_valid(const char *name)
{
    size_t size_bytes = strlen(name);

    return size_bytes > 0 && size_bytes <= UEX_KAFKA_NAME_MAX_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._") == size_bytes;
}

enum uex_error uex_kafka_check(const char *name, const char *value, struct uex_fault *fault)
{
    if (current_judge != NULL)
        return current_judge(name, value, fault);
    for (size_t i = 0; uex_kafka_names[i] != NULL; i++) {
        if (strcmp(uex_kafka_names[i], name) == 0)
            return UEX_OK;
    }
    return UEX_NOT_FOUND;
}

static void free_value(struct uex_kafka_property *property)
{
    if (property->secret)
        uex_secret_free(property->value);
    else
        free(property->value);
    property->value = NULL;
}

static struct uex_kafka_property *find_property(const struct uex_config *config, const char *canonical)
{
    for (size_t i = 0; i < config->kafka_count; i++) {
        if (strcmp(config->kafka[i].name, canonical) == 0)
            return &config->kafka[i];
    }
    return NULL;
}

const char *uex_config_kafka(const struct uex_config *config, const char *property)
{
    const struct uex_kafka_property *found = find_property(config, uex_kafka_canonical(property));

    return found == NULL ? NULL : found->value;
}

static enum uex_error add_property(struct uex_config *config, const char *canonical, struct uex_kafka_property **out)
{
    struct uex_kafka_property *grown = NULL;
    char *name = NULL;

    if (config->kafka_count == UEX_KAFKA_PROPERTIES_MAX)
        return UEX_LIMIT;
    grown = realloc(config->kafka, (config->kafka_count + 1) * sizeof *grown);
    if (grown == NULL)
        return UEX_NO_MEMORY;
    config->kafka = grown;
    name = uex_text_copy(uex_bytes_of_text(canonical));
    if (name == NULL)
        return UEX_NO_MEMORY;
    *out = &grown[config->kafka_count++];
    **out = (struct uex_kafka_property){.name = name, .secret = uex_kafka_secret(canonical)};
    return UEX_OK;
}

enum uex_error uex_kafka_keep(struct uex_config *config, const char *name, const char *value, const char *source)
{
    const char *canonical = uex_kafka_canonical(name);
    struct uex_kafka_property *property = find_property(config, canonical);
    char *copy = uex_text_copy(uex_bytes_of_text(value));
    enum uex_error err = UEX_OK;

    if (copy == NULL)
        return UEX_NO_MEMORY;
    if (property == NULL)
        err = add_property(config, canonical, &property);
    if (err != UEX_OK) {
        uex_secret_free(copy);
        return err;
    }
    free_value(property);
    property->value = copy;
    property->source = source;
    return UEX_OK;
}

void uex_kafka_free(struct uex_config *config)
{
    for (size_t i = 0; i < config->kafka_count; i++) {
        free_value(&config->kafka[i]);
        free(config->kafka[i].name);
    }
    free(config->kafka);
    config->kafka = NULL;
    config->kafka_count = 0;
}
