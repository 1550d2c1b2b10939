/* SPDX-License-Identifier: MIT */
/*
 * dispatch: which function answers which system call.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "run/shim/call/calls.h"

enum { NR_CLONE3 = 435, NR_OPENAT2 = 437, NR_FUTEX_WAIT = 455, NR_FUTEX_WAITV = 449, NRS = 512 };

static const trap_fn answers[NRS] = {
    [SYS_nanosleep] = call_nanosleep,
    [SYS_clock_nanosleep] = call_clock_nanosleep,
    [SYS_poll] = call_poll,
    [SYS_ppoll] = call_ppoll,
    [SYS_select] = call_select,
    [SYS_pselect6] = call_pselect6,
    [SYS_pause] = call_pause,
    [SYS_epoll_wait] = call_epoll_wait,
    [SYS_epoll_pwait] = call_epoll_pwait,
    [SYS_epoll_pwait2] = call_epoll_pwait2,
    [SYS_futex] = call_futex,
    [NR_FUTEX_WAITV] = call_futex_waitv,
    [NR_FUTEX_WAIT] = call_futex_wait,
    [SYS_mq_timedsend] = call_mq_timed,
    [SYS_mq_timedreceive] = call_mq_timed,
    [SYS_rt_sigtimedwait] = call_rt_sigtimedwait,
    [SYS_semtimedop] = call_semtimedop,
    [SYS_io_getevents] = call_io_getevents,
    [SYS_io_pgetevents] = call_io_pgetevents,
    [SYS_recvmmsg] = call_receive_many,
    [SYS_ioctl] = call_ioctl,
    [SYS_clock_gettime] = call_clock_gettime,
    [SYS_gettimeofday] = call_gettimeofday,
    [SYS_time] = call_time,
    [SYS_clock_settime] = call_clock_settime,
    [SYS_settimeofday] = call_settimeofday,
    [SYS_adjtimex] = call_adjtimex,
    [SYS_clock_adjtime] = call_adjtimex,
    [SYS_sysinfo] = call_sysinfo,
    [SYS_times] = call_times,
    [SYS_getrusage] = call_getrusage,
    [SYS_wait4] = call_wait_rusage,
    [SYS_waitid] = call_wait_rusage,
    [SYS_timer_create] = call_timer_create,
    [SYS_timer_settime] = call_timer_settime,
    [SYS_timer_gettime] = call_timer_gettime,
    [SYS_timer_delete] = call_timer_delete,
    [SYS_timerfd_create] = call_timerfd_create,
    [SYS_timerfd_settime] = call_timerfd_settime,
    [SYS_timerfd_gettime] = call_timerfd_gettime,
    [SYS_setitimer] = call_setitimer,
    [SYS_getitimer] = call_getitimer,
    [SYS_alarm] = call_alarm,
    [SYS_rt_sigaction] = call_rt_sigaction,
    [SYS_rt_sigprocmask] = call_rt_sigprocmask,
    [SYS_rt_sigsuspend] = call_rt_sigsuspend,
    [SYS_signalfd] = call_signalfd,
    [SYS_signalfd4] = call_signalfd,
    [SYS_stat] = call_stat,
    [SYS_fstat] = call_stat,
    [SYS_lstat] = call_stat,
    [SYS_newfstatat] = call_stat,
    [SYS_statx] = call_statx,
    [SYS_utimensat] = call_utimensat,
    [SYS_utimes] = call_utimes,
    [SYS_futimesat] = call_utimes,
    [SYS_utime] = call_utime,
    [SYS_msgctl] = call_ipc_control,
    [SYS_semctl] = call_ipc_control,
    [SYS_shmctl] = call_ipc_control,
    [SYS_setsockopt] = call_setsockopt,
    [SYS_getsockopt] = call_getsockopt,
    [SYS_recvfrom] = call_receive,
    [SYS_recvmsg] = call_receive,
    [SYS_accept] = call_receive,
    [SYS_accept4] = call_receive,
    [SYS_open] = call_open,
    [SYS_openat] = call_open,
    [NR_OPENAT2] = call_open,
    [SYS_read] = call_read,
    [SYS_readv] = call_read,
    [SYS_lseek] = call_again,
    [SYS_pread64] = call_again,
    [SYS_preadv] = call_again,
    [SYS_preadv2] = call_again,
    [SYS_readlink] = call_readlink,
    [SYS_readlinkat] = call_readlink,
    [SYS_execve] = call_execve,
    [SYS_execveat] = call_execveat,
    [NR_CLONE3] = call_clone3,
    [SYS_seccomp] = call_seccomp,
    [SYS_prctl] = call_prctl,
    [SYS_io_uring_setup] = call_io_uring,
    [SYS_close] = call_close,
    [SYS_close_range] = call_close_range,
    [SYS_dup2] = call_dup_onto,
    [SYS_dup3] = call_dup_onto,
};

trap_fn calls_find(long nr)
{
    return nr >= 0 && nr < NRS ? answers[nr] : NULL;
}

/* Those that take a timer's record (call/timers.h); and the two of which a spawn of glibc makes
 * sixty. */
bool calls_keep_signals_out(long nr)
{
    static const uint16_t these[] = {
        SYS_rt_sigaction,    SYS_rt_sigprocmask, SYS_timer_create,   SYS_timer_settime,
        SYS_timer_gettime,   SYS_timer_delete,   SYS_timerfd_create, SYS_timerfd_settime,
        SYS_timerfd_gettime, SYS_setitimer,      SYS_getitimer,      SYS_alarm,
    };

    for (unsigned i = 0; i < sizeof(these) / sizeof(these[0]); i++)
        if (nr == these[i])
            return true;
    return false;
}
