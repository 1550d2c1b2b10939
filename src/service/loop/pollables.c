/* SPDX-License-Identifier: MIT */
#include "service/loop/pollables.h"

#include <assert.h>
#include <sched.h>

#include "base/container_of.h"
#include "ring/barrier.h"
#include "splitdom/hints.h"

/* A domain that sleeps is being woken while we look. Where waking takes much longer than this, two
 * virtual CPUs often share one real one, and to keep looking keeps the sleeper from running. */
enum { SPIN_FOR_SLEEPER_NS = 25000 };

/* In which a domain that had requests counts as busy. */
enum { WINDOW_NS = 50000000 };

static struct pollable *of_active(struct list_node *node)
{
    return container_of(node, struct pollable, active);
}

static void activate(struct pollables *loop, struct pollable *p)
{
    p->answered = false;
    p->idle_since_ns = 0;
    loop->active_count++;
    list_push_back(&loop->active, &p->active);
}

static void deactivate(struct pollables *loop, struct pollable *p)
{
    assert(loop->active_count > 0);
    loop->active_count--;
    list_remove(&p->active);
}

static void wake(struct pollable *p)
{
    if (!list_is_linked(&p->active))
        activate(p->loop, p);
}

void poll_peer_init(struct poll_peer *peer, struct hints *hints)
{
    *peer = (struct poll_peer){.spin_cpu = &hints->domu_cpu,
                               .loop_cpu = &hints->dom0_cpu,
                               .busy_peers = &hints->busy_domains};
}

void pollables_add(struct pollables *loop, struct poll_peer *peer, struct pollable *p)
{
    assert(p->loop == NULL && p->ops != NULL);
    *p = (struct pollable){.ops = p->ops, .loop = loop, .peer = peer};
    spin_budget_init(&p->budget);
    list_push_back(&peer->pollables, &p->of_peer);
    activate(loop, p);
}

void pollables_remove(struct pollable *p)
{
    struct pollables *loop = p->loop;
    struct poll_peer *peer = p->peer;
    if (loop == NULL)
        return;
    if (list_is_linked(&p->active))
        deactivate(loop, p);
    list_remove(&p->of_peer);
    p->loop = NULL;
    if (!list_is_empty(&peer->pollables))
        return;
    /* Whoever comes next is alone if nobody else is left, and not only after this window. */
    if (peer->window == loop->window && loop->window_peers > 0)
        loop->window_peers--;
    peer->window = 0;
}

void pollables_wake(struct pollables *loop, struct poll_peer *peer)
{
    for (struct list_node *node = list_first(&peer->pollables); node != NULL;
         node = list_next(&peer->pollables, node)) {
        struct pollable *p = container_of(node, struct pollable, of_peer);
        assert(p->loop == loop);
        wake(p);
    }
}

void pollables_answered(struct pollable *p)
{
    if (p->loop != NULL)
        wake(p);
}

static void turn_window(struct pollables *loop, uint64_t now_ns)
{
    if (now_ns < loop->window_end_ns)
        return;
    loop->busy_peers = loop->window_peers;
    loop->window_peers = 0;
    loop->window++;
    loop->window_end_ns = now_ns + WINDOW_NS;
}

/* A domain had requests: counts it, and tells it where we are and how many others are here. */
static void publish_hints(struct pollables *loop, struct poll_peer *peer)
{
    if (peer->window != loop->window) {
        peer->window = loop->window;
        loop->window_peers++;
    }
    if (load_relaxed_u32(peer->loop_cpu) != loop->cpu)
        store_relaxed_u32(peer->loop_cpu, loop->cpu);
    if (load_relaxed_u32(peer->busy_peers) != loop->busy_peers)
        store_relaxed_u32(peer->busy_peers, loop->busy_peers);
}

static uint32_t visit(struct pollables *loop, struct pollable *p, uint64_t now_ns)
{
    int taken = p->ops->consume(p, now_ns);
    if (taken < 0) {
        p->ops->broken(p, taken);
        return 0;
    }
    if (taken == 0)
        return 0;
    if (p->idle_since_ns != 0)
        spin_budget_won(&p->budget, now_ns - p->idle_since_ns);
    p->idle_since_ns = 0;
    rate_meter_note(&p->peer->rate, now_ns, p->peer->requests);
    p->peer->requests += (uint32_t)taken;
    publish_hints(loop, p->peer);
    return (uint32_t)taken;
}

uint32_t pollables_turn(struct pollables *loop, uint64_t now_ns)
{
    uint32_t total = 0;
    loop->turns++;
    loop->cpu = (uint32_t)sched_getcpu();
    turn_window(loop, now_ns);
    /* Who becomes active meanwhile stands behind those that are counted, and has the next turn. */
    struct list_node *node = list_first(&loop->active);
    for (uint32_t i = loop->active_count; i > 0; i--) {
        struct pollable *p = of_active(node);
        total += visit(loop, p, now_ns);
        node = list_next(&loop->active, node);
    }
    return total;
}

/*
 * For how long is an empty ring worth looking at, after we answered? Always for a moment when a
 * thread of the domain spins on another CPU: its next request follows at once. One that spins on
 * our CPU can't go on before we stop. Otherwise as experience tells.
 */
static uint32_t spin_limit_ns(struct pollables *loop, struct pollable *p)
{
    if (loop->no_spin || !p->answered)
        return 0;
    uint32_t cpu = load_relaxed_u32(p->peer->spin_cpu);
    if (cpu == loop->cpu)
        return 0;
    if (cpu != HINTS_CPU_NONE)
        return SPIN_NS;
    uint32_t limit_ns = spin_budget_grant(&p->budget);
    return limit_ns < SPIN_FOR_SLEEPER_NS ? limit_ns : SPIN_FOR_SLEEPER_NS;
}

/* Is it worth while to keep looking at this empty ring? */
static bool keep_looking(struct pollables *loop, struct pollable *p, uint64_t now_ns)
{
    if (p->idle_since_ns == 0) {
        p->limit_ns = spin_limit_ns(loop, p);
        p->answered = false;
        p->idle_since_ns = now_ns;
    }
    if (now_ns - p->idle_since_ns < p->limit_ns)
        return true;
    if (p->limit_ns > 0)
        spin_budget_lost(&p->budget);
    return false;
}

bool pollables_settle(struct pollables *loop, uint64_t now_ns)
{
    for (struct list_node *node = list_first(&loop->active), *next; node != NULL; node = next) {
        struct pollable *p = of_active(node);
        next = list_next(&loop->active, node);
        if (keep_looking(loop, p, now_ns))
            continue;
        p->idle_since_ns = 0;
        loop->arms++;
        if (!p->ops->arm(p))
            deactivate(loop, p);
    }
    return loop->active_count == 0;
}
