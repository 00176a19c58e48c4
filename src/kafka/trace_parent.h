/* SPDX-License-Identifier: Apache-2.0 */
/* src/kafka/trace_parent.h — the traceparent header: the trace that a command belongs to, and its parent span.
 * Source: W3C Trace Context, section 3.2 (traceparent). Any thread. */
#ifndef EXPORT_KAFKA_TRACE_PARENT_H
#define EXPORT_KAFKA_TRACE_PARENT_H

#include "export/error.h"

#define UEX_TRACE_ID_SIZE 33 /* 32 hex digits and the zero */
#define UEX_SPAN_ID_SIZE 17  /* 16 */

struct uex_trace_parent {
    char trace_id[UEX_TRACE_ID_SIZE];
    char span_id[UEX_SPAN_ID_SIZE];
    bool is_sampled; /* the sender records this trace */
};

/* False: neither version 00 nor a later version, which may add fields behind it; `out` is then all zero. */
UEX_MUST_CHECK bool uex_trace_parent_parse(struct uex_bytes text, struct uex_trace_parent *out);
#endif
