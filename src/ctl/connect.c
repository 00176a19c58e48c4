/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/connect.h"

#include "export/program.h"

enum uex_error uex_ctl_connect(const struct uex_config *config, enum uex_kafka_role role, rd_kafka_t **out,
                               struct uex_fault *fault)
{
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, role, fault);

    *out = conf == NULL ? NULL : uex_kafka_create(role, conf, fault);
    if (*out == NULL)
        return fault->error;
    return uex_kafka_wait(*out, config->startup_timeout_ms, &uex_program_cancel, fault);
}
