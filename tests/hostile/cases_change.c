/* SPDX-License-Identifier: MIT */
/* Large requests, whose segments are named in pages: pages that lie, and front ends that leave
 * while Dom0's device is at work on their memory. */
#include <string.h>

#include "cases.h"
#include "ring/gnttab.h"

enum {
    NAMES = 2,   /* pages that name segments: the first of the data pages */
    LARGE = 256, /* segments of a request */
    ROUND = 16,  /* requests at once */
    LEAVES = 50,
};

static struct blkif_request_segment *named(struct peer *peer, uint32_t i)
{
    uint32_t page = i / BLKIF_SEGMENTS_PER_INDIRECT_PAGE;
    struct blkif_request_segment *segments = segment_page(&peer->segment, peer->data_pfn + page);
    return &segments[i % BLKIF_SEGMENTS_PER_INDIRECT_PAGE];
}

/* Whole pages behind those that name. */
static void name_well(struct peer *peer)
{
    for (uint32_t i = 0; i < NAMES * BLKIF_SEGMENTS_PER_INDIRECT_PAGE; i++)
        *named(peer, i) = (struct blkif_request_segment){
            .gref = peer->data_ref + NAMES + i % (PEER_DATA_PAGES - NAMES), .last_sect = 7};
}

static void put_large(struct peer *peer, uint64_t id, uint16_t segments)
{
    struct blkif_request req;
    struct blkif_request_indirect indirect = {.operation = BLKIF_OP_INDIRECT,
                                              .indirect_op = BLKIF_OP_READ,
                                              .nr_segments = segments,
                                              .id = id,
                                              .sector_number = id * 8};
    for (uint32_t i = 0; i < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; i++)
        indirect.indirect_grefs[i] = peer->data_ref + i % NAMES;
    memset(&req, 0, sizeof(req));
    memcpy(&req, &indirect, sizeof(indirect));
    peer_put(peer, &req);
}

/* What it names changes at any time: good, bad, elsewhere. */
static void lie(struct peer *peer, uint32_t n)
{
    struct blkif_request_segment *seg = named(peer, n * 7 % LARGE);
    switch (n % 4) {
    case 0:
        seg->last_sect = (uint8_t)(n * 5);
        break;
    case 1:
        seg->gref = n * 2654435761u;
        break;
    default:
        *seg = (struct blkif_request_segment){.gref = peer->data_ref + NAMES, .last_sect = 7};
        break;
    }
}

int case_indirect_lies(struct attack *a)
{
    struct peer peer;
    uint32_t good = 0, bad = 0, n = 0;
    if (peer_open(&peer, &a->rundir) < 0)
        return saw(a, 0, "no good start");
    do {
        name_well(&peer);
        for (uint64_t id = 0; id < ROUND; id++)
            put_large(&peer, id, (uint16_t)(1 + (n + id * 37) % LARGE));
        peer_push(&peer, true);
        for (uint32_t answers = 0; answers < ROUND;) {
            struct blkif_response rsp;
            for (int i = 0; i < 20; i++)
                lie(&peer, n++);
            int rc = blkif_take_response(&peer.ring, &rsp);
            if (rc == 0)
                rc = peer_response(&peer, &rsp) == 0 ? 1 : -1;
            if (rc < 0 || rsp.operation != BLKIF_OP_READ) {
                peer_destroy(&peer);
                return saw(a, 0, "no answer, or a wrong one");
            }
            good += rsp.status == BLKIF_RSP_OKAY;
            bad += rsp.status == BLKIF_RSP_ERROR;
            answers++;
        }
    } while (peer_now_ms() < a->deadline_ms);
    peer_destroy(&peer);
    return saw(a, good + bad > 0, "%u read, %u refused", good, bad);
}

static int all_back(struct peer *peer)
{
    for (int64_t deadline = peer_now_ms() + PEER_PATIENCE_MS; peer_now_ms() < deadline;
         peer_sleep_ms(1)) {
        uint32_t busy = 0;
        for (uint32_t i = 0; i < PEER_DATA_PAGES; i++)
            busy +=
                (peer->segment.gnttab[peer->data_ref + i].flags & (GTF_reading | GTF_writing)) != 0;
        if (busy == 0)
            return 1;
    }
    return 0;
}

/* Closes the disk, or ends, with large reads under way: straight into its pages. */
int case_leaves(struct attack *a)
{
    int64_t deadline = a->deadline_ms;
    int left = 0;
    do {
        struct peer peer;
        if (peer_open(&peer, &a->rundir) < 0)
            return saw(a, 0, "no good start");
        name_well(&peer);
        for (int i = 0; i < 3; i++, left++) {
            for (uint64_t id = 0; id < ROUND; id++)
                put_large(&peer, id, LARGE);
            peer_push(&peer, true);
            if (i == 2)
                break; /* ends */
            if (peer_restart(&peer) < 0 || !all_back(&peer) || peer_connect(&peer) < 0) {
                peer_destroy(&peer);
                return saw(a, 0, "its pages stay in use, or it is not let in again");
            }
        }
        peer_destroy(&peer);
    } while (peer_now_ms() < deadline && left < LEAVES);
    return saw(a, 1, "left %d times in the middle", left);
}
