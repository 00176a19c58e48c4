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
#endif
