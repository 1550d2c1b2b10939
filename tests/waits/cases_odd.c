/* SPDX-License-Identifier: MIT */
/* Where something is missing or too much: /proc, descriptors, a thread that a fork has left behind,
 * ten thousand timers, more threads that wait than are known; and arguments that are wrong. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/waits/sleep.h"
#include "tests/waits/waits.h"

enum { FORKS = 20, MANY = 10000, CROWD = 4200 };

static void until(int fd, int flags, struct timespec when)
{
    const struct itimerspec spec = {.it_value = when};
    uint64_t expiries;
    must(timerfd_settime(fd, flags, &spec, NULL), "timerfd_settime");
    must(read(fd, &expiries, sizeof(expiries)), "read of a timerfd");
    end(0);
}

/* In a root where there is no /proc. */
static void in_another_root(clockid_t clock, int flags)
{
    int fd = timerfd_create(clock, 0);
    must(fd, "timerfd_create");
    if (chroot("/sys") < 0)
        absent("chroot");
    struct timespec when = flags ? wait_until(clock) : wait_timespec();
    begin();
    until(fd, flags, when);
}

static void fd_in_another_root(void)
{
    in_another_root(CLOCK_MONOTONIC, 0);
}

static void fd_until_in_another_root(void)
{
    in_another_root(CLOCK_REALTIME, TFD_TIMER_ABSTIME);
}

static void no_descriptor_left(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, 0);
    must(fd, "timerfd_create");
    const struct rlimit none = {0, 0};
    must(setrlimit(RLIMIT_NOFILE, &none), "setrlimit");
    struct timespec when = wait_until(CLOCK_REALTIME);
    begin();
    until(fd, TFD_TIMER_ABSTIME, when);
}

/* The same, by a number that it was not made as: for a span, whatever its clock. */
static void no_descriptor_left_for_a_copy(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, 0), copy = dup(fd);
    must(copy, "a timerfd");
    const struct rlimit none = {0, 0};
    must(setrlimit(RLIMIT_NOFILE, &none), "setrlimit");
    begin();
    until(copy, 0, wait_timespec());
}

static int shared_fd;

static void *arm_always(void *unused)
{
    (void)unused;
    const struct itimerspec far = {.it_value = {.tv_sec = 1000}};
    for (;;)
        (void)timerfd_settime(shared_fd, 0, &far, NULL);
    return NULL;
}

/* A child finds no timer that a thread of its parent's was about to arm, and waits for none. */
static void fork_beside_timers(void)
{
    const struct itimerspec far = {.it_value = {.tv_sec = 1000}};
    pthread_t thread;
    shared_fd = timerfd_create(CLOCK_MONOTONIC, 0);
    must(shared_fd, "timerfd_create");
    must(-pthread_create(&thread, NULL, arm_always, NULL), "thread");
    for (int i = 0; i < FORKS; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(timerfd_settime(shared_fd, 0, &far, NULL) != 0);
        if (waitpid(pid, &status, 0) != pid || status != 0)
            broken("a child waits for a thread that it does not have");
    }
    sleep_and_end();
}

static void many_timers(void)
{
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    const struct itimerspec far = {.it_value = {.tv_sec = 1000}};
    struct rlimit limit;
    timer_t timer;
    if (getrlimit(RLIMIT_SIGPENDING, &limit) < 0 || limit.rlim_cur < MANY)
        absent("so many timers");
    for (int i = 0; i < MANY; i++) {
        must(timer_create(CLOCK_MONOTONIC, &none, &timer), "timer_create");
        must(timer_settime(timer, 0, &far, NULL), "timer_settime");
    }
    sleep_and_end();
}

static atomic_int crowd;
static int news[2];

static void *wait_for_long(void *arg)
{
    const struct timespec far = {.tv_sec = 1000000};
    (void)arg;
    atomic_fetch_add(&crowd, 1);
    nanosleep(&far, NULL);
    return NULL;
}

static void *tell_news(void *arg)
{
    (void)arg;
    sleep_once();
    must(write(news[1], "n", 1), "write");
    return NULL;
}

static void start(void *(*run)(void *))
{
    pthread_attr_t small;
    pthread_t thread;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    if (pthread_create(&thread, &small, run, NULL) != 0)
        absent("so many threads");
    pthread_attr_destroy(&small);
}

static void select_in_a_crowd(void)
{
    struct timeval patience = {.tv_sec = 20 + 20 * wait_ns / 1000000000};
    fd_set set;
    must(pipe(news), "pipe");
    for (int i = 0; i < CROWD; i++)
        start(wait_for_long);
    while (atomic_load(&crowd) < CROWD)
        sched_yield();
    FD_ZERO(&set);
    FD_SET(news[0], &set);
    begin();
    start(tell_news);
    if (select(news[0] + 1, &set, NULL, NULL, &patience) != 1 || !FD_ISSET(news[0], &set))
        broken("select notices nothing");
    end(0);
}

static void fails(long rc, int error, const char *what)
{
    if (rc >= 0 || errno != error)
        broken(what);
}

/* For reads that wait for long where there is room. */
static void wrong_lists(void)
{
    struct timeval span = {.tv_sec = 2};
    struct iovec list[UIO_MAXIOV + 1] = {{.iov_len = 0}};
    int sockets[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
    must(setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &span, sizeof(span)), "SO_RCVTIMEO");
    must(readv(sockets[0], list, 2), "readv of nothing");
    for (int i = 0; i <= UIO_MAXIOV; i++)
        list[i] = (struct iovec){&span, 1};
    fails(readv(sockets[0], list, UIO_MAXIOV + 1), EINVAL, "a list for readv that is too long");
    fails(syscall(SYS_readv, sockets[0], 8L, 1), EFAULT, "no list for readv");
    sleep_and_end();
}

/* As the kernel refuses them. */
static void wrong_arguments(void)
{
    const struct itimerval odd = {.it_value = {.tv_sec = 1}, .it_interval = {.tv_usec = 1000000}};
    const struct timespec span = {.tv_sec = 1}, none[2] = {{.tv_nsec = 1000000000}};
    const struct itimerspec disarm = {.it_interval = {0}};
    struct timeval left;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    fails(setitimer(ITIMER_REAL, &odd, NULL), EINVAL, "setitimer");
    fails(setitimer(ITIMER_PROF, &odd, NULL), EINVAL, "setitimer of CPU time");
    fails(timerfd_settime(fd, 0x70, &disarm, NULL), EINVAL, "flags of timerfd_settime");
    fails(syscall(SYS_timerfd_settime, fd, 0, NULL, NULL), EFAULT, "timerfd_settime");
    fails(syscall(SYS_utimensat, AT_FDCWD, "/", none, 0), EINVAL, "utimensat");
    fails(syscall(SYS_clock_nanosleep, 99, 0, 8L, NULL), EINVAL, "clock_nanosleep");
    fails(clock_settime(CLOCK_MONOTONIC, &span), EINVAL, "clock_settime");
    fails(syscall(SYS_clock_settime, CLOCK_REALTIME, 8L), EFAULT, "clock_settime to nothing");
    fails(syscall(SYS_settimeofday, 8L, NULL), EFAULT, "settimeofday to nothing");
    must(adjtime(NULL, &left), "adjtime");
    if (geteuid() == 0)
        must(setuid(65534), "setuid");
    fails(syscall(SYS_settimeofday, NULL, NULL), EPERM, "settimeofday of nothing");
    sleep_and_end();
}

const struct wait_case cases_odd[] = {
    {"timerfd in another root", KIND_WAIT, fd_in_another_root, 0, 0, 0, 0, 0},
    {"timerfd until, in another root", KIND_WAIT, fd_until_in_another_root, 0, 0, 0, 0, 0},
    {"timerfd, no descriptor left", KIND_WAIT, no_descriptor_left, 0, 0, 0, 0, 0},
    {"timerfd dup, no descriptor left", KIND_WAIT, no_descriptor_left_for_a_copy, 0, 0, 0, 0, 0},
    {"fork beside a thread with timers", KIND_WAIT, fork_beside_timers, 0, 0, 0, 0, 0},
    {"select in a crowd", KIND_WAIT, select_in_a_crowd, 0, 0, 0, 0, 0},
    {"ten thousand timers", KIND_WAIT, many_timers, 0, 0, 0, 0, 0},
    {"readv that does not wait", KIND_WAIT, wrong_lists, 0, 0, 0, 0, 0},
    {"wrong arguments", KIND_WAIT, wrong_arguments, 0, 0, 0, 0, 0},
    {.name = NULL},
};
