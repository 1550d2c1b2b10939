/* SPDX-License-Identifier: MIT */
/*
 * vbd_ring: a ring in a real segment, driven by the front end's half in this process; the disk's
 * reads end when the test says so.
 */
#include <errno.h>
#include <string.h>

#include "fakes/fake_probes.h"
#include "ring/evtchn.h"
#include "tdf/clock.h"
#include "tdf/source.h"
#include "unit/service/back/vbd/vbd_ring_fixture.h"

static void a_read_is_answered_with_its_data(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    struct blkif_request req = read_request(7, 100);
    req.nr_segments = 2;
    req.seg[0] = (struct blkif_request_segment){DATA_REF, 2, 7};
    req.seg[1] = (struct blkif_request_segment){DATA_REF + 1, 0, 0};
    memset(data_page(0), 0xaa, XEN_PAGE_SIZE);
    put(&req);
    consume(1);
    expect_none();
    assert_int_equal(vbd_ring_in_flight(f->ends.ring), 1);
    disk_ends(0, 0);
    expect(7, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    expect_none();
    assert_int_equal(f->ends.loop.active_count, 1);
    assert_true(f->ends.ring->pollable.answered); /* its next request may follow */
    f->ends.loop.no_spin = true;
    assert_true(pollables_settle(&f->ends.loop, 0));
    assert_int_equal(((uint8_t *)data_page(0))[2 * 512 - 1], 0xaa);
    assert_true(fake_disk_holds((uint8_t *)data_page(0) + 2 * 512, 100, 6));
    assert_true(fake_disk_holds(data_page(1), 106, 1));
    put(&req); /* cached now: answered at once, and nobody needs to look again for it */
    consume(1);
    expect(7, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(f->ends.loop.active_count, 0);
    assert_int_equal(f->ends.ring->stats.reads_done, 2);
    assert_int_equal(f->ends.ring->stats.sectors, 14);
}

static void a_read_passes_the_probes_of_its_stages(void **state)
{
    (void)state;
    if (!fake_probes_begin())
        skip();
    connect_ring(0, 1, 0);
    struct blkif_request req = read_request(7, 100);
    put(&req);
    consume(1);
    uint32_t taken = fake_probes_passed("taken"), judged = fake_probes_passed("judged");
    uint32_t early = fake_probes_passed("answered") + fake_probes_passed("published");
    disk_ends(0, 0);
    uint32_t answered = fake_probes_passed("answered"), published = fake_probes_passed("published");
    fake_probes_end();
    assert_true(taken == 1 && judged == 1 && early == 0 && answered == 1 && published == 1);
    expect(7, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

static void bad_requests_get_their_status_and_the_ring_goes_on(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    struct {
        struct blkif_request req;
        int16_t status;
    } bad[12];
    for (uint64_t i = 0; i < 12; i++) {
        bad[i].req = read_request(i, 1);
        bad[i].status = BLKIF_RSP_ERROR;
    }
    bad[0].req.nr_segments = 0;
    bad[1].req.operation = BLKIF_OP_WRITE;
    bad[2].req.operation = BLKIF_OP_FLUSH_DISKCACHE;
    bad[2].status = BLKIF_RSP_EOPNOTSUPP;
    bad[3].req.operation = 255;
    bad[3].status = BLKIF_RSP_EOPNOTSUPP;
    bad[4].req.seg[0].last_sect = 8;
    bad[5].req.seg[0].first_sect = 1;
    bad[6].req.sector_number = IMAGE_SECTORS;
    bad[7].req.sector_number = UINT64_MAX;
    bad[8].req.seg[0].gref = UINT32_MAX;
    bad[9].req.seg[0].gref = 30; /* never granted */
    bad[10].req.nr_segments = 2; /* the second one is bad: the first must be let go */
    bad[10].req.seg[1].gref = 31;
    gnttab_grant_access(f->segment.gnttab, 32, DOM0_DOMID, f->data_pfn, true);
    bad[11].req.seg[0].gref = 32; /* read-only: nothing can be read into it */
    for (int i = 0; i < 12; i++)
        put(&bad[i].req);
    consume(12);
    for (uint64_t i = 0; i < 12; i++)
        expect(i, bad[i].req.operation, bad[i].status);
    assert_int_equal(f->ends.ring->stats.errors, 10);
    assert_int_equal(f->ends.ring->stats.unsupported, 2);
    assert_int_equal(f->disk->submitted, 0);
    assert_int_equal(f->ends.ring->grants.mapped_count, 1); /* the ring's own page */
    struct blkif_request good = read_request(50, 3);
    put(&good);
    consume(1);
    disk_ends(0, 0);
    expect(50, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* nr_segments beyond 11 can't be put by an honest half: written into the slot. */
static void too_many_segments_are_an_error(void **state)
{
    (void)state;
    static const uint8_t counts[] = {12, 13, 128, 255};
    connect_ring(0, 1, 0);
    for (uint32_t i = 0; i < 4; i++) {
        struct blkif_request req = read_request(i, 1);
        uint32_t index = f->ends.front.half.req_prod_pvt;
        blkif_put_request(&f->ends.front, &req);
        blkif_ring_slot(f->ends.front.half.sring, f->ends.front.half.nr_ents, index)
            ->req.nr_segments = counts[i];
        (void)front_ring_push(&f->ends.front.half);
    }
    consume(4);
    for (uint64_t i = 0; i < 4; i++)
        expect(i, BLKIF_OP_READ, BLKIF_RSP_ERROR);
}

static void a_disk_error_is_an_error_of_that_request(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    for (uint64_t i = 0; i < 3; i++) {
        struct blkif_request req = read_request(i, 10 + 20 * i);
        put(&req);
    }
    consume(3);
    disk_ends(1, -EIO);
    disk_ends(1, 0);
    disk_ends(0, 0);
    expect(1, BLKIF_OP_READ, BLKIF_RSP_ERROR);
    expect(2, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(f->ends.ring->stats.errors, 1);
    assert_int_equal(f->ends.ring->stats.reads_done, 2);
}

/* Ids are echoed and nothing else: a hundred times the same one is answered a hundred times. */
static void equal_ids_are_answered_each(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    for (int i = 0; i < 32; i++) {
        struct blkif_request req = read_request(UINT64_MAX, (uint64_t)i * 20);
        put(&req);
    }
    assert_int_equal(front_ring_free(&f->ends.front.half), 0);
    consume(32);
    assert_int_equal(vbd_ring_in_flight(f->ends.ring), 32);
    assert_null(f->ends.ring->free);
    disk_ends_all(0);
    for (int i = 0; i < 32; i++)
        expect(UINT64_MAX, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    expect_none();
}

static void an_index_that_makes_no_sense_halts_the_ring(void **state)
{
    (void)state;
    static const uint32_t start[] = {0, UINT32_MAX - 5};
    for (size_t i = 0; i < 2; i++) {
        for (int way = 0; way < 3; way++) {
            connect_ring(0, 1, start[i]);
            for (uint64_t k = 0; k < 20; k++) {
                struct blkif_request req = read_request(k, 100 + 20 * k);
                put(&req);
            }
            consume(20);
            disk_ends(0, 0);
            uint32_t cons = f->ends.ring->ring.half.req_cons;
            uint32_t wrong = way == 0   ? cons + 32 - vbd_ring_in_flight(f->ends.ring) + 1
                             : way == 1 ? cons - 5 /* back, among those in flight */
                                        : cons + (1u << 31);
            store_full_u32(&f->ends.front.half.sring->req_prod, wrong);
            assert_int_equal(vbd_ring_consume(f->ends.ring, 0), -EPROTO);
            assert_true(f->ends.ring->halted);
            /* For good, and without keeping anybody awake. */
            store_full_u32(&f->ends.front.half.sring->req_prod, cons + 1);
            assert_int_equal(vbd_ring_consume(f->ends.ring, 0), 0);
            assert_false(vbd_ring_arm(f->ends.ring));
            assert_int_equal(f->ends.ring->ring.half.req_cons, cons);
            disk_ends_all(0); /* what was taken is still answered */
            assert_int_equal(vbd_ring_in_flight(f->ends.ring), 0);
            disconnect_ring();
            vdisk_image_changed(f->fake.vdisk); /* nothing is cached for the next one */
        }
    }
}

static void one_look_takes_a_bounded_batch(void **state)
{
    (void)state;
    connect_ring(4, 1, 0);
    for (uint64_t i = 0; i < 100; i++) {
        struct blkif_request req = read_request(i, i * 20);
        put(&req);
    }
    consume(VBD_RING_CONSUME_BATCH);
    assert_true(vbd_ring_arm(f->ends.ring));
    consume(100 - VBD_RING_CONSUME_BATCH);
    assert_false(vbd_ring_arm(f->ends.ring));
    disk_ends_all(0);
    for (uint64_t i = 0; i < 100; i++)
        expect(i, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

/* Hits are copied while the ring is looked at: of large ones fewer are taken. */
static void one_look_copies_a_bounded_number_of_sectors(void **state)
{
    enum { HITS = 60, SECTORS = 32 };
    (void)state;
    connect_ring(4, 1, 0);
    struct blkif_request req = read_request(0, 0);
    req.nr_segments = SECTORS / BLKIF_SECTORS_PER_PAGE;
    for (uint32_t i = 0; i < req.nr_segments; i++)
        req.seg[i] = (struct blkif_request_segment){DATA_REF + i, 0, BLKIF_SECTORS_PER_PAGE - 1};
    put(&req);
    consume(1);
    disk_ends(0, 0);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    for (req.id = 0; req.id < HITS; req.id++)
        put(&req);
    for (int left = HITS; left > 0;) {
        int taken = vbd_ring_consume(f->ends.ring, 0);
        assert_in_range(taken, 1, 2 * VBD_RING_CONSUME_SECTORS / SECTORS);
        left -= taken;
        assert_int_equal(vbd_ring_arm(f->ends.ring), left > 0); /* the rest with the next look */
    }
    for (uint64_t id = 0; id < HITS; id++)
        expect(id, BLKIF_OP_READ, BLKIF_RSP_OKAY);
}

static uint64_t stamp_of(uint64_t id)
{
    for (uint32_t i = 0; i < f->ends.ring->ring.half.nr_ents; i++) {
        const struct pending *p = &f->ends.ring->pool[i];
        if (block_request_is_active(&p->request) && p->request.id == id)
            return p->stamp_ns;
    }
    fail_msg("no request %u is under way", (unsigned int)id);
    return 0;
}

static void requests_of_one_look_keep_their_stamps(void **state)
{
    enum { COUNT = 20, START_NS = 1000000 };
    const struct tdf one = {1, 1};
    struct tdf_source source;
    struct tdf_clock clock;
    (void)state;
    assert_int_equal(tdf_source_manual(&source, 1000000000, START_NS, 0), 0);
    assert_int_equal(tdf_clock_init(&clock, &source, NULL, 0, one), 0);
    f->ends.config.virtual_completion = true;
    f->ends.config.clock = &clock;
    f->ends.config.tdf = &one;
    connect_ring(0, 1, 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct blkif_request req = read_request(i, i * 20);
        blkif_put_request(&f->ends.front, &req);
        blkif_put_request_stamp(&f->ends.front, START_NS - 500 + i);
    }
    (void)front_ring_push(&f->ends.front.half);
    consume(COUNT);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(stamp_of(i), START_NS - 500 + i);
    disconnect_ring(); /* before its clock */
}

/* The queue may answer between the last look and arming: another domain's read had the sector. */
static void arming_shows_what_was_answered(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    struct blkif_request req = read_request(0, 5);
    put(&req);
    consume(1);
    assert_false(front_ring_final_check(&f->ends.front.half)); /* it sleeps */
    fake_disk_complete(f->disk, 0, 0);
    expect_none();
    assert_false(vbd_ring_arm(f->ends.ring));
    expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(f->ends.ring->stats.notifies, 1);
}

static void notify_only(void *ctx, evtchn_port_t port)
{
    *(evtchn_port_t *)ctx = port;
}

static void the_front_end_is_notified_when_it_asked(void **state)
{
    (void)state;
    evtchn_port_t port = 0;
    connect_ring(0, 1, 0);
    struct blkif_request req = read_request(0, 5);
    assert_false(front_ring_final_check(&f->ends.front.half));
    put(&req);
    consume(1);
    assert_int_equal(evtchn_collect(f->segment.shared_info, VCPU, notify_only, &port), 0);
    disk_ends(0, 0);
    assert_int_equal(evtchn_collect(f->segment.shared_info, VCPU, notify_only, &port), 1);
    assert_int_equal(port, PORT);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    put(&req); /* not armed: a hit is answered silently */
    consume(1);
    expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    assert_int_equal(evtchn_collect(f->segment.shared_info, VCPU, notify_only, &port), 0);
    assert_int_equal(f->ends.ring->stats.notifies, 1);
    assert_int_equal(f->ends.ring->stats.wakes, 1);
    /* It has not taken the event yet: a second one is told, and wakes nobody. */
    for (int i = 0; i < 2; i++) {
        assert_false(front_ring_final_check(&f->ends.front.half));
        put(&req);
        consume(1);
        expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    }
    assert_int_equal(f->ends.ring->stats.notifies, 3);
    assert_int_equal(f->ends.ring->stats.wakes, 2);
}

int main(void)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RING_TEST(a_read_passes_the_probes_of_its_stages),
        RING_TEST(a_read_is_answered_with_its_data),
        RING_TEST(bad_requests_get_their_status_and_the_ring_goes_on),
        RING_TEST(too_many_segments_are_an_error),
        RING_TEST(a_disk_error_is_an_error_of_that_request),
        RING_TEST(equal_ids_are_answered_each),
        RING_TEST(an_index_that_makes_no_sense_halts_the_ring),
        RING_TEST(one_look_takes_a_bounded_batch),
        RING_TEST(one_look_copies_a_bounded_number_of_sectors),
        RING_TEST(requests_of_one_look_keep_their_stamps),
        RING_TEST(arming_shows_what_was_answered),
        RING_TEST(the_front_end_is_notified_when_it_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
