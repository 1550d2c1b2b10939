/* SPDX-License-Identifier: MIT */
/* cpu_limit on version 1 of control groups, in directories that behave like it: a machine has its
 * controller cpu in one version only. */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/cpu_limit.h"

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);

static const char *const files[] = {"cpu.cfs_quota_us", "cpu.cfs_period_us", "cgroup.procs"};
static char root[64];
static struct cpu_limit limit;
static struct why why;

static void put(const char *path, const char *text)
{
    FILE *file = __real_fopen(path, "w");
    if (file == NULL)
        abort();
    fputs(text, file);
    fclose(file);
}

static const char *content(const char *name)
{
    static char text[64];
    char path[CPU_LIMIT_PATH_SIZE + 64];
    snprintf(path, sizeof(path), "%s/%s", limit.path, name);
    FILE *file = __real_fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* What tells where control groups are, and where we are. */
FILE *__wrap_fopen(const char *path, const char *mode)
{
    char other[128];
    const char *name = strcmp(path, "/proc/self/mounts") == 0   ? "mounts"
                       : strcmp(path, "/proc/self/cgroup") == 0 ? "cgroup"
                                                                : NULL;
    snprintf(other, sizeof(other), "%s/%s", root, name == NULL ? "" : name);
    return __real_fopen(name == NULL ? path : other, mode);
}

/* A group below the controller cpu has its files from the beginning. */
int __wrap_access(const char *path, int mode)
{
    char cpu[96], group[CPU_LIMIT_PATH_SIZE + 64], file[CPU_LIMIT_PATH_SIZE + 128];
    snprintf(cpu, sizeof(cpu), "%s/cpu/", root);
    if (strncmp(path, cpu, strlen(cpu)) == 0 && __real_access(path, F_OK) < 0) {
        snprintf(group, sizeof(group), "%s", path);
        *strrchr(group, '/') = '\0';
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
            snprintf(file, sizeof(file), "%s/%s", group, files[i]);
            put(file, "");
        }
    }
    return __real_access(path, mode);
}

/* The files of a group go with it. */
int __wrap_rmdir(const char *path)
{
    char file[CPU_LIMIT_PATH_SIZE + 64];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(file, sizeof(file), "%s/%s", path, files[i]);
        (void)unlink(file);
    }
    return __real_rmdir(path);
}

/* The controller cpu is mounted with cpuacct, and behind cpuset, whose name begins alike. */
static int setup(void **state)
{
    static const char *const directories[] = {"cpuset", "cpu", "cpu/a", "cpu/a/b"};
    char path[128], text[512];
    (void)state;
    snprintf(root, sizeof(root), "/tmp/cpu_limit.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, directories[i]);
        if (mkdir(path, 0755) < 0)
            return -1;
    }
    snprintf(path, sizeof(path), "%s/mounts", root);
    snprintf(text, sizeof(text),
             "proc /proc proc rw 0 0\nnone %s/cpuset cgroup rw,cpuset 0 0\n"
             "none %s/cpu cgroup rw,nosuid,cpuacct,cpu 0 0\n",
             root, root);
    put(path, text);
    snprintf(path, sizeof(path), "%s/cgroup", root);
    put(path, "5:cpuset:/elsewhere\n4:cpuacct,cpu:/a/b\n");
    return 0;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    cpu_limit_destroy(&limit);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void the_group_is_below_ours_of_the_controller_cpu(void **state)
{
    char wanted[192];
    struct stat st;
    (void)state;
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    snprintf(wanted, sizeof(wanted), "%s/cpu/a/b/splitdom-run-%ld", root, (long)getpid());
    assert_string_equal(limit.path, wanted);
    assert_false(limit.unified);
    assert_int_equal(cpu_limit_enter(&limit), 0);
    assert_string_equal(content("cgroup.procs"), "0");
    cpu_limit_destroy(&limit);
    assert_int_equal(stat(wanted, &st), -1);
}

/* The quota is off while the period changes: the kernel refuses what does not fit together. */
static void a_share_is_a_quota_of_a_period(void **state)
{
    static const struct {
        uint64_t num, den;
        const char *period, *quota;
    } shares[] = {{1, 1, "100000", "-1"},
                  {1, 10, "100000", "10000"},
                  {99, 100, "100000", "99000"},
                  {1, 1000, "1000000", "1000"}};
    (void)state;
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        for (int k = 0; k < 2; k++) { /* a file keeps what is longer */
            char path[CPU_LIMIT_PATH_SIZE + 64];
            snprintf(path, sizeof(path), "%s/%s", limit.path, files[k]);
            assert_int_equal(truncate(path, 0), 0);
        }
        assert_int_equal(cpu_limit_set(&limit, shares[i].num, shares[i].den, &why), 0);
        assert_string_equal(content("cpu.cfs_period_us"), shares[i].period);
        assert_string_equal(content("cpu.cfs_quota_us"), shares[i].quota);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_group_is_below_ours_of_the_controller_cpu, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_share_is_a_quota_of_a_period, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
