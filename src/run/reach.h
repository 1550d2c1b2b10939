/* SPDX-License-Identifier: MIT */
/*
 * reach: kicks, by which the supervisor tells the shim in its programs of a change (run/session.h).
 *
 * Who waits for a time stands in the session's table. Who computes, or waits for something else,
 * stands nowhere, so that the family is looked for in /proc. A kick ends some system calls with
 * EINTR (signal(7): poll, msgrcv, ...): so a thread is chosen that is in none of them, or told
 * where it waits, to begin that call again. One that enters such a call while it is looked at may
 * be told EINTR. Only threads that sleep are chosen: of two SIGSYS for one thread the kernel keeps
 * the first, and one that runs may be about to be caught. Where none sleeps, the kick is for any.
 */
#ifndef SPLITDOM_RUN_REACH_H
#define SPLITDOM_RUN_REACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* tid 0: any thread of the process. place: session_place, or 0. 0; -ESRCH: nobody is there any
 * more; others from the system. */
int reach_kick(pid_t tgid, pid_t tid, uint32_t place);

struct reach_thread {
    pid_t tid;      /* 0: none sleeps */
    uint32_t place; /* where it waits, as reach_kick takes it */
    bool main_runs; /* the main thread has, or wants, a CPU */
};

/* A thread of the process that sleeps, if there is any: the kernel would take the main thread, and
 * that may wait for a CPU for long. */
void reach_choose(pid_t pid, struct reach_thread *out);

/* That thread, and the main thread if it may be on a CPU now. 0; -ESRCH: the process has ended. */
int reach_process(pid_t pid, const struct reach_thread *thread);

/* Would the process survive a kick? Not one that has got the number of a program that has ended, or
 * that has another number in a program's PID namespace. Takes a microsecond for our own. */
bool reach_has_shim(pid_t pid);

/* One thread of each descendant of this process, but for those that are known to have been kicked,
 * those that neither catch nor block SIGSYS, which would end them (they have no shim), and those
 * that are traced, to whose tracers it would be a signal that they do not expect
 * (User-mode Linux traces its guest's programs). Looks twice at least, some milliseconds apart, for
 * who is just being forked. */
void reach_family(bool (*is_known)(void *arg, pid_t pid), void *arg);

/* The place of a thread, from a line of /proc/PID/task/TID/syscall; 0: it runs, or waits in a call
 * that the kernel begins again by itself, or that the shim has made. */
uint32_t reach_place(const char *line);

#endif
