/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "config/table.h"
#include "ctl/dlq/dlq.h"
#include "ctl/options.h"

struct uex_dlq_options uex_dlq_options;

static bool read_place(const char *text, struct uex_dlq_place *out)
{
    char *end = NULL;
    long long partition = 0, offset = 0;

    errno = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    partition = strtoll(text, &end, 10);
    if (*end != ':' || end[1] < '0' || end[1] > '9')
        return false;
    offset = strtoll(end + 1, &end, 10);
    *out = (struct uex_dlq_place){.partition = (int32_t)partition, .offset = offset};
    return *end == 0 && errno == 0 && partition <= INT32_MAX;
}

static int by_place(const void *left, const void *right)
{
    const struct uex_dlq_place *a = left, *b = right;

    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static enum uex_error read_places(int operand_count, char *const *operands, struct uex_dlq_filter *out)
{
    out->places = calloc((size_t)operand_count + 1, sizeof(*out->places));
    if (out->places == NULL) {
        uex_output_complain("no memory");
        return UEX_NO_MEMORY;
    }
    for (int i = 0; i < operand_count; i++) {
        if (!read_place(operands[i], &out->places[out->place_count])) {
            uex_output_complain("'%.60s' is no place: allowed is PARTITION:OFFSET, as exportctl dlq list shows them",
                                operands[i]);
            return UEX_CONFIG;
        }
        out->place_count++;
    }
    qsort(out->places, out->place_count, sizeof(out->places[0]), by_place);
    return UEX_OK;
}

static enum uex_error read_time(const char *name, const char *text, int64_t *out)
{
    int64_t age_ms = 0;

    *out = UEX_NO_TIME;
    if (text == NULL || uex_time_parse(text, strlen(text), out))
        return UEX_OK;
    if (uex_duration_parse(text, &age_ms) && age_ms >= 0) {
        *out = uex_wall_ms() - age_ms;
        return UEX_OK;
    }
    uex_output_complain("%s: allowed is a time (2026-11-22T23:20:00+05:30) or how long ago (units ms, s, m, h), for "
                        "example 12h",
                        name);
    return UEX_CONFIG;
}

static enum uex_error check_code(const char *code)
{
    enum uex_error error = UEX_OK;

    if (code == NULL || uex_error_from_code(code, &error))
        return UEX_OK;
    uex_output_complain("--error: there is no code '%.60s'; exportctl dlq list shows those of the letters", code);
    return UEX_CONFIG;
}

enum uex_error uex_dlq_filter_make(int operand_count, char *const *operands, bool must_name, struct uex_dlq_filter *out)
{
    const struct uex_dlq_options *options = &uex_dlq_options;
    bool is_narrowed = operand_count > 0 || options->group != NULL || options->error != NULL ||
                       options->since != NULL || options->until != NULL;
    enum uex_error err = UEX_OK;

    *out = (struct uex_dlq_filter){
        .group = options->group, .error_code = options->error, .since_ms = UEX_NO_TIME, .until_ms = UEX_NO_TIME};
    if (must_name && !is_narrowed && !uex_ctl_options.all) {
        uex_output_complain("which letters? name PARTITION:OFFSET, --group, --error, --since or --until; or --all");
        return UEX_CONFIG;
    }
    if (uex_ctl_options.all && is_narrowed) {
        uex_output_complain("--all and a choice exclude each other");
        return UEX_CONFIG;
    }
    err = read_places(operand_count, operands, out);
    if (err == UEX_OK)
        err = check_code(options->error);
    if (err == UEX_OK)
        err = read_time("--since", options->since, &out->since_ms);
    if (err == UEX_OK)
        err = read_time("--until", options->until, &out->until_ms);
    return err;
}

void uex_dlq_filter_clear(struct uex_dlq_filter *filter)
{
    free(filter->places);
    *filter = (struct uex_dlq_filter){0};
}

static bool fits_text(const char *wanted, struct uex_bytes text)
{
    return wanted == NULL ||
           (text.data != NULL && strlen(wanted) == text.size_bytes && memcmp(wanted, text.data, text.size_bytes) == 0);
}

bool uex_dlq_filter_fits(struct uex_dlq_filter *filter, const struct uex_record *record)
{
    struct uex_dlq_place key = {.partition = record->partition, .offset = record->offset};
    struct uex_dlq_place *place = NULL;
    struct uex_bytes code = {0};

    if (filter->place_count > 0) {
        place = bsearch(&key, filter->places, filter->place_count, sizeof(key), by_place);
        if (place == NULL)
            return false;
        place->found = true;
    }
    (void)uex_record_header(record, UEX_HEADER_ERROR_CODE, &code);
    return fits_text(filter->group, record->key) && fits_text(filter->error_code, code) &&
           (filter->since_ms == UEX_NO_TIME || record->timestamp_ms >= filter->since_ms) &&
           (filter->until_ms == UEX_NO_TIME || record->timestamp_ms < filter->until_ms);
}

bool uex_dlq_filter_complain(const struct uex_dlq_filter *filter)
{
    bool any = false;

    for (size_t i = 0; i < filter->place_count; i++) {
        const struct uex_dlq_place *place = &filter->places[i];

        if (place->found || (i > 0 && by_place(place, place - 1) == 0))
            continue;
        uex_output_complain("there is no dead letter at %" PRId32 ":%" PRId64, place->partition, place->offset);
        any = true;
    }
    return any;
}
