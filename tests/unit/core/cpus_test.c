/* SPDX-License-Identifier: Apache-2.0 */
#include "export/cpus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* One made-up machine: /proc/self/cgroup and some files below the mount point. */
struct machine {
    const char *self;
    struct {
        const char *folder, *name, *text;
    } files[4];
    int quota;
};

static void put(const char *root, const char *folder, const char *name, const char *text)
{
    char path[512];
    FILE *file = NULL;

    snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int quota_on(const struct machine *machine)
{
    char root[] = "/tmp/config_cpus_test.XXXXXX";
    char path[64], command[128];
    int quota = 0;

    assert_non_null(mkdtemp(root));
    put(root, "", "self", machine->self);
    for (size_t i = 0; i < 4 && machine->files[i].name != NULL; i++)
        put(root, machine->files[i].folder, machine->files[i].name, machine->files[i].text);
    snprintf(path, sizeof path, "%s/self", root);
    quota = uex_cpu_quota(path, root);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
    return quota;
}

static void cpu_quota__machines_of_all_kinds__is_read(void **state)
{
    static const struct machine machines[] = {
        /* version 2 */
        {"0::/\n", {{"", "cpu.max", "150000 100000\n"}}, 2},
        {"0::/\n", {{"", "cpu.max", "max 100000\n"}}, 0},
        {"0::/a/b\n", {{"/a/b", "cpu.max", "400000 100000\n"}, {"/a", "cpu.max", "250000 100000\n"}}, 3},
        {"0::/a/b\n", {{"/a/b", "cpu.max", "100000 100000\n"}, {"/a", "cpu.max", "max 100000\n"}}, 1},
        {"0::/a/b\n", {{NULL}}, 0},
        {"0::/host/path\n", {{"", "cpu.max", "50000 100000\n"}}, 1},
        /* version 1 */
        {"3:cpu,cpuacct:/d\n0::/\n",
         {{"/cpu,cpuacct/d", "cpu.cfs_quota_us", "300000\n"}, {"/cpu,cpuacct/d", "cpu.cfs_period_us", "100000\n"}},
         3},
        {"3:cpu:/d\n", {{"/cpu", "cpu.cfs_quota_us", "10000\n"}, {"/cpu", "cpu.cfs_period_us", "100000\n"}}, 1},
        {"3:cpu:/\n", {{"/cpu", "cpu.cfs_quota_us", "-1\n"}, {"/cpu", "cpu.cfs_period_us", "100000\n"}}, 0},
        {"3:cpuset,cpuacct:/\n", {{"/cpu", "cpu.cfs_quota_us", "1\n"}, {"/cpu", "cpu.cfs_period_us", "1\n"}}, 0},
        /* both */
        {"3:cpu:/\n0::/u\n", {{"/unified/u", "cpu.max", "700000 100000\n"}}, 7},
        /* nonsense */
        {"", {{NULL}}, 0},
        {"x\n:\n::\n0::x\n", {{"", "cpu.max", "1 1\n"}}, 0},
        {"0::/\n", {{"", "cpu.max", ""}}, 0},
        {"0::/\n", {{"", "cpu.max", "0 0\n"}}, 0},
        {"0::/\n", {{"", "cpu.max", "9223372036854775807 1\n"}}, INT32_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (quota_on(&machines[i]) != machines[i].quota)
            fail_msg("machine %zu: %d, not %d", i, quota_on(&machines[i]), machines[i].quota);
    }
}

static void cpu_quota__nothing_there__is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(uex_cpu_quota("/nonexistent", "/nonexistent"), 0);
    assert_true(uex_cpus_allowed("/nonexistent", "/nonexistent") >= 1);
}

static void lanes_default__cpus__are_doubled_within_bounds(void **state)
{
    (void)state;
    assert_int_equal(uex_lanes_default(0), 2);
    assert_int_equal(uex_lanes_default(1), 2);
    assert_int_equal(uex_lanes_default(2), 4);
    assert_int_equal(uex_lanes_default(31), 62);
    assert_int_equal(uex_lanes_default(32), 64);
    assert_int_equal(uex_lanes_default(INT32_MAX), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_quota__machines_of_all_kinds__is_read),
        cmocka_unit_test(cpu_quota__nothing_there__is_no_limit),
        cmocka_unit_test(lanes_default__cpus__are_doubled_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
