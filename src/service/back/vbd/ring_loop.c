/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/ring_loop.h"

#include <sched.h>

#include "ring/barrier.h"

/* A front end that sleeps is being woken while we look. Where waking takes much longer than this,
 * two virtual CPUs often share one real one, and looking on keeps the sleeper from running. */
enum { SPIN_FOR_SLEEPER_NS = 25000 };

/* In which a ring that had requests counts as busy. */
enum { WINDOW_NS = 50000000 };

static void activate(struct ring_loop *loop, struct ring_slot *slot)
{
    slot->active = true;
    slot->answered = false;
    slot->idle_since_ns = 0;
    loop->active_count++;
    if (loop->active == NULL) {
        slot->next = slot->prev = slot;
        loop->active = slot;
        return;
    }
    /* Last in turn: just before the one that is next. */
    slot->next = loop->active;
    slot->prev = loop->active->prev;
    slot->prev->next = slot;
    slot->next->prev = slot;
}

static void deactivate(struct ring_loop *loop, struct ring_slot *slot)
{
    slot->active = false;
    loop->active_count--;
    if (slot->next == slot) {
        loop->active = NULL;
    } else {
        slot->prev->next = slot->next;
        slot->next->prev = slot->prev;
        if (loop->active == slot)
            loop->active = slot->next;
    }
    slot->next = slot->prev = NULL;
}

void ring_loop_add(struct ring_loop *loop, struct ring_slot *slot)
{
    spin_budget_init(&slot->budget);
    activate(loop, slot); /* requests may have been put on the ring before we connected */
}

void ring_loop_remove(struct ring_loop *loop, struct ring_slot *slot)
{
    if (slot->active)
        deactivate(loop, slot);
    /* Whoever comes next is alone if nobody else is left, and not only after this window. */
    if (slot->window == loop->window && loop->window_rings > 0)
        loop->window_rings--;
    *slot = (struct ring_slot){0};
}

void ring_loop_wake(struct ring_loop *loop, struct ring_slot *slot)
{
    if (slot->ring != NULL && !slot->active)
        activate(loop, slot);
}

/*
 * Waking another CPU takes as long as it takes to answer a lot of reads. So the sleeper is woken by
 * the first of them and finds the others there, or coming. On our own CPU it can't run before we
 * sleep, and waking it early would only make it take the CPU from us.
 */
void ring_loop_answered(struct ring_loop *loop, struct ring_slot *slot)
{
    ring_loop_wake(loop, slot);
    if (slot->ring == NULL || slot->shown)
        return;
    slot->shown = true;
    uint32_t cpu = load_relaxed_u32(&slot->start_info->domu_sleep_cpu);
    if (cpu != START_INFO_CPU_NONE && cpu != loop->cpu)
        vbd_ring_flush(slot->ring);
}

static void turn_window(struct ring_loop *loop, uint64_t now_ns)
{
    if (now_ns < loop->window_end_ns)
        return;
    loop->busy_rings = loop->window_rings;
    loop->window_rings = 0;
    loop->window++;
    loop->window_end_ns = now_ns + WINDOW_NS;
}

/* A ring had requests: counts it, and tells its front end where we are and who else is here. */
static void publish_hints(struct ring_loop *loop, struct ring_slot *slot)
{
    if (slot->window != loop->window) {
        slot->window = loop->window;
        loop->window_rings++;
    }
    if (load_relaxed_u32(&slot->start_info->dom0_cpu) != loop->cpu)
        store_relaxed_u32(&slot->start_info->dom0_cpu, loop->cpu);
    if (load_relaxed_u32(&slot->start_info->busy_domains) != loop->busy_rings)
        store_relaxed_u32(&slot->start_info->busy_domains, loop->busy_rings);
}

uint32_t ring_loop_turn(struct ring_loop *loop, uint64_t now_ns)
{
    uint32_t total = 0;
    loop->turns++;
    loop->cpu = (uint32_t)sched_getcpu();
    turn_window(loop, now_ns);
    for (uint32_t i = loop->active_count; i > 0; i--) {
        struct ring_slot *slot = loop->active;
        loop->active = slot->next;
        slot->shown = false;
        int taken = vbd_ring_consume(slot->ring, now_ns);
        if (taken < 0) {
            loop->broken(loop->ctx, slot);
            continue;
        }
        if (taken > 0) {
            if (slot->idle_since_ns != 0)
                spin_budget_won(&slot->budget, now_ns - slot->idle_since_ns);
            slot->idle_since_ns = 0;
            publish_hints(loop, slot);
            total += (uint32_t)taken;
        }
    }
    return total;
}

/*
 * For how long is this ring worth looking at, after we answered? Always for a moment when a thread
 * of the front end spins on another CPU: its next request follows at once. One that spins on our
 * CPU can't go on before we stop. Otherwise as experience tells.
 */
static uint32_t spin_limit_ns(struct ring_loop *loop, struct ring_slot *slot)
{
    if (loop->no_spin || !slot->answered)
        return 0;
    uint32_t cpu = load_relaxed_u32(&slot->start_info->domu_cpu);
    if (cpu == loop->cpu)
        return 0;
    if (cpu != START_INFO_CPU_NONE)
        return SPIN_NS;
    uint32_t limit_ns = spin_budget_grant(&slot->budget);
    return limit_ns < SPIN_FOR_SLEEPER_NS ? limit_ns : SPIN_FOR_SLEEPER_NS;
}

/* Is it worth while to go on looking at this empty ring? */
static bool keep_looking(struct ring_loop *loop, struct ring_slot *slot, uint64_t now_ns)
{
    uint32_t responses = slot->ring->ring.half.rsp_prod;
    if (responses != slot->seen_responses) {
        slot->seen_responses = responses;
        slot->answered = true;
    }
    if (slot->idle_since_ns == 0) {
        slot->limit_ns = spin_limit_ns(loop, slot);
        slot->answered = false;
        slot->idle_since_ns = now_ns;
    }
    if (now_ns - slot->idle_since_ns < slot->limit_ns)
        return true;
    if (slot->limit_ns > 0)
        spin_budget_lost(&slot->budget);
    return false;
}

bool ring_loop_settle(struct ring_loop *loop, uint64_t now_ns)
{
    struct ring_slot *slot = loop->active;
    for (uint32_t i = loop->active_count; i > 0; i--) {
        struct ring_slot *next = slot->next;
        if (!keep_looking(loop, slot, now_ns)) {
            slot->idle_since_ns = 0;
            loop->arms++;
            if (!vbd_ring_arm(slot->ring))
                deactivate(loop, slot);
        }
        slot = next;
    }
    return loop->active_count == 0;
}
