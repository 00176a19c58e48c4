/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/value.c — from a setting's text to its value, and what is allowed in words. */
#include <inttypes.h>
#include <stdlib.h>

#include "config/check.h"
#include "config/table.h"
#include "export/text.h"
#include "export/uuid.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest last, so that a value is written in the largest unit that divides it. */
static const struct unit duration_units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit size_units[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
#define UNIT_COUNT 4

static void *field_of(const struct uex_setting *setting, struct uex_config *config)
{
    return (char *)config + setting->offset;
}

char **uex_setting_text(const struct uex_setting *setting, struct uex_config *config)
{
    return field_of(setting, config);
}

bool uex_integer_parse(const char *text, int64_t *value)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t digit_count = strlen(digits);

    /* 18 digits always fit; no setting has a wider range. */
    if (digit_count == 0 || digit_count > 18 || strspn(digits, "0123456789") != digit_count)
        return false;
    *value = strtoll(text, NULL, 10);
    return true;
}

static bool parse_with_unit(const char *text, const struct unit *units, int64_t *value)
{
    char digits[20] = {0};
    size_t digit_count = strspn(text, "0123456789");
    int64_t number = 0;

    if (digit_count == 0 || digit_count >= sizeof digits)
        return false;
    memcpy(digits, text, digit_count);
    if (!uex_integer_parse(digits, &number))
        return false;
    if (text[digit_count] == '\0' && number == 0) {
        *value = 0;
        return true;
    }
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(text + digit_count, units[i].name) == 0)
            return !__builtin_mul_overflow(number, units[i].factor, value);
    }
    return false;
}

bool uex_duration_parse(const char *text, int64_t *duration_ms)
{
    return parse_with_unit(text, duration_units, duration_ms);
}

bool uex_size_parse(const char *text, int64_t *size_bytes)
{
    return parse_with_unit(text, size_units, size_bytes);
}

static enum uex_error store_text(const struct uex_setting *setting, struct uex_config *config, const char *text)
{
    char **field = uex_setting_text(setting, config);
    char uuid[UEX_UUID_TEXT_SIZE];
    char *copy = NULL;

    if (*text == '\0') {
        if (!setting->empty_allowed)
            return UEX_CONFIG;
    } else if (setting->type == UEX_SETTING_UUID) {
        if (!uex_uuid_parse(text, strlen(text), uuid))
            return UEX_CONFIG;
        text = uuid;
    } else if (!setting->secret && !uex_check_plain(text)) {
        return UEX_CONFIG;
    }
    if (*text != '\0' && setting->valid != NULL && !setting->valid(text))
        return UEX_CONFIG;
    copy = uex_text_copy(uex_bytes_of_text(text));
    if (copy == NULL)
        return UEX_NO_MEMORY;
    uex_setting_free(setting, config);
    *field = copy;
    return UEX_OK;
}

static enum uex_error store_choice(const struct uex_setting *setting, struct uex_config *config, const char *text)
{
    const char *name = setting->allowed;
    int index = 0;

    /* enum fields are written as the unsigned int that they are in this ABI. */
    _Static_assert(sizeof(enum uex_profile) == sizeof(int), "enums are as wide as int");
    for (;; index++) {
        size_t size_bytes = strcspn(name, "|");

        if (strlen(text) == size_bytes && memcmp(name, text, size_bytes) == 0)
            break;
        if (name[size_bytes] == '\0')
            return UEX_CONFIG;
        name += size_bytes + 1;
    }
    memcpy(field_of(setting, config), &index, sizeof index);
    return UEX_OK;
}

static enum uex_error store_delays(const struct uex_setting *setting, struct uex_config *config, const char *text)
{
    int64_t delays_ms[UEX_RETRY_TIERS_MAX];
    size_t count = 0;

    while (*text != '\0') {
        char one[24] = {0};
        size_t size_bytes = strcspn(text, ",");
        int64_t delay_ms = 0;

        if (count == UEX_RETRY_TIERS_MAX || size_bytes >= sizeof one)
            return UEX_CONFIG;
        memcpy(one, text, size_bytes);
        if (!uex_duration_parse(one, &delay_ms) || delay_ms < setting->least || delay_ms > setting->most)
            return UEX_CONFIG;
        delays_ms[count++] = delay_ms;
        text += size_bytes;
        if (*text == ',' && *++text == '\0')
            return UEX_CONFIG;
    }
    memcpy(config->retry_delays_ms, delays_ms, count * sizeof delays_ms[0]);
    config->retry_tier_count = count;
    return UEX_OK;
}

static enum uex_error store_number(const struct uex_setting *setting, struct uex_config *config, const char *text)
{
    int64_t value = 0;
    int small = 0;
    bool parsed = false;

    if (setting->type == UEX_SETTING_DURATION)
        parsed = uex_duration_parse(text, &value);
    else if (setting->type == UEX_SETTING_SIZE)
        parsed = uex_size_parse(text, &value);
    else
        parsed = uex_integer_parse(text, &value);
    if (!parsed || value < setting->least || value > setting->most)
        return UEX_CONFIG;
    if (setting->type == UEX_SETTING_SMALL) {
        small = (int)value;
        memcpy(field_of(setting, config), &small, sizeof small);
    } else {
        memcpy(field_of(setting, config), &value, sizeof value);
    }
    return UEX_OK;
}

enum uex_error uex_setting_store(const struct uex_setting *setting, struct uex_config *config, const char *text)
{
    bool value = strcmp(text, "true") == 0;

    switch (setting->type) {
    case UEX_SETTING_TEXT:
    case UEX_SETTING_UUID:
        return store_text(setting, config, text);
    case UEX_SETTING_CHOICE:
        return store_choice(setting, config, text);
    case UEX_SETTING_DELAYS:
        return store_delays(setting, config, text);
    case UEX_SETTING_BOOLEAN:
        if (!value && strcmp(text, "false") != 0)
            return UEX_CONFIG;
        memcpy(field_of(setting, config), &value, sizeof value);
        return UEX_OK;
    case UEX_SETTING_SMALL:
    case UEX_SETTING_INTEGER:
    case UEX_SETTING_DURATION:
    case UEX_SETTING_SIZE:
        break;
    }
    return store_number(setting, config, text);
}

static void append_with_unit(struct uex_buffer *out, const struct unit *units, int64_t value)
{
    size_t i = UNIT_COUNT - 1;

    while (i > 0 && value % units[i].factor != 0)
        i--;
    if (value == 0)
        uex_buffer_append_text(out, "0");
    else
        uex_buffer_append_format(out, "%" PRId64 "%s", value / units[i].factor, units[i].name);
}

static void append_choices(struct uex_buffer *out, const char *names)
{
    for (size_t i = 0; names[i] != '\0'; i++) {
        if (names[i] == '|')
            uex_buffer_append_text(out, ", ");
        else
            uex_buffer_append(out, &names[i], 1);
    }
}

static void append_range(struct uex_buffer *out, const struct uex_setting *setting, const struct unit *units)
{
    append_with_unit(out, units, setting->least);
    uex_buffer_append_text(out, " to ");
    append_with_unit(out, units, setting->most);
}

void uex_setting_allowed(const struct uex_setting *setting, struct uex_buffer *out)
{
    switch (setting->type) {
    case UEX_SETTING_TEXT:
        uex_buffer_append_text(out, setting->allowed);
        break;
    case UEX_SETTING_UUID:
        uex_buffer_append_text(out, "a UUID");
        break;
    case UEX_SETTING_BOOLEAN:
        uex_buffer_append_text(out, "true or false");
        break;
    case UEX_SETTING_CHOICE:
        uex_buffer_append_text(out, "one of ");
        append_choices(out, setting->allowed);
        break;
    case UEX_SETTING_SMALL:
    case UEX_SETTING_INTEGER:
        uex_buffer_append_format(out, "a whole number, %" PRId64 " to %" PRId64, setting->least, setting->most);
        break;
    case UEX_SETTING_DURATION:
        uex_buffer_append_text(out, "a duration (units ms, s, m, h), ");
        append_range(out, setting, duration_units);
        break;
    case UEX_SETTING_SIZE:
        uex_buffer_append_text(out, "a size (units B, KiB, MiB, GiB), ");
        append_range(out, setting, size_units);
        break;
    case UEX_SETTING_DELAYS:
        uex_buffer_append_format(out, "up to %d durations (units ms, s, m, h) separated by commas, each ",
                                 UEX_RETRY_TIERS_MAX);
        append_range(out, setting, duration_units);
        uex_buffer_append_text(out, "; empty: no retries");
        break;
    }
    if (setting->empty_allowed)
        uex_buffer_append_text(out, ", or empty");
    if (setting->work_out != NULL)
        uex_buffer_append_text(out, "; empty: the default");
}

void uex_setting_free(const struct uex_setting *setting, struct uex_config *config)
{
    char **field = NULL;

    if (setting->type != UEX_SETTING_TEXT && setting->type != UEX_SETTING_UUID)
        return;
    field = uex_setting_text(setting, config);
    if (setting->secret)
        uex_secret_free(*field);
    else
        free(*field);
    *field = NULL;
}

bool uex_setting_ensure(const struct uex_setting *setting, struct uex_config *config)
{
    if (setting->type != UEX_SETTING_TEXT && setting->type != UEX_SETTING_UUID)
        return true;
    if (*uex_setting_text(setting, config) == NULL)
        *uex_setting_text(setting, config) = uex_text_copy(uex_bytes_of_text(""));
    return *uex_setting_text(setting, config) != NULL;
}
