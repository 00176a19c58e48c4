/* SPDX-License-Identifier: Apache-2.0 */
#include "report/page.h"

#include "report/sections.h"

void uex_report_init(struct uex_report *report)
{
    *report = (struct uex_report){
        .failed = {.most = UEX_REPORT_FAILED_MAX, .order = uex_report_by_error},
        .late = {.most = UEX_REPORT_UNFINISHED_MAX, .order = uex_report_by_id},
        .slowest = {.most = UEX_REPORT_SLOWEST_MAX, .order = uex_report_by_duration},
    };
}

void uex_report_clear(struct uex_report *report)
{
    uex_report_groups_clear(&report->failed);
    uex_report_groups_clear(&report->late);
    uex_report_groups_clear(&report->slowest);
}

static enum uex_error add_exported(struct uex_report *report, const struct uex_report_group *group)
{
    report->exported++;
    if (group->rows == UEX_UNKNOWN)
        report->unknown_rows++;
    else
        report->rows += group->rows;
    if (group->bytes != UEX_UNKNOWN)
        report->bytes += group->bytes;
    return group->duration_ms == UEX_NO_TIME ? UEX_OK : uex_report_groups_offer(&report->slowest, group);
}

static enum uex_error add_failed(struct uex_report *report, const struct uex_report_group *group)
{
    enum uex_error error = UEX_OK;

    report->dead_lettered++;
    if (group->reason != NULL && uex_error_from_code(group->reason, &error))
        report->errors[error]++;
    return uex_report_groups_offer(&report->failed, group);
}

static enum uex_skip_reason skip_of(const char *reason)
{
    for (int i = UEX_SKIP_NONE + 1; reason != NULL && i < UEX_SKIP_COUNT; i++)
        if (strcmp(uex_skip_text((enum uex_skip_reason)i), reason) == 0)
            return (enum uex_skip_reason)i;
    return UEX_SKIP_NONE;
}

enum uex_error uex_report_add(struct uex_report *report, const struct uex_report_group *group)
{
    report->groups++;
    if (group->has_outcome && group->outcome == UEX_OUTCOME_EXPORTED)
        return add_exported(report, group);
    if (group->has_outcome && group->outcome == UEX_OUTCOME_DEAD_LETTERED)
        return add_failed(report, group);
    if (group->has_outcome && group->outcome == UEX_OUTCOME_SKIPPED) {
        report->skipped++;
        report->skips[skip_of(group->reason)]++;
        return UEX_OK;
    }
    report->unfinished++;
    return uex_report_groups_offer(&report->late, group);
}

uint64_t uex_report_rows(const struct uex_report *report)
{
    return report->unknown_rows > 0 ? report->runs[0].rows : report->rows;
}

uint64_t uex_report_bytes(const struct uex_report *report)
{
    return report->unknown_rows > 0 ? report->runs[0].bytes : report->bytes;
}

bool uex_report_has_ended(const struct uex_run_record *run)
{
    return run->status != UEX_RUN_STARTED;
}

int64_t uex_report_took_ms(const struct uex_run_record *run)
{
    return run->started_at_ms == UEX_NO_TIME || run->ended_at_ms == UEX_NO_TIME ? UEX_NO_TIME
                                                                                : run->ended_at_ms - run->started_at_ms;
}

int64_t uex_report_duration_ms(const struct uex_report *report)
{
    const struct uex_run_record *run = &report->runs[0];

    if (uex_report_has_ended(run))
        return uex_report_took_ms(run);
    return run->started_at_ms == UEX_NO_TIME ? UEX_NO_TIME : report->made_at_ms - run->started_at_ms;
}

void uex_report_write(struct uex_report *report, struct uex_buffer *out)
{
    uex_report_groups_sort(&report->failed);
    uex_report_groups_sort(&report->late);
    uex_report_groups_sort(&report->slowest);
    uex_report_write_head(report, out);
    uex_report_write_header(report, out);
    uex_report_write_counts(report, out);
    uex_report_write_failed(report, out);
    uex_report_write_late(report, out);
    uex_report_write_slowest(report, out);
    uex_report_write_trend(report, out);
    uex_report_write_footer(report, out);
}
