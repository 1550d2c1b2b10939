/* SPDX-License-Identifier: MIT */
/* family: descendants however far, orphans too, and nobody else. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/family.h"

enum { HANG_S = 60 };

/* A child, its child in a session of its own, and that one's: all wait. The first ends if it is to
 * leave orphans. Returns when all are there. */
static void make_three(bool orphans)
{
    int there[2];
    char bytes[3];
    assert_int_equal(pipe(there), 0);
    if (fork() == 0) {
        for (int i = 0; i < 2; i++) {
            (void)!write(there[1], "x", 1);
            pid_t pid = fork();
            if (pid != 0) {
                if (i == 0 && orphans)
                    _exit(0);
                for (;;)
                    pause();
            }
            (void)setsid();
        }
        (void)!write(there[1], "x", 1);
        for (;;)
            pause();
    }
    for (size_t got = 0; got < sizeof(bytes);) {
        ssize_t n = read(there[0], bytes, sizeof(bytes) - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    close(there[0]);
    close(there[1]);
}

/* How many children there were that this signal ended. */
static int reap(int signo)
{
    int status, count = 0;
    for (;;) {
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0)
            return count;
        count += WIFSIGNALED(status) && WTERMSIG(status) == signo;
    }
}

static int begin(void **state)
{
    (void)state;
    alarm(HANG_S);
    return family_begin();
}

static void all_get_the_signal(void **state)
{
    (void)state;
    make_three(false);
    family_signal(SIGTERM);
    assert_int_equal(reap(SIGTERM), 3);
}

static void orphans_are_of_the_family(void **state)
{
    (void)state;
    make_three(true);
    family_signal(SIGTERM);
    assert_int_equal(reap(SIGTERM), 2);
}

static void all_are_killed(void **state)
{
    (void)state;
    make_three(false);
    make_three(true);
    family_kill();
    assert_int_equal(reap(SIGKILL), 5);
}

/* Somebody who forks all the time is caught all the same. */
static void who_forks_meanwhile_is_killed(void **state)
{
    (void)state;
    if (fork() == 0) {
        for (;;) {
            if (fork() > 0)
                _exit(0);
        }
    }
    int ended = 0;
    for (int i = 0; i < 1000 && ended >= 0; i++) {
        family_kill();
        while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
    }
    assert_int_equal(ended, -1);
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_get_the_signal, begin),
        cmocka_unit_test_setup(orphans_are_of_the_family, begin),
        cmocka_unit_test_setup(all_are_killed, begin),
        cmocka_unit_test_setup(who_forks_meanwhile_is_killed, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
