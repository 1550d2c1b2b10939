/* SPDX-License-Identifier: MIT */
#include "run/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/waker.h"
#include "base/why.h"
#include "run/family.h"

enum { EXIT_SIGNAL = 128, EXIT_CANNOT = 126, MOVES_MAX = 100 };

/* ---- start ---- */

/* Where SIGCHLD is ignored, as some parents leave it behind, the kernel tells nothing of children.
 */
static int watch_children(struct supervisor *s)
{
    const struct sigaction action = {.sa_handler = SIG_DFL};
    return sigaction(SIGCHLD, &action, &s->child_action) < 0 ? -errno : 0;
}

/* Faults of our own stay faults. */
static int block_signals(struct supervisor *s)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t watched;
    sigfillset(&watched);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&watched, faults[i]);
    if (sigprocmask(SIG_BLOCK, &watched, &s->mask) < 0)
        return -errno;
    s->signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signal_fd < 0 ? -errno : 0;
}

static _Noreturn void become(const struct supervisor *s, char **program)
{
    int rc = s->is_limited ? cpu_limit_enter(s->limit) : 0;
    if (rc < 0) {
        fprintf(stderr, "domu: cannot enter the control group %s: %s\n", s->limit->path,
                strerror(-rc));
        _exit(EXIT_CANNOT);
    }
    (void)sigaction(SIGCHLD, &s->child_action, NULL);
    sigset_t mask = s->mask;
    sigaddset(&mask, SIGSYS); /* the shim lets it in, when it has its handler */
    sigprocmask(SIG_SETMASK, &mask, NULL);
    _exit(mediate_exec(s->mediate, program[0], program, environ));
}

int supervisor_start(struct supervisor *s, char **program)
{
    int rc = watch_children(s);
    if (rc == 0)
        rc = block_signals(s);
    if (rc == 0)
        rc = family_begin();
    if (rc < 0)
        return rc;
    sigset_t sigsys;
    sigemptyset(&sigsys);
    sigaddset(&sigsys, SIGSYS);
    sigprocmask(SIG_BLOCK, &sigsys, NULL); /* a kick that comes before the shim is there waits */
    pid_t pid = fork();
    rc = pid < 0 ? -errno : 0;
    if (pid == 0)
        become(s, program);
    sigprocmask(SIG_UNBLOCK, &sigsys, NULL);
    if (rc == 0)
        s->program = pid;
    if (rc == 0)
        (void)mediate_watch(s->mediate); /* else what Dom0 tells has to do */
    return rc;
}

/* ---- what processes do ---- */

/* As the program was stopped: the shell waits for us. A group without a shell does not stop. We go
 * on when we are told to, and when the program alone was. */
static void stop_like(struct supervisor *s, int signo)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signo);
    s->waker = waker_start(s->program);
    (void)kill(getpid(), signo);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL); /* here we stop, and go on */
    (void)sigprocmask(SIG_BLOCK, &one, NULL);
    waker_end(s->waker);
}

/* Takes what has become of our children. Returns false when there are none any more. */
static bool take_children(struct supervisor *s)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return pid == 0;
        if (pid != s->program)
            continue;
        if (WIFSTOPPED(status)) {
            stop_like(s, WSTOPSIG(status));
            continue;
        }
        s->status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
        s->program = 0;
    }
}

static void send_program(const struct supervisor *s, int signo)
{
    if (s->program != 0)
        (void)kill(s->program, signo);
    else
        family_signal(signo); /* daemons, and what else it left */
}

/* The kernel sends what is typed, and the end of a terminal, to all of the process group. */
static void pass_on(const struct supervisor *s, const struct signalfd_siginfo *info)
{
    bool by_waker = info->ssi_signo == SIGCONT && (pid_t)info->ssi_pid == s->waker;
    if (info->ssi_code > 0 || (s->waker > 0 && by_waker))
        return;
    if (info->ssi_code == SI_QUEUE && s->program != 0)
        (void)sigqueue(s->program, (int)info->ssi_signo,
                       (union sigval){.sival_ptr = (void *)(uintptr_t)info->ssi_ptr});
    else
        send_program(s, (int)info->ssi_signo);
}

static bool take_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    bool child = false;
    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            child = true;
        else
            pass_on(s, &info);
    }
    if (child && s->is_destroyed)
        family_kill(); /* who was just forking is ours now */
    return !child || take_children(s);
}

/* ---- what Dom0 says ---- */

struct move {
    const struct cpu_limit *limit;
    bool is_new;
    pid_t failed; /* 0: none; the first one, and why */
    int rc;
};

static void move_one(void *arg, pid_t pid)
{
    struct move *move = arg;
    int rc = cpu_limit_take(move->limit, pid);
    if (rc == 1)
        move->is_new = true;
    if (rc >= 0 || rc == -ESRCH || move->failed != 0)
        return;
    move->failed = pid;
    move->rc = rc;
}

/* Whoever was just forking is there at the next look. */
static void move_family(const struct supervisor *s)
{
    struct move move = {.limit = s->limit, .is_new = true};
    for (int i = 0; i < MOVES_MAX && move.is_new; i++) {
        move.is_new = false;
        family_each(move_one, &move);
    }
    if (move.failed != 0)
        fprintf(stderr, "domu: process %d stays out of the control group %s: %s\n",
                (int)move.failed, s->limit->path, strerror(-move.rc));
}

static void set_share(struct supervisor *s, const struct domu_events *events)
{
    struct why why;
    if (!s->is_limited && events->cpu_share_num != events->cpu_share_den) {
        move_family(s);
        s->is_limited = true;
    }
    if (cpu_limit_set(s->limit, events->cpu_share_num, events->cpu_share_den, &why) < 0)
        fprintf(stderr, "domu: %s\n", why.text);
}

static void take_events(struct supervisor *s)
{
    struct domu_events events = {.size = sizeof(events)};
    if (domu_take_events(s->domu, &events) < 0)
        return;
    if (events.happened & DOMU_EVENT_CLOCK)
        mediate_changed(s->mediate,
                        (struct tdf){(uint32_t)events.tdf_num, (uint32_t)events.tdf_den});
    if (events.happened & DOMU_EVENT_CPU_SHARE)
        set_share(s, &events);
    if (events.happened & DOMU_EVENT_SHUTDOWN)
        send_program(s, SIGTERM);
    if (events.happened & DOMU_EVENT_DESTROYED) {
        s->is_destroyed = true;
        send_program(s, SIGKILL);
        family_kill();
    }
}

/* Once. The page of the clock stays, and with it the last rate. */
static void take_loss(struct supervisor *s)
{
    take_events(s); /* the reason may be one */
    s->is_orphaned = true;
    if (!s->is_destroyed)
        fprintf(stderr, "domu: %s: the program goes on, its time at the last rate\n",
                domu_failure(s->domu));
}

/* Dom0's end is that of the interface, too, and has been told. */
static void take_vif_end(struct supervisor *s)
{
    struct why why;
    run_vif_lose(s->vif, &why);
    if (domu_failure(s->domu)[0] == '\0')
        fprintf(stderr, "domu: %s: the program goes on without it\n", why.text);
}

int supervisor_follow(struct supervisor *s)
{
    struct pollfd fds[4] = {{.fd = s->signal_fd, .events = POLLIN},
                            {.fd = domu_event_fd(s->domu), .events = POLLIN},
                            {.fd = domu_fd(s->domu), .events = POLLIN},
                            {.fd = run_vif_fd(s->vif), .events = POLLIN}};
    bool goes_on = take_children(s);
    while (goes_on) {
        if (poll(fds, 4, -1) < 0)
            continue; /* EINTR: we were stopped */
        if (fds[1].revents != 0)
            take_events(s);
        if (fds[2].revents != 0 && !s->is_orphaned) {
            take_loss(s);
            fds[1].fd = fds[2].fd = -1;
        }
        if (fds[3].revents != 0) {
            take_vif_end(s);
            fds[3].fd = -1;
        }
        goes_on = fds[0].revents == 0 || take_signals(s);
    }
    return s->status;
}

void supervisor_end(struct supervisor *s)
{
    mediate_unwatch(s->mediate);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    s->signal_fd = -1;
}
