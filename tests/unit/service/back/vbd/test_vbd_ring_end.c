/* SPDX-License-Identifier: MIT */
/* vbd_ring: what it maps, and what it has left when it ends. */
#include <errno.h>
#include <string.h>

#include "fakes/valgrind.h"
#include "faults/fault_walk.h"
#include "unit/service/back/vbd/vbd_ring_fixture.h"

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

/* Each counter under its own name. */
static void what_rings_have_done_is_added_up(void **state)
{
    enum { COUNTERS = sizeof(struct vbd_ring_stats) / sizeof(uint64_t) };
    uint64_t counters[COUNTERS];
    struct vbd_ring_stats sum = {0}, one;
    (void)state;
    for (uint64_t times = 1; times <= 100; times *= 10) {
        for (uint64_t i = 0; i < COUNTERS; i++)
            counters[i] = (i + 1) * times;
        memcpy(&one, counters, sizeof(one));
        vbd_ring_stats_add(&sum, &one);
    }
    memcpy(counters, &sum, sizeof(counters));
    for (uint64_t i = 0; i < COUNTERS; i++)
        assert_int_equal(counters[i], (i + 1) * 111);
    sum = (struct vbd_ring_stats){
        .requests = 1111, .writes = 1, .flushes = 10, .discards = 100, .unknown = 1000};
    assert_int_equal(vbd_ring_stats_reads(&sum), 0);
    sum.requests += 7;
    assert_int_equal(vbd_ring_stats_reads(&sum), 7);
}

static int create(void *config)
{
    struct vbd_ring *ring;
    int rc = vbd_ring_create(config, &ring);
    assert_true((rc < 0) == (ring == NULL));
    vbd_ring_destroy(ring);
    return rc;
}

static void without_memory_there_is_no_ring(void **state)
{
    (void)state;
    f->ends.config.page_order = 1;
    for (uint32_t i = 0; i < 2; i++) {
        f->ends.config.ring_ref[i] = RING_REF + i;
        gnttab_grant_access(f->segment.gnttab, RING_REF + i, DOM0_DOMID,
                            f->segment.free_pfn + 2 * i, false);
    }
    assert_true(fault_walk(create, &f->ends.config) >= 4);
    ring_ends_hold_nothing(&f->segment);
}

int main(void)
{
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RING_TEST(scattered_ring_pages_work_across_page_ends),
        RING_TEST(rings_that_cannot_be_mapped_leave_nothing),
        RING_TEST(grants_are_let_go_before_the_response_shows),
        RING_TEST(persistent_grants_stay_until_the_end),
        RING_TEST(a_ring_may_end_with_requests_in_flight),
        RING_TEST(what_rings_have_done_is_added_up),
        RING_TEST(without_memory_there_is_no_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
