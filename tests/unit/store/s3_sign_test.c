/* SPDX-License-Identifier: Apache-2.0 */
/* Signature Version 4 against what AWS published: the examples of the Amazon S3 API Reference ("Signature Calculations
 * for the Authorization Header: Transferring Payload in a Single Chunk") and the aws-sig-v4-test-suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "export/digest.h"
#include "store/s3_sign.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct uex_s3_credentials s3_example = {.access_key_id = (char *)"AKIAIOSFODNN7EXAMPLE",
                                               .secret_access_key = (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                               .session_token = (char *)""};
static struct uex_s3_credentials suite = {.access_key_id = (char *)"AKIDEXAMPLE",
                                          .secret_access_key = (char *)"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                          .session_token = (char *)""};

static void assert_signature(const struct uex_s3_signing *signing, const struct uex_s3_credentials *credentials,
                             const char *names, const char *signature)
{
    struct uex_buffer out = {0};
    char expected[512];

    assert_int_equal(uex_s3_sign(signing, credentials, &out), UEX_OK);
    snprintf(expected, sizeof(expected),
             "AWS4-HMAC-SHA256 Credential=%s/%.8s/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
             credentials->access_key_id, signing->date, signing->service, names, signature);
    assert_string_equal(uex_buffer_text(&out), expected);
    uex_buffer_clear(&out);
}

/* A request of the S3 examples: everything in them but the one named is the same. */
static struct uex_s3_signing s3_request(const char *method, const char *path, const char *query,
                                        const struct uex_s3_header *headers, size_t count, const char *hash)
{
    return (struct uex_s3_signing){.method = method,
                                   .path = path,
                                   .query = query,
                                   .headers = headers,
                                   .header_count = count,
                                   .payload_hash = hash,
                                   .region = "us-east-1",
                                   .service = "s3",
                                   .date = "20130524T000000Z"};
}

static void sign__get_object_with_range__is_the_published_signature(void **state)
{
    const struct uex_s3_header headers[] = {{"x-amz-date", "20130524T000000Z"},
                                            {"range", "bytes=0-9"},
                                            {"x-amz-content-sha256", EMPTY_HASH},
                                            {"host", "examplebucket.s3.amazonaws.com"}};
    struct uex_s3_signing signing = s3_request("GET", "/test.txt", "", headers, 4, EMPTY_HASH);

    (void)state;
    assert_signature(&signing, &s3_example, "host;range;x-amz-content-sha256;x-amz-date",
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void sign__put_object__is_the_published_signature(void **state)
{
    uint8_t digest[UEX_SHA256_SIZE];
    char hash[UEX_SHA256_HEX_SIZE];
    uex_sha256(uex_bytes_of_text("Welcome to Amazon S3."), digest);
    uex_hex(digest, sizeof(digest), hash);
    const struct uex_s3_header headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
                                            {"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                            {"x-amz-date", "20130524T000000Z"},
                                            {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                            {"x-amz-content-sha256", hash}};
    struct uex_buffer path = {0};
    uex_s3_encode_path(&path, "/test$file.text");
    struct uex_s3_signing signing = s3_request("PUT", uex_buffer_text(&path), "", headers, 5, hash);

    (void)state;
    assert_string_equal(uex_buffer_text(&path), "/test%24file.text");
    assert_signature(&signing, &s3_example, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    uex_buffer_clear(&path);
}

static void assert_bucket_request(const struct uex_s3_param *params, size_t param_count, const char *query_text,
                                  const char *signature)
{
    const struct uex_s3_header headers[] = {{"host", "examplebucket.s3.amazonaws.com"},
                                            {"x-amz-content-sha256", EMPTY_HASH},
                                            {"x-amz-date", "20130524T000000Z"}};
    struct uex_buffer query = {0};
    assert_int_equal(uex_s3_encode_query(&query, params, param_count), UEX_OK);
    assert_string_equal(uex_buffer_text(&query), query_text);
    struct uex_s3_signing signing = s3_request("GET", "/", uex_buffer_text(&query), headers, 3, EMPTY_HASH);
    assert_signature(&signing, &s3_example, "host;x-amz-content-sha256;x-amz-date", signature);
    uex_buffer_clear(&query);
}

static void sign__get_bucket_lifecycle__is_the_published_signature(void **state)
{
    static const struct uex_s3_param params[] = {{"lifecycle", ""}};

    (void)state;
    assert_bucket_request(params, 1, "lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

static void sign__list_objects__is_the_published_signature(void **state)
{
    static const struct uex_s3_param params[] = {{"prefix", "J"}, {"max-keys", "2"}};

    (void)state;
    assert_bucket_request(params, 2, "max-keys=2&prefix=J",
                          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/* A request of the test suite: GET or POST on example.amazonaws.com, service "service", an empty body. */
static void assert_suite(const char *method, const char *path, const struct uex_s3_param *params, size_t param_count,
                         const struct uex_s3_header *more, size_t more_count, const char *names, const char *signature)
{
    struct uex_s3_header headers[UEX_S3_HEADERS_MAX] = {{"host", "example.amazonaws.com"},
                                                        {"x-amz-date", "20150830T123600Z"}};
    struct uex_buffer query = {0}, encoded = {0};

    for (size_t i = 0; i < more_count; i++)
        headers[2 + i] = more[i];
    assert_int_equal(uex_s3_encode_query(&query, params, param_count), UEX_OK);
    uex_s3_encode_path(&encoded, path);
    const struct uex_s3_signing signing = {.method = method,
                                           .path = uex_buffer_text(&encoded),
                                           .query = uex_buffer_text(&query),
                                           .headers = headers,
                                           .header_count = 2 + more_count,
                                           .payload_hash = EMPTY_HASH,
                                           .region = "us-east-1",
                                           .service = "service",
                                           .date = "20150830T123600Z"};
    assert_signature(&signing, &suite, names, signature);
    uex_buffer_clear(&query);
    uex_buffer_clear(&encoded);
}

static void sign__get_vanilla__is_the_published_signature(void **state)
{
    (void)state;
    assert_suite("GET", "/", NULL, 0, NULL, 0, "host;x-amz-date",
                 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void sign__post_vanilla__is_the_published_signature(void **state)
{
    (void)state;
    assert_suite("POST", "/", NULL, 0, NULL, 0, "host;x-amz-date",
                 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

static void sign__get_vanilla_query_order_key_case__is_the_published_signature(void **state)
{
    static const struct uex_s3_param params[] = {{"Param2", "value2"}, {"Param1", "value1"}};

    (void)state;
    assert_suite("GET", "/", params, 2, NULL, 0, "host;x-amz-date",
                 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

static void sign__get_vanilla_query_order_value__is_the_published_signature(void **state)
{
    static const struct uex_s3_param params[] = {{"Param1", "value2"}, {"Param1", "value1"}};

    (void)state;
    assert_suite("GET", "/", params, 2, NULL, 0, "host;x-amz-date",
                 "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694");
}

static void sign__get_vanilla_utf8_query__is_the_published_signature(void **state)
{
    static const struct uex_s3_param params[] = {{"\xe1\x88\xb4", "bar"}};

    (void)state;
    assert_suite("GET", "/", params, 1, NULL, 0, "host;x-amz-date",
                 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04");
}

static void sign__get_utf8_path__is_the_published_signature(void **state)
{
    (void)state;
    assert_suite("GET", "/\xe1\x88\xb4", NULL, 0, NULL, 0, "host;x-amz-date",
                 "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
}

static void sign__get_unreserved__is_the_published_signature(void **state)
{
    (void)state;
    assert_suite("GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", NULL, 0, NULL, 0,
                 "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f");
}

static void sign__get_header_value_trim__is_the_published_signature(void **state)
{
    static const struct uex_s3_header more[] = {{"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}};

    (void)state;
    assert_suite("GET", "/", NULL, 0, more, 2, "host;my-header1;my-header2;x-amz-date",
                 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static void encode_path__percent_signs_of_a_key__are_encoded_once_more(void **state)
{
    struct uex_buffer path = {0};

    (void)state;
    uex_s3_encode_path(&path, "exports/a%2Fb%20c/x+y=\xc3\xa4.gz");
    assert_string_equal(uex_buffer_text(&path), "exports/a%252Fb%2520c/x%2By%3D%C3%A4.gz");
    uex_buffer_clear(&path);
}

static void encode_query__names_that_begin_alike__are_ordered_by_name_then_value(void **state)
{
    static const struct uex_s3_param params[] = {{"a-b", "1"}, {"a", "2"}, {"a", "/1"}, {"A", "z"}};
    struct uex_buffer query = {0};

    (void)state;
    assert_int_equal(uex_s3_encode_query(&query, params, 4), UEX_OK);
    assert_string_equal(uex_buffer_text(&query), "A=z&a=%2F1&a=2&a-b=1");
    uex_buffer_clear(&query);
}

static void encode_query__too_many_parameters__is_refused(void **state)
{
    struct uex_s3_param params[UEX_S3_PARAMS_MAX + 1];
    struct uex_buffer query = {0};

    (void)state;
    for (size_t i = 0; i < UEX_S3_PARAMS_MAX + 1; i++)
        params[i] = (struct uex_s3_param){"a", "b"};
    assert_int_equal(uex_s3_encode_query(&query, params, UEX_S3_PARAMS_MAX + 1), UEX_INTERNAL);
}

static void sign__too_many_headers__is_refused(void **state)
{
    struct uex_s3_header headers[UEX_S3_HEADERS_MAX + 1];
    struct uex_buffer out = {0};

    (void)state;
    for (size_t i = 0; i < UEX_S3_HEADERS_MAX + 1; i++)
        headers[i] = (struct uex_s3_header){"host", "a"};
    struct uex_s3_signing signing = s3_request("GET", "/", "", headers, UEX_S3_HEADERS_MAX + 1, EMPTY_HASH);
    assert_int_equal(uex_s3_sign(&signing, &s3_example, &out), UEX_INTERNAL);
    uex_buffer_clear(&out);
}

static void date__a_time__is_written_as_signing_wants_it(void **state)
{
    char text[UEX_S3_DATE_SIZE];

    (void)state;
    uex_s3_date(1369353600123, text);
    assert_string_equal(text, "20130524T000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sign__get_object_with_range__is_the_published_signature),
        cmocka_unit_test(sign__put_object__is_the_published_signature),
        cmocka_unit_test(sign__get_bucket_lifecycle__is_the_published_signature),
        cmocka_unit_test(sign__list_objects__is_the_published_signature),
        cmocka_unit_test(sign__get_vanilla__is_the_published_signature),
        cmocka_unit_test(sign__post_vanilla__is_the_published_signature),
        cmocka_unit_test(sign__get_vanilla_query_order_key_case__is_the_published_signature),
        cmocka_unit_test(sign__get_vanilla_query_order_value__is_the_published_signature),
        cmocka_unit_test(sign__get_vanilla_utf8_query__is_the_published_signature),
        cmocka_unit_test(sign__get_utf8_path__is_the_published_signature),
        cmocka_unit_test(sign__get_unreserved__is_the_published_signature),
        cmocka_unit_test(sign__get_header_value_trim__is_the_published_signature),
        cmocka_unit_test(encode_path__percent_signs_of_a_key__are_encoded_once_more),
        cmocka_unit_test(encode_query__names_that_begin_alike__are_ordered_by_name_then_value),
        cmocka_unit_test(encode_query__too_many_parameters__is_refused),
        cmocka_unit_test(sign__too_many_headers__is_refused),
        cmocka_unit_test(date__a_time__is_written_as_signing_wants_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
