/* SPDX-License-Identifier: Apache-2.0 */
/* topics check, topics create, topics grow. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/connect.h"
#include "ctl/options.h"
#include "ctl/subcommands.h"
#include "kafka/topics.h"

#define ASK_MS 15000
#define REPLICATION_MAX 100

static void write_findings(const struct uex_topic_findings *findings, enum uex_output format, struct uex_buffer *out)
{
    static const struct uex_column_of_table columns[] = {
        {"topic", "TOPIC", UEX_CELL_TEXT}, {"what", "WHAT", UEX_CELL_TEXT},     {"expected", "EXPECTED", UEX_CELL_TEXT},
        {"found", "FOUND", UEX_CELL_TEXT}, {"result", "RESULT", UEX_CELL_TEXT}, {"mend", NULL, UEX_CELL_TEXT},
    };
    static const char *const results[] = {
        [UEX_TOPIC_GOOD] = "good", [UEX_TOPIC_WARNING] = "warning", [UEX_TOPIC_ERROR] = "error"};
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};

    for (size_t i = 0; i < findings->count; i++) {
        const struct uex_topic_finding *item = &findings->items[i];
        const char *const cells[] = {item->topic, item->what, item->expected, item->found, results[item->severity],
                                     item->fix};

        uex_table_add(&table, cells);
    }
    uex_table_write(&table, format, out);
    uex_buffer_append_text(out, format == UEX_OUTPUT_JSON ? "\n" : "");
    uex_table_clear(&table);
}

/* The commands that fix the differences, each once. */
static void write_fixes(const struct uex_topic_findings *findings, struct uex_buffer *out)
{
    if (findings->error_count + findings->warning_count > 0)
        uex_buffer_append_text(out, "\nTo fix this:\n");
    for (size_t i = 0; i < findings->count; i++) {
        const char *fix = findings->items[i].fix;
        size_t earlier = 0;

        while (fix != NULL && earlier < i &&
               (findings->items[earlier].fix == NULL || strcmp(findings->items[earlier].fix, fix) != 0))
            earlier++;
        if (fix != NULL && earlier == i)
            uex_buffer_append_format(out, "  %s\n", fix);
    }
}

int uex_topics_check_run(const struct uex_config *config, int operand_count, char **operands)
{
    enum uex_output format = UEX_OUTPUT_TABLE;
    struct uex_topic_findings findings = {0};
    struct uex_buffer out = {0};
    struct uex_fault fault = {0};
    rd_kafka_t *admin = NULL;
    enum uex_error err = UEX_OK;
    int code = UEX_EXIT_FAILED;

    (void)operand_count;
    (void)operands;
    if (uex_output_format(uex_ctl_options.output, &format) != UEX_OK)
        return UEX_EXIT_USAGE;
    err = uex_ctl_connect(config, UEX_KAFKA_ADMIN, &admin, &fault);
    if (err == UEX_OK)
        err = uex_topics_check(admin, config, ASK_MS, &findings, &fault);
    if (err != UEX_OK) {
        code = uex_output_fail(err, &fault);
        goto done;
    }
    write_findings(&findings, format, &out);
    if (format == UEX_OUTPUT_TABLE) {
        write_fixes(&findings, &out);
        uex_buffer_append_format(&out, "\n%zu errors, %zu warnings\n", findings.error_count, findings.warning_count);
    }
    if (uex_output_print(&out) && findings.error_count == 0)
        code = UEX_EXIT_DONE;
done:
    uex_topic_findings_clear(&findings);
    uex_buffer_clear(&out);
    uex_kafka_destroy(admin);
    return code;
}

/* What create and grow are asked for; 0: not given. */
struct request {
    enum uex_output format;
    int32_t partition_count, replication_factor;
};

static enum uex_error read_request(struct request *out)
{
    long partition_count = 0, replication_factor = 0;

    *out = (struct request){0};
    if (uex_output_format(uex_ctl_options.output, &out->format) != UEX_OK ||
        uex_option_number("--partitions", uex_ctl_options.partitions, 1, UEX_PARTITIONS_MAX, 0, &partition_count) !=
            UEX_OK ||
        uex_option_number("--replication-factor", uex_ctl_options.replication_factor, 1, REPLICATION_MAX, 0,
                          &replication_factor) != UEX_OK)
        return UEX_CONFIG;
    out->partition_count = (int32_t)partition_count;
    out->replication_factor = (int32_t)replication_factor;
    return UEX_OK;
}

/* ---- topics create */

static void write_topic(struct uex_table *table, enum uex_output format, const struct uex_topic *topic,
                        const struct uex_topic_created *created)
{
    struct uex_buffer settings = {0};
    char partitions[16], replicas[16];
    bool is_json = format == UEX_OUTPUT_JSON;
    const char *result = created->error[0] != 0 ? "refused" : created->created ? "created" : "was there";

    snprintf(partitions, sizeof(partitions), "%" PRId32, topic->partition_count);
    snprintf(replicas, sizeof(replicas), "%" PRId32, topic->replication_factor);
    uex_buffer_append_text(&settings, is_json ? "{" : "");
    for (size_t i = 0; i < topic->setting_count; i++)
        uex_buffer_append_format(&settings, is_json ? "%s\"%s\": \"%s\"" : "%s%s=%s",
                                 i == 0    ? ""
                                 : is_json ? ", "
                                           : " ",
                                 topic->settings[i].name, topic->settings[i].value);
    uex_buffer_append_text(&settings, is_json ? "}" : "");
    if (uex_buffer_failed(&settings))
        table->cells.failed = true;
    if (created->created || created->error[0] != 0) {
        const char *const cells[] = {topic->name,
                                     result,
                                     partitions,
                                     replicas,
                                     uex_buffer_text(&settings),
                                     created->error[0] == 0 ? NULL : created->error};

        uex_table_add(table, cells);
    } else {
        /* `topics check` shows what it has. */
        const char *const cells[] = {topic->name, result, NULL, NULL, NULL, NULL};

        uex_table_add(table, cells);
    }
    uex_buffer_clear(&settings);
}

/* To stdout; the table is cleared. False: it could not be written. */
static bool print_table(struct uex_table *table, enum uex_output format)
{
    struct uex_buffer out = {0};
    bool printed = false;

    uex_table_write(table, format, &out);
    uex_buffer_append_text(&out, format == UEX_OUTPUT_JSON ? "\n" : "");
    printed = uex_output_print(&out);
    uex_buffer_clear(&out);
    uex_table_clear(table);
    return printed;
}

static bool print_created(const struct uex_topic_plan *plan, const struct uex_topic_created *created,
                          enum uex_output format)
{
    static const struct uex_column_of_table columns[] = {
        {"topic", "TOPIC", UEX_CELL_TEXT},
        {"result", "RESULT", UEX_CELL_TEXT},
        {"partitions", "PARTITIONS", UEX_CELL_NUMBER},
        {"replicas", "REPLICAS", UEX_CELL_NUMBER},
        {"settings", "SETTINGS", UEX_CELL_JSON},
        {"error", NULL, UEX_CELL_TEXT},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};

    for (size_t i = 0; i < plan->count; i++)
        write_topic(&table, format, &plan->topics[i], &created[i]);
    return print_table(&table, format);
}

static int create_topics(const struct uex_config *config, const struct request *request)
{
    struct uex_topic_plan *plan = calloc(1, sizeof(*plan));
    struct uex_topic_created *created = calloc(UEX_TOPICS_MAX, sizeof(*created));
    struct uex_fault fault = {0};
    rd_kafka_t *admin = NULL;
    int code = UEX_EXIT_FAILED;
    enum uex_error err = UEX_NO_MEMORY;

    if (plan != NULL && created != NULL)
        err = uex_ctl_connect(config, UEX_KAFKA_ADMIN, &admin, &fault);
    if (err == UEX_OK) {
        err = uex_topics_create(admin, config, request->partition_count, request->replication_factor, ASK_MS, plan,
                                created, &fault);
        if ((err == UEX_OK || (err == UEX_KAFKA && plan->count > 0)) && print_created(plan, created, request->format))
            code = UEX_EXIT_DONE;
    }
    if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    uex_kafka_destroy(admin);
    free(created);
    free(plan);
    return code;
}

int uex_topics_create_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct request request;

    (void)operand_count;
    (void)operands;
    return read_request(&request) == UEX_OK ? create_topics(config, &request) : UEX_EXIT_USAGE;
}

/* ---- topics grow */

static bool print_growths(const struct uex_topic_growths *growths, enum uex_output format)
{
    static const struct uex_column_of_table columns[] = {
        {"topic", "TOPIC", UEX_CELL_TEXT},
        {"before", "BEFORE", UEX_CELL_NUMBER},
        {"partitions", "PARTITIONS", UEX_CELL_NUMBER},
        {"result", "RESULT", UEX_CELL_TEXT},
        {"error", NULL, UEX_CELL_TEXT},
    };
    struct uex_table table = {.columns = columns, .column_count = sizeof(columns) / sizeof(columns[0])};

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
    return print_table(&table, format);
}

static int grow_topics(const struct uex_config *config, const struct request *request)
{
    struct uex_topic_growths *growths = calloc(1, sizeof(*growths));
    struct uex_fault fault = {0};
    rd_kafka_t *admin = NULL;
    int code = UEX_EXIT_DONE;
    enum uex_error err = growths == NULL ? uex_fail(&fault, UEX_NO_MEMORY, "no memory for the topics")
                                         : uex_ctl_connect(config, UEX_KAFKA_ADMIN, &admin, &fault);

    if (err == UEX_OK)
        err = uex_topics_grow(admin, config, request->partition_count, request->replication_factor, ASK_MS,
                              &uex_program_cancel, growths, &fault);
    if (growths != NULL && growths->was_unequal && err != UEX_CONFIG && err != UEX_KAFKA_TOPICS)
        uex_output_error(
            "the topics had different numbers of partitions (an earlier growth was not finished); each gets %" PRId32,
            growths->partition_count);
    /* What was refused before anything was changed needs no table. */
    if (growths != NULL && growths->count > 0 && err != UEX_CONFIG && err != UEX_KAFKA_TOPICS &&
        !print_growths(growths, request->format))
        code = UEX_EXIT_FAILED;
    if (err != UEX_OK)
        code = uex_output_fail(err, &fault);
    uex_kafka_destroy(admin);
    free(growths);
    return code;
}

int uex_topics_grow_run(const struct uex_config *config, int operand_count, char **operands)
{
    struct request request;

    (void)operand_count;
    (void)operands;
    return read_request(&request) == UEX_OK ? grow_topics(config, &request) : UEX_EXIT_USAGE;
}
