/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/forget/forget.h — what the files of exportctl forget share. Main thread. */
#ifndef EXPORT_CTL_FORGET_H
#define EXPORT_CTL_FORGET_H

#include "ctl/state_reader.h"

/* A group that is to be forgotten. */
struct uex_forgotten {
    const char *group_id; /* borrowed */
    int32_t *partitions;  /* owned: of the state topic, where a record of the group stands: one, unless it has grown */
    size_t partition_count; /* 0: it has no state */
    char waits_at[300];     /* "<topic> <partition>:<offset>" of a command of it that is not finished; "": none known */
    int64_t last_exported_at_ms; /* UEX_NO_TIME: never */
};

struct uex_forgotten_set {
    struct uex_forgotten *items; /* owned; by id, each once */
    size_t count;
};
/* Every group once. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_forgotten_make(int group_count, char *const *group_ids,
                                                 struct uex_forgotten_set *out);
/* The group with this key; NULL: it was not named. */
struct uex_forgotten *uex_forgotten_find(const struct uex_forgotten_set *set, const void *key, size_t key_bytes);
void uex_forgotten_clear(struct uex_forgotten_set *set);

/* ---- look.c: what is known of them. Errors as of the topic reader. */
UEX_MUST_CHECK enum uex_error uex_forget_look(const struct uex_config *config, struct uex_forgotten_set *set,
                                              struct uex_fault *fault);
#endif
