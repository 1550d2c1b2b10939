/* SPDX-License-Identifier: MIT */
/* turns: who has a limit, and who goes on after a wait. */
#include "service/net/turns.h"

#include "turns_fixture.h"

static struct tdf_source source;
static struct tdf_clock clock_of_domain;
static struct timers timers;
static struct timer_clock time_of_domain;

static void begin_time(void)
{
    const struct tdf ten = {10, 1};
    assert_int_equal(tdf_source_manual(&source, 1000000000, 1000000, 0), 0);
    assert_int_equal(tdf_clock_init(&clock_of_domain, &source, NULL, 0, ten), 0);
    timers_init(&timers);
    timers_add_clock(&timers, &time_of_domain, &clock_of_domain);
}

static void a_rate_counts_in_the_clock_that_it_is_given(void **state)
{
    (void)state;
    begin(1);
    begin_time();
    ports[0].frame_bytes = 1000;
    net_turns_limit(&ports[0].port, 10000, 1000, &time_of_domain);
    net_turns_ready(&ports[0].port);
    for (int us = 0; us < 1000; us++) { /* of real time: 100 intervals of the domain's */
        (void)net_turns_run(&turns);
        assert_false(net_turns_waits(&turns)); /* who waits for credit keeps nobody awake */
        tdf_source_advance_ns(&source, 1000);
        (void)timers_run(&timers);
    }
    assert_int_equal(ports[0].taken, 10000 * 100);
    net_turns_remove(&ports[0].port);
    timers_drop_clock(&timers, &time_of_domain);
}

static void a_limit_that_is_lifted_lets_the_port_go_on(void **state)
{
    (void)state;
    begin(1);
    begin_time();
    ports[0].frame_bytes = 1000;
    net_turns_limit(&ports[0].port, 1000, 1000000000, &time_of_domain);
    net_turns_ready(&ports[0].port);
    (void)net_turns_run(&turns);
    (void)net_turns_run(&turns);
    assert_int_equal(ports[0].taken, 1000);
    net_turns_ready(&ports[0].port); /* the doorbell changes nothing */
    assert_false(net_turns_waits(&turns));
    net_turns_limit(&ports[0].port, 0, 0, NULL);
    assert_true(net_turns_waits(&turns));
    net_turns_remove(&ports[0].port);
    timers_drop_clock(&timers, &time_of_domain);
}

static void a_limit_that_grows_lets_the_port_go_on_with_what_it_owes(void **state)
{
    (void)state;
    begin(1);
    begin_time();
    ports[0].frame_bytes = 1000;
    net_turns_limit(&ports[0].port, 100, 1000000000, &time_of_domain);
    net_turns_ready(&ports[0].port);
    (void)net_turns_run(&turns);
    (void)net_turns_run(&turns);
    assert_int_equal(ports[0].taken, 1000); /* 900 are owed: for ten seconds */
    net_turns_limit(&ports[0].port, 2000, 1000000, &time_of_domain);
    (void)net_turns_run(&turns);
    assert_int_equal(ports[0].taken, 1000);
    tdf_source_advance_ns(&source, 10000000); /* a millisecond of the domain's */
    (void)timers_run(&timers);
    (void)net_turns_run(&turns);
    (void)net_turns_run(&turns);
    assert_int_equal(ports[0].taken, 3000);
    net_turns_remove(&ports[0].port);
    timers_drop_clock(&timers, &time_of_domain);
}

static void who_waits_for_credit_saves_no_turns_up(void **state)
{
    (void)state;
    begin(1);
    begin_time();
    ports[0].frame_bytes = 100;
    net_turns_limit(&ports[0].port, 100, 1000, &time_of_domain);
    net_turns_ready(&ports[0].port);
    for (int i = 0; i < 100; i++) {
        (void)net_turns_run(&turns);
        tdf_source_advance_ns(&source, 10000);
        (void)timers_run(&timers);
    }
    assert_int_equal(ports[0].taken, 100 * 100);
    assert_true(ports[0].port.turn.key - turns.now <= 100u << 16);
    net_turns_remove(&ports[0].port);
    timers_drop_clock(&timers, &time_of_domain);
}

/* Ports 0 and 1: the first has had a turn and then nothing for a long time, as if it waited for a
 * full port; the second went on. */
static void let_the_first_wait(void)
{
    begin(2);
    turns.is_brief = true;
    ports[0].frame_bytes = ports[1].frame_bytes = 1000;
    ports[0].left = 1;
    net_turns_ready(&ports[0].port);
    while (net_turns_waits(&turns))
        (void)net_turns_run(&turns);
    ports[0].left = UINT64_MAX;
    net_turns_ready(&ports[1].port);
    run_bytes(UINT64_C(40) << 20);
    ports[0].taken = ports[1].taken = 0;
}

/* Who goes on catches up with what it has lost by waiting, but for a MiB at most. */
static void who_goes_on_catches_up_within_bounds(void **state)
{
    (void)state;
    let_the_first_wait();
    net_turns_go_on(&ports[0].port);
    run_bytes(4 << 20);
    uint64_t lead = ports[0].taken - ports[1].taken;
    assert_in_range(lead, (1 << 20) - 40000, (1 << 20) + 40000);
}

static void who_was_idle_does_not_catch_up(void **state)
{
    (void)state;
    let_the_first_wait();
    net_turns_ready(&ports[0].port);
    run_bytes(4 << 20);
    assert_in_range(ports[1].taken + 40000 - ports[0].taken, 0, 80000);
}

static void who_waits_for_credit_does_not_go_on(void **state)
{
    (void)state;
    begin(1);
    begin_time();
    ports[0].frame_bytes = 1000;
    net_turns_limit(&ports[0].port, 1000, 1000000000, &time_of_domain);
    net_turns_ready(&ports[0].port);
    while (net_turns_waits(&turns))
        (void)net_turns_run(&turns);
    net_turns_go_on(&ports[0].port);
    assert_false(net_turns_waits(&turns));
    net_turns_remove(&ports[0].port);
    timers_drop_clock(&timers, &time_of_domain);
}

/* It waited for a port that was full, and which has room again before the turn is over. */
static uint32_t take_and_go_on(struct net_port *port, uint32_t budget_bytes)
{
    net_turns_go_on(port);
    assert_false(port->is_ready); /* its place is behind this turn */
    return fixture_take(port, budget_bytes);
}

static void who_goes_on_within_its_turn_has_one_place(void **state)
{
    (void)state;
    static const struct net_port_ops ops = {.deliver = fixture_deliver, .take = take_and_go_on};
    begin(2);
    for (int i = 0; i < 2; i++) {
        ports[i].port.ops = &ops;
        ports[i].frame_bytes = 1000;
        net_turns_ready(&ports[i].port);
    }
    run_bytes(1 << 20);
    assert_in_range(ports[1].taken + 4000 - ports[0].taken, 0, 8000);
}

/* Else whoever connects again and again would have no limit. */
static void a_limit_goes_on_over_a_removal(void **state)
{
    (void)state;
    begin(1);
    begin_time();
    ports[0].frame_bytes = 1000;
    for (int i = 0; i < 20; i++) {
        net_turns_limit(&ports[0].port, 1000, 1000000, &time_of_domain);
        net_turns_ready(&ports[0].port);
        (void)net_turns_run(&turns);
        (void)net_turns_run(&turns);
        net_turns_remove(&ports[0].port);
        net_turns_add(&turns, &ports[0].port);
    }
    assert_int_equal(ports[0].taken, 1000);
    tdf_source_advance_ns(&source, 20000000); /* two intervals of the domain's */
    net_turns_limit(&ports[0].port, 1000, 1000000, &time_of_domain);
    net_turns_ready(&ports[0].port);
    (void)net_turns_run(&turns);
    assert_int_equal(ports[0].taken, 2000);
    net_turns_limit(&ports[0].port, 2000, 1000000, &time_of_domain); /* so does another one */
    net_turns_ready(&ports[0].port);
    (void)net_turns_run(&turns);
    assert_int_equal(ports[0].taken, 2000);
    tdf_source_advance_ns(&source, 10000000);
    (void)timers_run(&timers);
    (void)net_turns_run(&turns);
    assert_int_equal(ports[0].taken, 4000);
    net_turns_remove(&ports[0].port);
    timers_drop_clock(&timers, &time_of_domain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_counts_in_the_clock_that_it_is_given),
        cmocka_unit_test(a_limit_that_is_lifted_lets_the_port_go_on),
        cmocka_unit_test(a_limit_that_grows_lets_the_port_go_on_with_what_it_owes),
        cmocka_unit_test(who_waits_for_credit_saves_no_turns_up),
        cmocka_unit_test(who_goes_on_catches_up_within_bounds),
        cmocka_unit_test(who_was_idle_does_not_catch_up),
        cmocka_unit_test(who_waits_for_credit_does_not_go_on),
        cmocka_unit_test(who_goes_on_within_its_turn_has_one_place),
        cmocka_unit_test(a_limit_goes_on_over_a_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
