/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a worker: the process dies as soon as a query holds the text of POISON_MARKER. POISON_HOW says of
 * what: "abort", "segv" (a write to nowhere), "kill" (SIGKILL, as the kernel does when memory is out) or "exit". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct pg_conn PGconn;
typedef unsigned int Oid;

static void die(void)
{
    const char *how = getenv("POISON_HOW");

    if (how != NULL && strcmp(how, "segv") == 0)
        *(volatile int *)1 = 0;
    if (how != NULL && strcmp(how, "kill") == 0)
        (void)kill(getpid(), SIGKILL);
    if (how != NULL && strcmp(how, "exit") == 0)
        _exit(1);
    abort();
}

static void look_at(const char *text)
{
    const char *marker = getenv("POISON_MARKER");

    if (marker != NULL && text != NULL && strstr(text, marker) != NULL)
        die();
}

int PQsendQuery(PGconn *connection, const char *query)
{
    int (*next)(PGconn *, const char *) = (int (*)(PGconn *, const char *))dlsym(RTLD_NEXT, "PQsendQuery");

    look_at(query);
    return next(connection, query);
}

int PQsendQueryParams(PGconn *connection, const char *query, int count, const Oid *types, const char *const *values,
                      const int *lengths, const int *formats, int result_format)
{
    int (*next)(PGconn *, const char *, int, const Oid *, const char *const *, const int *, const int *, int) =
        (int (*)(PGconn *, const char *, int, const Oid *, const char *const *, const int *, const int *, int))dlsym(
            RTLD_NEXT, "PQsendQueryParams");

    look_at(query);
    for (int i = 0; i < count; i++)
        look_at(values[i]);
    return next(connection, query, count, types, values, lengths, formats, result_format);
}
