/* SPDX-License-Identifier: MIT */
/*
 * stamps_jump: a handler leaves by a jump, somewhere in the first call of a process that asks for a
 * socket's stamps, for which the shim sets a filter. Then another thread makes such a call. A line
 * for each process in which that waits for ever.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Of the domain's time, at TDF 10: the filter is being set somewhere between. */
enum { FIRST_NS = 5000, LAST_NS = 20000, STEP_NS = 50 };

static sigjmp_buf back;

static void jump(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

static void *ask(void *unused)
{
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)) != 0)
        _exit(2);
    return unused;
}

static _Noreturn void child(long after_ns)
{
    const struct itimerspec once = {.it_value.tv_nsec = after_ns};
    pthread_t thread;
    timer_t timer;

    signal(SIGALRM, jump);
    if (timer_create(CLOCK_MONOTONIC, NULL, &timer) != 0)
        _exit(3);
    if (sigsetjmp(back, 1) == 0) {
        (void)timer_settime(timer, 0, &once, NULL);
        (void)ask(NULL);
        for (;;)
            (void)pause();
    }
    signal(SIGALRM, SIG_DFL);
    alarm(1); /* ends who hangs */
    if (pthread_create(&thread, NULL, ask, NULL) != 0)
        _exit(4);
    pthread_join(thread, NULL);
    _exit(0);
}

int main(void)
{
    int failed = 0;

    for (long after_ns = FIRST_NS; after_ns < LAST_NS && failed == 0; after_ns += STEP_NS) {
        int status = 0;
        const pid_t pid = fork();
        if (pid == 0)
            child(after_ns);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            printf("a signal after %ld ns: status %#x\n", after_ns, (unsigned)status);
            failed = 1;
        }
    }
    return failed;
}
