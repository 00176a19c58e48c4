/* SPDX-License-Identifier: Apache-2.0 */
/* src/store/s3_transfer.h — one HTTP exchange by libcurl, with bounds; knows nothing of signatures or S3's errors. */
#ifndef EXPORT_STORE_S3_TRANSFER_H
#define EXPORT_STORE_S3_TRANSFER_H

#include <curl/curl.h>

#include "store/s3_http.h"

struct uex_s3_transfer {
    CURLM *multi; /* keeps the connection */
    CURL *easy;   /* made ready for each exchange */
    char error_text[CURL_ERROR_SIZE];
};

UEX_MUST_CHECK bool uex_s3_transfer_init(struct uex_s3_transfer *transfer);
void uex_s3_transfer_clear(struct uex_s3_transfer *transfer);

/* Send `request` to `url` with `headers` and take the answer; `observer` (may be NULL) is told of bytes that move.
 * UEX_OK: there is an answer, of whatever status. UEX_CANCELLED, UEX_STORE_UNAVAILABLE, UEX_NO_MEMORY with the reason;
 * the sink's error as it is. */
UEX_MUST_CHECK enum uex_error uex_s3_exchange(struct uex_s3_transfer *transfer, const struct uex_s3_settings *settings,
                                              const struct uex_store_observer *observer,
                                              const struct uex_s3_request *request, const char *url,
                                              struct curl_slist *headers, struct uex_s3_response *response,
                                              struct uex_fault *fault);
#endif
