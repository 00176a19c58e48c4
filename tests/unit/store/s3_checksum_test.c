/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Expected values: `printf … | openssl dgst -md5 -binary | base64` and the like; of CRC-32 the check value cbf43926 of
 * "123456789" (ITU-T V.42). */
static const struct {
    const char *body, *crc32, *sha256, *md5;
} BODIES[] = {{"", "AAAAAA==", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "1B2M2Y8AsgTpgAmY7PhCfg=="},
              {"123456789", "y/Q5Jg==", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=", "JfnnlDI7RTiF9RgfG2JNCw=="}};

static void checksum_of__known_bodies__are_base64_in_network_order(void **state)
{
    char text[UEX_S3_CHECKSUM_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(BODIES) / sizeof(BODIES[0]); i++) {
        const struct uex_bytes body = uex_bytes_of_text(BODIES[i].body);

        assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_CRC32, body, NULL, text), UEX_OK);
        assert_string_equal(text, BODIES[i].crc32);
        assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_SHA256, body, NULL, text), UEX_OK);
        assert_string_equal(text, BODIES[i].sha256);
        assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_MD5, body, NULL, text), UEX_OK);
        assert_string_equal(text, BODIES[i].md5);
        assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_OFF, body, NULL, text), UEX_OK);
        assert_string_equal(text, "");
    }
    assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_CRC32, (struct uex_bytes){0}, NULL, text), UEX_OK);
    assert_string_equal(text, "AAAAAA==");
}

static void checksum_of__digest_that_is_known__is_taken(void **state)
{
    char text[UEX_S3_CHECKSUM_SIZE];
    uint8_t sha256[UEX_SHA256_SIZE];

    (void)state;
    uex_sha256(uex_bytes_of_text("123456789"), sha256);
    assert_int_equal(uex_s3_checksum_of(UEX_S3_CHECKSUM_SHA256, uex_bytes_of_text("other"), sha256, text), UEX_OK);
    assert_string_equal(text, BODIES[1].sha256);
}

static void append__part__has_an_element_where_s3_keeps_the_checksum(void **state)
{
    struct uex_buffer out = {0};

    (void)state;
    uex_s3_checksum_append(UEX_S3_CHECKSUM_OFF, "", &out);
    uex_s3_checksum_append(UEX_S3_CHECKSUM_MD5, "JfnnlDI7RTiF9RgfG2JNCw==", &out);
    assert_int_equal(out.size_bytes, 0);
    uex_s3_checksum_append(UEX_S3_CHECKSUM_CRC32, "y/Q5Jg==", &out);
    assert_string_equal(uex_buffer_text(&out), "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>");
    uex_buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_of__known_bodies__are_base64_in_network_order),
        cmocka_unit_test(checksum_of__digest_that_is_known__is_taken),
        cmocka_unit_test(append__part__has_an_element_where_s3_keeps_the_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
