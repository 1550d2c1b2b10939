/* SPDX-License-Identifier: MIT */
/*
 * signals_kicks: a process waits, in one kind of wait after the other, and gets a signal and a kick
 * (run/session.h) at one instant: it is stopped, and finds both when it goes on. Each signal must
 * end the wait with EINTR; a kick alone must end none.
 *
 *     signals_kicks SIGNALS   so many for each kind
 *
 * Exit 1, with the kind: a signal was lost, or a kick has ended a wait.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/session.h"

#define LOST_NS INT64_C(5000000000)

struct place {
    int pipe[2], epoll;
    int other[2], full[2]; /* pipes, too: this one has no room */
    int full_socket;       /* nor has what it is connected to */
    int file;              /* with a byte in it */
    const char *fifo;      /* the name of one that nobody reads */
    uint32_t futex;
    mqd_t queue;
    sem_t semaphore;
    sigset_t none; /* no signal blocked */
    struct timespec span;
};

struct kind {
    const char *name;
    bool in_one_step; /* unblocks the signal and waits */
    int (*wait)(struct place *place);
};

static int by_sigsuspend(struct place *place)
{
    return sigsuspend(&place->none);
}

static int by_ppoll(struct place *place)
{
    return ppoll(NULL, 0, &place->span, &place->none);
}

static int by_pselect(struct place *place)
{
    return pselect(0, NULL, NULL, NULL, &place->span, &place->none);
}

static int by_epoll_pwait(struct place *place)
{
    struct epoll_event event;

    return epoll_pwait(place->epoll, &event, 1, 100000, &place->none);
}

static int by_nanosleep(struct place *place)
{
    return nanosleep(&place->span, NULL);
}

static int by_poll(struct place *place)
{
    (void)place;
    return poll(NULL, 0, 100000);
}

static int by_semaphore(struct place *place)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += place->span.tv_sec;
    return sem_timedwait(&place->semaphore, &until);
}

static int by_queue(struct place *place)
{
    struct timespec until;
    char text[64];

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += place->span.tv_sec;
    return (int)mq_timedreceive(place->queue, text, sizeof(text), NULL, &until);
}

static int by_read(struct place *place)
{
    char byte;

    return (int)read(place->pipe[0], &byte, 1);
}

/* Without a file's position, so that a pipe will do. */
static int by_preadv2(struct place *place)
{
    char byte;
    const struct iovec part = {&byte, 1};

    return (int)preadv2(place->pipe[0], &part, 1, -1, 0);
}

static int by_pwritev2(struct place *place)
{
    char byte = 0;
    const struct iovec part = {&byte, 1};

    return (int)pwritev2(place->full[1], &part, 1, -1, 0);
}

static int by_splice(struct place *place)
{
    return (int)splice(place->pipe[0], NULL, place->other[1], NULL, 1, 0);
}

static int by_tee(struct place *place)
{
    return (int)tee(place->pipe[0], place->other[1], 1, 0);
}

static int by_vmsplice(struct place *place)
{
    char byte = 0;
    const struct iovec part = {&byte, 1};

    return (int)vmsplice(place->full[1], &part, 1, 0);
}

static int by_sendfile(struct place *place)
{
    off_t at = 0;

    return (int)sendfile(place->full[1], place->file, &at, 1);
}

static int by_sendmmsg(struct place *place)
{
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

    return sendmmsg(place->full_socket, &message, 1, 0);
}

static int by_recvmmsg(struct place *place)
{
    char byte;
    struct iovec part = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

    return recvmmsg(place->full_socket, &message, 1, 0, NULL);
}

static int by_creat(struct place *place)
{
    return creat(place->fifo, 0600);
}

static int by_openat2(struct place *place)
{
    const struct open_how how = {.flags = O_WRONLY};

    return (int)syscall(SYS_openat2, AT_FDCWD, place->fifo, &how, sizeof(how));
}

static int by_futex_waitv(struct place *place)
{
    struct futex_waitv futex = {.uaddr = (uintptr_t)&place->futex,
                                .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG};

    return (int)syscall(SYS_futex_waitv, &futex, 1, 0, NULL, CLOCK_MONOTONIC);
}

static const struct kind kinds[] = {
    {"sigsuspend", true, by_sigsuspend},
    {"ppoll", true, by_ppoll},
    {"pselect", true, by_pselect},
    {"epoll_pwait", true, by_epoll_pwait},
    {"nanosleep", false, by_nanosleep},
    {"poll", false, by_poll},
    {"sem_timedwait", false, by_semaphore},
    {"mq_timedreceive", false, by_queue},
    {"read", false, by_read},
    {"preadv2", false, by_preadv2},
    {"pwritev2", false, by_pwritev2},
    {"splice", false, by_splice},
    {"tee", false, by_tee},
    {"vmsplice", false, by_vmsplice},
    {"sendfile", false, by_sendfile},
    {"sendmmsg", false, by_sendmmsg},
    {"recvmmsg", false, by_recvmmsg},
    {"creat", false, by_creat},
    {"openat2", false, by_openat2},
    {"futex_waitv", false, by_futex_waitv},
};

/* Of parent and child. */
struct shared {
    unsigned rounds; /* atomic: waits that have ended */
};

static void note(int signal_number)
{
    (void)signal_number;
}

static _Noreturn void wait_for_signals(const struct kind *kind, struct place *place,
                                       struct shared *shared, unsigned signals)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(kind->in_one_step ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
    for (unsigned i = 0; i < signals; i++) {
        if (kind->wait(place) != -1 || errno != EINTR)
            _exit(2);
        __atomic_store_n(&shared->rounds, i + 1, __ATOMIC_RELEASE);
    }
    _exit(0);
}

static char state_of(pid_t pid)
{
    char path[64], text[256] = "";

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return '\0';
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *after = n <= 0 ? NULL : strrchr(text, ')');
    return after == NULL ? '\0' : after[2];
}

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static bool ends(const struct shared *shared, unsigned round)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    const int64_t end_ns = now_ns() + LOST_NS;

    while (__atomic_load_n(&shared->rounds, __ATOMIC_ACQUIRE) == round) {
        if (now_ns() > end_ns)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

/* As the supervisor does it: for a thread, and for the process, which has but one. */
static void kick(pid_t pid)
{
    siginfo_t info = {.si_signo = SIGSYS, .si_code = SI_QUEUE};

    info.si_pid = getpid();
    info.si_value.sival_ptr = (void *)(uintptr_t)SESSION_KICK;
    if (syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGSYS, &info) < 0 ||
        syscall(SYS_rt_sigqueueinfo, pid, SIGSYS, &info) < 0)
        err(1, "a kick");
}

static void wait_for_state(pid_t pid, char state)
{
    while (state_of(pid) != state)
        sched_yield();
}

static void send_with_a_kick(pid_t pid)
{
    wait_for_state(pid, 'S');
    kill(pid, SIGSTOP);
    wait_for_state(pid, 'T');
    kick(pid);
    kill(pid, SIGCONT);
    wait_for_state(pid, 'S');
    kill(pid, SIGSTOP);
    wait_for_state(pid, 'T');
    kick(pid);
    kill(pid, SIGUSR1);
    kill(pid, SIGCONT);
}

static void try_kind(const struct kind *kind, struct place *place, struct shared *shared,
                     unsigned signals)
{
    int status;

    shared->rounds = 0;
    const pid_t pid = fork();
    if (pid == 0)
        wait_for_signals(kind, place, shared, signals);
    for (unsigned round = 0; round < signals; round++) {
        send_with_a_kick(pid);
        if (!ends(shared, round)) {
            kill(pid, SIGKILL);
            errx(1, "%s: signal %u was lost", kind->name, round + 1);
        }
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        errx(1, "%s: status %#x", kind->name, status);
}

static void fill(int fd)
{
    static const char bytes[4096];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, bytes, sizeof(bytes)) > 0)
        ;
    while (write(fd, bytes, 1) > 0)
        ;
    fcntl(fd, F_SETFL, 0);
}

static void make_ends(struct place *place)
{
    int pair[2];
    char name[] = "signals-kicks-XXXXXX";

    place->file = mkstemp(name);
    if (place->file < 0 || unlink(name) < 0 || write(place->file, "x", 1) != 1 ||
        pipe(place->other) < 0 || pipe(place->full) < 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0 || mkfifo(name, 0600) < 0)
        err(1, "what is waited for");
    place->fifo = strdup(name);
    place->full_socket = pair[0];
    fill(place->full[1]);
    fill(place->full_socket);
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = note};
    struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 64};
    static struct place place = {.span.tv_sec = 100000};
    char name[64];

    if (argc != 2 || atoi(argv[1]) <= 0)
        errx(2, "usage: signals_kicks SIGNALS");
    const unsigned signals = (unsigned)atoi(argv[1]);
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&place.none);
    snprintf(name, sizeof(name), "/splitdom-signals-%d", (int)getpid());
    place.queue = mq_open(name, O_CREAT | O_RDWR, 0600, &attr);
    place.epoll = epoll_create1(0);
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (place.queue == (mqd_t)-1 || place.epoll < 0 || pipe(place.pipe) < 0 ||
        shared == MAP_FAILED || sem_init(&place.semaphore, 0, 0) < 0)
        err(1, "what is waited for");
    mq_unlink(name);
    make_ends(&place);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        try_kind(&kinds[i], &place, shared, signals);
    unlink(place.fifo);
    return 0;
}
