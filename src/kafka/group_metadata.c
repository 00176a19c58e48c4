/* SPDX-License-Identifier: Apache-2.0 */
#include "kafka/group_metadata.h"

#include <stdint.h>
#include <string.h>

/* librdkafka, rdkafka_cgrp.c, rd_kafka_consumer_group_metadata_write(): "CGMDv2:", the generation as an int of the
 * machine, group id, NUL, member id, NUL, and more. */
static const char magic[] = "CGMDv2:";
#define MAGIC_BYTES (sizeof(magic) - 1)
#define KNOWN_GENERATION 77

/* False: another layout. `*has_member`: the member id is not empty. */
static bool read_layout(const rd_kafka_consumer_group_metadata_t *metadata, int32_t *generation, bool *has_member)
{
    rd_kafka_error_t *error = NULL;
    void *bytes = NULL;
    size_t size_bytes = 0;
    bool known = false;

    error = rd_kafka_consumer_group_metadata_write(metadata, &bytes, &size_bytes);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
        return false;
    }
    if (size_bytes > MAGIC_BYTES + sizeof(*generation) && memcmp(bytes, magic, MAGIC_BYTES) == 0) {
        const char *text = (const char *)bytes + MAGIC_BYTES + sizeof(*generation);
        const char *end = (const char *)bytes + size_bytes;
        const char *group_end = memchr(text, '\0', (size_t)(end - text));

        known = group_end != NULL && group_end + 1 < end;
        memcpy(generation, (const char *)bytes + MAGIC_BYTES, sizeof(*generation));
        *has_member = known && group_end[1] != '\0';
    }
    rd_kafka_mem_free(NULL, bytes);
    return known;
}

bool uex_group_metadata_is_readable(void)
{
    rd_kafka_consumer_group_metadata_t *with =
        rd_kafka_consumer_group_metadata_new_with_genid("group", KNOWN_GENERATION, "member", NULL);
    rd_kafka_consumer_group_metadata_t *without = rd_kafka_consumer_group_metadata_new("group");
    int32_t generation = 0;
    int32_t no_generation = 0;
    bool has_member = false;
    bool has_none = true;
    const bool known = with != NULL && without != NULL && read_layout(with, &generation, &has_member) &&
                       read_layout(without, &no_generation, &has_none) && generation == KNOWN_GENERATION &&
                       has_member && no_generation == -1 && !has_none;

    if (with != NULL)
        rd_kafka_consumer_group_metadata_destroy(with);
    if (without != NULL)
        rd_kafka_consumer_group_metadata_destroy(without);
    return known;
}

int32_t uex_group_metadata_generation(const rd_kafka_consumer_group_metadata_t *metadata)
{
    int32_t generation = -1;
    bool has_member = false;

    if (metadata == NULL || !uex_group_metadata_is_readable() || !read_layout(metadata, &generation, &has_member))
        return -1;
    return generation;
}

bool uex_group_metadata_is_member(const rd_kafka_consumer_group_metadata_t *metadata)
{
    int32_t generation = 0;
    bool has_member = false;

    if (metadata == NULL)
        return false;
    if (!uex_group_metadata_is_readable() || !read_layout(metadata, &generation, &has_member))
        return true;
    return generation >= 0 && has_member;
}
