/* SPDX-License-Identifier: MIT */
#include "run/shim/core/lost_call.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "run/shim/core/filter.h"
#include "run/shim/core/filter_rules.h"

enum {
    SYSCALL_BYTES = 2,
    MOVE_BYTES = 5, /* the last byte of the operation, and the number */
    MOVE_EAX = 0xb8,
    MOVE_RAX = 0xc0, /* behind 48 c7 */
    NOP = 0x90,
    FUTEX_LOCK_PI2_OP = 13,
};

static bool is_number(const uint8_t *at, long nr)
{
    return (at[0] | at[1] << 8 | at[2] << 16 | (long)at[3] << 24) == nr;
}

/* How long the address of an instruction is, from its byte ModRM on. */
static size_t address_bytes(const uint8_t *at, size_t room)
{
    const unsigned mod = at[0] >> 6, rm = at[0] & 7;
    const bool indexed = mod != 3 && rm == 4;
    const unsigned base = indexed && room > 1 ? at[1] & 7 : rm;

    return (indexed ? 2u : 1u) + (mod == 1 ? 1u : mod == 2 || (mod == 0 && base == 5) ? 4u : 0u);
}

/* The length of an instruction that leaves eax as it is: one of those that put a call's arguments
 * into registers. 0: another one, perhaps. */
static size_t spares_eax(const uint8_t *at, size_t room)
{
    const uint8_t rex = (at[0] & 0xf0) == 0x40 ? at[0] : 0;
    const size_t op = rex != 0;

    if (room < op + 2)
        return rex == 0 && at[0] == NOP;
    if (rex == 0 && at[0] == NOP)
        return 1;
    if ((at[op] & 0xf8) == MOVE_EAX)
        return (at[op] & 7) != 0 || (rex & 1) != 0 ? op + 1 + (rex & 8 ? 8u : 4u) : 0;
    const size_t bytes = op + 1 + address_bytes(&at[op + 1], room - op - 1);
    const bool in_memory = at[op + 1] < 0xc0;
    const bool is_rm_eax = !in_memory && (at[op + 1] & 7) == 0 && (rex & 1) == 0;
    switch (at[op]) {
    case 0x31: /* xor, mov to what the address names */
    case 0x89:
        return is_rm_eax ? 0 : bytes;
    case 0x33: /* xor, mov, lea, movslq to a register */
    case 0x8b:
    case 0x8d:
    case 0x63:
        return (at[op + 1] & 0x38) == 0 && (rex & 4) == 0 ? 0 : bytes;
    case 0xc7: /* mov of a constant */
        return is_rm_eax ? 0 : bytes + 4;
    default:
        return 0;
    }
}

/* The length of an instruction that makes eax 0; one that begins in the midst of another is none,
 * as the prefix before or a constant's other bytes tell. */
static size_t zeroes_eax(const uint8_t *at, size_t room)
{
    const bool prefixed = (at[-1] & 0xf0) == 0x40 && at[-1] != 0x48;

    if ((at[0] == 0x31 || at[0] == 0x33) && at[1] == 0xc0)
        return prefixed ? 0 : 2;
    if (room < MOVE_BYTES)
        return 0;
    if (at[0] == MOVE_EAX && is_number(&at[1], 0)) /* and not what is moved to memory */
        return prefixed || at[-2] == 0xc7 || at[-3] == 0xc7 ? 0 : MOVE_BYTES;
    return at[-2] == 0x48 && at[-1] == 0xc7 && at[0] == MOVE_RAX && is_number(&at[1], 0)
               ? MOVE_BYTES
               : 0;
}

/* The number of read, which most other calls return: what makes eax 0, and behind that only what
 * leaves eax alone. */
static bool makes_zero(const uint8_t code[LOST_CALL_CODE_BYTES])
{
    enum { END = LOST_CALL_CODE_BYTES - SYSCALL_BYTES };

    for (size_t from = END - 2; from >= 3; from--) {
        size_t at = from, bytes = zeroes_eax(&code[from], END - from);
        while (bytes != 0 && at + bytes < END) {
            at += bytes;
            bytes = spares_eax(&code[at], END - at);
        }
        if (bytes != 0 && at + bytes == END)
            return true;
    }
    return false;
}

/* mov $nr, %eax, or mov $nr, %rax, somewhere before: a compiler may put arguments behind it. With
 * the prefix 41 it is another register's. */
static bool makes(const uint8_t code[LOST_CALL_CODE_BYTES], long nr)
{
    if (code[LOST_CALL_CODE_BYTES - 2] != 0x0f || code[LOST_CALL_CODE_BYTES - 1] != 0x05)
        return false;
    if (nr == 0)
        return makes_zero(code);
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

static bool is_one_of(const uint32_t *list, unsigned count, long value)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i] == (uint32_t)value)
            return true;
    return false;
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
    case REQUEST:
        return is_one_of(filter_requests, filter_requests_count, args[1]);
    case MODE:
        return is_one_of(filter_modes, filter_modes_count, args[0]);
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
