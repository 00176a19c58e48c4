/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: tests every dependency. */
#include "ctl/doctor/doctor.h"

#include "ctl/options.h"
#include "ctl/subcommands.h"

int uex_doctor_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct uex_doctor doctor = {.config = config};
    struct uex_buffer out = {0};
    static void (*const dependencies[])(struct uex_doctor *) = {uex_doctor_kafka, uex_doctor_postgres, uex_doctor_store,
                                                                uex_doctor_redis};
    bool printed = false;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &doctor.format) != UEX_OK)
        return UEX_EXIT_USAGE;
    for (size_t i = 0; i < sizeof(dependencies) / sizeof(dependencies[0]); i++)
        if (!uex_cancel_requested(&uex_program_cancel) && !uex_output_closed())
            dependencies[i](&doctor);
    if (doctor.format == UEX_OUTPUT_JSON) {
        uex_buffer_append_buffer(&out, &doctor.json);
        uex_buffer_append_text(&out, doctor.row_count == 0 ? "[]\n" : "\n]\n");
    } else {
        uex_buffer_append_format(&out, "\n%zu checks: %zu failed, %zu warnings\n", doctor.row_count, doctor.fail_count,
                                 doctor.warn_count);
    }
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_buffer_clear(&doctor.json);
    if (uex_cancel_requested(&uex_program_cancel)) {
        uex_output_error("stopped; only the checks above were done");
        return UEX_EXIT_FAILED;
    }
    if (doctor.unreachable)
        return UEX_EXIT_UNREACHABLE;
    return printed && doctor.fail_count == 0 ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
}
