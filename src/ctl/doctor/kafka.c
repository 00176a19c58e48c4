/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: brokers, topics, rights, the consumer group. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/connect.h"
#include "ctl/doctor/doctor.h"
#include "ctl/status/overview.h"
#include "export/program.h"
#include "export/uuid.h"
#include "kafka/topics.h"

#define ASK_MS 10000
#define ASK_AGAIN_MS 500
#define READ_MS 5000
#define JOIN_MS 20000

static void check_brokers(struct uex_doctor *doctor, rd_kafka_t *handle)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 0, NULL, &metadata, ASK_MS);
    char cluster_id[UEX_KAFKA_CLUSTER_ID_SIZE] = "";
    struct uex_fault fault = {0};

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        uex_doctor_fail(doctor, "kafka", "brokers", uex_kafka_fail(&fault, code, "listing the brokers"), &fault, NULL);
        return;
    }
    if (uex_kafka_cluster_id(handle, ASK_MS, cluster_id, &fault) != UEX_OK)
        cluster_id[0] = 0;
    uex_doctor_report(doctor, "kafka", "brokers", UEX_DOCTOR_OK, NULL, "brokers: %d, cluster %s, found by %s",
                      metadata->broker_cnt, cluster_id[0] == 0 ? "without an id" : cluster_id,
                      uex_buffer_text(&doctor->where));
    rd_kafka_metadata_destroy(metadata);
}

/* One line for each finding that is not good; if there is none, one for all topics. */
static bool check_topics(struct uex_doctor *doctor, rd_kafka_t *handle)
{
    struct uex_topic_findings findings = {0};
    struct uex_fault fault = {0};
    enum uex_error err = uex_topics_check(handle, doctor->config, ASK_MS, &findings, &fault);
    bool all_there = err == UEX_OK;

    if (err != UEX_OK)
        uex_doctor_fail(doctor, "kafka", "topics", err, &fault, NULL);
    for (size_t i = 0; i < findings.count; i++) {
        const struct uex_topic_finding *item = &findings.items[i];

        if (item->severity == UEX_TOPIC_GOOD)
            continue;
        all_there =
            all_there && (strcmp(item->what, "topic") != 0 || strcmp(item->topic, doctor->config->topics_run) == 0);
        uex_doctor_report(doctor, "kafka", "topics",
                          item->severity == UEX_TOPIC_ERROR ? UEX_DOCTOR_FAIL : UEX_DOCTOR_WARN, item->fix,
                          "%s: %s is %s, expected %s", item->topic, item->what, item->found, item->expected);
    }
    if (err == UEX_OK && findings.error_count + findings.warning_count == 0)
        uex_doctor_report(doctor, "kafka", "topics", UEX_DOCTOR_OK, NULL,
                          "all topics exist with their settings; the command topic has %" PRId32 " partitions",
                          findings.partition_count);
    uex_topic_findings_clear(&findings);
    return all_there;
}

/* Every leader of the command topic has to answer, not only the broker that listed them. */
static void check_leaders(struct uex_doctor *doctor, rd_kafka_t *handle)
{
    struct uex_fault fault = {0};
    int32_t count = 0;
    enum uex_error err = uex_kafka_partition_count(handle, doctor->config->topics_command, ASK_MS, &count, &fault);

    for (int32_t number = 0; number < count && err == UEX_OK; number++) {
        int64_t low = 0, high = 0;

        err = uex_kafka_watermarks(handle, doctor->config->topics_command, number, ASK_MS, &uex_program_cancel, &low,
                                   &high, &fault);
    }
    if (err != UEX_OK)
        uex_doctor_fail(doctor, "kafka", "leaders", err, &fault,
                        "every broker must be reachable at its advertised.listeners");
    else
        uex_doctor_report(doctor, "kafka", "leaders", UEX_DOCTOR_OK, NULL,
                          "the leaders of all %" PRId32 " partitions of %s answer", count,
                          doctor->config->topics_command);
}

/* Read one partition of each topic to its end. */
static enum uex_error read_ends(rd_kafka_t *handle, size_t open, char *denied, size_t denied_size,
                                struct uex_fault *fault)
{
    int64_t until_ms = uex_monotonic_ms() + READ_MS;

    while (open > 0 && uex_monotonic_ms() < until_ms && !uex_cancel_requested(&uex_program_cancel)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(handle, 100);
        rd_kafka_resp_err_t code = message == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : message->err;

        if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            open--;
        if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED && message->rkt != NULL)
            snprintf(denied, denied_size, "%s", rd_kafka_topic_name(message->rkt));
        if (message != NULL)
            rd_kafka_message_destroy(message);
        if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            return uex_fail(fault, UEX_KAFKA, "not authorized to read %s", denied);
        if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
            return uex_fail(fault, UEX_KAFKA, "not authorized for consumer groups with the prefix kafka.group.id");
    }
    return open == 0 ? UEX_OK : uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "nothing was read within %d ms", READ_MS);
}

static void check_reading(struct uex_doctor *doctor)
{
    const struct uex_config *config = doctor->config;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    struct uex_tier tiers[UEX_TIERS_MAX];
    size_t tier_count = 0;
    rd_kafka_t *handle = NULL;
    char denied[UEX_TOPIC_NAME_SIZE] = "";
    struct uex_fault fault = {0};
    enum uex_error err = uex_ctl_connect(config, UEX_KAFKA_READER, &handle, &fault);

    if (err == UEX_OK)
        err = uex_topics_tiers(handle, config, ASK_MS, tiers, &tier_count, &fault);
    rd_kafka_topic_partition_list_add(list, config->topics_command, 0);
    rd_kafka_topic_partition_list_add(list, config->topics_state, 0);
    rd_kafka_topic_partition_list_add(list, config->topics_dlq, 0);
    for (size_t i = 0; i < tier_count; i++)
        rd_kafka_topic_partition_list_add(list, tiers[i].topic, 0);
    for (int i = 0; i < list->cnt && err == UEX_OK; i++) {
        int64_t low = 0;

        err = uex_kafka_watermarks(handle, list->elems[i].topic, 0, ASK_MS, &uex_program_cancel, &low,
                                   &list->elems[i].offset, &fault);
    }
    if (err == UEX_OK)
        err = uex_kafka_fail(&fault, rd_kafka_assign(handle, list), "starting to read");
    if (err == UEX_OK)
        err = read_ends(handle, (size_t)list->cnt, denied, sizeof(denied), &fault);
    if (err != UEX_OK)
        uex_doctor_fail(doctor, "kafka", "reading", err, &fault,
                        "allow READ on the command, retry, state and dead-letter topics, and on groups with the prefix "
                        "kafka.group.id");
    else
        uex_doctor_report(doctor, "kafka", "reading", UEX_DOCTOR_OK, NULL,
                          "the command, retry, state and dead-letter topics can be read");
    rd_kafka_topic_partition_list_destroy(list);
    uex_kafka_destroy(handle);
}

static void check_members(struct uex_doctor *doctor, const rd_kafka_ConsumerGroupDescription_t *group)
{
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(group);
    size_t members = rd_kafka_ConsumerGroupDescription_member_count(group);

    if (error != NULL)
        uex_doctor_report(doctor, "kafka", "consumer group", UEX_DOCTOR_FAIL,
                          "allow DESCRIBE and READ on groups with the prefix kafka.group.id", "%s: %s",
                          doctor->config->kafka_group_id, rd_kafka_error_string(error));
    else
        uex_doctor_report(doctor, "kafka", "consumer group", members == 0 ? UEX_DOCTOR_WARN : UEX_DOCTOR_OK,
                          members == 0 ? "start export-worker; without a worker all commands wait" : NULL,
                          "%s is %s, workers: %zu", doctor->config->kafka_group_id,
                          rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(group)), members);
}

/* A coordinator that is being elected, or has not read its groups yet, as in a cluster that has just started. */
static bool is_not_ready(const rd_kafka_ConsumerGroupDescription_t *group)
{
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(group);

    return error != NULL && uex_kafka_error_of(rd_kafka_error_code(error)) == UEX_KAFKA_UNAVAILABLE;
}

/* False: the coordinator is not ready, and there is time to ask again. */
static bool ask_for_group(struct uex_doctor *doctor, rd_kafka_t *handle, bool is_last)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    const char *names[] = {doctor->config->kafka_group_id};
    const rd_kafka_ConsumerGroupDescription_t **groups = NULL;
    rd_kafka_event_t *event = NULL;
    struct uex_fault fault = {0};
    size_t count = 0;
    bool is_answered = true;

    (void)rd_kafka_AdminOptions_set_request_timeout(options, ASK_MS, NULL, 0);
    rd_kafka_DescribeConsumerGroups(handle, names, 1, options, queue);
    event = rd_kafka_queue_poll(queue, ASK_MS + 1000);
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_resp_err_t code = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);

        uex_doctor_fail(doctor, "kafka", "consumer group", uex_kafka_fail(&fault, code, "describing kafka.group.id"),
                        &fault, NULL);
        goto done;
    }
    groups = rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    is_answered = count != 1 || is_last || !is_not_ready(groups[0]);
    if (count == 1 && is_answered)
        check_members(doctor, groups[0]);
done:
    rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return is_answered;
}

static const char *of_one(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* What waits: commands and retries without an outcome, and dead letters that nobody has decided about. */
static void check_waiting(struct uex_doctor *doctor)
{
    const struct uex_overview_reading reading = {.config = doctor->config, .cancel = &uex_program_cancel};
    struct uex_overview found;

    uex_overview_init(&found, "not read");
    uex_overview_read(&reading, &found);
    if (found.waiting.count == UEX_UNKNOWN || found.retrying.count == UEX_UNKNOWN)
        uex_doctor_report(doctor, "kafka", "lag", UEX_DOCTOR_WARN,
                          "allow DESCRIBE on groups with the prefix kafka.group.id, and READ on the topics",
                          "it is not known what waits: %s",
                          found.waiting.count == UEX_UNKNOWN ? found.waiting.why_not : found.retrying.why_not);
    else
        uex_doctor_report(doctor, "kafka", "lag", UEX_DOCTOR_OK, NULL,
                          "%" PRIu64 " command%s wait%s, %" PRIu64 " in the retry topics", found.waiting.count,
                          of_one(found.waiting.count), found.waiting.count == 1 ? "s" : "", found.retrying.count);
    if (found.open_letters.count == UEX_UNKNOWN)
        uex_doctor_report(doctor, "kafka", "dead letters", UEX_DOCTOR_WARN, "allow READ on the dead-letter topic",
                          "it is not known how many are open: %s", found.open_letters.why_not);
    else
        uex_doctor_report(doctor, "kafka", "dead letters",
                          found.open_letters.count > 0 ? UEX_DOCTOR_WARN : UEX_DOCTOR_OK,
                          found.open_letters.count > 0 ? "exportctl dlq list --open" : NULL,
                          "%" PRIu64 " open dead letter%s", found.open_letters.count, of_one(found.open_letters.count));
}

/* Each request has a handle of its own: if a coordinator is found after the timeout, librdkafka aborts on a handle that
 * lives on (its issue 4605), and one that is no coordinator any more it keeps. */
static void check_group(struct uex_doctor *doctor)
{
    const int64_t until_ms = uex_monotonic_ms() + ASK_MS;
    bool is_answered = false;

    while (!is_answered) {
        struct uex_fault fault = {0};
        rd_kafka_t *handle = NULL;
        enum uex_error err = uex_ctl_connect(doctor->config, UEX_KAFKA_ADMIN, &handle, &fault);

        if (err == UEX_OK)
            is_answered = ask_for_group(doctor, handle, uex_monotonic_ms() >= until_ms);
        else
            uex_doctor_fail(doctor, "kafka", "consumer group", err, &fault, NULL);
        uex_kafka_destroy(handle);
        if (err != UEX_OK || (!is_answered && !uex_sleep_ms(ASK_AGAIN_MS, &uex_program_cancel)))
            return;
    }
}

static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                         void *opaque)
{
    bool *joined = opaque;

    (void)partitions;
    *joined = *joined || code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    (void)rd_kafka_assign(handle, NULL); /* nothing is read */
}

/* Join a group of our own with the worker's settings, and leave it. */
static enum uex_error join_and_leave(const struct uex_config *config, struct uex_fault *fault)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_conf_t *conf = uex_kafka_conf_new(config, UEX_KAFKA_GROUP_CONSUMER, fault);
    rd_kafka_t *handle = NULL;
    const int64_t until_ms = uex_monotonic_ms() + JOIN_MS;
    char name[300], random[UEX_UUID_TEXT_SIZE];
    bool joined = false;
    enum uex_error err = conf == NULL ? UEX_CONFIG : UEX_OK;

    rd_kafka_topic_partition_list_add(list, config->topics_command, RD_KAFKA_PARTITION_UA);
    uex_uuid_random(random);
    snprintf(name, sizeof(name), "%.200s-doctor-%s", config->kafka_group_id, random);
    if (err == UEX_OK)
        err = uex_kafka_conf_set(conf, "group.id", name, fault);
    if (err != UEX_OK) {
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        goto done;
    }
    rd_kafka_conf_set_opaque(conf, &joined);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    handle = uex_kafka_create(UEX_KAFKA_GROUP_CONSUMER, conf, fault);
    err = handle == NULL ? UEX_CONFIG : uex_kafka_fail(fault, rd_kafka_subscribe(handle, list), "joining a group");
    while (err == UEX_OK && !joined && uex_monotonic_ms() < until_ms && !uex_cancel_requested(&uex_program_cancel)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(handle, 100);

        if (message != NULL && (message->err == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT ||
                                message->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED))
            err = uex_kafka_fail(fault, message->err, "joining a group");
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
    if (err == UEX_OK && !joined)
        err = uex_fail(fault, UEX_KAFKA_UNAVAILABLE, "could not join a consumer group within %d ms", JOIN_MS);
    if (handle != NULL)
        (void)rd_kafka_consumer_close(handle);
done:
    uex_kafka_destroy(handle);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static void check_joining(struct uex_doctor *doctor)
{
    struct uex_fault fault = {0};
    const enum uex_error err = join_and_leave(doctor->config, &fault);

    if (err == UEX_OK)
        uex_doctor_report(doctor, "kafka", "joining", UEX_DOCTOR_OK, NULL,
                          "joined and left a consumer group with the worker's settings");
    else
        uex_doctor_fail(doctor, "kafka", "joining", err, &fault,
                        err == UEX_CONFIG ? "set kafka.session.timeout.ms between group.min.session.timeout.ms and "
                                            "group.max.session.timeout.ms of the brokers"
                                          : "allow READ on groups with the prefix kafka.group.id");
}

void uex_doctor_kafka(struct uex_doctor *doctor)
{
    struct uex_fault fault = {0};
    rd_kafka_t *handle = NULL;
    enum uex_error err = uex_ctl_connect(doctor->config, UEX_KAFKA_ADMIN, &handle, &fault);
    bool all_there = false;

    uex_buffer_append_text(&doctor->where, uex_config_kafka(doctor->config, "bootstrap.servers"));
    if (err != UEX_OK) {
        uex_doctor_fail(doctor, "kafka", "brokers", err, &fault, NULL);
        goto done;
    }
    check_brokers(doctor, handle);
    all_there = check_topics(doctor, handle);
    check_group(doctor);
    if (!all_there) {
        uex_doctor_report(doctor, "kafka", "transactions", UEX_DOCTOR_SKIP, NULL, "not tried: topics are missing");
        goto done;
    }
    check_leaders(doctor, handle);
    check_reading(doctor);
    check_waiting(doctor);
    check_joining(doctor);
    uex_doctor_transaction(doctor, handle);
done:
    uex_kafka_destroy(handle);
}
