/* SPDX-License-Identifier: Apache-2.0 */
/* src/metrics/process.c — the process_… families, as Prometheus' client libraries name them. Source: proc(5). */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "export/metrics.h"

enum uex_error uex_process_metrics_add(struct uex_metrics *metrics, struct uex_process_metrics *out)
{
    const struct {
        struct uex_metric **metric;
        struct uex_metric_spec spec;
    } families[] = {
        {&out->cpu_seconds,
         {.name = "process_cpu_seconds_total",
          .help = "User and system CPU time spent in seconds.",
          .kind = UEX_METRIC_COUNTER,
          .sampled = true}},
        {&out->start_time,
         {.name = "process_start_time_seconds",
          .help = "Start time of the process since the Unix epoch in seconds.",
          .kind = UEX_METRIC_GAUGE,
          .sampled = true}},
        {&out->resident_bytes,
         {.name = "process_resident_memory_bytes",
          .help = "Resident memory size in bytes.",
          .kind = UEX_METRIC_GAUGE,
          .sampled = true}},
        {&out->virtual_bytes,
         {.name = "process_virtual_memory_bytes",
          .help = "Virtual memory size in bytes.",
          .kind = UEX_METRIC_GAUGE,
          .sampled = true}},
        {&out->open_fds,
         {.name = "process_open_fds",
          .help = "Number of open file descriptors.",
          .kind = UEX_METRIC_GAUGE,
          .sampled = true}},
        {&out->max_fds,
         {.name = "process_max_fds",
          .help = "Maximum number of open file descriptors.",
          .kind = UEX_METRIC_GAUGE,
          .sampled = true}},
        {&out->threads,
         {.name = "process_threads", .help = "Number of threads.", .kind = UEX_METRIC_GAUGE, .sampled = true}},
    };

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        *families[i].metric = uex_metrics_add(metrics, &families[i].spec);
        if (*families[i].metric == NULL)
            return UEX_NO_MEMORY;
    }
    return UEX_OK;
}

static bool read_text(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

    if (fd >= 0)
        (void)close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    return true;
}

/* Seconds since the epoch at which the machine started; 0: unknown. */
static double boot_time(void)
{
    char text[4096];
    char *line = NULL;
    const int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    double at = 0;

    if (file == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return 0;
    }
    while (at == 0 && (line = fgets(text, sizeof(text), file)) != NULL) {
        if (strncmp(line, "btime ", 6) == 0)
            at = strtod(line + 6, NULL);
    }
    (void)fclose(file);
    return at;
}

/* Fields of /proc/self/stat, counted from 3 behind the command's name in parentheses. */
enum {
    FIELD_FIRST = 3,
    FIELD_UTIME = 14,
    FIELD_STIME = 15,
    FIELD_THREADS = 20,
    FIELD_START = 22,
    FIELD_VSIZE = 23,
    FIELD_RSS = 24
};

static void sample_stat(const struct uex_process_metrics *process)
{
    const double ticks = (double)sysconf(_SC_CLK_TCK);
    double fields[FIELD_RSS + 1] = {0};
    char text[2048];
    char *at = NULL;
    double booted = 0;

    if (!read_text("/proc/self/stat", text, sizeof(text)) || (at = strrchr(text, ')')) == NULL || ticks <= 0)
        return;
    at += 1 + strspn(at + 1, " ");
    for (int field = FIELD_FIRST; field <= FIELD_RSS && *at != '\0'; field++) {
        fields[field] = strtod(at, NULL);
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    uex_series_set(uex_metric_plain(process->cpu_seconds), (fields[FIELD_UTIME] + fields[FIELD_STIME]) / ticks);
    uex_series_set(uex_metric_plain(process->threads), fields[FIELD_THREADS]);
    uex_series_set(uex_metric_plain(process->virtual_bytes), fields[FIELD_VSIZE]);
    uex_series_set(uex_metric_plain(process->resident_bytes), fields[FIELD_RSS] * (double)sysconf(_SC_PAGESIZE));
    booted = boot_time();
    if (booted > 0)
        uex_series_set(uex_metric_plain(process->start_time), booted + fields[FIELD_START] / ticks);
}

static void sample_files(const struct uex_process_metrics *process)
{
    struct rlimit limit = {0};
    DIR *folder = opendir("/proc/self/fd");
    double count = 0;

    if (folder != NULL) {
        while (readdir(folder) != NULL)
            count++;
        (void)closedir(folder);
        uex_series_set(uex_metric_plain(process->open_fds), count - 3); /* ".", ".." and the folder itself */
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        uex_series_set(uex_metric_plain(process->max_fds), (double)limit.rlim_cur);
}

void uex_process_metrics_sample(const struct uex_process_metrics *process)
{
    sample_stat(process);
    sample_files(process);
}
