/* SPDX-License-Identifier: MIT */
/* link_queue: limits, RED's average and its drops, CoDel's times. */
#include "service/net/link_queue.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_fixture.h"

static struct net_queue queue;
static struct net_queue_config config;
static struct fixture_port f;
static uint32_t dropped;
static uint64_t drop_times_ns[4096];
static uint64_t now_ns;

static enum net_queue_verdict come(uint32_t bytes)
{
    enum net_queue_verdict verdict = net_queue_judge(&queue, &config, bytes, now_ns);
    if (verdict == NET_QUEUE_FULL || verdict == NET_QUEUE_EARLY)
        return verdict;
    struct net_item *item = calloc(1, sizeof(*item));
    item->port = &f.port;
    item->frame = fixture_frame(2, 4, 0x88b5, bytes);
    net_queue_push(&queue, item, now_ns);
    return verdict;
}

static void throw(struct net_item * item)
{
    net_frame_put(item->frame);
    free(item);
}

static bool on_drop(void *ctx, struct net_item *item, bool mark)
{
    (void)ctx;
    if (mark)
        return false; /* no frame here understands marks */
    drop_times_ns[dropped++ % 4096] = now_ns;
    throw(item);
    return false;
}

static bool go(void)
{
    struct net_item *item = net_queue_pop(&queue, &config, now_ns, on_drop, NULL);
    if (item != NULL)
        throw(item);
    return item != NULL;
}

static int begin(void **state)
{
    (void)state;
    fixture_init(&f, "vif", 1);
    net_queue_init(&queue, 11);
    config = (struct net_queue_config){.limit_frames = 10000};
    dropped = 0;
    now_ns = 1000000000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    config.aqm = NET_AQM_DROPTAIL;
    while (go())
        ;
    return 0;
}

static void limits_are_of_frames_and_of_bytes(void **state)
{
    (void)state;
    config.limit_frames = 2;
    config.limit_bytes = 250;
    assert_int_equal(come(100), NET_QUEUE_TAKE);
    assert_int_equal(come(151), NET_QUEUE_FULL);
    assert_int_equal(come(100), NET_QUEUE_TAKE);
    assert_int_equal(come(14), NET_QUEUE_FULL);
    assert_true(go());
    assert_int_equal(come(100), NET_QUEUE_TAKE);
}

static void red(uint64_t min, uint64_t max, double probability)
{
    config.aqm = NET_AQM_RED;
    config.red.min_bytes = min;
    config.red.max_bytes = max;
    config.red.probability = (uint32_t)(probability * 0x1p32);
    config.red.weight_log = 6;
    config.red.idle_frame_ns = 1000;
}

/* The average that the paper defines, in floating point beside it. */
static void reds_average_is_that_of_its_paper(void **state)
{
    (void)state;
    double average = 0;
    red(1000000, 2000000, 0.02);
    for (int i = 0; i < 3000; i++) {
        if (queue.frames > 0)
            average += ((double)queue.bytes - average) / 64;
        else /* (1 - w)^m, m frames of idle time; the queue was never busy at first */
            for (uint64_t m = (now_ns - queue.red_idle_ns) / 1000; m > 0 && average > 0.1; m--)
                average *= 1 - 1.0 / 64;
        (void)come(1000);
        if (i % 3 == 2)
            (void)go();
        if (i == 1500) {
            while (go())
                ;
            now_ns += 100000; /* a hundred frames' time: (1 - w)^100 is 0.21 */
        }
        double found = (double)(queue.red_average >> 6);
        assert_true(found > average - 64 && found < average + 64);
    }
}

static void red_drops_by_its_average(void **state)
{
    (void)state;
    red(5000, 15000, 0.02);
    uint32_t early = 0;
    /* The queue stays at 10 frames: half way, so one in a hundred; the gap between two drops is
     * uniform in 1..100. */
    for (int i = 0; i < 10; i++)
        (void)come(1000);
    for (int i = 0; i < 100000; i++) {
        if (come(1000) == NET_QUEUE_EARLY)
            early++;
        else
            (void)go();
    }
    assert_true(early > 1900 && early < 2100); /* 2 / (1 / 0.01) of them */
    red(1000, 2000, 0.02);
    assert_int_equal(come(1000), NET_QUEUE_EARLY); /* beyond max: always */
    config.ecn = true;
    assert_int_equal(come(1000), NET_QUEUE_MARK);
}

/* A queue that stands at so many bytes, as does its average. */
static void stand_at(uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / 1000; i++)
        (void)come(1000);
    queue.red_average = bytes << config.red.weight_log;
    queue.red_count = -1;
}

/* No two drops are further apart than the probability allows: 1 / 0.01. */
static void reds_drops_are_spread_evenly(void **state)
{
    (void)state;
    uint32_t since = 0, longest = 0, shortest = UINT32_MAX;
    red(5000, 15000, 0.02);
    stand_at(10000);
    for (int i = 0; i < 20000; i++) {
        since++;
        if (net_queue_judge(&queue, &config, 1000, now_ns) != NET_QUEUE_EARLY)
            continue;
        longest = since > longest ? since : longest;
        shortest = since < shortest ? since : shortest;
        since = 0;
    }
    assert_int_equal(shortest, 1);
    assert_in_range(longest, 90, 101);
}

static void red_has_a_least_and_a_most(void **state)
{
    (void)state;
    red(5000, 15000, 0.5);
    stand_at(5000); /* the least: its share of the probability is 0 */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(net_queue_judge(&queue, &config, 1000, now_ns), NET_QUEUE_TAKE);
    assert_int_equal(queue.red_count, 999);
    queue.red_average = 4999u << 6;
    queue.bytes = 4999;
    assert_int_equal(net_queue_judge(&queue, &config, 1000, now_ns), NET_QUEUE_TAKE);
    assert_int_equal(queue.red_count, -1); /* it begins again */
    queue.red_average = 15000u << 6;
    queue.bytes = 15000;
    for (int i = 0; i < 100; i++)
        assert_int_equal(net_queue_judge(&queue, &config, 1000, now_ns), NET_QUEUE_EARLY);
    assert_int_equal(queue.red_count, 0); /* and so does who was beyond the most */
    queue.bytes = 5000;
}

/* A queue that is full refuses, whatever RED says. */
static void a_full_queue_is_full_under_red(void **state)
{
    (void)state;
    red(1000, 2000, 1);
    config.limit_bytes = 3000;
    config.limit_frames = 0;
    stand_at(3000);
    assert_int_equal(net_queue_judge(&queue, &config, 1, now_ns), NET_QUEUE_FULL);
    config.limit_bytes = 0;
    config.limit_frames = 4;
    assert_int_equal(net_queue_judge(&queue, &config, 1, now_ns), NET_QUEUE_EARLY);
    config.limit_frames = 3;
    assert_int_equal(net_queue_judge(&queue, &config, 1, now_ns), NET_QUEUE_FULL);
}

static void codel(void)
{
    config.aqm = NET_AQM_CODEL;
    config.codel.target_ns = 5000000;
    config.codel.interval_ns = 100000000;
}

static void codel_leaves_a_short_queue_alone(void **state)
{
    (void)state;
    codel();
    for (int i = 0; i < 10000; i++) {
        (void)come(1000);
        now_ns += 4000000;
        assert_true(go());
    }
    assert_int_equal(dropped, 0);
}

/* A queue that always stands: the first drop an interval after it began, then interval / sqrt(n).
 */
static void codel_drops_a_standing_queue_ever_faster(void **state)
{
    (void)state;
    codel();
    for (int i = 0; i < 9000; i++)
        (void)come(1000);
    now_ns += 6000000;
    uint64_t began_ns = now_ns;
    while (dropped < 100) {
        assert_true(go());
        now_ns += 1000000;
    }
    /* Above from the first look on, and dropped beyond an interval. */
    assert_int_equal(drop_times_ns[0], began_ns + 101000000);
    double next_ns = (double)drop_times_ns[0], inverse = 100e6;
    for (int n = 1; n < 100; n++) {
        double root = 1;
        for (int i = 0; i < 40; i++) /* Newton's square root */
            root = (root + n / root) / 2;
        next_ns += inverse / root;
        double off = (double)drop_times_ns[n] - next_ns;
        assert_true(off > -1e6 - (n > 1 ? 30e6 : 0) && off < 31e6);
    }
}

static void codel_stops_when_the_queue_is_short_again(void **state)
{
    (void)state;
    codel();
    for (int i = 0; i < 500; i++)
        (void)come(1000);
    now_ns += 6000000;
    while (queue.frames > 1) {
        (void)go();
        now_ns += 1000000;
    }
    uint32_t before = dropped;
    assert_true(before > 0);
    (void)go();
    for (int i = 0; i < 1000; i++) {
        (void)come(1000);
        now_ns += 1000000;
        assert_true(go());
    }
    assert_int_equal(dropped, before);
}

/* A row of drops that begins anew within 16 intervals goes on with nearly the rate that it had. */
static void codel_remembers_its_rate_for_a_while(void **state)
{
    (void)state;
    uint32_t drops_of_a_second[2];
    codel();
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 5000; i++)
            (void)come(1000);
        now_ns += 6000000;
        for (int ms = 0; ms < 2000; ms++, now_ns += 1000000)
            (void)go();
        while (queue.frames > 1) /* drained at once: short again */
            (void)go();
        (void)go();
        now_ns += k == 0 ? 200000000 : UINT64_C(2000000000);
        for (int i = 0; i < 5000; i++)
            (void)come(1000);
        now_ns += 6000000;
        uint32_t before = dropped;
        for (int ms = 0; ms < 1000; ms++, now_ns += 1000000)
            (void)go();
        drops_of_a_second[k] = dropped - before;
        while (queue.frames > 0)
            (void)go();
        now_ns += UINT64_C(100000000000);
    }
    assert_true(drops_of_a_second[1] > 0);
    assert_true(drops_of_a_second[0] > 2 * drops_of_a_second[1]);
}

/* All frames understand marks. */
static bool on_mark(void *ctx, struct net_item *item, bool mark)
{
    (void)ctx, (void)item;
    assert_true(mark);
    drop_times_ns[dropped++ % 4096] = now_ns;
    return true;
}

static void codel_marks_as_often_as_it_would_drop(void **state)
{
    (void)state;
    codel();
    config.ecn = true;
    for (int i = 0; i < 3000; i++)
        (void)come(1000);
    now_ns += 6000000;
    uint64_t began_ns = now_ns;
    uint32_t gone = 0;
    for (; dropped < 50; gone++, now_ns += 1000000) {
        struct net_item *item = net_queue_pop(&queue, &config, now_ns, on_mark, NULL);
        assert_non_null(item); /* what is marked goes on */
        throw(item);
    }
    assert_int_equal(queue.frames, 3000 - gone);
    assert_int_equal(drop_times_ns[0], began_ns + 101000000);
    /* The sum of 100 ms / sqrt(n) is 1.26 s. */
    assert_in_range(drop_times_ns[49] - drop_times_ns[0], 1100000000, 1500000000);
    config.ecn = false;
}

static void codel_forgets_a_queue_that_is_empty(void **state)
{
    (void)state;
    codel();
    for (int i = 0; i < 1000; i++)
        (void)come(1000);
    now_ns += 6000000;
    while (dropped == 0) {
        assert_true(go());
        now_ns += 1000000;
    }
    while (queue.frames > 0)
        (void)go();
    assert_false(go());
    assert_false(queue.codel_drops);
    uint32_t before = dropped;
    for (int i = 0; i < 20; i++)
        (void)come(1000);
    now_ns += 6000000; /* above the target, but not for an interval yet */
    assert_true(go());
    assert_int_equal(dropped, before);
}

#define ON_QUEUE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_QUEUE(limits_are_of_frames_and_of_bytes),
        ON_QUEUE(reds_average_is_that_of_its_paper),
        ON_QUEUE(red_drops_by_its_average),
        ON_QUEUE(reds_drops_are_spread_evenly),
        ON_QUEUE(red_has_a_least_and_a_most),
        ON_QUEUE(a_full_queue_is_full_under_red),
        ON_QUEUE(codel_leaves_a_short_queue_alone),
        ON_QUEUE(codel_drops_a_standing_queue_ever_faster),
        ON_QUEUE(codel_stops_when_the_queue_is_short_again),
        ON_QUEUE(codel_remembers_its_rate_for_a_while),
        ON_QUEUE(codel_marks_as_often_as_it_would_drop),
        ON_QUEUE(codel_forgets_a_queue_that_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
