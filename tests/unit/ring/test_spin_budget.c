/* SPDX-License-Identifier: MIT */
/* spin_budget: spins that pay go on, spins that don't are withheld and probed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring/spin_budget.h"

static void lose(struct spin_budget *budget, int count)
{
    for (int i = 0; i < count; i++)
        spin_budget_lost(budget);
}

static void the_first_wait_spins(void **state)
{
    (void)state;
    struct spin_budget budget;
    spin_budget_init(&budget);
    assert_true(spin_budget_grant(&budget));
}

static void failures_withhold_all_but_a_probe(void **state)
{
    (void)state;
    struct spin_budget budget;
    spin_budget_init(&budget);
    lose(&budget, SPIN_SCORE_MAX);
    int granted = 0;
    for (int waits = 1; waits < 64 + 128 + 256 + 512 + 3 * 1024; waits++) {
        if (spin_budget_grant(&budget)) {
            spin_budget_lost(&budget);
            granted++;
        }
    }
    assert_int_equal(granted, 6);
    assert_true(spin_budget_grant(&budget)); /* the last of those waits */
}

static void after_a_probe_that_wins_the_next_one_comes_soon(void **state)
{
    (void)state;
    struct spin_budget budget;
    spin_budget_init(&budget);
    lose(&budget, SPIN_SCORE_MAX);
    for (int probes = 0; probes < 10;)
        probes += spin_budget_grant(&budget) > 0;
    lose(&budget, SPIN_SCORE_MAX);
    spin_budget_won(&budget, 0);
    lose(&budget, SPIN_SCORE_MAX);
    for (int waits = 1; waits < SPIN_PROBE_EVERY; waits++)
        assert_int_equal(spin_budget_grant(&budget), 0);
    assert_true(spin_budget_grant(&budget));
}

/* With many threads on one ring there is always an answer soon; it need not be worth waiting for.
 */
static void late_answers_to_others_count_neither_way(void **state)
{
    (void)state;
    struct spin_budget budget, before;
    spin_budget_init(&budget);
    before = budget;
    spin_budget_beside(&budget, SPIN_NS);
    assert_memory_equal(&budget, &before, sizeof(budget));
    spin_budget_beside(&budget, 100);
    assert_int_equal(budget.won, 1);
}

/* However long it went wrong before, the second probe that wins switches spinning on again. */
static void two_probes_that_win_switch_back(void **state)
{
    (void)state;
    struct spin_budget budget;
    spin_budget_init(&budget);
    lose(&budget, 1000000);
    spin_budget_won(&budget, 0);
    spin_budget_won(&budget, 0);
    assert_true(spin_budget_grant(&budget));
    assert_true(spin_budget_grant(&budget));
}

/* However well it went before, a bounded run of failures ends it. */
static void credit_is_bounded(void **state)
{
    (void)state;
    struct spin_budget budget;
    spin_budget_init(&budget);
    for (int i = 0; i < 1000000; i++)
        spin_budget_won(&budget, 0);
    int granted = 0;
    while (spin_budget_grant(&budget) && granted <= SPIN_SCORE_MAX) {
        lose(&budget, 1);
        granted++;
    }
    assert_int_equal(granted, SPIN_SCORE_MAX);
}

/* One success outweighs one failure: half of the spins winning is enough. */
static void every_other_win_keeps_spinning(void **state)
{
    (void)state;
    struct spin_budget budget;
    spin_budget_init(&budget);
    for (int i = 0; i < 1000; i++) {
        assert_true(spin_budget_grant(&budget));
        if (i % 2 == 0)
            spin_budget_won(&budget, 0);
        else
            spin_budget_lost(&budget);
    }
    assert_int_equal(budget.won, 500);
    assert_int_equal(budget.lost, 500);
}

/* As long as the peer's wake-up takes, within bounds, and no longer than it takes now. */
static void the_limit_follows_the_spins_that_were_won(void **state)
{
    (void)state;
    struct spin_budget budget;
    spin_budget_init(&budget);
    assert_int_equal(spin_budget_grant(&budget), SPIN_NS);
    spin_budget_won(&budget, 20000);
    assert_int_equal(spin_budget_grant(&budget), 40000);
    spin_budget_won(&budget, UINT64_MAX);
    assert_int_equal(spin_budget_grant(&budget), SPIN_NS_MAX);
    spin_budget_won(&budget, 300);
    assert_int_equal(spin_budget_grant(&budget), SPIN_NS);
}

static void a_probe_has_the_largest_limit(void **state)
{
    (void)state;
    struct spin_budget budget;
    uint32_t limit_ns = 0;
    spin_budget_init(&budget);
    lose(&budget, SPIN_SCORE_MAX);
    for (int i = 0; i < SPIN_PROBE_EVERY; i++)
        limit_ns = spin_budget_grant(&budget);
    assert_int_equal(limit_ns, SPIN_NS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_wait_spins),
        cmocka_unit_test(the_limit_follows_the_spins_that_were_won),
        cmocka_unit_test(a_probe_has_the_largest_limit),
        cmocka_unit_test(failures_withhold_all_but_a_probe),
        cmocka_unit_test(after_a_probe_that_wins_the_next_one_comes_soon),
        cmocka_unit_test(late_answers_to_others_count_neither_way),
        cmocka_unit_test(two_probes_that_win_switch_back),
        cmocka_unit_test(credit_is_bounded),
        cmocka_unit_test(every_other_win_keeps_spinning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
