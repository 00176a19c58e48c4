/* SPDX-License-Identifier: Apache-2.0 */
/* tests/store_open.h — a store of a service of its own. */
#ifndef TESTS_STORE_OPEN_H
#define TESTS_STORE_OPEN_H

#include "export/object_store.h"

static inline enum uex_error store_open(const struct uex_config *config, struct uex_store_service **service,
                                        struct uex_object_store **store, struct uex_fault *fault)
{
    const enum uex_error err = uex_store_service_new(config, service, fault);

    return err == UEX_OK ? uex_object_store_new(*service, store, fault) : err;
}

static inline void store_close(struct uex_store_service *service, struct uex_object_store *store)
{
    if (store != NULL)
        store->destroy(store);
    uex_store_service_free(service);
}
#endif
