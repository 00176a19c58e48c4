/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/kafka/kafka_fixture.h"

#include "kafka/topics_internal.h"

static const char *setting(const struct uex_topic *topic, const char *name)
{
    for (size_t i = 0; i < topic->setting_count; i++)
        if (strcmp(topic->settings[i].name, name) == 0)
            return topic->settings[i].value;
    return "";
}

static void plan__defaults__has_all_topics_with_their_settings(void **state)
{
    struct kafka_fixture fixture;
    struct uex_topic_plan plan;
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(uex_topics_plan(fixture_config(&fixture, NULL), 6, 3, &plan, &fault), UEX_OK);
    assert_int_equal(plan.count, 9);
    assert_string_equal(plan.topics[0].name, "export-group");
    assert_string_equal(plan.topics[1].name, "export-group-state");
    assert_string_equal(plan.topics[5].name, "export-group-run");
    assert_string_equal(plan.topics[6].name, "export-group-retry-0");
    assert_string_equal(plan.topics[8].name, "export-group-retry-2");
    assert_string_equal(setting(&plan.topics[5], "cleanup.policy"), "compact");
    assert_string_equal(setting(&plan.topics[5], "retention.ms"), "");
    assert_string_equal(setting(&plan.topics[1], "cleanup.policy"), "compact");
    assert_string_equal(setting(&plan.topics[1], "retention.ms"), "");
    assert_string_equal(setting(&plan.topics[0], "cleanup.policy"), "delete");
    assert_string_equal(setting(&plan.topics[0], "max.message.bytes"), "1048588");
    assert_string_equal(setting(&plan.topics[0], "min.insync.replicas"), "2");
    for (size_t i = 0; i < plan.count; i++) {
        assert_int_equal(plan.topics[i].partition_count, plan.topics[i].kind == UEX_TOPIC_RUN ? 1 : 6);
        assert_int_equal(plan.topics[i].same_count, i <= 1 || i >= 6);
    }
}

static void plan__long_delay__outlives_the_retention(void **state)
{
    struct kafka_fixture fixture;
    struct uex_topic_plan plan;
    struct uex_fault fault = {0};
    struct uex_config *config = fixture_config(&fixture, NULL);

    (void)state;
    config->retry_delays_ms[1] = INT64_C(30) * 24 * 3600 * 1000;
    assert_int_equal(uex_topics_plan(config, 0, 0, &plan, &fault), UEX_OK);
    assert_string_equal(setting(&plan.topics[7], "retention.ms"), "2678400000");
    assert_string_equal(setting(&plan.topics[7], "min.insync.replicas"), "");
    assert_int_equal(plan.topics[0].partition_count, UEX_PARTITIONS_DEFAULT);
}

static void plan__large_messages__fit_the_topics(void **state)
{
    struct kafka_fixture fixture;
    struct uex_topic_plan plan;
    struct uex_fault fault = {0};

    (void)state;
    assert_int_equal(
        uex_topics_plan(fixture_config(&fixture, "message.max.bytes", "5000000", NULL), 1, 1, &plan, &fault), UEX_OK);
    assert_string_equal(setting(&plan.topics[0], "max.message.bytes"), "5000000");
    assert_string_equal(setting(&plan.topics[6], "max.message.bytes"), "5065536");
    assert_string_equal(setting(&plan.topics[0], "min.insync.replicas"), "1");
}

static void plan__bad_or_equal_names__are_refused(void **state)
{
    struct kafka_fixture fixture;
    struct uex_topic_plan plan;
    struct uex_fault fault = {0};
    struct uex_config *config = fixture_config(&fixture, NULL);
    char name[400];

    (void)state;
    config->topics_state = (char *)"not a topic";
    assert_int_equal(uex_topics_plan(config, 1, 1, &plan, &fault), UEX_CONFIG);
    assert_non_null(strstr(fault.text, "not a topic"));
    config->topics_state = (char *)"export-group-retry-1";
    assert_int_equal(uex_topics_plan(config, 1, 1, &plan, &fault), UEX_CONFIG);
    config->topics_state = (char *)"";
    assert_int_equal(uex_topics_plan(config, 1, 1, &plan, &fault), UEX_CONFIG);
    config->topics_state = (char *)"export-group-state";
    memset(name, 'a', sizeof(name));
    name[248] = 0; /* with "-0" too long */
    config->topics_retry = name;
    assert_int_equal(uex_topics_plan(config, 1, 1, &plan, &fault), UEX_CONFIG);
    memset(name, 'a', sizeof(name));
    name[399] = 0;
    assert_int_equal(uex_topics_plan(config, 1, 1, &plan, &fault), UEX_CONFIG);
}

static void tier_number__names__are_told_from_others(void **state)
{
    size_t tier = 0;

    (void)state;
    assert_true(uex_topics_tier_number("r", "r-0", &tier));
    assert_int_equal(tier, 0);
    assert_true(uex_topics_tier_number("r", "r-63", &tier));
    assert_int_equal(tier, 63);
    assert_false(uex_topics_tier_number("r", "r-64", &tier));
    assert_false(uex_topics_tier_number("r", "r-", &tier));
    assert_false(uex_topics_tier_number("r", "r-01", &tier));
    assert_false(uex_topics_tier_number("r", "r-1x", &tier));
    assert_false(uex_topics_tier_number("r", "r", &tier));
    assert_false(uex_topics_tier_number("r", "rr-1", &tier));
    assert_false(uex_topics_tier_number("r", "", &tier));
}

static void common_count__half_grown__is_the_most(void **state)
{
    struct kafka_fixture fixture;
    struct uex_topic_plan plan;
    struct uex_fault fault = {0};
    struct uex_topic_facts facts[UEX_TOPICS_MAX] = {0};

    (void)state;
    assert_int_equal(uex_topics_plan(fixture_config(&fixture, NULL), 1, 1, &plan, &fault), UEX_OK);
    assert_int_equal(uex_topics_common_count(&plan, facts), 0);
    facts[0].partition_count = 6;
    facts[1].partition_count = 12; /* state grows first */
    facts[3].partition_count = 50; /* results have a count of their own */
    assert_int_equal(uex_topics_common_count(&plan, facts), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan__defaults__has_all_topics_with_their_settings),
        cmocka_unit_test(plan__long_delay__outlives_the_retention),
        cmocka_unit_test(plan__large_messages__fit_the_topics),
        cmocka_unit_test(plan__bad_or_equal_names__are_refused),
        cmocka_unit_test(tier_number__names__are_told_from_others),
        cmocka_unit_test(common_count__half_grown__is_the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
