/* SPDX-License-Identifier: MIT */
/* cpu_limit: a control group of this machine, where one may be made. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/cpu_limit.h"

static struct cpu_limit limit;
static struct why why;

static int setup(void **state)
{
    (void)state;
    return cpu_limit_create(&limit, &why) < 0 && why.text[0] == '\0' ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    cpu_limit_destroy(&limit);
    return 0;
}

static void need_group(void)
{
    if (limit.path[0] == '\0')
        skip(); /* the reason is in why */
}

static void content(const char *file, char out[64])
{
    char path[CPU_LIMIT_PATH_SIZE + 64];
    snprintf(path, sizeof(path), "%s/%s", limit.path, file);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_non_null(fgets(out, 64, stream));
    fclose(stream);
    out[strcspn(out, "\n")] = '\0';
}

static void assert_quota(uint64_t num, uint64_t den, const char *quota, const char *period)
{
    char text[64], wanted[64];
    assert_int_equal(cpu_limit_set(&limit, num, den, &why), 0);
    if (limit.unified) {
        snprintf(wanted, sizeof(wanted), "%s %s", strcmp(quota, "-1") == 0 ? "max" : quota, period);
        content("cpu.max", text);
        assert_string_equal(text, wanted);
        return;
    }
    content("cpu.cfs_quota_us", text);
    assert_string_equal(text, quota);
    content("cpu.cfs_period_us", text);
    assert_string_equal(text, period);
}

static void a_share_becomes_a_quota(void **state)
{
    (void)state;
    need_group();
    assert_quota(1, 10, "10000", "100000");
    assert_quota(1, 3, "33333", "100000");
    assert_quota(1, 1, "-1", "100000");
    /* The kernel's least quota is a millisecond: the period grows. */
    assert_quota(1, 1000, "1000", "1000000");
    assert_quota(1, 2, "50000", "100000");
}

static void a_child_enters_and_the_group_goes(void **state)
{
    (void)state;
    char path[CPU_LIMIT_PATH_SIZE];
    struct stat st;
    int status;
    need_group();
    snprintf(path, sizeof(path), "%s", limit.path);
    pid_t pid = fork();
    if (pid == 0)
        _exit(-cpu_limit_enter(&limit));
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    cpu_limit_destroy(&limit);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(errno, ENOENT);
}

static void another_process_is_put_in_once(void **state)
{
    (void)state;
    need_group();
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    assert_true(pid > 0); /* -1 would be everybody */
    int first = cpu_limit_take(&limit, pid), second = cpu_limit_take(&limit, pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(first, 1);
    assert_int_equal(second, 0);
    assert_int_equal(cpu_limit_take(&limit, pid), -ESRCH);
}

/* Of somebody who was killed. */
static void what_is_left_behind_is_removed(void **state)
{
    (void)state;
    char path[CPU_LIMIT_PATH_SIZE];
    struct stat st;
    need_group();
    snprintf(path, sizeof(path), "%s", limit.path);
    pid_t pid = fork();
    if (pid == 0) {
        struct cpu_limit lost;
        _exit(cpu_limit_create(&lost, &why) < 0);
    }
    waitpid(pid, NULL, 0);
    snprintf(strrchr(path, '-'), 16, "-%d", (int)pid);
    assert_int_equal(stat(path, &st), 0);
    cpu_limit_destroy(&limit);
    assert_int_equal(cpu_limit_create(&limit, &why), 0);
    assert_int_equal(stat(path, &st), -1);
}

/* As 0 is a descriptor like any other. */
static void a_program_without_stdin_has_its_limit(void **state)
{
    (void)state;
    need_group();
    int saved = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    int rc = cpu_limit_set(&limit, 1, 5, &why);
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(saved);
    assert_int_equal(rc, 0);
    assert_quota(1, 5, "20000", "100000");
}

static void none_is_no_trouble(void **state)
{
    (void)state;
    struct cpu_limit none = {.path = ""};
    assert_int_equal(cpu_limit_set(&none, 1, 2, &why), 0);
    assert_int_equal(cpu_limit_enter(&none), 0);
    assert_int_equal(cpu_limit_take(&none, getpid()), 0);
    cpu_limit_destroy(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_share_becomes_a_quota, setup, teardown),
        cmocka_unit_test_setup_teardown(a_child_enters_and_the_group_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(another_process_is_put_in_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_left_behind_is_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_without_stdin_has_its_limit, setup, teardown),
        cmocka_unit_test(none_is_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
