/* SPDX-License-Identifier: MIT */
#include "run/shim/core/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "run/session.h"

enum { FDS = 1000 };

#define STUB UINT64_C(0x7e9000001000)

static struct filter filter;

static int build(void **state)
{
    (void)state;
    filter_build(&filter, &(struct filter_options){.stub = STUB, .fds = FDS, .stamps = true});
    return 0;
}

/* The kernel's interpreter, as far as the programs go. Every jump must stay inside. */
static uint32_t run(const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (unsigned pc = 0; pc < filter.count; pc++) {
        const struct sock_filter *at = &filter.code[pc];
        switch (at->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)data + at->k, sizeof(a));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= at->k;
            break;
        case BPF_ALU | BPF_RSH | BPF_K:
            a >>= at->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == at->k ? at->jt : at->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= at->k ? at->jt : at->jf;
            break;
        case BPF_RET | BPF_K:
            return at->k;
        default:
            fail_msg("instruction %u has code %x", pc, at->code);
        }
    }
    fail_msg("the program ran out of its end");
    return 0;
}

static uint32_t from(uint64_t where, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                     uint64_t e)
{
    struct seccomp_data data = {.nr = (int)nr,
                                .arch = AUDIT_ARCH_X86_64,
                                .instruction_pointer = where,
                                .args = {a, b, c, d, e}};

    return run(&data);
}

#define CAUGHT(nr, a, b, c, d, e)                                                                  \
    assert_int_equal(from(0x401000, nr, a, b, c, d, e), SECCOMP_RET_TRAP)
#define PASSED(nr, a, b, c, d, e)                                                                  \
    assert_int_equal(from(0x401000, nr, a, b, c, d, e), SECCOMP_RET_ALLOW)

static void test_only_calls_with_a_time_out_are_caught(void **state)
{
    (void)state;
    CAUGHT(SYS_poll, 0, 0, 1, 0, 0);
    PASSED(SYS_poll, 0, 0, 0, 0, 0);
    PASSED(SYS_poll, 0, 0, 0xffffffff, 0, 0);
    CAUGHT(SYS_ppoll, 0, 0, 0x10, 0, 0);
    CAUGHT(SYS_ppoll, 0, 0, 0, 0x10, 0);
    PASSED(SYS_ppoll, 0, 0, 0, 0, 0);
    CAUGHT(SYS_select, 0, 0, 0, 0, UINT64_C(0x7f0000000000)); /* its low half is 0 */
    PASSED(SYS_select, 0, 0, 0, 0, 0);
    CAUGHT(SYS_epoll_wait, 3, 0x10, 1, 5, 0);
    PASSED(SYS_epoll_wait, 3, 0x10, 1, UINT64_MAX, 0);
}

static void test_futexes_are_caught_by_operation_and_time(void **state)
{
    (void)state;
    CAUGHT(SYS_futex, 0, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, 0x10, 0);
    CAUGHT(SYS_futex, 0, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, 0x10, 0);
    CAUGHT(SYS_futex, 0, FUTEX_LOCK_PI, 0, 0x10, 0);
    CAUGHT(SYS_futex, 0, FUTEX_WAIT_REQUEUE_PI, 0, 0x10, 0);
    CAUGHT(SYS_futex, 0, 13, 0, 0x10, 0);
    PASSED(SYS_futex, 0, FUTEX_WAIT, 0, 0, 0);
    PASSED(SYS_futex, 0, FUTEX_WAKE, 1, 0x10, 0);
    PASSED(SYS_futex, 0, FUTEX_CMP_REQUEUE, 1, 0x10, 0); /* a count, no address */
}

static void test_the_stub_is_let_through(void **state)
{
    (void)state;
    assert_int_equal(from(STUB + 0x20, SYS_nanosleep, 1, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(from(STUB + 0xfff, SYS_nanosleep, 1, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(from(STUB + 0x1000, SYS_nanosleep, 1, 0, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(from(STUB - 1, SYS_nanosleep, 1, 0, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(from(STUB + (UINT64_C(1) << 32), SYS_nanosleep, 1, 0, 0, 0, 0),
                     SECCOMP_RET_TRAP);
}

static void test_signals_are_caught_where_they_are_set(void **state)
{
    (void)state;
    CAUGHT(SYS_rt_sigaction, SIGSYS, 0x10, 0, 8, 0);
    CAUGHT(SYS_rt_sigaction, SIGSYS, 0, 0x10, 8, 0);
    CAUGHT(SYS_rt_sigaction, 32, 0x10, 0, 8, 0);
    CAUGHT(SYS_rt_sigaction, 32, 0, 0x10, 8, 0);
    CAUGHT(SYS_rt_sigaction, SIGALRM, 0x10, 0, 8, 0);
    PASSED(SYS_rt_sigaction, SIGALRM, 0, 0x10, 8, 0);
    PASSED(SYS_rt_sigaction, SIGSEGV, 0x10, 0, 8, 0);
    PASSED(SYS_rt_sigaction, SIGTERM, 0x10, 0x10, 8, 0);
    CAUGHT(SYS_rt_sigaction, SIGTERM, 0x10, 0, 8, 0);
    CAUGHT(SYS_rt_sigaction, SIGWINCH, 0x10, 0, 8, 0);
    PASSED(SYS_rt_sigaction, SIGWINCH, 0, 0, 8, 0);
    CAUGHT(SYS_rt_sigprocmask, SIG_BLOCK, 0x10, 0, 8, 0);
    CAUGHT(SYS_rt_sigprocmask, SIG_SETMASK, 0x10, 0, 8, 0);
    PASSED(SYS_rt_sigprocmask, SIG_UNBLOCK, 0x10, 0, 8, 0);
    PASSED(SYS_rt_sigprocmask, SIG_UNBLOCK, UINT64_C(0x100000000), 0, 8, 0);
    CAUGHT(SYS_rt_sigprocmask, SIG_UNBLOCK, 0, 0x10, 8, 0);
    CAUGHT(SYS_rt_sigprocmask, SIG_BLOCK, 0, 0x10, 8, 0);
    filter_build(&filter, &(struct filter_options){.stub = STUB, .fds = FDS, .tsc = true});
    CAUGHT(SYS_rt_sigaction, SIGSEGV, 0x10, 0, 8, 0);
    CAUGHT(SYS_rt_sigaction, SIGSEGV, 0, 0x10, 8, 0);
    PASSED(SYS_rt_sigaction, SIGUSR1, 0, 0x10, 8, 0);
    PASSED(SYS_rt_sigaction, SIGTERM, 0x10, 0x10, 8, 0);
}

static void test_our_descriptors_are_kept(void **state)
{
    (void)state;
    CAUGHT(SYS_close, FDS, 0, 0, 0, 0);
    CAUGHT(SYS_close, FDS + SESSION_FDS - 1, 0, 0, 0, 0);
    PASSED(SYS_close, FDS - 1, 0, 0, 0, 0);
    PASSED(SYS_close, FDS + SESSION_FDS, 0, 0, 0, 0);
    PASSED(SYS_close, UINT64_MAX, 0, 0, 0, 0);
    CAUGHT(SYS_dup2, 5, FDS + 1, 0, 0, 0);
    PASSED(SYS_dup2, FDS + 1, 5, 0, 0, 0);
}

static void test_options_and_modes_are_caught_by_their_numbers(void **state)
{
    (void)state;
    CAUGHT(SYS_setsockopt, 3, SOL_SOCKET, SO_RCVTIMEO, 0x10, 16);
    CAUGHT(SYS_getsockopt, 3, SOL_SOCKET, SO_SNDTIMEO, 0x10, 16);
    CAUGHT(SYS_setsockopt, 3, SOL_SOCKET, FILTER_RCVTIMEO_NEW, 0x10, 16);
    CAUGHT(SYS_getsockopt, 3, SOL_SOCKET, FILTER_SNDTIMEO_NEW, 0x10, 16);
    PASSED(SYS_setsockopt, 3, SOL_SOCKET, SO_RCVBUF, 0x10, 4);
    CAUGHT(SYS_setsockopt, 3, SOL_SOCKET, SO_TIMESTAMPNS, 0x10, 4);
    PASSED(SYS_setsockopt, 3, 6, SO_RCVTIMEO, 0x10, 4);
    CAUGHT(SYS_getsockopt, 3, 6, 11, 0x10, 4); /* TCP_INFO */
    PASSED(SYS_getsockopt, 3, 6, 1, 0x10, 4);
    CAUGHT(SYS_ioctl, 3, 0x8906, 0x10, 0, 0); /* SIOCGSTAMP */
    CAUGHT(SYS_ioctl, 3, 0x80108907, 0x10, 0, 0);
    CAUGHT(SYS_ioctl, 3, 0x5404, 0x10, 0, 0); /* TCSETSF */
    CAUGHT(SYS_ioctl, 3, 0x402c542d, 0x10, 0, 0);
    PASSED(SYS_ioctl, 3, 0x5401, 0x10, 0, 0);
    CAUGHT(SYS_prctl, PR_SET_SECCOMP, 2, 0x10, 0, 0);
    CAUGHT(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
    CAUGHT(SYS_prctl, PR_GET_TSC, 0x10, 0, 0, 0);
    CAUGHT(SYS_prctl, FILTER_USER_DISPATCH, 1, 0, 0, 0);
    PASSED(SYS_prctl, PR_SET_NAME, 0x10, 0, 0, 0);
}

static void test_only_opening_to_read_is_caught(void **state)
{
    (void)state;
    CAUGHT(SYS_openat, 3, 0x10, O_RDONLY, 0, 0);
    CAUGHT(SYS_openat, 3, 0x10, O_RDONLY | 0x8000 /* O_LARGEFILE, of musl */, 0, 0);
    CAUGHT(SYS_open, 0x10, O_RDONLY | O_CLOEXEC, 0, 0, 0);
    CAUGHT(SYS_openat, 3, 0x10, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, 0, 0);
    CAUGHT(437 /* openat2 */, 3, 0x10, 0x20, 24, 0);
    PASSED(SYS_openat, 3, 0x10, O_RDONLY | O_DIRECTORY, 0, 0);
    PASSED(SYS_openat, 3, 0x10, O_RDWR, 0, 0);
    PASSED(SYS_open, 0x10, O_WRONLY | O_CREAT, 0, 0, 0);
}

static void test_links_are_caught_only_where_needed(void **state)
{
    (void)state;
    PASSED(SYS_readlink, 0x10, 0x10, 64, 0, 0);
    filter_build(&filter, &(struct filter_options){.stub = STUB, .fds = FDS, .links = true});
    CAUGHT(SYS_readlink, 0x10, 0x10, 64, 0, 0);
    CAUGHT(SYS_readlinkat, 3, 0x10, 0x10, 64, 0);
}

static void test_everything_else_is_decided_by_its_number(void **state)
{
    static const int others[] = {SYS_read,     SYS_write, SYS_mmap, SYS_clone, SYS_exit_group,
                                 SYS_recvfrom, SYS_ioctl, 450,      999};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        PASSED(others[i], 1, 1, 1, 1, 1);
    filter_build_more(&filter, FILTER_RECEIVE, STUB);
    CAUGHT(SYS_recvfrom, 1, 1, 1, 1, 1);
    PASSED(SYS_nanosleep, 1, 1, 1, 1, 1);
}

static void test_waits_without_end_are_caught_beside_a_timer(void **state)
{
    (void)state;
    PASSED(SYS_poll, 0x10, 1, (uint32_t)-1, 0, 0);
    PASSED(SYS_pause, 0, 0, 0, 0, 0);
    filter_build_more(&filter, FILTER_ENDLESS, STUB);
    CAUGHT(SYS_poll, 0x10, 1, (uint32_t)-1, 0, 0);
    PASSED(SYS_poll, 0x10, 1, 0, 0, 0);
    PASSED(SYS_poll, 0x10, 1, 5, 0, 0);
    CAUGHT(SYS_epoll_wait, 3, 0x10, 1, (uint32_t)-1, 0);
    PASSED(SYS_epoll_wait, 3, 0x10, 1, 0, 0);
    CAUGHT(SYS_ppoll, 0x10, 1, 0, 0, 0);
    PASSED(SYS_ppoll, 0x10, 1, 0x1000, 0, 0);
    PASSED(SYS_ppoll, 0x10, 1, UINT64_C(0x100000000), 0, 0);
    CAUGHT(SYS_select, 1, 0x10, 0, 0, 0);
    PASSED(SYS_select, 1, 0x10, 0, 0, 0x1000);
    CAUGHT(SYS_pause, 0, 0, 0, 0, 0);
}

static void test_reading_again_is_caught_at_the_beginning(void **state)
{
    (void)state;
    PASSED(SYS_lseek, 3, 0, SEEK_SET, 0, 0);
    filter_build_more(&filter, FILTER_AGAIN, STUB);
    CAUGHT(SYS_lseek, 3, 0, SEEK_SET, 0, 0);
    PASSED(SYS_lseek, 3, 1, SEEK_SET, 0, 0);
    CAUGHT(SYS_pread64, 3, 0x10, 64, 0, 0);
    PASSED(SYS_pread64, 3, 0x10, 64, 512, 0);
    PASSED(SYS_read, 3, 0x10, 64, 0, 0);
}

static void test_only_a_further_filter_tells_that_it_is_there(void **state)
{
    (void)state;
    PASSED(SYS_prctl, FILTER_MARK + FILTER_ENDLESS, 0, 0, 0, 0);
    filter_build_more(&filter, FILTER_ENDLESS, STUB);
    assert_int_equal(from(STUB, SYS_prctl, FILTER_MARK + FILTER_ENDLESS, 0, 0, 0, 0),
                     SECCOMP_RET_ERRNO | EALREADY);
    PASSED(SYS_prctl, FILTER_MARK + FILTER_RECEIVE, 0, 0, 0, 0);
    PASSED(SYS_getpid, FILTER_MARK + FILTER_ENDLESS, 0, 0, 0, 0);
}

static void test_files_times_are_caught_from_the_change_on(void **state)
{
    (void)state;
    CAUGHT(SYS_newfstatat, 3, 0x10, 0x10, 0, 0);
    CAUGHT(SYS_execve, 0x10, 0, 0, 0, 0); /* the rest is there, too */
    assert_int_equal(from(STUB, SYS_prctl, FILTER_MARK + FILTER_STAMPS, 0, 0, 0, 0),
                     SECCOMP_RET_ERRNO | EALREADY);
    filter_build(&filter, &(struct filter_options){.stub = STUB, .fds = FDS});
    PASSED(SYS_newfstatat, 3, 0x10, 0x10, 0, 0);
    PASSED(SYS_openat, 3, 0x10, O_RDONLY, 0, 0);
    PASSED(SYS_utimensat, 3, 0x10, 0x10, 0, 0);
    PASSED(SYS_prctl, FILTER_MARK + FILTER_STAMPS, 0, 0, 0, 0);
    CAUGHT(SYS_execve, 0x10, 0, 0, 0, 0);
    filter_build_more(&filter, FILTER_STAMPS, STUB);
    CAUGHT(SYS_newfstatat, 3, 0x10, 0x10, 0, 0);
    CAUGHT(SYS_openat, 3, 0x10, O_RDONLY, 0, 0);
    CAUGHT(SYS_utimensat, 3, 0x10, 0x10, 0, 0);
    PASSED(SYS_execve, 0x10, 0, 0, 0, 0);
}

static void test_the_program_has_room(void **state)
{
    (void)state;
    filter_build(&filter,
                 &(struct filter_options){
                     .stub = STUB, .fds = FDS, .tsc = true, .links = true, .stamps = true});
    assert_true(filter.count < FILTER_CODE_MAX);
    assert_int_equal(filter.code[filter.count - 1].code, BPF_RET | BPF_K);
}

static void test_other_abis_have_no_calls(void **state)
{
    struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};

    (void)state;
    assert_int_equal(run(&data), SECCOMP_RET_ERRNO | ENOSYS);
    data = (struct seccomp_data){.nr = SYS_read | 0x40000000, .arch = AUDIT_ARCH_X86_64};
    assert_int_equal(run(&data), SECCOMP_RET_ERRNO | ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_only_calls_with_a_time_out_are_caught, build),
        cmocka_unit_test_setup(test_futexes_are_caught_by_operation_and_time, build),
        cmocka_unit_test_setup(test_the_stub_is_let_through, build),
        cmocka_unit_test_setup(test_signals_are_caught_where_they_are_set, build),
        cmocka_unit_test_setup(test_our_descriptors_are_kept, build),
        cmocka_unit_test_setup(test_options_and_modes_are_caught_by_their_numbers, build),
        cmocka_unit_test_setup(test_only_opening_to_read_is_caught, build),
        cmocka_unit_test_setup(test_links_are_caught_only_where_needed, build),
        cmocka_unit_test_setup(test_everything_else_is_decided_by_its_number, build),
        cmocka_unit_test_setup(test_waits_without_end_are_caught_beside_a_timer, build),
        cmocka_unit_test_setup(test_reading_again_is_caught_at_the_beginning, build),
        cmocka_unit_test_setup(test_only_a_further_filter_tells_that_it_is_there, build),
        cmocka_unit_test_setup(test_files_times_are_caught_from_the_change_on, build),
        cmocka_unit_test_setup(test_the_program_has_room, build),
        cmocka_unit_test_setup(test_other_abis_have_no_calls, build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
