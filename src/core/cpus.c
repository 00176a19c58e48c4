/* SPDX-License-Identifier: Apache-2.0 */
#include "export/cpus.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LANES_MIN 2
#define LANES_MAX 64

/* The smaller of two limits, where 0 is none. */
static int tighter(int left, int right)
{
    if (left == 0 || right == 0)
        return left + right;
    return left < right ? left : right;
}

static int cpus_of(int64_t quota_us, int64_t period_us)
{
    int64_t cpus = 0;

    if (quota_us <= 0 || period_us <= 0)
        return 0;
    cpus = (quota_us - 1) / period_us + 1;
    return cpus > INT_MAX ? INT_MAX : (int)cpus;
}

/* The first line of a small file; false if there is none. */
static bool read_line(const char *folder, const char *name, char *line, size_t size_bytes)
{
    char path[PATH_MAX];
    FILE *file = NULL;
    bool found = false;
    int written = snprintf(path, sizeof path, "%s/%s", folder, name);

    if (written < 0 || (size_t)written >= sizeof path)
        return false;
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    found = fgets(line, (int)size_bytes, file) != NULL;
    (void)fclose(file);
    return found;
}

static int quota_of_folder(const char *folder)
{
    char line[128];
    int64_t quota_us = 0;
    int64_t period_us = 0;

    /* "max 100000" has no number first and so no limit. */
    if (read_line(folder, "cpu.max", line, sizeof line))
        return sscanf(line, "%" SCNd64 " %" SCNd64, &quota_us, &period_us) == 2 ? cpus_of(quota_us, period_us) : 0;
    if (!read_line(folder, "cpu.cfs_quota_us", line, sizeof line) || sscanf(line, "%" SCNd64, &quota_us) != 1)
        return 0;
    if (!read_line(folder, "cpu.cfs_period_us", line, sizeof line) || sscanf(line, "%" SCNd64, &period_us) != 1)
        return 0;
    return cpus_of(quota_us, period_us);
}

/* A limit of any cgroup above holds too. In a container the path may be the host's, of which only the mount's root can
 * be seen: missing folders count as no limit, and the walk ends at the root. */
static int quota_of_path(const char *root, const char *controller, const char *path)
{
    char folder[PATH_MAX];
    int written = snprintf(folder, sizeof folder, "%s%s%s", root, controller, path);
    size_t root_bytes = strlen(root) + strlen(controller);
    int quota = 0;

    if (written < 0 || (size_t)written >= sizeof folder)
        return 0;
    for (;;) {
        char *slash = strrchr(folder, '/');

        quota = tighter(quota, quota_of_folder(folder));
        if (slash == NULL || (size_t)(slash - folder) < root_bytes)
            return quota;
        *slash = '\0';
    }
}

static bool names_cpu(const char *controllers)
{
    size_t size_bytes = 0;

    for (; *controllers != '\0'; controllers += size_bytes + (controllers[size_bytes] == ',')) {
        size_bytes = strcspn(controllers, ",");
        if (size_bytes == 3 && memcmp(controllers, "cpu", 3) == 0)
            return true;
    }
    return false;
}

int uex_cpu_quota(const char *self_path, const char *root)
{
    char line[PATH_MAX + 256];
    int quota = 0;
    FILE *file = fopen(self_path, "re");

    if (file == NULL)
        return 0;
    /* Lines are "id:controllers:/path"; version 2 is "0::/path". */
    while (fgets(line, (int)sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');

        if (path == NULL || path[1] != '/')
            continue;
        *path++ = '\0';
        controllers++;
        path[strcspn(path, "\n")] = '\0';
        if (*controllers == '\0') {
            quota = tighter(quota, quota_of_path(root, "", path));
            quota = tighter(quota, quota_of_path(root, "/unified", path));
        } else if (names_cpu(controllers)) {
            quota = tighter(quota, quota_of_path(root, "/cpu", path));
            quota = tighter(quota, quota_of_path(root, "/cpu,cpuacct", path));
        }
    }
    (void)fclose(file);
    return quota;
}

int uex_cpus_allowed(const char *self_path, const char *root)
{
    cpu_set_t set;
    int cpus = 0;

    CPU_ZERO(&set);
    /* A machine with more CPUs than the set has room for makes the call fail. */
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = CPU_COUNT(&set);
    else
        cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    cpus = tighter(cpus, uex_cpu_quota(self_path, root));
    return cpus < 1 ? 1 : cpus;
}

int uex_lanes_default(int cpu_count)
{
    if (cpu_count <= LANES_MIN / 2)
        return LANES_MIN;
    return cpu_count >= LANES_MAX / 2 ? LANES_MAX : 2 * cpu_count;
}
