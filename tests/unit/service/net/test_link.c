/* SPDX-License-Identifier: MIT */
/* link: time frames, the same trace at every TDF in stepped time, and bridges that are joined. */
#include "service/net/link.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"
#include "service/net/link_spec.h"
#include "service/net/net.h"

#define OWN(i)   (UINT64_C(0x00163e000000) + (uint64_t)(i))
#define START_NS UINT64_C(1000000000)

static struct tdf_source source;
static struct tdf_clock domain_clock, real_clock;
static struct timers timers;
static struct timer_clock domain_time, real_time;
static struct net_bridge *bridges[2];
static struct fixture_port ports[2];
static struct net_link_spec spec;
static struct net_link link_of_test;
static struct why why;

static void begin(struct tdf tdf)
{
    const struct tdf one = {1, 1};
    assert_int_equal(tdf_source_manual(&source, 1000000000, START_NS, 0), 0);
    assert_int_equal(tdf_clock_init(&domain_clock, &source, NULL, 0, tdf), 0);
    assert_int_equal(tdf_clock_init(&real_clock, &source, NULL, 0, one), 0);
    timers_init(&timers);
    timers_add_clock(&timers, &domain_time, &domain_clock);
    timers_add_clock(&timers, &real_time, &real_clock);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(net_bridge_create(i == 0 ? "a" : "b", UINT64_MAX, 1, &bridges[i]), 0);
        fixture_init(&ports[i], "vif", 256);
    }
    net_link_spec_init(&spec);
}

static void connect(int port, int bridge)
{
    const struct net_port_config config = {.mac = OWN(port)};
    assert_int_equal(net_bridge_connect(bridges[bridge], &ports[port].port, &config), 0);
}

static void end(void)
{
    net_link_take_out(&link_of_test);
    for (int i = 0; i < 2; i++) {
        fixture_clear(&ports[i]);
        net_bridge_disconnect(&ports[i].port);
    }
    for (int i = 0; i < 2; i++)
        net_bridge_destroy(bridges[i]);
    timers_drop_clock(&timers, &domain_time);
    timers_drop_clock(&timers, &real_time);
}

static void make(const char *words)
{
    assert_int_equal(net_link_spec_apply(&spec, words, &why), 0);
    net_link_init(&link_of_test, spec.way);
}

static void insert(const char *words)
{
    connect(0, 0);
    connect(1, 0);
    make(words);
    net_link_insert(&link_of_test, &ports[0].port, spec.is_real ? &real_time : &domain_time);
}

static uint64_t now(void)
{
    return tdf_clock_now_ns(&real_clock);
}

/* Moves the time to the next timer, or by so much at most. */
static void step(uint64_t most_ns)
{
    uint64_t next_ns = timers_next_deadline(&timers), now_ns = now();
    uint64_t by_ns = next_ns == UINT64_MAX || next_ns > now_ns + most_ns ? most_ns
                     : next_ns > now_ns                                  ? next_ns - now_ns
                                                                         : 0;
    tdf_source_advance_ns(&source, by_ns);
    (void)timers_run(&timers);
}

static void pass(uint64_t ns)
{
    uint64_t until_ns = now() + ns;
    while (now() < until_ns)
        step(until_ns - now());
}

static void a_delay_is_of_the_domains_time(void **state)
{
    (void)state;
    begin((struct tdf){10, 1});
    insert("delay=1ms");
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    pass(9999999);
    assert_int_equal(ports[1].count, 0);
    pass(1);
    assert_int_equal(ports[1].count, 1);
    assert_true(ports[1].at_ns[0] == START_NS + 10000000);
    fixture_send(&ports[1], OWN(0), OWN(1), now()); /* and back */
    pass(10000000);
    assert_int_equal(ports[0].count, 1);
    end();
}

static void what_is_handed_out_late_is_told(void **state)
{
    (void)state;
    begin((struct tdf){10, 1});
    insert("delay=1ms");
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    tdf_source_advance_ns(&source, 10007000);
    (void)timers_run(&timers);
    assert_int_equal(link_of_test.way[NET_WAY_UP].late.total_ns, 700);
    end();
}

/* 50 us of real time before the frame is there, with the time at which it is. */
static void who_can_hold_a_frame_gets_it_early(void **state)
{
    (void)state;
    begin((struct tdf){10, 1});
    insert("delay=1ms");
    ports[0].port.holds = true;
    fixture_send(&ports[1], OWN(0), OWN(1), now());
    pass(10000000 - NET_LINK_EARLY_NS - 10);
    assert_int_equal(ports[0].count, 0);
    pass(10);
    assert_int_equal(ports[0].count, 1);
    assert_true(ports[0].at_ns[0] == START_NS + 10000000);
    assert_int_equal(link_of_test.way[NET_WAY_DOWN].late.total_ns, 0);
    end();
}

static void nobody_gets_a_frame_that_another_may_overtake(void **state)
{
    (void)state;
    begin((struct tdf){10, 1});
    insert("delay=1ms jitter=1us");
    ports[0].port.holds = true;
    fixture_send(&ports[1], OWN(0), OWN(1), now());
    while (ports[0].count == 0)
        step(100000);
    assert_true(now() >= ports[0].at_ns[0]);
    end();
}

static void or_of_real_time(void **state)
{
    (void)state;
    begin((struct tdf){10, 1});
    insert("delay=1ms frame=real");
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    pass(1000000);
    assert_int_equal(ports[1].count, 1);
    end();
}

static void a_link_stands_still_while_its_domain_does(void **state)
{
    (void)state;
    begin((struct tdf){1, 1});
    insert("delay=1ms");
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    pass(500000);
    assert_int_equal(tdf_clock_set_tdf(&domain_clock, (struct tdf){0, 1}), 0);
    pass(1000000000);
    assert_int_equal(ports[1].count, 0);
    assert_int_equal(tdf_clock_set_tdf(&domain_clock, (struct tdf){2, 1}), 0);
    pass(999999);
    assert_int_equal(ports[1].count, 0);
    pass(1);
    assert_int_equal(ports[1].count, 1);
    end();
}

static void what_was_sent_before_dom0_looked_is_not_late(void **state)
{
    (void)state;
    begin((struct tdf){1, 1});
    insert("delay=1ms");
    tdf_source_advance_ns(&source, 100000);
    fixture_send(&ports[0], OWN(1), OWN(0), START_NS); /* 100 us ago */
    pass(900000);
    assert_int_equal(ports[1].count, 1);
    end();
}

static void a_link_that_does_nothing_delays_nothing(void **state)
{
    (void)state;
    begin((struct tdf){1, 1});
    insert("");
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    assert_int_equal(ports[1].count, 1);
    assert_true(timers_next_deadline(&timers) == UINT64_MAX);
    end();
}

/* A crowd that is due at once keeps Dom0 from other things for a bounded time. */
static void frames_that_are_due_together_come_in_parts(void **state)
{
    enum { FRAMES = NET_LINK_FRAMES_AT_ONCE + 44 };
    (void)state;
    begin((struct tdf){1, 1});
    insert("delay=1ms");
    for (int i = 0; i < FRAMES; i++)
        fixture_send(&ports[0], OWN(1), OWN(0), now());
    tdf_source_advance_ns(&source, 1000000);
    (void)timers_run(&timers);
    assert_int_equal(ports[1].count, NET_LINK_FRAMES_AT_ONCE);
    (void)timers_run(&timers);
    assert_int_equal(ports[1].count, FRAMES);
    end();
}

static void a_link_that_is_taken_out_drops_and_counts(void **state)
{
    (void)state;
    begin((struct tdf){1, 1});
    insert("delay=1ms");
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    net_link_take_out(&link_of_test);
    assert_int_equal(ports[0].port.drops[NET_DROP_DISCONNECTED], 1);
    assert_null(link_of_test.port);
    assert_null(ports[0].port.down);
    assert_true(timers_next_deadline(&timers) == UINT64_MAX);
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    assert_int_equal(ports[1].count, 1); /* straight */
    pass(2000000);
    assert_int_equal(ports[1].count, 1);
    end();
}

static void bridges_are_joined_by_a_link(void **state)
{
    (void)state;
    begin((struct tdf){1, 1});
    connect(0, 0);
    connect(1, 1);
    make("delay=1ms,way=down,delay=3ms");
    assert_int_equal(net_link_join(&link_of_test, bridges[0], bridges[1], &real_time), 0);
    assert_ptr_equal(net_link_beyond(&link_of_test.ends[0]), bridges[1]);
    assert_ptr_equal(net_link_beyond(&link_of_test.ends[1]), bridges[0]);
    assert_null(net_link_beyond(&ports[0].port));
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    pass(1000000);
    assert_int_equal(ports[1].count, 1);
    fixture_send(&ports[1], OWN(0), OWN(1), now());
    pass(2999999);
    assert_int_equal(ports[0].count, 0);
    pass(1);
    assert_int_equal(ports[0].count, 1);
    assert_ptr_equal(net_port_bridge(&link_of_test.ends[0]), bridges[0]);
    end();
}

/* ---- the same trace at every TDF ---- */

static uint64_t trace_hash(struct tdf tdf, uint64_t per_ns)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    struct prng prng;
    begin(tdf);
    insert("rate=12Mbit delay=5ms jitter=1ms:normal loss=1% duplicate=1% reorder=2% queue=30 "
           "aqm=codel:2ms:20ms seed=7");
    prng_init(&prng, 4, 4);
    uint64_t at_ns = START_NS;
    for (int i = 0; i < 3000; i++) {
        /* A frame each so many whole microseconds of the domain's time. */
        uint64_t gap_ns = prng_below(&prng, 1000) * 1000;
        at_ns += gap_ns;
        pass(gap_ns * per_ns);
        assert_true(tdf_clock_at_ns(&domain_clock, now()) == at_ns);
        uint32_t bytes = 60 + (uint32_t)prng_below(&prng, 1455);
        struct net_frame *frame = fixture_frame(OWN(1), OWN(0), 0x88b5, bytes);
        memcpy(frame->data + 14, &i, sizeof(i));
        frame->arrived_ns = now();
        net_port_input(&ports[0].port, frame);
        net_frame_put(frame);
    }
    pass(100000000 * per_ns);
    assert_true(ports[1].count > 2000 && ports[1].count < FIXTURE_KEPT_MAX);
    for (uint32_t i = 0; i < ports[1].count; i++) {
        uint64_t words[2] = {tdf_clock_at_ns(&domain_clock, ports[1].at_ns[i]) - START_NS, 0};
        memcpy(&words[1], ports[1].kept[i]->data + 14, 4);
        for (int k = 0; k < 2; k++)
            hash = (hash ^ words[k]) * UINT64_C(1099511628211);
    }
    assert_true(ports[0].port.drops[NET_DROP_LINK_LOSS] > 10);
    assert_true(ports[0].port.drops[NET_DROP_LINK_EARLY] > 10);
    end();
    return hash;
}

static void a_seed_gives_one_trace_at_every_dilation(void **state)
{
    (void)state;
    uint64_t first = trace_hash((struct tdf){1, 1}, 1);
    assert_true(trace_hash((struct tdf){1, 1}, 1) == first);
    assert_true(trace_hash((struct tdf){10, 1}, 10) == first);
    assert_true(trace_hash((struct tdf){100, 1}, 100) == first);
    assert_true(trace_hash((struct tdf){1000, 1}, 1000) == first);
}

static void a_link_is_configured_while_frames_are_on_their_way(void **state)
{
    (void)state;
    begin((struct tdf){1, 1});
    make("delay=1ms");
    assert_int_equal(net_link_spec_apply(&spec, "delay=2ms", &why), 0);
    net_link_configure(&link_of_test, NET_WAY_UP, &spec.way[NET_WAY_UP]); /* not in use yet */
    connect(0, 0);
    connect(1, 0);
    net_link_insert(&link_of_test, &ports[0].port, &domain_time);
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    pass(1999999);
    assert_int_equal(ports[1].count, 0);
    pass(1);
    assert_int_equal(ports[1].count, 1);
    assert_int_equal(net_link_spec_apply(&spec, "delay=5ms", &why), 0);
    net_link_configure(&link_of_test, NET_WAY_UP, &spec.way[NET_WAY_UP]);
    fixture_send(&ports[0], OWN(1), OWN(0), now());
    pass(4999999);
    assert_int_equal(ports[1].count, 1);
    pass(1);
    assert_int_equal(ports[1].count, 2);
    fixture_send(&ports[1], OWN(0), OWN(1), now()); /* the other way is as it was */
    pass(1000000);
    assert_int_equal(ports[0].count, 1);
    end();
}

static void the_ends_of_a_trunk_are_named_after_the_other_bridge(void **state)
{
    (void)state;
    begin((struct tdf){1, 1});
    make("");
    assert_int_equal(net_link_join(&link_of_test, bridges[0], bridges[1], &real_time), 0);
    assert_string_equal(link_of_test.ends[0].name, "to-b");
    assert_string_equal(link_of_test.ends[1].name, "to-a");
    end();
}

static void a_trunk_that_finds_no_port_leaves_none(void **state)
{
    static struct fixture_port crowd[NET_BRIDGE_PORTS_MAX];
    const struct net_port_config config = {.mac = 0};
    (void)state;
    begin((struct tdf){1, 1});
    for (int i = 0; i < NET_BRIDGE_PORTS_MAX; i++) {
        fixture_init(&crowd[i], "vif", 1);
        assert_int_equal(net_bridge_connect(bridges[1], &crowd[i].port, &config), 0);
    }
    make("delay=1ms");
    assert_int_equal(net_link_join(&link_of_test, bridges[0], bridges[1], &real_time), -ENOSPC);
    assert_null(net_bridge_next_port(bridges[0], NULL));
    assert_null(net_port_bridge(&link_of_test.ends[0]));
    assert_null(link_of_test.time);
    for (int i = 0; i < NET_BRIDGE_PORTS_MAX; i++)
        net_bridge_disconnect(&crowd[i].port);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delay_is_of_the_domains_time),
        cmocka_unit_test(what_is_handed_out_late_is_told),
        cmocka_unit_test(who_can_hold_a_frame_gets_it_early),
        cmocka_unit_test(nobody_gets_a_frame_that_another_may_overtake),
        cmocka_unit_test(or_of_real_time),
        cmocka_unit_test(a_link_stands_still_while_its_domain_does),
        cmocka_unit_test(what_was_sent_before_dom0_looked_is_not_late),
        cmocka_unit_test(a_link_that_does_nothing_delays_nothing),
        cmocka_unit_test(frames_that_are_due_together_come_in_parts),
        cmocka_unit_test(a_link_that_is_taken_out_drops_and_counts),
        cmocka_unit_test(bridges_are_joined_by_a_link),
        cmocka_unit_test(a_seed_gives_one_trace_at_every_dilation),
        cmocka_unit_test(a_link_is_configured_while_frames_are_on_their_way),
        cmocka_unit_test(the_ends_of_a_trunk_are_named_after_the_other_bridge),
        cmocka_unit_test(a_trunk_that_finds_no_port_leaves_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
