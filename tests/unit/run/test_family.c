/* SPDX-License-Identifier: MIT */
/* family: descendants however far, orphans too, and nobody else. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run/family.h"

enum { HANG_S = 60 };

/* A child, its child in a session of its own, and that one's: all wait. The first ends if it is to
 * leave orphans. Returns when all are there, and the first is gone that is to be. */
static void make_three(bool orphans)
{
    int there[2];
    char bytes[3];
    assert_int_equal(pipe(there), 0);
    pid_t first = fork();
    if (first == 0) {
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
    if (orphans)
        assert_int_equal(waitpid(first, NULL, 0), first);
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

static void *wait_for_ever(void *unused)
{
    while (pause() < 0)
        ;
    return unused;
}

/* Its main thread has ended, its child waits: both are there. */
static pid_t make_headless(void)
{
    int there[2];
    char byte;
    assert_int_equal(pipe(there), 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        if (fork() == 0)
            wait_for_ever(NULL);
        if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
            _exit(1);
        (void)!write(there[1], "x", 1);
        close(there[1]);
        syscall(SYS_exit, 0); /* this thread alone */
    }
    assert_int_equal(read(there[0], &byte, 1), 1);
    close(there[0]);
    close(there[1]);
    return pid;
}

static bool is_zombie(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    const char *after = strrchr(text, ')');
    return after != NULL && after[2] == 'Z';
}

static void one_without_its_main_thread_is_there_and_its_children_are(void **state)
{
    (void)state;
    pid_t pid = make_headless();
    while (!is_zombie(pid))
        sched_yield();
    family_signal(SIGTERM);
    assert_int_equal(reap(SIGTERM), 2);
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
        cmocka_unit_test_setup(one_without_its_main_thread_is_there_and_its_children_are, begin),
        cmocka_unit_test_setup(who_forks_meanwhile_is_killed, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
