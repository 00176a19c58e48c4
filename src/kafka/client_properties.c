/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka/client_internal.h"

#define SCOPES_MAX 512
#define SCOPE_NAME_SIZE 56

/* Properties that cannot be passed through. The ones on which exactly-once depends are refused with the configuration
 * itself; their aliases stand here. A name that ends in '*' is a prefix. */
static const struct {
    const char *name;
    const char *reason;
} refused[] = {
    {"request.required.acks", "exactly-once depends on it (alias of acks)"},
    {"auto.commit.enable", "exactly-once depends on it (alias of enable.auto.commit)"},
    {"offset.store.method", "offsets are committed in transactions only"},
    {"offset.store.path", "offsets are committed in transactions only"},
    {"offset.store.sync.interval.ms", "offsets are committed in transactions only"},
    {"enable.partition.eof", "the programs need the event at the end of a partition"},
    {"delivery.report.only.error", "every record's acknowledgement is counted"},
    {"enable.gapless.guarantee", "a refused record would end the producer"},
    {"enabled_events", "the programs use callbacks, not events"},
    {"log.queue", "the programs take librdkafka's log lines directly"},
    {"allow.auto.create.topics", "topics are made by: exportctl topics create"},
    {"topic.blacklist", "it would hide topics that the programs need"},
    {"internal.termination.signal", "signals belong to the programs"},
    {"builtin.features", "it belongs to the build of librdkafka"},
    {"test.*", "it is for tests of librdkafka"},
};

static const char *refusal_of(const char *name)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        size_t length = strlen(refused[i].name);
        bool is_prefix = refused[i].name[length - 1] == '*';

        if (is_prefix ? strncmp(name, refused[i].name, length - 1) == 0 : strcmp(name, refused[i].name) == 0)
            return refused[i].reason;
    }
    return NULL;
}

/* librdkafka logs a warning for a consumer property on a producer, and the reverse. No call tells which is which, but
 * its printed table of properties does ("name | C/P | …"), in every version. */
static struct {
    char name[SCOPE_NAME_SIZE];
    bool consumer, producer;
} scopes[SCOPES_MAX];
static size_t scope_count;
static pthread_once_t scopes_once = PTHREAD_ONCE_INIT;

static void read_scope_line(const char *line)
{
    char name[SCOPE_NAME_SIZE] = "", scope[4] = "";

    if (scope_count == SCOPES_MAX || sscanf(line, "%55s | %3s |", name, scope) != 2 || strlen(scope) != 1 ||
        strchr("CP*", scope[0]) == NULL)
        return;
    snprintf(scopes[scope_count].name, SCOPE_NAME_SIZE, "%s", name);
    scopes[scope_count].consumer = scope[0] != 'P';
    scopes[scope_count].producer = scope[0] != 'C';
    scope_count++;
}

static void read_scopes(void)
{
    char *text = NULL, *line = NULL, *rest = NULL;
    size_t size_bytes = 0;
    FILE *stream = open_memstream(&text, &size_bytes);

    if (stream == NULL)
        return;
    rd_kafka_conf_properties_show(stream);
    fclose(stream);
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        read_scope_line(line);
    free(text);
}

bool uex_kafka_property_applies(const char *name, bool is_consumer)
{
    bool known = false;

    pthread_once(&scopes_once, read_scopes);
    for (size_t i = 0; i < scope_count; i++) {
        if (strcmp(scopes[i].name, name) != 0)
            continue;
        known = true;
        if (is_consumer ? scopes[i].consumer : scopes[i].producer)
            return true;
    }
    return !known; /* hidden properties are for all */
}

enum uex_error uex_kafka_judge_property(const char *name, const char *value, struct uex_fault *fault)
{
    const char *reason = refusal_of(name);
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_conf_res_t result = RD_KAFKA_CONF_OK;
    char text[512] = "";

    if (reason != NULL)
        return uex_fail(fault, UEX_CONFIG, "this property cannot be set: %s", reason);
    conf = rd_kafka_conf_new();
    result = rd_kafka_conf_set(conf, name, value, text, sizeof(text));
    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN)
        return uex_fail(fault, UEX_NOT_FOUND, "librdkafka %s has no such property", rd_kafka_version_str());
    if (result != RD_KAFKA_CONF_OK)
        return uex_fail(fault, UEX_CONFIG, "%s", text);
    return UEX_OK;
}

/* Sets of roles. */
#define FOR_GROUP (1U << UEX_KAFKA_GROUP_CONSUMER)
#define FOR_READER (1U << UEX_KAFKA_READER)
#define FOR_UNCOMMITTED (1U << UEX_KAFKA_READER_UNCOMMITTED)
#define FOR_TX (1U << UEX_KAFKA_TX_PRODUCER)
#define FOR_PLAIN (1U << UEX_KAFKA_PRODUCER)
#define FOR_ADMIN (1U << UEX_KAFKA_ADMIN)
#define FOR_READERS (FOR_READER | FOR_UNCOMMITTED)
#define FOR_CONSUMERS (FOR_GROUP | FOR_READERS)
#define FOR_PRODUCERS (FOR_TX | FOR_PLAIN)
#define FOR_ALL (FOR_CONSUMERS | FOR_PRODUCERS | FOR_ADMIN)

struct preset {
    unsigned roles;
    const char *name, *value;
};

/* What the configuration may change. */
static const struct preset defaults[] = {
    {FOR_ALL, "client.id", "users-export"},
    {FOR_ALL, "socket.keepalive.enable", "true"},
    {FOR_ALL, "log.connection.close", "false"},
    {FOR_ALL, "topic.metadata.refresh.interval.ms", "30000"}, /* new partitions are consumed within half a minute */
    {FOR_ALL, "reconnect.backoff.max.ms", "2000"},
    /* A worker starts a command when a worker thread is free: what is fetched ahead only costs memory. */
    {FOR_GROUP, "queued.min.messages", "1000"},
    {FOR_GROUP, "queued.max.messages.kbytes", "8192"},
    /* A restore reads everything; a fetch that finds its queue full pauses for a second. */
    {FOR_READERS, "queued.min.messages", "100000"},
    {FOR_READERS, "queued.max.messages.kbytes", "32768"},
    {FOR_CONSUMERS, "fetch.wait.max.ms", "100"},
    /* The broker answers CONCURRENT_TRANSACTIONS until the markers of the last transaction are written. */
    {FOR_TX, "retry.backoff.ms", "10"},
};

/* The same, where librdkafka has it. */
static const struct preset newer_defaults[] = {
    {FOR_READERS, "fetch.queue.backoff.ms", "10"},
};

/* What it may not change: exactly-once depends on it. */
static const struct preset fixed[] = {
    {FOR_CONSUMERS, "enable.auto.commit", "false"},
    {FOR_CONSUMERS, "enable.auto.offset.store", "false"},
    {FOR_CONSUMERS, "enable.partition.eof", "true"},
    {FOR_CONSUMERS, "auto.offset.reset", "earliest"},
    {FOR_CONSUMERS, "allow.auto.create.topics", "false"},
    {FOR_GROUP | FOR_READER, "isolation.level", "read_committed"},
    {FOR_UNCOMMITTED, "isolation.level", "read_uncommitted"},
    /* Partition N of every topic has to be on the same worker: range does that for equal counts. */
    {FOR_GROUP, "partition.assignment.strategy", "range"},
    {FOR_PRODUCERS, "enable.idempotence", "true"},
    {FOR_PRODUCERS, "acks", "all"},
};

/* Properties that one role must not have though others may. */
static const struct {
    unsigned roles;
    const char *name;
} left_out[] = {
    {FOR_GROUP, "client.rack"}, /* rack-aware range splits equal partition numbers */
    {FOR_READERS, "group.id"},
    {FOR_READERS, "group.instance.id"},
};

bool uex_kafka_is_consumer(enum uex_kafka_role role)
{
    return (1U << role & FOR_CONSUMERS) != 0;
}

enum uex_error uex_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct uex_fault *fault)
{
    char text[512] = "";

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return UEX_OK;
    return uex_fail(fault, UEX_CONFIG, "kafka.%s: librdkafka refuses the value", name);
}

static enum uex_error set_presets(rd_kafka_conf_t *conf, enum uex_kafka_role role, const struct preset *presets,
                                  size_t count, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < count && err == UEX_OK; i++)
        if ((presets[i].roles & 1U << role) != 0)
            err = uex_kafka_conf_set(conf, presets[i].name, presets[i].value, fault);
    return err;
}

static bool is_left_out(enum uex_kafka_role role, const char *name)
{
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if ((left_out[i].roles & 1U << role) != 0 && strcmp(left_out[i].name, name) == 0)
            return true;
    return !uex_kafka_property_applies(name, uex_kafka_is_consumer(role));
}

static enum uex_error set_passed_through(rd_kafka_conf_t *conf, const struct uex_config *config,
                                         enum uex_kafka_role role, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < config->kafka_count && err == UEX_OK; i++)
        if (!is_left_out(role, config->kafka[i].name))
            err = uex_kafka_conf_set(conf, config->kafka[i].name, config->kafka[i].value, fault);
    return err;
}

/* librdkafka wants a group id even of a consumer that only assigns by hand. */
static enum uex_error set_group(rd_kafka_conf_t *conf, const struct uex_config *config, enum uex_kafka_role role,
                                struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;
    char *group = NULL;

    if (role == UEX_KAFKA_GROUP_CONSUMER)
        return uex_kafka_conf_set(conf, "group.id", config->kafka_group_id, fault);
    if (!uex_kafka_is_consumer(role))
        return UEX_OK;
    if (asprintf(&group, "%s-reader", config->kafka_group_id) < 0)
        return uex_fail(fault, UEX_NO_MEMORY, "the name of the reader's group");
    err = uex_kafka_conf_set(conf, "group.id", group, fault);
    free(group);
    return err;
}

rd_kafka_conf_t *uex_kafka_conf_new(const struct uex_config *config, enum uex_kafka_role role, struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    uex_kafka_log_install(conf);
    if (set_presets(conf, role, defaults, sizeof(defaults) / sizeof(defaults[0]), fault) != UEX_OK ||
        (rd_kafka_version() >= UEX_KAFKA_QUEUE_BACKOFF &&
         set_presets(conf, role, newer_defaults, 1, fault) != UEX_OK) ||
        set_passed_through(conf, config, role, fault) != UEX_OK ||
        set_presets(conf, role, fixed, sizeof(fixed) / sizeof(fixed[0]), fault) != UEX_OK ||
        set_group(conf, config, role, fault) != UEX_OK) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}
