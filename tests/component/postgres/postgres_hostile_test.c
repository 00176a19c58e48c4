/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that keep a connection busy without ever answering, and TLS records longer than libpq reads at once. */
#include "component/fake_postgres.h"
#include "component/test_layout.h"

#include "postgres/session.h"

#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define LONGEST_RECORD_BYTES ((size_t)16384) /* RFC 8446, section 5.1 */
/* What the sockets' buffers hold besides what the client has read. */
#define SENT_MAX_BYTES ((unsigned long long)64 << 20)

static struct uex_config config;
static struct fake_server server;
static struct uex_postgres *postgres;
static struct uex_cancel cancel;
static pthread_t watchdog;

/* A test that would hang ends with UEX_CANCELLED. */
static void *give_up(void *context)
{
    struct uex_cancel *done = context;

    if (uex_sleep_ms(15000, done))
        uex_cancel_request(&cancel);
    return NULL;
}

static struct uex_cancel done;

static void begin(bool (*answer)(struct fake_peer *, const char *), int64_t stall_ms)
{
    server = (struct fake_server){.answer = answer, .with_tls = server.with_tls, .greet = server.greet};
    fake_start(&server);
    config = (struct uex_config){.postgres_dsn = server.dsn,
                                 .postgres_stall_timeout_ms = stall_ms,
                                 .postgres_group_view = (char *)(uintptr_t) "export_group",
                                 .postgres_user_view = (char *)(uintptr_t) "export_user",
                                 .export_max_row_bytes = 64 << 20,
                                 .retry_attempts = 0};
    cancel = done = (struct uex_cancel){0};
    postgres = uex_postgres_new(&config, "hostile-test");
    assert_non_null(postgres);
    uex_postgres_set_cancel(postgres, &cancel);
    assert_int_equal(pthread_create(&watchdog, NULL, give_up, &done), 0);
}

static int end(void **state)
{
    (void)state;
    uex_cancel_request(&done);
    pthread_join(watchdog, NULL);
    uex_postgres_free(postgres);
    postgres = NULL;
    fake_stop(&server);
    server = (struct fake_server){0};
    return 0;
}

static enum uex_error read_rows(size_t *row_count, struct uex_fault *fault)
{
    struct uex_row_plan plan = {.layout = plain_layout()};
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};
    enum uex_error err = uex_postgres_rows_begin(postgres, "g", &plan, &rows, fault);

    *row_count = 0;
    if (err != UEX_OK)
        return err;
    while ((err = rows->next(rows, &row, fault)) == UEX_OK)
        ++*row_count;
    rows->destroy(rows);
    return err;
}

/* ---- progress that is none */

/* One message of `flood`'s kind after the other, as fast as they are taken. */
static bool send_for_ever(struct fake_peer *peer, void (*flood)(struct uex_buffer *out, unsigned number),
                          int64_t pause_ms)
{
    struct uex_buffer out = {0};

    for (unsigned number = 0;;) {
        for (int i = 0; i < (pause_ms > 0 ? 1 : 200); i++)
            flood(&out, number++);
        if (!fake_send_all(peer, &out))
            return false;
        if (pause_ms > 0)
            (void)uex_sleep_ms(pause_ms, NULL);
    }
}

static void flood_notices(struct uex_buffer *out, unsigned number)
{
    (void)number;
    fake_error(out, 'N', "00000", "still at it", NULL);
}

static void flood_parameters(struct uex_buffer *out, unsigned number)
{
    char name[32], value[2000];

    /* libpq looks through all parameters for each one: many short ones would only take the test's time. */
    (void)snprintf(name, sizeof(name), "parameter.%u", number);
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    fake_parameter(out, name, value);
}

static void flood_notifications(struct uex_buffer *out, unsigned number)
{
    (void)number;
    fake_notification(out);
}

static void flood_rows(struct uex_buffer *out, unsigned number)
{
    if (number == 0)
        fake_row_description(out, 1);
    fake_data_row(out, 1, "1700000000000");
}

static void flood_answers(struct uex_buffer *out, unsigned number)
{
    (void)number;
    fake_command(out, "SET");
}

static bool answer_notices(struct fake_peer *peer, const char *sql)
{
    (void)sql;
    return send_for_ever(peer, flood_notices, 20);
}

static bool answer_notices_in_copy(struct fake_peer *peer, const char *sql)
{
    struct uex_buffer out = {0};

    (void)sql;
    fake_copy_begin(&out);
    return fake_send_all(peer, &out) && send_for_ever(peer, flood_notices, 20);
}

static bool answer_byte_by_byte(struct fake_peer *peer, const char *sql)
{
    struct uex_buffer out = {0};

    (void)sql;
    fake_copy_begin(&out);
    uex_buffer_append(&out, "d\0\1\0\0", 5);
    while (fake_send_all(peer, &out)) {
        uex_buffer_append_text(&out, "x");
        (void)uex_sleep_ms(20, NULL);
    }
    return false;
}

static bool answer_parameters(struct fake_peer *peer, const char *sql)
{
    (void)sql;
    return send_for_ever(peer, flood_parameters, 0);
}

static bool answer_notifications(struct fake_peer *peer, const char *sql)
{
    (void)sql;
    return send_for_ever(peer, flood_notifications, 0);
}

static bool answer_rows(struct fake_peer *peer, const char *sql)
{
    (void)sql;
    return send_for_ever(peer, flood_rows, 0);
}

static bool answer_answers(struct fake_peer *peer, const char *sql)
{
    (void)sql;
    return send_for_ever(peer, flood_answers, 0);
}

static void rows__bytes_without_progress__is_stalled(void **state)
{
    static bool (*const answers[])(struct fake_peer *, const char *) = {answer_notices, answer_notices_in_copy,
                                                                        answer_byte_by_byte};

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        size_t row_count;

        if (i > 0)
            (void)end(state);
        begin(answers[i], 400);
        assert_int_equal(read_rows(&row_count, NULL), UEX_DB_STALLED);
        assert_int_equal(row_count, 0);
    }
}

static void probe__notices_without_end__is_stalled(void **state)
{
    (void)state;
    begin(answer_notices, 400);
    assert_int_equal(uex_postgres_probe(postgres, NULL), UEX_DB_STALLED);
}

static void rows__flood_before_the_stream__is_bounded(void **state)
{
    static const struct {
        bool (*answer)(struct fake_peer *, const char *);
        enum uex_error error;
    } cases[] = {
        {answer_parameters, UEX_DB_STALLED},
        {answer_notifications, UEX_DB_STALLED},
        {answer_rows, UEX_DB_STALLED},
        {answer_answers, UEX_DB_QUERY},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t row_count;

        if (i > 0)
            (void)end(state);
        begin(cases[i].answer, 60000);
        assert_int_equal(read_rows(&row_count, NULL), cases[i].error);
        assert_true(atomic_load(&server.sent_bytes) < SENT_MAX_BYTES);
    }
}

static void greet_for_ever(struct fake_peer *peer)
{
    struct uex_buffer out = {0};

    fake_message(&out, 'R', "\0\0\0\0", 4);
    if (fake_send_all(peer, &out))
        (void)send_for_ever(peer, flood_parameters, 0);
}

static void connect__greeting_without_end__is_bounded(void **state)
{
    (void)state;
    server.greet = greet_for_ever;
    begin(NULL, 60000);
    assert_int_equal(uex_postgres_probe(postgres, NULL), UEX_DB_UNAVAILABLE);
    assert_true(atomic_load(&server.sent_bytes) < SENT_MAX_BYTES);
}

/* A notification before each row: dropped, and the rows come. */
static bool answer_notified(struct fake_peer *peer, const char *sql)
{
    struct uex_buffer out = {0};

    (void)sql;
    fake_copy_begin(&out);
    for (int i = 0; i < 1000; i++) {
        fake_notification(&out);
        fake_message(&out, 'd', "a row\n", 6);
    }
    fake_copy_end(&out);
    return fake_send_all(peer, &out);
}

static void rows__notifications_between__are_dropped(void **state)
{
    size_t row_count;

    (void)state;
    begin(answer_notified, 10000);
    assert_int_equal(read_rows(&row_count, NULL), UEX_END);
    assert_int_equal(row_count, 1000);
    assert_null(PQnotifies(postgres->conn));
}

/* 2 MiB at 1 MiB/s, a stall_timeout of 300 ms. */
static bool answer_wide(struct fake_peer *peer, const char *sql)
{
    static char piece[1 << 16];
    struct uex_buffer out = {0};

    (void)sql;
    memset(piece, 'x', sizeof(piece));
    fake_copy_begin(&out);
    uex_buffer_append_text(&out, "d");
    fake_number(&out, 32 * sizeof(piece) + 4, 4);
    if (!fake_send_all(peer, &out))
        return false;
    for (int i = 0; i < 32; i++) {
        if (!fake_send(peer, piece, sizeof(piece)))
            return false;
        (void)uex_sleep_ms(60, NULL);
    }
    fake_copy_end(&out);
    return fake_send_all(peer, &out);
}

static void rows__wide_row_that_comes_steadily__is_read(void **state)
{
    size_t row_count;

    (void)state;
    begin(answer_wide, 300);
    assert_int_equal(read_rows(&row_count, NULL), UEX_END);
    assert_int_equal(row_count, 1);
}

/* Rows of which a byte comes first, and the rest a moment later: while the client asks how many bytes it has read. What
 * arrives in the middle of that question must not look like bytes of one row that is far too wide. */
#define PIECES 100
#define PIECE_BYTES 3000

static atomic_bool slow_questions;

/* In place of libc's: time passes between the questions what has arrived and what is unread. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == FIONREAD && slow_questions)
        (void)uex_sleep_ms(4, NULL);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

static bool answer_pieces(struct fake_peer *peer, const char *sql)
{
    static char value[PIECE_BYTES];
    struct uex_buffer out = {0}, row = {0};
    bool sent;

    (void)sql;
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\n';
    fake_message(&row, 'd', value, sizeof(value));
    fake_copy_begin(&out);
    sent = fake_send_all(peer, &out);
    for (int i = 0; sent && i < PIECES; i++) {
        sent = fake_send(peer, row.data, 1);
        (void)uex_sleep_ms(2, NULL);
        sent = sent && fake_send(peer, row.data + 1, row.size_bytes - 1);
    }
    uex_buffer_clear(&row);
    fake_copy_end(&out);
    return sent && fake_send_all(peer, &out);
}

static void rows__that_come_in_small_pieces__are_never_too_wide(void **state)
{
    struct uex_fault fault = {0};
    enum uex_error err;
    size_t row_count;

    (void)state;
    begin(answer_pieces, 10000);
    slow_questions = true;
    err = read_rows(&row_count, &fault);
    slow_questions = false;
    if (err != UEX_END)
        fail_msg("after %zu rows: %s", row_count, fault.text);
    assert_int_equal(row_count, PIECES);
}

/* ---- TLS records that are longer than what libpq reads at once */

/* Two records, the second one as long as there are. What is left in libpq's buffer of 16 KiB of the first record's last
 * row leaves too little room for the second, so some bytes of it stay in OpenSSL; nothing comes after them. */
static bool send_large_records(struct fake_peer *peer, struct uex_buffer *out)
{
    size_t first_bytes = out->size_bytes - LONGEST_RECORD_BYTES;
    bool sent = fake_send(peer, out->data, first_bytes);

    (void)uex_sleep_ms(50, NULL);
    sent = sent && fake_send(peer, out->data + first_bytes, LONGEST_RECORD_BYTES);
    uex_buffer_clear(out);
    return sent;
}

static bool answer_large_records(struct fake_peer *peer, const char *sql)
{
    static char row[3000];
    struct uex_buffer out = {0};

    (void)sql;
    memset(row, 'x', sizeof(row));
    row[sizeof(row) - 1] = '\n';
    fake_copy_begin(&out);
    for (int i = 0; i < 9; i++)
        fake_message(&out, 'd', row, sizeof(row));
    fake_copy_end(&out);
    return send_large_records(peer, &out);
}

static void rows__large_tls_records__are_read_to_the_end(void **state)
{
    size_t row_count;

    (void)state;
    server.with_tls = true;
    begin(answer_large_records, 3000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_rows(&row_count, NULL), UEX_END);
        assert_int_equal(row_count, 9);
    }
    assert_true(PQsslInUse(postgres->conn));
}

static bool answer_wide_groups(struct fake_peer *peer, const char *sql)
{
    static char id[251];
    struct uex_buffer out = {0};

    (void)sql;
    memset(id, 'g', sizeof(id) - 1);
    if (strncmp(sql, "BEGIN", 5) == 0) {
        fake_command(&out, "BEGIN");
        fake_ready(&out, 'T');
        return fake_send_all(peer, &out);
    }
    fake_row_description(&out, 1);
    for (int i = 0; i < 110; i++)
        fake_data_row(&out, 1, id);
    fake_command(&out, "SELECT 110");
    fake_ready(&out, 'T');
    return send_large_records(peer, &out);
}

static enum uex_error count_group(void *context, const char *group_id)
{
    (void)group_id;
    ++*(size_t *)context;
    return UEX_OK;
}

static void each_active_group__large_tls_records__are_read_to_the_end(void **state)
{
    size_t count = 0;

    (void)state;
    server.with_tls = true;
    begin(answer_wide_groups, 3000);
    assert_int_equal(uex_postgres_each_active_group(postgres, count_group, &count, NULL), UEX_OK);
    assert_int_equal(count, 110);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rows__bytes_without_progress__is_stalled, end),
        cmocka_unit_test_teardown(probe__notices_without_end__is_stalled, end),
        cmocka_unit_test_teardown(rows__flood_before_the_stream__is_bounded, end),
        cmocka_unit_test_teardown(connect__greeting_without_end__is_bounded, end),
        cmocka_unit_test_teardown(rows__notifications_between__are_dropped, end),
        cmocka_unit_test_teardown(rows__wide_row_that_comes_steadily__is_read, end),
        cmocka_unit_test_teardown(rows__that_come_in_small_pieces__are_never_too_wide, end),
        cmocka_unit_test_teardown(rows__large_tls_records__are_read_to_the_end, end),
        cmocka_unit_test_teardown(each_active_group__large_tls_records__are_read_to_the_end, end),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    uex_log_setup("hostile-test", UEX_LOG_ERROR, UEX_LOG_JSON);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
