/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tdf/clock.h"
#include "tdf/pvclock.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define START_NS   (1000 * NS_PER_SEC)
#define WALL_NS    (UINT64_C(1700000000) * NS_PER_SEC)

static const struct tdf factors[] = {{1, 1000}, {1, 7}, {1, 1}, {5, 2}, {10, 1}, {1000, 1}};
enum { NR_FACTORS = sizeof(factors) / sizeof(factors[0]) };

struct fixture {
    struct tdf_source source;
    struct tdf_clock clock;
    struct shared_info shared;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    *state = f;
    return tdf_source_manual(&f->source, NS_PER_SEC, START_NS, WALL_NS);
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void start(struct fixture *f, struct tdf tdf)
{
    assert_int_equal(tdf_clock_init(&f->clock, &f->source, &f->shared, 1, tdf), 0);
}

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
