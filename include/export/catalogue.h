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

enum uex_group_type { UEX_GROUP_COST_BASED, UEX_GROUP_NON_COST_BASED, UEX_GROUP_INVALID };

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

/* "COST_BASED", "NON_COST_BASED", anything else is UEX_GROUP_INVALID. */
enum uex_group_type uex_group_type_of(const char *text);
#endif
