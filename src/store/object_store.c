/* SPDX-License-Identifier: Apache-2.0 */
#include "export/object_store.h"

#include <stdlib.h>

#include "store/file_store.h"
#include "store/s3_store.h"

struct uex_store_service {
    const struct uex_config *config; /* borrowed */
    struct uex_storage_url url;
    struct uex_s3_service *s3; /* NULL: the store is a directory */
};

enum uex_error uex_object_store_check(const struct uex_config *config, struct uex_fault *fault)
{
    struct uex_storage_url url;
    struct uex_s3_settings settings;
    enum uex_error err = uex_storage_url_parse(config->storage_url, &url, fault);
    bool is_s3 = err == UEX_OK && url.kind == UEX_STORAGE_S3;

    uex_storage_url_clear(&url);
    if (!is_s3)
        return err;
    err = uex_s3_settings_init(&settings, config, fault);
    uex_s3_settings_clear(&settings);
    return err;
}

enum uex_error uex_store_service_new(const struct uex_config *config, struct uex_store_service **out,
                                     struct uex_fault *fault)
{
    struct uex_store_service *service = calloc(1, sizeof(*service));
    enum uex_error err;

    *out = NULL;
    if (service == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the object store");
    service->config = config;
    err = uex_storage_url_parse(config->storage_url, &service->url, fault);
    if (err == UEX_OK && service->url.kind == UEX_STORAGE_S3)
        err = uex_s3_service_new(config, &service->s3, fault);
    if (err != UEX_OK) {
        uex_store_service_free(service);
        return err;
    }
    *out = service;
    return UEX_OK;
}

void uex_store_service_free(struct uex_store_service *service)
{
    if (service == NULL)
        return;
    uex_s3_service_free(service->s3);
    uex_storage_url_clear(&service->url);
    free(service);
}

enum uex_error uex_store_service_replace_credentials(struct uex_store_service *service, const struct uex_config *config,
                                                     bool *changed)
{
    *changed = false;
    return service->s3 == NULL ? UEX_OK : uex_s3_credentials_replace(service->s3->credentials, config, changed);
}

enum uex_error uex_object_store_new(struct uex_store_service *service, struct uex_object_store **out,
                                    struct uex_fault *fault)
{
    *out = NULL;
    return service->s3 != NULL ? uex_s3_store_new(service->s3, out, fault)
                               : uex_file_store_new(service->url.directory, service->config->export_domain_id,
                                                    service->config->export_version, out, fault);
}
