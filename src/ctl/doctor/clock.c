/* SPDX-License-Identifier: Apache-2.0 */
/* A broker tells its clock nowhere, but it writes it: the marker that ends a transaction carries the time of the
 * partition's leader, and the first offset "not before" a time can be asked for. So the marker behind our record is
 * found for times up to its own and not for later ones, and twenty questions tell it to a few milliseconds. Source:
 * Apache Kafka, MemoryRecords.withEndTransactionMarker (timestamp) and LogSegment.findOffsetByTimestamp (which looks at
 * control records too). */
#include <stdio.h>

#include "ctl/doctor/doctor.h"

#define ASK_MS 5000

/* The first offset whose time is not before `at_ms`; the end if there is none. */
static bool first_not_before(rd_kafka_t *handle, const char *topic, int32_t partition, int64_t at_ms, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    bool known = false;

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = at_ms;
    known = rd_kafka_offsets_for_times(handle, list, ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR &&
            list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
    *offset = list->elems[0].offset < 0 ? INT64_MAX : list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return known;
}

/* The marker's time. False: it cannot be told, for example because somebody wrote in between. */
static bool find_marker(rd_kafka_t *handle, const char *topic, const struct uex_doctor_probe *probe, int64_t around_ms,
                        int64_t *out)
{
    int64_t low = around_ms - UEX_DOCTOR_CLOCK_RANGE_MS, high = around_ms + UEX_DOCTOR_CLOCK_RANGE_MS, offset = 0;

    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;

        if (!first_not_before(handle, topic, probe->partition, middle, &offset))
            return false;
        if (offset <= probe->offset + 1)
            low = middle;
        else
            high = middle - 1;
    }
    *out = low;
    return first_not_before(handle, topic, probe->partition, low, &offset) && offset == probe->offset + 1;
}

void uex_doctor_broker_clocks(struct uex_doctor *doctor, rd_kafka_t *handle, const struct uex_doctor_probes *probes)
{
    int64_t half_ms = (probes->aborted_at_ms - probes->aborting_at_ms) / 2;
    int64_t middle_ms = probes->aborting_at_ms + half_ms;
    char whose[48];

    for (size_t i = 0; i < probes->count; i++) {
        int64_t at_ms = 0;

        snprintf(whose, sizeof(whose), "broker %d", (int)probes->items[i].broker_id);
        if (probes->items[i].offset >= 0 &&
            find_marker(handle, doctor->config->topics_dlq, &probes->items[i], middle_ms, &at_ms))
            uex_doctor_clock(doctor, "kafka", whose, at_ms - middle_ms, half_ms + 1);
        else
            uex_doctor_say(doctor, "kafka", "clock", UEX_DOCTOR_SKIP, NULL,
                           "%s: not told (somebody wrote to %s at the same moment, or a clock is off by hours)", whose,
                           doctor->config->topics_dlq);
    }
}
