/* SPDX-License-Identifier: Apache-2.0 */
/* export-worker: a member of the consumer group; takes export commands, exports one group each, announces the result.
 */
#include <stdlib.h>

#include "export/columns.h"
#include "export/object_store.h"
#include "export/postgres.h"
#include "export/program.h"
#include "export/redis.h"
#include "worker/worker.h"

static void add_problem(struct uex_buffer *problems, enum uex_error error, const struct uex_fault *fault)
{
    if (error != UEX_OK)
        uex_buffer_append_format(problems, "%s\n", fault->text);
}

static void check(const struct uex_config *config, struct uex_buffer *problems)
{
    struct uex_fault fault = {0};
    struct uex_masks masks;

    add_problem(problems, uex_masks_parse(config->export_mask, config->export_mask_key[0] != '\0', &masks, &fault),
                &fault);
    add_problem(problems, uex_postgres_check_dsn(config->postgres_dsn, &fault), &fault);
    add_problem(problems, uex_redis_check_url(config->redis_url, &fault), &fault);
    if (config->storage_url[0] != '\0')
        add_problem(problems, uex_object_store_check(config, &fault), &fault);
}

int main(int argc, char **argv)
{
    static const struct uex_program program = {
        .name = "export-worker",
        .synopsis = "export-worker [OPTION…]",
        .summary = "Takes export commands from Kafka, exports one group for each, and announces the result.\n"
                   "Runs until SIGTERM or SIGINT; then running exports get shutdown.timeout.",
        .needs = UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE,
        .check = check,
    };
    char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    struct uex_config config = {0};
    int operand_count = 0;
    int code = UEX_EXIT_FAILED;

    if (operands != NULL && uex_program_start(&program, argc, argv, &config, &operand_count, operands, &code)) {
        uex_program_catch_signals();
        if (uex_object_store_global_init() == UEX_OK) {
            code = uex_worker_run(&config);
            uex_object_store_global_cleanup();
        }
    }
    uex_config_clear(&config);
    free(operands);
    return code;
}
