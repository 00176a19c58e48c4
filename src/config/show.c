/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/show.c — the table of settings for people: help, and what is in force. */
#include "config/kafka.h"
#include "config/load.h"

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
            append_help_line(out, UEX_KAFKA_KEY, UEX_KAFKA_HELP, "");
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
        struct uex_buffer location = {0};
        bool is_located = setting->is_location && uex_config_append_location(text == NULL ? "" : text, &location);

        if (uex_buffer_failed(&location))
            out->failed = true;
        show_one(out, as_json, config->kafka_count + i == 0,
                 &(struct shown){setting->key,
                                 is_located ? uex_buffer_text(&location) : presentable(text, setting->secret),
                                 uex_config_source_name(origin->source)});
        uex_buffer_clear(&location);
    }
    if (as_json)
        uex_buffer_append_text(out, "}\n");
}
