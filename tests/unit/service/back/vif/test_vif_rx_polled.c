/* SPDX-License-Identifier: MIT */
/* vif_rx: a front end that does not ring for the pages that it posts. */
#include "unit/service/back/vif/vif_rx_fixture.h"

static struct timers timers;
static struct timer_clock idle_time;

static void connect_polled(void)
{
    timers_init(&timers);
    timers_add_clock(&timers, &idle_time, &v->clock);
    v->config.polled = true;
    v->config.idle_time = &idle_time;
    connect();
}

static void pass_ns(uint64_t ns)
{
    tdf_source_advance_ns(&v->time, ns);
    (void)timers_run(&timers);
    fake_vif_turn(v);
}

static void who_does_not_ring_is_looked_at_when_a_frame_has_waited(void **state)
{
    (void)state;
    connect_polled();
    deliver(60, 1);
    pass_ns(VIF_POLL_NS / 2);
    deliver(60, 2);
    assert_int_equal(timers_next_deadline(&timers),
                     fake_vif_now_ns(v) + VIF_POLL_NS - VIF_POLL_NS / 2);
    post_silently(8);
    pass_ns(VIF_POLL_NS - VIF_POLL_NS / 2);
    expect_frame(60, 1);
    expect_frame(60, 2);
    expect_none();
    assert_int_equal(v->q->stats.rx_expired, 0);
    pass_ns(VIF_POLL_NS);
    assert_int_equal(timers_next_deadline(&timers), UINT64_MAX); /* nothing waits, nobody looks */
}

/* Dom0 takes so many frames in one look: those behind them are not dropped for that. */
static void who_does_not_ring_gets_all_that_there_are_pages_for(void **state)
{
    (void)state;
    connect_polled();
    for (uint32_t i = 0; i < VIF_RX_FRAMES_MAX + 10; i++)
        deliver(60, i);
    deliver(9000, 1000);
    post_silently(VIF_RX_FRAMES_MAX + 11);
    pass_ns(VIF_POLL_NS);
    for (uint32_t i = 0; i < VIF_RX_FRAMES_MAX + 10; i++)
        expect_frame(60, i);
    expect_none();
    assert_int_equal(v->q->stats.rx_expired, 1); /* there was one page for three */
}

static void who_does_not_ring_is_never_stalled(void **state)
{
    (void)state;
    connect_polled();
    for (int i = 0; i < 3; i++) {
        deliver(60, 1);
        pass_ns(VIF_STALL_NS);
        assert_int_equal(v->q->waiting_count, 0);
    }
    assert_false(v->q->stalled);
    assert_int_equal(v->q->stats.rx_expired, 3);
    post_silently(1);
    deliver(60, 2);
    expect_frame(60, 2);
}

static void nobody_looks_at_a_queue_that_is_gone(void **state)
{
    (void)state;
    connect_polled();
    deliver(60, 1);
    assert_int_not_equal(timers_next_deadline(&timers), UINT64_MAX);
    fake_vif_disconnect(v, NULL);
    assert_int_equal(timers_next_deadline(&timers), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_does_not_ring_is_looked_at_when_a_frame_has_waited),
        TEST(who_does_not_ring_gets_all_that_there_are_pages_for),
        TEST(who_does_not_ring_is_never_stalled),
        TEST(nobody_looks_at_a_queue_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
