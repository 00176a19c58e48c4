/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/metrics.h — counters, gauges and histograms, and their Prometheus text.
 *
 * A registry holds families, a family its series, one for each set of label values. Families are added at start;
 * series are created when they are first used and stay, so label values that come from input are bounded with a
 * uex_label_cap. Counting is a few relaxed atomic operations: any thread, never blocking for a scrape, because a scrape
 * takes no lock that counting needs. Source: Prometheus documentation, "Exposition formats", text format 0.0.4.
 *
 * Every function accepts NULL for a family or series that could not be allocated; then nothing is counted.
 */
#ifndef EXPORT_METRICS_H
#define EXPORT_METRICS_H

#include <stdint.h>

#include "export/buffer.h"

#define UEX_METRIC_LABELS_MAX 3
/* A longer label value is cut. */
#define UEX_LABEL_VALUE_MAX_BYTES 512

struct uex_metrics;
struct uex_metric;
struct uex_series;

enum uex_metric_kind { UEX_METRIC_COUNTER, UEX_METRIC_GAUGE, UEX_METRIC_HISTOGRAM };

/* What a family is. Texts are borrowed and have to outlive the registry. */
struct uex_metric_spec {
    const char *name;
    const char *help;
    enum uex_metric_kind kind;
    bool sampled; /* its values are set by the sampler at each scrape; a counter is then counted elsewhere */
    const char *labels[UEX_METRIC_LABELS_MAX]; /* names, the unused ones NULL */
};

/* NULL if memory runs out. */
UEX_MUST_CHECK struct uex_metrics *uex_metrics_new(void);
/* When no thread uses it any more. Accepts NULL. */
void uex_metrics_free(struct uex_metrics *metrics);

/* Add a family. It is shown also without series; a family without labels gets its one series at once. Call before other
 * threads are started. NULL if memory runs out. */
UEX_MUST_CHECK struct uex_metric *uex_metrics_add(struct uex_metrics *metrics, const struct uex_metric_spec *spec);

/* Called by the scraping thread before each scrape, to set what is sampled. */
void uex_metrics_on_scrape(struct uex_metrics *metrics, void (*sample)(void *context), void *context);

/* The series of these label values (one for each label name; NULL is ""), created with 0 if it is new. Bytes that are
 * not UTF-8 are shown as '?'. Any thread. */
struct uex_series *uex_metric_series(struct uex_metric *metric, const char *const *values);
/* The same for a family without labels, with one and with two. */
struct uex_series *uex_metric_plain(struct uex_metric *metric);
struct uex_series *uex_metric_with(struct uex_metric *metric, const char *value);
struct uex_series *uex_metric_with2(struct uex_metric *metric, const char *first, const char *second);

/* Counters that are not sampled. */
void uex_series_add(struct uex_series *series, uint64_t more);
/* Gauges, and sampled counters. Shows the series again after uex_metric_hide(). */
void uex_series_set(struct uex_series *series, double value);
/* Histograms: seconds. */
void uex_series_observe(struct uex_series *series, double seconds);

/* Hide all series of a family until they are set again: for sampled families whose label values come and go. */
void uex_metric_hide(struct uex_metric *metric);

/* The value of a series, for tests: a counter's or gauge's value, a histogram's count. */
double uex_series_value(const struct uex_series *series);

/* ---- bounded labels */

#define UEX_LABEL_OTHER "_other"

/* The first `max` distinct values are themselves, all others are UEX_LABEL_OTHER. Any thread. */
struct uex_label_cap;
UEX_MUST_CHECK struct uex_label_cap *uex_label_cap_new(size_t max);
void uex_label_cap_free(struct uex_label_cap *cap);
/* Returns `value` (also "") or UEX_LABEL_OTHER; NULL is UEX_LABEL_OTHER. */
const char *uex_label_cap_admit(struct uex_label_cap *cap, const char *value);

/* ---- the text */

/* A scrape: families in the order in which they were added, in pieces of the size that the reader asks for. Its
 * memory does not grow with the number of series. One thread. */
struct uex_scrape;

#define UEX_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Calls the sampler. NULL if memory runs out. The registry must outlive it. */
UEX_MUST_CHECK struct uex_scrape *uex_scrape_new(struct uex_metrics *metrics);
/* Write up to `size_bytes`; returns how many were written, 0 at the end or if memory ran out. */
size_t uex_scrape_read(struct uex_scrape *scrape, char *out, size_t size_bytes);
void uex_scrape_free(struct uex_scrape *scrape);

/* ---- the process itself */

/* The process_… families of Prometheus' client libraries, sampled. UEX_NO_MEMORY. */
struct uex_process_metrics {
    struct uex_metric *cpu_seconds, *start_time, *resident_bytes, *virtual_bytes, *open_fds, *max_fds, *threads;
};
UEX_MUST_CHECK enum uex_error uex_process_metrics_add(struct uex_metrics *metrics, struct uex_process_metrics *out);
/* Read /proc/self; a value that cannot be read does not change. */
void uex_process_metrics_sample(const struct uex_process_metrics *process);
#endif
