/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/registry.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "export/text.h"

#define TABLE_SIZE_FIRST 16
/* Every label value can double by escaping; names, quotes and commas. */
#define LABELS_MAX_BYTES (UEX_METRIC_LABELS_MAX * (2 * UEX_LABEL_VALUE_MAX_BYTES + 64))

#define BOUND(bound) bound,
#define TEXT(bound) #bound,
const double uex_bucket_bounds[UEX_BUCKET_COUNT - 1] = {UEX_BUCKETS(BOUND)};
const char *const uex_bucket_texts[UEX_BUCKET_COUNT] = {UEX_BUCKETS(TEXT) "+Inf"};

/* FNV-1a. */
uint64_t uex_label_hash(const char *text, size_t size_bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

struct uex_metrics *uex_metrics_new(void)
{
    return calloc(1, sizeof(struct uex_metrics));
}

static void metric_free(struct uex_metric *metric)
{
    struct uex_series *series = atomic_load(&metric->first);

    while (series != NULL) {
        struct uex_series *next = atomic_load(&series->next);

        free(series);
        series = next;
    }
    (void)pthread_mutex_destroy(&metric->lock);
    free(metric->table);
    free((void *)(uintptr_t)metric->spec);
    free(metric);
}

void uex_metrics_free(struct uex_metrics *metrics)
{
    if (metrics == NULL)
        return;
    while (metrics->first != NULL) {
        struct uex_metric *next = metrics->first->next;

        metric_free(metrics->first);
        metrics->first = next;
    }
    free(metrics);
}

struct uex_metric *uex_metrics_add(struct uex_metrics *metrics, const struct uex_metric_spec *spec)
{
    struct uex_metric *metric = calloc(1, sizeof(*metric));
    struct uex_metric_spec *copy = malloc(sizeof(*copy));

    if (metric == NULL || copy == NULL) {
        free(metric);
        free(copy);
        return NULL;
    }
    *copy = *spec;
    metric->spec = copy;
    while (metric->label_count < UEX_METRIC_LABELS_MAX && spec->labels[metric->label_count] != NULL)
        metric->label_count++;
    (void)pthread_mutex_init(&metric->lock, NULL);
    if (metrics->last != NULL)
        metrics->last->next = metric;
    else
        metrics->first = metric;
    metrics->last = metric;
    if (metric->label_count == 0 && uex_metric_plain(metric) == NULL)
        return NULL; /* the registry frees it */
    return metric;
}

void uex_metrics_on_scrape(struct uex_metrics *metrics, void (*sample)(void *context), void *context)
{
    metrics->sample = sample;
    metrics->context = context;
}

/* ---- series */

struct labels {
    char text[LABELS_MAX_BYTES];
    size_t size_bytes;
};

static void put(struct labels *labels, const char *text, size_t size_bytes)
{
    if (labels->size_bytes + size_bytes > sizeof(labels->text))
        return;
    memcpy(labels->text + labels->size_bytes, text, size_bytes);
    labels->size_bytes += size_bytes;
}

static void put_value(struct labels *labels, const char *value)
{
    size_t size_bytes = strnlen(value, UEX_LABEL_VALUE_MAX_BYTES);
    bool valid = false;

    /* A cut must not leave half a character. */
    if (size_bytes == UEX_LABEL_VALUE_MAX_BYTES) {
        while (size_bytes > 0 && ((uint8_t)value[size_bytes] & 0xc0) == 0x80)
            size_bytes--;
    }
    valid = uex_utf8_valid(uex_bytes_of(value, size_bytes));
    for (size_t i = 0; i < size_bytes; i++) {
        const char c = value[i];

        if (c == '\\' || c == '"')
            put(labels, "\\", 1);
        if (c == '\n')
            put(labels, "\\n", 2);
        else
            put(labels, !valid && (uint8_t)c >= 0x80 ? "?" : &c, 1);
    }
}

static void make_labels(const struct uex_metric *metric, const char *const *values, struct labels *labels)
{
    labels->size_bytes = 0;
    for (size_t i = 0; i < metric->label_count; i++) {
        if (i > 0)
            put(labels, ",", 1);
        put(labels, metric->spec->labels[i], strlen(metric->spec->labels[i]));
        put(labels, "=\"", 2);
        put_value(labels, values[i] == NULL ? "" : values[i]);
        put(labels, "\"", 1);
    }
}

static struct uex_series *find(const struct uex_metric *metric, uint64_t hash, const struct labels *labels)
{
    struct uex_series *series = metric->table_size == 0 ? NULL : metric->table[hash & (metric->table_size - 1)];

    while (series != NULL && (series->hash != hash || series->labels_bytes != labels->size_bytes ||
                              memcmp(series->labels, labels->text, labels->size_bytes) != 0))
        series = series->next_in_bucket;
    return series;
}

/* Without memory the chains only become longer. */
static void grow_table(struct uex_metric *metric)
{
    const size_t size = metric->table_size == 0 ? TABLE_SIZE_FIRST : metric->table_size * 2;
    struct uex_series **table = NULL;

    if (metric->series_count < metric->table_size)
        return;
    table = calloc(size, sizeof(struct uex_series *));
    if (table == NULL)
        return;
    for (struct uex_series *series = atomic_load(&metric->first); series != NULL; series = atomic_load(&series->next)) {
        series->next_in_bucket = table[series->hash & (size - 1)];
        table[series->hash & (size - 1)] = series;
    }
    free(metric->table);
    metric->table = table;
    metric->table_size = size;
}

static struct uex_series *make(struct uex_metric *metric, uint64_t hash, const struct labels *labels)
{
    const bool is_histogram = metric->spec->kind == UEX_METRIC_HISTOGRAM;
    const size_t align = _Alignof(struct uex_histogram);
    const size_t head_bytes = (sizeof(struct uex_series) + labels->size_bytes + align) / align * align;
    struct uex_series *series = NULL;

    grow_table(metric);
    if (metric->table_size == 0)
        return NULL;
    series = calloc(1, head_bytes + (is_histogram ? sizeof(struct uex_histogram) : 0));
    if (series == NULL)
        return NULL;
    series->hash = hash;
    series->labels_bytes = labels->size_bytes;
    memcpy(series->labels, labels->text, labels->size_bytes);
    if (is_histogram)
        series->histogram = (struct uex_histogram *)(void *)((char *)series + head_bytes);
    atomic_store(&series->shown, true);
    series->next_in_bucket = metric->table[hash & (metric->table_size - 1)];
    metric->table[hash & (metric->table_size - 1)] = series;
    metric->series_count++;
    if (metric->last != NULL)
        atomic_store_explicit(&metric->last->next, series, memory_order_release);
    else
        atomic_store_explicit(&metric->first, series, memory_order_release);
    metric->last = series;
    return series;
}

struct uex_series *uex_metric_series(struct uex_metric *metric, const char *const *values)
{
    struct uex_series *series = NULL;
    struct labels labels;
    uint64_t hash = 0;

    if (metric == NULL)
        return NULL;
    make_labels(metric, values, &labels);
    hash = uex_label_hash(labels.text, labels.size_bytes);
    pthread_mutex_lock(&metric->lock);
    series = find(metric, hash, &labels);
    if (series == NULL)
        series = make(metric, hash, &labels);
    pthread_mutex_unlock(&metric->lock);
    return series;
}

struct uex_series *uex_metric_plain(struct uex_metric *metric)
{
    return uex_metric_series(metric, (const char *const[UEX_METRIC_LABELS_MAX]){NULL});
}

struct uex_series *uex_metric_with(struct uex_metric *metric, const char *value)
{
    return uex_metric_series(metric, (const char *const[UEX_METRIC_LABELS_MAX]){value});
}

struct uex_series *uex_metric_with2(struct uex_metric *metric, const char *first, const char *second)
{
    return uex_metric_series(metric, (const char *const[UEX_METRIC_LABELS_MAX]){first, second});
}

void uex_series_add(struct uex_series *series, uint64_t more)
{
    if (series != NULL)
        (void)atomic_fetch_add_explicit(&series->count, more, memory_order_relaxed);
}

void uex_series_set(struct uex_series *series, double value)
{
    if (series == NULL)
        return;
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
    atomic_store_explicit(&series->shown, true, memory_order_relaxed);
}

void uex_series_observe(struct uex_series *series, double seconds)
{
    size_t bucket = 0;

    if (series == NULL || series->histogram == NULL || isnan(seconds))
        return;
    if (seconds < 0)
        seconds = 0; /* a clock was set back */
    while (bucket < UEX_BUCKET_COUNT - 1 && seconds > uex_bucket_bounds[bucket])
        bucket++;
    (void)atomic_fetch_add_explicit(&series->histogram->buckets[bucket], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&series->histogram->sum_us, (int64_t)llround(fmin(seconds, 1e9) * 1e6),
                                    memory_order_relaxed);
}

void uex_metric_hide(struct uex_metric *metric)
{
    struct uex_series *series = metric == NULL ? NULL : atomic_load_explicit(&metric->first, memory_order_acquire);

    for (; series != NULL; series = atomic_load_explicit(&series->next, memory_order_acquire))
        atomic_store_explicit(&series->shown, false, memory_order_relaxed);
}

double uex_series_value(const struct uex_series *series)
{
    uint64_t count = 0;

    if (series == NULL)
        return 0;
    if (series->histogram == NULL)
        return (double)atomic_load(&series->count) + atomic_load(&series->value);
    for (size_t i = 0; i < UEX_BUCKET_COUNT; i++)
        count += atomic_load(&series->histogram->buckets[i]);
    return (double)count;
}
