/* SPDX-License-Identifier: MIT */
/* Frames onto the tx ring: copied into pages that are ours, so that Dom0 never sees the caller's.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "domu/cancel_hold.h"
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"

/* What a frame needs. */
struct need {
    uint32_t pages, extras;
};

static bool takes_gso(const struct netfront_queue *q, uint8_t gso_type)
{
    return gso_type == NETFRONT_GSO_TCPV4 ? q->nf->gso_tcpv4 : q->nf->gso_tcpv6;
}

static bool is_ipv6(const struct netfront_frame *frame)
{
    const uint8_t *bytes = frame->data;
    return bytes[12] == 0x86 && bytes[13] == 0xdd;
}

/* Can it be sent to this Dom0? Errors: as netfront_send. */
static int check(const struct netfront_queue *q, const struct netfront_frame *frame,
                 struct need *need)
{
    if (frame->length_bytes < NETFRONT_FRAME_MIN || frame->length_bytes > NETFRONT_FRAME_MAX ||
        frame->gso_type > NETFRONT_GSO_TCPV6 ||
        (frame->gso_type != NETFRONT_GSO_NONE) != (frame->gso_size_bytes != 0))
        return -EINVAL;
    *need = (struct need){(frame->length_bytes + XEN_PAGE_SIZE - 1) / XEN_PAGE_SIZE,
                          (frame->gso_type != NETFRONT_GSO_NONE) + (uint32_t)q->nf->stamps};
    if (need->pages > q->tx_slots.count)
        return -EINVAL;
    if ((need->pages > 1 && !q->nf->scatter_gather) ||
        (frame->gso_type != NETFRONT_GSO_NONE && !takes_gso(q, frame->gso_type)) ||
        (frame->checksum_blank && is_ipv6(frame) && !q->nf->ipv6_checksum))
        return -EOPNOTSUPP;
    return 0;
}

/* A frame that does not say when it leaves leaves now. */
static uint64_t departure_ns(struct netfront_queue *q, const struct netfront_frame *frame)
{
    uint64_t now_ns = frame->stamp_ns;
    if (now_ns == 0)
        (void)domain_clock_read_ns(q->nf->clock, &now_ns);
    return now_ns;
}

static void put_extra(struct netfront_queue *q, const struct netif_extra_info *extra)
{
    netif_tx_put_extra(&q->tx_ring, extra);
    tx_slots_add_extra(&q->tx_slots);
}

static void put_extras(struct netfront_queue *q, const struct netfront_frame *frame)
{
    if (frame->gso_type != NETFRONT_GSO_NONE) {
        const struct netif_extra_info extra = {
            .type = XEN_NETIF_EXTRA_TYPE_GSO,
            .flags = q->nf->stamps ? XEN_NETIF_EXTRA_FLAG_MORE : 0,
            .u.gso = {.size = frame->gso_size_bytes, .type = frame->gso_type}};
        put_extra(q, &extra);
    }
    if (q->nf->stamps) {
        uint64_t stamp_ns = departure_ns(q, frame) - domain_clock_offset_ns(q->nf->clock);
        struct netif_extra_info extra = {.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP};
        splitdom_netif_stamp_put(&extra, stamp_ns);
        put_extra(q, &extra);
    }
}

static uint16_t first_flags(const struct netfront_frame *frame, const struct need *need)
{
    int flags = 0;
    if (frame->checksum_blank)
        flags |= NETTXF_csum_blank | NETTXF_data_validated;
    if (frame->data_validated)
        flags |= NETTXF_data_validated;
    if (need->extras > 0)
        flags |= NETTXF_extra_info;
    return (uint16_t)flags;
}

/* Puts it on the ring, where there is room for what it needs; not shown yet. */
static void put(struct netfront_queue *q, const struct netfront_frame *frame,
                const struct need *need)
{
    const uint8_t *from = frame->data;
    uint32_t left = frame->length_bytes;
    for (uint32_t i = 0; i < need->pages; i++) {
        const uint32_t bytes = left < XEN_PAGE_SIZE ? left : XEN_PAGE_SIZE;
        const uint16_t id = tx_slots_take(&q->tx_slots, i == 0);
        struct netif_tx_request req = {.gref = q->tx_ref + id, .id = id};
        memcpy(q->tx_data + (size_t)id * XEN_PAGE_SIZE, from, bytes);
        from += bytes;
        left -= bytes;
        req.size = (uint16_t)(i == 0 ? frame->length_bytes : bytes);
        if (i == 0)
            req.flags = first_flags(frame, need);
        if (left > 0)
            req.flags |= NETTXF_more_data;
        netif_tx_put_request(&q->tx_ring, &req);
        if (i == 0)
            put_extras(q, frame);
    }
    assert(left == 0);
    q->tx_count.frames++;
    q->tx_count.bytes += frame->length_bytes;
}

/* Takes all responses that are there. Errors: -EPROTO, and the interface has failed. */
static int reap(struct netfront_queue *q)
{
    struct netif_tx_response rsp;
    int rc;
    while ((rc = netif_tx_take_response(&q->tx_ring, &rsp)) == 1) {
        rc = tx_slots_answer(&q->tx_slots, &rsp);
        if (rc < 0)
            break;
        q->tx_count.errors += rc == TX_ANSWER_ERROR;
        q->tx_count.dropped += rc == TX_ANSWER_DROPPED;
    }
    if (rc < 0)
        netfront_fail(q->nf, -EPROTO, "Dom0 broke the ring protocol: the interface is disabled");
    return rc < 0 ? netfront_failed(q->nf) : 0;
}

static bool has_room(const struct netfront_queue *q, const struct need *need)
{
    return q->tx_slots.free_count >= need->pages &&
           front_ring_free(&q->tx_ring.half) >= need->pages + need->extras;
}

static void push(struct netfront_queue *q)
{
    if (front_ring_push(&q->tx_ring.half))
        netfront_kick(q->nf, &q->tx);
}

/* Sleeps until Dom0 has answered half of what it has, or the time is over. Nothing is unpushed. */
static void sleep_for_answers(struct netfront_queue *q, uint64_t deadline_ns, bool all)
{
    const uint32_t unanswered = tx_slots_unanswered(&q->tx_slots);
    const uint32_t wanted = all || unanswered < 2 ? unanswered : unanswered / 2;
    if (!front_ring_await(&q->tx_ring.half, wanted))
        netfront_sleep(q->nf, &q->tx, netfront_left_ns(deadline_ns));
}

/* With the lock: is there a ring? Errors: of the interface; -EAGAIN the time is over; -ESTALE it is
 * another one than at begin: of a Dom0 that may have more or fewer queues, or lack what the last
 * one had. */
static int await_ring(struct netfront_queue *q, uint64_t deadline_ns, bool may_wait)
{
    int rc = netfront_failed(q->nf);
    if (!may_wait && q->tx.linking)
        return rc != 0 ? rc : -EAGAIN;
    rc = netfront_await_ring(q, &q->tx, deadline_ns);
    return rc == 0 && (q->tx_rings != q->tx_begun || q->tx.without_ring) ? -ESTALE : rc;
}

/* With the lock and a ring: until there is room for what is needed. Errors: of await_ring. */
static int await_room(struct netfront_queue *q, const struct need *need, uint64_t deadline_ns,
                      bool may_wait)
{
    bool waited = false;
    for (;;) {
        int rc = await_ring(q, deadline_ns, may_wait);
        if (rc == 0)
            rc = reap(q);
        if (rc < 0 || has_room(q, need))
            return rc;
        push(q);
        if (!may_wait || netfront_left_ns(deadline_ns) == 0)
            return -EAGAIN;
        if (!waited)
            q->tx_count.waits++;
        waited = true;
        sleep_for_answers(q, deadline_ns, false);
    }
}

static int send_one(struct netfront_queue *q, const struct netfront_frame *frame,
                    uint64_t deadline_ns, bool may_wait)
{
    struct need need;
    int rc = await_ring(q, deadline_ns, may_wait);
    if (rc == 0)
        rc = check(q, frame, &need);
    if (rc == 0)
        rc = await_room(q, &need, deadline_ns, may_wait);
    if (rc == 0)
        put(q, frame, &need);
    return rc;
}

static struct netfront_queue *sends_for(struct netfront *nf, uint32_t queue)
{
    return &nf->queue[queue % load_relaxed_u32(&nf->queues_in_use)];
}

/*
 * The queue that sends for this one, with its lock, and nobody else sends there: the queue itself,
 * unless the present Dom0 has no ring for it. Errors: -EAGAIN the time is over; -ESTALE it is
 * another one by now.
 */
static int begin(struct netfront *nf, uint32_t queue, uint64_t deadline_ns, bool may_wait,
                 struct netfront_queue **out)
{
    struct netfront_queue *q = sends_for(nf, queue);
    const struct timespec until = clock_timespec(deadline_ns);
    int rc = 0;
    pthread_mutex_lock(&q->tx.lock);
    while (rc == 0 && q->tx_busy) {
        q->tx_waiters++;
        if (!may_wait)
            rc = ETIMEDOUT;
        else if (deadline_ns == 0)
            rc = pthread_cond_wait(&q->tx.changed, &q->tx.lock);
        else
            rc = pthread_cond_timedwait(&q->tx.changed, &q->tx.lock, &until);
        q->tx_waiters--;
    }
    if (q->tx_busy || sends_for(nf, queue) != q) {
        rc = q->tx_busy ? -EAGAIN : -ESTALE;
        pthread_mutex_unlock(&q->tx.lock);
        return rc;
    }
    q->tx_busy = true;
    q->tx_begun = q->tx_rings;
    *out = q;
    return 0;
}

static void end(struct netfront_queue *q)
{
    q->tx_busy = false;
    if (q->tx_waiters > 0)
        pthread_cond_broadcast(&q->tx.changed);
    pthread_mutex_unlock(&q->tx.lock);
}

/* As many as it can, on the queue that has begun; *sent grows. Errors: as netfront_send_on, and
 * -ESTALE. */
static int send_all(struct netfront_queue *q, const struct netfront_frame *frames, uint32_t count,
                    uint64_t deadline_ns, bool may_wait, uint32_t *sent)
{
    int rc = 0;
    while (rc == 0 && *sent < count) {
        rc = send_one(q, &frames[*sent], deadline_ns, may_wait);
        *sent += rc == 0;
    }
    if (netfront_failed(q->nf) != 0)
        return netfront_failed(q->nf);
    if (netfront_has_ring(&q->tx))
        push(q);
    return rc;
}

/* When another Dom0 comes meanwhile, the rest goes where later calls send: in one queue frames keep
 * their order. */
int netfront_send_on(struct netfront *nf, uint32_t queue, const struct netfront_frame *frames,
                     uint32_t count, int64_t timeout_ns)
{
    CANCEL_HOLD();
    const uint64_t deadline_ns = timeout_ns == 0 ? 0 : netfront_deadline_ns(timeout_ns);
    struct netfront_queue *q;
    uint32_t sent = 0;
    int rc;
    if (count == 0 || netfront_queue_at(nf, queue) == NULL)
        return -EINVAL;
    do {
        rc = begin(nf, queue, deadline_ns, timeout_ns != 0, &q);
        if (rc < 0)
            continue;
        rc = send_all(q, frames, count, deadline_ns, timeout_ns != 0, &sent);
        end(q);
    } while (rc == -ESTALE);
    int failed = netfront_failed(nf);
    if (failed != 0)
        return failed;
    return sent > 0 ? (int)sent : rc;
}

int netfront_send(struct netfront *nf, const struct netfront_frame *frames, uint32_t count,
                  int64_t timeout_ns)
{
    return netfront_send_on(nf, 0, frames, count, timeout_ns);
}

static int drain(struct netfront_queue *q, uint64_t deadline_ns)
{
    int rc = 0;
    while (rc == 0) {
        rc = await_ring(q, deadline_ns, true);
        if (rc == 0)
            rc = reap(q);
        if (rc < 0 || tx_slots_unanswered(&q->tx_slots) == 0)
            break;
        if (netfront_left_ns(deadline_ns) == 0)
            rc = -EAGAIN;
        else
            sleep_for_answers(q, deadline_ns, true);
    }
    return rc;
}

int netfront_drain_on(struct netfront *nf, uint32_t queue, int64_t timeout_ns)
{
    CANCEL_HOLD();
    const uint64_t deadline_ns = netfront_deadline_ns(timeout_ns);
    struct netfront_queue *q;
    int rc;
    if (netfront_queue_at(nf, queue) == NULL)
        return -EINVAL;
    do {
        rc = begin(nf, queue, deadline_ns, true, &q);
        if (rc < 0)
            continue;
        rc = drain(q, deadline_ns);
        end(q);
    } while (rc == -ESTALE);
    return rc;
}

int netfront_drain(struct netfront *nf, int64_t timeout_ns)
{
    return netfront_drain_on(nf, 0, timeout_ns);
}

void netfront_restart_tx(struct netfront_queue *q)
{
    q->tx_count.lost += q->tx_slots.frames;
    q->tx_rings++;
    tx_slots_init(&q->tx_slots, q->nf->options.tx_slots);
    if (!q->tx.without_ring)
        front_ring_restart(&q->tx_ring.half, NETIF_RING_ENTRIES, 0);
}
