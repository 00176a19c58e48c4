/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/trace_parent.h — the header traceparent: which trace a command belongs to, and which span asked for it.
 * Source: W3C Trace Context, section 3.2 (traceparent). Any thread. */
#ifndef EXPORT_KAFKA_TRACE_PARENT_H
#define EXPORT_KAFKA_TRACE_PARENT_H

#include "export/error.h"

#define UEX_TRACE_ID_SIZE 33 /* 32 hex digits and the zero */
#define UEX_SPAN_ID_SIZE 17  /* 16 */

struct uex_trace_parent {
    char trace_id[UEX_TRACE_ID_SIZE];
    char span_id[UEX_SPAN_ID_SIZE];
    bool is_sampled; /* who sent it records this trace */
};

/* False: not of the form of version 00, or of what a later version may add behind it; `out` is then all zero. */
UEX_MUST_CHECK bool uex_trace_parent_parse(struct uex_bytes text, struct uex_trace_parent *out);
#endif
