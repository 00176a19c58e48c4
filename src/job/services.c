/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/services.c — what all runners of a program share. */
#include "job/runner.h"

#include <stdlib.h>

enum uex_error uex_job_services_new(const struct uex_config *config, struct uex_job_services **out,
                                    struct uex_fault *fault)
{
    struct uex_job_services *services = calloc(1, sizeof(*services));
    enum uex_error err = UEX_OK;

    *out = NULL;
    if (services == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "no memory for the services of exports");
    services->config = config;
    atomic_flag_clear(&services->one_reader_logged);
    if (config->redis_url != NULL)
        err = uex_redis_check_url(config->redis_url, fault);
    if (err == UEX_OK && ((services->redis = uex_redis_service_new(config)) == NULL ||
                          (services->compression_pool = uex_compression_pool_new(0)) == NULL))
        err = uex_fail(fault, UEX_NO_MEMORY, "no memory for the services of exports");
    if (err == UEX_OK && config->storage_url != NULL && config->storage_url[0] != '\0')
        err = uex_store_service_new(config, &services->store, fault);
    if (err != UEX_OK) {
        uex_job_services_free(services);
        return err;
    }
    *out = services;
    return UEX_OK;
}

void uex_job_services_free(struct uex_job_services *services)
{
    if (services == NULL)
        return;
    uex_store_service_free(services->store);
    uex_redis_service_free(services->redis);
    uex_compression_pool_free(services->compression_pool);
    free(services);
}

enum uex_error uex_job_services_replace_secrets(struct uex_job_services *services, const struct uex_config *fresh,
                                                struct uex_job_secrets_change *change)
{
    enum uex_error err = UEX_OK;

    *change = (struct uex_job_secrets_change){0};
    if (services->store != NULL)
        err = uex_store_service_replace_credentials(services->store, fresh, &change->store);
    if (err == UEX_OK && fresh->redis_url[0] != '\0')
        err = uex_redis_service_replace_url(services->redis, fresh->redis_url, &change->redis);
    return err;
}
