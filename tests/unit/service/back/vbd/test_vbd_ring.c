/* SPDX-License-Identifier: MIT */
/*
 * vbd_ring: a ring in a real segment, driven by the front end's half in this process; the disk's
 * reads end when the test says so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakes/fake_vdisk.h"
#include "fakes/valgrind.h"
#include "ring/evtchn.h"
#include "ring/fault_guard.h"
#include "service/back/vbd/vbd_trace.h"
#include "service/block/queue.h"
#include "tdf/clock.h"
#include "tdf/source.h"
#include "trace/trace_reader.h"
#include "unit/service/back/vbd/ring_ends.h"

enum {
    NR_PAGES = 160,
    DOMID = 3,
    PORT = 5,
    VCPU = 1,
    DEPTH = 128,
    IMAGE_SECTORS = 4096,
    CACHE_SECTORS = 32,
    RING_REF = 8,
    DATA_REF = 40, /* granted data pages */
    DATA_PAGES = 64,
};

struct fixture {
    struct segment segment;
    int fd, fault_slot;
    struct fake_vdisk fake;
    struct device *device; /* the fake's, as the next one */
    struct fake_disk *disk;
    struct block_client client;
    struct ring_ends ends; /* armed: nobody looks at the ring until he is told to */
    uint32_t data_pfn;
};

static struct fixture *f;

static int setup(void **state)
{
    (void)state;
    f = calloc(1, sizeof(*f));
    if (f == NULL || segment_create(NR_PAGES, DOMID, &f->segment, &f->fd) < 0 ||
        fault_guard_install(4) < 0)
        return -1;
    f->fault_slot = fault_guard_add(f->segment.base, (size_t)NR_PAGES << XEN_PAGE_SHIFT, -1);
    fake_vdisk_create(&f->fake, &(struct fake_vdisk_config){.sector_count = IMAGE_SECTORS,
                                                            .cache_sectors = CACHE_SECTORS,
                                                            .depth = DEPTH});
    f->device = f->fake.device;
    f->disk = f->fake.disk;
    block_client_open(&f->client, f->fake.vdisk);
    f->data_pfn = f->segment.free_pfn + 32;
    for (uint32_t i = 0; i < DATA_PAGES; i++)
        gnttab_grant_access(f->segment.gnttab, DATA_REF + i, DOM0_DOMID, f->data_pfn + i, false);
    f->ends.config = (struct vbd_ring_config){.segment = &f->segment,
                                              .fault_slot = f->fault_slot,
                                              .client = &f->client,
                                              .port = PORT,
                                              .vcpu = VCPU};
    poll_peer_init(&f->ends.peer, f->segment.hints);
    return 0;
}

static void disconnect_ring(void)
{
    ring_ends_disconnect(&f->ends);
}

static int teardown(void **state)
{
    (void)state;
    disconnect_ring();
    vbd_ring_destroy(NULL);
    block_client_close(&f->client);
    fake_vdisk_destroy(&f->fake);
    fault_guard_drop(f->fault_slot);
    fault_guard_remove();
    ring_ends_hold_nothing(&f->segment);
    segment_detach(&f->segment);
    close(f->fd);
    free(f);
    return 0;
}

/* A ring of 2^order pages, step pages apart. */
static void connect_ring(uint32_t order, uint32_t step, uint32_t index)
{
    ring_ends_connect(&f->ends, RING_REF, order, step, index);
    assert_true(pollables_settle(&f->ends.loop, 0));
}

static struct blkif_request read_request(uint64_t id, uint64_t sector)
{
    return (struct blkif_request){.operation = BLKIF_OP_READ,
                                  .nr_segments = 1,
                                  .id = id,
                                  .sector_number = sector,
                                  .seg = {{.gref = DATA_REF + (grant_ref_t)(id % DATA_PAGES)}}};
}

static void put(const struct blkif_request *req)
{
    ring_ends_put(&f->ends, req);
}

static void consume(int expected)
{
    assert_int_equal(vbd_ring_consume(f->ends.ring, 0), expected);
    (void)device_dispatch(f->device, 0);
}

static void expect(uint64_t id, uint8_t operation, int16_t status)
{
    ring_ends_expect(&f->ends, id, operation, status);
}

static void expect_none(void)
{
    ring_ends_expect_none(&f->ends);
}

/* A read ends, and Dom0's loop looks at the ring. */
static void disk_ends(uint32_t which, int status)
{
    fake_disk_complete(f->disk, which, status);
    vbd_ring_flush(f->ends.ring);
}

static void disk_ends_all(int status)
{
    fake_disk_complete_all(f->disk, status);
    vbd_ring_flush(f->ends.ring);
}

static void *data_page(uint32_t i)
{
    return segment_page(&f->segment, f->data_pfn + i);
}

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

/* The front end sees its ring page by page; Dom0 must see the same bytes in order. */
static void scattered_ring_pages_work_across_page_ends(void **state)
{
    (void)state;
    if (under_valgrind())
        skip(); /* it cannot map memory twice by mremap */
    connect_ring(2, 3, 0);
    assert_non_null(f->ends.ring->alias);
    uint8_t *view = f->ends.ring->alias;
    for (uint32_t i = 0; i < 4; i++) {
        volatile uint8_t *page = segment_page(&f->segment, f->segment.free_pfn + i * 3);
        page[XEN_PAGE_SIZE - 1] = (uint8_t)(0x40 + i);
        assert_int_equal(((volatile uint8_t *)view)[(i + 1) * XEN_PAGE_SIZE - 1], 0x40 + i);
    }
    f->ends.front.half.sring =
        f->ends.ring->alias; /* as a front end that maps its pages in order */
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 100; i++) {
            struct blkif_request req = read_request(i, i);
            put(&req);
        }
        for (int turn = 0; turn < 4; turn++) {
            assert_true(vbd_ring_consume(f->ends.ring, 0) >= 0);
            (void)device_dispatch(f->device, 0);
        }
        disk_ends_all(0);
        struct blkif_response rsp;
        for (uint64_t i = 0; i < 100; i++)
            assert_int_equal(blkif_take_response(&f->ends.front, &rsp), 1);
    }
    assert_int_equal(f->ends.ring->stats.reads_done, 300);
}

static void rings_that_cannot_be_mapped_leave_nothing(void **state)
{
    (void)state;
    f->ends.config.page_order = 2;
    for (uint32_t i = 0; i < 4; i++) {
        f->ends.config.ring_ref[i] = RING_REF + i;
        gnttab_grant_access(f->segment.gnttab, RING_REF + i, DOM0_DOMID, f->segment.free_pfn + i,
                            i == 3);
    }
    assert_int_equal(vbd_ring_create(&f->ends.config, &f->ends.ring),
                     -EACCES); /* the last is read-only */
    assert_null(f->ends.ring);
    f->ends.config.ring_ref[2] = UINT32_MAX;
    assert_int_equal(vbd_ring_create(&f->ends.config, &f->ends.ring), -EBADF);
    f->segment.gnttab[RING_REF + 1].frame = NR_PAGES;
    assert_int_equal(vbd_ring_create(&f->ends.config, &f->ends.ring), -EFAULT);
    f->ends.config.page_order = BLKIF_RING_PAGE_ORDER_MAX + 1;
    assert_int_equal(vbd_ring_create(&f->ends.config, &f->ends.ring), -EINVAL);
}

/* XSA-396: once a front end can see the response, the page is its own again. */
static void grants_are_let_go_before_the_response_shows(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    for (int status = 0; status >= -EIO; status -= EIO) { /* also when the disk failed */
        struct blkif_request req = read_request(0, 5);
        put(&req);
        consume(1);
        assert_int_equal(gnttab_end_access(f->segment.gnttab, DATA_REF), -EBUSY);
        fake_disk_complete(f->disk, 0, status);
        expect_none();
        assert_int_equal(f->segment.gnttab[DATA_REF].flags & (GTF_reading | GTF_writing), 0);
        vbd_ring_flush(f->ends.ring);
        expect(0, BLKIF_OP_READ, status == 0 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
        vdisk_image_changed(f->fake.vdisk); /* the next one must go to the disk again */
    }
    assert_int_equal(gnttab_end_access(f->segment.gnttab, DATA_REF), 0);
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

static void persistent_grants_stay_until_the_end(void **state)
{
    (void)state;
    f->ends.config.persistent_grants = true;
    connect_ring(0, 1, 0);
    for (int i = 0; i < 3; i++) {
        struct blkif_request req = read_request(0, (uint64_t)(20 * i));
        put(&req);
        consume(1);
        disk_ends(0, 0);
        expect(0, BLKIF_OP_READ, BLKIF_RSP_OKAY);
        assert_int_equal(gnttab_end_access(f->segment.gnttab, DATA_REF), -EBUSY);
    }
    assert_int_equal(f->ends.ring->grants.mapped_count, 2);
    disconnect_ring();
    assert_int_equal(gnttab_end_access(f->segment.gnttab, DATA_REF), 0);
}

static void a_ring_may_end_with_requests_in_flight(void **state)
{
    (void)state;
    connect_ring(0, 1, 0);
    for (uint64_t i = 0; i < 10; i++) {
        struct blkif_request req = read_request(i, i * 20);
        put(&req);
    }
    assert_int_equal(vbd_ring_consume(f->ends.ring, 0), 10);
    disk_ends_all(0);
    (void)device_dispatch(f->device, 0); /* all at the disk */
    struct blkif_request queued = read_request(11, 3000);
    put(&queued);
    assert_int_equal(vbd_ring_consume(f->ends.ring, 0), 1); /* this one waits for its turn */
    disconnect_ring();
    memset(data_page(0), 0x77, XEN_PAGE_SIZE);
    fake_disk_complete_all(f->disk, 0);
    assert_int_equal(((uint8_t *)data_page(0))[0], 0x77); /* nothing is written any more */
    expect_none();
    connect_ring(0, 1, 0); /* and again */
    put(&queued);
    consume(1);
    disk_ends(0, 0);
    expect(11, BLKIF_OP_READ, BLKIF_RSP_OKAY);
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

struct seen {
    struct trace_writer writer;
    struct trace_reader reader;
    struct trace_record record[8];
    uint32_t count;
};

static void start_trace(struct seen *seen)
{
    *seen = (struct seen){.count = 0};
    int fd = trace_writer_make(1, 8, "test");
    assert_true(fd >= 0);
    assert_int_equal(trace_writer_map(&seen->writer, 1, 8, fd), 0);
    assert_int_equal(trace_reader_open(&seen->reader, 1, 8, fd, true), 0);
    close(fd);
    const struct back_trace to = {.threshold = UINT32_MAX, .writer = &seen->writer};
    assert_int_equal(vbd_trace_set(f->ends.ring, &to), 0);
}

static void stop_trace(struct seen *seen)
{
    if (f->ends.ring != NULL)
        assert_int_equal(vbd_trace_set(f->ends.ring, &(struct back_trace){.threshold = 0}), 0);
    trace_reader_close(&seen->reader);
    trace_writer_unmap(&seen->writer);
}

static void see(void *ctx, const struct trace_record *record)
{
    struct seen *seen = ctx;
    seen->record[seen->count++] = *record;
}

static uint32_t look(struct seen *seen)
{
    seen->count = 0;
    (void)trace_reader_take(&seen->reader, see, seen);
    return seen->count;
}

static void assert_stages(const struct trace_record *record, bool disk)
{
    uint64_t before_ns = 0;
    for (int i = TRACE_TAKEN; i <= TRACE_PUBLISHED; i++) {
        bool is_disks = i >= TRACE_QUEUED && i <= TRACE_COMPLETED;
        assert_int_equal(record->at_ns[i] != 0, !is_disks || disk);
        assert_true(record->at_ns[i] == 0 || record->at_ns[i] >= before_ns);
        before_ns = record->at_ns[i] != 0 ? record->at_ns[i] : before_ns;
    }
    assert_int_equal(record->at_ns[TRACE_ON_RING], 0);
}

static void a_traced_read_has_its_stages(void **state)
{
    struct seen seen;
    (void)state;
    f->ends.config.devid = 51712;
    connect_ring(0, 1, 0);
    start_trace(&seen);
    struct blkif_request req = read_request(7, 100);
    put(&req);
    consume(1);
    assert_int_equal(look(&seen), 0);
    disk_ends(0, 0);
    assert_int_equal(look(&seen), 1);
    const struct trace_record *record = &seen.record[0];
    assert_stages(record, true);
    assert_int_equal(record->kind, TRACE_BACK);
    assert_int_equal(record->domid, DOMID);
    assert_int_equal(record->devid, 51712);
    assert_int_equal(record->id, 7);
    assert_int_equal(record->sector, 100);
    put(&req); /* a hit now */
    consume(1);
    assert_int_equal(look(&seen), 1);
    assert_stages(record, false);
    req.nr_segments = 0; /* refused */
    put(&req);
    consume(1);
    assert_int_equal(look(&seen), 1);
    assert_int_equal(record->status, BLKIF_RSP_ERROR);
    stop_trace(&seen);
}

static void requests_outlive_their_trace(void **state)
{
    struct seen seen;
    (void)state;
    connect_ring(0, 1, 0);
    start_trace(&seen);
    struct blkif_request req = read_request(7, 100);
    put(&req);
    consume(1);
    stop_trace(&seen);
    disk_ends(0, 0);
    expect(7, BLKIF_OP_READ, BLKIF_RSP_OKAY);
    start_trace(&seen); /* one that is older than the trace */
    req = read_request(8, 200);
    put(&req);
    consume(1);
    disconnect_ring();
    stop_trace(&seen);
}

int main(void)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RING_TEST(a_read_is_answered_with_its_data),
        RING_TEST(bad_requests_get_their_status_and_the_ring_goes_on),
        RING_TEST(too_many_segments_are_an_error),
        RING_TEST(a_disk_error_is_an_error_of_that_request),
        RING_TEST(equal_ids_are_answered_each),
        RING_TEST(an_index_that_makes_no_sense_halts_the_ring),
        RING_TEST(one_look_takes_a_bounded_batch),
        RING_TEST(one_look_copies_a_bounded_number_of_sectors),
        RING_TEST(requests_of_one_look_keep_their_stamps),
        RING_TEST(scattered_ring_pages_work_across_page_ends),
        RING_TEST(rings_that_cannot_be_mapped_leave_nothing),
        RING_TEST(grants_are_let_go_before_the_response_shows),
        RING_TEST(arming_shows_what_was_answered),
        RING_TEST(persistent_grants_stay_until_the_end),
        RING_TEST(a_ring_may_end_with_requests_in_flight),
        RING_TEST(the_front_end_is_notified_when_it_asked),
        RING_TEST(a_traced_read_has_its_stages),
        RING_TEST(requests_outlive_their_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
