/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/config.h"

static void append_location__well_formed__shows_all_but_the_secrets(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"postgresql://export:geheim@db.example:5432/app", "postgresql://export:***@db.example:5432/app"},
        {"postgres://export@db.example/app?sslmode=require", "postgres://export@db.example/app?sslmode=require"},
        {"postgresql://u:a%40b:c@h1:1,[::1]:2/app?target_session_attrs=prefer-standby&password=geheim&options=-c%20x",
         "postgresql://u:***@h1:1,[::1]:2/app?target_session_attrs=prefer-standby&password=***&options=***"},
        {"postgresql:///app?host=/run/postgresql", "postgresql:///app?host=/run/postgresql"},
        {"host=db.example port=5432 dbname=app user=export password=geheim",
         "host=db.example port=5432 dbname=app user=export password=***"},
        {" host = db\n password = 'ge heim\\' x' sslpassword=y passfile=/z dbname='my app' ",
         "host=db password=*** sslpassword=*** passfile=*** dbname='my app'"},
        {"dbname=postgresql://u:geheim@h/x", "dbname=***"},
        {"redis://:geheim@cache:6379/0", "redis://:***@cache:6379/0"},
        {"rediss://user:geheim@cache:6379", "rediss://user:***@cache:6379"},
        {"redis://geheim@cache:6379", "redis://***@cache:6379"},
        {"redis://cache:6379", "redis://cache:6379"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_buffer out = {0};

        assert_true(uex_config_append_location(cases[i].text, &out));
        assert_string_equal(uex_buffer_text(&out), cases[i].shown);
        uex_buffer_clear(&out);
    }
}

/* A password whose '@', '/', '?' or blank was not escaped. */
static void append_location__not_understood__shows_nothing(void **state)
{
    static const char *const texts[] = {
        "",
        "geheim",
        "postgresql://u:ge@heim@h/app",
        "postgresql://u:ge/heim@h/app",
        "postgresql://u:ge?heim@h/app",
        "postgresql://u:ge#heim@h/app",
        "postgresql://u:geheim",
        "postgresql://h/app?geheim",
        "host=h password=ge heim",
        "host=h password='geheim",
        "host=h geheim",
        "=geheim",
        "Postgresql ://u:geheim@h",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct uex_buffer out = {0};

        uex_buffer_append_text(&out, "before ");
        assert_false(uex_config_append_location(texts[i], &out));
        assert_string_equal(uex_buffer_text(&out), "before ");
        uex_buffer_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_location__well_formed__shows_all_but_the_secrets),
        cmocka_unit_test(append_location__not_understood__shows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
