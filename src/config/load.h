/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/load.h — where a value comes from, and putting it into the configuration. */
#ifndef EXPORT_CONFIG_LOAD_H
#define EXPORT_CONFIG_LOAD_H

#include "config/table.h"

#define UEX_CONFIG_PROBLEMS_MAX 100

enum uex_config_source { UEX_SOURCE_DEFAULT, UEX_SOURCE_FILE, UEX_SOURCE_ENVIRONMENT, UEX_SOURCE_FLAG };

/* One per row of uex_settings: what was given and where. */
struct uex_config_origin {
    char *text; /* NULL for secrets */
    enum uex_config_source source;
};

struct uex_config_place {
    enum uex_config_source source;
    const char *name; /* the file, the variable, the flag's key */
    size_t line;
    bool own_file; /* a secret's own file: EXPORT_…_FILE */
};

struct uex_config_loader {
    struct uex_config *config;
    struct uex_buffer *problems, *warnings;
    char *const *environment;
    const char *file; /* NULL: none */
    size_t problem_count;
    enum uex_error broken; /* UEX_OK, or what ends the loading, such as UEX_NO_MEMORY */
};

/* "default", "file", "environment", "flag". */
const char *uex_config_source_name(enum uex_config_source source);

/* Add one line to the problems: "<key>: <text> (file x, line 3)". */
void uex_config_problem(struct uex_config_loader *loader, const struct uex_config_place *place, const char *key,
                        const char *format, ...) UEX_PRINTF(4, 5);

/* Put `text` into the setting `key`, or say why not. */
void uex_config_apply(struct uex_config_loader *loader, const struct uex_config_place *place, const char *key,
                      const char *text);

/* All EXPORT_ variables. */
void uex_config_apply_environment(struct uex_config_loader *loader);

/* Mistakes that no single setting shows. */
void uex_config_cross_check(struct uex_config_loader *loader);

/* The known key that is closest to a mistyped one; false if none is close. */
bool uex_config_closest(const char *key, struct uex_buffer *out);

/* "EXPORT_POSTGRES_DSN" for "postgres.dsn". */
void uex_config_variable(const char *key, struct uex_buffer *out);

/* Is `variable` the variable of the key `prefix` + `name`? It needs no memory, so a set variable is never overlooked.
 */
bool uex_config_is_variable(const char *variable, const char *prefix, const char *name);

/* A value as it may be shown in messages: cut, without control characters, nothing that looks like a URL's password. */
void uex_config_quote(const char *text, struct uex_buffer *out);

/* ---- what a value picks up on its way to us: line ends of a file, quotes of an env file */

/* What a value may hold. */
enum uex_given_kind {
    UEX_GIVEN_LINE,  /* one line, never in quotes */
    UEX_GIVEN_SQL,   /* one line; double quotes are SQL's */
    UEX_GIVEN_FREE,  /* one line of any text, so that quotes may belong to it: a name or a password */
    UEX_GIVEN_WORDS, /* words with white space between them, also line ends; never in quotes: libpq's keyword=value */
    UEX_GIVEN_LINES  /* several lines, never in quotes: PEM */
};

/* `setting` is NULL for a property of librdkafka. */
enum uex_given_kind uex_given_kind_of(const struct uex_setting *setting, const char *key);

/* The bytes of the value that count: without the line ends (CR, LF) behind it. */
size_t uex_given_bytes(enum uex_given_kind kind, const char *text);

/* The value begins and ends with the same quote, where that cannot be meant; for UEX_GIVEN_FREE it may be. */
bool uex_given_quoted(enum uex_given_kind kind, const char *text);
#define UEX_GIVEN_QUOTED                                                                                               \
    "the value is in quotes, and they would be part of it (docker --env-file keeps them); write it without quotes"

/* The value holds a control character before its last line ends, where it must be one line, or words. */
bool uex_given_has_control(enum uex_given_kind kind, const char *text);
#define UEX_GIVEN_CONTROL                                                                                              \
    "the value contains a control character (such as a line end or a tab); it must be one line of text"
#define UEX_GIVEN_CONTROL_AMONG_WORDS "the value contains a control character that is neither a line end nor a tab"

/* The standard variables of AWS's tools that say who issues temporary credentials: copy them out of the environment.
 * UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_config_aws_take(struct uex_config_aws *aws, char *const *environment);
/* Add a problem for each variable whose value is in quotes or holds a control character. */
void uex_config_aws_check(struct uex_config_loader *loader);
void uex_config_aws_clear(struct uex_config_aws *aws);
#endif
