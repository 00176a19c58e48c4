/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics/registry.h"

/* The largest double below which every integer is one. */
#define EXACT_MAX 9007199254740992.0
#define NUMBER_SIZE 40

struct uex_scrape {
    struct uex_metric *metric; /* the family under way */
    struct uex_series *series; /* the last one written; NULL: only the head was */
    bool begun;                /* the family's head is written */
    struct uex_buffer pending; /* a head, or one series */
    size_t taken_bytes;        /* of it */
};

struct uex_scrape *uex_scrape_new(struct uex_metrics *metrics)
{
    struct uex_scrape *scrape = calloc(1, sizeof(*scrape));

    if (scrape == NULL)
        return NULL;
    if (metrics->sample != NULL)
        metrics->sample(metrics->context);
    scrape->metric = metrics->first;
    return scrape;
}

void uex_scrape_free(struct uex_scrape *scrape)
{
    if (scrape == NULL)
        return;
    uex_buffer_clear(&scrape->pending);
    free(scrape);
}

/* ---- lines */

static void put(struct uex_buffer *out, const char *text)
{
    uex_buffer_append(out, text, strlen(text));
}

/* A large registry is mostly numbers: without printf they cost a fifth. */
static void put_count(struct uex_buffer *out, uint64_t count)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    uex_buffer_append(out, digits + at, sizeof(digits) - at);
}

/* The shortest text that reads back as the same number. */
static void put_real(struct uex_buffer *out, double value)
{
    char text[NUMBER_SIZE];

    if (isnan(value)) {
        put(out, "NaN");
    } else if (isinf(value)) {
        put(out, value > 0 ? "+Inf" : "-Inf");
    } else if (value >= 0 && value < EXACT_MAX && floor(value) == value) {
        put_count(out, (uint64_t)value);
    } else {
        (void)snprintf(text, sizeof(text), "%.15g", value);
        if (strtod(text, NULL) != value)
            (void)snprintf(text, sizeof(text), "%.17g", value);
        put(out, text);
    }
}

static void put_name(struct uex_buffer *out, const struct uex_metric *metric, const char *suffix,
                     const struct uex_series *series, const char *bound)
{
    put(out, metric->spec->name);
    put(out, suffix);
    if (series->labels_bytes > 0 || bound != NULL) {
        put(out, "{");
        uex_buffer_append(out, series->labels, series->labels_bytes);
        if (bound != NULL) {
            put(out, series->labels_bytes > 0 ? ",le=\"" : "le=\"");
            put(out, bound);
            put(out, "\"");
        }
        put(out, "}");
    }
    put(out, " ");
}

/* The count is the sum of the buckets as they were read, so that the two never differ. */
static void put_histogram(struct uex_buffer *out, const struct uex_metric *metric, const struct uex_series *series)
{
    uint64_t count = 0;

    for (size_t i = 0; i < UEX_BUCKET_COUNT; i++) {
        count += atomic_load_explicit(&series->histogram->buckets[i], memory_order_relaxed);
        put_name(out, metric, "_bucket", series, uex_bucket_texts[i]);
        put_count(out, count);
        put(out, "\n");
    }
    put_name(out, metric, "_sum", series, NULL);
    put_real(out, (double)atomic_load_explicit(&series->histogram->sum_us, memory_order_relaxed) / 1e6);
    put(out, "\n");
    put_name(out, metric, "_count", series, NULL);
    put_count(out, count);
    put(out, "\n");
}

static void put_series(struct uex_buffer *out, const struct uex_metric *metric, const struct uex_series *series)
{
    if (!atomic_load_explicit(&series->shown, memory_order_relaxed))
        return;
    if (series->histogram != NULL) {
        put_histogram(out, metric, series);
        return;
    }
    put_name(out, metric, "", series, NULL);
    if (metric->spec->kind == UEX_METRIC_COUNTER && !metric->spec->sampled)
        put_count(out, atomic_load_explicit(&series->count, memory_order_relaxed));
    else
        put_real(out, atomic_load_explicit(&series->value, memory_order_relaxed));
    put(out, "\n");
}

static void put_head(struct uex_buffer *out, const struct uex_metric *metric)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    put(out, "# HELP ");
    put(out, metric->spec->name);
    put(out, " ");
    for (const char *c = metric->spec->help; *c != '\0'; c++) {
        if (*c == '\\' || *c == '\n')
            put(out, *c == '\n' ? "\\n" : "\\\\");
        else
            uex_buffer_append(out, c, 1);
    }
    put(out, "\n# TYPE ");
    put(out, metric->spec->name);
    put(out, " ");
    put(out, kinds[metric->spec->kind]);
    put(out, "\n");
}

/* ---- pieces */

/* The next head or series. False at the end. */
static bool next_piece(struct uex_scrape *scrape)
{
    struct uex_series *next = NULL;

    uex_buffer_reset(&scrape->pending);
    scrape->taken_bytes = 0;
    if (scrape->metric == NULL)
        return false;
    if (!scrape->begun) {
        put_head(&scrape->pending, scrape->metric);
        scrape->begun = true;
        scrape->series = NULL;
        return true;
    }
    next = atomic_load_explicit(scrape->series == NULL ? &scrape->metric->first : &scrape->series->next,
                                memory_order_acquire);
    if (next != NULL) {
        put_series(&scrape->pending, scrape->metric, next);
        scrape->series = next;
    } else {
        scrape->metric = scrape->metric->next;
        scrape->begun = false;
    }
    return true;
}

size_t uex_scrape_read(struct uex_scrape *scrape, char *out, size_t size_bytes)
{
    size_t written = 0;

    while (written < size_bytes) {
        size_t left = scrape->pending.size_bytes - scrape->taken_bytes;

        if (left == 0) {
            if (!next_piece(scrape) || uex_buffer_failed(&scrape->pending))
                break;
            continue;
        }
        if (left > size_bytes - written)
            left = size_bytes - written;
        memcpy(out + written, scrape->pending.data + scrape->taken_bytes, left);
        scrape->taken_bytes += left;
        written += left;
    }
    return written;
}
