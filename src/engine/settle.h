/* SPDX-License-Identifier: Apache-2.0 */
/* src/engine/settle.h — what follows from the end of a transaction, for each outcome that was in it. The committer's
 * thread. */
#ifndef ENGINE_SETTLE_H
#define ENGINE_SETTLE_H

#include "engine/batch.h"

/* Tell the observer of what is committed now. Not locked: an audit line may wait for whoever reads stderr. */
void uex_settle_announce(struct uex_engine *engine, struct uex_batch *batch, bool committed);
/* Finish what is committed, drop what went to others, put the rest back. The transaction is over. Locked. */
void uex_settle(struct uex_engine *engine, struct uex_batch *batch, bool committed);

/* A transaction of `batch` failed and is tried again. Where it lived for its timeout: lists that were sent together go
 * alone from now on; one that went alone is given up, as a dead letter, after UEX_SLOW_ENDS_MAX times in which it was
 * being sent all the while, or UEX_TIMED_OUT_MAX times in all (one message can take longer than the timeout). Outages
 * of Kafka do not count. Not locked, before uex_settle(). */
#define UEX_SLOW_ENDS_MAX 3
#define UEX_TIMED_OUT_MAX 20
void uex_settle_age(const struct uex_batch *batch, const struct uex_txn_age *age);
#endif
