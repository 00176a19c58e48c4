/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: the database. */
#include <inttypes.h>

#include "ctl/doctor/doctor.h"
#include "export/postgres.h"

static void say_role(struct uex_doctor *doctor, const struct uex_postgres_facts *facts)
{
    if (facts->is_superuser)
        uex_doctor_say(doctor, "postgres", "role", UEX_DOCTOR_WARN,
                       "use a role that may only SELECT from the two views; deploy/sql/roles.sql shows it",
                       "%s is a superuser", facts->role);
    else if (facts->may_write)
        uex_doctor_say(doctor, "postgres", "role", UEX_DOCTOR_WARN,
                       "REVOKE INSERT, UPDATE, DELETE on both views from the role; exports only read",
                       "%s may write through a view", facts->role);
    else
        uex_doctor_say(doctor, "postgres", "role", UEX_DOCTOR_OK, NULL, "%s may not write through the views",
                       facts->role);
}

static void say_views(struct uex_doctor *doctor, struct uex_postgres *postgres)
{
    const struct uex_config *config = doctor->config;
    struct uex_fault fault = {0};
    struct uex_masks masks = {0};
    enum uex_error err = uex_masks_parse(config->export_mask, config->export_mask_key[0] != 0, &masks, &fault);

    if (err == UEX_OK)
        err = uex_postgres_check_views(postgres, &masks, &fault);
    if (err != UEX_OK)
        uex_doctor_fail(doctor, "postgres", "views", err, &fault, NULL);
    else
        uex_doctor_say(doctor, "postgres", "views", UEX_DOCTOR_OK, NULL, "%s and %s have all columns, of fitting types",
                       config->postgres_group_view, config->postgres_user_view);
}

static void say_groups(struct uex_doctor *doctor, const struct uex_postgres_facts *facts)
{
    if (facts->odd_groups > 0)
        uex_doctor_say(doctor, "postgres", "groups", UEX_DOCTOR_WARN,
                       "group_type has to be COST_BASED or NON_COST_BASED; other groups are skipped",
                       "%" PRIu64 " of %" PRIu64 " active groups are of another type", facts->odd_groups,
                       facts->active_groups);
    else
        uex_doctor_say(doctor, "postgres", "groups", facts->active_groups == 0 ? UEX_DOCTOR_WARN : UEX_DOCTOR_OK,
                       facts->active_groups == 0 ? "the scheduler will have nothing to send; is it the right database?"
                                                 : NULL,
                       "%" PRIu64 " active groups", facts->active_groups);
}

void uex_doctor_postgres(struct uex_doctor *doctor)
{
    struct uex_postgres *postgres = uex_postgres_new(doctor->config, "exportctl doctor");
    struct uex_postgres_facts facts = {0};
    struct uex_fault fault = {0};
    enum uex_error err = UEX_OK;
    int64_t begun_at_ms = 0;

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
    say_views(doctor, postgres);
    begun_at_ms = uex_monotonic_ms();
    err = uex_postgres_examine(postgres, &facts, &fault);
    if (facts.version[0] == 0) {
        uex_doctor_fail(doctor, "postgres", "server", err, &fault, NULL);
        goto done;
    }
    uex_doctor_say(doctor, "postgres", "server", UEX_DOCTOR_OK, NULL, "PostgreSQL %s, %s", facts.version,
                   facts.in_recovery ? "a replica" : "a primary");
    uex_doctor_clock(doctor, "postgres", "the server", facts.server_at_ms - facts.local_at_ms,
                     uex_monotonic_ms() - begun_at_ms);
    say_role(doctor, &facts);
    if (err == UEX_OK) /* else the views have said why */
        say_groups(doctor, &facts);
done:
    uex_postgres_free(postgres);
}
