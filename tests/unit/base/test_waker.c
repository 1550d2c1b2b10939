/* SPDX-License-Identifier: MIT */
/* waker: who is stopped beside a stopped child goes on with it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/waker.h"

enum { HANG_S = 60 };

/* A process that has a stopped child and a waker for it, and stops. Tells the child's number. */
static _Noreturn void stop_beside_child(int fd)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody stays stopped behind a test that fails */
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        raise(SIGSTOP);
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
        _exit(1);
    pid_t waker = waker_start(child);
    if (waker < 0 || write(fd, &child, sizeof(child)) != sizeof(child))
        _exit(2);
    raise(SIGSTOP);
    waker_end(waker);
    _exit(0);
}

/* It stops, and goes on when its child gets that signal. */
static void goes_on_after(int signo)
{
    int ends[2], status;
    pid_t child;
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0)
        stop_beside_child(ends[1]);
    alarm(HANG_S);
    close(ends[1]);
    assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
    assert_int_equal(waitpid(parent, &status, WUNTRACED), parent);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(kill(child, signo), 0);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    alarm(0);
    close(ends[0]);
}

static void test_a_parent_goes_on_with_its_child(void **state)
{
    (void)state;
    goes_on_after(SIGCONT);
}

static void test_a_parent_goes_on_when_its_child_has_ended(void **state)
{
    (void)state;
    goes_on_after(SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_parent_goes_on_with_its_child),
        cmocka_unit_test(test_a_parent_goes_on_when_its_child_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
