/* SPDX-License-Identifier: Apache-2.0 */
/* src/core/config_show.c — the table of settings for people: help, documentation, an example, and what is in force. */
#include "config_kafka.h"
#include "config_load.h"

#define KAFKA_KEY "kafka.<property>"
#define KAFKA_HELP                                                                                                     \
    "any property of librdkafka, for consumer, producer and admin alike: kafka.bootstrap.servers, "                    \
    "kafka.security.protocol, …; kafka.group.id is export-workers by default"

static size_t section_bytes(const char *key)
{
    const char *dot = strchr(key, '.');

    return dot == NULL ? 0 : (size_t)(dot - key);
}

/* Does the setting at `index` begin a section? */
static bool begins_section(size_t index)
{
    const char *key = uex_settings[index].key;
    size_t size_bytes = section_bytes(key);

    return index == 0 || size_bytes != section_bytes(uex_settings[index - 1].key) ||
           strncmp(key, uex_settings[index - 1].key, size_bytes) != 0;
}

static const char *default_words(const struct uex_setting *setting)
{
    return setting->default_words != NULL ? setting->default_words : setting->default_text;
}

static void append_help_line(struct uex_buffer *out, const char *key, const char *help, const char *default_text)
{
    uex_buffer_append_format(out, "  --%-26s %s", key, help);
    if (*default_text != '\0')
        uex_buffer_append_format(out, " (default: %s)", default_text);
    uex_buffer_append_text(out, "\n");
}

void uex_config_help(struct uex_buffer *out)
{
    for (size_t i = 0; i < uex_setting_count; i++) {
        const struct uex_setting *setting = &uex_settings[i];

        if (i == 1)
            append_help_line(out, KAFKA_KEY, KAFKA_HELP, "");
        append_help_line(out, setting->key, setting->help, default_words(setting));
    }
}

struct shown {
    const char *key, *value, *source;
};

static void show_one(struct uex_buffer *out, bool as_json, bool first, const struct shown *shown)
{
    if (!as_json) {
        struct uex_buffer line = {0};

        /* A value of several lines (a certificate) stays on one. */
        uex_buffer_append_text(&line, shown->value);
        for (size_t i = 0; i < line.size_bytes; i++) {
            if (line.data[i] < 0x20 || line.data[i] == 0x7f)
                line.data[i] = ' ';
        }
        uex_buffer_append_format(out, "%s = ", shown->key);
        uex_buffer_append_buffer(out, &line);
        uex_buffer_append_format(out, " (%s)\n", shown->source);
        uex_buffer_clear(&line);
        return;
    }
    uex_buffer_append_text(out, first ? "{" : ", ");
    uex_buffer_append_json(out, shown->key);
    uex_buffer_append_text(out, ": {\"value\": ");
    uex_buffer_append_json(out, shown->value);
    uex_buffer_append_text(out, ", \"source\": ");
    uex_buffer_append_json(out, shown->source);
    uex_buffer_append_text(out, "}");
}

/* `text` as it may be shown: a URL with credentials in it counts as a secret. */
static const char *presentable(const char *text, bool secret)
{
    if (secret)
        return text == NULL || *text == '\0' ? "(not set)" : "(set)";
    if (text == NULL)
        return "";
    return strstr(text, "://") != NULL && strchr(text, '@') != NULL ? "(set)" : text;
}

void uex_config_show(const struct uex_config *config, bool as_json, struct uex_buffer *out)
{
    struct uex_config copy = *config; /* the table's access to fields is not const */

    for (size_t i = 0; i < config->kafka_count; i++) {
        const struct uex_kafka_property *property = &config->kafka[i];
        struct uex_buffer key = {0};

        uex_buffer_append_format(&key, "%s%s", UEX_KAFKA_PREFIX, property->name);
        if (uex_buffer_failed(&key))
            out->failed = true;
        show_one(out, as_json, i == 0,
                 &(struct shown){uex_buffer_text(&key), presentable(property->value, property->secret),
                                 property->source == NULL ? "default" : property->source});
        uex_buffer_clear(&key);
    }
    for (size_t i = 0; i < uex_setting_count; i++) {
        const struct uex_setting *setting = &uex_settings[i];
        const struct uex_config_origin *origin = &config->origins[i];
        const char *text = setting->secret ? *uex_setting_text(setting, &copy) : origin->text;

        show_one(
            out, as_json, config->kafka_count + i == 0,
            &(struct shown){setting->key, presentable(text, setting->secret), uex_config_source_name(origin->source)});
    }
    if (as_json)
        uex_buffer_append_text(out, "}\n");
}

void uex_config_reference(struct uex_buffer *markdown)
{
    uex_buffer_append_text(markdown, "| key | default | allowed | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < uex_setting_count; i++) {
        const struct uex_setting *setting = &uex_settings[i];
        bool coded = setting->default_words == NULL && *setting->default_text != '\0';

        if (i == 1)
            uex_buffer_append_format(markdown, "| `%s` | | as librdkafka has it | %s |\n", KAFKA_KEY, KAFKA_HELP);
        uex_buffer_append_format(markdown, "| `%s` | %s%s%s | ", setting->key, coded ? "`" : "", default_words(setting),
                                 coded ? "`" : "");
        uex_setting_allowed(setting, markdown);
        uex_buffer_append_format(markdown, " | %s%s |\n", setting->help, setting->secret ? " (secret)" : "");
    }
}

void uex_config_example(struct uex_buffer *out)
{
    uex_buffer_append_text(
        out,
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# Every setting with its default. Lines are `key = value`; a comment has its own line, what stands after\n"
        "# a value belongs to it; there are no quotes and no continuation lines. Secrets are better kept out of\n"
        "# this file: EXPORT_POSTGRES_DSN_FILE and its like name a file that holds one.\n");
    for (size_t i = 0; i < uex_setting_count; i++) {
        const struct uex_setting *setting = &uex_settings[i];
        size_t size_bytes = section_bytes(setting->key);

        if (i == 1)
            uex_buffer_append_format(out,
                                     "\n[kafka]\n# %s\n#bootstrap.servers = broker-1:9092,broker-2:9092\n"
                                     "#group.id = export-workers\n",
                                     KAFKA_HELP);
        if (begins_section(i) && size_bytes > 0)
            uex_buffer_append_format(out, "\n[%.*s]\n", (int)size_bytes, setting->key);
        uex_buffer_append_format(out, "# %s\n# allowed: ", setting->help);
        uex_setting_allowed(setting, out);
        if (setting->default_words != NULL)
            uex_buffer_append_format(out, "\n# default: %s", setting->default_words);
        uex_buffer_append_format(out, "\n#%s =%s%s\n", setting->key + (size_bytes == 0 ? 0 : size_bytes + 1),
                                 *setting->default_text == '\0' ? "" : " ", setting->default_text);
    }
}
