/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while redis.url is read: it is not a mistake of the configuration. */
#include "failing_memory.h"

#include "export/redis.h"
#include "redis/url.h"

static enum uex_error redis_urls(void)
{
    static const char *const texts[] = {"rediss://user:p%40ss@[::1]:6380/3", "redis://u:%zz@h"};
    enum uex_error err = UEX_OK;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && err != UEX_NO_MEMORY; i++) {
        struct uex_redis_url url = {0};

        err = uex_redis_url_parse(texts[i], &url, NULL);
        if (err != UEX_NO_MEMORY)
            uex_torture_note("%s %s %s %s %d %d\n", uex_error_code(err), url.user, url.password == NULL ? "" : "set",
                             url.host == NULL ? "" : url.host, url.port, url.database);
        uex_redis_url_clear(&url);
    }
    return err == UEX_NO_MEMORY ? err : UEX_OK;
}

static enum uex_error replaced_url(void)
{
    const struct uex_config config = {0};
    struct uex_redis_service *service = uex_redis_service_new(&config);
    bool changed = false;
    enum uex_error err =
        service == NULL ? UEX_NO_MEMORY : uex_redis_service_replace_url(service, "redis://h", &changed);

    if (err == UEX_OK)
        uex_torture_note("%d", changed);
    uex_redis_service_free(service);
    return err;
}

static void torture__redis__right_result_or_no_memory(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "redis.url", .run = redis_urls},
        {.name = "another redis.url", .run = replaced_url},
    };

    (void)state;
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture__redis__right_result_or_no_memory),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
