/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/aws_identity.h"

static void url_allowed__tls_or_an_address_of_this_machine__may_be_asked(void **state)
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
        if (!uex_aws_url_allowed(cases[i]))
            fail_msg("%s is refused", cases[i]);
}

static void url_allowed__others_and_those_that_look_like_it__are_refused(void **state)
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
        if (uex_aws_url_allowed(cases[i]))
            fail_msg("%s may be asked", cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_allowed__tls_or_an_address_of_this_machine__may_be_asked),
        cmocka_unit_test(url_allowed__others_and_those_that_look_like_it__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
