/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "service/cli/top/top_process.h"

static void we_run_ourselves(void **state)
{
    (void)state;
    uint64_t before_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const struct top_process process = top_process_look((uint64_t)getpid());
    assert_true(process.visible);
    assert_true(process.running);
    assert_false(process.dying);
    assert_true(process.cpu_ns >= before_ns);
    assert_true(process.cpu_ns <= clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    assert_true(process.rss_kib > 0);
}

static void a_process_that_has_ended_is_dying_and_then_gone(void **state)
{
    siginfo_t info;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    struct top_process process = top_process_look((uint64_t)child);
    assert_true(process.visible && process.dying && !process.running);
    assert_int_equal(waitpid(child, NULL, 0), child);
    process = top_process_look((uint64_t)child);
    assert_false(process.visible);
    assert_false(top_process_look(0).visible);
}

static void our_numbers_are_our_own(void **state)
{
    (void)state;
    assert_true(top_process_shares_numbers((uint64_t)getpid()));
    assert_false(top_process_shares_numbers(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(we_run_ourselves),
        cmocka_unit_test(a_process_that_has_ended_is_dying_and_then_gone),
        cmocka_unit_test(our_numbers_are_our_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
