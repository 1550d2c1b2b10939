/* SPDX-License-Identifier: MIT */
/* clock_change: when a rate takes effect, with a domain that answers, does not, or wants none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "faults/fault.h"
#include "ring/barrier.h"
#include "service/dom0/clock_change.h"
#include "tdf/pvclock.h"

struct fixture {
    struct poller *poller;
    struct tdf_source source;
    struct tdf_clock clock;
    struct shared_info page;
    struct clock_change change;
    unsigned applied;
};

static void apply(void *ctx)
{
    struct fixture *f = ctx;

    f->applied++;
}

static int set_up(void **state)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    assert_int_equal(poller_create(POLLER_EPOLL, &f.poller), 0);
    assert_int_equal(tdf_source_manual(&f.source, 1000000000, 1000000000, 0), 0);
    assert_int_equal(tdf_clock_init(&f.clock, &f.source, &f.page, 2, (struct tdf){2, 1}), 0);
    clock_change_init(&f.change, f.poller, &f.clock, apply, &f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    clock_change_stop(&f->change);
    poller_destroy(f->poller);
    return 0;
}

static void answer(struct fixture *f, uint32_t version)
{
    store_full_u64(&f->page.arch[SHARED_INFO_CLOCK_READY], (uint64_t)version | 1);
    clock_change_look(&f->change);
}

static uint32_t shown(struct fixture *f)
{
    return pvclock_slower(&f->page.vcpu_info[0].time, f->clock.time.version);
}

static void a_domain_that_wants_no_word_gets_none(void **state)
{
    struct fixture *f = *state;

    assert_false(clock_change_announce(&f->change, (struct tdf){10, 1}));
    assert_int_equal(shown(f), 0);
}

static void a_faster_rate_is_not_announced(void **state)
{
    struct fixture *f = *state;

    answer(f, 0);
    assert_false(clock_change_announce(&f->change, (struct tdf){1, 1}));
    assert_int_equal(shown(f), 0);
}

static void a_slower_rate_waits_for_the_answer_to_its_line(void **state)
{
    struct fixture *f = *state;

    answer(f, 0);
    const uint32_t before = f->clock.time.version;
    assert_true(clock_change_announce(&f->change, (struct tdf){3, 1}));
    assert_int_equal(shown(f), PVCLOCK_SLOWER_UNIT * 3 / 2);
    answer(f, before);
    assert_int_equal(f->applied, 0);
    answer(f, f->clock.time.version);
    assert_int_equal(f->applied, 1);
    answer(f, f->clock.time.version);
    assert_int_equal(f->applied, 1);
}

static void a_line_that_was_made_anew_still_tells_of_it(void **state)
{
    struct fixture *f = *state;

    answer(f, 0);
    assert_true(clock_change_announce(&f->change, (struct tdf){0, 1}));
    tdf_clock_reanchor(&f->clock);
    assert_true(shown(f) == PVCLOCK_STANDSTILL);
    answer(f, f->clock.time.version);
    assert_int_equal(f->applied, 1);
}

static void who_does_not_answer_is_not_waited_for_for_long(void **state)
{
    struct fixture *f = *state;
    const uint64_t from_ns = clock_monotonic_ns();

    answer(f, 0);
    assert_true(clock_change_announce(&f->change, (struct tdf){10, 1}));
    while (f->applied == 0)
        assert_true(poller_run(f->poller, true) >= 0);
    assert_true(clock_monotonic_ns() - from_ns >= CLOCK_CHANGE_NS);
}

static void another_change_of_mind_ends_the_announcement(void **state)
{
    struct fixture *f = *state;

    answer(f, 0);
    assert_true(clock_change_announce(&f->change, (struct tdf){10, 1}));
    assert_false(clock_change_announce(&f->change, (struct tdf){2, 1}));
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){2, 1}), 0);
    assert_int_equal(shown(f), 0);
    answer(f, f->clock.time.version);
    assert_int_equal(f->applied, 0);
}

static void without_a_timer_a_rate_takes_effect_at_once(void **state)
{
    static const char *const calls[] = {"timerfd_create", "timerfd_settime", "calloc"};
    struct fixture *f = *state;
    uint32_t descriptors = fault_open_descriptors();

    answer(f, 0);
    for (int i = 0; i < 3; i++) {
        fault_arm_call(calls[i], 1, ENOMEM);
        assert_false(clock_change_announce(&f->change, (struct tdf){3, 1}));
        assert_string_equal(fault_disarm(), calls[i]);
        assert_int_equal(shown(f), 0);
        assert_int_equal(fault_open_descriptors(), descriptors);
    }
    assert_true(clock_change_announce(&f->change, (struct tdf){3, 1}));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_domain_that_wants_no_word_gets_none),
        TEST(a_faster_rate_is_not_announced),
        TEST(a_slower_rate_waits_for_the_answer_to_its_line),
        TEST(a_line_that_was_made_anew_still_tells_of_it),
        TEST(who_does_not_answer_is_not_waited_for_for_long),
        TEST(another_change_of_mind_ends_the_announcement),
        cmocka_unit_test_setup_teardown(without_a_timer_a_rate_takes_effect_at_once, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
