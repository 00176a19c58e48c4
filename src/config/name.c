/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/name.c — names of settings: of their variables, and what a mistyped one may have meant. */
#include <stdlib.h>

#include "config/kafka.h"
#include "config/load.h"
#include "export/program.h"
#include "export/text.h"

#define COMPARED_BYTES 64
#define SHOWN_BYTES 100

static char as_variable(char c)
{
    if (c == '.' || c == '-')
        return '_';
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

#define VARIABLE_PREFIX "EXPORT_"

void uex_config_variable(const char *key, struct uex_buffer *out)
{
    uex_buffer_append_text(out, VARIABLE_PREFIX);
    for (; *key != '\0'; key++) {
        char c = as_variable(*key);

        uex_buffer_append(out, &c, 1);
    }
}

/* The rest of `variable` behind the variable's form of `part`; NULL if it begins with something else. */
static const char *behind(const char *variable, const char *part)
{
    for (; *part != '\0'; part++, variable++) {
        if (*variable != as_variable(*part))
            return NULL;
    }
    return variable;
}

bool uex_config_is_variable(const char *variable, const char *prefix, const char *name)
{
    const char *rest = behind(variable, VARIABLE_PREFIX);

    rest = rest == NULL ? NULL : behind(rest, prefix);
    rest = rest == NULL ? NULL : behind(rest, name);
    return rest != NULL && *rest == '\0';
}

/* '.', '-' and '_' are the same, and letter case does not count. */
static size_t distance(const char *left, const char *right)
{
    const struct uex_bytes one = uex_bytes_of_text(left), other = uex_bytes_of_text(right);

    if (one.size_bytes > COMPARED_BYTES || other.size_bytes > COMPARED_BYTES)
        return SIZE_MAX;
    return uex_text_distance(one, other, as_variable);
}

struct guess {
    const char *prefix, *name;
    size_t distance;
};

/* The list of names is of one version of librdkafka; the linked one may be older. */
static bool is_known_here(const char *prefix, const char *name)
{
    return *prefix == '\0' || uex_kafka_check(name, "", NULL) != UEX_NOT_FOUND;
}

static void consider(struct guess *guess, const char *prefix, const char *name, const char *key)
{
    const char *last = strrchr(name, '.');
    size_t found = distance(key, name);

    /* A key whose section was forgotten. */
    if (last != NULL && *prefix == '\0' && distance(key, last + 1) == 0)
        found = 0;
    if (strcmp(key, name) != 0 && found < guess->distance && is_known_here(prefix, name))
        *guess = (struct guess){.prefix = prefix, .name = name, .distance = found};
}

const char *uex_program_closest(const char *word, const char *const *names)
{
    struct guess guess = {.distance = (strlen(word) < 12 ? 2 : strlen(word) / 4) + 1};

    for (; *names != NULL; names++)
        consider(&guess, "", *names, word);
    return guess.name;
}

bool uex_config_closest(const char *key, struct uex_buffer *out)
{
    size_t key_bytes = strlen(key);
    struct guess guess = {.distance = (key_bytes < 12 ? 2 : key_bytes / 4) + 1};

    for (size_t i = 0; i < uex_setting_count; i++)
        consider(&guess, "", uex_settings[i].key, key);
    if (key_bytes > strlen(UEX_KAFKA_PREFIX) && strncasecmp(key, "kafka", 5) == 0 &&
        as_variable(key[5]) == as_variable('.')) {
        for (size_t i = 0; uex_kafka_names[i] != NULL; i++) {
            if (uex_kafka_refusal(uex_kafka_names[i]) == NULL)
                consider(&guess, UEX_KAFKA_PREFIX, uex_kafka_names[i], key + strlen(UEX_KAFKA_PREFIX));
        }
    }
    if (guess.name == NULL)
        return false;
    uex_buffer_append_format(out, "%s%s", guess.prefix, guess.name);
    return !uex_buffer_failed(out);
}

void uex_config_quote(const char *text, struct uex_buffer *out)
{
    size_t size_bytes = strlen(text);
    size_t shown_bytes = size_bytes < SHOWN_BYTES ? size_bytes : SHOWN_BYTES;

    /* A value in the wrong setting may be somebody's URL with a password. */
    if (strstr(text, "://") != NULL && strchr(text, '@') != NULL) {
        uex_buffer_append_text(out, "(a URL with credentials)");
        return;
    }
    if (!uex_utf8_valid(uex_bytes_of_text(text))) {
        uex_buffer_append_text(out, "(not UTF-8)");
        return;
    }
    while (shown_bytes < size_bytes && shown_bytes > 0 && ((unsigned char)text[shown_bytes] & 0xC0) == 0x80)
        shown_bytes--;
    uex_buffer_append_text(out, "\"");
    for (size_t i = 0; i < shown_bytes; i++)
        uex_buffer_append(out, (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? "?" : &text[i], 1);
    uex_buffer_append_text(out, shown_bytes < size_bytes ? "…\"" : "\"");
}
