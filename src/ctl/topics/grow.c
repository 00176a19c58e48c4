/* SPDX-License-Identifier: Apache-2.0 */
/* topics grow. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/connect.h"
#include "ctl/options.h"
#include "ctl/verbs.h"
#include "kafka/topics.h"

#define ASK_MS 15000
#define REPLICATION_MAX 100

static bool print_growths(const struct uex_topic_growths *growths, enum uex_output format)
{
    static const struct uex_column_of_table columns[] = {
        {"topic", "TOPIC", false},   {"before", "BEFORE", true}, {"partitions", "PARTITIONS", true},
        {"result", "RESULT", false}, {"error", NULL, false},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};
    struct uex_buffer out = {0};
    bool printed = false;

    for (size_t i = 0; i < growths->count; i++) {
        const struct uex_topic_growth *growth = &growths->items[i];
        const char *result = growth->grown                     ? "grown"
                             : growth->error[0] != 0           ? "refused"
                             : growth->before == growth->after ? "was so"
                                                               : "not yet";
        char before[16], after[16];
        const char *const cells[] = {growth->topic, before, after, result,
                                     growth->error[0] == 0 ? NULL : growth->error};

        snprintf(before, sizeof(before), "%" PRId32, growth->before);
        snprintf(after, sizeof(after), "%" PRId32, growth->after);
        uex_table_add(&table, cells);
    }
    uex_table_write(&table, format, &out);
    uex_buffer_append_text(&out, format == UEX_OUTPUT_JSON ? "\n" : "");
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(&table);
    return printed;
}

static int grow(const struct uex_config *config, int32_t partition_count, int32_t replication_factor,
                enum uex_output format)
{
    struct uex_topic_growths *growths = calloc(1, sizeof(*growths));
    struct uex_fault fault = {0};
    rd_kafka_t *admin = NULL;
    int code = UEX_EXIT_DONE;
    enum uex_error err = growths == NULL ? uex_fail(&fault, UEX_NO_MEMORY, "no memory for the topics")
                                         : uex_ctl_connect(config, UEX_KAFKA_ADMIN, &admin, &fault);

    if (err == UEX_OK)
        err = uex_topics_grow(admin, config, partition_count, replication_factor, ASK_MS, &uex_program_cancel, growths,
                              &fault);
    if (growths != NULL && growths->was_unequal && err != UEX_CONFIG && err != UEX_KAFKA_TOPICS)
        uex_output_complain("the topics had unequal numbers of partitions: an earlier growth was not finished; all of "
                            "them get %" PRId32,
                            growths->partition_count);
    /* What was refused before anything was touched needs no table. */
    if (growths != NULL && growths->count > 0 && err != UEX_CONFIG && err != UEX_KAFKA_TOPICS &&
        !print_growths(growths, format))
        code = UEX_EXIT_FAILED;
    if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    uex_kafka_destroy(admin);
    free(growths);
    return code;
}

int uex_topics_grow_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    long partition_count = 0, replication_factor = 0;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK ||
        uex_option_number("--partitions", uex_ctl_options.partitions, 1, UEX_PARTITIONS_MAX, 0, &partition_count) !=
            UEX_OK ||
        uex_option_number("--replication-factor", uex_ctl_options.replication_factor, 1, REPLICATION_MAX, 0,
                          &replication_factor) != UEX_OK)
        return UEX_EXIT_USAGE;
    return grow(config, (int32_t)partition_count, (int32_t)replication_factor, format);
}
