/* SPDX-License-Identifier: MIT */
/* cpu_limit on version 2 of control groups, in directories that behave like it: a machine has its
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

static char root[64];
static struct cpu_limit limit;
static struct why why;

static void put(const char *where, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, where);
    FILE *file = __real_fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *content(const char *directory, const char *name)
{
    static char text[64];
    char path[CPU_LIMIT_PATH_SIZE + 64];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
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

/* A group has cpu.max once the one above it hands the controller down. */
int __wrap_access(const char *path, int mode)
{
    char parent[CPU_LIMIT_PATH_SIZE + 64];
    snprintf(parent, sizeof(parent), "%s", path);
    for (int i = 0; i < 2; i++)
        *strrchr(parent, '/') = '\0';
    strcat(parent, "/cgroup.subtree_control");
    FILE *control = __real_fopen(parent, "r");
    char text[16] = "";
    if (control != NULL && fgets(text, sizeof(text), control) != NULL && strstr(text, "cpu")) {
        FILE *file = __real_fopen(path, "a");
        if (file != NULL)
            fclose(file);
    }
    if (control != NULL)
        fclose(control);
    return __real_access(path, mode);
}

/* The files of a group go with it. */
int __wrap_rmdir(const char *path)
{
    static const char *const names[] = {"cpu.max", "cgroup.procs"};
    char file[CPU_LIMIT_PATH_SIZE + 64];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(file, sizeof(file), "%s/%s", path, names[i]);
        (void)unlink(file);
    }
    return __real_rmdir(path);
}

static void make(const char *where)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, where);
    assert_int_equal(mkdir(path, 0755), 0);
}

/* We are in /a/b; there the controller can be handed down, or there is no such file. */
static void machine(bool in_ours, bool above)
{
    char mounts[256];
    snprintf(mounts, sizeof(mounts),
             "proc /proc proc rw 0 0\nnone /x cgroup rw,memory 0 0\ncgroup2 %s/v2 cgroup2 rw 0 0\n",
             root);
    put("mounts", mounts);
    put("cgroup", "3:memory:/elsewhere\n0::/a/b\n");
    make("v2");
    make("v2/a");
    make("v2/a/b");
    if (in_ours)
        put("v2/a/b/cgroup.subtree_control", "");
    if (above)
        put("v2/a/cgroup.subtree_control", "cpu io");
}

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/cpu_limit.XXXXXX");
    return mkdtemp(root) == NULL ? -1 : 0;
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

static void assert_in(const char *where)
{
    char wanted[256];
    snprintf(wanted, sizeof(wanted), "%s/%s/splitdom-run-%ld", root, where, (long)getpid());
    assert_string_equal(limit.path, wanted);
    assert_true(limit.unified);
}

static void a_share_is_a_quota_of_a_period(void **state)
{
    static const struct {
        uint64_t num, den;
        const char *text;
    } shares[] = {
        {1, 10, "10000 100000"}, {1, 3, "33333 100000"}, {1, 1000, "1000 1000000"},
        {1, 1, "max 100000"},    {1, 2, "50000 100000"},
    };
    (void)state;
    machine(true, false);
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    assert_in("v2/a/b");
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        char cpu_max[CPU_LIMIT_PATH_SIZE + 16];
        snprintf(cpu_max, sizeof(cpu_max), "%s/cpu.max", limit.path);
        assert_int_equal(truncate(cpu_max, 0), 0); /* a file keeps what is longer */
        assert_int_equal(cpu_limit_set(&limit, shares[i].num, shares[i].den, &why), 0);
        assert_string_equal(content(limit.path, "cpu.max"), shares[i].text);
    }
}

static void the_controller_is_handed_down(void **state)
{
    char path[128];
    (void)state;
    machine(true, false);
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    snprintf(path, sizeof(path), "%s/v2/a/b", root);
    assert_string_equal(content(path, "cgroup.subtree_control"), "+cpu");
}

/* As in a group that has processes, which hands no controller down. */
static void the_next_one_above_will_do(void **state)
{
    (void)state;
    machine(false, true);
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    assert_in("v2/a");
}

static void a_process_enters_and_the_group_goes(void **state)
{
    struct stat st;
    char path[CPU_LIMIT_PATH_SIZE], procs[256];
    (void)state;
    machine(true, false);
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    snprintf(procs, sizeof(procs), "v2/a/b/splitdom-run-%ld/cgroup.procs", (long)getpid());
    put(procs, "");
    assert_int_equal(cpu_limit_enter(&limit), 0);
    assert_string_equal(content(limit.path, "cgroup.procs"), "0");
    snprintf(path, sizeof(path), "%s", limit.path);
    cpu_limit_destroy(&limit);
    assert_int_equal(stat(path, &st), -1);
}

static void no_controller_is_told_and_leaves_nothing(void **state)
{
    struct stat st;
    char path[128];
    (void)state;
    machine(false, false);
    assert_true(cpu_limit_create(&limit, &why) < 0);
    assert_non_null(strstr(why.text, "v2/a/b"));
    assert_string_equal(limit.path, "");
    snprintf(path, sizeof(path), "%s/v2/splitdom-run-%ld", root, (long)getpid());
    assert_int_equal(stat(path, &st), -1);
}

/* The kernel takes no quota below a millisecond: only a share that would have such has a longer
 * period, as long as needed. */
static void a_quota_is_never_too_small_for_the_kernel(void **state)
{
    static const struct {
        uint64_t num, den;
        const char *text;
    } shares[] = {{99, 100, "99000 100000"},
                  {1, 100, "1000 100000"},
                  {1, 101, "1000 101000"},
                  {7, 1000, "1000 142858"}};
    (void)state;
    machine(true, false);
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        char cpu_max[CPU_LIMIT_PATH_SIZE + 16];
        snprintf(cpu_max, sizeof(cpu_max), "%s/cpu.max", limit.path);
        assert_int_equal(truncate(cpu_max, 0), 0); /* a file keeps what is longer */
        assert_int_equal(cpu_limit_set(&limit, shares[i].num, shares[i].den, &why), 0);
        assert_string_equal(content(limit.path, "cpu.max"), shares[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_share_is_a_quota_of_a_period, setup, teardown),
        cmocka_unit_test_setup_teardown(the_controller_is_handed_down, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_one_above_will_do, setup, teardown),
        cmocka_unit_test_setup_teardown(a_process_enters_and_the_group_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(no_controller_is_told_and_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_quota_is_never_too_small_for_the_kernel, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
