/* SPDX-License-Identifier: MIT */
#include "run/reach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "run/family.h"
#include "run/session.h"

enum { ROUNDS_MAX = 20, ROUND_NS = 2000000, PATH_SIZE = 64, LINE_SIZE = 256, STATUS_SIZE = 8192 };

int reach_kick(pid_t tgid, pid_t tid, uint32_t place)
{
    siginfo_t info = {.si_signo = SIGSYS, .si_code = SI_QUEUE};
    long rc;

    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void *)(uintptr_t)((uint64_t)place << 32 | SESSION_KICK);
    if (tid != 0)
        rc = syscall(SYS_rt_tgsigqueueinfo, tgid, tid, SIGSYS, &info);
    else
        rc = syscall(SYS_rt_sigqueueinfo, tgid, SIGSYS, &info);
    return rc < 0 ? -errno : 0;
}

/* ---- where a thread is ---- */

#ifdef __x86_64__
/* These end with EINTR after any handler. read: an inotify's. Those of sockets: where a time-out
 * bounds them, SO_RCVTIMEO or SO_SNDTIMEO; it begins anew with the call. */
static bool is_ended(long nr)
{
    static const long ended[] = {SYS_read,
                                 SYS_readv,
                                 SYS_poll,
                                 SYS_ppoll,
                                 SYS_select,
                                 SYS_pselect6,
                                 SYS_epoll_wait,
                                 SYS_epoll_pwait,
                                 SYS_pause,
                                 SYS_msgsnd,
                                 SYS_msgrcv,
                                 SYS_semop,
                                 SYS_semtimedop,
                                 SYS_io_getevents,
                                 333 /* io_pgetevents */,
                                 441 /* epoll_pwait2 */,
                                 SYS_write,
                                 SYS_writev,
                                 SYS_sendto,
                                 SYS_sendmsg,
                                 SYS_sendmmsg,
                                 SYS_connect,
                                 SYS_sendfile,
                                 SYS_splice,
                                 SYS_recvfrom,
                                 SYS_recvmsg,
                                 SYS_recvmmsg,
                                 SYS_accept,
                                 SYS_accept4};

    for (size_t i = 0; i < sizeof(ended) / sizeof(ended[0]); i++)
        if (ended[i] == nr)
            return true;
    return false;
}
#else
static bool is_ended(long nr)
{
    (void)nr;
    return false;
}
#endif

uint32_t reach_place(const char *line)
{
    long nr;
    uint64_t sp, pc;

    if (sscanf(line, "%ld %*x %*x %*x %*x %*x %*x %" SCNx64 " %" SCNx64, &nr, &sp, &pc) != 3 ||
        (pc >= SESSION_SHIM_ADDRESS && pc < SESSION_CLOCK_ADDRESS))
        return 0;
#ifdef __x86_64__
    /* What the kernel begins again after a stop: of those that are not the shim's poll alone. */
    if (nr == SYS_restart_syscall)
        nr = SYS_poll;
#endif
    return is_ended(nr) ? session_place((uint32_t)nr, pc, sp) : 0;
}

/* What a file of /proc begins with; empty: it can't be read. */
static void read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    text[n < 0 ? 0 : n] = '\0';
    if (fd >= 0)
        close(fd);
}

/* Is SIGSYS in a line of signals of /proc/PID/status? */
static bool has_sigsys(const char *status, const char *name)
{
    const char *mask = strstr(status, name);
    return mask != NULL && (strtoull(mask + strlen(name), NULL, 16) >> (SIGSYS - 1) & 1) != 0;
}

bool reach_has_shim(pid_t pid)
{
    uint64_t magic = 0;
    const struct iovec own = {.iov_base = &magic, .iov_len = sizeof(magic)};
    const struct iovec there = {.iov_base = (void *)(uintptr_t)SESSION_ADDRESS,
                                .iov_len = sizeof(magic)};
    char path[PATH_SIZE], text[STATUS_SIZE];

    if (process_vm_readv(pid, &own, 1, &there, 1, 0) == sizeof(magic) && magic == SESSION_MAGIC)
        return true;
    /* It lets nobody read its memory, or is in the midst of an exec. */
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    read_file(path, text, sizeof(text));
    return strstr(text, "\nState:\tZ") == NULL &&
           (has_sigsys(text, "\nSigCgt:") || has_sigsys(text, "\nSigBlk:"));
}

/* A kick ends who does not catch it, e.g. a child that the supervisor had before it was one. Who is
 * in the midst of an exec blocks it. Who is traced notices at its next call that is caught. */
static bool can_be_kicked(pid_t pid)
{
    char path[PATH_SIZE], text[STATUS_SIZE];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    read_file(path, text, sizeof(text));
    const char *tracer = strstr(text, "\nTracerPid:");
    return tracer != NULL && atoi(tracer + strlen("\nTracerPid:")) == 0 &&
           (has_sigsys(text, "\nSigCgt:") || has_sigsys(text, "\nSigBlk:"));
}

/* ---- processes ---- */

/* The thread that notices least of a kick, of those that sleep. One that runs may be about to be
 * caught: of two SIGSYS for one thread the kernel keeps the first, and a call would be lost. */
void reach_choose(pid_t pid, struct reach_thread *out)
{
    char path[PATH_SIZE], line[LINE_SIZE];
    struct dirent *entry;
    uint64_t tid;

    *out = (struct reach_thread){0};
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (decimal_parse(entry->d_name, 1, INT32_MAX, &tid) < 0)
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", (int)pid, (int)tid);
        read_file(path, line, sizeof(line));
        if (line[0] == 'r') { /* "running" */
            out->main_runs = out->main_runs || tid == (uint64_t)pid;
            continue;
        }
        if (line[0] == '\0' || strncmp(line, "-1 0x0 0x0", 10) == 0)
            continue; /* not ours to look at, or has ended */
        out->tid = (pid_t)tid;
        out->place = reach_place(line);
        if (out->place == 0)
            break;
    }
    if (directory != NULL)
        closedir(directory);
}

/* One for the whole process could wake a thread in a wait and be taken by another one, which has
 * just let signals in: an epoll_wait then ends with EINTR and no handler. So there is one for each
 * thread that may be the first to get a CPU. */
int reach_process(pid_t pid, const struct reach_thread *thread)
{
    int rc = -ESRCH;

    if (thread->main_runs)
        rc = reach_kick(pid, pid, 0);
    if (thread->tid != 0)
        rc = reach_kick(pid, thread->tid, thread->place);
    if (rc == -ESRCH)
        rc = reach_kick(pid, 0, 0); /* none of them is there, or has ended meanwhile */
    return rc;
}

struct reach {
    bool (*is_known)(void *arg, pid_t pid);
    void *arg;
    pid_t *done;
    size_t count, room;
    bool is_new;
};

static bool is_done(const struct reach *reach, pid_t pid)
{
    for (size_t i = 0; i < reach->count; i++)
        if (reach->done[i] == pid)
            return true;
    return false;
}

static void reach_one(void *arg, pid_t pid)
{
    struct reach *reach = arg;
    if (is_done(reach, pid))
        return;
    if (reach->count == reach->room) {
        size_t room = reach->room == 0 ? 64 : 2 * reach->room;
        pid_t *done = realloc(reach->done, room * sizeof(*done));
        if (done == NULL)
            return;
        reach->done = done;
        reach->room = room;
    }
    reach->done[reach->count++] = pid;
    reach->is_new = true;
    if (!reach->is_known(reach->arg, pid) && can_be_kicked(pid)) {
        struct reach_thread thread;
        reach_choose(pid, &thread);
        thread.main_runs = thread.main_runs && thread.tid == 0; /* it is in no hurry */
        (void)reach_process(pid, &thread);
    }
}

void reach_family(bool (*is_known)(void *arg, pid_t pid), void *arg)
{
    const struct timespec nap = clock_timespec(ROUND_NS);
    struct reach reach = {.is_known = is_known, .arg = arg};
    for (int i = 0; i < ROUNDS_MAX && (i < 2 || reach.is_new); i++) {
        reach.is_new = false;
        if (i > 0)
            clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
        family_each(reach_one, &reach);
    }
    free(reach.done);
}
