/* SPDX-License-Identifier: MIT */
/* extents: runs of numbers, taken and given back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "domu/extents.h"

enum { FIRST = 40, COUNT = 64 };

static void all_numbers_are_handed_out_once(void **state)
{
    (void)state;
    struct extents extents;
    uint32_t number;
    assert_int_equal(extents_init(&extents, FIRST, COUNT), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(extents_take(&extents, 1, &number), 0);
        assert_int_equal(number, FIRST + i);
    }
    assert_int_equal(extents_take(&extents, 1, &number), -ENOSPC);
    extents_fini(&extents);
}

static void a_run_has_no_holes(void **state)
{
    (void)state;
    struct extents extents;
    uint32_t low, high, number;
    assert_int_equal(extents_init(&extents, FIRST, COUNT), 0);
    assert_int_equal(extents_take(&extents, 30, &low), 0);
    assert_int_equal(extents_take(&extents, 34, &high), 0);
    extents_give(&extents, low, 30);
    extents_give(&extents, high, 10);
    assert_int_equal(extents_take(&extents, 41, &number), -ENOSPC);
    assert_int_equal(extents_take(&extents, 40, &number), 0);
    assert_int_equal(number, FIRST);
    extents_fini(&extents);
}

static void there_may_be_nothing_to_hand_out(void **state)
{
    (void)state;
    struct extents extents;
    uint32_t number;
    assert_int_equal(extents_init(&extents, FIRST, 0), 0);
    assert_int_equal(extents_take(&extents, 1, &number), -ENOSPC);
    extents_fini(&extents);
    extents_fini(&extents);
}

/* Against a plain list of owners. */
static void no_number_has_two_owners(void **state)
{
    enum { RUNS = 16, STEPS = 20000 };
    (void)state;
    struct extents extents;
    struct {
        uint32_t first, count;
    } run[RUNS] = {{0, 0}};
    uint8_t owner[COUNT] = {0};
    struct prng prng;
    prng_init(&prng, 7, 0);
    assert_int_equal(extents_init(&extents, FIRST, COUNT), 0);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t r = (uint32_t)prng_below(&prng, RUNS);
        if (run[r].count > 0) {
            memset(owner + run[r].first - FIRST, 0, run[r].count);
            extents_give(&extents, run[r].first, run[r].count);
            run[r].count = 0;
            continue;
        }
        uint32_t count = 1 + (uint32_t)prng_below(&prng, 12);
        if (extents_take(&extents, count, &run[r].first) < 0)
            continue;
        run[r].count = count;
        assert_true(run[r].first >= FIRST && run[r].first + count <= FIRST + COUNT);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(owner[run[r].first - FIRST + i], 0);
            owner[run[r].first - FIRST + i] = (uint8_t)(r + 1);
        }
    }
    extents_fini(&extents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_numbers_are_handed_out_once),
        cmocka_unit_test(a_run_has_no_holes),
        cmocka_unit_test(there_may_be_nothing_to_hand_out),
        cmocka_unit_test(no_number_has_two_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
