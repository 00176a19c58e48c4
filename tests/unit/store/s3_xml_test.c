/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/s3_error.h"
#include "store/s3_xml.h"

#define DENIED                                                                                                         \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>no</Message>"                \
    "<RequestId>4442587FB7D0A2F9</RequestId><HostId>a/b=</HostId></Error>"

static bool answer(const char *text, struct uex_s3_xml_answer *out)
{
    return uex_s3_xml_answer_read(uex_bytes_of_text(text), out);
}

static void answer__error_document__has_code_and_request_id(void **state)
{
    struct uex_s3_xml_answer out;

    (void)state;
    assert_true(answer(DENIED, &out));
    assert_string_equal(out.root, "Error");
    assert_string_equal(out.code, "AccessDenied");
    assert_string_equal(out.request_id, "4442587FB7D0A2F9");
}

static void answer__white_space_in_front__is_passed_over(void **state)
{
    struct uex_s3_xml_answer out;

    (void)state;
    assert_true(answer(" \n\n  " DENIED, &out));
    assert_string_equal(out.code, "AccessDenied");
}

static void answer__success_in_a_name_space__has_its_root_and_no_code(void **state)
{
    struct uex_s3_xml_answer out;

    (void)state;
    assert_true(answer("<s3:CompleteMultipartUploadResult xmlns:s3=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                       "<s3:ETag>&quot;a-2&quot;</s3:ETag></s3:CompleteMultipartUploadResult>",
                       &out));
    assert_string_equal(out.root, "CompleteMultipartUploadResult");
    assert_string_equal(out.code, "");
}

static void answer__truncated_at_any_place__is_refused_and_keeps_what_ended_before(void **state)
{
    struct uex_s3_xml_answer out;
    size_t size = strlen(DENIED);

    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(uex_s3_xml_answer_read(uex_bytes_of(DENIED, cut), &out));
        if (cut >= (size_t)(strstr(DENIED, "</Code>") - DENIED) + 7)
            assert_string_equal(out.code, "AccessDenied");
        else
            assert_string_equal(out.code, "");
    }
}

static void answer__not_xml__is_refused(void **state)
{
    struct uex_s3_xml_answer out;

    (void)state;
    assert_false(answer("", &out));
    assert_false(answer("   ", &out));
    assert_false(answer("<html><body>502 Bad Gateway<br></body></html>", &out));
    assert_false(answer("{\"error\":1}", &out));
    assert_false(answer("<Error><Code>a</Code></Error><Error/>", &out));
    assert_false(answer("<Error><Code>\xff\xfe</Code></Error>", &out));
}

static void answer__entities__are_never_expanded(void **state)
{
    struct uex_s3_xml_answer out;

    (void)state;
    assert_false(answer("<!DOCTYPE Error [<!ENTITY a \"AccessDenied\">]><Error><Code>&a;</Code></Error>", &out));
    assert_string_equal(out.code, "");
    assert_false(answer("<!DOCTYPE Error SYSTEM \"file:///etc/passwd\"><Error><Code>x</Code></Error>", &out));
    assert_string_equal(out.code, "");
    assert_false(answer("<Error><Code>&undefined;</Code></Error>", &out));
}

static void answer__huge_text__is_refused(void **state)
{
    struct uex_s3_xml_answer out;
    struct uex_buffer text = {0};

    (void)state;
    uex_buffer_append_text(&text, "<Error><Code>SlowDown</Code><Message>");
    for (size_t i = 0; i < 1000; i++)
        uex_buffer_append_text(&text, "0123456789");
    uex_buffer_append_text(&text, "</Message></Error>");
    assert_false(uex_s3_xml_answer_read(uex_buffer_bytes(&text), &out));
    assert_string_equal(out.code, "SlowDown");
    uex_buffer_clear(&text);
}

static void answer__deep_nesting__is_refused(void **state)
{
    struct uex_s3_xml_answer out;
    struct uex_buffer text = {0};

    (void)state;
    for (size_t i = 0; i < 100000; i++)
        uex_buffer_append_text(&text, "<a>");
    assert_false(uex_s3_xml_answer_read(uex_buffer_bytes(&text), &out));
    uex_buffer_clear(&text);
}

static void answer__long_names__are_refused(void **state)
{
    struct uex_s3_xml_answer out;
    struct uex_buffer text = {0};

    (void)state;
    uex_buffer_append_text(&text, "<");
    for (size_t i = 0; i < 300; i++)
        uex_buffer_append_text(&text, "n");
    uex_buffer_append_text(&text, "/>");
    assert_false(uex_s3_xml_answer_read(uex_buffer_bytes(&text), &out));
    uex_buffer_clear(&text);
}

static void answer__code_with_other_characters__is_dropped(void **state)
{
    struct uex_s3_xml_answer out;

    (void)state;
    assert_true(answer("<Error><Code>Access\nDenied secret</Code><RequestId>a b</RequestId></Error>", &out));
    assert_string_equal(out.code, "");
    assert_string_equal(out.request_id, "");
}

static void answer__checksum_is_demanded__is_told_from_other_invalid_requests(void **state)
{
    static const struct {
        const char *code, *message;
        bool wants;
    } cases[] = {{"InvalidRequest",
                  "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock "
                  "parameters",
                  true},
                 {"InvalidRequest",
                  "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests with Object Lock "
                  "parameters",
                  true},
                 {"InvalidRequest",
                  "content-MD5 HTTP header is required for Put Object requests with Object Lock parameters", true},
                 {"InvalidRequest", "Missing required header for this request: x", false},
                 {"InvalidRequest", "", false},
                 {"InvalidDigest", "The Content-MD5 you specified was invalid, the header is required", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uex_s3_xml_answer answer;
        char document[512];

        snprintf(document, sizeof(document), "<Error><Message>%s</Message><Code>%s</Code></Error>", cases[i].message,
                 cases[i].code);
        assert_true(uex_s3_xml_answer_read(uex_bytes_of_text(document), &answer));
        assert_int_equal(answer.wants_checksum, cases[i].wants);
    }
}

static void escape__markup__is_escaped(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    uex_s3_xml_escape(&out, "\"a<b>&c\"");
    assert_string_equal(uex_buffer_text(&out), "\"a&lt;b&gt;&amp;c\"");
    uex_buffer_clear(&out);
}

static void error_of__codes_and_statuses__mean_what_the_contract_says(void **state)
{
    static const struct {
        long status;
        const char *code;
        enum uex_error error;
    } cases[] = {{200, "", UEX_OK},
                 {204, "", UEX_OK},
                 {200, "InternalError", UEX_STORE_UNAVAILABLE},
                 {503, "SlowDown", UEX_STORE_UNAVAILABLE},
                 {503, "", UEX_STORE_UNAVAILABLE},
                 {500, "SomethingNew", UEX_STORE_UNAVAILABLE},
                 {429, "", UEX_STORE_UNAVAILABLE},
                 {408, "", UEX_STORE_UNAVAILABLE},
                 {400, "RequestTimeout", UEX_STORE_UNAVAILABLE},
                 {403, "RequestTimeTooSkewed", UEX_STORE_AUTH},
                 {403, "SignatureDoesNotMatch", UEX_STORE_AUTH},
                 {403, "InvalidAccessKeyId", UEX_STORE_AUTH},
                 {400, "ExpiredToken", UEX_STORE_AUTH},
                 {403, "AccessDenied", UEX_STORE_DENIED},
                 {403, "", UEX_STORE_DENIED},
                 {404, "NoSuchBucket", UEX_STORE_BUCKET},
                 {301, "", UEX_STORE_BUCKET},
                 {404, "NoSuchKey", UEX_NOT_FOUND},
                 {404, "", UEX_NOT_FOUND},
                 {404, "NoSuchUpload", UEX_STORE_RACE},
                 {409, "ConditionalRequestConflict", UEX_STORE_RACE},
                 {412, "PreconditionFailed", UEX_OBJECT_EXISTS},
                 {507, "", UEX_STORE_FULL},
                 {507, "SlowDown", UEX_STORE_FULL},
                 {501, "NotImplemented", UEX_STORE_FAILED},
                 {400, "XAmzContentChecksumMismatch", UEX_STORE_UNAVAILABLE},
                 {400, "EntityTooSmall", UEX_STORE_FAILED},
                 {200, "SomethingNew", UEX_STORE_FAILED}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(uex_s3_error_of(cases[i].status, cases[i].code), cases[i].error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer__error_document__has_code_and_request_id),
        cmocka_unit_test(answer__white_space_in_front__is_passed_over),
        cmocka_unit_test(answer__success_in_a_name_space__has_its_root_and_no_code),
        cmocka_unit_test(answer__truncated_at_any_place__is_refused_and_keeps_what_ended_before),
        cmocka_unit_test(answer__not_xml__is_refused),
        cmocka_unit_test(answer__entities__are_never_expanded),
        cmocka_unit_test(answer__huge_text__is_refused),
        cmocka_unit_test(answer__deep_nesting__is_refused),
        cmocka_unit_test(answer__long_names__are_refused),
        cmocka_unit_test(answer__code_with_other_characters__is_dropped),
        cmocka_unit_test(answer__checksum_is_demanded__is_told_from_other_invalid_requests),
        cmocka_unit_test(escape__markup__is_escaped),
        cmocka_unit_test(error_of__codes_and_statuses__mean_what_the_contract_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
