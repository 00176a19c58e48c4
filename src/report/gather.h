/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/gather.h — what the page of a run says, read from Kafka. One thread. */
#ifndef EXPORT_REPORT_GATHER_H
#define EXPORT_REPORT_GATHER_H

#include "report/page.h"
#include "run/members.h"
#include "run/records.h"

/* What is asked for. Borrowed. */
struct uex_report_question {
    const struct uex_config *config;
    const struct uex_run_record *run;
    const struct uex_run_members *members; /* of the run, followed to the end of topics.state */
    int64_t wait_ms;                       /* for Kafka's answers */
    const struct uex_cancel *cancel;
};

/* The runs of the page: `run`, as the caller knows it, and those of `records` that were started before it, newest
 * first. Their strings are borrowed from both. Returns how many of `out` are filled, 1 at least. */
size_t uex_report_runs(const struct uex_run_records *records, const struct uex_run_record *run,
                       struct uex_run_record out[UEX_REPORT_RUNS_MAX]);
/* Add each member to `report`, in full as far as its state says something: one pass over the state topic. Errors as of
 * uex_run_pass_read(). */
UEX_MUST_CHECK enum uex_error uex_report_gather(const struct uex_report_question *question, struct uex_report *report,
                                                struct uex_fault *fault);
#endif
