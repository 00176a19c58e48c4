/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ask.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/options.h"
#include "export/postgres.h"
#include "export/program.h"
#include "export/text.h"
#include "export/thread.h"

#define APPLICATION_NAME "exportctl"
#define DATABASE_WAIT_MS 5000
#define LOOK_MS 10
#define ANSWER_SIZE 16
#define UNKNOWN_SHOWN_MAX 10
#define ID_SIZE 256

bool uex_can_ask(void)
{
    return isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0;
}

bool uex_ask(const char *question)
{
    char answer[ANSWER_SIZE] = "";

    fprintf(stderr, "%s [y/N] ", question);
    fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) == NULL) /* the end of the input, or Ctrl-C */
        fputc('\n', stderr);
    answer[strcspn(answer, "\r\n")] = '\0';
    return !uex_cancel_requested(&uex_program_cancel) &&
           (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
}

/* ---- what was perhaps meant */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

void uex_closest_take(struct uex_closest *closest, const char *id)
{
    size_t wanted_bytes = strlen(closest->wanted), id_bytes = strlen(id), at = closest->count, found = 0;
    size_t most = wanted_bytes < 4 ? 1 : wanted_bytes < 12 ? 2 : wanted_bytes / 4;
    size_t difference = wanted_bytes > id_bytes ? wanted_bytes - id_bytes : id_bytes - wanted_bytes;

    if (wanted_bytes >= ID_SIZE || id_bytes >= ID_SIZE || difference > most)
        return;
    found = uex_text_distance(uex_bytes_of_text(closest->wanted), uex_bytes_of_text(id), lower);
    if (found > most || (at == UEX_CLOSEST_MAX && found >= closest->distances[at - 1]))
        return;
    if (at == UEX_CLOSEST_MAX)
        at--;
    else
        closest->count++;
    for (; at > 0 && found < closest->distances[at - 1]; at--) {
        memcpy(closest->ids[at], closest->ids[at - 1], ID_SIZE);
        closest->distances[at] = closest->distances[at - 1];
    }
    memcpy(closest->ids[at], id, id_bytes + 1);
    closest->distances[at] = found;
}

/* ---- the groups that the view does not have */

struct look_up {
    const struct uex_config *config;
    struct uex_cancel cancel;
    atomic_bool is_done;
    enum uex_error error;
    char *const *group_ids;
    int group_count;
    size_t unknown_count;
    struct uex_closest unknown[UNKNOWN_SHOWN_MAX]; /* the first of them */
};

static enum uex_error compare(void *context, const char *group_id)
{
    struct look_up *look_up = context;

    for (size_t i = 0; i < look_up->unknown_count && i < UNKNOWN_SHOWN_MAX; i++)
        uex_closest_take(&look_up->unknown[i], group_id);
    return UEX_OK;
}

static enum uex_error find_unknown(struct look_up *look_up, struct uex_catalogue *catalogue)
{
    struct uex_fault fault = {0};
    struct uex_group group;

    for (int i = 0; i < look_up->group_count; i++) {
        enum uex_error err = catalogue->find(catalogue, look_up->group_ids[i], &group, &fault);

        if (err != UEX_OK && err != UEX_NOT_FOUND)
            return err;
        if (err == UEX_OK)
            continue;
        if (look_up->unknown_count < UNKNOWN_SHOWN_MAX)
            look_up->unknown[look_up->unknown_count].wanted = look_up->group_ids[i];
        look_up->unknown_count++;
    }
    return UEX_OK;
}

static void *look_up_groups(void *context)
{
    struct look_up *look_up = context;
    struct uex_postgres *postgres = uex_postgres_new(look_up->config, APPLICATION_NAME);
    struct uex_catalogue *catalogue = postgres == NULL ? NULL : uex_postgres_catalogue_new(postgres);
    struct uex_fault fault = {0};

    look_up->error = UEX_NO_MEMORY;
    if (catalogue != NULL) {
        uex_postgres_set_cancel(postgres, &look_up->cancel);
        look_up->error = find_unknown(look_up, catalogue);
        if (look_up->error == UEX_OK && look_up->unknown_count > 0)
            look_up->error = uex_postgres_each_active_group(postgres, compare, look_up, &fault);
        catalogue->destroy(catalogue);
    }
    uex_postgres_free(postgres);
    atomic_store(&look_up->is_done, true);
    return NULL;
}

/* Bounded, whatever the database does. False: it is not known. */
static bool look_up_bounded(struct look_up *look_up)
{
    int64_t until_ms = uex_monotonic_ms() + DATABASE_WAIT_MS;
    pthread_t thread;

    if (!uex_thread_start(&thread, look_up_groups, look_up))
        return false;
    while (!atomic_load(&look_up->is_done) && uex_monotonic_ms() < until_ms &&
           uex_sleep_ms(LOOK_MS, &uex_program_cancel))
        continue;
    uex_cancel_request(&look_up->cancel); /* ends the waits of the connection */
    pthread_join(thread, NULL);
    return look_up->error == UEX_OK;
}

static void print_unknown(const struct look_up *look_up)
{
    for (size_t i = 0; i < look_up->unknown_count && i < UNKNOWN_SHOWN_MAX; i++) {
        const struct uex_closest *closest = &look_up->unknown[i];
        struct uex_buffer line = {0};

        uex_buffer_append_format(&line, "%s has no group %s", look_up->config->postgres_group_view, closest->wanted);
        for (size_t at = 0; at < closest->count; at++)
            uex_buffer_append_format(&line, "%s%s",
                                     at == 0                    ? "; did you mean "
                                     : at + 1 == closest->count ? " or "
                                                                : ", ",
                                     closest->ids[at]);
        uex_output_error("%s%s", uex_buffer_text(&line), closest->count == 0 ? "" : "?");
        uex_buffer_clear(&line);
    }
    if (look_up->unknown_count > UNKNOWN_SHOWN_MAX)
        uex_output_error("and %zu more", look_up->unknown_count - UNKNOWN_SHOWN_MAX);
}

bool uex_ask_for_unknown_groups(const struct uex_config *config, int group_count, char *const *group_ids,
                                const char *question)
{
    struct look_up *look_up = NULL;
    bool goes_on = true;

    if (uex_ctl_options.force || group_count == 0 || config->postgres_dsn == NULL || config->postgres_dsn[0] == '\0' ||
        !uex_can_ask())
        return true;
    look_up = calloc(1, sizeof(*look_up));
    if (look_up == NULL)
        return true;
    look_up->config = config;
    look_up->group_ids = group_ids;
    look_up->group_count = group_count;
    if (look_up_bounded(look_up) && look_up->unknown_count > 0) {
        print_unknown(look_up);
        goes_on = uex_ask(question);
    }
    free(look_up);
    return goes_on;
}
