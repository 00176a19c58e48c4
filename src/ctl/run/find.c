/* SPDX-License-Identifier: Apache-2.0 */
/* Which run is meant. */
#include "ctl/connect.h"
#include "ctl/run/run.h"
#include "run/records.h"

#define LAST "last"
#define NAMED_MAX 5 /* in the message about an unknown one */

static const struct uex_run_entry *choose(const struct uex_run_records *records, const char *name)
{
    const struct uex_run_entry *entry = uex_run_records_find(records, name);

    if (entry != NULL && entry->is_foreign)
        entry = NULL;
    return entry == NULL && strcmp(name, LAST) == 0 ? uex_run_records_last(records) : entry;
}

static void report_unknown(const struct uex_config *config, const struct uex_run_records *records, const char *name)
{
    struct uex_buffer known = {0};
    size_t named = 0, more = 0;

    for (size_t i = records->count; i-- > 0;) {
        if (records->items[i].is_foreign)
            continue;
        if (named == NAMED_MAX) {
            more++;
            continue;
        }
        uex_buffer_append_text(&known, named++ == 0 ? "" : ", ");
        uex_output_append_clean(&known, records->items[i].record.run_id);
    }
    if (more > 0)
        uex_buffer_append_format(&known, " and %zu more", more);
    if (named == 0)
        uex_output_error("%s has no run yet", config->topics_run);
    else
        uex_output_error("%s has no run %.256s; there are %s", config->topics_run, name, uex_buffer_text(&known));
    uex_buffer_clear(&known);
}

int uex_ctl_run_find(const struct uex_config *config, const char *name, struct uex_run_record *out)
{
    struct uex_run_records records = {0};
    struct uex_fault fault = {0};
    const struct uex_run_entry *entry = NULL;
    enum uex_error err = uex_ctl_read_runs(config, &records, &fault);
    int code = UEX_EXIT_DONE;

    *out = (struct uex_run_record){0};
    if (err == UEX_OK)
        entry = choose(&records, name);
    if (entry != NULL)
        err = uex_run_record_copy(&entry->record, out);
    if (err != UEX_OK) {
        code = uex_output_fail(err, &fault);
    } else if (entry == NULL) {
        report_unknown(config, &records, name);
        code = UEX_EXIT_FAILED;
    }
    uex_run_records_clear(&records);
    return code;
}

int uex_ctl_run_operand(const struct uex_config *config, int operand_count, char **operands, struct uex_run_record *out)
{
    *out = (struct uex_run_record){0};
    if (operand_count != 1) {
        uex_output_error(operand_count == 0 ? "no run given; name one, or `last` for the one that was started last"
                                            : "name one run");
        return UEX_EXIT_USAGE;
    }
    return uex_ctl_run_find(config, operands[0], out);
}
