/* SPDX-License-Identifier: MIT */
/* dies: does a mistake of our own end the program? For the assertions of the sources. */
#ifndef SPLITDOM_TESTS_FAKES_DIES_H
#define SPLITDOM_TESTS_FAKES_DIES_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs fn(arg) in a child. True: it was ended by abort(). */
static inline bool dies(void (*fn)(void *arg), void *arg)
{
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) != NULL)
            fn(arg);
        _exit(0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
