/* SPDX-License-Identifier: MIT */
/* pressure: who sends to a full port alone waits, never for long, and in no circle. */
#include "service/net/pressure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"
#include "service/net/net.h"

enum { PORTS = 3, BEGIN_NS = 1000000 };

static const uint64_t macs[PORTS] = {0x020000000001, 0x020000000002, 0x020000000003};
static const uint64_t all = 0xffffffffffff;

static struct net net;
static struct fixture_port ports[PORTS];
static uint64_t to[PORTS]; /* where a port sends its frames */
static uint32_t releases[PORTS];
static uint64_t sent_ns; /* when the next frame leaves */
static struct tdf_source source;
static struct tdf_clock clock;
static struct timers timers;
static struct timer_clock real_time;

static size_t index_of(const struct net_port *port)
{
    return (size_t)((const struct fixture_port *)port - ports);
}

/* One frame of 64 bytes. */
static uint32_t take(struct net_port *port, uint32_t budget_bytes)
{
    size_t i = index_of(port);
    (void)budget_bytes;
    fixture_send(&ports[i], to[i], macs[i], sent_ns);
    return 64;
}

static void released(struct net_port *port)
{
    releases[index_of(port)]++;
}

static const struct net_port_ops ops = {
    .deliver = fixture_deliver, .take = take, .released = released};

static int setup(void **state)
{
    const struct tdf one = {1, 1};
    struct net_bridge *bridge;
    (void)state;
    memset(releases, 0, sizeof(releases));
    sent_ns = BEGIN_NS;
    assert_int_equal(net_init(&net, 1), 0);
    assert_int_equal(net_add_bridge(&net, "b", &bridge), 0);
    assert_int_equal(tdf_source_manual(&source, 1000000000, BEGIN_NS, 0), 0);
    assert_int_equal(tdf_clock_init(&clock, &source, NULL, 0, one), 0);
    timers_init(&timers);
    timers_add_clock(&timers, &real_time, &clock);
    net.turns.time = &real_time;
    for (size_t i = 0; i < PORTS; i++) {
        const struct net_port_config config = {.mac = macs[i], .time = &real_time};
        fixture_init(&ports[i], "vif", 256);
        ports[i].port.ops = &ops;
        to[i] = macs[(i + 1) % PORTS];
        assert_int_equal(net_connect(&net, &ports[i].port, "b", &config), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < PORTS; i++) {
        net_disconnect(&ports[i].port);
        fixture_clear(&ports[i]);
    }
    timers_drop_clock(&timers, &real_time);
    net_fini(&net);
    return 0;
}

/* One turn of a port that has something to send, if it may. Returns whether it sent. */
static bool send(size_t i)
{
    uint64_t before = ports[i].port.in.frames;
    net_turns_ready(&ports[i].port);
    while (ports[i].port.is_ready && ports[i].port.in.frames == before)
        (void)net_turns_run(&net.turns);
    bool sent = ports[i].port.in.frames > before;
    if (ports[i].port.is_ready) { /* it would go on for ever */
        heap_remove(&net.turns.ready, &ports[i].port.turn);
        ports[i].port.is_ready = false;
    }
    return sent;
}

static void pass(uint64_t ns)
{
    tdf_source_advance_ns(&source, ns);
    (void)timers_run(&timers);
}

static void who_sends_to_a_full_port_waits_until_it_has_room(void **state)
{
    (void)state;
    assert_true(send(0));
    net_pressure_begin(&ports[1].port);
    assert_true(send(0)); /* it did not know */
    assert_false(send(0));
    assert_true(net_pressure_is_felt(&ports[1].port));
    assert_true(send(1)); /* to another one */
    net_pressure_end(&ports[1].port);
    assert_true(net_turns_waits(&net.turns)); /* it had more */
    assert_false(net_pressure_is_felt(&ports[1].port));
    assert_true(send(0));
    assert_true(send(0));
    assert_int_equal(releases[1], 1);
}

static void a_port_has_room_when_all_its_queues_have(void **state)
{
    (void)state;
    net_pressure_begin(&ports[1].port);
    net_pressure_begin(&ports[1].port);
    assert_true(send(0));
    net_pressure_end(&ports[1].port);
    assert_false(send(0));
    net_pressure_end(&ports[1].port);
    assert_true(send(0));
}

static void nobody_waits_for_long_for_who_takes_nothing(void **state)
{
    (void)state;
    net_pressure_begin(&ports[1].port);
    assert_true(send(0));
    pass(NET_PRESSURE_NS - 1);
    assert_false(send(0));
    pass(1);
    assert_int_equal(releases[1], 1);
    for (int i = 0; i < 10; i++)
        assert_true(send(0)); /* whatever becomes of the frames */
    net_pressure_end(&ports[1].port);
    net_pressure_begin(&ports[1].port);
    assert_true(send(0));
    assert_false(send(0));
}

/* The patience begins anew with each wait, though the timer runs on. */
static void each_wait_has_its_time(void **state)
{
    (void)state;
    net_pressure_begin(&ports[1].port);
    assert_true(send(0));
    pass(NET_PRESSURE_NS / 2);
    net_pressure_end(&ports[1].port);
    net_pressure_begin(&ports[1].port);
    assert_true(send(0));
    pass(NET_PRESSURE_NS / 2);
    assert_false(send(0));
    pass(NET_PRESSURE_NS / 2);
    assert_true(send(0));
}

/* Nobody waits for one who waits, or several could for ever. */
static void who_waits_stops_nobody(void **state)
{
    (void)state;
    to[1] = macs[0];
    net_pressure_begin(&ports[0].port);
    net_pressure_begin(&ports[1].port);
    net_pressure_begin(&ports[2].port);
    assert_true(send(0)); /* waits for 1 */
    assert_false(send(0));
    assert_true(send(1)); /* 0 waits already */
    assert_true(send(1));
    to[1] = macs[2];
    assert_true(send(1));
    sent_ns += NET_PRESSURE_SEVERAL_NS;
    assert_true(send(1)); /* waits for 2, so 0 need not wait any more */
    assert_false(send(1));
    assert_true(send(0));
    assert_true(send(0));
}

/* Else whoever takes its frames slowly would slow down all that its senders have for others. */
static void who_sends_to_several_waits_for_nobody(void **state)
{
    (void)state;
    assert_true(send(0)); /* to 1 */
    to[0] = macs[2];
    assert_true(send(0));
    net_pressure_begin(&ports[1].port);
    to[0] = macs[1];
    sent_ns += NET_PRESSURE_SEVERAL_NS;
    assert_true(send(0));
    sent_ns += NET_PRESSURE_SEVERAL_NS - 1;
    assert_true(send(0));
    sent_ns += 1;
    assert_true(send(0)); /* it has sent to 1 alone for a while */
    assert_false(send(0));
}

static void who_does_not_wait_has_not_all_the_room(void **state)
{
    (void)state;
    net_pressure_begin(&ports[2].port);
    to[1] = macs[0];
    assert_true(send(1));
    to[0] = to[1] = macs[2]; /* 1 has sent to another one just now */
    uint64_t before = ports[1].port.in.frames;
    net_turns_ready(&ports[0].port);
    net_turns_ready(&ports[1].port);
    (void)net_turns_run(&net.turns);
    assert_true(ports[0].port.in.frames >= 1000);
    assert_true(ports[0].port.in.frames + 1 >= ports[1].port.in.frames - before);
    assert_true(releases[2] >= 1000);
}

static void frames_to_all_or_through_a_link_wait_for_nobody(void **state)
{
    (void)state;
    struct net_sink link = {.put = NULL};
    net_pressure_begin(&ports[1].port);
    to[0] = all;
    assert_true(send(0));
    assert_true(send(0));
    ports[1].port.down = &link;
    net_pressure_sent(&ports[0].port, &ports[1].port, BEGIN_NS);
    assert_false(net_pressure_is_felt(&ports[1].port));
    ports[1].port.down = NULL;
    net_pressure_sent(&ports[0].port, &ports[1].port, BEGIN_NS); /* not its turn: out of a link */
    assert_false(net_pressure_is_felt(&ports[1].port));
}

static void who_leaves_waits_for_nobody_and_stops_nobody(void **state)
{
    (void)state;
    const struct net_port_config config = {.mac = macs[0], .time = &real_time};
    net_pressure_begin(&ports[1].port);
    assert_true(send(0));
    net_disconnect(&ports[0].port);
    assert_false(net_pressure_is_felt(&ports[1].port));
    assert_int_equal(releases[1], 1);
    assert_int_equal(net_connect(&net, &ports[0].port, "b", &config), 0);
    assert_true(send(0));
    assert_false(send(0));
    net_disconnect(&ports[1].port);
    assert_true(send(0));
    pass(2 * NET_PRESSURE_NS);
    net_pressure_end(&ports[1].port);
}

/* Full after 20 frames, until all wait for it. */
static void deliver_until_full(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    fixture_deliver(port, frame, at_ns);
    if (ports[index_of(port)].count % 20 == 0 && port->full_queues == 0)
        net_pressure_begin(port);
}

static const struct net_port_ops receiver_ops = {.deliver = deliver_until_full, .take = take};

static void weights_hold_for_those_who_wait(void **state)
{
    (void)state;
    ports[2].port.ops = &receiver_ops;
    ports[0].port.weight = 128;
    ports[1].port.weight = 1024;
    for (size_t i = 0; i < 2; i++) {
        to[i] = macs[2];
        net_turns_ready(&ports[i].port);
    }
    for (int i = 0; i < 1000; i++) {
        while (net_turns_waits(&net.turns))
            (void)net_turns_run(&net.turns);
        assert_int_equal(ports[2].port.full_queues, 1);
        net_pressure_end(&ports[2].port);
    }
    const double all_frames = (double)ports[2].count, light = (double)ports[0].port.in.frames;
    assert_true(all_frames >= 20000);
    assert_true(light > all_frames / 9 * 0.99 && light < all_frames / 9 * 1.01);
}

/* Who has missed more than can be made up for has missed as much as all others that have. */
static void who_waits_longest_has_no_more_than_others_who_wait(void **state)
{
    (void)state;
    net_pressure_begin(&ports[2].port);
    for (size_t i = 0; i < 2; i++) {
        to[i] = macs[2];
        assert_true(send(i));
        assert_false(send(i));
    }
    ports[2].port.weight = 1; /* so each byte is 256 of the others' */
    for (int i = 0; i < 1000; i++)
        assert_true(send(2));
    net_pressure_end(&ports[2].port);
    assert_true(ports[0].port.is_ready && ports[1].port.is_ready);
    assert_int_equal(ports[0].port.turn.key, ports[1].port.turn.key);
}

/* What waited at a receiver that takes nothing is dropped just when one more frame comes. */
static void deliver_and_stall(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    fixture_deliver(port, frame, at_ns);
    if (ports[index_of(port)].count % 2 == 0)
        net_pressure_end(port);
}

static const struct net_port_ops stalling_ops = {.deliver = deliver_and_stall, .take = take};

/* Two frames to 1, which has room after the second, and two to 2, in one turn. */
static uint32_t take_four(struct net_port *port, uint32_t budget_bytes)
{
    size_t i = index_of(port);
    (void)budget_bytes;
    for (size_t frame = 0; frame < 4; frame++)
        fixture_send(&ports[i], macs[1 + frame / 2], macs[i],
                     BEGIN_NS + frame * NET_PRESSURE_SEVERAL_NS);
    return 256;
}

static const struct net_port_ops four_ops = {.deliver = fixture_deliver, .take = take_four};

static void a_wait_may_end_in_the_turn_in_which_it_began(void **state)
{
    (void)state;
    ports[0].port.ops = &four_ops;
    ports[1].port.ops = &stalling_ops;
    net_pressure_begin(&ports[1].port);
    net_pressure_begin(&ports[2].port);
    net_turns_ready(&ports[0].port);
    assert_int_equal(net_turns_run(&net.turns), 256);
    assert_false(net_pressure_is_felt(&ports[1].port));
    assert_true(net_pressure_is_felt(&ports[2].port)); /* for whom it waits by now */
    assert_false(net_turns_waits(&net.turns));
    net_pressure_end(&ports[2].port);
    assert_true(net_turns_waits(&net.turns));
}

static void without_a_clock_nobody_waits(void **state)
{
    (void)state;
    net.turns.time = NULL;
    net_pressure_begin(&ports[1].port);
    assert_true(send(0));
    assert_true(send(0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_sends_to_a_full_port_waits_until_it_has_room),
        TEST(a_port_has_room_when_all_its_queues_have),
        TEST(nobody_waits_for_long_for_who_takes_nothing),
        TEST(each_wait_has_its_time),
        TEST(who_waits_stops_nobody),
        TEST(who_sends_to_several_waits_for_nobody),
        TEST(who_does_not_wait_has_not_all_the_room),
        TEST(frames_to_all_or_through_a_link_wait_for_nobody),
        TEST(who_leaves_waits_for_nobody_and_stops_nobody),
        TEST(weights_hold_for_those_who_wait),
        TEST(who_waits_longest_has_no_more_than_others_who_wait),
        TEST(a_wait_may_end_in_the_turn_in_which_it_began),
        TEST(without_a_clock_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
