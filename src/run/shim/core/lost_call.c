/* SPDX-License-Identifier: MIT */
#include "run/shim/core/lost_call.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "run/shim/core/filter.h"
#include "run/shim/core/filter_rules.h"

enum {
    SYSCALL_BYTES = 2,
    MOVE_BYTES = 5, /* the last byte of the operation, and the number */
    MOVE_EAX = 0xb8,
    MOVE_RAX = 0xc0, /* behind 48 c7 */
    FUTEX_LOCK_PI2_OP = 13,
};

static bool is_number(const uint8_t *at, long nr)
{
    return (at[0] | at[1] << 8 | at[2] << 16 | (long)at[3] << 24) == nr;
}

/* xor %eax, %eax, the number of read, and nothing behind it that looks as if it set eax. */
static bool zeroes(const uint8_t code[LOST_CALL_CODE_BYTES])
{
    for (int i = LOST_CALL_CODE_BYTES - SYSCALL_BYTES - 2; i > 1; i--) {
        if ((code[i] == 0x31 || code[i] == 0x33) && code[i + 1] == 0xc0)
            return code[i - 1] != 0x45;
        if (code[i] == MOVE_EAX || (code[i] == 0xc7 && code[i + 1] == 0xc0) ||
            (code[i] == 0x89 && (code[i + 1] & 0xc7) == 0xc0) ||
            (code[i] == 0x8b && (code[i + 1] & 0x38) == 0))
            return false;
    }
    return false;
}

/* mov $nr, %eax, or mov $nr, %rax, somewhere before: a compiler may put arguments behind it. With
 * the prefix 41 it is another register's. */
static bool makes(const uint8_t code[LOST_CALL_CODE_BYTES], long nr)
{
    if (code[LOST_CALL_CODE_BYTES - 2] != 0x0f || code[LOST_CALL_CODE_BYTES - 1] != 0x05)
        return false;
    if (nr == 0 && zeroes(code))
        return true;
    for (int i = LOST_CALL_CODE_BYTES - SYSCALL_BYTES - MOVE_BYTES; i > 1; i--)
        if (is_number(&code[i + 1], nr) &&
            ((code[i] == MOVE_EAX && code[i - 1] != 0x41) ||
             (code[i] == MOVE_RAX && code[i - 1] == 0xc7 && code[i - 2] == 0x48)))
            return true;
    return false;
}

static bool waits(long operation)
{
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_LOCK_PI:
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_LOCK_PI2_OP:
        return true;
    default:
        return false;
    }
}

/* False also where it is not told apart from one that was let through and has returned its own
 * number. */
static bool catches(const struct filter_rule *rule, const long args[6])
{
    switch (rule->condition) {
    case ALWAYS: /* but for readlink: filter.h */
        return rule->nr != SYS_readlink && rule->nr != SYS_readlinkat;
    case IS_SET:
        return args[rule->argument] != 0;
    case UNSET:
        return args[rule->argument] == 0;
    case POSITIVE:
        return (int)args[rule->argument] > 0;
    case NEGATIVE:
        return (int)args[rule->argument] < 0;
    case FUTEX:
        return args[rule->argument] != 0 && waits(args[1]);
    case SIGNAL:
    case MASK:
    case TIME_OPTION:
        return true; /* they return 0 */
    default:
        return false;
    }
}

static bool any_catches(const struct filter_rule *rules, unsigned count, long nr,
                        const long args[6])
{
    for (unsigned i = 0; i < count; i++)
        if (rules[i].nr == nr && catches(&rules[i], args))
            return true;
    return false;
}

bool lost_call(const uint8_t code[LOST_CALL_CODE_BYTES], long nr, const long args[6], unsigned more)
{
    if (nr < 0 || nr > INT_MAX || !makes(code, nr))
        return false;
    if (any_catches(filter_rules, filter_rules_count, nr, args))
        return true;
    for (enum filter_more which = 0; which < FILTER_MORE; which++)
        if ((more & 1u << which) != 0 &&
            any_catches(filter_more_rules[which].rules, filter_more_rules[which].count, nr, args))
            return true;
    return false;
}
