/* SPDX-License-Identifier: Apache-2.0 */
/* src/report/publish.h — the page of a run that has ended, put beside its manifest (schedule.report). One thread. */
#ifndef EXPORT_REPORT_PUBLISH_H
#define EXPORT_REPORT_PUBLISH_H

#include "export/object_store.h"
#include "report/gather.h"

/* Times on pages are those of schedule.timezone. To be called while there are no threads. False: no memory. */
bool uex_report_set_zone(const struct uex_config *config);
/* Read the page of a run, appended to `out`. Errors as of uex_report_gather() and uex_run_records_read(). */
UEX_MUST_CHECK enum uex_error uex_report_read(const struct uex_report_question *question, struct uex_buffer *out,
                                              struct uex_fault *fault);
/* Create the object "_runs/<runId, percent-encoded>/<endedAt as 20261122T190000Z>.html". UEX_OBJECT_EXISTS: it is there
 * already. Errors as of uex_report_read() and of the store. */
UEX_MUST_CHECK enum uex_error uex_report_publish(const struct uex_report_question *question,
                                                 struct uex_store_service *service, struct uex_fault *fault);
#endif
