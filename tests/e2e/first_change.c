/* SPDX-License-Identifier: MIT */
/*
 * first_change: processes of which none waits for a time, while the domain's clock leaves real
 * time.
 *
 *     first_change
 *
 * In the current directory: writes their process ids to the file ready when all of them wait, and
 * wakes them when the file go is there. Then each must find the time of a file that it makes in the
 * domain's time, which must be some minutes ahead by then. Exit 1: one of them did not, or its wait
 * ended before.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD_S = 200, TICK_S = 20, STATE_BYTES = 512 };

static int fd;           /* what wakes the one who waits */
static volatile int sum; /* what is computed */

static void on_signal(int signo)
{
    (void)signo;
}

static bool by_computing(void)
{
    while (access("go", F_OK) != 0)
        for (int i = 0; i < 1000; i++)
            sum += i;
    return true;
}

static bool by_read(void)
{
    char byte;
    return read(fd, &byte, 1) == 1;
}

static bool by_poll(void)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};
    return poll(&pollfd, 1, -1) == 1;
}

static bool by_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, NULL) == 1;
}

static bool by_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 &&
           epoll_wait(epoll, &event, 1, -1) == 1;
}

static bool by_message(void)
{
    struct {
        long type;
        char byte;
    } message;
    return msgrcv(fd, &message, 1, 0, 0) == 1;
}

static bool by_pause(void)
{
    return pause() == -1 && errno == EINTR;
}

/* Does this thread wait? */
static bool waits(pid_t tid)
{
    char path[64], text[STATE_BYTES] = "";
    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    int file = open(path, O_RDONLY);
    if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
        err(1, "%s", path);
    close(file);
    return strstr(text, "State:\tS") != NULL;
}

static void *poll_main(void *tid)
{
    atomic_store((atomic_int *)tid, gettid());
    return (void *)(long)by_poll();
}

static bool by_two_threads(void)
{
    pthread_t thread;
    atomic_int tid = 0;
    void *other;
    if (pthread_create(&thread, NULL, poll_main, &tid) != 0)
        errx(1, "pthread_create");
    while (atomic_load(&tid) == 0 || !waits(atomic_load(&tid)))
        sched_yield();
    bool own = by_poll();
    pthread_join(thread, &other);
    return own && other != NULL;
}

static bool (*const kinds[])(void) = {by_read,    by_poll,  by_select,      by_epoll,
                                      by_message, by_pause, by_two_threads, by_computing};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), MESSAGE = 4, PAUSE = 5, COMPUTING = 7 };

static time_t now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec;
}

static int child(int kind)
{
    char name[32];
    struct stat stat;
    const time_t begin = now();
    if (!kinds[kind]() || access("go", F_OK) != 0) {
        fprintf(stderr, "kind %d: the wait ended by itself\n", kind);
        return 1;
    }
    while (now() - begin < AHEAD_S)
        ;
    snprintf(name, sizeof(name), "file%d", kind);
    const time_t before = now();
    int file = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (file < 0 || fstat(file, &stat) != 0)
        err(1, "%s", name);
    if (stat.st_mtime < before - TICK_S || stat.st_mtime > now()) {
        fprintf(stderr, "kind %d: a file of %lld at %lld\n", kind, (long long)stat.st_mtime,
                (long long)before);
        return 1;
    }
    return 0;
}

static void wake(int kind, pid_t pid, int end)
{
    const struct {
        long type;
        char byte;
    } message = {.type = 1, .byte = 'x'};
    if (kind == MESSAGE)
        (void)!msgsnd(end, &message, 1, 0);
    else if (kind == PAUSE)
        (void)kill(pid, SIGUSR1);
    else
        (void)!write(end, "xx", 2);
}

int main(void)
{
    const struct timespec nap = {.tv_nsec = 10000000};
    pid_t pids[KINDS];
    int ends[KINDS], status, bad = 0;
    signal(SIGUSR1, on_signal);
    for (int kind = 0; kind < KINDS; kind++) {
        int both[2];
        if (pipe(both) < 0)
            err(1, "pipe");
        ends[kind] = both[1];
        fd = both[0];
        if (kind == MESSAGE)
            fd = ends[kind] = msgget(IPC_PRIVATE, 0600);
        pids[kind] = fork();
        if (pids[kind] == 0)
            _exit(child(kind));
    }
    for (int kind = 0; kind < KINDS; kind++)
        while (kind != COMPUTING && !waits(pids[kind]))
            nanosleep(&nap, NULL);
    FILE *file = fopen("starting", "we");
    for (int kind = 0; kind < KINDS; kind++)
        fprintf(file, "%d\n", (int)pids[kind]);
    if (fclose(file) != 0 || rename("starting", "ready") != 0)
        err(1, "ready");
    while (access("go", F_OK) != 0)
        nanosleep(&nap, NULL);
    for (int kind = 0; kind < KINDS; kind++)
        wake(kind, pids[kind], ends[kind]);
    for (int kind = 0; kind < KINDS; kind++)
        bad += waitpid(pids[kind], &status, 0) < 0 || status != 0;
    (void)msgctl(ends[MESSAGE], IPC_RMID, NULL);
    return bad > 0;
}
