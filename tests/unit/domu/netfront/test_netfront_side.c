/* SPDX-License-Identifier: MIT */
/* netfront_side: deadlines, the first failure, and waits for a ring, without a Dom0. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domu/netfront/netfront_private.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

static struct netfront nf;
static struct netfront_queue *const q = &nf.queue[0];

static int setup(void **state)
{
    (void)state;
    alarm(60);
    memset(&nf, 0, sizeof(nf));
    netfront_side_init(&q->tx);
    netfront_side_init(&q->rx);
    nf.link.carrier = true;
    nf.nr_queues = 1;
    q->nf = &nf;
    return pthread_mutex_init(&nf.state_lock, NULL);
}

static int teardown(void **state)
{
    (void)state;
    netfront_side_fini(&q->tx);
    netfront_side_fini(&q->rx);
    alarm(0);
    return pthread_mutex_destroy(&nf.state_lock);
}

static void a_limit_below_0_is_none(void **state)
{
    (void)state;
    assert_true(netfront_deadline_ns(-1) == 0);
    assert_int_equal(netfront_left_ns(0), -1);
}

static void what_is_left_shrinks_to_nothing(void **state)
{
    (void)state;
    uint64_t before_ns = clock_monotonic_ns();
    uint64_t deadline_ns = netfront_deadline_ns((int64_t)(1000 * S));
    uint64_t after_ns = clock_monotonic_ns();
    assert_true(deadline_ns >= before_ns + 1000 * S && deadline_ns <= after_ns + 1000 * S);
    int64_t left_ns = netfront_left_ns(deadline_ns);
    assert_true(left_ns > 0 && left_ns <= (int64_t)(deadline_ns - after_ns));
    assert_int_equal(netfront_left_ns(after_ns), 0);
    assert_int_equal(netfront_left_ns(1), 0);
}

static void the_first_failure_stays(void **state)
{
    (void)state;
    assert_int_equal(netfront_failed(&nf), 0);
    netfront_fail(&nf, -EPROTO, "Dom0 lies");
    netfront_fail(&nf, -ENOTCONN, "Dom0 is gone");
    assert_int_equal(netfront_failed(&nf), -EPROTO);
    assert_string_equal(nf.failure, "Dom0 lies");
    assert_false(nf.link.carrier);
    assert_int_equal(pthread_mutex_trylock(&nf.state_lock), 0); /* it was given back */
    pthread_mutex_unlock(&nf.state_lock);
}

/* Who fails an interface waits for whoever has its state. */
static void *fail_it(void *arg)
{
    (void)arg;
    netfront_fail(&nf, -EPROTO, "Dom0 lies");
    return NULL;
}

static void a_failure_waits_for_the_state(void **state)
{
    pthread_t thread;
    (void)state;
    pthread_mutex_lock(&nf.state_lock);
    assert_int_equal(pthread_create(&thread, NULL, fail_it, NULL), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(netfront_failed(&nf), 0);
        sched_yield();
    }
    pthread_mutex_unlock(&nf.state_lock);
    pthread_join(thread, NULL);
    assert_int_equal(netfront_failed(&nf), -EPROTO);
}

static int await_ring(uint64_t deadline_ns)
{
    pthread_mutex_lock(&q->rx.lock);
    int rc = netfront_await_ring(q, &q->rx, deadline_ns);
    pthread_mutex_unlock(&q->rx.lock);
    return rc;
}

static void a_ring_that_is_there_is_not_waited_for(void **state)
{
    (void)state;
    assert_int_equal(await_ring(0), 0);
    assert_int_equal(await_ring(1), 0);
}

static void a_wait_for_a_ring_ends_at_its_deadline(void **state)
{
    (void)state;
    netfront_side_suspend(&nf, &q->rx);
    uint64_t deadline_ns = clock_monotonic_ns() + 2 * MS;
    assert_int_equal(await_ring(deadline_ns), -EAGAIN);
    assert_true(clock_monotonic_ns() >= deadline_ns);
}

static void *resume(void *arg)
{
    netfront_side_resume(arg);
    return NULL;
}

static void who_waits_for_a_ring_goes_on_with_it(void **state)
{
    pthread_t thread;
    (void)state;
    netfront_side_suspend(&nf, &q->rx);
    pthread_mutex_lock(&q->rx.lock); /* until the wait gives it up */
    assert_int_equal(pthread_create(&thread, NULL, resume, &q->rx), 0);
    assert_int_equal(netfront_await_ring(q, &q->rx, 0), 0);
    pthread_mutex_unlock(&q->rx.lock);
    pthread_join(thread, NULL);
}

static void an_interface_that_failed_is_not_waited_for(void **state)
{
    (void)state;
    netfront_side_suspend(&nf, &q->rx);
    netfront_fail(&nf, -ENOTCONN, "Dom0 is gone");
    assert_int_equal(await_ring(0), -ENOTCONN);
}

static void who_is_interrupted_waits_no_longer(void **state)
{
    (void)state;
    netfront_side_suspend(&nf, &q->rx);
    netfront_interrupt(&nf);
    assert_int_equal(await_ring(0), 0); /* there is still none */
    assert_true(q->rx.linking);
}

static struct shared_info shared;

static void *sleep_for_ever(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&q->rx.lock);
    netfront_sleep(&nf, &q->rx, -1);
    pthread_mutex_unlock(&q->rx.lock);
    return NULL;
}

static bool sleeps(void)
{
    pthread_mutex_lock(&q->rx.lock);
    bool sleeping = q->rx.sleeping;
    pthread_mutex_unlock(&q->rx.lock);
    return sleeping;
}

static void start_sleeper(pthread_t *thread)
{
    memset(&shared, 0, sizeof(shared));
    nf.shared_info = &shared;
    q->rx.vcpu = 1;
    assert_int_equal(pthread_create(thread, NULL, sleep_for_ever, NULL), 0);
    while (!sleeps())
        sched_yield();
}

/* The ring's memory is about to be another one's. */
static void nobody_sleeps_on_a_ring_out_of_use(void **state)
{
    pthread_t thread;
    (void)state;
    for (int i = 0; i < 20; i++) {
        start_sleeper(&thread);
        netfront_side_suspend(&nf, &q->rx);
        assert_false(sleeps());
        assert_true(q->rx.linking);
        pthread_join(thread, NULL);
        netfront_side_resume(&q->rx);
    }
    assert_int_equal(q->rx.upcalls, 20);
}

static void who_sleeps_is_woken_by_a_failure(void **state)
{
    pthread_t thread;
    (void)state;
    start_sleeper(&thread);
    netfront_fail(&nf, -ENOTCONN, "Dom0 is gone");
    pthread_join(thread, NULL);
    netfront_sleep(&nf, &q->rx, -1); /* and nobody begins to: no lock is given up for that */
    assert_false(q->rx.sleeping);
    assert_int_equal(q->rx.upcalls, 1);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void *wake_for_nothing(void *arg)
{
    struct netfront_side *side = arg;
    pthread_mutex_lock(&side->lock); /* it waits by now */
    pthread_cond_broadcast(&side->changed);
    pthread_mutex_unlock(&side->lock);
    return NULL;
}

static void who_is_woken_for_nothing_waits_on(void **state)
{
    const uint64_t deadline_ns = clock_monotonic_ns() + 50 * MS;
    pthread_t thread;
    (void)state;
    netfront_side_suspend(&nf, &q->rx);
    pthread_mutex_lock(&q->rx.lock);
    assert_int_equal(pthread_create(&thread, NULL, wake_for_nothing, &q->rx), 0);
    assert_int_equal(netfront_await_ring(q, &q->rx, deadline_ns), -EAGAIN);
    pthread_mutex_unlock(&q->rx.lock);
    pthread_join(thread, NULL);
    assert_true(clock_monotonic_ns() >= deadline_ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_limit_below_0_is_none),
        WITH(what_is_left_shrinks_to_nothing),
        WITH(the_first_failure_stays),
        WITH(a_failure_waits_for_the_state),
        WITH(a_ring_that_is_there_is_not_waited_for),
        WITH(a_wait_for_a_ring_ends_at_its_deadline),
        WITH(who_waits_for_a_ring_goes_on_with_it),
        WITH(an_interface_that_failed_is_not_waited_for),
        WITH(who_is_interrupted_waits_no_longer),
        WITH(nobody_sleeps_on_a_ring_out_of_use),
        WITH(who_sleeps_is_woken_by_a_failure),
        cmocka_unit_test_setup_teardown(who_is_woken_for_nothing_waits_on, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
