/* SPDX-License-Identifier: MIT */
/* ring_loop: which rings are looked at, for how long, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_disk.h"
#include "ring/blkif_front_ring.h"
#include "ring/gnttab.h"
#include "service/back/vbd/ring_loop.h"

enum { NR_PAGES = 16, RINGS = 3, RING_REF = 8, DATA_REF = 9, HERE = 1000, ELSEWHERE = 2000 };

struct peer {
    struct segment segment;
    int fd;
    struct blkif_front_ring front;
    struct vbd_ring *ring;
    struct ring_slot slot;
    uint64_t next_id;
};

struct fixture {
    struct image image;
    struct disk_queue *queue;
    struct ring_loop loop;
    struct peer peer[RINGS];
    struct ring_slot *broken;
    uint32_t broken_count;
};

static struct fixture *f;

static void on_broken(void *ctx, struct ring_slot *slot)
{
    (void)ctx;
    f->broken = slot;
    f->broken_count++;
}

static void on_answered(void *ctx, struct vbd_ring *ring)
{
    (void)ring;
    ring_loop_answered(&f->loop, &((struct peer *)ctx)->slot);
}

static int setup_peer(struct peer *peer)
{
    if (segment_create(NR_PAGES, 1, &peer->segment, &peer->fd) < 0)
        return -1;
    gnttab_grant_access(peer->segment.gnttab, RING_REF, DOM0_DOMID, peer->segment.free_pfn, false);
    gnttab_grant_access(peer->segment.gnttab, DATA_REF, DOM0_DOMID, peer->segment.free_pfn + 1,
                        false);
    struct sring *sring = segment_page(&peer->segment, peer->segment.free_pfn);
    sring_init(sring, 0);
    front_ring_init(&peer->front.half, sring, blkif_ring_entries(0), 0);
    struct vbd_ring_config config = {.segment = &peer->segment,
                                     .disk_queue = f->queue,
                                     .image = &f->image,
                                     .ring_ref = {RING_REF},
                                     .port = 2,
                                     .answered = on_answered,
                                     .ctx = peer};
    peer->slot.start_info = peer->segment.start_info;
    int rc = vbd_ring_create(&config, &peer->ring);
    peer->slot.ring = peer->ring;
    return rc;
}

static int setup(void **state)
{
    (void)state;
    char why[128];
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -1;
    f->image = (struct image){
        .fd = -1, .size_bytes = 1 << 20, .block_size_bytes = 512, .memory_align_bytes = 512};
    struct disk_queue_config config = {.image = &f->image,
                                       .engine = &fake_disk_ops,
                                       .policy = cache_policy_find("lru"),
                                       .depth = 128,
                                       .depth_isolated = 128};
    if (disk_queue_create(&config, vbd_ring_done, &f->queue, why, sizeof(why)) < 0)
        return -1;
    f->loop = (struct ring_loop){.broken = on_broken};
    for (int i = 0; i < RINGS; i++) {
        if (setup_peer(&f->peer[i]) < 0)
            return -1;
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < RINGS; i++) {
        ring_loop_remove(&f->loop, &f->peer[i].slot);
        vbd_ring_destroy(f->peer[i].ring);
        segment_detach(&f->peer[i].segment);
        close(f->peer[i].fd);
    }
    assert_int_equal(f->loop.active_count, 0);
    assert_null(f->loop.active);
    fake_disk_complete_all(fake_disk_current(), 0);
    disk_queue_destroy(f->queue);
    free(f);
    return 0;
}

/* Whether the doorbell is to be rung. */
static bool ask(struct peer *peer, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct blkif_request req = {.operation = BLKIF_OP_READ,
                                    .nr_segments = 1,
                                    .id = peer->next_id++,
                                    .seg = {{.gref = DATA_REF}}};
        req.sector_number = peer->next_id;
        blkif_put_request(&peer->front, &req);
    }
    return front_ring_push(&peer->front.half);
}

/* The front end says on which CPU it runs; the loop runs HERE. */
static void runs_on(struct peer *peer, uint32_t cpu)
{
    store_relaxed_u32(&peer->segment.start_info->domu_cpu, cpu);
}

static bool settle(uint64_t now_ns)
{
    f->loop.cpu = HERE;
    return ring_loop_settle(&f->loop, now_ns);
}

/* The ring is on the loop, empty, and its front end has just been answered. */
static void answer(struct peer *peer)
{
    if (!peer->slot.active)
        ring_loop_add(&f->loop, &peer->slot);
    (void)ask(peer, 1);
    assert_int_equal(ring_loop_turn(&f->loop, 1), 1);
    (void)disk_queue_dispatch(f->queue, 0);
    fake_disk_complete_all(fake_disk_current(), 0);
    assert_int_equal(ring_loop_turn(&f->loop, 1), 0); /* shows the response */
}

static void requests_from_before_the_connection_are_found(void **state)
{
    (void)state;
    (void)ask(&f->peer[0], 2);
    ring_loop_add(&f->loop, &f->peer[0].slot);
    assert_int_equal(ring_loop_turn(&f->loop, 1), 2);
}

static void an_armed_ring_is_left_alone_until_its_doorbell(void **state)
{
    (void)state;
    ring_loop_add(&f->loop, &f->peer[0].slot);
    assert_int_equal(ring_loop_turn(&f->loop, 1), 0);
    assert_true(settle(1)); /* its CPU is unknown: no spin */
    assert_int_equal(f->loop.arms, 1);
    assert_true(ask(&f->peer[0], 1));
    assert_int_equal(ring_loop_turn(&f->loop, 2), 0);
    ring_loop_wake(&f->loop, &f->peer[0].slot);
    ring_loop_wake(&f->loop, &f->peer[0].slot); /* twice is once */
    assert_int_equal(f->loop.active_count, 1);
    assert_int_equal(ring_loop_turn(&f->loop, 3), 1);
    assert_false(ask(&f->peer[0], 1)); /* not armed: no doorbell needed */
    assert_int_equal(ring_loop_turn(&f->loop, 4), 1);
}

/* A request that comes between the last look and arming keeps the ring on the list. */
static void arming_looks_once_more(void **state)
{
    (void)state;
    ring_loop_add(&f->loop, &f->peer[0].slot);
    assert_int_equal(ring_loop_turn(&f->loop, 1), 0);
    (void)ask(&f->peer[0], 1);
    assert_false(settle(1));
    assert_int_equal(ring_loop_turn(&f->loop, 2), 1);
}

/* The queue may answer between the last look and arming (another domain's read had the sector). */
static void what_was_answered_since_the_last_look_is_shown(void **state)
{
    (void)state;
    struct blkif_response rsp;
    ring_loop_add(&f->loop, &f->peer[0].slot);
    (void)ask(&f->peer[0], 1);
    assert_false(front_ring_final_check(&f->peer[0].front.half)); /* it sleeps */
    assert_int_equal(ring_loop_turn(&f->loop, 1), 1);
    (void)disk_queue_dispatch(f->queue, 1);
    fake_disk_complete_all(fake_disk_current(), 0);
    assert_true(settle(1));
    assert_int_equal(blkif_take_response(&f->peer[0].front, &rsp), 1);
    assert_int_equal(f->peer[0].ring->stats.notifies, 1);
}

/* How many of three answers that come together a front end sees before its ring is visited. */
static uint32_t shown_early(struct peer *peer, uint32_t sleep_cpu)
{
    struct blkif_response rsp;
    uint32_t count = 0;
    store_relaxed_u32(&peer->segment.start_info->domu_sleep_cpu, sleep_cpu);
    if (!peer->slot.active)
        ring_loop_add(&f->loop, &peer->slot);
    (void)ask(peer, 3);
    assert_false(front_ring_final_check(&peer->front.half)); /* it sleeps */
    assert_int_equal(ring_loop_turn(&f->loop, 1), 3);
    (void)disk_queue_dispatch(f->queue, 1);
    f->loop.cpu = HERE;
    fake_disk_complete_all(fake_disk_current(), 0);
    while (blkif_take_response(&peer->front, &rsp) == 1)
        count++;
    assert_int_equal(ring_loop_turn(&f->loop, 2), 0);
    for (uint32_t i = count; i < 3; i++)
        assert_int_equal(blkif_take_response(&peer->front, &rsp), 1);
    return count;
}

static void the_first_answer_wakes_who_sleeps_elsewhere(void **state)
{
    (void)state;
    for (int again = 0; again < 3; again++) {
        assert_int_equal(shown_early(&f->peer[0], ELSEWHERE), 1);
        assert_int_equal(shown_early(&f->peer[1], HERE), 0);
        assert_int_equal(shown_early(&f->peer[2], START_INFO_CPU_NONE), 0);
    }
    assert_int_equal(f->peer[0].ring->stats.notifies, 3); /* one for all three */
}

static void a_front_end_that_spins_elsewhere_is_looked_at_for_a_moment(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    runs_on(peer, ELSEWHERE);
    for (uint64_t i = 1; i < 10; i++) { /* whatever it brought before */
        answer(peer);
        assert_false(settle(i * 100000));
        assert_false(settle(i * 100000 + SPIN_NS - 1));
        assert_true(settle(i * 100000 + SPIN_NS));
        ring_loop_wake(&f->loop, &peer->slot);
    }
    assert_int_equal(peer->slot.budget.lost, 9);
}

/* It sleeps: whether its next request comes soon is a matter of experience. */
static void a_front_end_that_sleeps_is_looked_at_while_that_pays(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    runs_on(peer, START_INFO_CPU_NONE);
    answer(peer);
    assert_false(settle(1000)); /* the first time there is no experience */
    assert_true(settle(1000 + SPIN_NS));
    ring_loop_wake(&f->loop, &peer->slot);
    answer(peer);
    assert_true(settle(90000));
}

static void a_spin_that_finds_a_request_has_won(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    runs_on(peer, ELSEWHERE);
    answer(peer);
    assert_false(settle(1000));
    (void)ask(peer, 1);
    assert_int_equal(ring_loop_turn(&f->loop, 2000), 1);
    assert_int_equal(peer->slot.budget.won, 1);
    assert_int_equal(peer->slot.budget.lost, 0);
}

static void nobody_spins_for_the_same_cpu_nor_when_told_not_to(void **state)
{
    (void)state;
    runs_on(&f->peer[0], HERE);
    answer(&f->peer[0]);
    assert_true(settle(1000));
    runs_on(&f->peer[1], ELSEWHERE);
    f->loop.no_spin = true;
    answer(&f->peer[1]);
    assert_true(settle(1000));
}

/* While its request is at the disk the front end has nothing to do. */
static void nobody_spins_while_the_disk_works(void **state)
{
    (void)state;
    struct peer *peer = &f->peer[0];
    runs_on(peer, ELSEWHERE);
    answer(peer);
    assert_false(settle(1000));
    (void)ask(peer, 1);
    assert_int_equal(ring_loop_turn(&f->loop, 2000), 1);
    (void)disk_queue_dispatch(f->queue, 0);
    assert_true(settle(3000)); /* nothing was answered since: armed */
    fake_disk_complete_all(fake_disk_current(), 0);
    assert_int_equal(f->loop.active_count, 1); /* its response is to be shown */
    assert_int_equal(ring_loop_turn(&f->loop, 4000), 0);
    assert_false(settle(4000)); /* and the next request may follow */
}

static void a_turn_gives_everybody_a_batch(void **state)
{
    (void)state;
    for (int i = 0; i < RINGS; i++) {
        ring_loop_add(&f->loop, &f->peer[i].slot);
        (void)ask(&f->peer[i], 10);
    }
    struct ring_slot *first = f->loop.active;
    assert_int_equal(ring_loop_turn(&f->loop, 1), 30);
    assert_ptr_equal(f->loop.active, first); /* once around */
    for (int i = 0; i < RINGS; i++)
        assert_int_equal(f->peer[i].ring->ring.half.req_cons, 10);
    assert_int_equal(f->loop.turns, 1);
}

static void a_broken_ring_is_told_once_and_let_go(void **state)
{
    (void)state;
    for (int i = 0; i < RINGS; i++)
        ring_loop_add(&f->loop, &f->peer[i].slot);
    store_full_u32(&f->peer[1].front.half.sring->req_prod, 5000);
    (void)ask(&f->peer[2], 1);
    assert_int_equal(ring_loop_turn(&f->loop, 1), 1);
    assert_ptr_equal(f->broken, &f->peer[1].slot);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ring_loop_turn(&f->loop, 2), 0);
    assert_int_equal(f->broken_count, 1);
    assert_true(settle(3));                     /* it keeps nobody awake */
    ring_loop_wake(&f->loop, &f->peer[1].slot); /* nor do its doorbells */
    assert_int_equal(ring_loop_turn(&f->loop, 4), 0);
    assert_true(settle(4));
}

static void rings_may_leave_in_any_order(void **state)
{
    (void)state;
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < RINGS; i++) {
            f->peer[i].slot = (struct ring_slot){.ring = f->peer[i].ring,
                                                 .start_info = f->peer[i].segment.start_info};
            ring_loop_add(&f->loop, &f->peer[i].slot);
        }
        for (int i = 0; i < RINGS; i++) {
            struct peer *last = &f->peer[orders[k][RINGS - 1]];
            if (i == RINGS - 1)
                (void)ask(last, 1);
            assert_int_equal(ring_loop_turn(&f->loop, 1), i == RINGS - 1);
            ring_loop_remove(&f->loop, &f->peer[orders[k][i]].slot);
            ring_loop_remove(&f->loop, &f->peer[orders[k][i]].slot); /* twice is once */
            ring_loop_wake(&f->loop, &f->peer[orders[k][i]].slot);   /* a late doorbell */
        }
        assert_int_equal(f->loop.active_count, 0);
    }
}

static void the_front_end_learns_where_dom0_runs(void **state)
{
    (void)state;
    ring_loop_add(&f->loop, &f->peer[0].slot);
    (void)ask(&f->peer[0], 1);
    assert_int_equal(ring_loop_turn(&f->loop, 1), 1);
    assert_int_equal(load_relaxed_u32(&f->peer[0].segment.start_info->dom0_cpu), f->loop.cpu);
}

static uint32_t busy_domains(const struct peer *peer)
{
    return load_relaxed_u32(&peer->segment.start_info->busy_domains);
}

static void the_front_end_learns_how_many_others_have_requests(void **state)
{
    (void)state;
    const uint64_t window_ns = 50000000;
    uint64_t now_ns = 1;
    for (int i = 0; i < 2; i++)
        ring_loop_add(&f->loop, &f->peer[i].slot);
    for (int window = 0; window < 3; window++, now_ns += window_ns)
        for (int i = 0; i < 2; i++) {
            (void)ask(&f->peer[i], 1);
            assert_int_equal(ring_loop_turn(&f->loop, now_ns), 1);
        }
    assert_int_equal(busy_domains(&f->peer[0]), 2);
    assert_int_equal(busy_domains(&f->peer[1]), 2);
    for (int window = 0; window < 2; window++, now_ns += window_ns) { /* the other one is silent */
        (void)ask(&f->peer[0], 1);
        assert_int_equal(ring_loop_turn(&f->loop, now_ns), 1);
    }
    assert_int_equal(busy_domains(&f->peer[0]), 1);
}

static void a_domain_that_has_ended_is_no_neighbour(void **state)
{
    (void)state;
    const uint64_t window_ns = 50000000;
    uint64_t now_ns = 1;
    for (int i = 0; i < 2; i++) {
        ring_loop_add(&f->loop, &f->peer[i].slot);
        (void)ask(&f->peer[i], 1);
        assert_int_equal(ring_loop_turn(&f->loop, now_ns), 1);
    }
    ring_loop_remove(&f->loop, &f->peer[1].slot);
    now_ns += window_ns;
    (void)ask(&f->peer[0], 1);
    assert_int_equal(ring_loop_turn(&f->loop, now_ns), 1);
    assert_int_equal(busy_domains(&f->peer[0]), 1);
}

int main(void)
{
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        LOOP_TEST(requests_from_before_the_connection_are_found),
        LOOP_TEST(an_armed_ring_is_left_alone_until_its_doorbell),
        LOOP_TEST(arming_looks_once_more),
        LOOP_TEST(what_was_answered_since_the_last_look_is_shown),
        LOOP_TEST(the_first_answer_wakes_who_sleeps_elsewhere),
        LOOP_TEST(a_front_end_that_spins_elsewhere_is_looked_at_for_a_moment),
        LOOP_TEST(a_front_end_that_sleeps_is_looked_at_while_that_pays),
        LOOP_TEST(a_spin_that_finds_a_request_has_won),
        LOOP_TEST(nobody_spins_for_the_same_cpu_nor_when_told_not_to),
        LOOP_TEST(nobody_spins_while_the_disk_works),
        LOOP_TEST(a_turn_gives_everybody_a_batch),
        LOOP_TEST(a_broken_ring_is_told_once_and_let_go),
        LOOP_TEST(rings_may_leave_in_any_order),
        LOOP_TEST(the_front_end_learns_where_dom0_runs),
        LOOP_TEST(the_front_end_learns_how_many_others_have_requests),
        LOOP_TEST(a_domain_that_has_ended_is_no_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
