/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/cross.c — settings that must fit each other, and settings that a program cannot do without. */
#include "config/file.h"
#include "config/kafka.h"
#include "config/load.h"
#include "export/text.h"

static const struct uex_config_place nowhere = {.source = UEX_SOURCE_DEFAULT};

static bool given(const struct uex_config *config, const char *key)
{
    const struct uex_setting *setting = uex_setting_find(key);

    return setting != NULL && config->origins[setting - uex_settings].source != UEX_SOURCE_DEFAULT;
}

static bool is_tier_of(const char *topic, const char *prefix)
{
    size_t prefix_bytes = strlen(prefix);
    size_t digit_count = 0;

    if (strncmp(topic, prefix, prefix_bytes) != 0 || topic[prefix_bytes] != '-')
        return false;
    digit_count = strspn(topic + prefix_bytes + 1, "0123456789");
    return digit_count > 0 && topic[prefix_bytes + 1 + digit_count] == '\0';
}

/* A topic that is used for two things would feed one with the other. */
static void check_topics(struct uex_config_loader *loader)
{
    const struct uex_config *config = loader->config;
    const struct {
        const char *key, *topic;
    } topics[] = {{"topics.command", config->topics_command},   {"topics.state", config->topics_state},
                  {"topics.progress", config->topics_progress}, {"topics.result", config->topics_result},
                  {"topics.dlq", config->topics_dlq},           {"topics.run", config->topics_run}};

    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(topics[i].topic, topics[j].topic) == 0)
                uex_config_problem(loader, &nowhere, topics[i].key, "must not be the same topic as %s (%s)",
                                   topics[j].key, topics[i].topic);
        }
        if (is_tier_of(topics[i].topic, config->topics_retry))
            uex_config_problem(loader, &nowhere, topics[i].key, "must not be a retry tier of topics.retry (%s)",
                               topics[i].topic);
    }
}

static void check_s3(struct uex_config_loader *loader)
{
    const struct uex_config *config = loader->config;
    bool has_id = *config->s3_access_key_id != '\0';
    bool has_secret = *config->s3_secret_access_key != '\0';

    if (has_id != has_secret)
        uex_config_problem(loader, &nowhere, has_id ? "s3.secret_access_key" : "s3.access_key_id",
                           "must be set too: s3.access_key_id and s3.secret_access_key belong together");
    if (*config->s3_session_token != '\0' && !has_id && !has_secret)
        uex_config_problem(loader, &nowhere, "s3.session_token", "needs s3.access_key_id and s3.secret_access_key");
    if (*config->s3_sse_kms_key_id != '\0' && strcmp(config->s3_sse, "aws:kms") != 0)
        uex_config_problem(loader, &nowhere, "s3.sse_kms_key_id", "needs s3.sse aws:kms");
    /* AWS's own variables count only where the store is S3 and the settings have no credentials. */
    if (!has_id && strncmp(config->storage_url, "s3://", 5) == 0)
        uex_config_aws_check(loader);
}

static void check_lag_gate(struct uex_config_loader *loader)
{
    static const char *const needed[] = {"schedule.lag_max", "schedule.lag_wait"};

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        bool has_group = *loader->config->schedule_lag_group != '\0';

        if (has_group && !given(loader->config, needed[i]))
            uex_config_problem(loader, &nowhere, needed[i], "must be set too when schedule.lag_group is");
        /* An empty group that somebody wrote is the gate switched off; without one it was forgotten. */
        if (!has_group && given(loader->config, needed[i]) && !given(loader->config, "schedule.lag_group"))
            uex_config_problem(loader, &nowhere, needed[i], "has no effect without schedule.lag_group");
    }
}

/* Only a text has a first line, and only CSV is opened by spreadsheets. */
static void check_format(struct uex_config_loader *loader)
{
    const struct uex_config *config = loader->config;

    if (config->export_format == UEX_FORMAT_CSV)
        return;
    if (config->export_version_field == UEX_VERSION_COMMENT)
        uex_config_problem(loader, &nowhere, "export.version_field", "cannot be comment with export.format %s",
                           config->export_format == UEX_FORMAT_JSONL ? "jsonl" : "parquet");
    if (config->export_formula_guard != UEX_GUARD_OFF)
        uex_config_problem(loader, &nowhere, "export.formula_guard", "must be off with export.format %s",
                           config->export_format == UEX_FORMAT_JSONL ? "jsonl" : "parquet");
}

static bool list_has(const char *list, struct uex_bytes wanted)
{
    struct uex_bytes item;

    while (uex_list_next(&list, &item)) {
        if (item.size_bytes == wanted.size_bytes && memcmp(item.data, wanted.data, wanted.size_bytes) == 0)
            return true;
    }
    return false;
}

/* A group becomes one thing, and some do become something. */
static void check_group_types(struct uex_config_loader *loader)
{
    const struct uex_config *config = loader->config;
    const char *rest = config->export_list_types;
    struct uex_bytes type;

    if (config->export_file_types[0] == '\0' && config->export_list_types[0] == '\0')
        uex_config_problem(loader, &nowhere, "export.list_types", "must not be empty where export.file_types is");
    if (config->export_file_types[0] == '\0' || config->export_list_types[0] == '\0')
        return;
    while (uex_list_next(&rest, &type)) {
        if (list_has(config->export_file_types, type))
            uex_config_problem(loader, &nowhere, "export.list_types", "%.*s is in export.file_types too",
                               (int)type.size_bytes, (const char *)type.data);
    }
}

void uex_config_cross_check(struct uex_config_loader *loader)
{
    check_topics(loader);
    check_s3(loader);
    check_lag_gate(loader);
    check_format(loader);
    check_group_types(loader);
}

static bool require_text(const char *value, const char *key, bool secret, struct uex_buffer *problems)
{
    size_t section_bytes = strcspn(key, ".");

    if (value != NULL && *value != '\0')
        return true;
    uex_buffer_append_format(problems, "%s: must be set, by flag --%s=…, by environment variable ", key, key);
    uex_config_variable(key, problems);
    if (secret) {
        uex_buffer_append_text(problems, " or ");
        uex_config_variable(key, problems);
        uex_buffer_append_text(problems, "_FILE");
    }
    uex_buffer_append_format(problems, ", or as %s in section [%.*s] of the file\n", key + section_bytes + 1,
                             (int)section_bytes, key);
    return false;
}

enum uex_error uex_config_require(const struct uex_config *config, unsigned needs, struct uex_buffer *problems)
{
    bool complete = true;

    if ((needs & UEX_NEED_KAFKA) != 0)
        complete &=
            require_text(uex_config_kafka(config, "bootstrap.servers"), "kafka.bootstrap.servers", false, problems);
    if ((needs & UEX_NEED_POSTGRES) != 0)
        complete &= require_text(config->postgres_dsn, "postgres.dsn", true, problems);
    if ((needs & UEX_NEED_STORAGE) != 0)
        complete &= require_text(config->storage_url, "storage.url", false, problems);
    if ((needs & UEX_NEED_STORAGE) != 0 && config->storage_url != NULL &&
        strncmp(config->storage_url, "s3://", 5) == 0 && !uex_config_aws_given(config)) {
        complete &= require_text(config->s3_access_key_id, "s3.access_key_id", true, problems);
        complete &= require_text(config->s3_secret_access_key, "s3.secret_access_key", true, problems);
    }
    if ((needs & UEX_NEED_DOMAIN) != 0)
        complete &= require_text(config->export_domain_id, "export.domain_id", false, problems);
    return complete ? UEX_OK : UEX_CONFIG;
}
