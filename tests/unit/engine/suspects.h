/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of crash markers and of suspected poison pills share: partitions, and what their last owner has left.
 */
#ifndef TESTS_SUSPECTS_H
#define TESTS_SUSPECTS_H

#include "engine_fixture.h"

/* Partitions of the command topic with this metadata at offset 0, the last one given; the others and the retry topic
 * were left cleanly. */
FIXTURE_UNUSED static void begin(int32_t count, const char *metadata)
{
    char clean[16];

    (void)snprintf(clean, sizeof(clean), "uex1;n=%d", (int)count);
    world.command_partitions = count;
    for (int32_t i = 0; i < count; i++) {
        fixture_set_committed(COMMANDS, i, 0, i == count - 1 ? metadata : clean);
        fixture_set_committed(RETRIES, i, 0, clean);
    }
    fixture_assign(0, count);
    fixture_restore();
}

/* A record of the command topic is read. */
FIXTURE_UNUSED static struct uex_inflight *arrive(int32_t partition, int64_t offset, const char *key, const char *value)
{
    fixture_fetch(fixture_record(COMMANDS, partition, offset, key, value));
    fixture_intake();
    return uex_dispatch_find_synced(&world.engine, 0, partition, offset);
}

FIXTURE_UNUSED static const char *committed(void)
{
    return fixture_committed_text(COMMANDS, world.command_partitions - 1);
}

FIXTURE_UNUSED static bool says(const char *field)
{
    return strstr(committed(), field) != NULL;
}

FIXTURE_UNUSED static struct uex_input *input(void)
{
    return uex_engine_input(&world.engine, 0, world.command_partitions - 1);
}

/* A key that murmur2 gives to this partition of two. */
FIXTURE_UNUSED static const char *key_of(int32_t partition)
{
    static char key[2];

    for (key[0] = 'a'; uex_partition_of(uex_bytes_of_text(key), 2) != partition; key[0]++)
        assert_true(key[0] < 'z');
    return key;
}

FIXTURE_UNUSED static void revoke_all(void)
{
    world.on_wait = fixture_committer_works;
    fixture_revoke();
    world.on_wait = NULL;
}
#endif
