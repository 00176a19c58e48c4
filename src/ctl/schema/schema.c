/* SPDX-License-Identifier: Apache-2.0 */
/* schema. */
#include "ctl/connect.h"
#include "ctl/options.h"
#include "ctl/schema/document.h"
#include "ctl/subcommands.h"

int uex_schema_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_layout *layout = NULL;
    struct uex_buffer out = {0};
    struct uex_fault fault = {0};
    enum uex_error err;
    int code;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK)
        return UEX_EXIT_USAGE;
    err = uex_ctl_read_layout(config, &layout, &fault);
    if (err != UEX_OK)
        return uex_output_fail(err, &fault);
    if (uex_ctl_options.json_schema)
        uex_schema_write_json_schema(layout, &out);
    else if (format == UEX_OUTPUT_JSON)
        uex_schema_write_table_schema(layout, &out);
    else
        uex_schema_write_table(layout, &out);
    code = uex_output_print(&out) ? UEX_EXIT_DONE : UEX_EXIT_FAILED;
    uex_buffer_clear(&out);
    uex_layout_free(layout);
    return code;
}
