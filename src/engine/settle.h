/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/settle.h — what follows from the end of a transaction, for each outcome that was in it. The committer's
 * thread. */
#ifndef ENGINE_SETTLE_H
#define ENGINE_SETTLE_H

#include "engine/batch.h"

/* Tell the observer of what is committed now. Not locked: an audit line may wait for the reader of stderr. */
void uex_settle_announce(struct uex_engine *engine, struct uex_batch *batch, bool committed);
/* Finish what is committed, drop what went to others, put the rest back. The transaction is over. */
void uex_settle_synced(struct uex_engine *engine, struct uex_batch *batch, bool committed);

/* A transaction of `batch` failed and is tried again. Where it lived for its timeout: lists that were sent together go
 * alone from now on; one that went alone is given up, as a dead letter, after UEX_SLOW_ENDS_MAX times in a row that
 * show that it takes longer than the timeout: its parts were acknowledged all the while, at a pace that is too slow for
 * it.
 *
 * An outage never counts, of the result topic's partition as little as of a coordinator. So what cannot be told from
 * one does not count either: parts of which hardly one is acknowledged within the timeout. (That bytes leave proves
 * nothing: a partition with too few replicas takes the record and refuses it, again and again.) Such a list is tried
 * until it goes through; a line a minute, list-timed-out, says so and what to do. Not locked, before
 * uex_settle_synced(). */
#define UEX_SLOW_ENDS_MAX 3
void uex_settle_age(const struct uex_batch *batch, const struct uex_txn_age *age);
#endif
