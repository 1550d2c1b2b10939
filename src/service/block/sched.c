/* SPDX-License-Identifier: MIT */
#include "service/block/sched.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/container_of.h"

/* Virtual time of one read at weight 1. At weight 65535 rounding loses less than 2^-16 of a turn.
 */
#define VTIME_PER_COST (UINT64_C(1) << 32)
/* What an entity can owe for joined reads: far from where virtual times would wrap. */
#define DEBT_MAX (SCHED_COST_MAX * VTIME_PER_COST)

static struct sched_entity *entity_of(struct heap_node *turn)
{
    return container_or_null(turn, struct sched_entity, turn);
}

static struct heap *turns_of(struct sched *s, const struct sched_entity *e)
{
    return e->busy ? &s->busy_turns : &s->light_turns;
}

/* e, which is active, belongs to the other class from now on. */
static void set_busy(struct sched *s, struct sched_entity *e, bool busy)
{
    if (e->busy == busy)
        return;
    if (e->queued > 0)
        heap_remove(turns_of(s, e), &e->turn);
    e->busy = busy;
    if (e->queued > 0)
        heap_insert_ordered(turns_of(s, e), &e->turn, e->vtime, e->turn.order);

    if (busy) {
        s->light_count--;
        s->busy_count++;
        s->busy_in_flight += e->in_flight;
    } else {
        s->busy_count--;
        s->light_count++;
        s->busy_in_flight -= e->in_flight;
    }
}

static void activate(struct sched *s, struct sched_entity *e)
{
    e->busy = false;
    e->demand_peak = 0;
    e->demand_before = 0;
    list_push_front(&s->active, &e->active);
    s->light_count++;
    /* Outright, and not the larger of the two: what e remembers is so old that its difference to
     * the present may have wrapped. */
    e->vtime = s->vtime;
}

/* e has no demand any more. */
static void deactivate(struct sched *s, struct sched_entity *e)
{
    set_busy(s, e, false);
    list_remove(&e->active);
    s->light_count--;
}

static uint32_t demand_of(const struct sched_entity *e)
{
    return e->in_flight + e->queued + e->joined;
}

/* Begins a new window when the present one is over. After a pause of more than a window the
 * previous one saw only what is still there now. */
static void roll_window(struct sched *s, uint64_t now_ns)
{
    int64_t elapsed_ns = (int64_t)(now_ns - s->window_start_ns);
    bool paused = elapsed_ns >= 2 * (int64_t)SCHED_WINDOW_NS;

    if (elapsed_ns < SCHED_WINDOW_NS)
        return;
    s->window_start_ns = paused ? now_ns : s->window_start_ns + SCHED_WINDOW_NS;
    for (struct list_node *node = list_first(&s->active), *next; node != NULL; node = next) {
        struct sched_entity *e = container_of(node, struct sched_entity, active);
        uint32_t demand = demand_of(e);

        next = list_next(&s->active, node);
        e->demand_before = paused ? demand : e->demand_peak;
        e->demand_peak = demand;
        uint32_t peak = e->demand_before > demand ? e->demand_before : demand;
        if (peak == 0)
            deactivate(s, e);
        else
            set_busy(s, e, peak > SCHED_LIGHT_DEMAND);
    }
}

static bool isolated(const struct sched *s)
{
    return s->light_count > 0 && s->busy_count > 0;
}

/* May one more read of a busy entity go to the disk? One place is kept free while isolated. */
static bool busy_may_go(const struct sched *s)
{
    uint32_t limit = s->depth_isolated > 1 ? s->depth_isolated - 1 : 1;

    return !isolated(s) || s->busy_in_flight < limit;
}

void sched_init(struct sched *s, uint32_t depth_max, uint32_t depth_isolated)
{
    assert(depth_max > 0 && depth_isolated > 0);
    memset(s, 0, sizeof(*s));
    s->depth_max = depth_max;
    s->depth_isolated = depth_isolated < depth_max ? depth_isolated : depth_max;
    s->depth_alone = depth_max;
}

void sched_set_depth_alone(struct sched *s, uint32_t depth_alone)
{
    s->depth_alone = depth_alone > s->depth_max ? depth_alone : s->depth_max;
}

int sched_set_weight(struct sched_entity *e, uint32_t weight)
{
    if (weight < 1 || weight > SCHED_WEIGHT_MAX)
        return -EINVAL;
    e->weight = weight;
    return 0;
}

int sched_entity_init(struct sched_entity *e, uint32_t weight)
{
    memset(e, 0, sizeof(*e));
    return sched_set_weight(e, weight);
}

/* e has a read that waits: it queues up behind all with the same virtual time, of either class. */
static void queue_up(struct sched *s, struct sched_entity *e)
{
    heap_insert_ordered(turns_of(s, e), &e->turn, e->vtime, s->order_next++);
}

/* The turn that began at this virtual time is the present. What is in the heaps lies within half
 * the line of it, so the line begins opposite. */
static void set_vtime(struct sched *s, uint64_t vtime)
{
    s->vtime = vtime;
    s->light_turns.origin = s->busy_turns.origin = vtime - (UINT64_C(1) << 63);
}

/* The demand of e has grown. */
static void note_demand(struct sched *s, struct sched_entity *e)
{
    uint32_t demand = demand_of(e);

    if (demand > e->demand_peak)
        e->demand_peak = demand;
    if (demand > SCHED_LIGHT_DEMAND)
        set_busy(s, e, true);
}

/* An entity that does not wait has no credit from the past. */
static void catch_up(const struct sched *s, struct sched_entity *e)
{
    if ((int64_t)(e->vtime - s->vtime) < 0)
        e->vtime = s->vtime;
}

static void pay(struct sched_entity *e, uint32_t cost)
{
    cost = cost == 0 ? 1 : cost > SCHED_COST_MAX ? SCHED_COST_MAX : cost;
    e->vtime += cost * VTIME_PER_COST / e->weight;
}

void sched_enqueue(struct sched *s, struct sched_entity *e, uint64_t now_ns)
{
    roll_window(s, now_ns);
    if (!list_is_linked(&e->active))
        activate(s, e);
    if (e->queued++ == 0) {
        e->overs_seen = s->overs;
        catch_up(s, e);
        queue_up(s, e);
    }
    note_demand(s, e);
}

void sched_join(struct sched *s, struct sched_entity *e, uint64_t now_ns)
{
    roll_window(s, now_ns);
    if (!list_is_linked(&e->active))
        activate(s, e);
    e->joined++;
    note_demand(s, e);
}

void sched_leave(struct sched_entity *e)
{
    assert(e->joined > 0);
    e->joined--;
}

void sched_charge(struct sched *s, struct sched_entity *e, uint32_t cost)
{
    bool waits = e->queued > 0;

    assert(list_is_linked(&e->active));
    if (waits)
        heap_remove(turns_of(s, e), &e->turn);
    else
        catch_up(s, e);
    pay(e, cost);
    if ((int64_t)(e->vtime - s->vtime) > (int64_t)DEBT_MAX)
        e->vtime = s->vtime + DEBT_MAX;
    if (waits)
        heap_insert_ordered(turns_of(s, e), &e->turn, e->vtime, e->turn.order);
}

/* Takes the entity whose turn it is among those that may go off its heap. NULL: none may. */
static struct sched_entity *take_turn(struct sched *s)
{
    struct sched_entity *light = entity_of(heap_first(&s->light_turns));
    struct sched_entity *busy = entity_of(heap_first(&s->busy_turns));

    if (light == NULL)
        return busy != NULL && busy_may_go(s) ? entity_of(heap_pop(&s->busy_turns)) : NULL;
    if (busy != NULL && !heap_before(&s->light_turns, &light->turn, &busy->turn)) {
        if (busy_may_go(s))
            return entity_of(heap_pop(&s->busy_turns));
        /* Out of turn, through the kept place, which the busy one could not have used. Were the
         * light one charged from its own virtual time, it would run up a debt for service that took
         * nothing from anybody, and pay it all at once when it becomes busy itself. */
        light->vtime = busy->vtime;
    }
    return entity_of(heap_pop(&s->light_turns));
}

struct sched_entity *sched_pick(struct sched *s, uint64_t now_ns,
                                uint32_t (*cost_of)(const struct sched_entity *e))
{
    if (s->in_flight >= sched_depth(s, now_ns))
        return NULL;
    struct sched_entity *e = take_turn(s);
    if (e == NULL)
        return NULL;

    if (e->overs_seen != s->overs)
        e->waited_ns = now_ns;
    e->overs_seen = s->overs;
    set_vtime(s, e->vtime);
    pay(e, cost_of(e));
    if (--e->queued > 0)
        queue_up(s, e);

    e->in_flight++;
    s->in_flight++;
    if (e->busy)
        s->busy_in_flight++;
    return e;
}

void sched_complete(struct sched *s, struct sched_entity *e, uint64_t now_ns)
{
    assert(e->in_flight > 0);
    roll_window(s, now_ns);
    e->in_flight--;
    s->in_flight--;
    if (e->busy)
        s->busy_in_flight--;
}

void sched_turns_over(struct sched *s)
{
    if (heap_first(&s->light_turns) != NULL || heap_first(&s->busy_turns) != NULL)
        s->overs++;
}

bool sched_has_waited(const struct sched *s, const struct sched_entity *e, uint64_t now_ns)
{
    bool waits = e->queued > 0 && e->overs_seen != s->overs;
    return waits || (e->waited_ns != 0 && now_ns - e->waited_ns < SCHED_WAITED_NS);
}

void sched_cancel(struct sched *s, struct sched_entity *e)
{
    assert(e->queued > 0);
    if (--e->queued == 0)
        heap_remove(turns_of(s, e), &e->turn);
}

void sched_entity_remove(struct sched *s, struct sched_entity *e)
{
    assert(demand_of(e) == 0);
    if (list_is_linked(&e->active))
        deactivate(s, e);
}

uint32_t sched_depth(struct sched *s, uint64_t now_ns)
{
    roll_window(s, now_ns);
    if (s->light_count + s->busy_count > 1)
        s->together_ns = now_ns;
    if (isolated(s))
        return s->depth_isolated;
    return (int64_t)(now_ns - s->together_ns) < SCHED_ALONE_NS ? s->depth_max : s->depth_alone;
}
