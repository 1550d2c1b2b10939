/* SPDX-License-Identifier: MIT */
/* What is seldom waited by, seldom read, or may be refused: always by the kernel's own interface.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "tests/waits/waits.h"

enum { MS = 1000000, NR_FUTEX_WAIT = 455, STAMP_LAST = 0x8906, STAMP_LAST_NS = 0x8907 };

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

static void futex_wait_call(clockid_t clock)
{
    uint32_t word = 0;
    struct timespec at = wait_until(clock);
    begin();
    long rc = syscall(NR_FUTEX_WAIT, &word, 0UL, UINT32_MAX, 2 /* 32 bits */, &at, clock);
    if (rc < 0 && errno == ENOSYS)
        absent("no futex_wait");
    if (rc >= 0 || errno != ETIMEDOUT)
        broken("futex_wait");
    end(0);
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

/* In /proc/self/stat, in hundredths of a second since the machine was started. */
static int64_t start_ns(void)
{
    char text[1024] = "";
    unsigned long long start = 0;
    int fd = open("/proc/self/stat", O_RDONLY);
    must(fd, "/proc/self/stat");
    must(read(fd, text, sizeof(text) - 1), "read");
    close(fd);
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at == NULL || sscanf(at, " %llu", &start) != 1)
        broken("/proc/self/stat");
    return (int64_t)start * 10 * MS;
}

static void start_time(void)
{
    pid_t pid = fork();
    if (pid > 0) {
        waitpid(pid, NULL, 0);
        _exit(0);
    }
    begin();
    end(clock_ns(CLOCK_BOOTTIME) - start_ns());
}

/* When the machine was started, by the wall clock. */
static void boot_time(void)
{
    char line[256];
    long long boot = 0;
    FILE *file = fopen("/proc/stat", "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL && boot == 0)
        (void)sscanf(line, "btime %lld", &boot);
    if (file != NULL)
        fclose(file);
    begin();
    end(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) - boot * 1000 * MS - 500 * MS);
}

/* The kernel cuts the stamp to whole seconds of its own: up to a real second too early. */
static void semaphore_time(void)
{
    struct semid_ds ds;
    struct sembuf up = {.sem_op = 1};
    int id = semget(IPC_PRIVATE, 1, 0600);
    must(id, "semget");
    begin();
    long rc = semop(id, &up, 1);
    if (rc == 0)
        rc = semctl(id, 0, IPC_STAT, &ds);
    semctl(id, 0, IPC_RMID);
    must(rc, "a semaphore");
    end((int64_t)ds.sem_otime * 1000 * MS - clock_ns(CLOCK_REALTIME) + 500 * MS);
}

static int datagrams(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&address, length) < 0)
        absent("no loopback network");
    must(getsockname(fd, (struct sockaddr *)&address, &length), "getsockname");
    must(connect(fd, (struct sockaddr *)&address, length), "connect");
    return fd;
}

static void stamp_of_many(void)
{
    char byte, control[256];
    struct iovec part = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    struct timespec ts;
    int on = 1, fd = datagrams();
    must(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)), "SO_TIMESTAMPNS");
    begin();
    must(send(fd, "x", 1, 0), "send");
    message.msg_hdr.msg_control = control;
    message.msg_hdr.msg_controllen = sizeof(control);
    must(recvmmsg(fd, &message, 1, 0, NULL), "recvmmsg");
    struct cmsghdr *head = CMSG_FIRSTHDR(&message.msg_hdr);
    if (head == NULL)
        broken("no stamp");
    memcpy(&ts, CMSG_DATA(head), sizeof(ts));
    end(timespec_ns(ts) - clock_ns(CLOCK_REALTIME));
}

/* The first asking makes the kernel take stamps. */
static void stamp_of_last(void)
{
    char byte;
    struct timespec ts = {0};
    int fd = datagrams();
    (void)ioctl(fd, STAMP_LAST_NS, &ts);
    begin();
    for (int i = 0; i < 1000; i++) {
        must(send(fd, "x", 1, 0), "send");
        must(recv(fd, &byte, 1, 0), "recv");
        must(ioctl(fd, STAMP_LAST_NS, &ts), "SIOCGSTAMPNS");
        if (clock_ns(CLOCK_REALTIME) - timespec_ns(ts) < 1000 * MS)
            break;
    }
    end(timespec_ns(ts) - clock_ns(CLOCK_REALTIME));
}

static void stamp_of_last_us(void)
{
    char byte;
    struct timeval tv = {0};
    int fd = datagrams();
    begin();
    must(send(fd, "x", 1, 0), "send");
    must(recv(fd, &byte, 1, 0), "recv");
    must(ioctl(fd, STAMP_LAST, &tv), "SIOCGSTAMP");
    end((int64_t)tv.tv_sec * 1000 * MS + tv.tv_usec * 1000 - clock_ns(CLOCK_REALTIME));
}

/* By names, with the oldest of calls; and the time of the change of its state is now. */
static void file_by_name(void)
{
    char name[] = "/tmp/waits.XXXXXX";
    struct stat stat;
    int fd = mkstemp(name);
    must(fd, "mkstemp");
    struct utimbuf set = {.actime = time(NULL) + 100, .modtime = time(NULL) + 200};
    long rc = utime(name, &set);
    if (rc == 0)
        rc = lstat(name, &stat);
    unlink(name);
    must(rc, "utime");
    if (stat.st_atime != set.actime || stat.st_mtime != set.modtime)
        broken("the file has other times than were set");
    begin();
    end(timespec_ns(stat.st_ctim) - clock_ns(CLOCK_REALTIME));
}

const struct wait_case cases_kernel[] = {
    {"sigsuspend", KIND_WAIT, by_sigsuspend, 0, 0, 0, 0, 0},
    {"pselect with a mask", KIND_WAIT, by_pselect, 0, 0, 0, 0, 0},
    {"ppoll with a mask", KIND_WAIT, by_ppoll, 0, 0, 0, 0, 0},
    {"epoll_pwait with a mask", KIND_WAIT, by_epoll_pwait, 0, 0, 0, 0, 0},
    {"ualarm", KIND_WAIT, by_ualarm, 0, 0, 0, 0, 0},
    {"futex_wait until MONOTONIC", KIND_WAIT, by_futex_wait_monotonic, 0, 0, 0, 0, 0},
    {"futex_wait until REALTIME", KIND_WAIT, by_futex_wait_realtime, 0, 0, 0, 0, 0},
    {"FUTEX_WAIT_REQUEUE_PI", KIND_WAIT, by_requeue, 0, 0, 0, 0, 0},
    {"io_pgetevents", KIND_WAIT, by_pgetevents, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO accept", KIND_WAIT, by_accept, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO recvmsg", KIND_WAIT, by_recvmsg, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO MSG_ERRQUEUE", KIND_WAIT, after_error_queue, 0, 0, 0, 0, 0},
    {"timer SIGEV_THREAD_ID", KIND_WAIT, by_thread_timer, 0, 0, 0, 0, 0},
    {"clock_nanosleep by CPU time", KIND_CPUWAIT, by_cpu_clock, 0, 12 * MS, 0, 0, 30},
    {"the clock can't be set", KIND_EQUAL, set_refused, 0, 0, 0, 0, 0},
    {"/proc/self/stat start time", KIND_EQUAL, start_time, 520 * MS, 0, 0, 0, 0},
    {"/proc/stat btime", KIND_EQUAL, boot_time, 1020 * MS, 0, 0, 0, 0},
    {"sem_otime and CLOCK_REALTIME", KIND_EQUAL, semaphore_time, 520 * MS, 1012 * MS, 0, 0, 0},
    {"recvmmsg's stamp", KIND_EQUAL, stamp_of_many, 0, 8 * MS, 0, 0, 0},
    {"SIOCGSTAMPNS", KIND_EQUAL, stamp_of_last, 0, 8 * MS, 0, 0, 0},
    {"SIOCGSTAMP", KIND_EQUAL, stamp_of_last_us, 0, 8 * MS, 0, 0, 0},
    {"utime and st_ctime", KIND_EQUAL, file_by_name, 0, 12 * MS, 0, 0, 0},
    {.name = NULL},
};
