/* SPDX-License-Identifier: MIT */
/* patience: one deadline for an undertaking, which may be cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domu/patience.h"

#define MS UINT64_C(1000000)

static uint64_t now_ns;

static uint64_t test_clock(void *ctx)
{
    return *(uint64_t *)ctx;
}

static struct patience made(void)
{
    struct patience patience;
    patience_init(&patience);
    patience.now_ns = test_clock;
    patience.ctx = &now_ns;
    now_ns = 1000 * MS;
    return patience;
}

static void it_is_endless_until_it_is_given(void **state)
{
    (void)state;
    struct patience patience = made();
    assert_int_equal(patience_left_ms(&patience, 3600000), 3600000);
    assert_int_equal(patience_left_ms(NULL, 3600000), 3600000);
}

static void it_runs_out_at_its_deadline(void **state)
{
    (void)state;
    struct patience patience = made();
    patience_give(&patience, 50);
    assert_int_equal(patience_left_ms(&patience, 3600000), 50);
    assert_int_equal(patience_left_ms(&patience, 20), 20);
    now_ns += 49 * MS + 1; /* what is left is not rounded down to nothing */
    assert_int_equal(patience_left_ms(&patience, 20), 1);
    now_ns += MS - 1;
    assert_int_equal(patience_left_ms(&patience, 20), 0);
    now_ns += MS;
    assert_int_equal(patience_left_ms(&patience, 20), 0);
    patience_give_for_ever(&patience);
    assert_int_equal(patience_left_ms(&patience, 20), 20);
}

static void a_cut_holds_for_all_that_comes(void **state)
{
    (void)state;
    struct patience patience = made();
    patience_cut(&patience, 10);
    assert_int_equal(patience_left_ms(&patience, 100), 10);
    patience_give(&patience, 60000);
    assert_int_equal(patience_left_ms(&patience, 100), 10);
    patience_give_for_ever(&patience);
    assert_int_equal(patience_left_ms(&patience, 100), 10);
    patience_give(&patience, 5);
    assert_int_equal(patience_left_ms(&patience, 100), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_endless_until_it_is_given),
        cmocka_unit_test(it_runs_out_at_its_deadline),
        cmocka_unit_test(a_cut_holds_for_all_that_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
