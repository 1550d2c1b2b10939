/* SPDX-License-Identifier: MIT */
/*
 * waits_endless: waits without a time-out in a process that has a timer, while somebody else
 * changes the rate, of which such a wait must not notice anything: it ends by a byte that a child
 * writes a tenth of a second later, or by a signal that it sends. Exit 1: one ended otherwise.
 */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KINDS = 6 };

/* Of all signals: that of a change of rate is none of the program's. */
static int wait_for_signal(void)
{
    struct signalfd_siginfo info = {0};
    sigset_t all;

    sigfillset(&all);
    int fd = signalfd(-1, &all, SFD_CLOEXEC);
    if (fd < 0 || read(fd, &info, sizeof(info)) != sizeof(info))
        err(1, "signalfd");
    close(fd);
    return info.ssi_signo == SIGUSR1;
}

static int wait_for(int kind, int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    fd_set set;

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        err(1, "epoll");
    FD_ZERO(&set);
    FD_SET(fd, &set);
    switch (kind) {
    case 0:
        return poll(&pollfd, 1, -1);
    case 1:
        return ppoll(&pollfd, 1, NULL, NULL);
    case 2:
        return select(fd + 1, &set, NULL, NULL, NULL);
    case 3:
        return pselect(fd + 1, &set, NULL, NULL, NULL, NULL);
    case 4:
        return epoll_wait(epoll, &event, 1, -1);
    default:
        return wait_for_signal();
    }
}

int main(void)
{
    const struct timespec tenth = {.tv_nsec = 100000000};
    const struct itimerval far = {.it_value = {.tv_sec = 10000000}};

    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        int ends[2];
        pid_t child = pipe(ends) < 0 ? -1 : fork();
        if (child < 0)
            err(1, "a child");
        if (child == 0) {
            nanosleep(&tenth, NULL);
            if (kind == KINDS - 1)
                kill(getppid(), SIGUSR1);
            _exit(write(ends[1], "x", 1) != 1);
        }
        if (setitimer(ITIMER_REAL, &far, NULL) < 0)
            err(1, "setitimer");
        if (wait_for(kind, ends[0]) != 1)
            err(1, "wait %d", kind);
        waitpid(child, NULL, 0);
        close(ends[0]);
        close(ends[1]);
    }
    return 0;
}
