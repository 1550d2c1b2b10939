/* SPDX-License-Identifier: MIT */
/*
 * waits_endless: waits without a time-out in a process that has a timer, while somebody else
 * changes the rate, of which such a wait must not notice anything: it ends by a byte that a child
 * writes half a second later. Exit 1: one ended otherwise.
 */
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KINDS = 5 };

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
    default:
        return epoll_wait(epoll, &event, 1, -1);
    }
}

int main(void)
{
    const struct timespec half = {.tv_nsec = 500000000};
    const struct itimerval far = {.it_value = {.tv_sec = 10000000}};

    for (int kind = 0; kind < KINDS; kind++) {
        int ends[2];
        pid_t child = pipe(ends) < 0 ? -1 : fork();
        if (child < 0)
            err(1, "a child");
        if (child == 0) {
            nanosleep(&half, NULL);
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
