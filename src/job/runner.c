/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/runner.c — what a worker thread owns: database connection, cache, store, compressor; and what all of them
 * share. */
#include "job/runner.h"

#include <stdlib.h>

#define APPLICATION_NAME "users-export"

/* The catalogue over the connection, with the cache before it where there is one. */
static struct uex_catalogue *catalogue_new(struct uex_redis_service *redis, struct uex_postgres *postgres)
{
    struct uex_catalogue *database = uex_postgres_catalogue_new(postgres), *cached;

    if (database == NULL)
        return NULL;
    cached = uex_redis_catalogue_new(redis, database);
    if (cached == NULL)
        database->destroy(database);
    return cached;
}

static enum uex_error open_parts(struct uex_job_runner *runner, struct uex_fault *fault)
{
    const struct uex_config *config = runner->config;
    enum uex_error err = uex_postgres_check_dsn(config->postgres_dsn, fault);

    if (err == UEX_OK && runner->services->store != NULL)
        err = uex_object_store_new(runner->services->store, &runner->store, fault);
    if (err != UEX_OK)
        return err;
    runner->postgres = uex_postgres_new(config, APPLICATION_NAME);
    runner->encoder = uex_encoder_new(config, runner->services->compression_pool);
    if (runner->postgres != NULL)
        runner->catalogue = catalogue_new(runner->services->redis, runner->postgres);
    if (runner->catalogue == NULL || runner->encoder == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a worker thread");
    return UEX_OK;
}

enum uex_error uex_job_runner_new(struct uex_job_services *services, struct uex_spool_dir *dir,
                                  struct uex_job_limits limits, struct uex_job_runner **out, struct uex_fault *fault)
{
    struct uex_job_runner *runner = calloc(1, sizeof(*runner));
    enum uex_error err;

    if (runner == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a worker thread");
    runner->config = services->config;
    runner->services = services;
    runner->dir = dir;
    runner->limits = limits;
    err = open_parts(runner, fault);
    if (err != UEX_OK) {
        uex_job_runner_free(runner);
        return err;
    }
    *out = runner;
    return UEX_OK;
}

void uex_job_runner_free(struct uex_job_runner *runner)
{
    if (runner == NULL)
        return;
    if (runner->catalogue != NULL)
        runner->catalogue->destroy(runner->catalogue);
    uex_postgres_free(runner->postgres);
    uex_encoder_free(runner->encoder);
    if (runner->store != NULL)
        runner->store->destroy(runner->store);
    free(runner);
}

void uex_job_runner_observe_store(struct uex_job_runner *runner, const struct uex_store_observer *observer)
{
    if (runner->store != NULL)
        runner->store->observer = observer;
}

void uex_job_runner_observe_shortage(struct uex_job_runner *runner, const _Atomic size_t *waiting_count)
{
    runner->waiting_count = waiting_count;
}

void uex_job_runner_cache_counts(const struct uex_job_runner *runner, struct uex_cache_counts *out)
{
    uex_redis_catalogue_counts(runner->catalogue, out);
}

void uex_job_borrow_cancel(struct uex_job_runner *runner, const struct uex_cancel *cancel)
{
    if (runner->store != NULL)
        runner->store->cancel = cancel;
    uex_postgres_set_cancel(runner->postgres, cancel);
}

enum uex_error uex_job_prepare_store(struct uex_job_runner *runner, struct uex_fault *fault)
{
    enum uex_error err = UEX_OK;

    if (runner->store == NULL)
        return uex_fail(fault, UEX_CONFIG, "storage.url is not set");
    if (!runner->prepared)
        err = runner->store->prepare(runner->store, fault);
    runner->prepared = err == UEX_OK;
    return err;
}

enum uex_error uex_job_runner_connect(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                      struct uex_fault *fault)
{
    enum uex_error err;

    uex_job_borrow_cancel(runner, cancel);
    err = uex_postgres_connect(runner->postgres, fault);
    uex_job_borrow_cancel(runner, NULL);
    return err;
}

bool uex_job_runner_is_connected(const struct uex_job_runner *runner)
{
    return uex_postgres_is_connected(runner->postgres);
}

void uex_job_runner_rest(struct uex_job_runner *runner)
{
    uex_postgres_rest(runner->postgres);
}

/* Read the views. The first who has read them decides for the whole program: a view that is changed later has to fit
 * what it was then, so that all exports of a run have one layout. */
static enum uex_error read_views(struct uex_job_runner *runner, struct uex_fault *fault)
{
    struct uex_job_services *services = runner->services;
    struct uex_layout *known = services->resolved, *found = NULL, *none = NULL;
    enum uex_error err =
        uex_postgres_check_views(runner->postgres, known == NULL ? services->layout : known, &found, fault);

    if (err == UEX_OK && !atomic_compare_exchange_strong(&services->resolved, &none, found))
        uex_layout_free(found);
    return err;
}

/* A setting that does not fit the view stops the start. Where the views could not be read then, it stops all groups and
 * not one of them. */
static enum uex_error outage_of_config(struct uex_fault *fault)
{
    if (fault != NULL)
        fault->error = UEX_DB_SCHEMA;
    return UEX_DB_SCHEMA;
}

enum uex_error uex_job_layout(struct uex_job_runner *runner, const struct uex_layout **out, struct uex_fault *fault)
{
    enum uex_error err = runner->services->resolved == NULL ? read_views(runner, fault) : UEX_OK;

    *out = runner->services->resolved;
    return err == UEX_CONFIG ? outage_of_config(fault) : err;
}

enum uex_error uex_job_runner_check_database(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                             struct uex_fault *fault)
{
    enum uex_error err;

    uex_job_borrow_cancel(runner, cancel);
    err = uex_postgres_probe(runner->postgres, fault);
    if (err == UEX_OK)
        err = read_views(runner, fault);
    uex_job_borrow_cancel(runner, NULL);
    return err;
}

static enum uex_error check_store(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                  struct uex_fault *fault)
{
    enum uex_error err;

    uex_job_borrow_cancel(runner, cancel);
    err = uex_job_prepare_store(runner, fault);
    /* A policy that forbids writing is reported now, not by the first group of the night. */
    if (err == UEX_OK)
        err = runner->store->probe(runner->store, fault);
    uex_job_borrow_cancel(runner, NULL);
    return err;
}

enum uex_error uex_job_runner_check(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                    struct uex_fault *fault)
{
    struct uex_fault of_store = {0};
    enum uex_error err = uex_job_runner_check_database(runner, cancel, fault), store_err;

    if (err != UEX_OK && err != UEX_DB_CONNECTIONS)
        return err;
    store_err = check_store(runner, cancel, &of_store);
    if (store_err == UEX_OK)
        return err;
    if (fault != NULL)
        *fault = of_store;
    return store_err;
}

enum uex_error uex_job_runner_probe_database(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                             struct uex_fault *fault)
{
    /* A view, column or right that is missing for everybody is an outage too. */
    const enum uex_error err = uex_job_runner_check_database(runner, cancel, fault);

    if (err != UEX_CONFIG)
        return err;
    return runner->services->resolved == NULL ? outage_of_config(fault) : UEX_OK;
}

enum uex_error uex_job_runner_probe_store(struct uex_job_runner *runner, const struct uex_cancel *cancel,
                                          struct uex_fault *fault)
{
    enum uex_error err;

    if (runner->store == NULL)
        return uex_fail(fault, UEX_CONFIG, "storage.url is not set");
    uex_job_borrow_cancel(runner, cancel);
    err = runner->store->probe(runner->store, fault);
    uex_job_borrow_cancel(runner, NULL);
    return err;
}

enum uex_error uex_job_services_new(const struct uex_config *config, struct uex_job_services **out,
                                    struct uex_fault *fault)
{
    struct uex_job_services *services = calloc(1, sizeof(*services));
    enum uex_error err = UEX_OK;

    *out = NULL;
    if (services == NULL)
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the services that worker threads share");
    services->config = config;
    atomic_init(&services->resolved, NULL);
    atomic_flag_clear(&services->one_reader_logged);
    err = uex_layout_new(config, &services->layout, fault);
    if (err == UEX_OK && config->redis_url != NULL)
        err = uex_redis_check_url(config->redis_url, fault);
    if (err == UEX_OK && ((services->redis = uex_redis_service_new(config)) == NULL ||
                          (services->compression_pool = uex_compression_pool_new(0)) == NULL))
        err = uex_fail(fault, UEX_NO_MEMORY, "not enough memory for the services that worker threads share");
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
    uex_layout_free(services->resolved);
    uex_layout_free(services->layout);
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
