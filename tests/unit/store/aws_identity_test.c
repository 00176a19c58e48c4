/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/aws_identity.h"

static enum uex_error read_url(const char *url)
{
    struct uex_buffer asked = {0};
    bool is_plain = false;
    enum uex_error err = uex_aws_url_read(url, &asked, &is_plain);

    uex_buffer_clear(&asked);
    return err;
}

static void url_read__tls_or_an_address_of_this_machine__may_be_asked(void **state)
{
    static const char *const cases[] = {"https://sts.eu-central-1.amazonaws.com/",
                                        "https://other:8443",
                                        "HTTPS://OTHER/",
                                        "http://127.0.0.1",
                                        "http://127.0.0.1/a?b=c@d",
                                        "http://169.254.170.2#@other/", /* all behind the host */
                                        "http://localhost:51679/v2/credentials/x",
                                        "http://LOCALHOST/",
                                        "http://[::1]:80/",
                                        "http://169.254.170.2/v2/x",
                                        "http://169.254.170.23/v1/credentials",
                                        "http://[fd00:ec2::23]/v1/credentials"};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (read_url(cases[i]) != UEX_OK)
            fail_msg("%s is refused", cases[i]);
}

static void url_read__others_and_those_that_look_like_it__are_refused(void **state)
{
    static const char *const cases[] = {"http://other/",
                                        "http://127.0.0.1:80@other/",
                                        "http://127.0.0.1@other/",
                                        "http://localhost:x@other/",
                                        "http://localhost.other/",
                                        "http://127.0.0.1.other/",
                                        "http://user@127.0.0.1/",
                                        "http://:secret@127.0.0.1/",
                                        "https://user:secret@sts.amazonaws.com/",
                                        "http://127.0.0.1:99999/",
                                        "http://127.0.0.1:80:80/",
                                        "ftp://127.0.0.1/",
                                        "file:///etc/passwd",
                                        "127.0.0.1",
                                        "http://",
                                        ""};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (read_url(cases[i]) != UEX_STORE_AUTH)
            fail_msg("%s may be asked", cases[i]);
}

/* What is judged is what is asked: the proxy of the environment must not see what goes without TLS. */
static void url_read__written_oddly__is_asked_as_it_was_understood(void **state)
{
    static const struct {
        const char *given, *asked;
        bool is_plain;
    } cases[] = {{"http:/127.0.0.1/x", "http://127.0.0.1/x", true},
                 {"http:///127.0.0.1/x", "http://127.0.0.1/x", true},
                 {"HTTP://127.0.0.1:8080/x?y", "http://127.0.0.1:8080/x?y", true},
                 {"http://[::1]:80/x", "http://[::1]:80/x", true},
                 {"https:/sts.amazonaws.com/", "https://sts.amazonaws.com/", false},
                 {"https://127.0.0.1/x", "https://127.0.0.1/x", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_buffer asked = {0};
        bool is_plain = !cases[i].is_plain;

        assert_int_equal(uex_aws_url_read(cases[i].given, &asked, &is_plain), UEX_OK);
        assert_string_equal(uex_buffer_text(&asked), cases[i].asked);
        assert_int_equal(is_plain, cases[i].is_plain);
        uex_buffer_clear(&asked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_read__tls_or_an_address_of_this_machine__may_be_asked),
        cmocka_unit_test(url_read__others_and_those_that_look_like_it__are_refused),
        cmocka_unit_test(url_read__written_oddly__is_asked_as_it_was_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
