/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/postgres/rows_fixture.h — reading all rows of group g. */
#ifndef COMPONENT_ROWS_FIXTURE_H
#define COMPONENT_ROWS_FIXTURE_H

#include "component/database.h"
#include "component/test_layout.h"

#include "component/csv_line.h"
#include "export/postgres.h"

static int empty_tables(void **state)
{
    (void)state;
    if (database.admin != NULL)
        database_run("TRUNCATE groups, users");
    database.config.export_max_row_bytes = 64 << 20;
    return 0;
}

/* Rows of group g as CSV records, or as usernames. */
struct reading {
    struct uex_buffer text; /* CSV: all rows; usernames: each with '\n' after it */
    struct csv_line first;  /* CSV: the first row */
    size_t row_count;
    int64_t snapshot_at_ms;
    enum uex_error error;
    struct uex_fault fault;
};

static void reading_clear(struct reading *reading)
{
    uex_buffer_clear(&reading->text);
    csv_line_clear(&reading->first);
}

static void read_all(struct uex_postgres *postgres, const struct uex_row_plan *plan, struct reading *out)
{
    struct uex_rows *rows = NULL;
    struct uex_bytes row = {0};

    *out = (struct reading){0};
    out->error = uex_postgres_rows_begin(postgres, "g", plan, &rows, &out->fault);
    if (out->error != UEX_OK)
        return;
    while ((out->error = rows->next(rows, &row, &out->fault)) == UEX_OK) {
        if (out->row_count++ == 0 && !plan->list_only)
            assert_true(csv_line_parse(row, &out->first));
        uex_buffer_append(&out->text, row.data, row.size_bytes);
        if (row.data == NULL)
            uex_buffer_append_text(&out->text, "(null)");
        if (plan->list_only)
            uex_buffer_append_text(&out->text, "\n");
    }
    out->snapshot_at_ms = rows->snapshot_at_ms;
    rows->destroy(rows);
}

static void read_group(const struct uex_row_plan *plan, struct reading *out)
{
    struct uex_postgres *postgres = uex_postgres_new(&database.config, "rows-test");

    assert_non_null(postgres);
    read_all(postgres, plan, out);
    uex_postgres_free(postgres);
}

static void assert_field(const struct reading *reading, const char *name, const char *expected)
{
    const char *field = reading->first.fields[column_index(name)];

    if (expected == NULL)
        assert_null(field);
    else
        assert_string_equal(field == NULL ? "(null)" : field, expected);
}
#endif
