/* SPDX-License-Identifier: MIT */
/* Timers against the real time: changing rates, pauses, several clocks, the timerfd. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "tdf/counter.h"
#include "unit/tdf/timer_fixture.h"

static void set_rate(struct fixture *f, uint32_t num, uint32_t den)
{
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){num, den}), 0);
}

/* Goes to the next deadline as an event loop does, but at once. False when there is none. */
static bool sleep_to_next(struct fixture *f)
{
    uint64_t deadline_ns = timers_next_deadline(&f->timers);

    if (deadline_ns == UINT64_MAX)
        return false;
    if (deadline_ns > f->source.manual_counter)
        tdf_source_set_ns(&f->source, deadline_ns);
    return true;
}

/* NSDI'06, Table 1, row 3: a domain under TDF k gets HZ / k timer interrupts per real second, which
 * is HZ per second of its own. */
static void test_hz_holds_in_virtual_seconds(void **state)
{
    static const struct tdf factors[] = {{1, 1000}, {1, 2}, {1, 1}, {2, 1}, {5, 2}, {10, 1}};
    const uint64_t hz = 1000;
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        uint64_t real_start_ns = f->source.manual_counter;
        set_rate(f, factors[i].num, factors[i].den);
        uint64_t virtual_start_ns = tdf_clock_now_ns(&f->clock);
        f->fired = 0;
        assert_int_equal(timer_set_periodic(&f->timer, NS_PER_SEC / hz), 0);
        while (f->fired < hz) {
            assert_true(sleep_to_next(f));
            timers_run(&f->timers);
        }
        uint64_t real_ns = f->source.manual_counter - real_start_ns;
        uint64_t expected_ns = tdf_real_ns(factors[i], NS_PER_SEC);
        uint64_t bound_ns = 2 + expected_ns / 100000000; /* nobody re-anchors in here */
        assert_in_range(real_ns, expected_ns - bound_ns, expected_ns + bound_ns);
        assert_int_equal(tdf_clock_now_ns(&f->clock) / 1000,
                         (virtual_start_ns + NS_PER_SEC) / 1000);
        assert_int_equal(f->timer.missed, 0);
        timer_stop(&f->timer);
    }
}

static void test_change_of_rate_moves_the_physical_deadline(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, START_NS + 1000);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 1000);
    tdf_source_advance_ns(&f->source, 500);
    set_rate(f, 10, 1);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 500 + 5000);
    tdf_source_advance_ns(&f->source, 1000);
    set_rate(f, 1, 10);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 1500 + 40);
    tdf_source_advance_ns(&f->source, 40);
    assert_int_equal(timers_run(&f->timers), 1);
}

static void test_paused_clock_parks_its_timers(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, START_NS + 1000);
    assert_int_equal(timer_set_periodic(&f->second, MS), 0);
    timer_set(&f->third, START_NS + 3000);
    tdf_source_advance_ns(&f->source, 400);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){0, 1}), 0);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 3000); /* the other clock's */
    tdf_source_advance_ns(&f->source, 100 * MS);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_ptr_equal(f->log[0], &f->third);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){1, 1}), 0);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 400 + 100 * MS + 600);
    tdf_source_advance_ns(&f->source, 600);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_ptr_equal(f->log[1], &f->timer);
    assert_int_equal(f->second.missed, 0);
}

static void test_timer_set_on_a_paused_clock_waits_for_it(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){0, 1}), 0);
    timer_set(&f->timer, START_NS + 10);
    timer_set(&f->second, START_NS); /* reached already: time stands there */
    assert_true(timers_next_deadline(&f->timers) <= START_NS);
    tdf_source_advance_ns(&f->source, MS);
    assert_int_equal(timers_run(&f->timers), 1);
    assert_ptr_equal(f->log[0], &f->second);
    assert_true(timers_next_deadline(&f->timers) == UINT64_MAX);
}

static void test_earliest_of_several_clocks_counts(void **state)
{
    struct fixture *f = *state;

    set_rate(f, 10, 1);
    timer_set(&f->timer, START_NS + 100); /* in 1000 real ns */
    timer_set(&f->third, START_NS + 900);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 900);
    set_rate(f, 1, 1);
    assert_int_equal(timers_next_deadline(&f->timers), START_NS + 100);
}

/* Ten thousand timers on two clocks of different and changing rates: each fires exactly once, not
 * before its time, and with no idle wake-up. */
static void test_many_timers_under_changing_rates(void **state)
{
    enum { COUNT = 10000 };
    struct fixture *f = *state;
    struct timer *many = calloc(COUNT, sizeof(*many));
    unsigned seed = 41;

    assert_non_null(many);
    for (int i = 0; i < COUNT; i++) {
        timer_init(&many[i], i % 2 ? &f->member : &f->other_member, record, f);
        timer_set(&many[i], START_NS + 1 + (uint64_t)rand_r(&seed) % (100 * MS));
    }
    while (sleep_to_next(f)) {
        size_t fired = timers_run(&f->timers);
        assert_true(fired > 0);
        for (size_t n = f->fired - fired; n < f->fired && n < LOG_SIZE; n++)
            assert_true(f->log[n]->node.key <= tdf_clock_now_ns(f->log[n]->owner->clock));
        if (f->fired % 7 == 0)
            set_rate(f, 1 + (uint32_t)rand_r(&seed) % 5, 1 + (uint32_t)rand_r(&seed) % 5);
    }
    assert_int_equal(f->fired, COUNT);
    free(many);
}

/* The timerfd, with real time: becomes readable for a deadline, not after disarming. */
static void test_timerfd_follows_the_next_deadline(void **state)
{
    struct fixture *f = *state;
    struct itimerspec spec;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    assert_true(fd >= 0);
    assert_int_equal(timers_arm(&f->timers, fd), 0);
    assert_int_equal(timerfd_gettime(fd, &spec), 0);
    assert_int_equal(spec.it_value.tv_sec, 0);
    assert_int_equal(spec.it_value.tv_nsec, 0);

    uint64_t now_ns = clock_monotonic_ns();
    tdf_source_set_ns(&f->source, now_ns);
    tdf_clock_reanchor(&f->clock);
    timer_set(&f->timer, tdf_clock_now_ns(&f->clock) + 3600 * NS_PER_SEC);
    assert_int_equal(timers_arm(&f->timers, fd), 0);
    assert_int_equal(timerfd_gettime(fd, &spec), 0);
    assert_in_range(spec.it_value.tv_sec, 3000, 3600);
    set_rate(f, 10, 1);
    assert_int_equal(timers_arm(&f->timers, fd), 0);
    assert_int_equal(timerfd_gettime(fd, &spec), 0);
    assert_in_range(spec.it_value.tv_sec, 35000, 36000);

    timer_stop(&f->timer);
    assert_int_equal(timers_arm(&f->timers, fd), 0);
    assert_int_equal(timerfd_gettime(fd, &spec), 0);
    assert_int_equal(spec.it_value.tv_sec, 0);
    assert_int_equal(spec.it_value.tv_nsec, 0);
    close(fd);
}

/* A deadline that has passed unserved is armed again, though it is the one that was armed before.
 */
static void test_timerfd_fires_again_for_an_unserved_deadline(void **state)
{
    struct fixture *f = *state;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    uint64_t expirations;

    assert_true(fd >= 0);
    timer_set(&f->timer, START_NS);
    tdf_source_set_ns(&f->source, 1);
    for (int i = 0; i < 3; i++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        tdf_clock_reanchor(&f->clock);
        assert_int_equal(timers_arm(&f->timers, fd), 0);
        assert_int_equal(poll(&wait, 1, 10000), 1);
        assert_int_equal(read(fd, &expirations, sizeof(expirations)), sizeof(expirations));
    }
    close(fd);
}

/* The timerfd fires before the deadline by as much as the loop wants to watch the clock. */
static void test_lead_of_a_clock(void **state)
{
    struct fixture *f = *state;
    const uint64_t lead_ns = 10 * NS_PER_SEC;
    struct itimerspec spec;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    uint64_t now_ns = clock_monotonic_ns();

    assert_true(fd >= 0);
    tdf_source_set_ns(&f->source, now_ns);
    tdf_clock_reanchor(&f->clock);
    tdf_clock_reanchor(&f->other);
    timer_clock_set_lead(&f->member, lead_ns);
    timer_set(&f->timer, tdf_clock_now_ns(&f->clock) + 3600 * NS_PER_SEC);
    assert_int_equal(timers_arm(&f->timers, fd), 0);
    assert_int_equal(timerfd_gettime(fd, &spec), 0);
    assert_in_range(spec.it_value.tv_sec, 3600 - 20, 3600 - 10);
    assert_false(timers_near(&f->timers));

    timer_set(&f->timer, tdf_clock_now_ns(&f->clock) + lead_ns / 2);
    assert_true(timers_near(&f->timers));
    timer_stop(&f->timer);
    assert_false(timers_near(&f->timers));
    close(fd);
}

/* What another clock has to do is no reason to stay awake. */
static void test_only_a_clock_with_a_lead_is_near(void **state)
{
    struct fixture *f = *state;

    timer_clock_set_lead(&f->other_member, NS_PER_SEC);
    timer_set(&f->timer, 1); /* long past */
    assert_false(timers_near(&f->timers));
}

static void test_arming_something_else_is_an_error(void **state)
{
    struct fixture *f = *state;

    timer_set(&f->timer, START_NS + 1);
    assert_int_equal(timers_arm(&f->timers, -1), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hz_holds_in_virtual_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_change_of_rate_moves_the_physical_deadline, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_paused_clock_parks_its_timers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_set_on_a_paused_clock_waits_for_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_earliest_of_several_clocks_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_timers_under_changing_rates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timerfd_follows_the_next_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timerfd_fires_again_for_an_unserved_deadline, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_lead_of_a_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_a_clock_with_a_lead_is_near, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arming_something_else_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
