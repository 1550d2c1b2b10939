/* SPDX-License-Identifier: MIT */
#include "run/shim/core/filter_rules.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

enum { NR_CLONE3 = 435, NR_OPENAT2 = 437, NR_FUTEX_WAITV = 449, NR_FUTEX_WAIT = 455 };

/* The most frequent first. */
const struct filter_rule filter_rules[] = {
    {SYS_futex, FUTEX, 3},
    {SYS_close, OUR_FD, 0},
    {SYS_poll, POSITIVE, 2},
    {SYS_epoll_wait, POSITIVE, 3},
    {SYS_rt_sigprocmask, MASK, 0},
    {SYS_rt_sigaction, SIGNAL, 1},
    {SYS_clock_gettime, ALWAYS, 0},
    {SYS_gettimeofday, ALWAYS, 0},
    {SYS_time, ALWAYS, 0},
    {SYS_clock_nanosleep, ALWAYS, 0},
    {SYS_nanosleep, ALWAYS, 0},
    {SYS_ppoll, IS_SET, 2},
    {SYS_ppoll, IS_SET, 3},
    {SYS_select, IS_SET, 4},
    {SYS_pselect6, ALWAYS, 0},
    {SYS_epoll_pwait, POSITIVE, 3},
    {SYS_epoll_pwait, IS_SET, 4},
    {SYS_epoll_pwait2, IS_SET, 3},
    {SYS_epoll_pwait2, IS_SET, 4},
    {NR_FUTEX_WAITV, IS_SET, 3},
    {NR_FUTEX_WAIT, IS_SET, 4},
    {SYS_mq_timedsend, IS_SET, 4},
    {SYS_mq_timedreceive, IS_SET, 4},
    {SYS_rt_sigtimedwait, ALWAYS, 0},
    {SYS_semtimedop, IS_SET, 3},
    {SYS_io_getevents, IS_SET, 4},
    {SYS_io_pgetevents, IS_SET, 4},
    {SYS_io_pgetevents, IS_SET, 5},
    {SYS_recvmmsg, IS_SET, 4},
    {SYS_rt_sigsuspend, ALWAYS, 0},
    {SYS_signalfd, ALWAYS, 0},
    {SYS_signalfd4, ALWAYS, 0},
    {SYS_timerfd_create, ALWAYS, 0},
    {SYS_timerfd_settime, ALWAYS, 0},
    {SYS_timerfd_gettime, ALWAYS, 0},
    {SYS_timer_create, ALWAYS, 0},
    {SYS_timer_settime, ALWAYS, 0},
    {SYS_timer_gettime, ALWAYS, 0},
    {SYS_timer_delete, ALWAYS, 0},
    {SYS_setitimer, ALWAYS, 0},
    {SYS_getitimer, ALWAYS, 0},
    {SYS_alarm, ALWAYS, 0},
    {SYS_clock_settime, ALWAYS, 0},
    {SYS_settimeofday, ALWAYS, 0},
    {SYS_adjtimex, ALWAYS, 0},
    {SYS_clock_adjtime, ALWAYS, 0},
    {SYS_sysinfo, ALWAYS, 0},
    {SYS_times, ALWAYS, 0},
    {SYS_getrusage, ALWAYS, 0},
    {SYS_wait4, IS_SET, 3},
    {SYS_waitid, IS_SET, 4},
    {SYS_readlink, ALWAYS, 0},
    {SYS_readlinkat, ALWAYS, 0},
    {SYS_setsockopt, TIME_OPTION, 0},
    {SYS_getsockopt, TIME_OPTION, 0},
    {SYS_getsockopt, CONNECTION, 0},
    {SYS_ioctl, REQUEST, 0},
    {SYS_execve, ALWAYS, 0},
    {SYS_execveat, ALWAYS, 0},
    {NR_CLONE3, ALWAYS, 0},
    {SYS_seccomp, ALWAYS, 0},
    {SYS_prctl, MODE, 0},
    {SYS_io_uring_setup, ALWAYS, 0},
    {SYS_close_range, ALWAYS, 0},
    {SYS_dup2, OUR_FD, 1},
    {SYS_dup3, OUR_FD, 1},
};

/* FILTER_RECEIVE, FILTER_ENDLESS, FILTER_STAMPS. */
static const struct filter_rule receive_rules[] = {
    {SYS_recvfrom, ALWAYS, 0}, {SYS_recvmsg, ALWAYS, 0}, {SYS_recvmmsg, ALWAYS, 0},
    {SYS_accept, ALWAYS, 0},   {SYS_accept4, ALWAYS, 0},
};

static const struct filter_rule endless_rules[] = {
    {SYS_poll, NEGATIVE, 2},       {SYS_ppoll, UNSET, 2},          {SYS_select, UNSET, 4},
    {SYS_epoll_wait, NEGATIVE, 3}, {SYS_epoll_pwait, NEGATIVE, 3}, {SYS_epoll_pwait2, UNSET, 3},
    {SYS_pause, ALWAYS, 0},
};

static const struct filter_rule stamps_rules[] = {
    {SYS_openat, READING, 2},    {SYS_open, READING, 1},     {NR_OPENAT2, ALWAYS, 0},
    {SYS_newfstatat, ALWAYS, 0}, {SYS_stat, ALWAYS, 0},      {SYS_fstat, ALWAYS, 0},
    {SYS_lstat, ALWAYS, 0},      {SYS_statx, ALWAYS, 0},     {SYS_utimensat, IS_SET, 2},
    {SYS_utimes, IS_SET, 1},     {SYS_futimesat, IS_SET, 2}, {SYS_utime, IS_SET, 1},
    {SYS_msgctl, ALWAYS, 0},     {SYS_semctl, ALWAYS, 0},    {SYS_shmctl, ALWAYS, 0},
};

/* FILTER_AGAIN: to the beginning, and from there. */
static const struct filter_rule again_rules[] = {
    {SYS_lseek, UNSET, 1},
    {SYS_pread64, UNSET, 3},
    {SYS_preadv, UNSET, 3},
    {SYS_preadv2, UNSET, 3},
};

/* FILTER_TERMINAL. */
static const struct filter_rule terminal_rules[] = {
    {SYS_read, ALWAYS, 0},
    {SYS_readv, ALWAYS, 0},
};

#define COUNT(list) ((unsigned)(sizeof(list) / sizeof((list)[0])))

const unsigned filter_rules_count = COUNT(filter_rules);

const uint32_t filter_requests[] = {
    FILTER_STAMP_OLD,    FILTER_STAMPNS_OLD, FILTER_STAMP_NEW,   FILTER_STAMPNS_NEW,
    FILTER_TERMIOS,      FILTER_TERMIOS + 1, FILTER_TERMIOS + 2, FILTER_TERMIO,
    FILTER_TERMIO + 1,   FILTER_TERMIO + 2,  FILTER_TERMIOS2,    FILTER_TERMIOS2 + 1,
    FILTER_TERMIOS2 + 2,
};
const unsigned filter_requests_count = COUNT(filter_requests);

const uint32_t filter_modes[] = {PR_SET_SECCOMP, PR_SET_TSC, PR_GET_TSC, FILTER_USER_DISPATCH};
const unsigned filter_modes_count = COUNT(filter_modes);

const struct filter_list filter_more_rules[FILTER_MORE] = {
    [FILTER_RECEIVE] = {receive_rules, COUNT(receive_rules)},
    [FILTER_ENDLESS] = {endless_rules, COUNT(endless_rules)},
    [FILTER_STAMPS] = {stamps_rules, COUNT(stamps_rules)},
    [FILTER_AGAIN] = {again_rules, COUNT(again_rules)},
    [FILTER_TERMINAL] = {terminal_rules, COUNT(terminal_rules)},
};

_Static_assert(COUNT(filter_rules) + COUNT(stamps_rules) <= FILTER_RULES_MAX,
               "room for all of them");
