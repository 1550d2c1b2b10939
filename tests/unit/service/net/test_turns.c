/* SPDX-License-Identifier: MIT */
/* turns: shares by weight whatever the sizes of frames, and nothing saved up. */
#include "service/net/turns.h"

#include "turns_fixture.h"

static void bytes_behave_as_weights_whatever_the_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {64, 1514, 65535, 9014};
    static const uint32_t weights[] = {64, 128, 256, 1024};
    begin(4);
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        ports[i].frame_bytes = sizes[i];
        ports[i].port.weight = weights[i];
        net_turns_ready(&ports[i].port);
    }
    run_bytes(UINT64_C(400000000));
    for (int i = 0; i < 4; i++)
        sum += ports[i].taken;
    for (int i = 0; i < 4; i++) {
        double share = (double)ports[i].taken / (double)sum;
        double fair = weights[i] / 1472.0;
        assert_true(share > fair * 0.995 && share < fair * 1.005);
    }
}

static void equal_weights_are_fair_to_one_in_a_thousand(void **state)
{
    (void)state;
    begin(8);
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < 8; i++) {
        ports[i].frame_bytes = 60 + 1000 * i;
        net_turns_ready(&ports[i].port);
    }
    run_bytes(UINT64_C(200000000));
    for (int i = 0; i < 8; i++) {
        sum += (double)ports[i].taken;
        squares += (double)ports[i].taken * (double)ports[i].taken;
    }
    assert_true(sum * sum / (8 * squares) >= 0.9999);
}

static void who_was_idle_has_saved_nothing(void **state)
{
    (void)state;
    begin(2);
    ports[0].frame_bytes = ports[1].frame_bytes = 1000;
    net_turns_ready(&ports[0].port);
    ports[1].left = 0;
    for (int i = 0; i < 100; i++) { /* looks, and has nothing */
        net_turns_ready(&ports[1].port);
        (void)net_turns_run(&turns);
    }
    ports[0].taken = 0;
    ports[1].left = UINT64_MAX;
    net_turns_ready(&ports[1].port);
    run_bytes(2000000);
    assert_true(ports[1].taken <= ports[0].taken + NET_TURNS_ALONE_BYTES + 1000);
}

static void who_was_alone_owes_an_ordinary_turn(void **state)
{
    (void)state;
    begin(2);
    ports[0].port.weight = 1;
    ports[0].frame_bytes = ports[1].frame_bytes = 60;
    net_turns_ready(&ports[0].port);
    (void)net_turns_run(&turns);
    ports[0].taken = 0;
    net_turns_ready(&ports[1].port); /* which has 256 times the weight */
    run_bytes(2 * 256 * NET_TURNS_BYTES);
    assert_true(ports[0].taken > 0);
}

static void a_small_sender_waits_for_one_turn_of_each(void **state)
{
    (void)state;
    begin(8);
    for (int i = 0; i < 7; i++) {
        ports[i].frame_bytes = 1500;
        net_turns_ready(&ports[i].port);
    }
    ports[7].frame_bytes = 64;
    ports[7].left = 1;
    net_turns_ready(&ports[7].port);
    (void)net_turns_run(&turns); /* eight turns of 2 KiB fit in one run */
    assert_int_equal(ports[7].taken, 64);
}

static void one_run_is_bounded(void **state)
{
    (void)state;
    begin(1);
    ports[0].frame_bytes = 1500;
    net_turns_ready(&ports[0].port);
    assert_true(net_turns_run(&turns) <= NET_TURNS_MAX_BYTES + NET_TURNS_ALONE_BYTES + 1500);
    assert_true(net_turns_waits(&turns));
}

/* For the sake of who else needs the thread. */
static void a_brief_run_is_shorter(void **state)
{
    (void)state;
    begin(1);
    turns.is_brief = true;
    ports[0].frame_bytes = 1500;
    net_turns_ready(&ports[0].port);
    assert_true(net_turns_run(&turns) <=
                NET_TURNS_BRIEF_MAX_BYTES + NET_TURNS_BRIEF_ALONE_BYTES + 1500);
    assert_true(net_turns_waits(&turns));
    turns.is_brief = false;
    assert_true(net_turns_run(&turns) > NET_TURNS_MAX_BYTES - 1500);
}

/* As a bridge with so many other ports adds them. */
static uint32_t take_copied(struct net_port *port, uint32_t budget_bytes)
{
    uint32_t taken = fixture_take(port, budget_bytes < 60 ? budget_bytes : 60);
    port->copied_bytes += 1000 * (uint64_t)taken;
    return taken;
}

static void copies_of_flooded_frames_end_a_run(void **state)
{
    (void)state;
    static const struct net_port_ops ops = {.deliver = fixture_deliver, .take = take_copied};
    begin(1);
    ports[0].port.ops = &ops;
    ports[0].frame_bytes = 60;
    net_turns_ready(&ports[0].port);
    assert_in_range(net_turns_run(&turns), 60, NET_TURNS_MAX_BYTES / 1000 + 60);
    assert_true(net_turns_waits(&turns));
}

static void copies_of_flooded_frames_are_paid_for(void **state)
{
    (void)state;
    begin(2);
    for (int i = 0; i < 2; i++) {
        ports[i].frame_bytes = 1000;
        net_turns_ready(&ports[i].port);
    }
    ports[0].port.copied_bytes = 100000000; /* as after frames flooded to a thousand ports */
    run_bytes(50000000);
    assert_in_range(ports[0].taken, 1, 4 * NET_TURNS_BYTES);
    run_bytes(50000000);
    const uint64_t taken = ports[0].taken;
    run_bytes(10000000);
    assert_in_range(ports[0].taken - taken, 4900000, 5100000);
}

static void waiting_does_not_pay_for_copies(void **state)
{
    (void)state;
    begin(2);
    ports[0].frame_bytes = ports[1].frame_bytes = 1000;
    net_turns_ready(&ports[1].port);
    ports[0].left = 1;
    net_turns_ready(&ports[0].port);
    ports[0].port.copied_bytes = 10000000;
    run_bytes(5000000);
    ports[0].left = UINT64_MAX;
    ports[0].taken = 0;
    net_turns_ready(&ports[0].port); /* it had nothing meanwhile */
    run_bytes(4000000);
    assert_int_equal(ports[0].taken, 0);
    run_bytes(4000000);
    assert_true(ports[0].taken > 0);
}

/* What a ring of 128 frames holds between two turns; it is full again at each turn. */
static uint32_t take_ring(struct net_port *port, uint32_t budget_bytes)
{
    struct fixture_port *f = (struct fixture_port *)port;
    f->left = 128;
    return fixture_take(port, budget_bytes);
}

static void a_short_ring_keeps_no_weight_from_its_share(void **state)
{
    (void)state;
    static const struct net_port_ops ring_ops = {.deliver = fixture_deliver, .take = take_ring};
    static const uint32_t weights[] = {64, 256, 1024, 65535};
    begin(4);
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        ports[i].port.ops = &ring_ops;
        ports[i].frame_bytes = 60;
        ports[i].port.weight = weights[i];
        net_turns_ready(&ports[i].port);
    }
    run_bytes(UINT64_C(400000000));
    for (int i = 0; i < 4; i++)
        sum += (double)ports[i].taken;
    for (int i = 0; i < 4; i++) {
        double share = (double)ports[i].taken / sum;
        double fair = weights[i] / 66879.0;
        assert_true(share > fair * 0.99 && share < fair * 1.01);
    }
}

static void who_is_gone_has_no_turn(void **state)
{
    (void)state;
    begin(2);
    ports[0].frame_bytes = 100;
    net_turns_ready(&ports[0].port);
    net_turns_ready(&ports[0].port); /* twice is once */
    net_turns_remove(&ports[0].port);
    assert_false(net_turns_waits(&turns));
    net_turns_ready(&ports[0].port);
    assert_int_equal(net_turns_run(&turns), 0);
    net_turns_remove(&ports[0].port);
}

/* A clock at TDF 10 on a time that is moved by hand. */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_behave_as_weights_whatever_the_sizes),
        cmocka_unit_test(equal_weights_are_fair_to_one_in_a_thousand),
        cmocka_unit_test(who_was_idle_has_saved_nothing),
        cmocka_unit_test(who_was_alone_owes_an_ordinary_turn),
        cmocka_unit_test(a_small_sender_waits_for_one_turn_of_each),
        cmocka_unit_test(one_run_is_bounded),
        cmocka_unit_test(a_brief_run_is_shorter),
        cmocka_unit_test(copies_of_flooded_frames_end_a_run),
        cmocka_unit_test(copies_of_flooded_frames_are_paid_for),
        cmocka_unit_test(waiting_does_not_pay_for_copies),
        cmocka_unit_test(a_short_ring_keeps_no_weight_from_its_share),
        cmocka_unit_test(who_is_gone_has_no_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
