/* SPDX-License-Identifier: Apache-2.0 */
/* tests/counting_catalogue.h — a catalogue for tests that counts how often it was asked. */
#ifndef TESTS_COUNTING_CATALOGUE_H
#define TESTS_COUNTING_CATALOGUE_H

#include "export/catalogue.h"

#include <stdio.h>

struct counting_catalogue {
    struct uex_catalogue catalogue; /* first: what is handed on */
    enum uex_error answer;
    struct uex_group group;
    int asked;
    bool destroyed;
};

static inline enum uex_error counting_find(struct uex_catalogue *catalogue, const char *group_id, struct uex_group *out,
                                           struct uex_fault *fault)
{
    struct counting_catalogue *self = (struct counting_catalogue *)catalogue;

    (void)fault;
    self->asked++;
    *out = self->group;
    (void)snprintf(out->group_id, sizeof(out->group_id), "%s", group_id);
    return self->answer;
}

static inline void counting_destroy(struct uex_catalogue *catalogue)
{
    ((struct counting_catalogue *)catalogue)->destroyed = true;
}

static inline struct counting_catalogue counting_catalogue_of(const char *type, bool active)
{
    struct counting_catalogue self = {.catalogue = {.find = counting_find, .destroy = counting_destroy}};

    (void)snprintf(self.group.type_text, sizeof(self.group.type_text), "%s", type);
    self.group.type = uex_group_type_of(&(const struct uex_config){0}, type);
    self.group.active = active;
    return self;
}
#endif
