/* SPDX-License-Identifier: Apache-2.0 */
#include "export/group_list.h"

#include "export/text.h"

#define PAUSE_MS 500
#define WARNINGS_MAX 20

void uex_group_list_clear(struct uex_group_list *list)
{
    uex_buffer_clear(&list->ids);
    *list = (struct uex_group_list){0};
}

enum uex_error uex_group_list_add(void *context, const char *group_id)
{
    struct uex_group_list *list = context;
    size_t size_bytes = strlen(group_id);

    list->seen_bytes += size_bytes + 1;
    if (list->seen_bytes > UEX_GROUPS_CAP_BYTES)
        return UEX_LIMIT;
    if (!uex_group_id_valid(uex_bytes_of(group_id, size_bytes))) {
        if (list->left_out++ < WARNINGS_MAX)
            uex_log(UEX_LOG_WARN, UEX_EVENT_GROUP_ID_INVALID,
                    "group skipped: its id is not 1 to 255 bytes of UTF-8 without control characters",
                    UEX_NUM("length", size_bytes), UEX_NUM("behind_group_number", list->count));
        return UEX_OK;
    }
    list->ids.cap_bytes = UEX_GROUPS_CAP_BYTES;
    uex_buffer_append(&list->ids, group_id, size_bytes + 1);
    if (uex_buffer_failed(&list->ids))
        return UEX_NO_MEMORY;
    list->count++;
    return UEX_OK;
}

const char *uex_group_list_next(const struct uex_group_list *list, const char *previous)
{
    const char *start = (const char *)list->ids.data;
    const char *next = previous == NULL ? start : previous + strlen(previous) + 1;

    return start == NULL || next >= start + list->ids.size_bytes ? NULL : next;
}

/* May a repetition help? */
static bool worth_waiting(enum uex_error err)
{
    return uex_error_disposition(err) == UEX_DISPOSITION_RETRY_STEP;
}

enum uex_error uex_groups_await(const struct uex_config *config, const char *application_name, int64_t timeout_ms,
                                const struct uex_cancel *cancel, struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + timeout_ms;
    struct uex_postgres *postgres = uex_postgres_new(config, application_name);
    enum uex_error err = UEX_NO_MEMORY;

    if (postgres == NULL)
        return uex_fail(fault, err, "not enough memory for the database connection");
    uex_postgres_set_cancel(postgres, cancel);
    do {
        err = uex_postgres_probe(postgres, fault);
    } while (worth_waiting(err) && uex_monotonic_ms() < until_ms && uex_sleep_ms(PAUSE_MS, cancel));
    uex_postgres_free(postgres);
    if (err != UEX_OK && uex_cancel_requested(cancel))
        return UEX_CANCELLED;
    return worth_waiting(err) ? UEX_DB_UNAVAILABLE : err;
}

enum uex_error uex_groups_read(const struct uex_config *config, const char *application_name, int64_t timeout_ms,
                               const struct uex_cancel *cancel, struct uex_group_list *list, struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + timeout_ms;
    struct uex_postgres *postgres = uex_postgres_new(config, application_name);
    enum uex_error err = UEX_NO_MEMORY;

    if (postgres == NULL)
        return uex_fail(fault, err, "not enough memory for the database connection");
    uex_postgres_set_cancel(postgres, cancel);
    do {
        uex_group_list_clear(list);
        err = uex_postgres_each_active_group(postgres, uex_group_list_add, list, fault);
    } while (worth_waiting(err) && uex_monotonic_ms() < until_ms && uex_sleep_ms(PAUSE_MS, cancel));
    uex_postgres_free(postgres);
    if (err == UEX_LIMIT)
        return uex_fail(fault, err, "the ids of the active groups take more than %zu MiB", UEX_GROUPS_CAP_BYTES >> 20);
    return err != UEX_OK && uex_cancel_requested(cancel) ? UEX_CANCELLED : err;
}
