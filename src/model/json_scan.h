/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/json_scan.h — known members of a JSON object, found where they stand, without a tree: for records that are
 * read by the ten thousand. The text has passed uex_json_check() and is the caller's to change: strings are decoded in
 * place. Any thread. */
#ifndef EXPORT_MODEL_JSON_SCAN_H
#define EXPORT_MODEL_JSON_SCAN_H

#include "export/error.h"

enum uex_json_kind {
    UEX_JSON_ABSENT, /* there is no such member, or it is null */
    UEX_JSON_STRING,
    UEX_JSON_NUMBER,
    UEX_JSON_OBJECT,
    UEX_JSON_ARRAY,
    UEX_JSON_BOOLEAN
};

/* Where a value stands, with its quotes or braces. */
struct uex_json_value {
    enum uex_json_kind kind;
    char *start;
    size_t size_bytes;
};

/* Check the text (uex_json_check()), which must be an object, and find its members that `names` has, at most 64 of
 * them, in the same pass. UEX_MALFORMED. */
UEX_MUST_CHECK enum uex_error uex_json_open(char *text, size_t size_bytes, const char *const *names, size_t name_count,
                                            struct uex_json_value *values, struct uex_fault *fault);
/* Find the members of an object in it that `names` has. Others are passed over. UEX_MALFORMED: one of them is there
 * twice. */
UEX_MUST_CHECK enum uex_error uex_json_members(const struct uex_json_value *object, const char *const *names,
                                               size_t name_count, struct uex_json_value *values,
                                               struct uex_fault *fault);
/* The next element; `rest` begins as a copy of the array. False: there is none. */
bool uex_json_next(struct uex_json_value *rest, struct uex_json_value *element);

/* A string's text with a zero behind it, once what stands around it has been scanned. Absent: data NULL.
 * UEX_MALFORMED for another kind. */
UEX_MUST_CHECK enum uex_error uex_json_string(const struct uex_json_value *value, const char *name,
                                              struct uex_bytes *out, struct uex_fault *fault);
/* A whole number from 0 to 2^53, what a JSON number carries exactly. Absent: UEX_UNKNOWN. UEX_MALFORMED. */
UEX_MUST_CHECK enum uex_error uex_json_count(const struct uex_json_value *value, const char *name, uint64_t *out,
                                             struct uex_fault *fault);
#endif
