/* SPDX-License-Identifier: MIT */
/* Frames onto the tx ring: copied into pages that are ours, so that Dom0 never sees the caller's.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"

enum { EXTRAS_MAX = 2 };

/* What a frame needs. */
struct need {
    uint32_t pages, extras;
};

static bool takes_gso(const struct netfront *nf, uint8_t gso_type)
{
    return gso_type == NETFRONT_GSO_TCPV4 ? nf->gso_tcpv4 : nf->gso_tcpv6;
}

static bool is_ipv6(const struct netfront_frame *frame)
{
    const uint8_t *bytes = frame->data;
    return bytes[12] == 0x86 && bytes[13] == 0xdd;
}

/* Can it be sent to this Dom0? Errors: as netfront_send. */
static int check(const struct netfront *nf, const struct netfront_frame *frame, struct need *need)
{
    if (frame->length_bytes < NETFRONT_FRAME_MIN || frame->length_bytes > NETFRONT_FRAME_MAX ||
        frame->gso_type > NETFRONT_GSO_TCPV6 ||
        (frame->gso_type != NETFRONT_GSO_NONE) != (frame->gso_size_bytes != 0))
        return -EINVAL;
    *need = (struct need){(frame->length_bytes + XEN_PAGE_SIZE - 1) / XEN_PAGE_SIZE,
                          (frame->gso_type != NETFRONT_GSO_NONE) + (uint32_t)nf->stamps};
    if (need->pages > nf->tx_slots.count)
        return -EINVAL;
    if ((need->pages > 1 && !nf->scatter_gather) ||
        (frame->gso_type != NETFRONT_GSO_NONE && !takes_gso(nf, frame->gso_type)) ||
        (frame->checksum_blank && is_ipv6(frame) && !nf->ipv6_checksum))
        return -EOPNOTSUPP;
    return 0;
}

/* A frame that does not say when it leaves leaves now. */
static uint64_t departure_ns(struct netfront *nf, const struct netfront_frame *frame)
{
    uint64_t now_ns = frame->stamp_ns;
    if (now_ns == 0)
        (void)domain_clock_read_ns(nf->clock, &now_ns);
    return now_ns;
}

static void put_extras(struct netfront *nf, const struct netfront_frame *frame)
{
    struct netif_extra_info extra[EXTRAS_MAX] = {{.type = XEN_NETIF_EXTRA_TYPE_NONE}};
    uint32_t count = 0;
    if (frame->gso_type != NETFRONT_GSO_NONE)
        extra[count++] = (struct netif_extra_info){
            .type = XEN_NETIF_EXTRA_TYPE_GSO,
            .u.gso = {.size = frame->gso_size_bytes, .type = frame->gso_type}};
    if (nf->stamps) {
        uint64_t stamp_ns = departure_ns(nf, frame) - domain_clock_offset_ns(nf->clock);
        extra[count].type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP;
        splitdom_netif_stamp_put(&extra[count++], stamp_ns);
    }
    for (uint32_t i = 0; i < count; i++) {
        extra[i].flags = i + 1 < count ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
        netif_tx_put_extra(&nf->tx_ring, &extra[i]);
        tx_slots_add_extra(&nf->tx_slots);
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
static void put(struct netfront *nf, const struct netfront_frame *frame, const struct need *need)
{
    const uint8_t *from = frame->data;
    uint32_t left = frame->length_bytes;
    for (uint32_t i = 0; i < need->pages; i++) {
        const uint32_t bytes = left < XEN_PAGE_SIZE ? left : XEN_PAGE_SIZE;
        const uint16_t id = tx_slots_take(&nf->tx_slots, i == 0);
        struct netif_tx_request req = {.gref = nf->tx_ref + id, .id = id};
        memcpy(nf->tx_data + (size_t)id * XEN_PAGE_SIZE, from, bytes);
        from += bytes;
        left -= bytes;
        req.size = (uint16_t)(i == 0 ? frame->length_bytes : bytes);
        if (i == 0)
            req.flags = first_flags(frame, need);
        if (left > 0)
            req.flags |= NETTXF_more_data;
        netif_tx_put_request(&nf->tx_ring, &req);
        if (i == 0)
            put_extras(nf, frame);
    }
    assert(left == 0);
    nf->tx_count.frames++;
    nf->tx_count.bytes += frame->length_bytes;
}

/* Takes all responses that are there. Errors: -EPROTO, and the interface has failed. */
static int reap(struct netfront *nf)
{
    struct netif_tx_response rsp;
    int rc;
    while ((rc = netif_tx_take_response(&nf->tx_ring, &rsp)) == 1) {
        rc = tx_slots_answer(&nf->tx_slots, &rsp);
        if (rc < 0)
            break;
        nf->tx_count.errors += rc == TX_ANSWER_ERROR;
        nf->tx_count.dropped += rc == TX_ANSWER_DROPPED;
    }
    if (rc < 0)
        netfront_fail(nf, -EPROTO, "Dom0 broke the ring protocol: the interface is disabled");
    return rc < 0 ? netfront_failed(nf) : 0;
}

static bool has_room(const struct netfront *nf, const struct need *need)
{
    return nf->tx_slots.free_count >= need->pages &&
           front_ring_free(&nf->tx_ring.half) >= need->pages + need->extras;
}

static void push(struct netfront *nf)
{
    if (front_ring_push(&nf->tx_ring.half))
        netfront_kick(nf, &nf->tx);
}

/* Sleeps until Dom0 has answered half of what it has, or the time is over. Nothing is unpushed. */
static void sleep_for_answers(struct netfront *nf, uint64_t deadline_ns, bool all)
{
    const uint32_t unanswered = tx_slots_unanswered(&nf->tx_slots);
    const uint32_t wanted = all || unanswered < 2 ? unanswered : unanswered / 2;
    if (!front_ring_await(&nf->tx_ring.half, wanted))
        netfront_sleep(nf, &nf->tx, netfront_left_ns(deadline_ns));
}

/* With the lock: is there a ring? Errors: of the interface; -EAGAIN the time is over. */
static int await_ring(struct netfront *nf, uint64_t deadline_ns, bool may_wait)
{
    if (!may_wait && nf->tx.linking)
        return netfront_failed(nf) != 0 ? netfront_failed(nf) : -EAGAIN;
    return netfront_await_ring(nf, &nf->tx, deadline_ns);
}

/*
 * With the lock and a ring: until there is room for what is needed. Errors: of the interface;
 * -EAGAIN the time is over; -ESTALE the ring is another one, of a Dom0 that may lack what the last
 * one had.
 */
static int await_room(struct netfront *nf, const struct need *need, uint64_t deadline_ns,
                      bool may_wait)
{
    const uint64_t rings = nf->reconnects;
    bool waited = false;
    for (;;) {
        int rc = await_ring(nf, deadline_ns, may_wait);
        if (rc == 0 && nf->reconnects != rings)
            return -ESTALE;
        if (rc == 0)
            rc = reap(nf);
        if (rc < 0 || has_room(nf, need))
            return rc;
        push(nf);
        if (!may_wait || netfront_left_ns(deadline_ns) == 0)
            return -EAGAIN;
        if (!waited)
            nf->tx_count.waits++;
        waited = true;
        sleep_for_answers(nf, deadline_ns, false);
    }
}

static int send_one(struct netfront *nf, const struct netfront_frame *frame, uint64_t deadline_ns,
                    bool may_wait)
{
    struct need need;
    int rc;
    do {
        rc = await_ring(nf, deadline_ns, may_wait);
        if (rc == 0)
            rc = check(nf, frame, &need);
        if (rc == 0)
            rc = await_room(nf, &need, deadline_ns, may_wait);
    } while (rc == -ESTALE);
    if (rc == 0)
        put(nf, frame, &need);
    return rc;
}

int netfront_send(struct netfront *nf, const struct netfront_frame *frames, uint32_t count,
                  int64_t timeout_ns)
{
    const uint64_t deadline_ns = timeout_ns == 0 ? 0 : netfront_deadline_ns(timeout_ns);
    uint32_t sent = 0;
    int rc = count > 0 ? 0 : -EINVAL;
    pthread_mutex_lock(&nf->tx.lock);
    while (rc == 0 && sent < count) {
        rc = send_one(nf, &frames[sent], deadline_ns, timeout_ns != 0);
        sent += rc == 0;
    }
    if (netfront_failed(nf) != 0) {
        sent = 0;
        rc = netfront_failed(nf);
    } else if (!nf->tx.linking) {
        push(nf);
    }
    pthread_mutex_unlock(&nf->tx.lock);
    return sent > 0 ? (int)sent : rc;
}

int netfront_drain(struct netfront *nf, int64_t timeout_ns)
{
    const uint64_t deadline_ns = netfront_deadline_ns(timeout_ns);
    int rc = 0;
    pthread_mutex_lock(&nf->tx.lock);
    while (rc == 0) {
        rc = netfront_await_ring(nf, &nf->tx, deadline_ns);
        if (rc == 0)
            rc = reap(nf);
        if (rc < 0 || tx_slots_unanswered(&nf->tx_slots) == 0)
            break;
        if (netfront_left_ns(deadline_ns) == 0)
            rc = -EAGAIN;
        else
            sleep_for_answers(nf, deadline_ns, true);
    }
    pthread_mutex_unlock(&nf->tx.lock);
    return rc;
}

void netfront_restart_tx(struct netfront *nf)
{
    nf->tx_count.lost += nf->tx_slots.frames;
    tx_slots_init(&nf->tx_slots, nf->options.tx_slots);
    front_ring_restart(&nf->tx_ring.half, netif_tx_ring_entries(), 0);
}
