/* SPDX-License-Identifier: MIT */
/*
 * calls: the mediated system calls, each as trap.h has it. The dispatch is in dispatch.c, what of
 * them is caught at all in filter.c.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_CALLS_H
#define SPLITDOM_RUN_SHIM_CALL_CALLS_H

#include <stdbool.h>

#include "run/shim/core/trap.h"

/* NULL: no mediated call. */
trap_fn calls_find(long nr);

/* Does it take no signals until it is answered? It never waits. */
bool calls_keep_signals_out(long nr);

long call_nanosleep(struct trap *trap);
long call_clock_nanosleep(struct trap *trap);
long call_poll(struct trap *trap);
long call_ppoll(struct trap *trap);
long call_select(struct trap *trap);
long call_pselect6(struct trap *trap);
long call_pause(struct trap *trap);
long call_epoll_wait(struct trap *trap);
long call_epoll_pwait(struct trap *trap);
long call_epoll_pwait2(struct trap *trap);
long call_futex(struct trap *trap);
long call_futex_waitv(struct trap *trap);
long call_futex_wait(struct trap *trap);
long call_mq_timed(struct trap *trap);
long call_rt_sigtimedwait(struct trap *trap);
long call_semtimedop(struct trap *trap);
long call_io_getevents(struct trap *trap);
long call_io_pgetevents(struct trap *trap);
long call_recvmmsg(struct trap *trap);

long call_clock_gettime(struct trap *trap);
long call_gettimeofday(struct trap *trap);
long call_time(struct trap *trap);
long call_clock_settime(struct trap *trap);
long call_settimeofday(struct trap *trap);
long call_adjtimex(struct trap *trap);
long call_sysinfo(struct trap *trap);
long call_times(struct trap *trap);
long call_getrusage(struct trap *trap);
long call_wait_rusage(struct trap *trap);

long call_timer_create(struct trap *trap);
long call_timer_settime(struct trap *trap);
long call_timer_gettime(struct trap *trap);
long call_timer_delete(struct trap *trap);
long call_timerfd_create(struct trap *trap);
long call_timerfd_settime(struct trap *trap);
long call_timerfd_gettime(struct trap *trap);
long call_setitimer(struct trap *trap);
long call_getitimer(struct trap *trap);
long call_alarm(struct trap *trap);

long call_rt_sigaction(struct trap *trap);
long call_rt_sigprocmask(struct trap *trap);
long call_rt_sigsuspend(struct trap *trap);
long call_signalfd(struct trap *trap);

long call_stat(struct trap *trap);
long call_statx(struct trap *trap);
long call_utimensat(struct trap *trap);
long call_utimes(struct trap *trap);
long call_utime(struct trap *trap);

long call_ipc_control(struct trap *trap);

long call_setsockopt(struct trap *trap);
long call_getsockopt(struct trap *trap);
long call_receive(struct trap *trap);
long call_receive_many(struct trap *trap);
long call_ioctl(struct trap *trap);
long call_read(struct trap *trap); /* and readv */

/* Opening /proc/uptime, /proc/PID/stat, and reading again; readlink of /proc/self/exe. */
long call_open(struct trap *trap);
long call_again(struct trap *trap);
long call_readlink(struct trap *trap);

long call_execve(struct trap *trap);
long call_execveat(struct trap *trap);

/* Let through, but for one that asks for a child without handlers. */
long call_clone3(struct trap *trap);

/* Refused: a filter of the program's own, io_uring; closing what the shim needs. */
long call_seccomp(struct trap *trap);
long call_prctl(struct trap *trap);
long call_io_uring(struct trap *trap);
long call_close(struct trap *trap);
long call_close_range(struct trap *trap);
long call_dup_onto(struct trap *trap);

#endif
