/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_error.h — what an answer of an S3 server means to us. One table. Any thread. */
#ifndef EXPORT_STORE_S3_ERROR_H
#define EXPORT_STORE_S3_ERROR_H

#include "export/error.h"

/* The error of an HTTP status and the code in the answer's XML ("" if there is none: answers to HEAD have no body).
 * The code decides, then the status. 2xx without a code is UEX_OK.
 * Source: Amazon S3 API Reference, "Error responses"; codes of other servers are marked in the table. */
enum uex_error uex_s3_error_of(long status, const char *code);

/* Did the server answer and refuse the request itself? Not: it is busy or full, the bucket is missing, or it does not
 * know who asks. `status`: of the answer, 0 if there was none. */
bool uex_s3_is_refusal(enum uex_error error, long status);
#endif
