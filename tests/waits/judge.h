/* SPDX-License-Identifier: MIT */
/* judge: one case after the other is started, heard and judged (waits.h). */
#ifndef SPLITDOM_TESTS_WAITS_JUDGE_H
#define SPLITDOM_TESTS_WAITS_JUDGE_H

#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/waits/mark.h"
#include "tests/waits/waits.h"

enum { JOBS_MAX = 64, OLD_NS = 3000000000LL };

enum verdict { RIGHT, WRONG, HANG, BROKEN, ABSENT };

/* A case that runs. */
struct run {
    const struct wait_case *c;
    int fd;
    pid_t pid;
    int64_t started_ns, begin_ns, due_ns, begin_cpu_ns;
    int number, begun, told, tries;
};

struct judge {
    double tdf, tolerance, tsc_hz;
    int64_t wait_ns, slack_ns, born_ns;
    int jobs, tries, quiet, only_list;
    const char *pattern;
    FILE *except; /* names of cases that are not to be run, a line each */
    const char *program;
    int control_fd;
    struct run runs[JOBS_MAX];
    int counts[ABSENT + 1];
};

static inline int64_t now(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Ticks in a real second. */
static inline double measure_tsc(void)
{
#if defined(__x86_64__)
    int64_t from_ns = now(), from = (int64_t)__builtin_ia32_rdtsc();
    usleep(100000);
    int64_t ticks = (int64_t)__builtin_ia32_rdtsc() - from;
    return (double)ticks * 1e9 / (double)(now() - from_ns);
#else
    return 1e9;
#endif
}

/* CPU time that a process has used, by the kernel's word; the process sleeps. */
static inline int64_t cpu_ns(pid_t pid)
{
    char path[64];
    long long ns = 0;
    snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lld", &ns) != 1)
        ns = 0;
    fclose(file);
    return ns;
}

static inline void await_sleep(pid_t pid)
{
    char path[64], text[256];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    for (int i = 0; i < 1000; i++) {
        FILE *file = fopen(path, "r");
        if (file == NULL)
            return;
        size_t n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        text[n] = '\0';
        char *after = strrchr(text, ')');
        if (after != NULL && after[2] == 'S')
            return;
        usleep(100);
    }
}

static inline int64_t wait_of(const struct judge *judge, const struct wait_case *c)
{
    return c->whole_seconds ? 1000000000 : judge->wait_ns;
}

/* How long a case should last, in real time. */
static inline int64_t span_ns(const struct judge *judge, const struct wait_case *c)
{
    double factor = c->kind == KIND_REMAIN || c->kind == KIND_SIGNAL ? 0.5
                    : c->kind == KIND_COUNT                          ? 4.5
                    : c->kind == KIND_EQUAL                          ? 0
                    : c->kind == KIND_WAIT && c->waits > 0           ? c->waits
                                                                     : 1;
    return (int64_t)(factor * judge->tdf * (double)wait_of(judge, c));
}

static inline int wants_go(const struct wait_case *c)
{
    return c->kind != KIND_WAIT && c->kind != KIND_EQUAL;
}

static inline int start_case(struct judge *judge, struct run *run, int number)
{
    struct request request = {.wait_ns = judge->wait_ns};
    snprintf(request.name, sizeof(request.name), "%s", waits_case(number)->name);
    union {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {&request, sizeof(request)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.buffer,
                             .msg_controllen = sizeof(control.buffer)};
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fds[1], sizeof(int));
    ssize_t n = sendmsg(judge->control_fd, &message, MSG_NOSIGNAL);
    close(fds[1]);
    if (n < 0) {
        close(fds[0]);
        return -1;
    }
    *run = (struct run){.c = waits_case(number),
                        .fd = fds[0],
                        .started_ns = now(),
                        .number = number,
                        .tries = run->tries};
    return 0;
}

static const char *const verdict_names[] = {"right", "WRONG", "HANG", "BROKEN", "absent"};

static inline void finish(struct judge *judge, struct run *run, enum verdict verdict,
                          const char *text)
{
    if (run->pid > 0 && verdict != RIGHT) {
        kill(run->pid, SIGKILL);
        kill(-run->pid, SIGKILL);
    }
    close(run->fd);
    /* A machine that others load, too, is late at times: a wrong time is looked at again. */
    if (verdict == WRONG && ++run->tries < judge->tries && start_case(judge, run, run->number) == 0)
        return;
    judge->counts[verdict]++;
    if (!judge->quiet || (verdict != RIGHT && verdict != ABSENT))
        printf("%-6s  %-36s %s\n", verdict_names[verdict], run->c->name, text);
    run->c = NULL;
}

/* Compares what there is with what there should be, both in the same time. */
static inline void compare(struct judge *judge, struct run *run, double is_ns, double should_ns,
                           double scale, const char *what)
{
    double allowed = (judge->tolerance + run->c->percent / 100.0) * should_ns +
                     ((double)judge->slack_ns + (double)run->c->grain_real_ns) * scale +
                     (double)run->c->grain_ns * judge->tdf * scale;
    double off = is_ns - should_ns;
    char text[128];
    snprintf(text, sizeof(text), "%s %.3f ms, should be %.3f (%+.3f)", what, is_ns / 1e6,
             should_ns / 1e6, off / 1e6);
    finish(judge, run, off <= allowed && off >= -allowed ? RIGHT : WRONG, text);
}

static inline void judge_end(struct judge *judge, struct run *run, int64_t value, int64_t end_ns)
{
    const struct wait_case *c = run->c;
    double real = (double)(end_ns - run->begin_ns), tdf = judge->tdf, is = (double)value;
    double cpu;
    char text[96];
    switch (c->kind) {
    case KIND_WAIT:
        compare(judge, run, real, (double)span_ns(judge, c), 1, "real");
        break;
    case KIND_READ:
        compare(judge, run, is, real / tdf, 1 / tdf, "read");
        break;
    case KIND_TICKS:
        compare(judge, run, is * 1e9 / judge->tsc_hz, real / tdf, 1 / tdf, "read");
        break;
    case KIND_REMAIN:
    case KIND_SIGNAL:
        compare(judge, run, (double)wait_of(judge, c) - is, real / tdf, 1 / tdf, "gone");
        break;
    case KIND_EQUAL:
        compare(judge, run, is, 0, 1 / tdf, "differs by");
        break;
    case KIND_CPU:
        await_sleep(run->pid);
        cpu = (double)(cpu_ns(run->pid) - run->begin_cpu_ns);
        compare(judge, run, is, cpu / tdf, 1 / tdf, "CPU");
        break;
    case KIND_CPUWAIT:
        await_sleep(run->pid);
        cpu = (double)(cpu_ns(run->pid) - run->begin_cpu_ns);
        compare(judge, run, cpu, (double)span_ns(judge, c), 1, "CPU");
        break;
    case KIND_COUNT:
        /* A late answer counts what has ended by then. */
        snprintf(text, sizeof(text), "%lld periods in %.3f ms", (long long)value, real / 1e6);
        is = real / tdf / (double)wait_of(judge, c);
        finish(judge, run, value >= 4 && (double)value <= is + 0.1 ? RIGHT : WRONG, text);
        break;
    }
}

static inline void say_go(struct run *run)
{
    run->told = 1;
    if (run->c->kind == KIND_SIGNAL)
        kill(run->pid, SIGUSR1);
    else
        (void)!send(run->fd, "g", 1, MSG_NOSIGNAL);
}

static inline void on_begin(struct judge *judge, struct run *run)
{
    run->begun = 1;
    run->begin_ns = now();
    run->due_ns = run->begin_ns + span_ns(judge, run->c);
    if (run->c->kind == KIND_CPU || run->c->kind == KIND_CPUWAIT) {
        await_sleep(run->pid);
        run->begin_cpu_ns = cpu_ns(run->pid);
        (void)!send(run->fd, "g", 1, MSG_NOSIGNAL);
        run->told = run->c->kind == KIND_CPUWAIT;
        run->due_ns = now() + span_ns(judge, run->c);
    }
}

static inline void hear(struct judge *judge, struct run *run)
{
    struct mark mark;
    int64_t heard_ns = now();
    ssize_t n = recv(run->fd, &mark, sizeof(mark), 0);
    if (n != (ssize_t)sizeof(mark)) {
        finish(judge, run, BROKEN, "the process has ended");
        return;
    }
    run->pid = mark.pid;
    mark.text[sizeof(mark.text) - 1] = '\0';
    switch (mark.kind) {
    case MARK_BEGIN:
        on_begin(judge, run);
        break;
    case MARK_END:
        judge_end(judge, run, mark.value, heard_ns);
        break;
    case MARK_ABSENT:
        finish(judge, run, ABSENT, mark.text);
        break;
    case MARK_BROKEN:
        finish(judge, run, BROKEN, mark.text);
        break;
    }
}

static inline int64_t patience_ns(const struct judge *judge, const struct wait_case *c)
{
    return 3 * span_ns(judge, c) + 5000000000LL;
}

/* One look at all that run; waits until something is due. */
static inline void look(struct judge *judge)
{
    struct pollfd fds[JOBS_MAX];
    int64_t due_ns = INT64_MAX, now_ns = now();
    for (int i = 0; i < judge->jobs; i++) {
        struct run *run = &judge->runs[i];
        fds[i] = (struct pollfd){.fd = run->c == NULL ? -1 : run->fd, .events = POLLIN};
        if (run->c == NULL)
            continue;
        int64_t end_ns =
            run->begun && !run->told && wants_go(run->c)
                ? run->due_ns
                : (run->begun ? run->begin_ns : run->started_ns) + patience_ns(judge, run->c);
        if (end_ns < due_ns)
            due_ns = end_ns;
    }
    int64_t left_ns = due_ns == INT64_MAX ? 0 : due_ns > now_ns ? due_ns - now_ns : 0;
    struct timespec span = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};
    if (ppoll(fds, (nfds_t)judge->jobs, &span, NULL) < 0 && errno != EINTR)
        exit(2);
    for (int i = 0; i < judge->jobs; i++) {
        struct run *run = &judge->runs[i];
        if (run->c != NULL && fds[i].revents != 0)
            hear(judge, run);
        if (run->c == NULL)
            continue;
        now_ns = now();
        if (run->begun && !run->told && wants_go(run->c) && now_ns >= run->due_ns)
            say_go(run);
        if (now_ns > (run->begun ? run->begin_ns : run->started_ns) + patience_ns(judge, run->c))
            finish(judge, run, HANG, run->begun ? "" : "it does not begin");
    }
}

#endif
