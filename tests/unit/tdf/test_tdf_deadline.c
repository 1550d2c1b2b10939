/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "unit/tdf/clock_fixture.h"

/* The deadline's instant is the first at which the clock shows it: there, and not 1 ns before. */
static void test_deadlines_become_the_first_instant_that_shows_them(void **state)
{
    static const uint64_t rates[] = {1000000000, 2400000000, 2249999999};
    struct fixture *f = *state;
    unsigned seed = 13;

    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        for (int k = 0; k < NR_FACTORS; k++) {
            assert_int_equal(tdf_source_manual(&f->source, rates[r], START_NS, WALL_NS), 0);
            start(f, factors[k]);
            for (int i = 0; i < 2000; i++) {
                uint64_t deadline_ns = START_NS + 1 + (uint64_t)rand_r(&seed);
                uint64_t at_ns = tdf_clock_to_monotonic_ns(&f->clock, deadline_ns);
                tdf_source_set_ns(&f->source, at_ns);
                assert_true(tdf_clock_now_ns(&f->clock) >= deadline_ns);
                tdf_source_set_ns(&f->source, at_ns - 2);
                assert_true(tdf_clock_now_ns(&f->clock) < deadline_ns);
            }
        }
    }
}

static void test_deadlines_that_never_come(void **state)
{
    struct fixture *f = *state;

    start(f, (struct tdf){0, 1});
    assert_true(tdf_clock_to_monotonic_ns(&f->clock, START_NS) <= START_NS);
    assert_true(tdf_clock_to_monotonic_ns(&f->clock, START_NS + 1) == UINT64_MAX);
    assert_int_equal(tdf_clock_set_tdf(&f->clock, (struct tdf){1, 1}), 0);
    assert_int_equal(tdf_clock_to_monotonic_ns(&f->clock, START_NS + 1), START_NS + 1);
    assert_true(tdf_clock_to_monotonic_ns(&f->clock, UINT64_MAX) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deadlines_become_the_first_instant_that_shows_them,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadlines_that_never_come, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
