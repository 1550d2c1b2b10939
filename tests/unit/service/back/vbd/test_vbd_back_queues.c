/* SPDX-License-Identifier: MIT */
/* vbd_back: disks of several queues. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/service/back/vbd/vbd_back_fixture.h"

static void offer_queues(uint32_t count, uint32_t order)
{
    char node[64], value[16];
    uint32_t ref = RING_REF;
    snprintf(value, sizeof(value), "%u", count);
    set_front("multi-queue-num-queues", value);
    if (order > 0) {
        snprintf(value, sizeof(value), "%u", order);
        set_front("ring-page-order", value);
    }
    for (uint32_t queue = 0; queue < count; queue++) {
        snprintf(value, sizeof(value), "%d", f->port);
        snprintf(node, sizeof(node), "queue-%u/event-channel", queue);
        set_front(node, value);
        for (uint32_t i = 0; i < 1u << order; i++) {
            snprintf(value, sizeof(value), "%u", ref++);
            if (order == 0)
                snprintf(node, sizeof(node), "queue-%u/ring-ref", queue);
            else
                snprintf(node, sizeof(node), "queue-%u/ring-ref%u", queue, i);
            set_front(node, value);
        }
    }
}

static void several_queues_have_a_ring_each(void **state)
{
    (void)state;
    for (uint32_t order = 0; order <= MAX_ORDER; order += MAX_ORDER) {
        for (uint32_t count = 2; count <= MAX_QUEUES; count++) {
            offer_queues(count, order);
            go("3", XenbusStateConnected);
            assert_non_null(ring()); /* and the loop serves all of them */
            for (uint32_t i = 0; i < count; i++) {
                struct vbd_ring *queue = vbd_back_queue(f->back, i);
                assert_int_equal(queue->config.ring_ref[0], RING_REF + (i << order));
                assert_int_equal(queue->ring.half.nr_ents, 32u << order);
                queue->stats.requests += 10;
            }
            assert_null(vbd_back_queue(f->back, count));
            assert_int_equal(rings_in_use(), count << order);
            go("6", XenbusStateClosed);
            assert_null(ring());
            assert_int_equal(rings_in_use(), 0);
            go("1", XenbusStateInitWait);
        }
    }
    assert_int_equal(vbd_back_stats(f->back).requests, 2 * (20 + 30 + 40));
}

/* Each ring is served by itself, and one that breaks halts alone. */
static void each_queue_is_served(void **state)
{
    (void)state;
    struct blkif_front_ring front[MAX_QUEUES];
    struct blkif_response rsp;
    for (uint32_t i = 0; i < MAX_QUEUES; i++) {
        struct sring *sring = segment_page(&f->segment, f->segment.free_pfn + i);
        sring_init(sring, 0);
        front_ring_init(&front[i].half, sring, 32, 0);
    }
    offer_queues(MAX_QUEUES, 0);
    go("4", XenbusStateConnected);
    front[1].half.sring->req_prod = 5000;
    for (uint32_t i = 0; i < MAX_QUEUES; i++) {
        const struct blkif_request req = {.operation = 255, .id = 100 + i};
        if (i == 1)
            continue;
        blkif_put_request(&front[i], &req);
        (void)front_ring_push(&front[i].half);
    }
    assert_int_equal(pollables_turn(&f->loop, 1), MAX_QUEUES - 1);
    for (uint32_t i = 0; i < MAX_QUEUES; i++) {
        assert_int_equal(vbd_back_queue(f->back, i)->halted, i == 1);
        assert_int_equal(blkif_take_response(&front[i], &rsp), i != 1);
        if (i != 1)
            assert_int_equal(rsp.id, 100 + i);
    }
    step();
    assert_int_equal(f->back->state, XenbusStateClosing);
    go("6", XenbusStateClosed);
    assert_int_equal(vbd_back_stats(f->back).unsupported, MAX_QUEUES - 1);
}

static void queues_that_make_no_sense_leave_nothing(void **state)
{
    (void)state;
    static const struct expected_node bad[] = {
        {"multi-queue-num-queues", "5"},
        {"multi-queue-num-queues", "0"},
        {"multi-queue-num-queues", "4294967297"},
        {"queue-2/ring-ref", NULL},
        {"queue-2/ring-ref", "7"}, /* not granted */
        {"queue-2/event-channel", NULL},
        {"queue-1/event-channel", "0"},
        {"ring-page-order", "0"}, /* then it is ring-ref0 */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        offer(); /* at the top, where nobody looks for it */
        offer_queues(3, 0);
        set_front(bad[i].node, bad[i].value);
        go("3", XenbusStateClosing);
        assert_null(ring());
        assert_int_equal(rings_in_use(), 0);
        if (strcmp(bad[i].node, "ring-page-order") == 0)
            set_front("ring-page-order", NULL);
        go("6", XenbusStateClosed);
        go("1", XenbusStateInitWait);
    }
}

/* One queue: its nodes are where they always were. */
static void one_queue_has_no_directory(void **state)
{
    (void)state;
    offer();
    set_front("multi-queue-num-queues", "1");
    set_front("queue-0/ring-ref", "7");
    go("3", XenbusStateConnected);
    assert_int_equal(ring()->config.ring_ref[0], RING_REF);
}

static void as_many_queues_as_cpus_but_for_a_few_are_offered(void **state)
{
    (void)state;
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    xenbus_back_destroy(f->back);
    f->options.max_queues = 0;
    create();
    assert_int_equal(atoi(back_node("multi-queue-max-queues")),
                     cpus < VBD_QUEUES_MAX ? cpus : VBD_QUEUES_MAX);
    xenbus_back_destroy(f->back);
    f->options.max_queues = 100;
    create();
    assert_int_equal(atoi(back_node("multi-queue-max-queues")), VBD_QUEUES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACK_TEST(several_queues_have_a_ring_each),
        BACK_TEST(each_queue_is_served),
        BACK_TEST(queues_that_make_no_sense_leave_nothing),
        BACK_TEST(one_queue_has_no_directory),
        BACK_TEST(as_many_queues_as_cpus_but_for_a_few_are_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
