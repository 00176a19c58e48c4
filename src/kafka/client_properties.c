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
    {"enable.partition.eof", "the programs need the end of a partition to be told"},
    {"delivery.report.only.error", "every record's acknowledgement is counted"},
    {"enable.gapless.guarantee", "a refused record would end the producer"},
    {"enabled_events", "the programs take no events but by their own callbacks"},
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

/* librdkafka warns of a consumer's property on a producer and the other way round, and has no call that tells which is
 * which; but it prints its table of properties ("name | C/P | …"), the same in every version. */
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
        return uex_fail(fault, UEX_CONFIG, "it cannot be set: %s", reason);
    conf = rd_kafka_conf_new();
    result = rd_kafka_conf_set(conf, name, value, text, sizeof(text));
    rd_kafka_conf_destroy(conf);
    if (result == RD_KAFKA_CONF_UNKNOWN)
        return uex_fail(fault, UEX_NOT_FOUND, "librdkafka %s has no such property", rd_kafka_version_str());
    if (result != RD_KAFKA_CONF_OK)
        return uex_fail(fault, UEX_CONFIG, "%s", text);
    return UEX_OK;
}

static void check_property(const struct uex_kafka_property *property, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};

    /* librdkafka's sentence quotes the value. */
    if (uex_kafka_judge_property(property->name, property->value, &fault) != UEX_OK)
        uex_buffer_append_format(problems, "kafka.%s: %s\n", property->name,
                                 property->secret ? "librdkafka refuses the value" : fault.text);
}

/* Some mechanisms fetch a ticket or token as soon as a handle is made; a check touches nothing. */
static bool creating_touches_nothing(const struct uex_config *config)
{
    const char *protocol = uex_config_kafka(config, "security.protocol");
    const char *mechanism = uex_config_kafka(config, "sasl.mechanisms");

    if (mechanism == NULL)
        mechanism = uex_config_kafka(config, "sasl.mechanism");
    if (protocol == NULL || strncasecmp(protocol, "sasl", 4) != 0)
        return true;
    return mechanism != NULL && (strcmp(mechanism, "PLAIN") == 0 || strncmp(mechanism, "SCRAM-", 6) == 0);
}

static void check_set(const struct uex_config *config, enum uex_kafka_role role, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};
    rd_kafka_t *handle = NULL;
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, role, &fault);

    if (conf != NULL) {
        rd_kafka_conf_set_log_cb(conf, NULL);
        /* Without brokers nothing is reached. */
        if (uex_kafka_conf_set(conf, "bootstrap.servers", "", &fault) == UEX_OK &&
            (role != UEX_KAFKA_TX_PRODUCER || uex_kafka_conf_set(conf, "transactional.id", "check", &fault) == UEX_OK))
            handle = uex_kafka_create(role, conf, &fault);
        else
            rd_kafka_conf_destroy(conf);
    }
    if (handle == NULL && fault.error == UEX_CONFIG)
        uex_buffer_append_format(problems, "kafka.*: %s\n", fault.text);
    uex_kafka_destroy(handle);
}

enum uex_error uex_kafka_check_properties(const struct uex_config *config, struct uex_buffer *problems)
{
    static const enum uex_kafka_role roles[] = {UEX_KAFKA_GROUP_CONSUMER, UEX_KAFKA_TX_PRODUCER};
    size_t before_bytes = problems->size_bytes;

    for (size_t i = 0; i < config->kafka_count; i++)
        check_property(&config->kafka[i], problems);
    if (problems->size_bytes == before_bytes && creating_touches_nothing(config)) {
        for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]) && problems->size_bytes == before_bytes; i++)
            check_set(config, roles[i], problems);
    }
    return problems->size_bytes == before_bytes ? UEX_OK : UEX_CONFIG;
}
