/* SPDX-License-Identifier: Apache-2.0 */
/* src/encode/csv_counter.h — counts the records of RFC 4180 text as it passes. One thread at a time. */
#ifndef EXPORT_ENCODE_CSV_COUNTER_H
#define EXPORT_ENCODE_CSV_COUNTER_H

#include "export/error.h"

enum uex_csv_place {
    UEX_CSV_RECORD, /* before a record */
    UEX_CSV_FIELD,  /* before a field that is not the first */
    UEX_CSV_PLAIN,  /* in a field without quotes */
    UEX_CSV_QUOTED, /* between quotes */
    UEX_CSV_QUOTE,  /* behind a quote in a quoted field: its end, or the first of two */
    UEX_CSV_BROKEN
};

/* A zeroed struct is at the beginning. */
struct uex_csv_counter {
    enum uex_csv_place place;
    uint64_t record_count; /* those that ended */
    const char *reason;    /* why it is broken; static */
};

/* False once the text cannot be CSV. */
bool uex_csv_counter_add(struct uex_csv_counter *counter, struct uex_bytes text);
/* The end of the text: false if it is broken or ends inside of a record. */
bool uex_csv_counter_finish(struct uex_csv_counter *counter);
#endif
