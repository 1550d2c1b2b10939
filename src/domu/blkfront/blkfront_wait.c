/* SPDX-License-Identifier: MIT */
/*
 * How threads of one domain wait for responses on a ring that they share: that of their queue.
 *
 * There is one vCPU for the ring, and Dom0 wakes one sleeper on it. So one waiting thread, the
 * leader, sleeps there (with rsp_event armed) on behalf of all; the others sleep on words of their
 * own. Whoever is awake and has the lock takes all responses off the ring.
 *
 * Waking is dear, so those who are answered wake each other, one at a time: the leader wakes the
 * first and goes its way, to ask for its next sector while the others are still waking up. Whoever
 * wakes passes through blkfront_unlock and wakes the next one there.
 *
 * Invariant, kept by blkfront_unlock: while any thread sleeps unanswered there is a leader, or a
 * sleeper was nudged and is on its way to become one, or somebody was answered and is on its way
 * through blkfront_unlock. So no response stays unseen:
 *   - the leader arms rsp_event and looks again before it sleeps (front_ring_final_check);
 *   - it gives up its role only with the lock held, and then reaps;
 *   - a nudged sleeper that is answered before it got the lock need not lead: whoever took its
 * answer held the lock and keeps the invariant when it releases it.
 */
#include <sched.h>

#include "base/clock.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/blkfront_sleep.h"
#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "ring/futex.h"
#include "trace/trace_probe.h"

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port; /* the ring's port is the only one of this vCPU */
}

/* The thread that is to be woken next, taken off its list; NULL when there is no need. */
static struct read_waiter *next_to_wake(struct blkfront_queue *queue, uint32_t *word)
{
    struct read_waiter *waiter = queue->answered.head;
    if (waiter != NULL) {
        waiter_list_remove(&queue->answered, waiter);
        *word = WAITER_DONE;
        return waiter;
    }
    waiter = queue->sleepers.head;
    if (queue->leader || waiter == NULL || load_relaxed_u32(&waiter->word) != WAITER_SLEEPING)
        return NULL; /* led, nobody to lead for, or nudged already */
    *word = WAITER_AWAKE;
    return waiter;
}

/* The doorbell is rung next. */
static void note_kick(struct blkfront_queue *queue)
{
    queue->stats.kicks++;
    if (__builtin_expect(queue->traced_unrung > 0, false))
        blkfront_trace_kick(queue);
    TRACE_PROBE(doorbell, load_relaxed_u32(&queue->bf->domu->domid), queue->ring.half.req_prod_pvt,
                0);
}

void blkfront_unlock(struct blkfront_queue *queue, struct wake_batch *wakes)
{
    uint32_t word = WAITER_AWAKE;
    struct read_waiter *waiter = next_to_wake(queue, &word);
    uint32_t *address = waiter != NULL ? &waiter->word : NULL;
    bool kick = queue->kick_owed, tell_others = queue->tell_others;
    queue->kick_owed = queue->tell_others = false;
    if (queue->ready_fd >= 0)
        blkfront_show_ready(queue);
    if (kick)
        note_kick(queue);
    /* With the lock held: a nudged thread must not be answered between our look and this store. */
    if (address != NULL)
        store_release_u32(address, word);
    pthread_mutex_unlock(&queue->lock);
    if (kick)
        (void)evtchn_kick(queue->bf->doorbell_fd); /* a dead Dom0 is the link thread's business */
    if (address != NULL)
        (void)futex_wake(address, 1, FUTEX_SCOPE_PRIVATE);
    blkfront_wake(wakes);
    if (tell_others)
        blkfront_fail_others(queue);
}

/* How long to sleep at most: until the first answer that is held back is due. */
static int64_t sleep_limit_ns(struct blkfront_queue *queue)
{
    const struct heap_node *first = heap_first(&queue->held);
    return first == NULL ? -1 : due_left_ns(&queue->looks, queue->bf->clock, first->key);
}

int64_t blkfront_left_ns(const struct read_waiter *waiter)
{
    if (waiter->deadline_ns == 0)
        return -1;
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t left = waiter->deadline_ns > now_ns ? waiter->deadline_ns - now_ns : 0;
    return left < INT64_MAX ? (int64_t)left : INT64_MAX;
}

bool blkfront_is_late(const struct read_waiter *waiter)
{
    return blkfront_left_ns(waiter) == 0;
}

static int64_t sooner_ns(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Sleeps on the ring's vCPU for everybody, until its own deadline. */
static void lead(struct blkfront_queue *queue, const struct read_waiter *waiter,
                 struct wake_batch *wakes)
{
    struct shared_info *si = queue->bf->shared_info;
    if (front_ring_final_check(&queue->ring.half))
        return;
    int64_t limit_ns = sooner_ns(sleep_limit_ns(queue), blkfront_left_ns(waiter));
    queue->leader = true;
    blkfront_unlock(queue, wakes);
    (void)evtchn_wait(si, queue->vcpu, limit_ns);
    (void)evtchn_collect(si, queue->vcpu, ignore_port, NULL);
    uint64_t woken_ns = load_relaxed_u32(&queue->traced) > 0 ? clock_monotonic_ns() : 0;
    TRACE_PROBE(woken, load_relaxed_u32(&queue->bf->domu->domid), 0, 0);
    pthread_mutex_lock(&queue->lock);
    queue->woken_ns = woken_ns;
    queue->leader = false;
    queue->stats.upcalls++;
    if (queue->linking || queue->failed != 0)
        pthread_cond_broadcast(&queue->link_changed);
}

/* With the lock held: a thread whose time ran out woke by itself, and takes its place on the list
 * of the answered with it, if it is there. */
static void wake_late(struct blkfront_queue *queue, struct read_waiter *waiter)
{
    if (!waiter->listed)
        waiter_list_remove(&queue->answered, waiter);
    store_release_u32(&waiter->word, waiter->listed ? WAITER_AWAKE : WAITER_DONE);
}

static bool sleep_on_word(struct blkfront_queue *queue, struct read_waiter *waiter,
                          struct wake_batch *wakes)
{
    if (!waiter->listed)
        waiter_list_append(&queue->sleepers, waiter);
    waiter->listed = true;
    store_relaxed_u32(&waiter->word, WAITER_SLEEPING);
    blkfront_unlock(queue, wakes);
    while (load_acquire_u32(&waiter->word) == WAITER_SLEEPING && !blkfront_is_late(waiter))
        (void)futex_wait(&waiter->word, WAITER_SLEEPING, blkfront_left_ns(waiter),
                         FUTEX_SCOPE_PRIVATE);
    pthread_mutex_lock(&queue->lock);
    if (load_acquire_u32(&waiter->word) == WAITER_SLEEPING)
        wake_late(queue, waiter);
    if (load_acquire_u32(&waiter->word) != WAITER_DONE)
        return false;
    blkfront_unlock(queue, wakes); /* wakes the next one that is answered */
    return true;
}

/* Tells Dom0 whether a thread of ours spins, and where: then it is worth its while to go on looking
 * at our ring. */
static void publish_cpu(struct blkfront_queue *queue, uint32_t cpu)
{
    uint32_t *hint = &queue->bf->hints->domu_cpu;
    if (load_relaxed_u32(hint) != cpu)
        store_relaxed_u32(hint, cpu);
}

static void wait_for_link(struct blkfront_queue *queue, const struct read_waiter *waiter)
{
    struct timespec until = clock_timespec(waiter->deadline_ns);
    if (waiter->deadline_ns == 0)
        (void)pthread_cond_wait(&queue->link_changed, &queue->lock);
    else
        (void)pthread_cond_timedwait(&queue->link_changed, &queue->lock, &until);
}

bool blkfront_wait_step(struct blkfront_queue *queue, struct read_waiter *waiter,
                        struct wake_batch *wakes)
{
    publish_cpu(queue, HINTS_CPU_NONE);
    if (queue->linking) {
        blkfront_wake(wakes);
        wait_for_link(queue, waiter);
    } else if (blkfront_may_lie(queue, waiter)) {
        blkfront_unlist(queue, waiter);
        blkfront_lie(queue, waiter, wakes);
    } else if (queue->leader) {
        return sleep_on_word(queue, waiter, wakes);
    } else {
        blkfront_unlist(queue, waiter);
        lead(queue, waiter, wakes);
    }
    if (load_acquire_u32(&waiter->word) != WAITER_DONE)
        return false;
    queue->woken_ns = 0; /* for no answer that is taken off later */
    blkfront_unlock(queue, wakes);
    return true;
}

uint32_t blkfront_may_spin(struct blkfront_queue *queue)
{
    if (queue->bf->options.no_spin)
        return 0;
    uint32_t cpu = (uint32_t)sched_getcpu();
    uint32_t dom0_cpu = load_relaxed_u32(&queue->bf->hints->dom0_cpu);
    uint32_t limit_ns =
        dom0_cpu == HINTS_CPU_NONE || dom0_cpu == cpu ? 0 : spin_budget_grant(&queue->spin);
    if (limit_ns > 0)
        publish_cpu(queue, cpu);
    return limit_ns;
}

/* Dom0 armed the doorbell after it had taken our request, without answering it: it is at the disk,
 * which takes longer than any spin. */
static bool went_to_disk(const struct sring *sring, uint32_t request_index)
{
    return (int32_t)(load_relaxed_u32(&sring->req_event) - (request_index + 2)) >= 0;
}

/* Dom0's core has the data: they come over while we get at the answer. */
static void fetch_data(const struct spin_target *target)
{
    enum { LINE_BYTES = 64, FETCH_BYTES_MAX = 4096 };
    for (uint32_t at = 0; at < target->data_bytes && at < FETCH_BYTES_MAX; at += LINE_BYTES)
        __builtin_prefetch(target->data + at);
}

void blkfront_spin(struct blkfront_queue *queue, struct read_waiter *waiter,
                   const struct spin_target *target, uint32_t limit_ns, struct wake_batch *wakes)
{
    enum { LOOKS_PER_CLOCK_READ = 32 }; /* a hit is answered within the first of them */
    const struct sring *sring = queue->ring.half.sring; /* at this address as long as we live */
    uint64_t start_ns = 0, elapsed_ns = 0;
    bool seen = false;
    for (uint32_t looks = 1; elapsed_ns < limit_ns; looks++) {
        seen = load_acquire_u32(&waiter->word) == WAITER_DONE ||
               front_ring_has_hint(&queue->ring.half);
        if (seen || went_to_disk(sring, target->request_index))
            break;
        if (looks % LOOKS_PER_CLOCK_READ == 0) {
            uint64_t now_ns = clock_monotonic_ns();
            if (start_ns == 0)
                start_ns = now_ns;
            elapsed_ns = now_ns - start_ns;
        }
        cpu_relax();
    }
    if (seen)
        fetch_data(target);
    pthread_mutex_lock(&queue->lock);
    uint32_t taken = blkfront_reap_ring(queue, wakes);
    bool answered = waiter->any ? taken > 0 : load_acquire_u32(&waiter->word) == WAITER_DONE;
    if (answered)
        spin_budget_won(&queue->spin, elapsed_ns);
    else if (seen)
        spin_budget_beside(&queue->spin, elapsed_ns);
    else
        spin_budget_lost(&queue->spin);
    if (answered)
        queue->stats.spins_won++;
    else
        queue->stats.spins_lost++;
}
