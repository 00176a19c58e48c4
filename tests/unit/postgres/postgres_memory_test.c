/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while queries are put together: a query without its end would be another query. */
#include "failing_memory.h"

#include "postgres/sql.h"

static struct uex_config config;
static struct uex_postgres postgres = {.config = &config};
static struct uex_layout *layout;

static enum uex_error note(enum uex_error err, struct uex_buffer *sql)
{
    if (err == UEX_OK)
        err = uex_pg_check_sql(sql, NULL);
    if (err == UEX_OK)
        uex_torture_note("%s", uex_buffer_text(sql));
    uex_buffer_clear(sql);
    return err;
}

static enum uex_error rows_of_group(void)
{
    struct uex_buffer sql = {0};
    const struct uex_row_plan plan = {.layout = layout};

    return note(uex_pg_append_rows(&postgres, "group 'one'", &plan, &sql, NULL), &sql);
}

static enum uex_error rights_on_view(void)
{
    struct uex_buffer sql = {0};

    return note(uex_pg_append_access_check(&postgres, layout, &sql, NULL), &sql);
}

static enum uex_error connection_string(void)
{
    return uex_postgres_check_dsn("postgresql://u:p@[::1]:5432/db?connect_timeout=3", NULL);
}

static void torture__queries__right_text_or_no_memory(void **state)
{
    static const struct uex_torture_case operations[] = {
        {.name = "the rows of a group", .run = rows_of_group},
        {.name = "rights on the view", .run = rights_on_view},
        {.name = "a connection string", .run = connection_string},
    };
    char view[] = "app.\"Users\"", mask[] = "displayName:redact,bio:hash,dateOfBirth:year", key[] = "k";

    (void)state;
    config.postgres_user_view = view;
    config.export_mask = mask;
    config.export_mask_key = key;
    config.export_formula_guard = UEX_GUARD_PREFIX;
    assert_int_equal(uex_layout_new(&config, &layout, NULL), UEX_OK);
    assert_non_null(postgres.conn = PQconnectStart("host=/nonexistent")); /* quoting needs no server */
    uex_torture_all(operations, sizeof(operations) / sizeof(operations[0]));
    PQfinish(postgres.conn);
    uex_layout_free(layout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torture__queries__right_text_or_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
