/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/table.h — the one table of settings, and how a setting's text becomes a value. */
#ifndef EXPORT_CONFIG_TABLE_H
#define EXPORT_CONFIG_TABLE_H

#include "export/config.h"

enum uex_setting_type {
    UEX_SETTING_TEXT,     /* char * */
    UEX_SETTING_UUID,     /* char *, lower case */
    UEX_SETTING_BOOLEAN,  /* bool */
    UEX_SETTING_CHOICE,   /* an enum: the index in `allowed` */
    UEX_SETTING_SMALL,    /* int */
    UEX_SETTING_INTEGER,  /* int64_t */
    UEX_SETTING_DURATION, /* int64_t, milliseconds */
    UEX_SETTING_SIZE,     /* int64_t, bytes */
    UEX_SETTING_DELAYS    /* retry_delays_ms and retry_tier_count; least and most are those of one delay */
};

struct uex_setting {
    const char *key; /* "postgres.stall_timeout" */
    enum uex_setting_type type;
    size_t offset; /* of its field in struct uex_config */
    const char *default_text;
    const char *default_words;       /* what people read instead of default_text; NULL: default_text */
    int64_t least, most;             /* numbers, durations (ms), sizes (bytes) */
    const char *allowed;             /* text: in words; choice: the names, separated by '|', in the order of the enum */
    bool (*valid)(const char *text); /* text only; NULL: anything */
    bool empty_allowed;              /* text and UUID */
    bool secret;
    bool free_text;   /* a secret that is any text: quotes around it may belong to it */
    bool any_text;    /* a secret that may have control characters inside where it comes from a file of its own */
    bool words;       /* a secret of words that may stand on lines of their own */
    bool is_location; /* a secret that is shown without its password: uex_config_append_location() */
    bool sql_name;    /* double quotes around it are SQL's */
    /* A default that depends on the machine; an empty text asks for it too. NULL: default_text. */
    void (*work_out)(char *const *environment, struct uex_buffer *out);
    const char *help;
};

extern const struct uex_setting uex_settings[];
extern const size_t uex_setting_count;

/* NULL if there is none. */
const struct uex_setting *uex_setting_find(const char *key);

/* Read `text` into its field. UEX_CONFIG: it is not allowed, the field stays as it was. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_setting_store(const struct uex_setting *setting, struct uex_config *config,
                                                const char *text);
/* What is allowed, in words: "a duration from 1ms to 24h (units ms, s, m, h)". */
void uex_setting_allowed(const struct uex_setting *setting, struct uex_buffer *out);
/* Frees the fields; secrets are wiped. */
void uex_setting_free(const struct uex_setting *setting, struct uex_config *config);
/* A text that nothing was stored in becomes "". False: no memory. */
UEX_MUST_CHECK bool uex_setting_ensure(const struct uex_setting *setting, struct uex_config *config);
/* Its field, where the type is text or UUID. */
char **uex_setting_text(const struct uex_setting *setting, struct uex_config *config);

/* One number with its unit. A bare number is refused, except 0. False: not that, or out of int64_t. */
bool uex_duration_parse(const char *text, int64_t *duration_ms);
bool uex_size_parse(const char *text, int64_t *size_bytes);
/* A whole number without sign (but '-'), blanks or leading plus. */
bool uex_integer_parse(const char *text, int64_t *value);
#endif
