/* SPDX-License-Identifier: Apache-2.0 */
#include "export/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_hex(const uint8_t hash[UEX_SHA256_SIZE], const char *expected)
{
    char hex[UEX_SHA256_HEX_SIZE];

    uex_hex(hash, UEX_SHA256_SIZE, hex);
    assert_string_equal(hex, expected);
}

static void sha256__vectors_of_fips_180__are_met(void **state)
{
    uint8_t hash[UEX_SHA256_SIZE];

    (void)state;
    uex_sha256(uex_bytes_of_text("abc"), hash);
    assert_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    uex_sha256(uex_bytes_of(NULL, 0), hash);
    assert_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    uex_sha256(uex_bytes_of_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hash);
    assert_hex(hash, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void digest__in_pieces_and_again__is_the_hash_of_the_whole(void **state)
{
    struct uex_digest *digest = uex_digest_new();
    uint8_t hash[UEX_SHA256_SIZE];
    char thousand[1000];

    (void)state;
    assert_non_null(digest);
    memset(thousand, 'a', sizeof(thousand));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++)
            assert_int_equal(uex_digest_add(digest, uex_bytes_of(thousand, sizeof(thousand))), UEX_OK);
        assert_int_equal(uex_digest_add(digest, uex_bytes_of(NULL, 0)), UEX_OK);
        assert_int_equal(uex_digest_finish(digest, hash), UEX_OK);
        assert_hex(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    assert_int_equal(uex_digest_finish(digest, hash), UEX_OK);
    assert_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    uex_digest_free(digest);
    uex_digest_free(NULL);
}

static void hmac__vectors_of_rfc_4231__are_met(void **state)
{
    uint8_t hash[UEX_SHA256_SIZE], key[131];

    (void)state;
    memset(key, 0x0b, 20);
    uex_hmac_sha256(uex_bytes_of(key, 20), uex_bytes_of_text("Hi There"), hash);
    assert_hex(hash, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    uex_hmac_sha256(uex_bytes_of_text("Jefe"), uex_bytes_of_text("what do ya want for nothing?"), hash);
    assert_hex(hash, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    uex_hmac_sha256(uex_bytes_of(key, sizeof(key)),
                    uex_bytes_of_text("Test Using Larger Than Block-Size Key - Hash Key First"), hash);
    assert_hex(hash, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hmac__empty_key_and_data__are_taken(void **state)
{
    uint8_t hash[UEX_SHA256_SIZE];

    (void)state;
    uex_hmac_sha256(uex_bytes_of(NULL, 0), uex_bytes_of(NULL, 0), hash);
    assert_hex(hash, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void hex_parse__both_letter_cases__gives_the_bytes(void **state)
{
    uint8_t bytes[4] = {0};

    (void)state;
    assert_true(uex_hex_parse("00fFa1B2", bytes, 4));
    assert_memory_equal(bytes, "\x00\xFF\xA1\xB2", 4);
    assert_true(uex_hex_parse("", bytes, 0));
}

static void hex_parse__wrong_length_or_character__is_false(void **state)
{
    static const char *const TEXTS[] = {"", "00ffa1b", "00ffa1b2c", "00ffa1bg", "00ff a1b", "+0ffa1b2", "0x0ffa1b"};
    uint8_t bytes[4];

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_false(uex_hex_parse(TEXTS[i], bytes, sizeof(bytes)));
    assert_false(uex_hex_parse(NULL, bytes, sizeof(bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256__vectors_of_fips_180__are_met),
        cmocka_unit_test(digest__in_pieces_and_again__is_the_hash_of_the_whole),
        cmocka_unit_test(hmac__vectors_of_rfc_4231__are_met),
        cmocka_unit_test(hmac__empty_key_and_data__are_taken),
        cmocka_unit_test(hex_parse__both_letter_cases__gives_the_bytes),
        cmocka_unit_test(hex_parse__wrong_length_or_character__is_false),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
