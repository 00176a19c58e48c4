/* SPDX-License-Identifier: Apache-2.0 */
/* src/http/listen.h — a listening socket from http.listen. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include "export/error.h"

#define UEX_HTTP_ADDRESS_SIZE 128

/* Bind and listen; non-blocking, closed on exec. `address` (UEX_HTTP_ADDRESS_SIZE bytes) gets the address with its real
 * port. UEX_CONFIG with the reason. */
UEX_MUST_CHECK enum uex_error uex_listen(const char *listen_on, int *fd, char *address, struct uex_fault *fault);
#endif
