/* SPDX-License-Identifier: MIT */
/* What is seldom waited by, seldom read, or may be refused: always by the kernel's own interface.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/waits/waits.h"

enum { MS = 1000000, NR_FUTEX_WAIT = 455 };

static volatile sig_atomic_t came;

static void note(int number)
{
    (void)number;
    came = 1;
}

/* SIGALRM is blocked but for the wait, so that it can't come before. */
static sigset_t arm(void)
{
    struct sigaction action = {.sa_handler = note};
    struct itimerval when = {.it_value = wait_timeval()};
    sigset_t alarm, before;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    must(sigprocmask(SIG_BLOCK, &alarm, &before), "sigprocmask");
    must(sigaction(SIGALRM, &action, NULL), "sigaction");
    must(setitimer(ITIMER_REAL, &when, NULL), "setitimer");
    return before;
}

static void until_signal(long rc)
{
    if (rc >= 0 || errno != EINTR || !came)
        broken("not ended by the signal");
    end(0);
}

static void by_sigsuspend(void)
{
    begin();
    sigset_t mask = arm();
    until_signal(sigsuspend(&mask));
}

static void by_pselect(void)
{
    begin();
    sigset_t mask = arm();
    until_signal(pselect(0, NULL, NULL, NULL, NULL, &mask));
}

static void by_ppoll(void)
{
    const struct timespec long_time = {.tv_sec = 1000};
    begin();
    sigset_t mask = arm();
    until_signal(ppoll(NULL, 0, &long_time, &mask));
}

static void by_epoll_pwait(void)
{
    struct epoll_event event;
    int epoll = epoll_create1(0);
    must(epoll, "epoll");
    begin();
    sigset_t mask = arm();
    until_signal(epoll_pwait(epoll, &event, 1, 1000000, &mask));
}

static void by_ualarm(void)
{
    signal(SIGALRM, note);
    begin();
    ualarm((useconds_t)(wait_ns / 1000), 0);
    while (!came)
        pause();
    end(0);
}

static void until_time_out(long rc)
{
    if (rc >= 0 || errno != ETIMEDOUT)
        broken("no time-out");
    end(0);
}

static void futex_wait_call(clockid_t clock)
{
    uint32_t word = 0;
    struct timespec at = wait_until(clock);
    begin();
    long rc = syscall(NR_FUTEX_WAIT, &word, 0UL, UINT32_MAX, 2 /* 32 bits */, &at, clock);
    if (rc < 0 && errno == ENOSYS)
        absent("no futex_wait");
    until_time_out(rc);
}

static void by_futex_wait_monotonic(void)
{
    futex_wait_call(CLOCK_MONOTONIC);
}

static void by_futex_wait_realtime(void)
{
    futex_wait_call(CLOCK_REALTIME);
}

static void by_requeue(void)
{
    static uint32_t word, other;
    struct timespec at = wait_until(CLOCK_MONOTONIC);
    begin();
    if (syscall(SYS_futex, &word, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, &at, &other, 0) >=
            0 ||
        errno != ETIMEDOUT)
        broken("FUTEX_WAIT_REQUEUE_PI");
    end(0);
}

static void by_pgetevents(void)
{
    struct timespec span = wait_timespec();
    aio_context_t context = 0;
    struct io_event event;
    if (syscall(SYS_io_setup, 1, &context) < 0)
        absent("no kernel AIO");
    begin();
    must(syscall(SYS_io_pgetevents, context, 1, 1, &event, &span, NULL), "io_pgetevents");
    end(0);
}

static void note_by_call(int number)
{
    struct timespec now;
    must(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now), "clock_gettime");
    note(number);
}

/* All but one are blocked meanwhile, and so they are in its handler. */
static void by_pgetevents_mask(struct timespec *span)
{
    sigset_t mask;
    aio_context_t context = 0;
    struct io_event event;
    const struct {
        const sigset_t *mask;
        size_t bytes;
    } sixth = {&mask, 8};
    if (syscall(SYS_io_setup, 1, &context) < 0)
        absent("no kernel AIO");
    begin();
    (void)arm();
    must(signal(SIGALRM, note_by_call) == SIG_ERR ? -1 : 0, "signal");
    sigfillset(&mask);
    sigdelset(&mask, SIGALRM);
    until_signal(syscall(SYS_io_pgetevents, context, 1, 1, &event, span, &sixth));
}

static void by_pgetevents_masked(void)
{
    by_pgetevents_mask(&(struct timespec){.tv_sec = 1000});
}

static void by_pgetevents_endless(void)
{
    by_pgetevents_mask(NULL);
}

static int with_time_out(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval span = wait_timeval();
    int fd = socket(AF_INET, type, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        absent("no loopback network");
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &span, sizeof(span)), "SO_RCVTIMEO");
    return fd;
}

static void refused_in_time(long rc)
{
    if (rc >= 0 || errno != EAGAIN)
        broken("no time-out");
    end(0);
}

static void by_accept(void)
{
    int fd = with_time_out(SOCK_STREAM);
    must(listen(fd, 1), "listen");
    begin();
    refused_in_time(accept(fd, NULL, NULL));
}

static void by_recvmsg(void)
{
    struct msghdr message = {.msg_iov = NULL};
    int fd = with_time_out(SOCK_DGRAM);
    begin();
    refused_in_time(recvmsg(fd, &message, 0));
}

static void by_readv(void)
{
    char byte;
    const struct iovec place = {.iov_base = &byte, .iov_len = 1};
    int fd = with_time_out(SOCK_DGRAM);
    begin();
    refused_in_time(readv(fd, &place, 1));
}

static void by_recvmmsg(void)
{
    struct mmsghdr message = {.msg_len = 0};
    int fd = with_time_out(SOCK_DGRAM);
    begin();
    refused_in_time(recvmmsg(fd, &message, 1, 0, NULL));
}

/* Errors are not waited for. */
static void after_error_queue(void)
{
    struct msghdr message = {.msg_iov = NULL};
    int fd = with_time_out(SOCK_DGRAM);
    begin();
    if (recvmsg(fd, &message, MSG_ERRQUEUE) >= 0 || errno != EAGAIN)
        broken("an error");
    refused_in_time(recvmsg(fd, &message, 0));
}

static void by_thread_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};
    struct itimerspec when = {.it_value = wait_timespec()};
    sigset_t set;
    timer_t timer;
#ifdef __GLIBC__
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
#else
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
#endif
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    must(sigprocmask(SIG_BLOCK, &set, NULL), "sigprocmask");
    must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    begin();
    must(timer_settime(timer, 0, &when, NULL), "timer_settime");
    while (sigwaitinfo(&set, NULL) < 0)
        ;
    end(0);
}

/* Until this process has used that much CPU time: another thread of it does. */
static void by_cpu_clock(void)
{
    struct timespec span = wait_timespec();
    begin();
    go();
    pid_t child = fork(); /* the clock is the parent's, which only waits */
    if (child == 0) {
        const clockid_t parents = (clockid_t)((~(unsigned)getppid() << 3) | 2);
        int rc = clock_nanosleep(parents, 0, &span, NULL);
        _exit(rc == 0 ? 0 : rc == ENOTSUP || rc == EINVAL ? 2 : 1);
    }
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0)
        burn();
    if (WEXITSTATUS(status) == 2)
        absent("CPU clocks of others can't be slept by");
    must(-(long)WEXITSTATUS(status), "clock_nanosleep");
    end(0);
}

/* The wall clock is not a program's matter. As root, too. */
static void set_refused(void)
{
    struct timespec at = {.tv_sec = 1};
    struct timeval tv = {.tv_sec = 1};
    struct timex timex = {.modes = ADJ_FREQUENCY};
    begin();
    if (clock_settime(CLOCK_REALTIME, &at) == 0 || errno != EPERM || settimeofday(&tv, NULL) == 0 ||
        errno != EPERM || adjtimex(&timex) >= 0 || errno != EPERM)
        broken("the clock can be set");
    end(0);
}

static void futex_until(int op, clockid_t clock)
{
    uint32_t word = 0;
    struct timespec until = wait_until(clock);
    begin();
    long rc = syscall(SYS_futex, &word, op, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY);
    until_time_out(rc);
}

static void futex_monotonic(void)
{
    futex_until(FUTEX_WAIT_BITSET, CLOCK_MONOTONIC);
}

static void futex_realtime(void)
{
    futex_until(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, CLOCK_REALTIME);
}

struct waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static void futexes(void)
{
    uint32_t words[2] = {0, 0};
    struct waiter waiters[2] = {{0, (uintptr_t)&words[0], 2, 0}, {0, (uintptr_t)&words[1], 2, 0}};
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    begin();
    long rc = syscall(449, waiters, 2, 0, &until, CLOCK_MONOTONIC);
    if (rc < 0 && errno == ENOSYS)
        absent("no futex_waitv");
    until_time_out(rc);
}

const struct wait_case cases_kernel[] = {
    {"futex bitset MONOTONIC", KIND_WAIT, futex_monotonic, 0, 0, 0, 0, 0},
    {"futex bitset REALTIME", KIND_WAIT, futex_realtime, 0, 0, 0, 0, 0},
    {"futex_waitv", KIND_WAIT, futexes, 0, 0, 0, 0, 0},
    {"sigsuspend", KIND_WAIT, by_sigsuspend, 0, 0, 0, 0, 0},
    {"pselect with a mask", KIND_WAIT, by_pselect, 0, 0, 0, 0, 0},
    {"ppoll with a mask", KIND_WAIT, by_ppoll, 0, 0, 0, 0, 0},
    {"epoll_pwait with a mask", KIND_WAIT, by_epoll_pwait, 0, 0, 0, 0, 0},
    {"ualarm", KIND_WAIT, by_ualarm, 0, 0, 0, 0, 0},
    {"futex_wait until MONOTONIC", KIND_WAIT, by_futex_wait_monotonic, 0, 0, 0, 0, 0},
    {"futex_wait until REALTIME", KIND_WAIT, by_futex_wait_realtime, 0, 0, 0, 0, 0},
    {"FUTEX_WAIT_REQUEUE_PI", KIND_WAIT, by_requeue, 0, 0, 0, 0, 0},
    {"io_pgetevents", KIND_WAIT, by_pgetevents, 0, 0, 0, 0, 0},
    {"io_pgetevents, a mask", KIND_WAIT, by_pgetevents_masked, 0, 0, 0, 0, 0},
    {"io_pgetevents, no time-out", KIND_WAIT, by_pgetevents_endless, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO accept", KIND_WAIT, by_accept, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO recvmsg", KIND_WAIT, by_recvmsg, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO readv", KIND_WAIT, by_readv, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO recvmmsg", KIND_WAIT, by_recvmmsg, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO MSG_ERRQUEUE", KIND_WAIT, after_error_queue, 0, 0, 0, 0, 0},
    {"timer SIGEV_THREAD_ID", KIND_WAIT, by_thread_timer, 0, 0, 0, 0, 0},
    {"clock_nanosleep by CPU time", KIND_CPUWAIT, by_cpu_clock, 0, 12 * MS, 0, 0, 30},
    {"the clock can't be set", KIND_EQUAL, set_refused, 0, 0, 0, 0, 0},
    {.name = NULL},
};
