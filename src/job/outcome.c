/* SPDX-License-Identifier: Apache-2.0 */
/* src/job/outcome.c — what a job came to. */
#include "job/runner.h"

#include <stdlib.h>

void uex_job_outcome_reset(struct uex_job_outcome *out)
{
    uex_object_facts_clear(&out->object);
    out->object =
        (struct uex_object_facts){.size_bytes = UEX_UNKNOWN, .row_count = UEX_UNKNOWN, .snapshot_at_ms = UEX_NO_TIME};
    uex_spool_free(out->lists);
    out->lists = NULL;
    free(out->parts);
    out->parts = NULL;
    out->part_count = 0;
    out->error = UEX_OK;
    out->fault = (struct uex_fault){0};
    out->skip = UEX_SKIP_NONE;
    out->object_was_there = false;
    out->row_count = UEX_UNKNOWN;
    out->text_bytes = 0;
    out->snapshot_at_ms = UEX_NO_TIME;
    out->csv_duration_ms = 0;
}

void uex_job_outcome_clear(struct uex_job_outcome *outcome)
{
    if (outcome == NULL)
        return;
    uex_job_outcome_reset(outcome);
    *outcome = (struct uex_job_outcome){0};
}
