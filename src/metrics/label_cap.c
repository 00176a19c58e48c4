/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "metrics/registry.h"

struct label {
    struct label *next;
    uint64_t hash;
    char text[];
};

struct uex_label_cap {
    pthread_mutex_t lock;
    size_t max, count;
    size_t table_size; /* a power of two */
    struct label **table;
};

#define TABLE_SIZE_MAX ((size_t)1 << 16)

struct uex_label_cap *uex_label_cap_new(size_t max)
{
    struct uex_label_cap *cap = calloc(1, sizeof(*cap));

    if (cap == NULL)
        return NULL;
    cap->max = max;
    cap->table_size = 16;
    while (cap->table_size < max && cap->table_size < TABLE_SIZE_MAX)
        cap->table_size *= 2;
    cap->table = calloc(cap->table_size, sizeof(struct label *));
    if (cap->table == NULL) {
        free(cap);
        return NULL;
    }
    (void)pthread_mutex_init(&cap->lock, NULL);
    return cap;
}

void uex_label_cap_free(struct uex_label_cap *cap)
{
    if (cap == NULL)
        return;
    for (size_t i = 0; i < cap->table_size; i++) {
        while (cap->table[i] != NULL) {
            struct label *next = cap->table[i]->next;

            free(cap->table[i]);
            cap->table[i] = next;
        }
    }
    free(cap->table);
    (void)pthread_mutex_destroy(&cap->lock);
    free(cap);
}

static bool add_label(struct uex_label_cap *cap, const char *value, size_t size_bytes, uint64_t hash)
{
    struct label *label = cap->count < cap->max ? malloc(sizeof(*label) + size_bytes + 1) : NULL;

    if (label == NULL)
        return false;
    label->hash = hash;
    memcpy(label->text, value, size_bytes + 1);
    label->next = cap->table[hash & (cap->table_size - 1)];
    cap->table[hash & (cap->table_size - 1)] = label;
    cap->count++;
    return true;
}

const char *uex_label_cap_admit(struct uex_label_cap *cap, const char *value)
{
    const size_t size_bytes = value == NULL ? 0 : strlen(value);
    const uint64_t hash = uex_label_hash(value, size_bytes);
    struct label *label = NULL;
    bool admitted = false;

    if (cap == NULL || value == NULL)
        return UEX_LABEL_OTHER;
    if (value[0] == '\0')
        return value;
    pthread_mutex_lock(&cap->lock);
    for (label = cap->table[hash & (cap->table_size - 1)]; label != NULL; label = label->next) {
        if (label->hash == hash && strcmp(label->text, value) == 0)
            break;
    }
    admitted = label != NULL || add_label(cap, value, size_bytes, hash);
    pthread_mutex_unlock(&cap->lock);
    return admitted ? value : UEX_LABEL_OTHER;
}
