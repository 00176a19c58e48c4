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

#define BY_TRANSACTION "offsets are committed in the transaction of the outcomes, never otherwise"
static const struct refusal refusals[] = {
    {"enable.auto.commit", BY_TRANSACTION},
    {"enable.auto.offset.store", BY_TRANSACTION},
    {"offset.store.method", BY_TRANSACTION},
    {"isolation.level", "the program must read committed records only, or an aborted outcome would count"},
    {"auto.offset.reset",
     "a partition without a committed offset is read from its beginning, or commands would be lost"},
    {"partition.assignment.strategy", "one worker must own the same partition of all topics (range)"},
    {"group.protocol", "one worker must own the same partition of all topics (classic protocol, range)"},
    {"enable.idempotence", "transactions need it, so it is always on"},
    {"acks", "transactions need acks from all in-sync replicas"},
    {"transactional.id", "each process makes its own, which begins with kafka.group.id"},
    {"partitioner", "commands use the partitioner of Java clients (murmur2), or a group would have two owners"},
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

/* From CONFIGURATION.md of librdkafka 2.0.2 to 2.15, without those that take a function or a pointer. It gives
 * environment names their dots back, and finds mistyped names. */
const char *const uex_kafka_names[] = {
    "acks", "allow.auto.create.topics", "api.version.fallback.ms", "api.version.request",
    "api.version.request.timeout.ms", "auto.commit.enable", "auto.commit.interval.ms", "auto.offset.reset",
    "batch.num.messages", "batch.size", "bootstrap.servers", "broker.address.family", "broker.address.ttl",
    "broker.version.fallback", "builtin.features", "check.crcs", "client.dns.lookup", "client.id", "client.rack",
    "compression.codec", "compression.level", "compression.type", "connections.max.idle.ms",
    "consume.callback.max.messages", "coordinator.query.interval.ms", "debug", "delivery.report.only.error",
    "delivery.timeout.ms", "enable.auto.commit", "enable.auto.offset.store", "enable.gapless.guarantee",
    "enable.idempotence", "enable.metrics.push", "enable.partition.eof", "enable.random.seed",
    "enable.sasl.oauthbearer.unsecure.jwt", "enable.ssl.certificate.verification", "fetch.error.backoff.ms",
    "fetch.max.bytes", "fetch.message.max.bytes", "fetch.min.bytes", "fetch.queue.backoff.ms", "fetch.wait.max.ms",
    "group.id", "group.instance.id", "group.protocol", "group.protocol.type", "group.remote.assignor",
    "heartbeat.interval.ms", "https.ca.location", "https.ca.pem", "internal.termination.signal", "isolation.level",
    "linger.ms", "log.connection.close", "log.queue", "log.thread.name", "log_level", "max.in.flight",
    "max.in.flight.requests.per.connection", "max.partition.fetch.bytes", "max.poll.interval.ms", "max.poll.records",
    "message.copy.max.bytes", "message.max.bytes", "message.send.max.retries", "message.timeout.ms",
    "metadata.broker.list", "metadata.max.age.ms", "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy", "offset.store.method", "offset.store.path", "offset.store.sync.interval.ms",
    "partition.assignment.strategy", "partitioner", "plugin.library.paths", "produce.offset.report",
    "queue.buffering.backpressure.threshold", "queue.buffering.max.kbytes", "queue.buffering.max.messages",
    "queue.buffering.max.ms", "queued.max.messages.kbytes", "queued.min.messages", "queuing.strategy",
    "receive.message.max.bytes", "reconnect.backoff.jitter.ms", "reconnect.backoff.max.ms", "reconnect.backoff.ms",
    "request.required.acks", "request.timeout.ms", "retries", "retry.backoff.max.ms", "retry.backoff.ms",
    "sasl.kerberos.keytab", "sasl.kerberos.kinit.cmd", "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.principal", "sasl.kerberos.service.name", "sasl.mechanism", "sasl.mechanisms",
    "sasl.oauthbearer.assertion.algorithm", "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds", "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include", "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub", "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.jwt.template.file", "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase", "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config",
    "sasl.oauthbearer.extensions", "sasl.oauthbearer.grant.type", "sasl.oauthbearer.metadata.authentication.type",
    "sasl.oauthbearer.method", "sasl.oauthbearer.scope", "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.token.endpoint.url", "sasl.password", "sasl.username", "security.protocol", "session.timeout.ms",
    "share.acknowledgement.mode", "socket.blocking.max.ms", "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable", "socket.max.fails", "socket.nagle.disable", "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes", "socket.timeout.ms", "ssl.ca.certificate.stores", "ssl.ca.location", "ssl.ca.pem",
    "ssl.certificate.location", "ssl.certificate.pem", "ssl.cipher.suites", "ssl.crl.location", "ssl.curves.list",
    "ssl.endpoint.identification.algorithm", "ssl.engine.id", "ssl.engine.location", "ssl.key.location",
    "ssl.key.password", "ssl.key.pem", "ssl.keystore.location", "ssl.keystore.password", "ssl.providers",
    "ssl.sigalgs.list", "statistics.interval.ms", "sticky.partitioning.linger.ms", "topic.blacklist",
    "topic.metadata.propagation.max.ms", "topic.metadata.refresh.fast.cnt", "topic.metadata.refresh.fast.interval.ms",
    "topic.metadata.refresh.interval.ms", "topic.metadata.refresh.sparse", "transaction.timeout.ms", "transactional.id",
    /* not in the document */
    "client.software.name", "client.software.version", "enable.sparse.connections", "metadata.request.timeout.ms",
    "test.mock.broker.rtt", "test.mock.num.brokers", NULL};
