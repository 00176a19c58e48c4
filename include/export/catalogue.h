/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/catalogue.h — the configuration of groups: which there are, of what type, active or not.
 *
 * The database decides (src/postgres/catalogue.c); Redis may answer first (src/redis/cache.c). Owned by one worker
 * thread.
 */
#ifndef EXPORT_CATALOGUE_H
#define EXPORT_CATALOGUE_H

#include "export/clock.h"
#include "export/command.h"
#include "export/config.h"

/* What a group becomes, by its group_type. */
enum uex_group_type { UEX_GROUP_FILE, UEX_GROUP_LIST, UEX_GROUP_INVALID };

struct uex_group {
    char group_id[UEX_GROUP_ID_MAX_BYTES + 1];
    char type_text[64]; /* as the view has it, cut and made printable; for logs and the metric label */
    enum uex_group_type type;
    bool active;
};

/* A way to look a group up. UEX_NOT_FOUND: there is no such group; other errors as the implementation says. */
struct uex_catalogue {
    enum uex_error (*find)(struct uex_catalogue *catalogue, const char *group_id, struct uex_group *out,
                           struct uex_fault *fault);
    void (*destroy)(struct uex_catalogue *catalogue);
};

/* Of a value of group_type (may be NULL), by export.file_types and export.list_types; one that is in neither is
 * UEX_GROUP_INVALID. Settings that are NULL are at their defaults. Any thread. */
enum uex_group_type uex_group_type_of(const struct uex_config *config, const char *text);
/* Append all values of both settings, with `separator` between them: "COST_BASED or NON_COST_BASED". */
void uex_group_types_write(const struct uex_config *config, const char *separator, struct uex_buffer *out);
/* The label of a group that was not looked up, because its file was there: the first value of export.file_types. */
struct uex_bytes uex_group_file_type(const struct uex_config *config);
#endif
