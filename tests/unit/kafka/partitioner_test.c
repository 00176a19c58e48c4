/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/kafka_fixture.h"

#include "kafka/partitioner.h"

/* Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2. */
static void murmur2__published_values__match(void **state)
{
    static const struct {
        const char *text;
        int32_t hash;
    } cases[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal((int32_t)uex_murmur2(uex_bytes_of_text(cases[i].text)), cases[i].hash);
}

static void partition_of__negative_hash__clears_the_sign_bit(void **state)
{
    (void)state;
    /* -973932308 & 0x7fffffff = 1173551340 */
    assert_int_equal(uex_partition_of(uex_bytes_of_text("21"), 1000), 340);
    assert_int_equal(uex_partition_of(uex_bytes_of_text("abc"), 10), 7);
}

static void partition_of__any_key__is_within_the_count(void **state)
{
    (void)state;
    for (int32_t count = 1; count < 20; count++)
        for (int i = 0; i < 500; i++) {
            char key[32];

            snprintf(key, sizeof(key), "g-%d", i);
            assert_in_range(uex_partition_of(uex_bytes_of_text(key), count), 0, count - 1);
        }
}

static void partition_of__no_partitions_or_empty_key__is_defined(void **state)
{
    (void)state;
    assert_int_equal(uex_partition_of(uex_bytes_of_text("g"), 0), 0);
    assert_int_equal(uex_partition_of(uex_bytes_of_text("g"), -1), 0);
    assert_in_range(uex_partition_of(uex_bytes_of("", 0), 7), 0, 6);
    assert_in_range(uex_partition_of((struct uex_bytes){0}, 7), 0, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(murmur2__published_values__match),
        cmocka_unit_test(partition_of__negative_hash__clears_the_sign_bit),
        cmocka_unit_test(partition_of__any_key__is_within_the_count),
        cmocka_unit_test(partition_of__no_partitions_or_empty_key__is_defined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
