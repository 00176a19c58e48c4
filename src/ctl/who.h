/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/who.h — who asks, for the audit. */
#ifndef EXPORT_CTL_WHO_H
#define EXPORT_CTL_WHO_H

#include "export/command.h"

#define UEX_WHO_SIZE (4 * UEX_FREE_TEXT_MAX_CHARACTERS + 1)

/* The login and the host, "asha@ops-1"; what cannot be found out is left out. Main thread. */
void uex_ctl_who(char out[UEX_WHO_SIZE]);
#endif
