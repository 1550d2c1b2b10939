/* SPDX-License-Identifier: MIT */
/* The ring's indices, slots and event words. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "cases.h"
#include "ring/barrier.h"

/* The ring was halted: state Closing, and a good request is no longer answered. */
static int saw_halted(struct attack *a, struct peer *peer)
{
    int rc = peer_wait_state(peer, XenbusStateClosing);
    int64_t halted = peer_status(&peer->rundir, peer->segment.domid, "halted");
    return saw(a, rc == 0 && halted == 1, "ring halted, state Closing (%d, %lld)", rc,
               (long long)halted);
}

static int break_index(struct attack *a, uint32_t good_requests, uint32_t delta)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    for (uint32_t i = 0; rc == 0 && i < good_requests; i++) {
        struct blkif_request req = peer_read_request(&peer, i, i);
        rc = peer_request(&peer, &req);
    }
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    peer.ring.half.req_prod_pvt += delta;
    peer_push(&peer, true);
    rc = saw_halted(a, &peer);
    /* A halted ring is forgotten when the device is closed: a fresh start must work. */
    if (rc == 0 && (peer_restart(&peer) < 0 || peer_connect(&peer) < 0))
        rc = saw(a, 0, "halted, and could not start over");
    peer_destroy(&peer);
    return rc;
}

int case_prod_ahead(struct attack *a)
{
    return break_index(a, 5, 1000) < 0 ? -1 : break_index(a, 0, 33);
}

int case_prod_back(struct attack *a)
{
    return break_index(a, 20, (uint32_t)-5);
}

struct scribbler {
    struct peer *peer;
    uint32_t stop;
    uint32_t seed;
    void (*scribble)(struct scribbler *s);
};

static void *scribble_loop(void *arg)
{
    struct scribbler *s = arg;
    while (load_relaxed_u32(&s->stop) == 0)
        s->scribble(s);
    return NULL;
}

/* Rewrites words that the peer holds, for as long as requests go by; always: rings for each of
 * them, whatever Dom0 asked for. Returns how many of count requests were answered, each with an id
 * that was asked for and a status that exists. */
static int with_scribbler(struct peer *peer, void (*scribble)(struct scribbler *s), uint32_t count,
                          bool always)
{
    struct scribbler s = {.peer = peer, .scribble = scribble, .seed = 1};
    pthread_t thread;
    uint32_t answered = 0;
    if (pthread_create(&thread, NULL, scribble_loop, &s) != 0)
        return -EAGAIN;
    while (answered < count) {
        struct blkif_request req = peer_read_request(peer, 77, answered);
        struct blkif_response rsp;
        peer_put(peer, &req);
        peer_push(peer, always);
        if (peer_response(peer, &rsp) < 0 || rsp.id != req.id || rsp.status < BLKIF_RSP_EOPNOTSUPP)
            break;
        answered++;
    }
    store_relaxed_u32(&s.stop, 1);
    pthread_join(thread, NULL);
    return (int)answered;
}

static uint32_t next(struct scribbler *s)
{
    s->seed = s->seed * 1664525 + 1013904223;
    return s->seed >> 8;
}

static void scribble_prod(struct scribbler *s)
{
    struct sring *sring = s->peer->ring.half.sring;
    uint32_t good = load_relaxed_u32(&s->peer->ring.half.req_prod);
    store_relaxed_u32(&sring->req_prod, good + next(s) % 64 - 32);
    store_relaxed_u32(&sring->req_prod, good);
}

/* What may come of an index that moved: the ring is halted, or goes on. A request that is neither
 * refused with the ring nor answered would be lost. */
static bool halted_or_all_answered(const struct peer *peer, int state)
{
    uint32_t produced = load_acquire_u32(&peer->ring.half.sring->rsp_prod);
    if (state == XenbusStateConnected)
        return (int32_t)(produced - peer->ring.half.req_prod_pvt) >= 0;
    return state == XenbusStateClosing;
}

int case_prod_moving(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    /* Slots that were never written count as requests while the index is ahead: whatever Dom0
     * reads, it goes on or halts this ring, and a fresh start works. It always hears the doorbell,
     * because its word for when to ring may come of what it was made to see. */
    int answered = with_scribbler(&peer, scribble_prod, 200, true);
    int64_t deadline = peer_now_ms() + PEER_PATIENCE_MS;
    int state = peer_back_state(&peer);
    while (!halted_or_all_answered(&peer, state) && peer_now_ms() < deadline) {
        peer_sleep_ms(1);
        state = peer_back_state(&peer);
    }
    bool good_end = halted_or_all_answered(&peer, state);
    struct blkif_request good = peer_read_request(&peer, 1, 1);
    rc = peer_restart(&peer);
    rc = rc < 0 ? rc : peer_connect(&peer);
    rc = rc < 0 ? rc : peer_request(&peer, &good);
    rc = saw(a, good_end && rc == BLKIF_RSP_OKAY,
             "state %d after %d answers, then a fresh start: %d", state, answered, rc);
    peer_destroy(&peer);
    return rc;
}

static void scribble_slots(struct scribbler *s)
{
    struct sring *sring = s->peer->ring.half.sring;
    /* Behind the bytes that a response takes: sector_number and segments. */
    volatile uint64_t *words = (volatile uint64_t *)(void *)blkif_ring_slot(sring, 32, next(s));
    words[2 + next(s) % 12] = (uint64_t)next(s) << 32 | next(s);
}

int case_slot_rewritten(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    int answered = with_scribbler(&peer, scribble_slots, 1000, false);
    rc = saw(a, answered == 1000, "%d of 1000 answered, each with its id", answered);
    peer_destroy(&peer);
    return rc;
}

static void scribble_events(struct scribbler *s)
{
    struct sring *sring = s->peer->ring.half.sring;
    store_relaxed_u32(&sring->req_event, next(s));
    store_relaxed_u32(&sring->rsp_event, next(s));
    memset(sring->pad, (int)next(s), sizeof(sring->pad));
}

int case_event_garbage(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    struct scribbler s = {.peer = &peer, .scribble = scribble_events, .seed = 3};
    pthread_t thread;
    if (pthread_create(&thread, NULL, scribble_loop, &s) != 0)
        return saw(a, 0, "no thread");
    uint32_t answered = 0;
    for (; answered < 200; answered++) {
        struct blkif_request req = peer_read_request(&peer, answered, answered);
        struct blkif_response rsp;
        peer_put(&peer, &req);
        peer_push(&peer, true); /* the word that says whether to ring is garbage */
        if (peer_response(&peer, &rsp) < 0)
            break;
    }
    store_relaxed_u32(&s.stop, 1);
    pthread_join(thread, NULL);
    rc = saw(a, answered == 200, "%u of 200 answered, at the cost of its own kicks", answered);
    peer_destroy(&peer);
    return rc;
}

int case_same_id(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    int answered = 0;
    for (uint32_t i = 0; i < peer.ring.half.nr_ents; i++) {
        struct blkif_request req = peer_read_request(&peer, UINT64_MAX - 7, i * 97 % 4000);
        peer_put(&peer, &req);
    }
    peer_push(&peer, false);
    struct blkif_response rsp;
    while (answered < (int)peer.ring.half.nr_ents && peer_response(&peer, &rsp) == 0 &&
           rsp.id == UINT64_MAX - 7 && rsp.status == BLKIF_RSP_OKAY)
        answered++;
    rc = saw(a, answered == (int)peer.ring.half.nr_ents, "%d answers, all with the one id",
             answered);
    peer_destroy(&peer);
    return rc;
}

/* Waits until Dom0 has put count responses on the ring, without taking them. */
static bool wait_produced(const struct peer *peer, uint32_t count)
{
    int64_t deadline = peer_now_ms() + PEER_PATIENCE_MS;
    while (load_acquire_u32(&peer->ring.half.sring->rsp_prod) != count) {
        if (peer_now_ms() > deadline)
            return false;
        peer_sleep_ms(1);
    }
    return true;
}

int case_no_consume(struct attack *a)
{
    struct peer peer;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    uint32_t rounds = 0;
    /* Responses are never taken: Dom0 overwrites them, or stops. Then one too many in flight. */
    for (; rounds < 4; rounds++) {
        for (uint32_t i = 0; i < peer.ring.half.nr_ents; i++) {
            struct blkif_request req = peer_read_request(&peer, i, i);
            peer_put(&peer, &req);
        }
        peer_push(&peer, true);
        if (!wait_produced(&peer, (rounds + 1) * peer.ring.half.nr_ents))
            break;
    }
    int64_t in_flight = peer_status(&a->rundir, peer.segment.domid, "in_flight");
    rc = saw(a, rounds == 4 && in_flight == 0, "%u rings full served, %lld held in Dom0", rounds,
             (long long)in_flight);
    peer_destroy(&peer);
    return rc;
}

int case_no_kick(struct attack *a)
{
    struct peer peer;
    struct blkif_response rsp;
    int rc = peer_open(&peer, &a->rundir);
    if (rc < 0)
        return saw(a, 0, "no good start: %d", rc);
    peer_sleep_ms(20); /* Dom0 stops to look at it */
    for (uint32_t i = 0; i < 8; i++) {
        struct blkif_request req = peer_read_request(&peer, i, i);
        peer_put(&peer, &req);
    }
    (void)front_ring_push(&peer.ring.half); /* and no doorbell */
    peer_sleep_ms(20);
    uint32_t early = load_acquire_u32(&peer.ring.half.sring->rsp_prod);
    peer_push(&peer, true);
    int answered = 0;
    while (answered < 8 && peer_response(&peer, &rsp) == 0)
        answered++;
    rc = saw(a, answered == 8, "%u answered unasked, all 8 after the doorbell", early);
    peer_destroy(&peer);
    return rc;
}
