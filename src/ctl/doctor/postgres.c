/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: the database. */
#include <inttypes.h>

#include "ctl/doctor/doctor.h"
#include "export/postgres.h"

static void check_role(struct uex_doctor *doctor, const struct uex_postgres_facts *facts)
{
    if (facts->is_superuser)
        uex_doctor_report(doctor, "postgres", "role", UEX_DOCTOR_WARN,
                          "use a role that can only SELECT from the two views, as in deploy/sql/roles.sql",
                          "%s is a superuser", facts->role);
    else if (facts->may_write)
        uex_doctor_report(doctor, "postgres", "role", UEX_DOCTOR_WARN,
                          "REVOKE INSERT, UPDATE, DELETE on both views from the role; exports only read",
                          "%s can write through a view", facts->role);
    else
        uex_doctor_report(doctor, "postgres", "role", UEX_DOCTOR_OK, NULL, "%s cannot write through the views",
                          facts->role);
}

/* A view of somebody's own has no script to compare it with. */
static const char *fix_of_views(const struct uex_layout *layout, enum uex_error err)
{
    if (err != UEX_DB_SCHEMA || layout == NULL || layout->is_default)
        return NULL;
    return "correct export.columns, export.pending_column or the view; a column of a type that no export holds needs a "
           "cast in the view (to text, for instance), or is left out of export.columns";
}

static void check_views(struct uex_doctor *doctor, struct uex_postgres *postgres)
{
    const struct uex_config *config = doctor->config;
    struct uex_fault fault = {0};
    struct uex_layout *layout = NULL, *resolved = NULL;
    enum uex_error err = uex_layout_new(config, &layout, &fault);

    if (err == UEX_OK)
        err = uex_postgres_check_views(postgres, layout, &resolved, &fault);
    if (err != UEX_OK)
        uex_doctor_fail(doctor, "postgres", "views", err, &fault, fix_of_views(layout, err));
    else
        uex_doctor_report(doctor, "postgres", "views", UEX_DOCTOR_OK, NULL,
                          "%s and %s have all columns with the right types; layout %s has %zu columns",
                          config->postgres_group_view, config->postgres_user_view, resolved->id,
                          resolved->column_count);
    uex_layout_free(layout);
    uex_layout_free(resolved);
}

/* "g-1, g-2 and 3 more" */
static void name_odd_groups(const struct uex_postgres_facts *facts, struct uex_buffer *out)
{
    for (size_t i = 0; i < facts->odd_name_count; i++)
        uex_buffer_append_format(out, "%s%s", i == 0 ? "" : ", ", facts->odd_names[i]);
    if (facts->odd_groups > facts->odd_name_count)
        uex_buffer_append_format(out, " and %" PRIu64 " more", facts->odd_groups - facts->odd_name_count);
}

static void check_groups(struct uex_doctor *doctor, const struct uex_postgres_facts *facts)
{
    struct uex_buffer names = {0}, fix = {0};

    name_odd_groups(facts, &names);
    uex_buffer_append_text(&fix, "set group_type to ");
    uex_group_types_write(doctor->config, " or ", &fix);
    uex_buffer_append_text(&fix, "; workers skip other groups (export.file_types, export.list_types)");
    if (facts->odd_groups > 0)
        uex_doctor_report(doctor, "postgres", "groups", UEX_DOCTOR_WARN, uex_buffer_text(&fix),
                          "%" PRIu64 " of %" PRIu64 " active groups have another type: %s", facts->odd_groups,
                          facts->active_groups, uex_buffer_text(&names));
    else
        uex_doctor_report(doctor, "postgres", "groups", facts->active_groups == 0 ? UEX_DOCTOR_WARN : UEX_DOCTOR_OK,
                          facts->active_groups == 0
                              ? "check that postgres.dsn names the right database; the scheduler has nothing to send"
                              : NULL,
                          "%" PRIu64 " active groups", facts->active_groups);
    uex_buffer_clear(&names);
    uex_buffer_clear(&fix);
}

void uex_doctor_postgres(struct uex_doctor *doctor)
{
    struct uex_postgres *postgres = uex_postgres_new(doctor->config, "exportctl doctor");
    struct uex_postgres_facts facts = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;
    int64_t begun_at_ms = 0;

    if (!uex_config_append_location(doctor->config->postgres_dsn, &doctor->where))
        uex_buffer_append_text(&doctor->where, "postgres.dsn");
    if (postgres == NULL) {
        uex_doctor_fail(doctor, "postgres", "connection", UEX_NO_MEMORY, &fault, NULL);
        return;
    }
    uex_postgres_set_cancel(postgres, &uex_program_cancel);
    err = uex_postgres_probe(postgres, &fault);
    if (err != UEX_OK) {
        uex_doctor_fail(doctor, "postgres", "connection", err, &fault, NULL);
        goto done;
    }
    check_views(doctor, postgres);
    begun_at_ms = uex_monotonic_ms();
    err = uex_postgres_examine(postgres, &facts, &fault);
    if (facts.version[0] == 0) {
        uex_doctor_fail(doctor, "postgres", "server", err, &fault, NULL);
        goto done;
    }
    uex_doctor_report(doctor, "postgres", "server", UEX_DOCTOR_OK, NULL,
                      "PostgreSQL %s, %s, at %s port %s, database %s", facts.version,
                      facts.in_recovery ? "a replica" : "a primary", facts.host, facts.port, facts.database);
    uex_doctor_clock(doctor, "postgres", "the server", facts.server_at_ms - facts.local_at_ms,
                     uex_monotonic_ms() - begun_at_ms);
    check_role(doctor, &facts);
    if (err == UEX_OK) /* else the check of the views has reported why */
        check_groups(doctor, &facts);
done:
    uex_postgres_free(postgres);
}
