/* SPDX-License-Identifier: Apache-2.0 */
/* src/postgres/catalogue.c — groups from the view postgres.group_view. */
#include "postgres/sql.h"

#include "export/backoff.h"
#include "export/text.h"

#include <stdlib.h>

struct pg_catalogue {
    struct uex_catalogue catalogue; /* first: what the caller holds */
    struct uex_postgres *postgres;
};

/* A group's type for logs and labels: what is not printable becomes '?', what is too long is cut at a character. */
static void copy_type(const char *text, struct uex_group *out)
{
    size_t length = strlen(text);

    if (length >= sizeof(out->type_text)) {
        length = sizeof(out->type_text) - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(out->type_text, text, length);
    out->type_text[length] = '\0';
    for (char *at = out->type_text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            *at = '?';
    }
    if (!uex_utf8_valid(uex_bytes_of_text(out->type_text)))
        (void)strcpy(out->type_text, "?");
}

static enum uex_error append_view(struct uex_postgres *postgres, struct uex_buffer *sql, struct uex_fault *fault)
{
    return uex_pg_append_name(postgres, postgres->config->postgres_group_view, sql, fault);
}

/* Two rows for one group: an active one is taken, so the answer does not depend on chance. */
static enum uex_error find_once(struct uex_postgres *postgres, const char *group_id, struct uex_group *out,
                                struct uex_fault *fault)
{
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err = uex_pg_open(postgres, fault);

    uex_buffer_append_text(&sql, "SELECT left(group_type::text, 256), active FROM "); /* no type is as long */
    if (err == UEX_OK)
        err = append_view(postgres, &sql, fault);
    uex_buffer_append_text(&sql, " WHERE group_id = $1 ORDER BY active DESC NULLS LAST, group_type LIMIT 1");
    if (err == UEX_OK)
        err = uex_pg_check_sql(&sql, fault);
    if (err == UEX_OK)
        err = uex_pg_query(postgres, uex_buffer_text(&sql), 1, &group_id, &result, fault);
    uex_buffer_clear(&sql);
    if (err != UEX_OK)
        return err;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) != 2) {
        err = uex_fail(fault, UEX_DB_QUERY, "database: unexpected result");
    } else if (PQntuples(result) == 0) {
        err = UEX_NOT_FOUND;
    } else {
        const char *type = PQgetvalue(result, 0, 0); /* "" for NULL */

        copy_type(type, out);
        out->type = uex_group_type_of(postgres->config, type);
        out->active = strcmp(PQgetvalue(result, 0, 1), "t") == 0;
    }
    PQclear(result);
    return err;
}

struct find_call {
    struct uex_postgres *postgres;
    const char *group_id;
    struct uex_group *out;
    struct uex_fault *fault;
};

static enum uex_error find_step(void *context)
{
    struct find_call *call = context;

    return find_once(call->postgres, call->group_id, call->out, call->fault);
}

static enum uex_error catalogue_find(struct uex_catalogue *catalogue, const char *group_id, struct uex_group *out,
                                     struct uex_fault *fault)
{
    struct uex_postgres *postgres = ((struct pg_catalogue *)catalogue)->postgres;
    struct find_call call = {.postgres = postgres, .group_id = group_id, .out = out, .fault = fault};

    *out = (struct uex_group){.type = UEX_GROUP_INVALID};
    if (!uex_group_id_valid(uex_bytes_of_text(group_id)))
        return uex_fail(fault, UEX_MALFORMED, "groupId is not 1 to 255 bytes of UTF-8 without control characters");
    memcpy(out->group_id, group_id, strlen(group_id) + 1);
    return uex_step_retry(find_step, &call, (unsigned)postgres->config->retry_attempts, postgres->cancel);
}

static void catalogue_destroy(struct uex_catalogue *catalogue)
{
    free(catalogue);
}

struct uex_catalogue *uex_postgres_catalogue_new(struct uex_postgres *postgres)
{
    struct pg_catalogue *self = calloc(1, sizeof(*self));

    if (self == NULL)
        return NULL;
    self->catalogue = (struct uex_catalogue){.find = catalogue_find, .destroy = catalogue_destroy};
    self->postgres = postgres;
    return &self->catalogue;
}

struct list_call {
    struct uex_postgres *postgres;
    enum uex_error (*each)(void *context, const char *group_id);
    void *context;
    struct uex_fault *fault;
    bool begun; /* a group was handed over: it cannot be started again */
    enum uex_error stopped_by;
};

static enum uex_error hand_over(struct list_call *call, const PGresult *result)
{
    enum uex_error err = UEX_OK;

    for (int row = 0; err == UEX_OK && row < PQntuples(result); row++) {
        call->begun = true;
        err = call->each(call->context, PQgetvalue(result, row, 0));
    }
    call->stopped_by = err;
    return err;
}

/* Row by row, so that the number of groups costs no memory here. */
static enum uex_error list_once(struct list_call *call)
{
    struct uex_postgres *postgres = call->postgres;
    struct uex_buffer sql = {0};
    PGresult *result = NULL;
    enum uex_error err = uex_pg_open(postgres, call->fault);

    if (err == UEX_OK)
        err = uex_pg_begin(postgres, call->fault);
    uex_buffer_append_text(&sql, "SELECT DISTINCT group_id::text AS group_id FROM ");
    if (err == UEX_OK)
        err = append_view(postgres, &sql, call->fault);
    uex_buffer_append_text(&sql, " WHERE active = true AND group_id IS NOT NULL ORDER BY 1");
    if (err == UEX_OK)
        err = uex_pg_check_sql(&sql, call->fault);
    if (err == UEX_OK)
        err = uex_pg_send(postgres, uex_buffer_text(&sql), 0, NULL, call->fault);
    uex_buffer_clear(&sql);
    if (err == UEX_OK)
        (void)PQsetSingleRowMode(postgres->conn);
    while (err == UEX_OK) {
        err = uex_pg_next_result(postgres, &result, call->fault);
        if (err == UEX_OK) {
            err = hand_over(call, result);
            PQclear(result);
        }
    }
    if (err == UEX_END)
        err = uex_pg_commit(postgres, call->fault);
    if (err != UEX_OK)
        uex_pg_settle(postgres);
    return err;
}

static enum uex_error list_step(void *context)
{
    struct list_call *call = context;
    enum uex_error err = list_once(call);

    /* Hidden from the retry: what was handed over must not come a second time, and `each` has its own reasons. */
    if (err != UEX_OK && call->begun) {
        call->stopped_by = err;
        return UEX_END;
    }
    return err;
}

enum uex_error uex_postgres_each_active_group(struct uex_postgres *postgres,
                                              enum uex_error (*each)(void *context, const char *group_id),
                                              void *context, struct uex_fault *fault)
{
    struct list_call call = {.postgres = postgres, .each = each, .context = context, .fault = fault};
    enum uex_error err = uex_step_retry(list_step, &call, (unsigned)postgres->config->retry_attempts, postgres->cancel);

    return err == UEX_END ? call.stopped_by : err;
}

enum uex_error uex_postgres_probe(struct uex_postgres *postgres, struct uex_fault *fault)
{
    PGresult *result = NULL;
    enum uex_error err = uex_pg_query(postgres, "SELECT 1", 0, NULL, &result, fault);

    PQclear(result);
    return err;
}
