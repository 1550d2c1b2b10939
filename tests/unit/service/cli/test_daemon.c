/* SPDX-License-Identifier: MIT */
/* Each case runs in a child of the test, which is then the daemon's parent. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults/fault.h"
#include "service/cli/daemon.h"

/* Runs a case in a child; returns its exit status. A case returns 0 when all is well. */
static int in_child(int (*run)(void))
{
    const pid_t child = fork();
    int status;

    if (child == 0)
        _exit(run());
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int ready_case(void)
{
    struct daemon daemon;
    struct why why;
    char byte, directory[16];
    int pipe_fds[2];
    const pid_t session = getsid(0);
    const int inherited = open("/dev/null", O_RDONLY); /* as a careless caller leaves them open */

    if (pipe(pipe_fds) != 0 || dup2(pipe_fds[1], STDOUT_FILENO) < 0)
        return 1;
    close(pipe_fds[1]);
    switch (daemon_detach(&daemon, &why)) {
    case DAEMON_PARENT:
        close(STDOUT_FILENO);
        return read(pipe_fds[0], &byte, 1) == 1 && byte == 'k' ? 0 : 2;
    case DAEMON_CHILD:
        if (getsid(0) == session || getcwd(directory, sizeof(directory)) == NULL ||
            strcmp(directory, "/") != 0 || fcntl(inherited, F_GETFD) != -1 ||
            fcntl(pipe_fds[0], F_GETFD) != -1)
            _exit(write(STDOUT_FILENO, "?", 1) != 1);
        daemon_ready(&daemon);
        _exit(write(STDOUT_FILENO, "k", 1) != 1);
    default:
        return 3;
    }
}

static void the_parent_learns_that_it_is_ready(void **state)
{
    (void)state;
    assert_int_equal(in_child(ready_case), 0);
}

static int failure_case(void)
{
    struct daemon daemon;
    struct why why;
    const int rc = daemon_detach(&daemon, &why);

    if (rc == DAEMON_CHILD) {
        daemon_fail(&daemon, -ENXIO, &(struct why){"no image today"});
        _exit(1);
    }
    return rc == -ENXIO && strcmp(why.text, "no image today") == 0 ? 0 : 1;
}

static void the_parent_learns_why_it_failed(void **state)
{
    (void)state;
    assert_int_equal(in_child(failure_case), 0);
}

static int killed_case(void)
{
    struct daemon daemon;
    struct why why;
    const int rc = daemon_detach(&daemon, &why);

    if (rc == DAEMON_CHILD) {
        raise(SIGKILL);
        _exit(0);
    }
    return rc == -ECHILD && strstr(why.text, "SIGKILL") != NULL ? 0 : 1;
}

static int exited_case(void)
{
    struct daemon daemon;
    struct why why;
    const int rc = daemon_detach(&daemon, &why);

    if (rc == DAEMON_CHILD)
        _exit(42);
    return rc == -ECHILD && strstr(why.text, "status 42") != NULL ? 0 : 1;
}

static void the_parent_learns_that_it_died_without_a_word(void **state)
{
    (void)state;
    assert_int_equal(in_child(killed_case), 0);
    assert_int_equal(in_child(exited_case), 0);
}

static int only_the_first_report_counts_case(void)
{
    struct daemon daemon;
    struct why why;
    const int rc = daemon_detach(&daemon, &why);

    if (rc == DAEMON_CHILD) {
        daemon_ready(&daemon);
        daemon_fail(&daemon, -EIO, &(struct why){"too late"});
        _exit(0);
    }
    return rc == DAEMON_PARENT ? 0 : 1;
}

static void only_the_first_report_counts(void **state)
{
    (void)state;
    assert_int_equal(in_child(only_the_first_report_counts_case), 0);
}

static int parent_reports_to_nobody_case(void)
{
    struct daemon daemon = {.report_fd = STDOUT_FILENO};
    struct why why;
    int pipe_fds[2];
    char byte;
    if (pipe2(pipe_fds, O_NONBLOCK) != 0 || dup2(pipe_fds[1], STDOUT_FILENO) < 0)
        return 1;
    if (daemon_detach(&daemon, &why) == DAEMON_CHILD)
        _exit(0);
    daemon_ready(&daemon);
    return read(pipe_fds[0], &byte, 1) < 0 && errno == EAGAIN ? 0 : 2;
}

/* Neither does it close what happens to have that number. */
static void the_parent_reports_to_nobody(void **state)
{
    (void)state;
    assert_int_equal(in_child(parent_reports_to_nobody_case), 0);
}

static int redirect_case(void)
{
    char text[64] = "";
    int pipe_fds[2];

    if (pipe(pipe_fds) != 0 || daemon_redirect(pipe_fds[1]) != 0)
        return 1;
    if (write(STDOUT_FILENO, "out ", 4) != 4 || write(STDERR_FILENO, "err", 3) != 3)
        return 2;
    if (read(pipe_fds[0], text, sizeof(text) - 1) < 0 || strcmp(text, "out err") != 0)
        return 3;
    return read(STDIN_FILENO, text, 1) == 0 ? 0 : 4;
}

static void standard_descriptors_go_to_the_log(void **state)
{
    (void)state;
    assert_int_equal(in_child(redirect_case), 0);
}

static int lacking_case(void)
{
    static const char *const calls[] = {"pipe2", "fork"};
    struct daemon daemon;
    struct why why;
    for (int i = 0; i < 2; i++) {
        uint32_t descriptors = fault_open_descriptors();
        fault_arm_call(calls[i], 1, EAGAIN);
        int rc = daemon_detach(&daemon, &why);
        fault_disarm();
        if (rc != -EAGAIN || strstr(why.text, i == 0 ? "no pipe" : "no new process") == NULL ||
            fault_open_descriptors() != descriptors)
            return 1 + i;
    }
    return 0;
}

static void what_is_lacking_is_told(void **state)
{
    (void)state;
    assert_int_equal(in_child(lacking_case), 0);
}

static int no_root_case(void)
{
    struct daemon daemon;
    struct why why;
    fault_arm_call("chdir", 1, EACCES);
    int rc = daemon_detach(&daemon, &why);
    fault_disarm();
    return rc == -EACCES &&
                   strcmp(why.text, "cannot change to the root directory: Permission denied") == 0
               ? 0
               : 1;
}

static void what_the_child_lacks_is_told_by_the_parent(void **state)
{
    (void)state;
    assert_int_equal(in_child(no_root_case), 0);
}

static int no_redirect_case(void)
{
    uint32_t descriptors = fault_open_descriptors();
    fault_arm_call("open", 1, EMFILE);
    if (daemon_redirect(STDERR_FILENO) != -EMFILE)
        return 1;
    for (uint64_t n = 1; n <= 3; n++) {
        fault_arm_call("dup2", n, EBUSY);
        if (daemon_redirect(STDERR_FILENO) != -EBUSY)
            return 2;
    }
    fault_disarm();
    return fault_open_descriptors() == descriptors ? 0 : 3;
}

static void a_log_that_cannot_be_written_to_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(in_child(no_redirect_case), 0);
}

static int interrupted_case(void)
{
    struct daemon daemon;
    struct why why;
    fault_arm_call("read", 1, EINTR);
    int rc = daemon_detach(&daemon, &why);
    if (rc == DAEMON_CHILD) {
        fault_arm_call("write", 1, EINTR);
        daemon_fail(&daemon, -ENXIO, &(struct why){"no image today"});
        _exit(1);
    }
    fault_disarm();
    return rc == -ENXIO ? 0 : 1;
}

static void a_signal_loses_no_report(void **state)
{
    (void)state;
    assert_int_equal(in_child(interrupted_case), 0);
}

static int mask_case(void)
{
    struct daemon daemon;
    struct why why;
    int rc = daemon_detach(&daemon, &why);
    if (rc != DAEMON_CHILD)
        return rc == -EBADE ? 0 : 1;
    /* Nobody reads its files, and a report to a parent that is gone does not end it. */
    bool right = umask(0) == 077 && signal(SIGPIPE, SIG_DFL) == SIG_IGN;
    daemon_fail(&daemon, right ? -EBADE : -EINVAL, &(struct why){""});
    _exit(0);
}

static void its_files_are_its_own_and_a_lost_parent_does_not_end_it(void **state)
{
    (void)state;
    assert_int_equal(in_child(mask_case), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parent_learns_that_it_is_ready),
        cmocka_unit_test(the_parent_learns_why_it_failed),
        cmocka_unit_test(the_parent_learns_that_it_died_without_a_word),
        cmocka_unit_test(only_the_first_report_counts),
        cmocka_unit_test(the_parent_reports_to_nobody),
        cmocka_unit_test(standard_descriptors_go_to_the_log),
        cmocka_unit_test(what_is_lacking_is_told),
        cmocka_unit_test(what_the_child_lacks_is_told_by_the_parent),
        cmocka_unit_test(a_log_that_cannot_be_written_to_is_an_error),
        cmocka_unit_test(a_signal_loses_no_report),
        cmocka_unit_test(its_files_are_its_own_and_a_lost_parent_does_not_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
