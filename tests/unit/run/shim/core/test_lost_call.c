/* SPDX-License-Identifier: MIT */
#include "run/shim/core/lost_call.h"

#include <linux/futex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "run/shim/core/filter.h"

/* Code that ends with these bytes. */
static const uint8_t *ending(const uint8_t *bytes, size_t count)
{
    static uint8_t code[LOST_CALL_CODE_BYTES];

    memset(code, 0x90, sizeof(code));
    memcpy(&code[sizeof(code) - count], bytes, count);
    return code;
}

#define CODE(...) ending((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static const long no_args[6];

static void number_is_a_constant(void **state)
{
    (void)state;
    assert_true(
        lost_call(CODE(0xb8, SYS_nanosleep, 0, 0, 0, 0x0f, 0x05), SYS_nanosleep, no_args, 0));
    assert_true(lost_call(CODE(0x48, 0xc7, 0xc0, SYS_nanosleep, 0, 0, 0, 0x0f, 0x05), SYS_nanosleep,
                          no_args, 0));
    /* xor %edx, %edx behind it */
    assert_true(lost_call(CODE(0xb8, SYS_nanosleep, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x05), SYS_nanosleep,
                          no_args, 0));
}

static void another_call_has_returned_it(void **state)
{
    (void)state;
    assert_false(lost_call(CODE(0xb8, SYS_write, 0, 0, 0, 0x0f, 0x05), SYS_nanosleep, no_args, 0));
    /* mov $35, %r8d; mov %edi, %eax */
    assert_false(lost_call(CODE(0x41, 0xb8, SYS_nanosleep, 0, 0, 0, 0x89, 0xf8, 0x0f, 0x05),
                           SYS_nanosleep, no_args, 0));
    assert_false(lost_call(CODE(0x48, 0x89, 0xf8, 0x0f, 0x05), SYS_nanosleep, no_args, 0));
}

static void no_call_stands_there(void **state)
{
    (void)state;
    assert_false(
        lost_call(CODE(0xb8, SYS_nanosleep, 0, 0, 0, 0x90, 0x90), SYS_nanosleep, no_args, 0));
}

static void read_is_number_zero(void **state)
{
    const unsigned terminal = 1u << FILTER_TERMINAL;

    (void)state;
    assert_true(lost_call(CODE(0x31, 0xc0, 0x0f, 0x05), SYS_read, no_args, terminal));
    assert_false(lost_call(CODE(0x31, 0xc0, 0x0f, 0x05), SYS_read, no_args, 0));
    /* mov $3, %eax behind it; mov %edi, %eax; xor %r8d, %r8d */
    assert_false(lost_call(CODE(0x31, 0xc0, 0xb8, SYS_close, 0, 0, 0, 0x0f, 0x05), SYS_read,
                           no_args, terminal));
    assert_false(lost_call(CODE(0x31, 0xc0, 0x89, 0xf8, 0x0f, 0x05), SYS_read, no_args, terminal));
    assert_false(lost_call(CODE(0x45, 0x31, 0xc0, 0x0f, 0x05), SYS_read, no_args, terminal));
}

#define IS_READ(...)                                                                               \
    lost_call(CODE(__VA_ARGS__, 0x0f, 0x05), SYS_read, no_args, 1u << FILTER_TERMINAL)

static void read_among_its_arguments(void **state)
{
    (void)state;
    assert_true(IS_READ(0xb8, 0, 0, 0, 0));
    assert_true(IS_READ(0x48, 0xc7, 0xc0, 0, 0, 0, 0));
    assert_true(IS_READ(0x48, 0x31, 0xc0));
    /* mov $1, %edx; mov $64, %r8d; movslq %edi, %rdi; lea 7(%rsp), %rsi; xor %r8d, %r8d */
    assert_true(IS_READ(0x31, 0xc0, 0xba, 1, 0, 0, 0, 0x41, 0xb8, 64, 0, 0, 0));
    assert_true(IS_READ(0x31, 0xc0, 0x48, 0x63, 0xff, 0x48, 0x8d, 0x74, 0x24, 7));
    assert_true(IS_READ(0x31, 0xc0, 0x45, 0x31, 0xc0));
    /* xor %edx, %edx; mov %rdi, %rsi; mov $1, %rdx */
    assert_true(IS_READ(0x31, 0xc0, 0x33, 0xd2));
    assert_true(IS_READ(0x31, 0xc0, 0x48, 0x89, 0xfe));
    assert_true(IS_READ(0x31, 0xc0, 0x48, 0xc7, 0xc2, 1, 0, 0, 0));
    /* mov 24(%rsp), %rdx; mov 16(%rsp), %rsi; mov 8(%rsp), %edi */
    assert_true(IS_READ(0x31, 0xc0, 0x48, 0x8b, 0x54, 0x24, 24, 0x48, 0x8b, 0x74, 0x24, 16, 0x8b,
                        0x7c, 0x24, 8));
}

/* Which has returned 0: it must not be taken for a read, that would be made with its arguments. */
static void another_call_has_returned_zero(void **state)
{
    (void)state;
    /* mov $3, %eax; and behind it xor %r8, %r8; xor %eax, %r8d; movl $0, -72(%rbp) or (%rsp) */
    assert_false(IS_READ(0xb8, SYS_close, 0, 0, 0, 0x4d, 0x31, 0xc0));
    assert_false(IS_READ(0xb8, SYS_close, 0, 0, 0, 0x41, 0x31, 0xc0));
    assert_false(IS_READ(0xb8, SYS_close, 0, 0, 0, 0xc7, 0x45, 0xb8, 0, 0, 0, 0));
    assert_false(IS_READ(0xb8, SYS_close, 0, 0, 0, 0xc7, 0x44, 0x24, 0xb8, 0, 0, 0, 0));
    /* mov $0, %eax before it */
    assert_false(IS_READ(0xb8, 0, 0, 0, 0, 0xb8, SYS_close, 0, 0, 0));
    /* xor %eax, %eax; then mov $3, %al; push $3, pop %rax; movslq %edi, %rax; lea 3(%rdi), %eax */
    assert_false(IS_READ(0x31, 0xc0, 0xb0, SYS_close));
    assert_false(IS_READ(0x31, 0xc0, 0x6a, SYS_close, 0x58));
    assert_false(IS_READ(0x31, 0xc0, 0x48, 0x63, 0xc7));
    assert_false(IS_READ(0x31, 0xc0, 0x8d, 0x47, 3));
    assert_false(IS_READ(0x31, 0xc0, 0x48, 0x8b, 0x44, 0x24, 8));
}

static void let_through_with_these_arguments(void **state)
{
    const long ready[6] = {0, 10, 0}, bounded[6] = {0, 10, 1}, endless[6] = {0, 10, -1};
    const uint8_t *code = CODE(0xb8, SYS_poll, 0, 0, 0, 0x0f, 0x05);

    (void)state;
    assert_true(lost_call(code, SYS_poll, bounded, 0));
    assert_false(lost_call(code, SYS_poll, ready, 0));
    assert_false(lost_call(code, SYS_poll, endless, 0));
}

/* By the filters that not every process has. */
static void caught_in_some_processes(void **state)
{
    const long endless[6] = {0, 10, 1, -1}, bounded[6] = {0, 10, 1, 1};
    const uint8_t *code = CODE(0xb8, SYS_epoll_wait, 0, 0, 0, 0x0f, 0x05);

    (void)state;
    assert_false(lost_call(code, SYS_epoll_wait, endless, 0));
    assert_false(lost_call(code, SYS_epoll_wait, endless, 1u << FILTER_STAMPS));
    assert_true(lost_call(code, SYS_epoll_wait, endless, 1u << FILTER_ENDLESS));
    assert_true(lost_call(code, SYS_epoll_wait, bounded, 0));
    code = CODE(0xb8, SYS_select, 0, 0, 0, 0x0f, 0x05);
    assert_true(lost_call(code, SYS_select, no_args, 1u << FILTER_ENDLESS));
    code = CODE(0xb8, SYS_accept, 0, 0, 0, 0x0f, 0x05);
    assert_false(lost_call(code, SYS_accept, no_args, 1u << FILTER_ENDLESS));
    assert_true(lost_call(code, SYS_accept, no_args, 1u << FILTER_RECEIVE));
    code = CODE(0xb8, SYS_fstat, 0, 0, 0, 0x0f, 0x05);
    assert_false(lost_call(code, SYS_fstat, no_args, 0));
    assert_true(lost_call(code, SYS_fstat, no_args, 1u << FILTER_STAMPS));
}

static void futexes_that_wait_for_a_time(void **state)
{
    const long wait[6] = {1, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, FUTEX_WAKE, 1};
    const long wake[6] = {1, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, FUTEX_WAIT, 1};
    const long endless[6] = {1, FUTEX_WAIT};
    const uint8_t *code = CODE(0xb8, SYS_futex, 0, 0, 0, 0x0f, 0x05);

    (void)state;
    assert_true(lost_call(code, SYS_futex, wait, 0));
    assert_false(lost_call(code, SYS_futex, wake, 0));
    assert_false(lost_call(code, SYS_futex, endless, 0));
}

static void calls_that_no_program_has_caught(void **state)
{
    (void)state;
    assert_false(lost_call(CODE(0xb8, SYS_write, 0, 0, 0, 0x0f, 0x05), SYS_write, no_args, 0));
    assert_false(
        lost_call(CODE(0xb8, SYS_readlink, 0, 0, 0, 0x0f, 0x05), SYS_readlink, no_args, 0));
    assert_false(lost_call(CODE(0xb8, 0, 0, 0, 0, 0x0f, 0x05), 0, no_args, 0));
}

/* What they return is 0, and no number of a call. */
static void calls_that_never_return_their_number(void **state)
{
    static const long calls[] = {SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_setsockopt,
                                 SYS_getsockopt};

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        assert_true(
            lost_call(CODE(0xb8, (uint8_t)calls[i], 0, 0, 0, 0x0f, 0x05), calls[i], no_args, 0));
}

static void calls_that_are_caught_by_what_they_ask(void **state)
{
    const long set_terminal[6] = {0, 0x5402}, width[6] = {0, 0x5413};
    const long get_tsc[6] = {25}, set_name[6] = {15};

    (void)state;
    assert_true(lost_call(CODE(0xb8, SYS_ioctl, 0, 0, 0, 0x0f, 0x05), SYS_ioctl, set_terminal, 0));
    assert_false(lost_call(CODE(0xb8, SYS_ioctl, 0, 0, 0, 0x0f, 0x05), SYS_ioctl, width, 0));
    assert_true(lost_call(CODE(0xb8, SYS_prctl, 0, 0, 0, 0x0f, 0x05), SYS_prctl, get_tsc, 0));
    assert_false(lost_call(CODE(0xb8, SYS_prctl, 0, 0, 0, 0x0f, 0x05), SYS_prctl, set_name, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_is_a_constant),
        cmocka_unit_test(another_call_has_returned_it),
        cmocka_unit_test(no_call_stands_there),
        cmocka_unit_test(read_is_number_zero),
        cmocka_unit_test(read_among_its_arguments),
        cmocka_unit_test(another_call_has_returned_zero),
        cmocka_unit_test(let_through_with_these_arguments),
        cmocka_unit_test(caught_in_some_processes),
        cmocka_unit_test(futexes_that_wait_for_a_time),
        cmocka_unit_test(calls_that_no_program_has_caught),
        cmocka_unit_test(calls_that_never_return_their_number),
        cmocka_unit_test(calls_that_are_caught_by_what_they_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
