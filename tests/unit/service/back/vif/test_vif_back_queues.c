/* SPDX-License-Identifier: MIT */
/*
 * vif_back: the rings of an interface: which are offered, how they are shared, and one that
 * breaks the protocol.
 */
#include <unistd.h>

#include "ring/gnttab.h"
#include "unit/service/back/vif/vif_back_fixture.h"

static void one_event_channel_serves_both_rings(void **state)
{
    (void)state;
    offer();
    set_front("event-channel-tx", NULL);
    set_front("event-channel-rx", NULL);
    set_front_number("event-channel", (uint32_t)f->port[1]);
    go("4", XenbusStateConnected);
    const struct vif_queue_config *config = &vif_back_queue(f->back, 0)->config;
    assert_int_equal(config->tx_event.port, f->port[1]);
    assert_int_equal(config->rx_event.port, f->port[1]);
    assert_int_equal(config->rx_event.vcpu, 1);
}

/* As in Linux's back end: only both of the two are two. */
static void so_it_does_where_half_of_two_is_left_over(void **state)
{
    (void)state;
    offer();
    set_front("event-channel-rx", NULL);
    set_front_number("event-channel-tx", (uint32_t)f->port[0]);
    set_front_number("event-channel", (uint32_t)f->port[1]);
    go("4", XenbusStateConnected);
    const struct vif_queue_config *config = &vif_back_queue(f->back, 0)->config;
    assert_int_equal(config->tx_event.port, f->port[1]);
    assert_int_equal(config->rx_event.port, f->port[1]);
    assert_int_equal(config->tx_event.vcpu, 1);
}

static void offer_queues(uint32_t count)
{
    struct grant_entry_v1 *table = f->front.segment.gnttab;
    offer();
    set_front_number("multi-queue-num-queues", count);
    for (uint32_t i = 0; i < count; i++) {
        char node[40];
        for (uint32_t ring = 0; ring < 2; ring++) {
            uint32_t ref = FAKE_NETFRONT_RX_REF + 2 * i + ring;
            gnttab_grant_access(table, ref, DOM0_DOMID, f->front.rx_pfn + 2 * i + ring, false);
            sring_init(segment_page(&f->front.segment, f->front.rx_pfn + 2 * i + ring), 0);
            snprintf(node, sizeof(node), "queue-%u/%s-ring-ref", i, ring == 0 ? "tx" : "rx");
            set_front_number(node, ref);
        }
        snprintf(node, sizeof(node), "queue-%u/event-channel-tx", i);
        set_front_number(node, (uint32_t)f->port[0]);
        snprintf(node, sizeof(node), "queue-%u/event-channel-rx", i);
        set_front_number(node, (uint32_t)f->port[1]);
    }
}

static void several_queues_have_their_directories(void **state)
{
    (void)state;
    offer_queues(3);
    go("4", XenbusStateConnected);
    for (uint32_t i = 0; i < 3; i++)
        assert_non_null(vif_back_queue(f->back, i));
    assert_null(vif_back_queue(f->back, 3));
}

/* Its queues may have asked to hear of many pages at once. */
static void all_queues_are_looked_at_when_nobody_waits_for_them(void **state)
{
    (void)state;
    offer_queues(3);
    go("4", XenbusStateConnected);
    turn();
    assert_int_equal(f->loop.active_count, 0);
    struct net_port *port = vif_back_port(f->back);
    port->ops->released(port);
    assert_int_equal(f->loop.active_count, 3);
    turn();
}

/* Frames of one flow keep their order by staying in one queue; flows spread. */
static void a_flow_stays_in_its_queue(void **state)
{
    (void)state;
    uint32_t used = 0;
    offer_queues(4);
    go("4", XenbusStateConnected);
    for (uint32_t seed = 0; seed < 32; seed++) {
        for (int again = 0; again < 2; again++) {
            struct net_frame *frame = fake_network_frame(again == 0 ? 60 : 200, seed);
            net_port_output(vif_back_port(f->back), frame, 1000);
            net_frame_put(frame);
        }
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t waiting = vif_back_queue(f->back, i)->waiting_count;
            assert_true(waiting % 2 == 0);
            used |= (uint32_t)(waiting > 0) << i;
        }
    }
    assert_int_equal(used, 15);
}

/* In each of so many queues four frames of 100 bytes. */
static struct net_port *fill_queues(uint32_t count)
{
    offer_queues(count);
    go("4", XenbusStateConnected);
    for (uint32_t i = 0; i < count; i++) {
        struct sring *sring = vif_back_queue(f->back, i)->tx.half.sring;
        for (uint32_t n = 0; n < 4; n++) {
            struct netif_tx_request *req =
                sring_slot(sring, NETIF_RING_ENTRIES, n, sizeof(union netif_tx_sring_entry));
            *req = (struct netif_tx_request){.gref = FAKE_NETFRONT_TX_REF, .size = 100, .id = 0};
        }
        sring->req_prod = 4;
    }
    return vif_back_port(f->back);
}

static void queues_share_the_ports_turn(void **state)
{
    (void)state;
    struct net_port *port = fill_queues(2);
    for (uint32_t n = 0; n < 8; n++)
        assert_int_equal(port->ops->take(port, 1), 100);
    assert_int_equal(port->ops->take(port, 1), 0);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(vif_back_queue(f->back, i)->stats.tx_frames, 4);
}

/* A bridge with eleven ports. */
static void copy_to_all(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                        uint64_t at_ns)
{
    (void)sink;
    (void)at_ns;
    port->copied_bytes += 10 * frame->length_bytes;
}

static void queues_share_what_copies_leave_of_a_turn(void **state)
{
    (void)state;
    struct net_sink all = {.put = copy_to_all};
    struct net_port *port = fill_queues(3);
    port->up = &all;
    port->copied_bytes = 1000000;
    assert_int_equal(port->ops->take(port, 3000), 300);
    assert_int_equal(port->ops->take(port, 5000), 500); /* four of one, one of the next */
    assert_int_equal(port->ops->take(port, UINT32_MAX), 400);
}

static void a_queue_that_breaks_the_protocol_ends_the_device(void **state)
{
    (void)state;
    offer();
    go("4", XenbusStateConnected);
    f->front.tx.half.sring->req_prod = 1000;
    turn();
    assert_int_equal(f->back->state, XenbusStateClosing);
    assert_non_null(strstr(error_node(), "index is invalid"));
    assert_int_equal(f->joined, 0); /* at once, not when the front end closes */
    assert_non_null(vif_back_queue(f->back, 0));
    go("6", XenbusStateClosed);
    assert_null(vif_back_queue(f->back, 0));
}

static void one_queue_that_takes_nothing_is_enough_to_be_stalled(void **state)
{
    (void)state;
    assert_false(vif_back_is_stalled(f->back)); /* without any queue */
    offer_queues(3);
    go("4", XenbusStateConnected);
    assert_false(vif_back_is_stalled(f->back));
    for (uint32_t i = 0; i < 3; i++) {
        vif_back_queue(f->back, i)->stalled = true;
        assert_true(vif_back_is_stalled(f->back));
        vif_back_queue(f->back, i)->stalled = false;
    }
    assert_false(vif_back_is_stalled(f->back));
}

/* Each counter under its own name, of all queues and of all that there were. */
static void counters_are_those_of_all_queues(void **state)
{
    enum { COUNTERS = sizeof(struct vif_stats) / sizeof(uint64_t) };
    (void)state;
    offer_queues(3);
    go("4", XenbusStateConnected);
    for (uint32_t q = 0; q < 3; q++) {
        uint64_t counters[COUNTERS];
        for (uint64_t i = 0; i < COUNTERS; i++)
            counters[i] = (i + 1) * (q == 0 ? 1 : q == 1 ? 100 : 10000);
        memcpy(&vif_back_queue(f->back, q)->stats, counters, sizeof(counters));
    }
    for (int gone = 0; gone <= 1; gone++) {
        uint64_t counters[COUNTERS];
        const struct vif_stats stats = vif_back_stats(f->back);
        memcpy(counters, &stats, sizeof(counters));
        for (uint64_t i = 0; i < COUNTERS; i++)
            assert_int_equal(counters[i], (i + 1) * 10101);
        assert_int_equal(stats.tx_frames, 10101);
        assert_int_equal(stats.wakes, COUNTERS * 10101);
        if (gone == 0)
            go("6", XenbusStateClosed);
    }
    assert_null(vif_back_queue(f->back, 0));
}

static void as_many_queues_as_cpus_but_for_a_few_are_offered(void **state)
{
    (void)state;
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    xenbus_back_destroy(f->back);
    f->options.max_queues = 0;
    create();
    assert_int_equal(atoi(back_node("multi-queue-max-queues")),
                     cpus < VIF_QUEUES_MAX ? cpus : VIF_QUEUES_MAX);
    xenbus_back_destroy(f->back);
    f->options.max_queues = 100;
    create();
    assert_int_equal(atoi(back_node("multi-queue-max-queues")), VIF_QUEUES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_event_channel_serves_both_rings),
        TEST(so_it_does_where_half_of_two_is_left_over),
        TEST(several_queues_have_their_directories),
        TEST(all_queues_are_looked_at_when_nobody_waits_for_them),
        TEST(a_flow_stays_in_its_queue),
        TEST(queues_share_the_ports_turn),
        TEST(queues_share_what_copies_leave_of_a_turn),
        TEST(a_queue_that_breaks_the_protocol_ends_the_device),
        TEST(one_queue_that_takes_nothing_is_enough_to_be_stalled),
        TEST(counters_are_those_of_all_queues),
        TEST(as_many_queues_as_cpus_but_for_a_few_are_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
