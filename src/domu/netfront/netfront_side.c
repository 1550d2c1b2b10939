/* SPDX-License-Identifier: MIT */
/*
 * What both directions of a queue have in common. Each has a port on a vCPU of its own, where at
 * most one thread sleeps: the sender or the receiver (or the thread of netfront_fd in the place of
 * that).
 *
 * Order of locks: a side's, then state_lock. Nobody holds two sides'.
 */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "domu/netfront/netfront_private.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"

void netfront_side_init(struct netfront_side *side)
{
    pthread_condattr_t monotonic; /* so are the deadlines of those who wait for it */
    pthread_mutex_init(&side->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&side->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    spin_budget_init(&side->spin);
}

void netfront_side_fini(struct netfront_side *side)
{
    pthread_cond_destroy(&side->changed);
    pthread_mutex_destroy(&side->lock);
}

int netfront_failed(const struct netfront *nf)
{
    return (int)load_acquire_u32(&nf->failed);
}

uint64_t netfront_deadline_ns(int64_t timeout_ns)
{
    return timeout_ns < 0 ? 0 : clock_monotonic_ns() + (uint64_t)timeout_ns;
}

int64_t netfront_left_ns(uint64_t deadline_ns)
{
    if (deadline_ns == 0)
        return -1;
    uint64_t now_ns = clock_monotonic_ns();
    return deadline_ns > now_ns ? (int64_t)(deadline_ns - now_ns) : 0;
}

/* Who sleeps wakes up, and finds the failure; who is about to sleep does not. */
void netfront_fail(struct netfront *nf, int error, const char *why)
{
    pthread_mutex_lock(&nf->state_lock);
    if (nf->failed == 0) {
        snprintf(nf->failure, sizeof(nf->failure), "%s", why);
        nf->link.carrier = false;
        store_release_u32(&nf->failed, (uint32_t)error);
    }
    pthread_mutex_unlock(&nf->state_lock);
    for (uint32_t i = 0; i < nf->nr_queues; i++) {
        const struct netfront_queue *q = &nf->queue[i];
        if (q->tx.vcpu != 0)
            evtchn_raise_upcall(nf->shared_info, q->tx.vcpu);
        if (q->rx.vcpu != 0)
            evtchn_raise_upcall(nf->shared_info, q->rx.vcpu);
    }
}

int netfront_await_ring(struct netfront_queue *q, struct netfront_side *side, uint64_t deadline_ns)
{
    struct timespec until = clock_timespec(deadline_ns);
    while (netfront_failed(q->nf) == 0 && side->linking &&
           (side == &q->tx || load_full_u32(&q->interrupted) == 0)) {
        int rc = deadline_ns == 0 ? pthread_cond_wait(&side->changed, &side->lock)
                                  : pthread_cond_timedwait(&side->changed, &side->lock, &until);
        if (rc == ETIMEDOUT && netfront_failed(q->nf) == 0 && side->linking)
            return -EAGAIN;
    }
    return netfront_failed(q->nf);
}

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port; /* the ring's port is the only one of this vCPU */
}

void netfront_sleep(struct netfront *nf, struct netfront_side *side, int64_t limit_ns)
{
    if (netfront_failed(nf) != 0)
        return;
    side->sleeping = true;
    pthread_mutex_unlock(&side->lock);
    (void)evtchn_wait(nf->shared_info, side->vcpu, limit_ns);
    (void)evtchn_collect(nf->shared_info, side->vcpu, ignore_port, NULL);
    pthread_mutex_lock(&side->lock);
    side->sleeping = false;
    side->upcalls++;
    if (side->linking)
        pthread_cond_broadcast(&side->changed);
}

void netfront_kick(struct netfront *nf, struct netfront_side *side)
{
    side->kicks++;
    (void)evtchn_kick(nf->doorbell_fd); /* a dead Dom0 is the link thread's business */
}

void netfront_side_suspend(struct netfront *nf, struct netfront_side *side)
{
    pthread_mutex_lock(&side->lock);
    side->linking = true;
    while (side->sleeping) {
        evtchn_raise_upcall(nf->shared_info, side->vcpu);
        pthread_cond_wait(&side->changed, &side->lock);
    }
    pthread_mutex_unlock(&side->lock);
}

void netfront_side_resume(struct netfront_side *side)
{
    pthread_mutex_lock(&side->lock);
    side->linking = false;
    pthread_cond_broadcast(&side->changed);
    pthread_mutex_unlock(&side->lock);
}
