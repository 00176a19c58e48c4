/* SPDX-License-Identifier: Apache-2.0 */
/* include/export/cpus.h — how many CPUs this process may use. */
#ifndef EXPORT_CPUS_H
#define EXPORT_CPUS_H

/* The CPUs of the affinity mask, or fewer where a cgroup's quota allows fewer (rounded up), at least 1.
 * `self_path` is /proc/self/cgroup (cgroups(7)), `root` where the cgroups are mounted. */
int uex_cpus_allowed(const char *self_path, const char *root);

/* Only the quota: the CPUs that the cgroup and those above it allow, rounded up; 0: no limit is known.
 * Version 2: cpu.max; version 1: cpu.cfs_quota_us and cpu.cfs_period_us (Linux, Documentation/admin-guide/cgroup-v2.rst
 * and scheduler/sched-bwc.rst). */
int uex_cpu_quota(const char *self_path, const char *root);

/* The default of export.lanes: 2 for each CPU, at least 2, at most 64. */
int uex_lanes_default(int cpu_count);
#endif
