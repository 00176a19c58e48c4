/* SPDX-License-Identifier: Apache-2.0 */
/* export-worker: a member of the consumer group; takes export commands, exports one group each, announces the result.
 */
#include <stdlib.h>
#include <unistd.h>

#include "check/checks.h"
#include "export/program.h"
#include "kafka/client.h"
#include "worker/worker.h"

int main(int argc, char **argv)
{
    static const struct uex_program program = {
        .name = "export-worker",
        .synopsis = "export-worker [OPTION…]",
        .summary =
            "Takes export commands from Kafka, exports one group for each, and announces the result.\n"
            "Runs until SIGTERM or SIGINT; then running exports get shutdown.timeout. SIGHUP: the secrets of the\n"
            "store and of Redis are read again.",
        .needs = UEX_NEED_KAFKA | UEX_NEED_POSTGRES | UEX_NEED_STORAGE,
        .kafka_judge = uex_kafka_judge_property,
        .check = uex_check_all,
    };
    char **operands = calloc((size_t)argc + 1, sizeof(*operands));
    struct uex_config config = {0};
    int operand_count = 0;
    struct uex_secrets secrets = {0};
    int code = UEX_EXIT_FAILED;

    if (operands != NULL && uex_program_start(&program, argc, argv, &config, &operand_count, operands, &code)) {
        uex_program_catch_signals();
        uex_program_catch_hangup();
        uex_secrets_init(&secrets, argc - 1, argv + 1, environ);
        code = uex_worker_run(&config, &secrets);
    }
    uex_config_clear(&config);
    free(operands);
    return code;
}
