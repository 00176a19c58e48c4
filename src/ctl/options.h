/* SPDX-License-Identifier: Apache-2.0 */
/* src/ctl/options.h — the values of exportctl's flags. One process runs one verb, so they stand in one place. */
#ifndef EXPORT_CTL_OPTIONS_H
#define EXPORT_CTL_OPTIONS_H

#include "ctl/output.h"

struct uex_ctl_options {
    const char *output;
    const char *partitions;
    const char *replication_factor;
};
extern struct uex_ctl_options uex_ctl_options;

/* A whole number in the range; `text` NULL gives `otherwise`. UEX_CONFIG, said on stderr. */
UEX_MUST_CHECK enum uex_error uex_option_number(const char *name, const char *text, long least, long most,
                                                long otherwise, long *out);
#endif
