/* SPDX-License-Identifier: MIT */
/* VTIME: the time-out of a terminal that is not read by lines, in tenths of a second. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

const struct wait_case cases_terminal[] = {
    {"VTIME", KIND_WAIT, by_time, 0, 0, 0, 1, 0},
    {"VTIME between bytes", KIND_WAIT, between_bytes, 0, 0, 0, 1, 0},
    {"VTIME and all bytes", KIND_EQUAL, all_bytes, 0, 0, 0, 0, 0},
    {"VTIME set by stty", KIND_WAIT, in_a_shell, 0, 20000000, 0, 1, 0},
    {"VTIME and the other end", KIND_WAIT, other_end, 0, 0, 0, 1, 0},
    {.name = NULL},
};
