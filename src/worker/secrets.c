/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/secrets.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "export/clock.h"

#define LOOK_MS 10000

static const char *const files[] = {"EXPORT_S3_ACCESS_KEY_ID_FILE=", "EXPORT_S3_SECRET_ACCESS_KEY_FILE=",
                                    "EXPORT_S3_SESSION_TOKEN_FILE=", "EXPORT_REDIS_URL_FILE="};

static uint64_t mix(uint64_t stamp, uint64_t value)
{
    return (stamp ^ value) * UINT64_C(0x100000001b3);
}

/* Changes when one of the files does: Kubernetes swaps a link, so another file stands there. */
static uint64_t stamp_of(char *const *environment)
{
    uint64_t stamp = UINT64_C(0xcbf29ce484222325);

    for (; *environment != NULL; environment++) {
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
            struct stat about;

            if (strncmp(*environment, files[i], strlen(files[i])) != 0 ||
                stat(*environment + strlen(files[i]), &about) != 0)
                continue;
            stamp = mix(stamp, (uint64_t)about.st_ino);
            stamp = mix(stamp, (uint64_t)about.st_size);
            stamp = mix(stamp, (uint64_t)about.st_mtim.tv_sec);
            stamp = mix(stamp, (uint64_t)about.st_mtim.tv_nsec);
        }
    }
    return stamp;
}

void uex_secrets_init(struct uex_secrets *secrets, int argument_count, char *const *arguments, char *const *environment)
{
    *secrets = (struct uex_secrets){.argument_count = argument_count,
                                    .arguments = arguments,
                                    .environment = environment,
                                    .stamp = stamp_of(environment),
                                    .look_ms = uex_monotonic_ms() + LOOK_MS};
}

static enum uex_error replace(struct uex_job_services *services, const struct uex_config *fresh)
{
    struct uex_job_secrets_change change;
    enum uex_error err = uex_job_services_replace_secrets(services, fresh, &change);

    if (err == UEX_OK)
        uex_log(UEX_LOG_INFO, UEX_EVENT_SECRETS_RELOADED, "secrets of the store and of Redis reloaded",
                UEX_STR("store", change.store ? "changed" : "the same"),
                UEX_STR("redis", change.redis ? "changed" : "the same"));
    return err;
}

/* The whole configuration is read as at the start; only these secrets are taken from it. UEX_NO_MEMORY: it has to be
 * done again. */
static enum uex_error read_again(const struct uex_secrets *secrets, struct uex_job_services *services)
{
    char **arguments = calloc((size_t)secrets->argument_count + 1, sizeof(*arguments));
    struct uex_buffer problems = {0}, warnings = {0};
    struct uex_config fresh = {0};
    int count = secrets->argument_count;
    enum uex_error err = UEX_OK;

    if (arguments == NULL)
        return UEX_NO_MEMORY;
    for (int i = 0; i < count; i++)
        arguments[i] = secrets->arguments[i];
    err = uex_config_load(&fresh, &count, arguments, secrets->environment, &problems, &warnings);
    if (err == UEX_OK)
        err = uex_config_require(&fresh, UEX_NEED_STORAGE, &problems);
    if (err == UEX_OK)
        err = replace(services, &fresh);
    if (err != UEX_OK)
        uex_log(UEX_LOG_ERROR, UEX_EVENT_SECRETS_FAILED, "reloading secrets failed; keeping the current ones",
                UEX_STR("error", err == UEX_NO_MEMORY ? uex_error_sentence(err) : uex_buffer_text(&problems)));
    uex_config_clear(&fresh);
    uex_buffer_clear(&problems);
    uex_buffer_clear(&warnings);
    free(arguments);
    return err;
}

void uex_secrets_watch(struct uex_secrets *secrets, struct uex_job_services *services, bool asked)
{
    uint64_t stamp = secrets->stamp;

    if (!asked && uex_monotonic_ms() < secrets->look_ms)
        return;
    secrets->look_ms = uex_monotonic_ms() + LOOK_MS;
    stamp = stamp_of(secrets->environment);
    if (!asked && stamp == secrets->stamp)
        return;
    if (read_again(secrets, services) != UEX_NO_MEMORY) /* else at the next look */
        secrets->stamp = stamp;
}
