/* SPDX-License-Identifier: MIT */
/* Waits for a span of time. */
#include <aio.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <unistd.h>

#include "tests/waits/waits.h"

/* A call that was to wait in vain. */
static void over(long rc)
{
    (void)rc;
    end(0);
}

static void inline_nanosleep(struct timespec *span)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_nanosleep), "D"(span), "S"(NULL)
                     : "rcx", "r11", "memory");
#else
    syscall(SYS_nanosleep, span, NULL);
#endif
}

static long inline_futex(uint32_t *word, long op, long value, struct timespec *span, long bits)
{
#if defined(__x86_64__)
    long result;
    register struct timespec *r10 __asm__("r10") = span;
    register long r8 __asm__("r8") = 0;
    register long r9 __asm__("r9") = bits;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_futex), "D"(word), "S"(op), "d"(value), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#else
    return syscall(SYS_futex, word, op, value, span, NULL, bits);
#endif
}

static void wait_nanosleep(void)
{
    struct timespec span = wait_timespec();
    begin();
    over(nanosleep(&span, NULL));
}

static void sleep_by(clockid_t clock)
{
    struct timespec span = wait_timespec();
    begin();
    errno = clock_nanosleep(clock, 0, &span, NULL);
    if (errno != 0)
        broken("clock_nanosleep");
    end(0);
}

static void wait_clock_realtime(void)
{
    sleep_by(CLOCK_REALTIME);
}
static void wait_clock_monotonic(void)
{
    sleep_by(CLOCK_MONOTONIC);
}
static void wait_clock_boottime(void)
{
    sleep_by(CLOCK_BOOTTIME);
}
static void wait_clock_tai(void)
{
    sleep_by(CLOCK_TAI);
}

static void wait_usleep(void)
{
    begin();
    over(usleep((useconds_t)(wait_ns / 1000)));
}

static void wait_sleep(void)
{
    begin();
    over(sleep(1));
}

static void wait_syscall_nanosleep(void)
{
    struct timespec span = wait_timespec();
    begin();
    over(syscall(SYS_nanosleep, &span, NULL));
}

static void wait_inline_nanosleep(void)
{
    struct timespec span = wait_timespec();
    begin();
    inline_nanosleep(&span);
    end(0);
}

static void wait_poll(void)
{
    begin();
    over(poll(NULL, 0, wait_ms()));
}

static void wait_poll_fd(void)
{
    int fds[2];
    must(pipe(fds), "pipe");
    struct pollfd fd = {.fd = fds[0], .events = POLLIN};
    begin();
    over(poll(&fd, 1, wait_ms()));
}

static void wait_ppoll(void)
{
    struct timespec span = wait_timespec();
    begin();
    over(ppoll(NULL, 0, &span, NULL));
}

static void wait_select(void)
{
    struct timeval span = wait_timeval();
    begin();
    over(select(0, NULL, NULL, NULL, &span));
}

static void wait_pselect(void)
{
    struct timespec span = wait_timespec();
    begin();
    over(pselect(0, NULL, NULL, NULL, &span, NULL));
}

static void wait_epoll(void)
{
    struct epoll_event event;
    int fd = epoll_create1(0);
    begin();
    over(epoll_wait(fd, &event, 1, wait_ms()));
}

static void wait_epoll_pwait(void)
{
    struct epoll_event event;
    sigset_t none;
    sigemptyset(&none);
    int fd = epoll_create1(0);
    begin();
    over(epoll_pwait(fd, &event, 1, wait_ms(), &none));
}

static void wait_epoll_pwait2(void)
{
    struct epoll_event event;
    struct timespec span = wait_timespec();
    int fd = epoll_create1(0);
    begin();
    over(syscall(441, fd, &event, 1, &span, NULL, 0));
}

static void wait_sigtimedwait(void)
{
    struct timespec span = wait_timespec();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    begin();
    over(sigtimedwait(&set, NULL, &span));
}

static void wait_semtimedop(void)
{
    struct timespec span = wait_timespec();
    struct sembuf down = {.sem_num = 0, .sem_op = -1};
    int id = semget(IPC_PRIVATE, 1, 0600);
    must(id, "semget");
    begin();
    long rc = semtimedop(id, &down, 1, &span);
    semctl(id, 0, IPC_RMID);
    over(rc);
}

/* The kernel looks at the time after each message alone: so they come all the while. */
static void wait_recvmmsg(void)
{
    enum { MESSAGES = 64 };
    static char bytes[MESSAGES];
    static struct iovec parts[MESSAGES];
    static struct mmsghdr messages[MESSAGES];
    struct timespec span = wait_timespec(), pause = {.tv_nsec = (long)(wait_ns / 8)};
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), "socketpair");
    for (int i = 0; i < MESSAGES; i++) {
        parts[i] = (struct iovec){&bytes[i], 1};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    if (fork() == 0) {
        for (int i = 0; i < 24; i++) {
            nanosleep(&pause, NULL);
            (void)!write(fds[1], "x", 1);
        }
        _exit(0);
    }
    begin();
    over(recvmmsg(fds[0], messages, MESSAGES, 0, &span));
}

static void wait_futex(void)
{
    struct timespec span = wait_timespec();
    uint32_t word = 0;
    begin();
    over(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &span, NULL, 0));
}

static void wait_futex_private(void)
{
    struct timespec span = wait_timespec();
    uint32_t word = 0;
    begin();
    over(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &span, NULL, 0));
}

static void wait_inline_futex(void)
{
    struct timespec span = wait_timespec();
    uint32_t word = 0;
    begin();
    over(inline_futex(&word, FUTEX_WAIT, 0, &span, 0));
}

static void receive_timeout(int reads_by_read)
{
    struct timeval span = wait_timeval();
    char byte;
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
    must(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &span, sizeof(span)), "SO_RCVTIMEO");
    begin();
    over(reads_by_read ? read(fds[0], &byte, 1) : recv(fds[0], &byte, 1, 0));
}

static void wait_rcvtimeo(void)
{
    receive_timeout(0);
}
static void wait_rcvtimeo_read(void)
{
    receive_timeout(1);
}

static void wait_sndtimeo(void)
{
    struct timeval span = wait_timeval();
    static char bytes[65536];
    int fds[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
    while (send(fds[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    must(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &span, sizeof(span)), "SO_SNDTIMEO");
    begin();
    over(send(fds[0], bytes, sizeof(bytes), 0));
}

static void wait_io_getevents(void)
{
    struct timespec span = wait_timespec();
    aio_context_t context = 0;
    struct io_event event;
    if (syscall(SYS_io_setup, 1, &context) < 0)
        absent("no kernel AIO");
    begin();
    over(syscall(SYS_io_getevents, context, 1, 1, &event, &span));
}

static void wait_aio_suspend(void)
{
    struct timespec span = wait_timespec();
    char byte;
    int fds[2];
    must(pipe(fds), "pipe");
    struct aiocb request = {.aio_fildes = fds[0], .aio_buf = &byte, .aio_nbytes = 1};
    const struct aiocb *list[1] = {&request};
    must(aio_read(&request), "aio_read");
    begin();
    over(aio_suspend(list, 1, &span));
}

static void wait_thrd_sleep(void)
{
    struct timespec span = wait_timespec();
    begin();
    over(thrd_sleep(&span, NULL));
}

static void *sleeper(void *unused)
{
    struct timespec span = wait_timespec();
    (void)unused;
    nanosleep(&span, NULL);
    return NULL;
}

/* Eight at a time are as long as one. */
static void wait_threads(void)
{
    pthread_t threads[8];
    begin();
    for (int i = 0; i < 8; i++)
        must(-pthread_create(&threads[i], NULL, sleeper, NULL), "thread");
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    end(0);
}

/* A loop of short waits. */
static void wait_many(void)
{
    struct timespec span = {.tv_nsec = (long)(wait_ns / 4)};
    begin();
    for (int i = 0; i < 4; i++)
        nanosleep(&span, NULL);
    end(0);
}

/* Nobody's time-out is nobody's: a wait of no time ends at once, 20,000 times. */
static void wait_nothing(void)
{
    struct timespec none = {0, 0};
    int64_t from = clock_ns(CLOCK_MONOTONIC);
    begin();
    for (int i = 0; i < 1000; i++) {
        poll(NULL, 0, 0);
        ppoll(NULL, 0, &none, NULL);
    }
    end(clock_ns(CLOCK_MONOTONIC) - from);
}

enum { MS = 1000000 };

const struct wait_case cases_relative[] = {
    {"nanosleep", KIND_WAIT, wait_nanosleep, 0, 0, 0, 0, 0},
    {"clock_nanosleep REALTIME", KIND_WAIT, wait_clock_realtime, 0, 0, 0, 0, 0},
    {"clock_nanosleep MONOTONIC", KIND_WAIT, wait_clock_monotonic, 0, 0, 0, 0, 0},
    {"clock_nanosleep BOOTTIME", KIND_WAIT, wait_clock_boottime, 0, 0, 0, 0, 0},
    {"clock_nanosleep TAI", KIND_WAIT, wait_clock_tai, 0, 0, 0, 0, 0},
    {"usleep", KIND_WAIT, wait_usleep, 0, 0, 0, 0, 0},
    {"sleep", KIND_WAIT, wait_sleep, 0, 0, 0, 1, 0},
    {"syscall(nanosleep)", KIND_WAIT, wait_syscall_nanosleep, 0, 0, 0, 0, 0},
    {"inline nanosleep", KIND_WAIT, wait_inline_nanosleep, 0, 0, 0, 0, 0},
    {"poll", KIND_WAIT, wait_poll, 0, 0, 0, 0, 0},
    {"poll of a pipe", KIND_WAIT, wait_poll_fd, 0, 0, 0, 0, 0},
    {"ppoll", KIND_WAIT, wait_ppoll, 0, 0, 0, 0, 0},
    {"select", KIND_WAIT, wait_select, 0, 0, 0, 0, 0},
    {"pselect", KIND_WAIT, wait_pselect, 0, 0, 0, 0, 0},
    {"epoll_wait", KIND_WAIT, wait_epoll, 0, 0, 0, 0, 0},
    {"epoll_pwait", KIND_WAIT, wait_epoll_pwait, 0, 0, 0, 0, 0},
    {"epoll_pwait2", KIND_WAIT, wait_epoll_pwait2, 0, 0, 0, 0, 0},
    {"sigtimedwait", KIND_WAIT, wait_sigtimedwait, 0, 0, 0, 0, 0},
    {"semtimedop", KIND_WAIT, wait_semtimedop, 0, 0, 0, 0, 0},
    {"recvmmsg", KIND_WAIT, wait_recvmmsg, 8 * MS, 0, 0, 0, 0},
    {"futex", KIND_WAIT, wait_futex, 0, 0, 0, 0, 0},
    {"futex private", KIND_WAIT, wait_futex_private, 0, 0, 0, 0, 0},
    {"inline futex", KIND_WAIT, wait_inline_futex, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO recv", KIND_WAIT, wait_rcvtimeo, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO read", KIND_WAIT, wait_rcvtimeo_read, 0, 0, 0, 0, 0},
    {"SO_SNDTIMEO send", KIND_WAIT, wait_sndtimeo, 0, 40 * MS, 0, 0, 0},
    {"io_getevents", KIND_WAIT, wait_io_getevents, 0, 0, 0, 0, 0},
    {"aio_suspend", KIND_WAIT, wait_aio_suspend, 0, 0, 0, 0, 0},
    {"thrd_sleep", KIND_WAIT, wait_thrd_sleep, 0, 0, 0, 0, 0},
    {"eight threads", KIND_WAIT, wait_threads, 0, 0, 0, 0, 0},
    {"four short ones", KIND_WAIT, wait_many, 0, 4 * MS, 0, 0, 0},
    {"no time at all", KIND_EQUAL, wait_nothing, 0, 200 * MS, 0, 0, 0},
    {.name = NULL},
};
