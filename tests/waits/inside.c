/* SPDX-License-Identifier: MIT */
/* inside: the dilated half. Starts a process for each case that the judge asks for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/waits/mark.h"
#include "tests/waits/waits.h"

int64_t wait_ns;
static int socket_fd = -1;
static char *program_path;

static const struct wait_case *const tables[] = {
    cases_read,    cases_relative, cases_absolute, cases_timer, cases_output,
    cases_process, cases_stamp,    cases_cpu,      cases_uring, cases_signal,
    cases_kernel,  cases_handler,  cases_shown,    cases_rare,  cases_terminal,
    cases_odd,     cases_kept,     cases_shared,   NULL,
};

const struct wait_case *waits_case(int number)
{
    for (int i = 0; tables[i] != NULL; i++) {
        for (const struct wait_case *c = tables[i]; c->name != NULL; c++) {
            if (number-- == 0)
                return c;
        }
    }
    return NULL;
}

int waits_find(const char *name)
{
    const struct wait_case *c;
    for (int i = 0; (c = waits_case(i)) != NULL; i++) {
        if (strcmp(c->name, name) == 0)
            return i;
    }
    return -1;
}

static void tell(enum mark_kind kind, int64_t value, const char *text)
{
    struct mark mark = {.kind = kind, .pid = getpid(), .value = value};
    snprintf(mark.text, sizeof(mark.text), "%s", text);
    while (send(socket_fd, &mark, sizeof(mark), MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

void begin(void)
{
    tell(MARK_BEGIN, 0, "");
}

void end(int64_t value)
{
    tell(MARK_END, value, "");
    char byte;
    /* The judge looks at our CPU time before it lets us go. */
    while (recv(socket_fd, &byte, 1, 0) < 0 && errno == EINTR)
        ;
    _exit(0);
}

void go(void)
{
    char byte;
    (void)recv(socket_fd, &byte, 1, 0);
}

int told_to_stop(void)
{
    char byte;
    return recv(socket_fd, &byte, 1, MSG_DONTWAIT) >= 0;
}

void absent(const char *what)
{
    tell(MARK_ABSENT, 0, what);
    _exit(0);
}

void broken(const char *what)
{
    char text[sizeof(((struct mark *)NULL)->text)];
    snprintf(text, sizeof(text), "%s: %s", what, strerror(errno));
    tell(MARK_BROKEN, 0, text);
    _exit(1);
}

void must(long rc, const char *what)
{
    if (rc < 0)
        broken(what);
}

struct timespec wait_timespec(void)
{
    return (struct timespec){.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
}

struct timeval wait_timeval(void)
{
    return (struct timeval){.tv_sec = wait_ns / 1000000000, .tv_usec = wait_ns % 1000000000 / 1000};
}

int wait_ms(void)
{
    return (int)(wait_ns / 1000000);
}

struct timespec wait_until(clockid_t clock)
{
    struct timespec at;
    must(clock_gettime(clock, &at), "clock_gettime");
    int64_t ns = at.tv_nsec + wait_ns;
    return (struct timespec){.tv_sec = at.tv_sec + ns / 1000000000, .tv_nsec = ns % 1000000000};
}

int64_t timespec_ns(struct timespec at)
{
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

int64_t clock_ns(clockid_t clock)
{
    struct timespec at;
    must(clock_gettime(clock, &at), "clock_gettime");
    return timespec_ns(at);
}

void burn(void)
{
    for (volatile int i = 0; i < 20000; i = i + 1)
        ;
}

int mark_fd(void)
{
    return socket_fd;
}

/* The case goes on as NAME in a fresh image of this program. */
void waits_exec_case(const char *name, char *const environment[])
{
    char fd[16], ns[32], kept_name[64];
    snprintf(fd, sizeof(fd), "%d", socket_fd);
    snprintf(ns, sizeof(ns), "%lld", (long long)wait_ns);
    snprintf(kept_name, sizeof(kept_name), "%s", name);
    char *const arguments[] = {program_path, (char[]){"--case"}, kept_name, fd, ns, NULL};
    execve(program_path, arguments, environment);
    broken("execve");
}

static void run_case(const struct wait_case *c)
{
    if (c->whole_seconds)
        wait_ns = 1000000000;
    signal(SIGCHLD, SIG_DFL);
    c->run();
    broken("the case came to no end");
}

/* --case NAME FD WAIT_NS: what follows an exec. */
int waits_exec_main(char **arguments)
{
    int number = waits_find(arguments[0]);
    program_path = realpath("/proc/self/exe", NULL);
    socket_fd = atoi(arguments[1]);
    wait_ns = atoll(arguments[2]);
    if (number < 0)
        return 2;
    run_case(waits_case(number));
    return 1;
}

/* Takes one request, with the socket of the case. Returns -1 at the end. */
static int take_request(int fd, struct request *request)
{
    union {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {request, sizeof(*request)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.buffer,
                             .msg_controllen = sizeof(control.buffer)};
    ssize_t n;
    while ((n = recvmsg(fd, &message, 0)) < 0 && errno == EINTR)
        ;
    struct cmsghdr *header = n == (ssize_t)sizeof(*request) ? CMSG_FIRSTHDR(&message) : NULL;
    if (header == NULL)
        return -1;
    memcpy(&socket_fd, CMSG_DATA(header), sizeof(int));
    return 0;
}

int waits_inside_main(int fd)
{
    struct request request;
    program_path = realpath("/proc/self/exe", NULL);
    signal(SIGCHLD, SIG_IGN);
    while (take_request(fd, &request) == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            (void)close(fd);
            (void)setpgid(0, 0);
            wait_ns = request.wait_ns;
            int number = waits_find(request.name);
            if (number < 0)
                absent("not in this build");
            run_case(waits_case(number));
        }
        close(socket_fd);
    }
    return 0;
}
