/* SPDX-License-Identifier: MIT */
/* ring_ends: both ends of a disk's ring in one test: the front end's half in a real segment, and
 * Dom0's ring, which its loop watches. */
#ifndef SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_RING_ENDS_H
#define SPLITDOM_TESTS_UNIT_SERVICE_BACK_VBD_RING_ENDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring/blkif_front_ring.h"
#include "ring/gnttab.h"
#include "service/back/vbd/vbd_ring.h"

struct ring_ends {
    struct vbd_ring_config config; /* its segment is set before they are connected */
    struct vbd_ring *ring;         /* NULL: not connected */
    struct blkif_front_ring front;
    struct pollables loop;
    struct poll_peer peer;
};

/* Grants 2^order ring pages from ref on, step pages apart from the first free one on, and connects.
 */
static inline void ring_ends_connect(struct ring_ends *ends, grant_ref_t ref, uint32_t order,
                                     uint32_t step, uint32_t index)
{
    const struct segment *segment = ends->config.segment;
    struct sring *sring = segment_page(segment, segment->free_pfn);
    ends->config.page_order = order;
    for (uint32_t i = 0; i < 1u << order; i++) {
        ends->config.ring_ref[i] = ref + i;
        gnttab_grant_access(segment->gnttab, ref + i, DOM0_DOMID, segment->free_pfn + i * step,
                            false);
    }
    sring_init(sring, index);
    front_ring_init(&ends->front.half, sring, blkif_ring_entries(order), index);
    assert_int_equal(vbd_ring_create(&ends->config, &ends->ring), 0);
    pollables_add(&ends->loop, &ends->peer, &ends->ring->pollable);
}

static inline void ring_ends_disconnect(struct ring_ends *ends)
{
    if (ends->ring != NULL)
        pollables_remove(&ends->ring->pollable);
    vbd_ring_destroy(ends->ring);
    ends->ring = NULL;
}

/* Dom0 holds nothing of the domain any more. */
static inline void ring_ends_hold_nothing(const struct segment *segment)
{
    for (uint32_t ref = 8; ref < segment->nr_grant_entries; ref++)
        assert_int_equal(segment->gnttab[ref].flags & (GTF_reading | GTF_writing), 0);
}

static inline void ring_ends_put(struct ring_ends *ends, const struct blkif_request *req)
{
    blkif_put_request(&ends->front, req);
    (void)front_ring_push(&ends->front.half);
}

/* The next response must be this one. */
static inline void ring_ends_expect(struct ring_ends *ends, uint64_t id, uint8_t operation,
                                    int16_t status)
{
    struct blkif_response rsp;
    assert_int_equal(blkif_take_response(&ends->front, &rsp), 1);
    assert_int_equal(rsp.id, id);
    assert_int_equal(rsp.operation, operation);
    assert_int_equal(rsp.status, status);
}

static inline void ring_ends_expect_none(struct ring_ends *ends)
{
    struct blkif_response rsp;
    assert_int_equal(blkif_take_response(&ends->front, &rsp), 0);
}

#endif
