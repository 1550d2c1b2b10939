/* SPDX-License-Identifier: MIT */
#include "run/shim/core/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "run/session.h"
#include "run/shim/core/stub.h"

enum {
    NR_FUTEX_WAITV = 449,
    NR_FUTEX_WAIT = 455,
    X32_BIT = 0x40000000,
    PAGE_SHIFT = 12,
    LARGE_FILE = 0x8000, /* O_LARGEFILE of the kernel, which musl sets; glibc's is 0 */
};

enum condition {
    ALWAYS,
    IS_SET,      /* the argument is not 0 */
    POSITIVE,    /* as an int */
    NEGATIVE,    /* the same */
    UNSET,       /* the argument is 0 */
    SIGNAL,      /* rt_sigaction: SIGSYS; IS_SET 1, and not what FOREIGN_STUBS says */
    SIGNAL_TSC,  /* the same, but SIGSEGV is caught */
    MASK,        /* rt_sigprocmask: not SIG_UNBLOCK; see emit_signal_mask */
    FUTEX,       /* IS_SET 3, and an operation that waits */
    TIME_OPTION, /* level SOL_SOCKET, option SO_RCVTIMEO, SO_SNDTIMEO, SO_TIMESTAMP* */
    CONNECTION,  /* TCP_INFO */
    PACKET,      /* ioctl: SIOCGSTAMP and its relatives */
    READING,     /* an open's flags: to read, and nothing but O_CLOEXEC and O_LARGEFILE */
    OUR_FD,      /* one of the descriptors that the shim needs */
    MODE,        /* prctl: PR_SET_SECCOMP, PR_SET_TSC */
};

struct rule {
    uint16_t nr;
    uint8_t condition;
    uint8_t argument;
};

/* The most frequent first. */
static const struct rule rules[] = {
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
    {SYS_recvmmsg, IS_SET, 4},
    {SYS_rt_sigsuspend, ALWAYS, 0},
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
    {SYS_openat, READING, 2},
    {SYS_open, READING, 1},
    {SYS_newfstatat, ALWAYS, 0},
    {SYS_stat, ALWAYS, 0},
    {SYS_fstat, ALWAYS, 0},
    {SYS_lstat, ALWAYS, 0},
    {SYS_statx, ALWAYS, 0},
    {SYS_utimensat, IS_SET, 2},
    {SYS_utimes, IS_SET, 1},
    {SYS_futimesat, IS_SET, 2},
    {SYS_utime, IS_SET, 1},
    {SYS_msgctl, ALWAYS, 0},
    {SYS_semctl, ALWAYS, 0},
    {SYS_shmctl, ALWAYS, 0},
    {SYS_readlink, ALWAYS, 0},
    {SYS_readlinkat, ALWAYS, 0},
    {SYS_setsockopt, TIME_OPTION, 0},
    {SYS_getsockopt, TIME_OPTION, 0},
    {SYS_getsockopt, CONNECTION, 0},
    {SYS_ioctl, PACKET, 0},
    {SYS_execve, ALWAYS, 0},
    {SYS_execveat, ALWAYS, 0},
    {SYS_seccomp, ALWAYS, 0},
    {SYS_prctl, MODE, 0},
    {SYS_io_uring_setup, ALWAYS, 0},
    {SYS_close_range, ALWAYS, 0},
    {SYS_dup2, OUR_FD, 1},
    {SYS_dup3, OUR_FD, 1},
};

static const struct rule receive_rules[] = {
    {SYS_recvfrom, ALWAYS, 0}, {SYS_recvmsg, ALWAYS, 0}, {SYS_recvmmsg, ALWAYS, 0},
    {SYS_accept, ALWAYS, 0},   {SYS_accept4, ALWAYS, 0},
};

static const struct rule endless_rules[] = {
    {SYS_poll, NEGATIVE, 2},       {SYS_ppoll, UNSET, 2},          {SYS_select, UNSET, 4},
    {SYS_epoll_wait, NEGATIVE, 3}, {SYS_epoll_pwait, NEGATIVE, 3}, {SYS_epoll_pwait2, UNSET, 3},
    {SYS_pause, ALWAYS, 0},
};

static void emit(struct filter *filter, uint16_t code, uint32_t k, unsigned jt, unsigned jf)
{
    if (filter->count < FILTER_CODE_MAX)
        filter->code[filter->count++] =
            (struct sock_filter){.code = code, .jt = (uint8_t)jt, .jf = (uint8_t)jf, .k = k};
}

static void load(struct filter *filter, size_t offset)
{
    emit(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static size_t low_half(unsigned argument)
{
    return offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);
}

static void jump_equal(struct filter *filter, uint32_t k, unsigned jt, unsigned jf)
{
    emit(filter, BPF_JMP | BPF_JEQ | BPF_K, k, jt, jf);
}

/* Each of these falls through where the call may have to be caught, and goes to the marker NO where
 * not; OTHER stands for the rule of another number. See resolve. */
enum { NO = 255, OTHER = 254 };

enum { IS_SET_LENGTH = 4 };

static void emit_is_set(struct filter *filter, unsigned argument)
{
    load(filter, low_half(argument));
    jump_equal(filter, 0, 0, 2);
    load(filter, low_half(argument) + 4);
    jump_equal(filter, 0, NO, 0);
}

static void emit_futex(struct filter *filter)
{
    static const uint8_t waits[] = {FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET,
                                    FUTEX_WAIT_REQUEUE_PI, 13 /* FUTEX_LOCK_PI2 */};
    const unsigned count = sizeof(waits);

    load(filter, low_half(1));
    emit(filter, BPF_ALU | BPF_AND | BPF_K, 127, 0, 0);
    for (unsigned i = 0; i < count; i++)
        jump_equal(filter, waits[i], count - 1 - i, i + 1 == count ? NO : 0);
    emit_is_set(filter, 3);
}

static void emit_signal(struct filter *filter, bool tsc)
{
    /* FOREIGN_STUBS: User-mode Linux sets these three in the ptraced children that run its guest's
     * programs, where a caught call would be a signal that it does not expect. */
    static const uint8_t spared[] = {SIGTERM, SIGWINCH, SIGSEGV};
    const unsigned count = sizeof(spared) - (tsc ? 1 : 0);

    load(filter, low_half(0));
    for (unsigned i = 0; i < count; i++)
        jump_equal(filter, spared[i], NO, 0);
    /* Who only asks for that of SIGSYS shall not be told ours. */
    jump_equal(filter, SIGSYS, IS_SET_LENGTH, 0);
    emit_is_set(filter, 1);
}

/* Unblocking is let through: handlers of the spared signals do that first, where SIGSYS may be
 * blocked and a caught call would end the process. Without a set SIG_UNBLOCK only reads. */
static void emit_signal_mask(struct filter *filter)
{
    load(filter, low_half(0));
    jump_equal(filter, SIG_UNBLOCK, 0, 4);
    load(filter, low_half(1));
    jump_equal(filter, 0, 0, NO);
    load(filter, low_half(1) + 4);
    jump_equal(filter, 0, 0, NO);
}

static void emit_options(struct filter *filter)
{
    static const uint8_t options[] = {SO_RCVTIMEO,     SO_SNDTIMEO, SO_TIMESTAMP, SO_TIMESTAMPNS,
                                      SO_TIMESTAMPING, 63,          64,           65};
    const unsigned count = sizeof(options);

    for (unsigned i = 0; i < count; i++)
        jump_equal(filter, options[i], count - 1 - i, i + 1 == count ? NO : 0);
}

static void emit_packet(struct filter *filter)
{
    static const uint32_t requests[] = {FILTER_STAMP_OLD, FILTER_STAMPNS_OLD, FILTER_STAMP_NEW,
                                        FILTER_STAMPNS_NEW};
    const unsigned count = sizeof(requests) / sizeof(requests[0]);

    for (unsigned i = 0; i < count; i++)
        jump_equal(filter, requests[i], count - 1 - i, i + 1 == count ? NO : 0);
}

static void emit_condition(struct filter *filter, const struct rule *rule, int fds)
{
    switch (rule->condition) {
    case IS_SET:
        emit_is_set(filter, rule->argument);
        break;
    case POSITIVE: /* 1 to INT_MAX */
        load(filter, low_half(rule->argument));
        jump_equal(filter, 0, NO, 0);
        emit(filter, BPF_JMP | BPF_JGE | BPF_K, 0x80000000u, NO, 0);
        break;
    case NEGATIVE:
        load(filter, low_half(rule->argument));
        emit(filter, BPF_JMP | BPF_JGE | BPF_K, 0x80000000u, 0, NO);
        break;
    case UNSET:
        load(filter, low_half(rule->argument));
        jump_equal(filter, 0, 0, NO);
        load(filter, low_half(rule->argument) + 4);
        jump_equal(filter, 0, 0, NO);
        break;
    case SIGNAL:
        emit_signal(filter, false);
        break;
    case SIGNAL_TSC:
        emit_signal(filter, true);
        break;
    case MASK:
        emit_signal_mask(filter);
        break;
    case FUTEX:
        emit_futex(filter);
        break;
    case TIME_OPTION:
        load(filter, low_half(1));
        jump_equal(filter, SOL_SOCKET, 0, NO);
        load(filter, low_half(2));
        emit_options(filter);
        break;
    case CONNECTION:
        load(filter, low_half(1));
        jump_equal(filter, IPPROTO_TCP, 0, NO);
        load(filter, low_half(2));
        jump_equal(filter, TCP_INFO, 0, NO);
        break;
    case PACKET:
        load(filter, low_half(1));
        emit_packet(filter);
        break;
    case READING:
        load(filter, low_half(rule->argument));
        emit(filter, BPF_ALU | BPF_AND | BPF_K, ~((uint32_t)O_CLOEXEC | LARGE_FILE), 0, 0);
        jump_equal(filter, O_RDONLY, 0, NO);
        break;
    case OUR_FD:
        load(filter, low_half(rule->argument));
        emit(filter, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)fds, 0, NO);
        emit(filter, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(fds + SESSION_FDS), NO, 0);
        break;
    case MODE:
        load(filter, low_half(0));
        jump_equal(filter, PR_SET_SECCOMP, 1, 0);
        jump_equal(filter, PR_SET_TSC, 0, NO);
        break;
    default:
        break;
    }
}

/* Replaces the marker by the distance to the instruction `to`. */
static void resolve(struct filter *filter, unsigned from, unsigned marker, unsigned to)
{
    for (unsigned i = from; i < filter->count; i++) {
        struct sock_filter *at = &filter->code[i];
        if (BPF_CLASS(at->code) != BPF_JMP)
            continue;
        if (at->jt == marker)
            at->jt = (uint8_t)(to - i - 1);
        if (at->jf == marker)
            at->jf = (uint8_t)(to - i - 1);
    }
}

/* last: of the rules for its number. The number is loaded again each time, as the rule before may
 * have loaded something else. */
static void emit_rule(struct filter *filter, const struct rule *rule, bool last, uint64_t stub,
                      int fds)
{
    load(filter, offsetof(struct seccomp_data, nr));
    const unsigned head = filter->count;
    jump_equal(filter, rule->nr, 0, OTHER);
    emit_condition(filter, rule, fds);
    load(filter, offsetof(struct seccomp_data, instruction_pointer) + 4);
    jump_equal(filter, (uint32_t)(stub >> 32), 0, 3);
    load(filter, offsetof(struct seccomp_data, instruction_pointer));
    emit(filter, BPF_ALU | BPF_RSH | BPF_K, PAGE_SHIFT, 0, 0);
    jump_equal(filter, (uint32_t)stub >> PAGE_SHIFT, NO, 0);
    emit(filter, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
    const unsigned allowed = filter->count;
    if (last)
        emit(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    resolve(filter, head, NO, allowed);
    resolve(filter, head, OTHER, filter->count);
}

/* See FILTER_MARK. */
static void emit_mark(struct filter *filter, uint32_t mark)
{
    load(filter, offsetof(struct seccomp_data, nr));
    jump_equal(filter, SYS_prctl, 0, 3);
    load(filter, low_half(0));
    jump_equal(filter, mark, 0, 1);
    emit(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EALREADY, 0, 0);
}

static void emit_head(struct filter *filter)
{
    filter->count = 0;
    load(filter, offsetof(struct seccomp_data, arch));
    jump_equal(filter, AUDIT_ARCH_X86_64, 1, 0);
    /* Calls of 32-bit programs have other numbers: not there, rather than in real time. */
    emit(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
    load(filter, offsetof(struct seccomp_data, nr));
    emit(filter, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    emit(filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0);
}

static void emit_rules(struct filter *filter, const struct rule *list, unsigned count,
                       uint64_t stub, int fds)
{
    for (unsigned i = 0; i < count; i++)
        emit_rule(filter, &list[i], i + 1 == count || list[i + 1].nr != list[i].nr, stub, fds);
    emit(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

void filter_build(struct filter *filter, const struct filter_options *options)
{
    const unsigned all = sizeof(rules) / sizeof(rules[0]);
    struct rule list[sizeof(rules) / sizeof(rules[0])];
    unsigned count = 0;
    for (unsigned i = 0; i < all; i++) {
        const bool link = rules[i].nr == SYS_readlink || rules[i].nr == SYS_readlinkat;
        if (link && !options->links)
            continue;
        list[count] = rules[i];
        if (options->tsc && list[count].condition == SIGNAL)
            list[count].condition = SIGNAL_TSC;
        count++;
    }
    emit_head(filter);
    emit_rules(filter, list, count, options->stub, options->fds);
}

void filter_build_more(struct filter *filter, enum filter_more which, uint64_t stub)
{
    emit_head(filter);
    emit_mark(filter, FILTER_MARK + which);
    emit_rules(filter, which == FILTER_RECEIVE ? receive_rules : endless_rules,
               which == FILTER_RECEIVE ? sizeof(receive_rules) / sizeof(receive_rules[0])
                                       : sizeof(endless_rules) / sizeof(endless_rules[0]),
               stub, 0);
}
