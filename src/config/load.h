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
#endif
