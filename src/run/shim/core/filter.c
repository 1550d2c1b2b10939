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
#include "run/shim/core/filter_rules.h"
#include "run/shim/core/stub.h"

enum {
    X32_BIT = 0x40000000,
    PAGE_SHIFT = 12,
    SIGCANCEL = 32,      /* call/cancel.h */
    LARGE_FILE = 0x8000, /* O_LARGEFILE of the kernel, which musl sets; glibc's is 0 */
    UNTOLD = O_CLOEXEC | LARGE_FILE | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_NOATIME,
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

/* What was loaded is one of these. */
static void emit_one_of(struct filter *filter, const uint32_t *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        jump_equal(filter, list[i], count - 1 - i, i + 1 == count ? NO : 0);
}

#define COUNT(list) ((unsigned)(sizeof(list) / sizeof((list)[0])))

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
    static const uint32_t waits[] = {FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET,
                                     FUTEX_WAIT_REQUEUE_PI, 13 /* FUTEX_LOCK_PI2 */};

    load(filter, low_half(1));
    emit(filter, BPF_ALU | BPF_AND | BPF_K, 127, 0, 0);
    emit_one_of(filter, waits, COUNT(waits));
    emit_is_set(filter, 3);
}

static void emit_unset(struct filter *filter, unsigned argument)
{
    load(filter, low_half(argument));
    jump_equal(filter, 0, 0, NO);
    load(filter, low_half(argument) + 4);
    jump_equal(filter, 0, 0, NO);
}

/* User-mode Linux sets SIGTERM, SIGWINCH and SIGSEGV in the ptraced children that
 * run its guest's programs, where a caught call would be a signal that it does not expect: the
 * first two by signal(), which asks for the old action, as sigaction() seldom does. */
static void emit_signal(struct filter *filter, bool tsc)
{
    enum { OLD_LENGTH = 6 }; /* of what is only for those two */

    load(filter, low_half(0));
    /* Who only asks for that of these shall not be told ours. */
    if (tsc)
        jump_equal(filter, SIGSEGV, OLD_LENGTH + IS_SET_LENGTH + 2, 0);
    else
        jump_equal(filter, SIGSEGV, NO, 0);
    jump_equal(filter, SIGSYS, OLD_LENGTH + IS_SET_LENGTH + 1, 0);
    jump_equal(filter, SIGCANCEL, OLD_LENGTH + IS_SET_LENGTH, 0);
    jump_equal(filter, SIGTERM, 1, 0);
    jump_equal(filter, SIGWINCH, 0, OLD_LENGTH - 2);
    emit_unset(filter, 2);
    emit_is_set(filter, 1);
}

/* Unblocking is let through: handlers of the spared signals do that first, where SIGSYS may be
 * blocked and a caught call would end the process. Without a set SIG_UNBLOCK only reads. */
static void emit_signal_mask(struct filter *filter)
{
    load(filter, low_half(0));
    jump_equal(filter, SIG_UNBLOCK, 0, 4);
    emit_unset(filter, 1);
}

static void emit_options(struct filter *filter)
{
    static const uint32_t options[] = {
        SO_RCVTIMEO, SO_SNDTIMEO, SO_TIMESTAMP, SO_TIMESTAMPNS,      SO_TIMESTAMPING,
        63,          64,          65,           FILTER_RCVTIMEO_NEW, FILTER_SNDTIMEO_NEW};

    emit_one_of(filter, options, COUNT(options));
}

static void emit_condition(struct filter *filter, const struct filter_rule *rule, int fds)
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
        emit_unset(filter, rule->argument);
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
    case REQUEST:
        load(filter, low_half(1));
        emit_one_of(filter, filter_requests, filter_requests_count);
        break;
    case READING:
        load(filter, low_half(rule->argument));
        emit(filter, BPF_ALU | BPF_AND | BPF_K, ~(uint32_t)UNTOLD, 0, 0);
        jump_equal(filter, O_RDONLY, 0, NO);
        break;
    case OUR_FD:
        load(filter, low_half(rule->argument));
        emit(filter, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)fds, 0, NO);
        emit(filter, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(fds + SESSION_FDS), NO, 0);
        break;
    case MODE:
        load(filter, low_half(0));
        emit_one_of(filter, filter_modes, filter_modes_count);
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
static void emit_rule(struct filter *filter, const struct filter_rule *rule, bool last,
                      uint64_t stub, int fds)
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

static void emit_rules(struct filter *filter, const struct filter_rule *list, unsigned count,
                       uint64_t stub, int fds)
{
    for (unsigned i = 0; i < count; i++)
        emit_rule(filter, &list[i], i + 1 == count || list[i + 1].nr != list[i].nr, stub, fds);
    emit(filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* The rules that hold for such a process, added to the list. Returns how many there are then. */
static unsigned choose(struct filter_rule *list, unsigned count, const struct filter_rule *from,
                       unsigned more, const struct filter_options *options)
{
    for (unsigned i = 0; i < more && count < FILTER_RULES_MAX; i++) {
        const bool link = from[i].nr == SYS_readlink || from[i].nr == SYS_readlinkat;
        if (link && !options->links)
            continue;
        list[count] = from[i];
        if (options->tsc && list[count].condition == SIGNAL)
            list[count].condition = SIGNAL_TSC;
        count++;
    }
    return count;
}

void filter_build(struct filter *filter, const struct filter_options *options)
{
    struct filter_rule list[FILTER_RULES_MAX];

    unsigned count = choose(list, 0, filter_rules, filter_rules_count, options);
    emit_head(filter);
    if (options->stamps) {
        count = choose(list, count, filter_more_rules[FILTER_STAMPS].rules,
                       filter_more_rules[FILTER_STAMPS].count, options);
        emit_mark(filter, FILTER_MARK + FILTER_STAMPS);
    }
    emit_rules(filter, list, count, options->stub, options->fds);
}

void filter_build_more(struct filter *filter, enum filter_more which, uint64_t stub)
{
    emit_head(filter);
    emit_mark(filter, FILTER_MARK + which);
    emit_rules(filter, filter_more_rules[which].rules, filter_more_rules[which].count, stub, 0);
}
