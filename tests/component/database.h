/* SPDX-License-Identifier: Apache-2.0 */
/* tests/component/database.h — a database of its own for one test executable, on the server of USERS_EXPORT_ADMIN_DSN
 * (`deploy/lib/services env`). Without it the tests are skipped. */
#ifndef COMPONENT_DATABASE_H
#define COMPONENT_DATABASE_H

#include "export/clock.h"
#include "export/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

/* The two views over plain tables, all columns of the widest accepted types. */
#define TEST_SCHEMA                                                                                                    \
    "CREATE TABLE groups (group_id text, group_type text, active boolean);"                                            \
    "CREATE TABLE users (username text, group_id text, display_name text, gender text, date_of_birth date,"            \
    " location text, intent text, bio text, smokes boolean, drinks boolean, wants_kids boolean, education text,"       \
    " religion text, occupation text, preferred_genders text, preferred_min_age integer, preferred_max_age integer,"   \
    " relationship_type text, open_to_long_distance boolean, ready_for_matching boolean,"                              \
    " sent_to_matching_service boolean DEFAULT false);"                                                                \
    "CREATE VIEW export_group AS SELECT * FROM groups;"                                                                \
    "CREATE VIEW export_user AS SELECT * FROM users;"

struct test_database {
    PGconn *admin; /* superuser, in the test's database; NULL: no server */
    char name[64];
    char dsn[512];
    struct uex_config config; /* as the module needs it; strings are not owned */
};

static struct test_database database;

static const char *database_server(void)
{
    return getenv("USERS_EXPORT_ADMIN_DSN");
}

static void database_result(PGresult *result)
{
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        print_error("%s", PQresultErrorMessage(result));
        fail();
    }
    PQclear(result);
}

static void database_run(const char *sql)
{
    database_result(PQexec(database.admin, sql));
}

/* The first value of a query's answer, as a number. */
static inline long database_number(const char *sql)
{
    PGresult *result = PQexec(database.admin, sql);
    long number;

    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

/* The server's DSN with another database and, if given, another user. */
static void database_dsn(const char *name, const char *user, char *out, size_t size)
{
    PQconninfoOption *options = PQconninfoParse(database_server(), NULL);

    out[0] = '\0';
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        const char *value = option->val;
        size_t used = strlen(out);

        if (strcmp(option->keyword, "dbname") == 0)
            value = name;
        else if (strcmp(option->keyword, "user") == 0 && user != NULL)
            value = user;
        if (value != NULL)
            (void)snprintf(out + used, size - used, "%s='%s' ", option->keyword, value);
    }
    PQconninfoFree(options);
}

static void database_quiet(void *context, const char *message)
{
    (void)context;
    (void)message;
}

static int database_create_encoded(const char *encoding)
{
    char sql[192];
    PGconn *conn;

    if (database_server() == NULL)
        return 0;
    conn = PQconnectdb(database_server());
    if (PQstatus(conn) != CONNECTION_OK) {
        print_error("%s", PQerrorMessage(conn));
        return -1;
    }
    (void)snprintf(database.name, sizeof(database.name), "test_%d_%lx", (int)getpid(), (unsigned long)uex_wall_ms());
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE template0 ENCODING '%s'%s", database.name, encoding,
                   strcmp(encoding, "UTF8") == 0 ? "" : " LC_COLLATE 'C' LC_CTYPE 'C'");
    database_result(PQexec(conn, sql));
    PQfinish(conn);
    database_dsn(database.name, NULL, database.dsn, sizeof(database.dsn));
    database.admin = PQconnectdb(database.dsn);
    PQsetNoticeProcessor(database.admin, database_quiet, NULL);
    database.config = (struct uex_config){
        .postgres_dsn = database.dsn,
        .postgres_stall_timeout_ms = 10000,
        .postgres_group_view = (char *)(uintptr_t) "export_group",
        .postgres_user_view = (char *)(uintptr_t) "export_user",
        .retry_attempts = 1,
        .export_batch_rows = 1000,
        .export_compression_level = 1,
    };
    database_run(TEST_SCHEMA);
    return 0;
}

static inline int database_create(void **state)
{
    (void)state;
    return database_create_encoded("UTF8");
}

static int database_drop(void **state)
{
    char sql[128];
    PGconn *conn;

    (void)state;
    if (database.admin == NULL)
        return 0;
    PQfinish(database.admin);
    conn = PQconnectdb(database_server());
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", database.name);
    PQclear(PQexec(conn, sql));
    PQfinish(conn);
    return 0;
}

/* Each test begins with it. */
static void database_needed(void)
{
    if (database.admin == NULL) {
        print_message("USERS_EXPORT_ADMIN_DSN is not set: no PostgreSQL to test with\n");
        skip();
    }
}
#endif
