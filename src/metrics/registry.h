/* SPDX-License-Identifier: Apache-2.0 */
/* src/metrics/registry.h — families and series as registry.c keeps them and scrape.c reads them.
 *
 * Series are never freed before the registry. Each is in two lists: the chain of its hash bucket, guarded by the lock
 * of the family, and the list of the family in the order of creation. Links of the latter are published with release
 * and read with acquire, so a scrape needs no lock.
 */
#ifndef METRICS_REGISTRY_H
#define METRICS_REGISTRY_H

#include <pthread.h>

#include "export/metrics.h"

/* Upper bounds in seconds; the last bucket, +Inf, has none. */
#define UEX_BUCKETS(X)                                                                                                 \
    X(0.005)                                                                                                           \
    X(0.01)                                                                                                            \
    X(0.025)                                                                                                           \
    X(0.05)                                                                                                            \
    X(0.1)                                                                                                             \
    X(0.25)                                                                                                            \
    X(0.5)                                                                                                             \
    X(1)                                                                                                               \
    X(2.5)                                                                                                             \
    X(5)                                                                                                               \
    X(10)                                                                                                              \
    X(30)                                                                                                              \
    X(60)                                                                                                              \
    X(120)                                                                                                             \
    X(300)                                                                                                             \
    X(360)                                                                                                             \
    X(600)                                                                                                             \
    X(1800)                                                                                                            \
    X(3600)                                                                                                            \
    X(7200)

#define UEX_BUCKET_ONE(bound) +1
#define UEX_BUCKET_COUNT (0 UEX_BUCKETS(UEX_BUCKET_ONE) + 1)
extern const double uex_bucket_bounds[UEX_BUCKET_COUNT - 1];
extern const char *const uex_bucket_texts[UEX_BUCKET_COUNT]; /* as the label `le` has them */

struct uex_histogram {
    _Atomic uint64_t buckets[UEX_BUCKET_COUNT]; /* not cumulative */
    _Atomic int64_t sum_us;
};

struct uex_series {
    struct uex_series *next_in_bucket;
    struct uex_series *_Atomic next;
    uint64_t hash;
    _Atomic bool shown;
    _Atomic uint64_t count;          /* of a counter that is not sampled */
    _Atomic double value;            /* of all other counters and gauges */
    struct uex_histogram *histogram; /* after the labels, in the same allocation; NULL for other kinds */
    size_t labels_bytes;
    char labels[]; /* `groupId="g-1",groupType="COST_BASED"`, escaped; "" without labels */
};

struct uex_metric {
    const struct uex_metric_spec *spec; /* a copy, owned */
    struct uex_metric *next;
    size_t label_count;
    struct uex_series *_Atomic first;
    struct uex_series *last; /* locked, as all below */
    pthread_mutex_t lock;
    struct uex_series **table;
    size_t table_size, series_count;
};

struct uex_metrics {
    struct uex_metric *first, *last;
    void (*sample)(void *context);
    void *context;
};

uint64_t uex_label_hash(const char *text, size_t size_bytes);
#endif
