/* SPDX-License-Identifier: MIT */
/* Waits and timers that outlast a stop, an exec, or their way into another process; and stamps of
 * what is no file on a disk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/waits/waits.h"

/* Somebody who stops us at a quarter of the wait, and lets us go on at the half. */
static void stop_soon(void)
{
    struct timespec quarter = {.tv_sec = wait_ns / 4 / 1000000000,
                               .tv_nsec = wait_ns / 4 % 1000000000};
    pid_t parent = getpid();
    begin();
    if (fork() == 0) {
        nanosleep(&quarter, NULL);
        (void)kill(parent, SIGSTOP);
        nanosleep(&quarter, NULL);
        (void)kill(parent, SIGCONT);
        _exit(0);
    }
}

static void sleep_stopped(void)
{
    struct timespec span = wait_timespec();
    stop_soon();
    must(nanosleep(&span, NULL), "nanosleep");
    end(0);
}

static void until_stopped(void)
{
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    stop_soon();
    must(-clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), "clock_nanosleep");
    end(0);
}

static void poll_stopped(void)
{
    stop_soon();
    must(poll(NULL, 0, wait_ms()), "poll");
    end(0);
}

static void semaphore_stopped(void)
{
    struct timespec until = wait_until(CLOCK_REALTIME);
    sem_t semaphore;
    must(sem_init(&semaphore, 0, 0), "sem_init");
    stop_soon();
    if (sem_timedwait(&semaphore, &until) == 0 || errno != ETIMEDOUT)
        broken("sem_timedwait");
    end(0);
}

static void timer_past_exec(void)
{
    struct itimerval val = {.it_value = wait_timeval()};
    int status;
    begin();
    pid_t pid = fork();
    if (pid == 0) {
        setitimer(ITIMER_REAL, &val, NULL);
        execlp("sleep", "sleep", "1000", (char *)NULL);
        _exit(1);
    }
    if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM)
        broken("SIGALRM");
    end(0);
}

static void send_fd(int socket, int fd)
{
    char byte = 0;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = ""};
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    must(sendmsg(socket, &message, 0), "sendmsg");
}

static int receive_fd(int socket)
{
    char byte;
    int fd;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    must(recvmsg(socket, &message, 0), "recvmsg");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

/* Armed by who has made it, read by who was sent it. */
static void timer_sent(void)
{
    struct itimerspec spec = {.it_value = wait_timespec()};
    uint64_t count;
    int sockets[2];
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
    pid_t pid = fork();
    if (pid == 0) {
        int fd = timerfd_create(CLOCK_MONOTONIC, 0);
        must(fd, "timerfd_create");
        begin();
        must(timerfd_settime(fd, 0, &spec, NULL), "timerfd_settime");
        send_fd(sockets[1], fd);
        _exit(0);
    }
    int fd = receive_fd(sockets[0]);
    if (read(fd, &count, sizeof(count)) != sizeof(count) || count != 1)
        broken("read");
    end(0);
}

/* What is left of a timer that another process has armed. */
static void left_of_anothers(void)
{
    struct itimerspec spec = {.it_value = wait_timespec()}, left;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), status;
    must(fd, "timerfd_create");
    begin();
    pid_t pid = fork();
    if (pid == 0) {
        must(timerfd_settime(fd, 0, &spec, NULL), "timerfd_settime");
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        broken("the child");
    go();
    must(timerfd_gettime(fd, &left), "timerfd_gettime");
    end(timespec_ns(left.it_value));
}

static void silent_timer(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec spec = {.it_value = wait_timespec()}, left;
    timer_t timer;
    must(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    begin();
    must(timer_settime(timer, 0, &spec, NULL), "timer_settime");
    go();
    must(timer_gettime(timer, &left), "timer_gettime");
    end(timespec_ns(left.it_value));
}

static void timer_by_descriptor(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
    struct itimerspec spec = {.it_value = wait_timespec()};
    struct signalfd_siginfo info;
    sigset_t set;
    timer_t timer;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, 0);
    must(fd, "signalfd");
    if (timer_create(CLOCK_TAI, &event, &timer) < 0)
        absent("a timer by CLOCK_TAI");
    begin();
    must(timer_settime(timer, 0, &spec, NULL), "timer_settime");
    if (read(fd, &info, sizeof(info)) != sizeof(info))
        broken("read");
    end(0);
}

static void nested_epoll(void)
{
    struct itimerspec spec = {.it_value = wait_timespec()};
    struct epoll_event event = {.events = EPOLLIN};
    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
    int inner = epoll_create1(0), outer = epoll_create1(0);
    must(epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    must(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event), "epoll_ctl");
    begin();
    must(timerfd_settime(fd, 0, &spec, NULL), "timerfd_settime");
    if (epoll_wait(outer, &event, 1, -1) != 1)
        broken("epoll_wait");
    end(0);
}

static void told_back(void)
{
    struct timeval set = {.tv_sec = 8}, got;
    socklen_t size = sizeof(got);
    int64_t off_ns = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    begin();
    static const int options[] = {SO_RCVTIMEO, SO_SNDTIMEO};
    for (int i = 0; i < 2; i++) {
        must(setsockopt(fd, SOL_SOCKET, options[i], &set, sizeof(set)), "setsockopt");
        must(getsockopt(fd, SOL_SOCKET, options[i], &got, &size), "getsockopt");
        off_ns += (got.tv_sec - set.tv_sec) * 1000000000 + (int64_t)got.tv_usec * 1000;
    }
    end(off_ns);
}

/* A queue of connections that is full. */
static void by_connect(void)
{
    struct timeval span = wait_timeval();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
    must(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), "bind");
    must(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    must(listen(listener, 0), "listen");
    must(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, size), "connect");
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &span, sizeof(span)), "SO_SNDTIMEO");
    begin();
    if (connect(fd, (struct sockaddr *)&address, size) == 0 || errno != EAGAIN)
        broken("connect");
    end(0);
}

/* The page of the oldest programs, which the kernel emulates. */
static void by_vsyscall(void)
{
    int (*old)(struct timeval *, void *) =
        (int (*)(struct timeval *, void *))(uintptr_t)UINT64_C(0xffffffffff600000);
    struct timeval from, to;
    char line[256];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
        found |= strstr(line, "[vsyscall]") != NULL;
    if (!found)
        absent("vsyscall");
    old(&from, NULL);
    begin();
    go();
    old(&to, NULL);
    end((to.tv_sec - from.tv_sec) * 1000000000 + (to.tv_usec - from.tv_usec) * 1000);
}

static void flock_interrupted(void)
{
    struct itimerval val = {.it_value = wait_timeval()};
    int fd = memfd_create("lock", 0), other, ready[2];
    char path[64], byte;
    (void)sprintf(path, "/proc/self/fd/%d", fd);
    other = open(path, O_RDWR);
    must(other, "open");
    must(pipe(ready), "pipe");
    signal(SIGUSR2, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0) {
        must(flock(other, LOCK_EX), "flock");
        must(write(ready[1], "a", 1), "write");
        pause();
    }
    must(read(ready[0], &byte, 1), "read");
    close(other);
    begin();
    pid_t waiter = fork();
    if (waiter == 0) {
        setitimer(ITIMER_REAL, &val, NULL);
        (void)flock(fd, LOCK_EX);
        _exit(0);
    }
    int status;
    waitpid(waiter, &status, 0);
    kill(pid, SIGKILL);
    end(0);
}

/* Of what has no place on a disk: a pipe, memory, a directory of /dev/shm. */
static int64_t newest(int fd)
{
    struct stat st;
    must(fstat(fd, &st), "fstat");
    return timespec_ns(st.st_mtim);
}

static void memory_mtime(void)
{
    int fd = memfd_create("stamps", 0);
    must(fd, "memfd_create");
    must(write(fd, "a", 1), "write");
    begin();
    end(newest(fd) - clock_ns(CLOCK_REALTIME));
}

static void pipe_mtime(void)
{
    int fds[2];
    must(pipe(fds), "pipe");
    begin();
    must(write(fds[1], "a", 1), "write");
    end(newest(fds[0]) - clock_ns(CLOCK_REALTIME));
}

static void shared_memory_time(void)
{
    struct shmid_ds data;
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    must(id, "shmget");
    void *at = shmat(id, NULL, 0);
    must(shmctl(id, IPC_STAT, &data), "shmctl");
    shmdt(at);
    shmctl(id, IPC_RMID, NULL);
    begin();
    end(data.shm_atime * 1000000000 - clock_ns(CLOCK_REALTIME) + 500000000);
}

static void shared_condition(void)
{
    struct timespec until = wait_until(CLOCK_MONOTONIC);
    struct shared {
        pthread_mutex_t mutex;
        pthread_cond_t condition;
    } *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_condattr_t attr;
    pthread_mutexattr_t mutex;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_condattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->condition, &attr);
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&shared->mutex, &mutex);
    begin();
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(&shared->mutex);
        _exit(pthread_cond_timedwait(&shared->condition, &shared->mutex, &until) == ETIMEDOUT ? 0
                                                                                              : 1);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        broken("pthread_cond_timedwait");
    end(0);
}

const struct wait_case cases_kept[] = {
    {"nanosleep, stopped", KIND_WAIT, sleep_stopped, 0, 0, 0, 0, 0},
    {"clock_nanosleep, stopped", KIND_WAIT, until_stopped, 0, 0, 0, 0, 0},
    {"poll, stopped", KIND_WAIT, poll_stopped, 0, 0, 0, 0, 0},
    {"sem_timedwait, stopped", KIND_WAIT, semaphore_stopped, 0, 0, 0, 0, 0},
    {"setitimer past exec", KIND_WAIT, timer_past_exec, 0, 10000000, 0, 0, 0},
    {"timerfd sent", KIND_WAIT, timer_sent, 0, 0, 0, 0, 0},
    {"timerfd_gettime of another's", KIND_REMAIN, left_of_anothers, 0, 10000000, 0, 0, 0},
    {"timer_gettime of SIGEV_NONE", KIND_REMAIN, silent_timer, 0, 0, 0, 0, 0},
    {"timer TAI by signalfd", KIND_WAIT, timer_by_descriptor, 0, 0, 0, 0, 0},
    {"timerfd in an epoll in an epoll", KIND_WAIT, nested_epoll, 0, 0, 0, 0, 0},
    {"SO_RCVTIMEO and SO_SNDTIMEO told back", KIND_EQUAL, told_back, 0, 0, 0, 0, 0},
    {"SO_SNDTIMEO connect", KIND_WAIT, by_connect, 0, 10000000, 0, 0, 0},
    {"gettimeofday by vsyscall", KIND_READ, by_vsyscall, 1000, 0, 0, 0, 0},
    {"setitimer ends flock", KIND_WAIT, flock_interrupted, 0, 10000000, 0, 0, 0},
    {"memfd's st_mtime and CLOCK_REALTIME", KIND_EQUAL, memory_mtime, 0, 10000000, 0, 0, 0},
    {"pipe's st_mtime and CLOCK_REALTIME", KIND_EQUAL, pipe_mtime, 0, 10000000, 0, 0, 0},
    {"shm_atime and CLOCK_REALTIME", KIND_EQUAL, shared_memory_time, 520000000, 1012000000, 0, 0,
     0},
    {"pthread_cond_timedwait, shared", KIND_WAIT, shared_condition, 0, 0, 0, 0, 0},
    {.name = NULL},
};
