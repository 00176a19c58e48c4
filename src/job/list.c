/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/list.c — the messages of a non-cost-based group: complete JSON values in the spool, as many as it takes. */
#include "job/runner.h"

#include "export/result.h"
#include "export/text.h"

#include <stdlib.h>

struct list {
    struct uex_job *job;
    struct uex_buffer part; /* the message being filled, without its tail */
    struct uex_buffer name; /* one name as JSON */
    size_t tail_bytes;
    size_t name_count; /* in `part` */
    size_t part_capacity;
};

static void part_begin(struct list *list)
{
    struct uex_job_outcome *out = list->job->out;

    uex_buffer_reset(&list->part);
    uex_result_write_list_head(list->job->group_id, out->domain_id, &list->part);
    list->name_count = 0;
}

static enum uex_error add_part(struct list *list, uint64_t offset, size_t size_bytes)
{
    struct uex_job_outcome *out = list->job->out;

    if (out->part_count == list->part_capacity) {
        size_t capacity = list->part_capacity == 0 ? 8 : list->part_capacity * 2;
        struct uex_result_part *parts = realloc(out->parts, capacity * sizeof(*parts));

        if (parts == NULL)
            return uex_fail(&out->fault, UEX_NO_MEMORY, "not enough memory for a list of usernames");
        out->parts = parts;
        list->part_capacity = capacity;
    }
    out->parts[out->part_count++] = (struct uex_result_part){.offset = offset, .size_bytes = (uint32_t)size_bytes};
    return UEX_OK;
}

static enum uex_error part_end(struct list *list)
{
    struct uex_job_outcome *out = list->job->out;
    uint64_t offset = uex_spool_size_bytes(out->lists);
    enum uex_error err;

    uex_result_write_list_tail(&list->part);
    if (uex_buffer_failed(&list->part))
        return uex_fail(&out->fault, UEX_NO_MEMORY, "not enough memory for a list of usernames");
    if (offset + list->part.size_bytes > list->job->runner->limits.list_bytes)
        return uex_fail(&out->fault, UEX_RESULT_REFUSED, "the list of usernames is longer than commit.max_list");
    err = uex_spool_append(out->lists, uex_buffer_bytes(&list->part), &out->fault);
    return err == UEX_OK ? add_part(list, offset, list->part.size_bytes) : err;
}

static bool fits(const struct list *list)
{
    size_t comma_bytes = list->name_count > 0 ? 1 : 0;

    return list->part.size_bytes + comma_bytes + list->name.size_bytes + list->tail_bytes <=
           list->job->runner->limits.part_bytes;
}

static enum uex_error add_name(struct list *list, struct uex_bytes name)
{
    struct uex_fault *fault = &list->job->out->fault;
    enum uex_error err;

    /* Only a database in SQL_ASCII can hold such a name; JSON cannot. */
    if (!uex_utf8_valid(name))
        return uex_fail(fault, UEX_DB_DATA, "a username is not valid UTF-8");
    uex_buffer_reset(&list->name);
    uex_buffer_append_json_bytes(&list->name, name);
    if (!fits(list) && list->name_count > 0) {
        err = part_end(list);
        if (err != UEX_OK)
            return err;
        part_begin(list);
    }
    if (!fits(list))
        return uex_fail(fault, UEX_RESULT_REFUSED, "a username does not fit into one message of %zu bytes",
                        list->job->runner->limits.part_bytes);
    if (list->name_count > 0)
        uex_buffer_append_text(&list->part, ",");
    uex_buffer_append(&list->part, list->name.data, list->name.size_bytes);
    list->name_count++;
    if (uex_buffer_failed(&list->part) || uex_buffer_failed(&list->name))
        return uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a list of usernames");
    return UEX_OK;
}

static enum uex_error write_list(struct list *list, const struct uex_job_source *source)
{
    struct uex_job *job = list->job;
    struct uex_bytes name = source->first;
    enum uex_error err = uex_spool_new(job->runner->dir, &job->out->lists, &job->out->fault);

    uex_result_write_list_tail(&list->part);
    list->tail_bytes = list->part.size_bytes;
    if (err == UEX_OK && uex_buffer_failed(&list->part)) /* a message would be longer than allowed */
        err = uex_fail(&job->out->fault, UEX_NO_MEMORY, "not enough memory for a list of usernames");
    part_begin(list);
    while (err == UEX_OK) {
        err = add_name(list, name);
        if (err != UEX_OK)
            return err;
        uex_job_rows_passed(job, 1, name.size_bytes);
        err = source->rows->next(source->rows, &name, &job->out->fault);
    }
    return err == UEX_END ? part_end(list) : err;
}

static void forget_list(struct uex_job_outcome *out)
{
    uex_spool_free(out->lists);
    out->lists = NULL;
    free(out->parts);
    out->parts = NULL;
    out->part_count = 0;
}

enum uex_error uex_job_pass_list(struct uex_job *job)
{
    struct list list = {.job = job};
    struct uex_job_source source = {0};
    enum uex_error err = uex_job_source_open(job, true, &source);

    if (err == UEX_OK)
        err = write_list(&list, &source);
    uex_job_source_close(&source);
    if (err == UEX_END) {
        job->out->skip = UEX_SKIP_EMPTY;
        return UEX_OK;
    }
    if (err == UEX_OK)
        uex_job_rows_done(job);
    else
        forget_list(job->out);
    uex_buffer_clear(&list.part);
    uex_buffer_clear(&list.name);
    return err;
}
