/* SPDX-License-Identifier: MIT */
/* vif_tx: when a frame left its domain, by its front end's stamp or by the look that found it. */
#include "unit/service/back/vif/vif_tx_fixture.h"

static void a_stamp_says_when_the_frame_left(void **state)
{
    (void)state;
    connect_with(true);
    tdf_source_advance_ns(&v->time, 1000000);
    uint64_t now_ns = fake_vif_now_ns(v), virtual_ns = tdf_clock_now_ns(&v->clock);
    send_frame(60, 1, &(struct fake_tx){.has_stamp = true, .stamp_ns = virtual_ns - 5000});
    assert_int_equal(arrived(0)->stamp_ns, virtual_ns - 5000);
    assert_int_equal(arrived(0)->arrived_ns, now_ns - 5000);
    expect_status(NETIF_RSP_OKAY);
    expect_status(NETIF_RSP_NULL);
    send_frame(60, 1, NULL);
    assert_int_equal(arrived(1)->stamp_ns, -1);
    assert_int_equal(arrived(1)->arrived_ns, now_ns);
}

static uint32_t looks;

static uint64_t count_looks(void *ctx)
{
    looks++;
    return fake_vif_now_ns(ctx);
}

/* What was on the ring at a look had left by then: one reading of the clock is for all of it. */
static void frames_of_one_look_share_a_reading_of_the_clock(void **state)
{
    (void)state;
    const struct fake_tx how = {.has_stamp = true, .stamp_ns = tdf_clock_now_ns(&v->clock)};
    bool notify;
    v->config.now_ns = count_looks;
    connect_with(true);
    for (uint32_t i = 0; i < 5; i++) {
        fake_network_fill(bytes, 60, i);
        assert_true(fake_netfront_send(&v->front, bytes, 60, &how, &notify) > 0);
    }
    looks = 0;
    fake_vif_ring(v, true);
    assert_int_equal(v->net.count, 5);
    assert_int_equal(looks, 1);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(arrived(i)->stamp_ns, how.stamp_ns);
}

/* In a domain at TDF 10 a microsecond of its own is ten. */
static void a_stamp_is_of_the_domains_clock(void **state)
{
    (void)state;
    v->tdf = (struct tdf){10, 1};
    assert_int_equal(tdf_clock_set_tdf(&v->clock, v->tdf), 0);
    connect_with(true);
    tdf_source_advance_ns(&v->time, 1000000);
    uint64_t virtual_ns = tdf_clock_now_ns(&v->clock);
    send_frame(60, 1, &(struct fake_tx){.has_stamp = true, .stamp_ns = virtual_ns - 1000});
    assert_int_equal(arrived(0)->arrived_ns, fake_vif_now_ns(v) - 10000);
}

static void a_stamp_that_lies_counts_for_little(void **state)
{
    (void)state;
    connect_with(true);
    tdf_source_advance_ns(&v->time, 1000000000);
    uint64_t now_ns = fake_vif_now_ns(v), virtual_ns = tdf_clock_now_ns(&v->clock);
    struct fake_tx how = {.has_stamp = true, .stamp_ns = virtual_ns - 500000000};
    send_frame(60, 1, &how); /* longer ago than Dom0 is ever late */
    assert_int_equal(arrived(0)->arrived_ns, now_ns - 100000000);
    assert_int_equal(arrived(0)->stamp_ns, virtual_ns - 100000000);
    how.stamp_ns = virtual_ns + 1000000; /* to come */
    send_frame(60, 1, &how);
    assert_int_equal(arrived(1)->arrived_ns, now_ns);
    assert_int_equal(arrived(1)->stamp_ns, virtual_ns);
    how.stamp_ns = virtual_ns - 1000; /* before the one before */
    send_frame(60, 1, &how);
    assert_int_equal(arrived(2)->arrived_ns, now_ns);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stamp_says_when_the_frame_left),
        TEST(frames_of_one_look_share_a_reading_of_the_clock),
        TEST(a_stamp_is_of_the_domains_clock),
        TEST(a_stamp_that_lies_counts_for_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
