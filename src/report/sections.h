/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/sections.h — the sections of the page, each in a file of its name, and figures that several of them show.
 */
#ifndef EXPORT_REPORT_SECTIONS_H
#define EXPORT_REPORT_SECTIONS_H

#include "report/page.h"

/* ---- page.c */

/* Of the exported groups: the record's where later runs have overwritten the states. */
uint64_t uex_report_rows(const struct uex_report *report);
uint64_t uex_report_bytes(const struct uex_report *report);
bool uex_report_has_ended(const struct uex_run_record *run);
/* How long a run took; UEX_NO_TIME where it has no end. */
int64_t uex_report_took_ms(const struct uex_run_record *run);
/* The same for the run of the page; so far, where it has no end. */
int64_t uex_report_duration_ms(const struct uex_report *report);

/* ---- the sections, in their order */

void uex_report_write_head(const struct uex_report *report, struct uex_buffer *out);   /* up to <main> */
void uex_report_write_header(const struct uex_report *report, struct uex_buffer *out); /* the run, the verdict, times */
void uex_report_write_counts(const struct uex_report *report, struct uex_buffer *out);
void uex_report_write_failed(const struct uex_report *report, struct uex_buffer *out);
void uex_report_write_late(const struct uex_report *report, struct uex_buffer *out);
void uex_report_write_slowest(const struct uex_report *report, struct uex_buffer *out);
void uex_report_write_trend(const struct uex_report *report, struct uex_buffer *out);
void uex_report_write_footer(const struct uex_report *report, struct uex_buffer *out); /* head.c */
#endif
