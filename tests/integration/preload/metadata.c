/* SPDX-License-Identifier: Apache-2.0 */
/* A librdkafka of tomorrow: its written group metadata have another layout. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

void *rd_kafka_consumer_group_metadata_write(const void *metadata, void **bytes, size_t *size_bytes);

void *rd_kafka_consumer_group_metadata_write(const void *metadata, void **bytes, size_t *size_bytes)
{
    void *(*real)(const void *, void **, size_t *) =
        (void *(*)(const void *, void **, size_t *))dlsym(RTLD_NEXT, "rd_kafka_consumer_group_metadata_write");
    void *error = real(metadata, bytes, size_bytes);

    if (error == NULL && *size_bytes > 0)
        ((char *)*bytes)[0] = 'X';
    return error;
}
