/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/connect.h"

#include <stdio.h>

#include "export/group_list.h"
#include "export/program.h"

#define APPLICATION_NAME "exportctl"

void uex_ctl_begin_waiting_for_kafka(struct uex_waiting *waiting, const struct uex_config *config)
{
    const char *servers = uex_config_kafka(config, "bootstrap.servers");
    char what[160];

    snprintf(what, sizeof(what), "Kafka (%s)", servers == NULL ? "" : servers);
    uex_waiting_begin(waiting, what, uex_wait_for_ms(config), uex_kafka_last_failure);
}

enum uex_error uex_ctl_connect(const struct uex_config *config, enum uex_kafka_role role, rd_kafka_t **out,
                               struct uex_fault *fault)
{
    struct uex_waiting waiting;
    enum uex_error err = UEX_OK;

    uex_ctl_begin_waiting_for_kafka(&waiting, config);
    err = uex_kafka_connect(config, role, uex_wait_for_ms(config), &uex_program_cancel, out, fault);
    uex_waiting_end(&waiting);
    return err;
}

enum uex_error uex_ctl_read_topics(const struct uex_config *config, const struct uex_read_topic *topics,
                                   size_t topic_count, struct uex_topic_reader **out, struct uex_fault *fault)
{
    struct uex_waiting waiting;
    enum uex_error err = UEX_OK;

    uex_ctl_begin_waiting_for_kafka(&waiting, config);
    err = uex_topic_reader_open(config, topics, topic_count, uex_wait_for_ms(config), &uex_program_cancel, out, fault);
    uex_waiting_end(&waiting);
    if (err == UEX_OK)
        uex_topic_reader_set_wait(*out, config->startup_timeout_ms);
    return err;
}

enum uex_error uex_ctl_read_runs(const struct uex_config *config, struct uex_run_records *out, struct uex_fault *fault)
{
    struct uex_waiting waiting;
    enum uex_error err = UEX_OK;

    uex_ctl_begin_waiting_for_kafka(&waiting, config);
    err = uex_run_records_read(config, uex_wait_for_ms(config), &uex_program_cancel, out, fault);
    uex_waiting_end(&waiting);
    return err;
}

enum uex_error uex_ctl_await_database(const struct uex_config *config, struct uex_fault *fault)
{
    const int64_t wait_ms = uex_wait_for_ms(config);
    struct uex_waiting waiting;
    enum uex_error err = UEX_OK;

    uex_waiting_begin(&waiting, "the database (postgres.dsn)", wait_ms, NULL);
    err = uex_groups_await(config, APPLICATION_NAME, wait_ms, &uex_program_cancel, fault);
    uex_waiting_end(&waiting);
    return err;
}

enum uex_error uex_ctl_read_layout(const struct uex_config *config, struct uex_layout **out, struct uex_fault *fault)
{
    struct uex_postgres *postgres = NULL;
    struct uex_layout *layout = NULL;
    enum uex_error err = uex_layout_new(config, &layout, fault);

    *out = NULL;
    if (err == UEX_OK)
        err = uex_ctl_await_database(config, fault);
    if (err == UEX_OK && (postgres = uex_postgres_new(config, APPLICATION_NAME)) == NULL)
        err = uex_fail(fault, UEX_NO_MEMORY, "not enough memory for a connection");
    if (err == UEX_OK) {
        uex_postgres_set_cancel(postgres, &uex_program_cancel);
        err = uex_postgres_check_views(postgres, layout, out, fault);
    }
    uex_postgres_free(postgres);
    uex_layout_free(layout);
    return err;
}
