/* SPDX-License-Identifier: MIT */
/* netfront with several queues: nodes as of Linux's front end, each queue for itself, and fewer of
 * them at the next Dom0. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fakes/netfront_rig.h"
#include "ring/barrier.h"

enum { SLOTS = 32, QUEUES = 3 };

static struct netfront_rig rig;
static struct netfront_options options;

static int setup(void **state)
{
    (void)state;
    options = (struct netfront_options){
        .size = sizeof(options), .tx_slots = SLOTS, .rx_slots = SLOTS, .queues = QUEUES};
    int rc = rig_setup(&rig);
    rig.vif.queues = "8";
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    return rig_teardown(&rig);
}

static void start(bool reconnect)
{
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, reconnect), 0);
}

static int send_on(uint32_t queue, uint8_t byte, int64_t timeout_ns)
{
    uint8_t data[60];
    const struct netfront_frame frame = {.data = data, .length_bytes = sizeof(data)};
    memset(data, byte, sizeof(data));
    return netfront_send_on(rig.nf, queue, &frame, 1, timeout_ns);
}

/* The byte of a frame, or the error. */
static int receive_on(uint32_t queue, int64_t timeout_ns)
{
    uint8_t data[60];
    struct netfront_frame frame = {.data = data, .room_bytes = sizeof(data)};
    int rc = netfront_receive_on(rig.nf, queue, &frame, 1, timeout_ns);
    return rc == 1 ? data[59] : rc;
}

static void await_reconnects(uint64_t count)
{
    struct netfront_statistics statistics = {.reconnects = 0};
    while (statistics.reconnects < count) {
        sched_yield();
        netfront_statistics(rig.nf, &statistics);
    }
}

static void each_queue_sends_and_receives_for_itself(void **state)
{
    struct netfront_statistics statistics;
    (void)state;
    start(false);
    assert_int_equal(netfront_queues(rig.nf), QUEUES);
    for (int i = 0; i < 3 * SLOTS; i++)
        for (uint32_t q = 0; q < QUEUES; q++)
            assert_int_equal(send_on(q, (uint8_t)(10 * q + 1), -1), 1);
    for (int i = 0; i < SLOTS / 2; i++) /* what there was room for: answers come before echoes */
        for (uint32_t q = 0; q < QUEUES; q++)
            assert_int_equal(receive_on(q, -1), 10 * (int)q + 1);
    for (uint32_t q = 0; q < QUEUES; q++)
        assert_int_equal(netfront_drain_on(rig.nf, q, -1), 0);
    netfront_statistics(rig.nf, &statistics);
    assert_int_equal(statistics.tx_frames, 3 * SLOTS * QUEUES);
    assert_int_equal(statistics.rx_frames, SLOTS / 2 * QUEUES);
}

static void queue_0_is_meant_without_a_number(void **state)
{
    uint8_t data[60] = {0};
    struct netfront_frame frame = {.data = data, .length_bytes = 60, .room_bytes = 60};
    (void)state;
    start(false);
    assert_int_equal(netfront_send(rig.nf, &frame, 1, -1), 1);
    assert_int_equal(receive_on(0, -1), 0);
    assert_int_equal(send_on(0, 7, -1), 1);
    assert_int_equal(netfront_receive(rig.nf, &frame, 1, -1), 1);
    assert_int_equal(netfront_fd(rig.nf), netfront_fd_on(rig.nf, 0));
    assert_int_not_equal(netfront_fd(rig.nf), netfront_fd_on(rig.nf, 1));
}

static void a_queue_that_is_not_there_is_refused(void **state)
{
    (void)state;
    start(false);
    assert_int_equal(send_on(QUEUES, 0, -1), -EINVAL);
    assert_int_equal(receive_on(QUEUES, -1), -EINVAL);
    assert_int_equal(netfront_drain_on(rig.nf, QUEUES, -1), -EINVAL);
    assert_int_equal(netfront_fd_on(rig.nf, QUEUES), -EINVAL);
}

static void too_many_are_refused(void **state)
{
    (void)state;
    rig_start(&rig);
    options.queues = NETFRONT_QUEUES_MAX + 1;
    assert_int_equal(netfront_pages(&options), 0);
    options.queues = QUEUES;
    assert_int_equal(netfront_pages(&options), QUEUES * (2 * SLOTS + 2));
    assert_int_equal(rig_open(&rig, &options, false), 0);
    netfront_close(rig.nf);
    options.queues = NETFRONT_QUEUES_MAX + 1;
    assert_int_equal(netfront_open(rig.domu, &options, &rig.nf, &rig.why), -EINVAL);
    assert_non_null(strstr(rig.why.text, "up to 8 queues"));
}

static uint32_t nodes_seen; /* atomic */

static void look_at_nodes(struct fake_netback *vif)
{
    static const char *const nodes[] = {"tx-ring-ref",         "rx-ring-ref",
                                        "event-channel-tx",    "event-channel-rx",
                                        "queue-0/tx-ring-ref", "queue-0/event-channel-rx",
                                        "queue-2/rx-ring-ref", "queue-2/event-channel-tx"};
    char value[64];
    uint32_t seen = (uint32_t)atoi(fake_netback_front_node(vif, "multi-queue-num-queues", value));
    for (uint32_t i = 0; i < 8; i++)
        seen |= (uint32_t)(fake_netback_front_node(vif, nodes[i], value)[0] != '\0') << (8 + i);
    store_full_u32(&nodes_seen, seen);
}

static void the_nodes_are_those_of_the_present_rings(void **state)
{
    static const uint32_t queues[] = {3, 1, 3, 2};
    static const uint32_t expected[] = {0xf003, 0x0f00, 0xf003, 0x3002};
    (void)state;
    rig.vif.idle = look_at_nodes;
    rig_start(&rig);
    assert_int_equal(rig_open(&rig, &options, false), 0);
    for (int i = 0; i < 4; i++) {
        netfront_close(rig.nf);
        options.queues = queues[i];
        assert_int_equal(netfront_open(rig.domu, &options, &rig.nf, &rig.why), 0);
        assert_int_equal(send_on(0, 1, -1), 1);
        assert_int_equal(receive_on(0, -1), 1);
        assert_int_equal(load_full_u32(&nodes_seen), expected[i]);
    }
}

static void there_are_no_more_than_dom0_offers(void **state)
{
    (void)state;
    rig.vif.queues = "2";
    start(false);
    assert_int_equal(netfront_queues(rig.nf), 2);
    assert_int_equal(send_on(1, 5, -1), 1);
    assert_int_equal(receive_on(1, -1), 5);
    assert_int_equal(send_on(2, 5, -1), -EINVAL);
}

static void *receive_last(void *arg)
{
    (void)arg;
    return (void *)(intptr_t)receive_on(QUEUES - 1, -1);
}

/* What was of the queues beyond goes out by the others, and who receives there waits on. */
static void a_next_dom0_may_have_fewer(void **state)
{
    pthread_t thread;
    void *result;
    (void)state;
    start(true);
    assert_int_equal(pthread_create(&thread, NULL, receive_last, NULL), 0);
    rig_die_noticed(&rig);
    rig.vif.queues = "2";
    rig_start(&rig);
    await_reconnects(1);
    assert_int_equal(netfront_queues(rig.nf), QUEUES);
    assert_int_equal(send_on(2, 9, -1), 1); /* by the first */
    assert_int_equal(netfront_drain_on(rig.nf, 2, -1), 0);
    assert_int_equal(receive_on(0, -1), 9);
    assert_int_equal(receive_on(2, RIG_MS), -EAGAIN);
    rig_die_noticed(&rig);
    rig.vif.queues = "8";
    rig_start(&rig);
    await_reconnects(2);
    assert_int_equal(send_on(2, 11, -1), 1);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, 11);
}

static void *send_many(void *arg)
{
    for (int i = 0; i < 1000; i++)
        if (send_on((uint32_t)(uintptr_t)arg, 1, -1) != 1)
            return NULL;
    return arg;
}

static void answer(struct fake_netback *vif, const struct fake_frame *frame)
{
    fake_netback_answer(vif, frame, NETIF_RSP_OKAY);
}

/* Three senders on one ring. */
static void senders_share_what_rings_there_are(void **state)
{
    pthread_t threads[QUEUES];
    struct netfront_statistics statistics;
    void *result;
    (void)state;
    rig.vif.frame = answer;
    start(true);
    rig_die_noticed(&rig);
    rig.vif.queues = NULL;
    rig_start(&rig);
    await_reconnects(1);
    for (uint32_t q = 0; q < QUEUES; q++)
        assert_int_equal(pthread_create(&threads[q], NULL, send_many, (void *)(uintptr_t)q), 0);
    for (uint32_t q = 0; q < QUEUES; q++) {
        pthread_join(threads[q], &result);
        assert_int_equal((uintptr_t)result, q);
    }
    netfront_statistics(rig.nf, &statistics);
    assert_int_equal(statistics.tx_frames, 1000 * QUEUES);
}

static void hold(struct fake_netback *vif, const struct fake_frame *frame)
{
    (void)vif;
    (void)frame;
}

static uint32_t queues_seen; /* atomic, a bit each */

static void note_queue(struct fake_netback *vif, const struct fake_frame *frame)
{
    store_full_u32(&queues_seen, load_full_u32(&queues_seen) | 1u << vif->here);
    fake_netback_answer(vif, frame, NETIF_RSP_OKAY);
}

/* More than the ring has room for. */
static void *send_batch(void *arg)
{
    static uint8_t data[60];
    struct netfront_frame frames[2 * SLOTS];
    (void)arg;
    for (int i = 0; i < 2 * SLOTS; i++)
        frames[i] = (struct netfront_frame){.data = data, .length_bytes = sizeof(data)};
    return (void *)(intptr_t)netfront_send_on(rig.nf, 1, frames, 2 * SLOTS, -1);
}

/* Else what it sends and what later calls send would overtake each other. */
static void a_call_goes_on_where_later_ones_send(void **state)
{
    struct netfront_statistics statistics = {.tx_waits = 0};
    pthread_t thread;
    void *result;
    (void)state;
    rig.vif.frame = hold;
    start(true);
    rig_die_noticed(&rig);
    rig.vif.queues = NULL;
    rig_start(&rig);
    await_reconnects(1);
    assert_int_equal(pthread_create(&thread, NULL, send_batch, NULL), 0); /* by the first queue */
    while (statistics.tx_waits == 0) {
        sched_yield();
        netfront_statistics(rig.nf, &statistics);
    }
    rig_die_noticed(&rig);
    rig.vif.queues = "8";
    rig.vif.frame = note_queue;
    rig_start(&rig);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, 2 * SLOTS);
    assert_int_equal(netfront_drain_on(rig.nf, 1, -1), 0);
    assert_int_equal(load_full_u32(&queues_seen), 1u << 1);
}

/* On a queue without a ring, too. */
static void an_interrupt_reaches_all_receivers(void **state)
{
    pthread_t thread;
    void *result;
    (void)state;
    start(true);
    assert_int_equal(pthread_create(&thread, NULL, receive_last, NULL), 0);
    netfront_interrupt(rig.nf);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -ECANCELED);
    assert_int_equal(receive_on(0, -1), -ECANCELED);
    rig_die_noticed(&rig); /* nor does it take a Dom0 */
    assert_int_equal(pthread_create(&thread, NULL, receive_last, NULL), 0);
    netfront_interrupt(rig.nf);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -ECANCELED);
    rig.vif.queues = NULL;
    rig_start(&rig);
    await_reconnects(1);
    assert_int_equal(pthread_create(&thread, NULL, receive_last, NULL), 0);
    netfront_interrupt(rig.nf);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, -ECANCELED);
}

int main(void)
{
#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_RIG(each_queue_sends_and_receives_for_itself),
        WITH_RIG(queue_0_is_meant_without_a_number),
        WITH_RIG(a_queue_that_is_not_there_is_refused),
        WITH_RIG(too_many_are_refused),
        WITH_RIG(the_nodes_are_those_of_the_present_rings),
        WITH_RIG(there_are_no_more_than_dom0_offers),
        WITH_RIG(a_next_dom0_may_have_fewer),
        WITH_RIG(senders_share_what_rings_there_are),
        WITH_RIG(a_call_goes_on_where_later_ones_send),
        WITH_RIG(an_interrupt_reaches_all_receivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
