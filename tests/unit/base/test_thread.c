/* SPDX-License-Identifier: MIT */
/* thread: the stack and the signals of a thread do not depend on who starts it. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"

struct seen {
    size_t stack_bytes;
    sigset_t blocked;
};

static void *look_around(void *arg)
{
    struct seen *seen = arg;
    pthread_attr_t attr;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return NULL;
    (void)pthread_attr_getstacksize(&attr, &seen->stack_bytes);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
    return seen;
}

static struct seen start_one(void)
{
    struct seen seen = {0};
    pthread_t thread;
    void *result;
    assert_int_equal(thread_start(&thread, look_around, &seen), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &seen);
    return seen;
}

/* The default stack of a process with `ulimit -s 32`. */
static void the_stack_is_not_that_of_the_limits(void **state)
{
    (void)state;
    pthread_attr_t before, small;
    assert_int_equal(pthread_getattr_default_np(&before), 0);
    assert_int_equal(pthread_attr_init(&small), 0);
    assert_int_equal(pthread_attr_setstacksize(&small, 32 * 1024), 0);
    assert_int_equal(pthread_setattr_default_np(&small), 0);
    size_t stack_bytes = start_one().stack_bytes;
    assert_int_equal(pthread_setattr_default_np(&before), 0);
    /* The thread sanitizer adds room of its own. */
    assert_in_range(stack_bytes, THREAD_STACK_BYTES, 8 * THREAD_STACK_BYTES);
    pthread_attr_destroy(&small);
    pthread_attr_destroy(&before);
}

static void a_thread_takes_no_signals(void **state)
{
    (void)state;
    struct seen seen = start_one();
    assert_int_equal(sigismember(&seen.blocked, SIGTERM), 1);
    assert_int_equal(sigismember(&seen.blocked, SIGUSR1), 1);
    assert_int_equal(sigismember(&seen.blocked, SIGALRM), 1);
}

static void its_starter_goes_on_taking_them(void **state)
{
    (void)state;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    (void)start_one();
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal < SIGRTMAX; signal++)
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stack_is_not_that_of_the_limits),
        cmocka_unit_test(a_thread_takes_no_signals),
        cmocka_unit_test(its_starter_goes_on_taking_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
