/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a worker: while the file named by LATE_WHILE exists, the intake is half a second late before it looks
 * at an assignment's group metadata, and again before it answers the assignment. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <unistd.h>

#define LATE_US 500000

static void be_late(void)
{
    const char *path = getenv("LATE_WHILE");

    if (path != NULL && access(path, F_OK) == 0)
        (void)usleep(LATE_US);
}

rd_kafka_consumer_group_metadata_t *rd_kafka_consumer_group_metadata(rd_kafka_t *consumer)
{
    rd_kafka_consumer_group_metadata_t *(*real)(rd_kafka_t *) = dlsym(RTLD_NEXT, "rd_kafka_consumer_group_metadata");

    be_late();
    return real(consumer);
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *consumer, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t (*real)(rd_kafka_t *, const rd_kafka_topic_partition_list_t *) =
        dlsym(RTLD_NEXT, "rd_kafka_assign");

    if (list != NULL && list->cnt > 0)
        be_late();
    return real(consumer, list);
}
