/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/test_layout.h — layouts of the default columns, not resolved. They live until the program ends. */
#ifndef COMPONENT_TEST_LAYOUT_H
#define COMPONENT_TEST_LAYOUT_H

#include "export/layout.h"

#include <stdlib.h>

#define TEST_LAYOUTS_MAX 64

static struct {
    struct uex_config config;
    struct uex_layout *layout;
} test_layouts[TEST_LAYOUTS_MAX];
static size_t test_layout_count;

static inline void free_test_layouts(void)
{
    for (size_t i = 0; i < test_layout_count; i++)
        uex_layout_free(test_layouts[i].layout);
}

static inline struct uex_layout *layout_with(enum uex_formula_guard guard, enum uex_version_field version)
{
    size_t at = test_layout_count++;

    if (at == 0)
        atexit(free_test_layouts);
    if (at == TEST_LAYOUTS_MAX)
        abort();
    test_layouts[at].config = (struct uex_config){.export_formula_guard = guard, .export_version_field = version};
    if (uex_layout_new(&test_layouts[at].config, &test_layouts[at].layout, NULL) != UEX_OK)
        abort();
    return test_layouts[at].layout;
}

static inline struct uex_layout *new_layout(void)
{
    return layout_with(UEX_GUARD_OFF, UEX_VERSION_COLUMN);
}

/* One that nobody changes: made once. */
static inline const struct uex_layout *shared_layout(enum uex_formula_guard guard, enum uex_version_field version)
{
    static const struct uex_layout *layouts[3][3];

    if (layouts[guard][version] == NULL)
        layouts[guard][version] = layout_with(guard, version);
    return layouts[guard][version];
}

static inline const struct uex_layout *plain_layout(void)
{
    return shared_layout(UEX_GUARD_OFF, UEX_VERSION_COLUMN);
}

static inline size_t column_index(const char *name)
{
    const struct uex_layout *layout = plain_layout();

    for (size_t i = 0; i < layout->column_count; i++) {
        if (strcmp(layout->columns[i].name, name) == 0)
            return i;
    }
    abort();
}

static inline void set_mask(struct uex_layout *layout, const char *name, enum uex_mask_action mask)
{
    layout->columns[column_index(name)].mask = mask;
}
#endif
