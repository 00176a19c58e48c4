/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "kafka/group_metadata.h"

static bool judge(const char *member, int generation)
{
    rd_kafka_consumer_group_metadata_t *metadata =
        rd_kafka_consumer_group_metadata_new_with_genid("export-workers", generation, member, NULL);
    bool answer = false;

    assert_non_null(metadata);
    answer = uex_group_metadata_is_member(metadata);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return answer;
}

static void is_member__generation_and_member_id__decide(void **state)
{
    (void)state;
    assert_true(judge("worker-1", 3));
    assert_true(judge("worker-1", 0));
    assert_false(judge("worker-1", -1));
    assert_false(judge("", 3));
    assert_false(judge("", -1));
    assert_false(uex_group_metadata_is_member(NULL));
}

static void generation__of_a_member__is_what_was_captured(void **state)
{
    rd_kafka_consumer_group_metadata_t *metadata =
        rd_kafka_consumer_group_metadata_new_with_genid("export-workers", 41, "worker-1", NULL);

    (void)state;
    assert_int_equal(uex_group_metadata_generation(metadata), 41);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    assert_int_equal(uex_group_metadata_generation(NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_member__generation_and_member_id__decide),
        cmocka_unit_test(generation__of_a_member__is_what_was_captured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
