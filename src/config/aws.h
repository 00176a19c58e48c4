/* SPDX-License-Identifier: Apache-2.0 */
/* src/config/aws.h — the standard variables of AWS's tools that say who issues temporary credentials. */
#ifndef EXPORT_CONFIG_AWS_H
#define EXPORT_CONFIG_AWS_H

#include "config/load.h"

/* Copy them out of the environment. UEX_NO_MEMORY. */
UEX_MUST_CHECK enum uex_error uex_config_aws_take(struct uex_config_aws *aws, char *const *environment);
/* Add a problem for each variable whose value is in quotes or holds a control character. */
void uex_config_aws_check(struct uex_config_loader *loader);
void uex_config_aws_clear(struct uex_config_aws *aws);
#endif
