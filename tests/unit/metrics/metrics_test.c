/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/clock.h"
#include "export/metrics.h"

static const struct uex_metric_spec counter_spec = {
    .name = "users_things_total", .help = "Things.", .kind = UEX_METRIC_COUNTER, .labels = {"groupId", "kind"}};
static const struct uex_metric_spec gauge_spec = {
    .name = "users_level", .help = "A \\ level\nin two lines.", .kind = UEX_METRIC_GAUGE, .sampled = true};
static const struct uex_metric_spec histogram_spec = {
    .name = "users_wait_seconds", .help = "Waiting.", .kind = UEX_METRIC_HISTOGRAM, .labels = {"groupId"}};

/* The whole text, read in pieces of `piece_bytes`. */
static char *text_of(struct uex_metrics *metrics, size_t piece_bytes)
{
    struct uex_scrape *scrape = uex_scrape_new(metrics);
    struct uex_buffer out = {0};
    char *piece = malloc(piece_bytes);
    size_t got = 0;

    assert_non_null(scrape);
    while ((got = uex_scrape_read(scrape, piece, piece_bytes)) > 0)
        uex_buffer_append(&out, piece, got);
    uex_scrape_free(scrape);
    free(piece);
    assert_false(uex_buffer_failed(&out));
    uex_buffer_append(&out, "", 1);
    return (char *)out.data;
}

static void expect_text(struct uex_metrics *metrics, const char *expected)
{
    char *text = text_of(metrics, 7);

    assert_string_equal(text, expected);
    free(text);
}

static void expect_line(struct uex_metrics *metrics, const char *line)
{
    char *text = text_of(metrics, 4096);

    if (strstr(text, line) == NULL)
        print_message("no line %s in\n%s\n", line, text);
    assert_non_null(strstr(text, line));
    free(text);
}

static void add__families_without_series__head_is_shown(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();

    (void)state;
    assert_non_null(uex_metrics_add(metrics, &counter_spec));
    assert_non_null(uex_metrics_add(metrics, &gauge_spec));
    expect_text(metrics, "# HELP users_things_total Things.\n# TYPE users_things_total counter\n"
                         "# HELP users_level A \\\\ level\\nin two lines.\n# TYPE users_level gauge\nusers_level 0\n");
    uex_metrics_free(metrics);
}

static void series__asked_for__is_shown_with_0_and_counts(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_metric *metric = uex_metrics_add(metrics, &counter_spec);
    struct uex_series *series = uex_metric_with2(metric, "g-1", "a");

    (void)state;
    expect_line(metrics, "\nusers_things_total{groupId=\"g-1\",kind=\"a\"} 0\n");
    uex_series_add(series, 1);
    uex_series_add(uex_metric_with2(metric, "g-1", "a"), UINT64_C(1) << 60);
    assert_ptr_equal(series, uex_metric_with2(metric, "g-1", "a"));
    assert_ptr_not_equal(series, uex_metric_with2(metric, "g-1a", ""));
    expect_line(metrics, "\nusers_things_total{groupId=\"g-1\",kind=\"a\"} 1152921504606846977\n");
    uex_metrics_free(metrics);
}

static void series__values_with_special_characters__are_escaped(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_metric *metric = uex_metrics_add(metrics, &counter_spec);

    (void)state;
    (void)uex_metric_with2(metric, "a\"b\\c\nd", "पुणे ☕");
    (void)uex_metric_with2(metric, "bad \xff\xc3 x", NULL);
    /* Escaping must not make two names one. */
    assert_ptr_not_equal(uex_metric_with2(metric, "x\",kind=\"y", ""), uex_metric_with2(metric, "x", "y"));
    expect_line(metrics, "{groupId=\"a\\\"b\\\\c\\nd\",kind=\"पुणे ☕\"} 0\n");
    expect_line(metrics, "{groupId=\"bad ?? x\",kind=\"\"} 0\n");
    uex_metrics_free(metrics);
}

static void series__value_too_long__is_cut_at_a_character(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_metric *metric = uex_metrics_add(metrics, &histogram_spec);
    char value[UEX_LABEL_VALUE_MAX_BYTES + 8];
    char expected[UEX_LABEL_VALUE_MAX_BYTES + 40];

    (void)state;
    memset(value, 'x', sizeof(value));
    memcpy(value + UEX_LABEL_VALUE_MAX_BYTES - 1, "\xe2\x98\x95", 4);
    (void)uex_metric_with(metric, value);
    (void)snprintf(expected, sizeof(expected), "_count{groupId=\"%.*s\"} 0\n", UEX_LABEL_VALUE_MAX_BYTES - 1, value);
    expect_line(metrics, expected);
    uex_metrics_free(metrics);
}

static void observe__values_at_and_between_bounds__fall_into_cumulative_buckets(void **state)
{
    static const char expected[] = "# HELP users_wait_seconds Waiting.\n# TYPE users_wait_seconds histogram\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"0.005\"} 2\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"0.01\"} 2\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"0.025\"} 2\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"0.05\"} 2\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"0.1\"} 2\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"0.25\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"0.5\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"1\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"2.5\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"5\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"10\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"30\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"60\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"120\"} 3\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"300\"} 4\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"360\"} 5\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"600\"} 5\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"1800\"} 5\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"3600\"} 5\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"7200\"} 5\n"
                                   "users_wait_seconds_bucket{groupId=\"g\",le=\"+Inf\"} 6\n"
                                   "users_wait_seconds_sum{groupId=\"g\"} 10600.205\n"
                                   "users_wait_seconds_count{groupId=\"g\"} 6\n";
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_series *series = uex_metric_with(uex_metrics_add(metrics, &histogram_spec), "g");

    (void)state;
    uex_series_observe(series, 0.005);
    uex_series_observe(series, -3);
    uex_series_observe(series, 0.2);
    uex_series_observe(series, 300);
    uex_series_observe(series, 300.000001 - 0.000001 + 0.0001);
    uex_series_observe(series, 9999.9999);
    expect_text(metrics, expected);
    assert_true(uex_series_value(series) == 6);
    uex_metrics_free(metrics);
}

static void set__numbers_of_all_kinds__read_back_as_they_were(void **state)
{
    static const struct {
        double value;
        const char *text;
    } samples[] = {{0, "0"},
                   {-1.5, "-1.5"},
                   {0.1, "0.1"},
                   {1e300, "1e+300"},
                   {1763796000.123, "1763796000.123"},
                   {4503599627370496, "4503599627370496"},
                   {1.0 / 3, "0.33333333333333331"}};
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_metric *metric = uex_metrics_add(metrics, &gauge_spec);

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        char expected[80];

        uex_series_set(uex_metric_plain(metric), samples[i].value);
        (void)snprintf(expected, sizeof(expected), "\nusers_level %s\n", samples[i].text);
        expect_line(metrics, expected);
    }
    uex_metrics_free(metrics);
}

static void hide__series_that_is_not_set_again__is_not_shown(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_metric_spec spec = gauge_spec;
    struct uex_metric *metric = NULL;
    char *text = NULL;

    (void)state;
    spec.labels[0] = "partition";
    metric = uex_metrics_add(metrics, &spec);
    uex_series_set(uex_metric_with(metric, "0"), 5);
    uex_series_set(uex_metric_with(metric, "1"), 6);
    uex_metric_hide(metric);
    uex_series_set(uex_metric_with(metric, "1"), 7);
    text = text_of(metrics, 64);
    assert_null(strstr(text, "partition=\"0\""));
    assert_non_null(strstr(text, "users_level{partition=\"1\"} 7\n"));
    free(text);
    uex_metrics_free(metrics);
}

static void sample_level(void *context)
{
    uex_series_set(uex_metric_plain(context), 42);
}

static void scrape__with_sampler__sampled_values_are_fresh(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_metric *metric = uex_metrics_add(metrics, &gauge_spec);

    (void)state;
    uex_metrics_on_scrape(metrics, sample_level, metric);
    expect_line(metrics, "\nusers_level 42\n");
    uex_metrics_free(metrics);
}

static void counting__without_a_family__does_nothing(void **state)
{
    (void)state;
    uex_series_add(uex_metric_plain(NULL), 1);
    uex_series_set(uex_metric_with(NULL, "x"), 1);
    uex_series_observe(uex_metric_with2(NULL, "x", "y"), 1);
    uex_metric_hide(NULL);
    assert_true(uex_series_value(NULL) == 0);
    uex_metrics_free(NULL);
    uex_scrape_free(NULL);
}

/* ---- bounded labels */

static void admit__more_values_than_allowed__the_rest_share_one(void **state)
{
    struct uex_label_cap *cap = uex_label_cap_new(2);

    (void)state;
    assert_string_equal(uex_label_cap_admit(cap, "a"), "a");
    assert_string_equal(uex_label_cap_admit(cap, ""), "");
    assert_string_equal(uex_label_cap_admit(cap, NULL), "_other");
    assert_string_equal(uex_label_cap_admit(cap, "b"), "b");
    assert_string_equal(uex_label_cap_admit(cap, "c"), "_other");
    assert_string_equal(uex_label_cap_admit(cap, "a"), "a");
    assert_string_equal(uex_label_cap_admit(cap, "b"), "b");
    uex_label_cap_free(cap);
    uex_label_cap_free(NULL);
}

static void admit__none_allowed__all_share_one(void **state)
{
    struct uex_label_cap *cap = uex_label_cap_new(0);

    (void)state;
    assert_string_equal(uex_label_cap_admit(cap, "a"), "_other");
    uex_label_cap_free(cap);
}

/* ---- many threads, many series */

struct crowd {
    struct uex_metric *counter, *histogram;
    struct uex_label_cap *cap;
    unsigned seed;
    _Atomic bool *stop;
};

#define CROWD 4
#define CROWD_ROUNDS 20000

static void *count_a_lot(void *context)
{
    struct crowd *crowd = context;

    for (unsigned i = 0; i < CROWD_ROUNDS; i++) {
        char group[16];
        const char *label = NULL;

        (void)snprintf(group, sizeof(group), "g%u", (i * 7 + crowd->seed) % 300);
        label = uex_label_cap_admit(crowd->cap, group);
        uex_series_add(uex_metric_with2(crowd->counter, label, "k"), 1);
        uex_series_observe(uex_metric_with(crowd->histogram, label), 0.001 * (i % 1000));
    }
    return NULL;
}

static void scrape__while_others_count__nothing_is_lost(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct crowd crowd[CROWD];
    struct uex_label_cap *cap = uex_label_cap_new(200);
    pthread_t threads[CROWD];
    struct uex_metric *counter = uex_metrics_add(metrics, &counter_spec);
    struct uex_metric *histogram = uex_metrics_add(metrics, &histogram_spec);
    double counted = 0, observed = 0;

    (void)state;
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = (struct crowd){.counter = counter, .histogram = histogram, .cap = cap, .seed = i * 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, count_a_lot, &crowd[i]), 0);
    }
    for (int i = 0; i < 20; i++)
        free(text_of(metrics, 16384));
    for (unsigned i = 0; i < CROWD; i++)
        (void)pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 300; i++) {
        char group[16];

        (void)snprintf(group, sizeof(group), "g%u", i);
        if (uex_label_cap_admit(cap, group) != group)
            continue;
        counted += uex_series_value(uex_metric_with2(counter, group, "k"));
        observed += uex_series_value(uex_metric_with(histogram, group));
    }
    counted += uex_series_value(uex_metric_with2(counter, "_other", "k"));
    observed += uex_series_value(uex_metric_with(histogram, "_other"));
    assert_true(counted == CROWD * CROWD_ROUNDS);
    assert_true(observed == CROWD * CROWD_ROUNDS);
    uex_metrics_free(metrics);
    uex_label_cap_free(cap);
}

/* Three histograms and seven counters for each of 10,000 groups. Counting beside it goes on as fast as ever: the
 * slowest of its steps is looked at, with room for a machine that is busy otherwise. */
static void *count_slowest(void *context)
{
    struct crowd *crowd = context;
    int64_t *slowest_us = calloc(1, sizeof(*slowest_us));

    while (!atomic_load(crowd->stop)) {
        const int64_t from_us = uex_monotonic_us();

        uex_series_add(uex_metric_with2(crowd->counter, "group-5000", "k"), 1);
        uex_series_observe(uex_metric_with(crowd->histogram, "group-9000"), 1);
        if (uex_monotonic_us() - from_us > *slowest_us)
            *slowest_us = uex_monotonic_us() - from_us;
    }
    return slowest_us;
}

static void scrape__of_10000_groups__is_quick_and_holds_nobody_up(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_metric *counters[7], *histograms[3];
    _Atomic bool stop = false;
    struct crowd crowd = {.stop = &stop};
    pthread_t thread;
    struct uex_scrape *scrape = NULL;
    char piece[16384];
    size_t size_bytes = 0, got = 0;
    int64_t from_us = 0, took_us = 0;
    void *slowest_us = NULL;

    (void)state;
    for (size_t i = 0; i < 7; i++)
        counters[i] = uex_metrics_add(metrics, &counter_spec);
    for (size_t i = 0; i < 3; i++)
        histograms[i] = uex_metrics_add(metrics, &histogram_spec);
    for (unsigned group = 0; group < 10000; group++) {
        char name[24];

        (void)snprintf(name, sizeof(name), "group-%u", group);
        for (size_t i = 0; i < 7; i++)
            uex_series_add(uex_metric_with2(counters[i], name, "k"), group);
        for (size_t i = 0; i < 3; i++)
            uex_series_observe(uex_metric_with(histograms[i], name), group);
    }
    crowd.counter = counters[0];
    crowd.histogram = histograms[0];
    assert_int_equal(pthread_create(&thread, NULL, count_slowest, &crowd), 0);
    from_us = uex_monotonic_us();
    scrape = uex_scrape_new(metrics);
    while ((got = uex_scrape_read(scrape, piece, sizeof(piece))) > 0)
        size_bytes += got;
    uex_scrape_free(scrape);
    took_us = uex_monotonic_us() - from_us;
    atomic_store(&stop, true);
    (void)pthread_join(thread, &slowest_us);
    print_message("10000 groups: %zu MiB of text in %lld ms; the slowest count beside it took %lld us\n",
                  size_bytes >> 20, (long long)took_us / 1000, (long long)*(int64_t *)slowest_us);
    assert_true(took_us < 10000000);
    assert_true(*(int64_t *)slowest_us < 500000);
    free(slowest_us);
    uex_metrics_free(metrics);
}

/* ---- the process */

static void process__sampled__has_plausible_values(void **state)
{
    struct uex_metrics *metrics = uex_metrics_new();
    struct uex_process_metrics process = {0};

    (void)state;
    assert_int_equal(uex_process_metrics_add(metrics, &process), UEX_OK);
    uex_process_metrics_sample(&process);
    assert_true(uex_series_value(uex_metric_plain(process.resident_bytes)) > 100000);
    assert_true(uex_series_value(uex_metric_plain(process.virtual_bytes)) >=
                uex_series_value(uex_metric_plain(process.resident_bytes)));
    assert_true(uex_series_value(uex_metric_plain(process.open_fds)) >= 3);
    assert_true(uex_series_value(uex_metric_plain(process.max_fds)) > 10);
    assert_true(uex_series_value(uex_metric_plain(process.threads)) >= 1);
    assert_true(uex_series_value(uex_metric_plain(process.cpu_seconds)) >= 0);
    {
        const double age_s = (double)uex_wall_ms() / 1000 - uex_series_value(uex_metric_plain(process.start_time));

        assert_true(age_s > -10 && age_s < 3600);
    }
    uex_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add__families_without_series__head_is_shown),
        cmocka_unit_test(series__asked_for__is_shown_with_0_and_counts),
        cmocka_unit_test(series__values_with_special_characters__are_escaped),
        cmocka_unit_test(series__value_too_long__is_cut_at_a_character),
        cmocka_unit_test(observe__values_at_and_between_bounds__fall_into_cumulative_buckets),
        cmocka_unit_test(set__numbers_of_all_kinds__read_back_as_they_were),
        cmocka_unit_test(hide__series_that_is_not_set_again__is_not_shown),
        cmocka_unit_test(scrape__with_sampler__sampled_values_are_fresh),
        cmocka_unit_test(counting__without_a_family__does_nothing),
        cmocka_unit_test(admit__more_values_than_allowed__the_rest_share_one),
        cmocka_unit_test(admit__none_allowed__all_share_one),
        cmocka_unit_test(scrape__while_others_count__nothing_is_lost),
        cmocka_unit_test(scrape__of_10000_groups__is_quick_and_holds_nobody_up),
        cmocka_unit_test(process__sampled__has_plausible_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
