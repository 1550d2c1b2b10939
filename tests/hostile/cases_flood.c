/* SPDX-License-Identifier: MIT */
/* Floods of doorbells and of bad requests, and what they are compared with. */
#include <errno.h>

#include "cases.h"
#include "ring/evtchn.h"
#include "ring/sleeper.h"

enum { LARGEST_ORDER = 4, PART = 64, LATE_STORMS_MAX = 200 };

int case_idle(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    while (rc == 0 && peer_now_ms() < a->deadline_ms)
        peer_sleep_ms(20);
    rc = saw(a, rc == 0, "nothing is done");
    peer_destroy(&peer);
    return rc;
}

int case_busy(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    while (rc == 0 && peer_now_ms() < a->deadline_ms)
        continue; /* takes CPU time, and nothing of Dom0 */
    rc = saw(a, rc == 0, "a CPU is kept busy");
    peer_destroy(&peer);
    return rc;
}

static void kick(struct peer *peer, uint64_t *kicks)
{
    for (int i = 0; i < 1000; i++, (*kicks)++)
        (void)evtchn_kick(peer->doorbell_fd);
}

int case_kick_storm(struct attack *a)
{
    struct peer peer;
    uint64_t kicks = 0;
    int64_t mutes = 0;
    int rc = peer_open(&peer, &a->rundir);
    while (rc == 0 && peer_now_ms() < a->deadline_ms)
        kick(&peer, &kicks);
    /* On a busy machine it is we who were late. */
    for (int i = 0; rc == 0 && mutes == 0 && i < LATE_STORMS_MAX; i++) {
        kick(&peer, &kicks);
        mutes = peer_status(&a->rundir, peer.segment.domid, "doorbell_mutes");
    }
    /* It gets its requests served all the same, if not at once. */
    struct blkif_request req = peer_read_request(&peer, 1, 1);
    int status = rc == 0 ? peer_request(&peer, &req) : rc;
    rc = saw(a, mutes > 0 && status == BLKIF_RSP_OKAY,
             "%llu doorbells: put on a timer %lld times, then served (%d)",
             (unsigned long long)kicks, (long long)mutes, status);
    peer_destroy(&peer);
    return rc;
}

static struct blkif_request largest_read(const struct peer *peer, uint64_t id)
{
    struct blkif_request req = peer_read_request(peer, id, 0);
    req.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    for (uint32_t i = 0; i < req.nr_segments; i++)
        req.seg[i] = (struct blkif_request_segment){peer->data_ref + i, 0, 7};
    return req;
}

/* Says of each request that a thread sleeps until it is answered: Dom0 is to wake them all. */
static void claim_sleepers(struct peer *peer)
{
    for (uint32_t i = 0; i < SLEEPERS_MAX; i++)
        sleeper_lie_down(&peer->segment.sleepers->word[i]);
}

/* The largest ring, always full of the largest reads, all of sectors that are in the cache: nothing
 * but copies for Dom0. */
int case_hit_flood(struct attack *a)
{
    struct peer peer;
    struct blkif_response rsp;
    uint64_t count = 0, in_flight = 0;
    int rc = peer_create(&peer, &a->rundir, LARGEST_ORDER, false);
    if (rc == 0)
        rc = peer_connect(&peer);
    while (rc == 0 && peer_now_ms() < a->deadline_ms) {
        for (; in_flight < peer.ring.half.nr_ents; in_flight++) {
            struct blkif_request req = largest_read(&peer, in_flight);
            peer_put(&peer, &req);
        }
        claim_sleepers(&peer);
        peer_push(&peer, false);
        for (uint32_t i = 0; rc == 0 && i < PART; i++, in_flight--, count++) {
            rc = peer_response(&peer, &rsp);
            if (rc == 0 && rsp.status != BLKIF_RSP_OKAY)
                rc = -EPROTO;
        }
    }
    rc = saw(a, rc == 0, "%llu reads of 44 KiB answered (%d)", (unsigned long long)count, rc);
    peer_destroy(&peer);
    return rc;
}

int case_bad_request_flood(struct attack *a)
{
    struct peer peer;
    uint64_t count = 0;
    int rc = peer_open(&peer, &a->rundir);
    while (rc == 0 && peer_now_ms() < a->deadline_ms) {
        struct blkif_response rsp;
        for (uint32_t i = 0; i < peer.ring.half.nr_ents; i++) {
            struct blkif_request req = peer_read_request(&peer, i, UINT64_MAX);
            peer_put(&peer, &req);
        }
        claim_sleepers(&peer);
        peer_push(&peer, false);
        for (uint32_t i = 0; rc == 0 && i < peer.ring.half.nr_ents; i++, count++) {
            rc = peer_response(&peer, &rsp);
            if (rc == 0 && rsp.status != BLKIF_RSP_ERROR)
                rc = -EPROTO;
        }
    }
    int64_t errors = peer_status(&a->rundir, peer.segment.domid, "errors");
    rc = saw(a, rc == 0 && errors == (int64_t)count, "%llu answered with an error, %lld counted",
             (unsigned long long)count, (long long)errors);
    peer_destroy(&peer);
    return rc;
}

/* A ring of the largest size full of the largest reads, all of the same sectors. */
int case_same_sectors(struct attack *a)
{
    struct peer peer;
    uint64_t count = 0;
    int rc = peer_create(&peer, &a->rundir, BLKIF_RING_PAGE_ORDER_MAX, false);
    if (rc == 0)
        rc = peer_connect(&peer);
    while (rc == 0 && peer_now_ms() < a->deadline_ms) {
        struct blkif_response rsp;
        struct blkif_request req = peer_read_request(&peer, 0, count % 8192);
        req.nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
        for (uint32_t i = 0; i < req.nr_segments; i++)
            req.seg[i] = (struct blkif_request_segment){.gref = peer.data_ref + i,
                                                        .last_sect = BLKIF_SECTORS_PER_PAGE - 1};
        for (req.id = 0; req.id < peer.ring.half.nr_ents; req.id++)
            peer_put(&peer, &req);
        peer_push(&peer, false);
        for (uint32_t i = 0; rc == 0 && i < peer.ring.half.nr_ents; i++, count++) {
            rc = peer_response(&peer, &rsp);
            if (rc == 0 && rsp.status != BLKIF_RSP_OKAY)
                rc = -EPROTO;
        }
    }
    rc = saw(a, rc == 0, "%llu reads of 44 KiB answered (%d)", (unsigned long long)count, rc);
    peer_destroy(&peer);
    return rc;
}
