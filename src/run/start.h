/* SPDX-License-Identifier: Apache-2.0 */
/* src/run/start.h — starts a run: its commands and its record `started` in one transaction. One thread. */
#ifndef EXPORT_RUN_START_H
#define EXPORT_RUN_START_H

#include "export/run_record.h"
#include "kafka/bulk.h"

struct uex_run_start_result {
    bool fenced; /* another start took over; nothing was sent from here */
    /* The run was started before, so nothing was sent; `found` has its record. */
    bool was_there;
    bool started_again;          /* it was started before, and is now started again */
    struct uex_run_record found; /* the caller clears it in any case */
};

/* Send the commands of `bulk` with the record `started`. The transactional id is "<kafka.group.id>-scheduler", so of
 * two starts the one that began last goes on; it then looks whether the run is in topics.run, and if so sends nothing,
 * unless `again`; then the record says in a header that the run was started again. `bulk` has no transactional id, no
 * `also` and no `ready`; they are set here. Errors as of uex_bulk_send() and uex_run_record_find(). */
UEX_MUST_CHECK enum uex_error uex_run_start(struct uex_bulk *bulk, const struct uex_run_record *started, bool again,
                                            struct uex_run_start_result *result, struct uex_fault *fault);
#endif
