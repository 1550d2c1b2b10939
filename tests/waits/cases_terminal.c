/* SPDX-License-Identifier: MIT */
/* VTIME: the time-out of a terminal that is not read by lines, in tenths of a second. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/waits/waits.h"

enum { SECOND = 10, NOTHING_NS = 1000000000 };

/* A terminal; the other end is *master. */
static int open_terminal(int *master, unsigned char bytes, unsigned char tenths)
{
    struct termios settings;
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0)
        absent("a pseudo terminal");
    must(grantpt(*master), "grantpt");
    must(unlockpt(*master), "unlockpt");
    int fd = open(ptsname(*master), O_RDWR | O_NOCTTY);
    must(fd, "a pseudo terminal");
    must(tcgetattr(fd, &settings), "tcgetattr");
    cfmakeraw(&settings);
    settings.c_cc[VMIN] = bytes;
    settings.c_cc[VTIME] = tenths;
    must(tcsetattr(fd, TCSANOW, &settings), "tcsetattr");
    return fd;
}

static void by_time(void)
{
    char byte;
    int master, fd = open_terminal(&master, 0, SECOND);
    begin();
    if (read(fd, &byte, 1) != 0)
        broken("read");
    end(0);
}

/* The first byte is waited for without end, the next one not. */
static void between_bytes(void)
{
    char bytes[8];
    int master, fd = open_terminal(&master, sizeof(bytes), SECOND);
    must(write(master, "ab", 2), "write");
    begin();
    if (read(fd, bytes, sizeof(bytes)) != 2)
        broken("read");
    end(0);
}

static void all_bytes(void)
{
    char bytes[3];
    int master, fd = open_terminal(&master, sizeof(bytes), SECOND);
    must(write(master, "abcd", 4), "write");
    begin();
    int64_t from_ns = clock_ns(CLOCK_MONOTONIC);
    if (read(fd, bytes, sizeof(bytes)) != 3 || read(fd, bytes, 1) != 1)
        broken("read");
    end(clock_ns(CLOCK_MONOTONIC) - from_ns < NOTHING_NS ? 0 : NOTHING_NS);
}

/* By a program that was started after another one had set it. */
static void in_a_shell(void)
{
    int master, fd = open_terminal(&master, 0, 0);
    begin();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd, 0);
        execl("/bin/sh", "sh", "-c", "stty time 10 && head -c 1", (char *)NULL);
        _exit(1);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        broken("a shell");
    end(0);
}

/* The other end has the same settings, and is read without a time-out. */
static void other_end(void)
{
    struct timespec longer = {.tv_sec = 1};
    char byte;
    int master, fd = open_terminal(&master, 0, 1);
    begin();
    if (fork() == 0) {
        nanosleep(&longer, NULL);
        _exit(write(fd, "a", 1) == 1 ? 0 : 1);
    }
    if (read(master, &byte, 1) != 1)
        broken("read");
    end(0);
}

static int wait_status(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* Who is in the background and ignores SIGTTIN may not read, nor wait for that. */
static void in_the_background(void)
{
    pid_t leader = fork();
    if (leader == 0) {
        (void)setsid();
        int master, fd = open_terminal(&master, 0, SECOND);
        if (ioctl(fd, TIOCSCTTY, 0) < 0)
            _exit(2);
        pid_t reader = fork();
        if (reader == 0) {
            char byte;
            (void)setpgid(0, 0);
            signal(SIGTTIN, SIG_IGN);
            _exit(read(fd, &byte, 1) < 0 && errno == EIO ? 0 : 1);
        }
        _exit(wait_status(reader) == 0 ? 0 : 1);
    }
    int status = wait_status(leader);
    begin();
    if (status == 2 << 8)
        absent("a controlling terminal");
    end(status == 0 ? 0 : NOTHING_NS);
}

static void nothing(int number)
{
    (void)number;
}

/* With SA_RESTART, while nothing has come. */
static void past_a_handler(void)
{
    const struct timespec some = {.tv_nsec = 30000000};
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    char bytes[8];
    int master, fd = open_terminal(&master, sizeof(bytes), 1);
    must(sigaction(SIGUSR1, &action, NULL), "sigaction");
    begin();
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        nanosleep(&some, NULL);
        (void)kill(parent, SIGUSR1);
        nanosleep(&some, NULL);
        _exit(write(master, "a", 1) == 1 ? 0 : 1);
    }
    end(read(fd, bytes, sizeof(bytes)) == 1 ? 0 : NOTHING_NS);
}

static void *read_one(void *fds)
{
    char byte;
    return read(((int *)fds)[0], &byte, 1) < 0 ? NULL : fds;
}

/* Once reads are caught, those of other files, too. */
static void cancelled(void)
{
    const struct timespec some = {.tv_nsec = 30000000};
    int master, fds[2];
    void *found = NULL;
    pthread_t thread;
    (void)open_terminal(&master, 0, 1);
    must(pipe(fds), "pipe");
    begin();
    must(-pthread_create(&thread, NULL, read_one, fds), "pthread_create");
    nanosleep(&some, NULL);
    must(-pthread_cancel(thread), "pthread_cancel");
    must(-pthread_join(thread, &found), "pthread_join");
    end(found == PTHREAD_CANCELED ? 0 : NOTHING_NS);
}

const struct wait_case cases_terminal[] = {
    {"VTIME", KIND_WAIT, by_time, 0, 0, 0, 1, 0},
    {"VTIME between bytes", KIND_WAIT, between_bytes, 0, 0, 0, 1, 0},
    {"VTIME and all bytes", KIND_EQUAL, all_bytes, 0, 0, 0, 0, 0},
    {"VTIME set by stty", KIND_WAIT, in_a_shell, 0, 20000000, 0, 1, 0},
    {"VTIME and the other end", KIND_WAIT, other_end, 0, 0, 0, 1, 0},
    {"VTIME in the background", KIND_EQUAL, in_the_background, 0, 0, 0, 0, 0},
    {"VTIME between bytes and a handler", KIND_EQUAL, past_a_handler, 0, 0, 0, 1, 0},
    {"VTIME and a cancelled read", KIND_EQUAL, cancelled, 0, 0, 0, 0, 0},
    {.name = NULL},
};
