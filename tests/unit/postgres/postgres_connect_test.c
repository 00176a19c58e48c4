/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres/connect.h"
#include "postgres/sql.h"

#include "export/digest.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A port on which nobody answers: connections are taken by the kernel and nothing comes back. */
static int listen_silently(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static enum uex_error try(const char *dsn, int64_t wait_ms, const struct uex_cancel *cancel, struct uex_fault *fault)
{
    PGconn *conn = NULL;

    return uex_pg_connect(dsn, "test", wait_ms, cancel, &conn, fault);
}

static void check_dsn__well_formed__is_accepted(void **state)
{
    (void)state;
    assert_int_equal(uex_postgres_check_dsn("postgresql://u:p@a:1,b:2/db?target_session_attrs=prefer-standby", NULL),
                     UEX_OK);
    assert_int_equal(uex_postgres_check_dsn("host=a user='x y' password='it''s'", NULL), UEX_CONFIG);
    assert_int_equal(uex_postgres_check_dsn("host=a user='x y' password='it\\'s'", NULL), UEX_OK);
}

static void check_dsn__malformed__is_refused_without_its_words(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_postgres_check_dsn("host=a password=top secret", &fault), UEX_CONFIG);
    assert_null(strstr(fault.text, "secret"));
    assert_int_equal(uex_postgres_check_dsn("host=a password=top secret=x", &fault), UEX_CONFIG);
    assert_null(strstr(fault.text, "secret"));
    assert_int_equal(uex_postgres_check_dsn("postgresql://u:secr%zzet@h/db", &fault), UEX_CONFIG);
    assert_null(strstr(fault.text, "secr"));
}

static void connect__refused__is_unavailable_with_the_reason(void **state)
{
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(try("host=127.0.0.1 port=1 user=u password=hidden", 5000, NULL, &fault), UEX_DB_UNAVAILABLE);
    assert_non_null(strstr(fault.text, "refused"));
    assert_null(strstr(fault.text, "hidden"));
}

static void connect__silent_server__ends_by_the_wait(void **state)
{
    struct uex_fault fault = {0};
    int64_t start_ms = uex_monotonic_ms();
    char dsn[128];
    int port, fd = listen_silently(&port);

    (void)state;
    (void)snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d connect_timeout=2 user=u sslmode=disable", port);
    assert_int_equal(try(dsn, 400, NULL, &fault), UEX_DB_UNAVAILABLE);
    assert_true(uex_monotonic_ms() - start_ms < 1500);
    close(fd);
}

static void connect__silent_server__ends_by_connect_timeout(void **state)
{
    struct uex_fault fault = {0};
    int64_t start_ms = uex_monotonic_ms();
    char dsn[128];
    int port, fd = listen_silently(&port);

    (void)state;
    (void)snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d connect_timeout=2 user=u sslmode=disable", port);
    assert_int_equal(try(dsn, 30000, NULL, &fault), UEX_DB_UNAVAILABLE);
    assert_true(uex_monotonic_ms() - start_ms < 9000);
    assert_non_null(strstr(fault.text, "timeout"));
    close(fd);
}

static void connect__cancelled__returns_at_once(void **state)
{
    struct uex_cancel cancel = {0};
    int64_t start_ms = uex_monotonic_ms();
    char dsn[128];
    int port, fd = listen_silently(&port);

    (void)state;
    uex_cancel_request(&cancel);
    (void)snprintf(dsn, sizeof(dsn), "host=127.0.0.1 port=%d connect_timeout=2 user=u sslmode=disable", port);
    assert_int_equal(try(dsn, 30000, &cancel, NULL), UEX_CANCELLED);
    assert_true(uex_monotonic_ms() - start_ms < 500);
    close(fd);
}

static void hmac_pads__any_key_length__give_the_hmac(void **state)
{
    static const size_t lengths[] = {1, 32, 63, 64, 65, 200};
    struct uex_bytes text = uex_bytes_of_text("some text");

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char key[201] = {0}, inner[UEX_PG_PAD_HEX_SIZE], outer[UEX_PG_PAD_HEX_SIZE];
        uint8_t block[64 + 64], expected[UEX_SHA256_SIZE], inner_hash[UEX_SHA256_SIZE], got[UEX_SHA256_SIZE];

        memset(key, 'k', lengths[i]);
        uex_pg_hmac_pads(key, inner, outer);
        assert_true(uex_hex_parse(inner, block, 64));
        memcpy(block + 64, text.data, text.size_bytes);
        uex_sha256(uex_bytes_of(block, 64 + text.size_bytes), inner_hash);
        assert_true(uex_hex_parse(outer, block, 64));
        memcpy(block + 64, inner_hash, sizeof(inner_hash));
        uex_sha256(uex_bytes_of(block, 64 + sizeof(inner_hash)), got);
        uex_hmac_sha256(uex_bytes_of_text(key), text, expected);
        assert_memory_equal(got, expected, sizeof(expected));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_dsn__well_formed__is_accepted),
        cmocka_unit_test(check_dsn__malformed__is_refused_without_its_words),
        cmocka_unit_test(connect__refused__is_unavailable_with_the_reason),
        cmocka_unit_test(connect__silent_server__ends_by_the_wait),
        cmocka_unit_test(connect__silent_server__ends_by_connect_timeout),
        cmocka_unit_test(connect__cancelled__returns_at_once),
        cmocka_unit_test(hmac_pads__any_key_length__give_the_hmac),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
