/* SPDX-License-Identifier: MIT */
/*
 * Frames off the rx ring. A frame leaves the ring before it is due; its pages are posted again once
 * its data are copied. So at most one frame waits here, and the others on the ring.
 */
#include <errno.h>

#include "base/clock.h"
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"

enum {
    DUE_SPIN_NS = 30000, /* sooner than that a sleep would come back too late */
    LOOKS_PER_CLOCK_READ = 32,
};

static void post(struct netfront *nf, uint32_t count)
{
    for (; count > 0; count--) {
        uint32_t page = nf->rx_ring.half.req_prod_pvt & (nf->options.rx_slots - 1);
        netif_rx_put_request(&nf->rx_ring, (uint16_t)page, nf->rx_ref + page);
    }
}

static void push(struct netfront *nf)
{
    if (front_ring_push(&nf->rx_ring.half))
        netfront_kick(nf, &nf->rx);
}

void netfront_restart_rx(struct netfront *nf)
{
    front_ring_restart(&nf->rx_ring.half, netif_rx_ring_entries(), 0);
    nf->next.nr_slots = 0;
    post(nf, nf->options.rx_slots);
    push(nf);
}

/* The frame in nf->next is done with. */
static void give_back(struct netfront *nf)
{
    nf->rx_count.slots += nf->next.nr_slots;
    post(nf, nf->next.nr_slots);
    nf->next.nr_slots = 0;
}

/* This domain's clock when the frame arrives; 0: it has no stamp. */
static uint64_t due_ns(struct netfront *nf)
{
    if (!nf->next.has_stamp)
        return 0;
    const uint64_t offset_ns = domain_clock_offset_ns(nf->clock);
    uint64_t now_ns;
    (void)domain_clock_read_ns(nf->clock, &now_ns);
    return splitdom_netif_stamp_get(&nf->next.stamp, now_ns - offset_ns) + offset_ns;
}

/* Takes the next frame that is one into nf->next. */
static int take_next(struct netfront *nf)
{
    while (nf->next.nr_slots == 0) {
        int rc = rx_frame_take(&nf->rx_ring, nf->options.rx_slots, nf->stamps, &nf->next);
        if (rc < 0) {
            nf->next.nr_slots = 0;
            netfront_fail(nf, -EPROTO, "Dom0 broke the ring protocol: the interface is disabled");
            return netfront_failed(nf);
        }
        if (rc == 0)
            return 0;
        if (nf->next.damaged) {
            nf->rx_count.errors++;
            give_back(nf);
        }
    }
    return 1;
}

int netfront_look(struct netfront *nf, int64_t *left_ns)
{
    *left_ns = -1;
    int rc = netfront_failed(nf);
    if (rc < 0 || nf->rx.linking)
        return rc;
    rc = take_next(nf);
    if (rc <= 0)
        return rc;
    if (!nf->next.has_stamp)
        return 1;
    *left_ns = due_left_ns(&nf->looks, nf->clock, due_ns(nf));
    return *left_ns == 0;
}

/* Hands nf->next out. */
static void deliver(struct netfront *nf, struct netfront_frame *out)
{
    const struct rx_frame *next = &nf->next;
    out->length_bytes = next->length_bytes;
    out->truncated = next->length_bytes > out->room_bytes;
    out->checksum_blank = next->checksum_blank;
    out->data_validated = next->data_validated;
    out->gso_type = next->gso_type;
    out->gso_size_bytes = next->gso_size_bytes;
    out->stamp_ns = next->has_stamp ? due_ns(nf) : NETFRONT_NO_STAMP;
    rx_frame_copy(next, nf->rx_data, out->data, out->room_bytes);
    nf->rx_count.frames++;
    nf->rx_count.bytes += next->length_bytes;
    nf->rx_count.truncated += out->truncated;
    give_back(nf);
}

/* Delivers what there is. Returns how many frames, or an error of the interface. */
static int take_all(struct netfront *nf, struct netfront_frame *frames, uint32_t count,
                    int64_t *left_ns)
{
    uint32_t taken = 0;
    int rc = 0;
    while (taken < count && (rc = netfront_look(nf, left_ns)) == 1)
        deliver(nf, &frames[taken++]);
    if (rc < 0)
        return rc;
    if (!nf->rx.linking)
        push(nf);
    return (int)taken;
}

/* Looks for a while instead of sleeping, without the lock. Returns whether something came. */
static bool spin(struct netfront *nf, uint32_t limit_ns)
{
    uint64_t start_ns = 0, elapsed_ns = 0;
    bool seen = false;
    pthread_mutex_unlock(&nf->rx.lock);
    for (uint32_t looks = 1; !seen && elapsed_ns < limit_ns; looks++) {
        if (looks % LOOKS_PER_CLOCK_READ == 0) {
            uint64_t now_ns = clock_monotonic_ns();
            start_ns = start_ns == 0 ? now_ns : start_ns;
            elapsed_ns = now_ns - start_ns;
        }
        cpu_relax();
        seen = front_ring_has_hint(&nf->rx_ring.half) || netfront_failed(nf) != 0 ||
               load_relaxed_u32(&nf->interrupted) != 0;
    }
    pthread_mutex_lock(&nf->rx.lock);
    if (seen) {
        spin_budget_won(&nf->rx.spin, elapsed_ns);
        nf->rx.spins_won++;
    } else {
        spin_budget_lost(&nf->rx.spin);
        nf->rx.spins_lost++;
    }
    return seen;
}

/* One step of waiting: for a frame that is due in left_ns (-1: for any frame), not for longer than
 * until the deadline. */
static void wait_step(struct netfront *nf, int64_t left_ns, uint64_t deadline_ns)
{
    int64_t limit_ns = netfront_left_ns(deadline_ns);
    if (left_ns >= 0) {
        if (left_ns <= DUE_SPIN_NS && !nf->options.no_spin)
            return; /* the caller looks again at once */
        if (!nf->options.no_spin)
            left_ns -= DUE_SPIN_NS;
        limit_ns = limit_ns < 0 || left_ns < limit_ns ? left_ns : limit_ns;
        netfront_sleep(nf, &nf->rx, limit_ns); /* the rest of the ring waits its turn */
        return;
    }
    uint32_t budget_ns = nf->options.no_spin ? 0 : spin_budget_grant(&nf->rx.spin);
    if (budget_ns > 0 && spin(nf, budget_ns))
        return;
    if (!nf->rx.linking && !front_ring_final_check(&nf->rx_ring.half))
        netfront_sleep(nf, &nf->rx, limit_ns);
}

/* Until there may be something, or the deadline. Errors: of the interface; -EAGAIN. */
static int wait_for_more(struct netfront *nf, int64_t left_ns, uint64_t deadline_ns)
{
    if (netfront_left_ns(deadline_ns) == 0)
        return -EAGAIN;
    if (exchange_full_u32(&nf->interrupted, 0) != 0)
        return -ECANCELED;
    if (nf->rx.linking)
        return netfront_await_ring(nf, &nf->rx, deadline_ns);
    if (nf->ready_fd >= 0)
        netfront_await_shown(nf, netfront_left_ns(deadline_ns));
    else
        wait_step(nf, left_ns, deadline_ns);
    return 0;
}

int netfront_receive(struct netfront *nf, struct netfront_frame *frames, uint32_t count,
                     int64_t timeout_ns)
{
    const uint64_t deadline_ns = netfront_deadline_ns(timeout_ns);
    int64_t left_ns;
    int rc = 0, taken = 0;
    for (uint32_t i = 0; i < count; i++)
        if (frames[i].data == NULL || frames[i].room_bytes == 0)
            return -EINVAL;
    if (count == 0)
        return -EINVAL;
    pthread_mutex_lock(&nf->rx.lock);
    while (rc == 0 && taken == 0) {
        taken = take_all(nf, frames, count, &left_ns);
        if (taken == 0)
            rc = wait_for_more(nf, left_ns, deadline_ns);
    }
    netfront_show_delivered(nf);
    pthread_mutex_unlock(&nf->rx.lock);
    return taken != 0 ? taken : rc;
}

void netfront_interrupt(struct netfront *nf)
{
    store_full_u32(&nf->interrupted, 1);
    pthread_mutex_lock(&nf->rx.lock);
    if (!nf->rx.linking)
        evtchn_raise_upcall(nf->shared_info, nf->rx.vcpu);
    pthread_cond_broadcast(&nf->rx.changed);
    pthread_mutex_unlock(&nf->rx.lock);
}
