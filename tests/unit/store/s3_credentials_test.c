/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/s3_credentials.h"

static struct uex_config config_of(const char *key_id, const char *secret)
{
    return (struct uex_config){.s3_access_key_id = (char *)(uintptr_t)key_id,
                               .s3_secret_access_key = (char *)(uintptr_t)secret};
}

static void assert_in_force(struct uex_s3_credential_source *source, const char *key_id, const char *secret)
{
    struct uex_s3_credentials found;

    assert_int_equal(uex_s3_credentials_fetch(source, &found, NULL), UEX_OK);
    assert_string_equal(found.access_key_id, key_id);
    assert_string_equal(found.secret_access_key, secret);
    assert_string_equal(found.session_token, "");
    uex_s3_credentials_clear(&found);
}

static void replace__other_ones__are_used_from_the_next_fetch_on(void **state)
{
    const struct uex_config first = config_of("first", "s1"), second = config_of("first", "s2");
    struct uex_s3_credential_source *source = uex_s3_credential_source_new(&first);
    bool changed = true;

    (void)state;
    assert_non_null(source);
    assert_in_force(source, "first", "s1");
    assert_int_equal(uex_s3_credentials_replace(source, &first, &changed), UEX_OK);
    assert_false(changed);
    assert_int_equal(uex_s3_credentials_replace(source, &second, &changed), UEX_OK);
    assert_true(changed);
    assert_in_force(source, "first", "s2");
    uex_s3_credential_source_free(source);
}

static void fetch__two_sources__do_not_share_anything(void **state)
{
    const struct uex_config first = config_of("first", "s1"), second = config_of("second", "s2");
    struct uex_s3_credential_source *sources[] = {uex_s3_credential_source_new(&first),
                                                  uex_s3_credential_source_new(&second)};
    bool changed = false;

    (void)state;
    assert_int_equal(uex_s3_credentials_replace(sources[0], &(struct uex_config){0}, &changed), UEX_OK);
    assert_in_force(sources[1], "second", "s2");
    for (size_t i = 0; i < 2; i++)
        uex_s3_credential_source_free(sources[i]);
}

static void fetch__nothing_is_given__is_an_authentication_error(void **state)
{
    const struct uex_config config = config_of("", "");
    struct uex_s3_credential_source *source = uex_s3_credential_source_new(&config);
    struct uex_s3_credentials found;
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_s3_credentials_fetch(source, &found, &fault), UEX_STORE_AUTH);
    assert_non_null(strstr(fault.text, "s3.access_key_id"));
    uex_s3_credentials_clear(&found);
    uex_s3_credential_source_free(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replace__other_ones__are_used_from_the_next_fetch_on),
        cmocka_unit_test(fetch__two_sources__do_not_share_anything),
        cmocka_unit_test(fetch__nothing_is_given__is_an_authentication_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
