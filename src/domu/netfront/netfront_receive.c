/* SPDX-License-Identifier: MIT */
/*
 * Frames off the rx ring. A frame leaves the ring before it is due; its pages are posted again once
 * its data are copied. So at most one frame waits here, and the others on the ring.
 */
#include <errno.h>

#include "base/clock.h"
#include "domu/cancel_hold.h"
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"

enum {
    DUE_SPIN_NS = 50000, /* sooner than that a sleep would come back too late */
    LOOKS_PER_CLOCK_READ = 32,
};

static void post(struct netfront_queue *q, uint32_t count)
{
    for (; count > 0; count--) {
        uint32_t page = q->rx_ring.half.req_prod_pvt & (q->nf->options.rx_slots - 1);
        netif_rx_put_request(&q->rx_ring, (uint16_t)page, q->rx_ref + page);
    }
}

static void push(struct netfront_queue *q)
{
    if (front_ring_push(&q->rx_ring.half))
        netfront_kick(q->nf, &q->rx);
}

void netfront_restart_rx(struct netfront_queue *q)
{
    q->next.nr_slots = 0;
    if (q->rx.without_ring)
        return;
    front_ring_restart(&q->rx_ring.half, NETIF_RING_ENTRIES, 0);
    post(q, q->nf->options.rx_slots);
    push(q);
}

/* The frame in q->next is done with. */
static void give_back(struct netfront_queue *q)
{
    q->rx_count.slots += q->next.nr_slots;
    post(q, q->next.nr_slots);
    q->next.nr_slots = 0;
}

/* Takes the next frame that is one into q->next. */
static int take_next(struct netfront_queue *q)
{
    while (q->next.nr_slots == 0) {
        int rc = rx_frame_take(&q->rx_ring, q->nf->options.rx_slots, q->nf->stamps, &q->next);
        if (rc < 0) {
            q->next.nr_slots = 0;
            netfront_fail(q->nf, -EPROTO,
                          "Dom0 broke the ring protocol: the interface is disabled");
            return netfront_failed(q->nf);
        }
        if (rc == 0)
            return 0;
        if (q->next.damaged) {
            q->rx_count.errors++;
            give_back(q);
        }
    }
    return 1;
}

/* This domain's clock when the frame in q->next arrives: stamps mean times near to its last look.
 */
static uint64_t due_ns(const struct netfront_queue *q)
{
    const uint64_t offset_ns = domain_clock_offset_ns(q->nf->clock);
    return splitdom_netif_stamp_get(&q->next.stamp, q->looks.look_ns - offset_ns) + offset_ns;
}

/* As netfront_look. looked: the clock was read just now; what was due then needs no other look. */
static int look(struct netfront_queue *q, bool looked, int64_t *left_ns)
{
    *left_ns = -1;
    int rc = netfront_failed(q->nf);
    if (rc < 0 || !netfront_has_ring(&q->rx))
        return rc;
    rc = take_next(q);
    if (rc <= 0)
        return rc;
    if (!q->next.has_stamp)
        return 1;
    if (looked) {
        q->next_due_ns = due_ns(q);
        if (q->next_due_ns <= q->looks.look_ns)
            return 1;
    }
    do { /* twice if the last look was days ago */
        q->next_due_ns = due_ns(q);
        *left_ns = due_left_ns(&q->looks, q->nf->clock, q->next_due_ns);
    } while (q->next_due_ns != due_ns(q));
    return *left_ns == 0;
}

int netfront_look(struct netfront_queue *q, int64_t *left_ns)
{
    return look(q, false, left_ns);
}

/* Hands q->next out. */
static void deliver(struct netfront_queue *q, struct netfront_frame *out)
{
    const struct rx_frame *next = &q->next;
    out->length_bytes = next->length_bytes;
    out->truncated = next->length_bytes > out->room_bytes;
    out->checksum_blank = next->checksum_blank;
    out->data_validated = next->data_validated;
    out->gso_type = next->gso_type;
    out->gso_size_bytes = next->gso_size_bytes;
    out->stamp_ns = next->has_stamp ? q->next_due_ns : NETFRONT_NO_STAMP;
    rx_frame_copy(next, q->rx_data, out->data, out->room_bytes);
    q->rx_count.frames++;
    q->rx_count.bytes += next->length_bytes;
    q->rx_count.truncated += out->truncated;
    give_back(q);
}

/* Delivers what there is. Returns how many frames, or an error of the interface. */
static int take_all(struct netfront_queue *q, struct netfront_frame *frames, uint32_t count,
                    int64_t *left_ns)
{
    uint32_t taken = 0;
    int rc = 0;
    while (taken < count && (rc = look(q, taken > 0, left_ns)) == 1)
        deliver(q, &frames[taken++]);
    if (rc < 0)
        return rc;
    if (netfront_has_ring(&q->rx))
        push(q);
    return (int)taken;
}

/* Looks for a while instead of sleeping, without the lock. Returns whether something came. */
static bool spin(struct netfront_queue *q, uint32_t limit_ns)
{
    uint64_t start_ns = 0, elapsed_ns = 0;
    bool seen = false;
    pthread_mutex_unlock(&q->rx.lock);
    for (uint32_t looks = 1; !seen && elapsed_ns < limit_ns; looks++) {
        if (looks % LOOKS_PER_CLOCK_READ == 0) {
            uint64_t now_ns = clock_monotonic_ns();
            start_ns = start_ns == 0 ? now_ns : start_ns;
            elapsed_ns = now_ns - start_ns;
        }
        cpu_relax();
        seen = front_ring_has_hint(&q->rx_ring.half) || netfront_failed(q->nf) != 0 ||
               load_relaxed_u32(&q->interrupted) != 0;
    }
    pthread_mutex_lock(&q->rx.lock);
    if (seen) {
        spin_budget_won(&q->rx.spin, elapsed_ns);
        q->rx.spins_won++;
    } else {
        spin_budget_lost(&q->rx.spin);
        q->rx.spins_lost++;
    }
    return seen;
}

/* One step of waiting: for a frame that is due in left_ns (-1: for any frame), not for longer than
 * until the deadline. */
static void wait_step(struct netfront_queue *q, int64_t left_ns, uint64_t deadline_ns)
{
    int64_t limit_ns = netfront_left_ns(deadline_ns);
    if (left_ns >= 0) {
        if (left_ns <= DUE_SPIN_NS && !q->nf->options.no_spin)
            return; /* the caller looks again at once */
        if (!q->nf->options.no_spin)
            left_ns -= DUE_SPIN_NS;
        limit_ns = limit_ns < 0 || left_ns < limit_ns ? left_ns : limit_ns;
        netfront_sleep(q->nf, &q->rx, limit_ns); /* the rest of the ring waits its turn */
        return;
    }
    uint32_t budget_ns = 0;
    if (!q->nf->options.no_spin && !q->rx.without_ring)
        budget_ns = spin_budget_grant(&q->rx.spin);
    if (budget_ns > 0 && spin(q, budget_ns))
        return;
    if (!q->rx.linking && (q->rx.without_ring || !front_ring_final_check(&q->rx_ring.half)))
        netfront_sleep(q->nf, &q->rx, limit_ns);
}

/* Until there may be something, or the deadline. Errors: of the interface; -EAGAIN. */
static int wait_for_more(struct netfront_queue *q, int64_t left_ns, uint64_t deadline_ns)
{
    if (exchange_full_u32(&q->interrupted, 0) != 0)
        return -ECANCELED;
    if (netfront_left_ns(deadline_ns) == 0)
        return -EAGAIN;
    if (q->rx.linking)
        return netfront_await_ring(q, &q->rx, deadline_ns);
    if (q->ready_fd >= 0) {
        netfront_show_delivered(q); /* what was shown may have been a frame of the last Dom0 */
        netfront_await_shown(q, netfront_left_ns(deadline_ns));
    } else {
        wait_step(q, left_ns, deadline_ns);
    }
    return 0;
}

int netfront_receive_on(struct netfront *nf, uint32_t queue, struct netfront_frame *frames,
                        uint32_t count, int64_t timeout_ns)
{
    CANCEL_HOLD();
    struct netfront_queue *q = netfront_queue_at(nf, queue);
    const uint64_t deadline_ns = netfront_deadline_ns(timeout_ns);
    int64_t left_ns;
    int rc = 0, taken = 0;
    for (uint32_t i = 0; i < count; i++)
        if (frames[i].data == NULL || frames[i].room_bytes == 0)
            return -EINVAL;
    if (count == 0 || q == NULL)
        return -EINVAL;
    pthread_mutex_lock(&q->rx.lock);
    while (rc == 0 && taken == 0) {
        taken = take_all(q, frames, count, &left_ns);
        if (taken == 0)
            rc = wait_for_more(q, left_ns, deadline_ns);
    }
    netfront_show_delivered(q);
    pthread_mutex_unlock(&q->rx.lock);
    return taken != 0 ? taken : rc;
}

int netfront_receive(struct netfront *nf, struct netfront_frame *frames, uint32_t count,
                     int64_t timeout_ns)
{
    return netfront_receive_on(nf, 0, frames, count, timeout_ns);
}

static void interrupt(struct netfront_queue *q)
{
    store_full_u32(&q->interrupted, 1);
    pthread_mutex_lock(&q->rx.lock);
    if (!q->rx.linking)
        evtchn_raise_upcall(q->nf->shared_info, q->rx.vcpu);
    pthread_cond_broadcast(&q->rx.changed);
    pthread_mutex_unlock(&q->rx.lock);
}

void netfront_interrupt(struct netfront *nf)
{
    CANCEL_HOLD();
    for (uint32_t i = 0; i < nf->nr_queues; i++)
        interrupt(&nf->queue[i]);
}
