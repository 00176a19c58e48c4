/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/count.c — how many rows a group has: for people who wait for them, never for the export itself. */
#include "postgres/sql.h"

#include <stdlib.h>

enum uex_error uex_postgres_count_rows(struct uex_postgres *postgres, const char *group_id, uint64_t *out,
                                       struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err = uex_pg_open(postgres, fault);

    *out = UEX_UNKNOWN;
    uex_buffer_append_text(&sql, "SELECT count(*) FROM ");
    if (err == UEX_OK)
        err = uex_pg_append_name(postgres, postgres->config->postgres_user_view, &sql, fault);
    uex_buffer_append_text(&sql, " WHERE group_id = $1 AND sent_to_matching_service = false");
    if (err == UEX_OK)
        err = uex_pg_check_sql(&sql, fault);
    if (err == UEX_OK)
        err = uex_pg_long_query(postgres, uex_buffer_text(&sql), 1, &group_id, &result, fault);
    if (err == UEX_OK && PQntuples(result) == 1)
        *out = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    uex_buffer_clear(&sql);
    return err;
}
