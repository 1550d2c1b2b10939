/* SPDX-License-Identifier: MIT */
#include "tdf/timer.h"

#include <assert.h>
#include <errno.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "tdf/counter.h"

static struct timer *first_waiting(const struct timer_clock *member)
{
    return container_or_null(heap_first(&member->waiting), struct timer, node);
}

static struct timer *first_due(const struct timer_clock *member)
{
    return container_or_null(list_first(&member->due), struct timer, due);
}

static struct timer_clock *first_clock(const struct timers *timers)
{
    return container_or_null(list_first(&timers->clocks), struct timer_clock, link);
}

static struct timer_clock *clock_after(const struct timers *timers,
                                       const struct timer_clock *member)
{
    return container_or_null(list_next(&timers->clocks, &member->link), struct timer_clock, link);
}

void timers_init(struct timers *timers)
{
    *timers = (struct timers){.armed_ns = UINT64_MAX};
}

void timers_add_clock(struct timers *timers, struct timer_clock *member, struct tdf_clock *clock)
{
    *member = (struct timer_clock){.clock = clock};
    list_push_front(&timers->clocks, &member->link);
}

void timer_clock_set_lead(struct timer_clock *member, uint64_t lead_ns)
{
    member->lead_ns = lead_ns;
}

void timers_drop_clock(struct timers *timers, struct timer_clock *member)
{
    struct timer *timer;

    if (!list_is_linked(&member->link))
        return;
    while ((timer = first_waiting(member)) != NULL || (timer = first_due(member)) != NULL)
        timer_stop(timer);
    if (timers->running == member)
        timers->running = NULL;
    if (timers->after == member)
        timers->after = clock_after(timers, member);
    list_remove(&member->link);
}

void timer_init(struct timer *timer, struct timer_clock *owner, timer_fn *fn, void *opaque)
{
    *timer = (struct timer){.owner = owner, .fn = fn, .opaque = opaque};
}

static void wait_until(struct timer *timer, uint64_t deadline_ns)
{
    assert(timer->state == TIMER_STOPPED && list_is_linked(&timer->owner->link));
    timer->state = TIMER_WAITING;
    heap_insert(&timer->owner->waiting, &timer->node, deadline_ns);
}

void timer_stop(struct timer *timer)
{
    if (timer->state == TIMER_WAITING) {
        heap_remove(&timer->owner->waiting, &timer->node);
    } else if (timer->state == TIMER_DUE) {
        list_remove(&timer->due);
    }
    timer->state = TIMER_STOPPED;
}

void timer_set(struct timer *timer, uint64_t deadline_ns)
{
    timer_stop(timer);
    timer->period_ns = 0;
    if (deadline_ns != 0)
        wait_until(timer, deadline_ns);
}

int timer_set_periodic(struct timer *timer, uint64_t period_ns)
{
    if (period_ns < TIMER_PERIOD_MIN_NS)
        return -EINVAL;
    timer_stop(timer);
    timer->period_ns = period_ns;
    timer->missed = 0;
    wait_until(timer, tdf_clock_now_ns(timer->owner->clock) + period_ns);
    return 0;
}

static uint64_t first_deadline(struct timer_clock *member)
{
    const struct heap_node *first = heap_first(&member->waiting);

    if (first == NULL)
        return UINT64_MAX;
    if (member->cached_generation != member->clock->generation ||
        member->cached_key != first->key) {
        member->cached_generation = member->clock->generation;
        member->cached_key = first->key;
        member->cached_deadline_ns = tdf_clock_to_monotonic_ns(member->clock, first->key);
    }
    return member->cached_deadline_ns;
}

uint64_t timers_next_deadline(struct timers *timers)
{
    uint64_t earliest_ns = UINT64_MAX;

    for (struct timer_clock *member = first_clock(timers); member != NULL;
         member = clock_after(timers, member)) {
        uint64_t deadline_ns = first_deadline(member);
        if (deadline_ns < earliest_ns)
            earliest_ns = deadline_ns;
    }
    return earliest_ns;
}

bool timers_near(struct timers *timers)
{
    for (struct timer_clock *member = first_clock(timers); member != NULL;
         member = clock_after(timers, member)) {
        uint64_t deadline_ns = member->lead_ns > 0 ? first_deadline(member) : UINT64_MAX;
        if (deadline_ns != UINT64_MAX && deadline_ns <= clock_monotonic_ns() + member->lead_ns)
            return true;
    }
    return false;
}

/* timers_next_deadline, with each clock's lead taken off. */
static uint64_t next_wakeup(struct timers *timers)
{
    uint64_t earliest_ns = UINT64_MAX;

    for (struct timer_clock *member = first_clock(timers); member != NULL;
         member = clock_after(timers, member)) {
        uint64_t wakeup_ns = first_deadline(member);
        if (wakeup_ns != UINT64_MAX)
            wakeup_ns -= wakeup_ns < member->lead_ns ? wakeup_ns : member->lead_ns;
        if (wakeup_ns < earliest_ns)
            earliest_ns = wakeup_ns;
    }
    return earliest_ns;
}

int timers_arm(struct timers *timers, int timerfd)
{
    uint64_t deadline_ns = next_wakeup(timers);
    struct itimerspec spec = {0};

    /* One that has passed may have fired already, for a clock which turned out to be some ns short
     * of the deadline: only a future one is known to be still armed. */
    if (deadline_ns == timers->armed_ns &&
        (deadline_ns == UINT64_MAX || clock_monotonic_ns() < deadline_ns))
        return 0;
    if (deadline_ns != UINT64_MAX) {
        spec.it_value = clock_timespec(deadline_ns);
        if (deadline_ns == 0)
            spec.it_value.tv_nsec = 1; /* zero would disarm */
    }
    if (timerfd_settime(timerfd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
        return -errno;
    timers->armed_ns = deadline_ns;
    return 0;
}

/* Moves what is due by now to the member's list, earliest first: a callback that sets a timer to
 * the past can't keep this round from ending. */
static void collect_due(struct timer_clock *member)
{
    uint64_t now_ns = tdf_clock_now_ns(member->clock);
    struct timer *timer;

    while ((timer = first_waiting(member)) != NULL && timer->node.key <= now_ns) {
        heap_remove(&member->waiting, &timer->node);
        timer->state = TIMER_DUE;
        list_push_back(&member->due, &timer->due);
    }
}

static void fire(struct timer *timer)
{
    timer_stop(timer); /* off the list of due ones */
    if (timer->period_ns != 0) {
        uint64_t late_ns = tdf_clock_now_ns(timer->owner->clock) - timer->node.key;
        uint64_t missed = late_ns / timer->period_ns;
        timer->missed += missed;
        wait_until(timer, timer->node.key + (missed + 1) * timer->period_ns);
    }
    timer->fn(timer, timer->opaque);
}

size_t timers_run(struct timers *timers)
{
    size_t fired = 0;

    assert(timers->running == NULL); /* not from a callback */
    for (struct timer_clock *member = first_clock(timers); member != NULL; member = timers->after) {
        struct timer *timer;
        timers->after = clock_after(timers, member);
        timers->running = member;
        collect_due(member);
        while (timers->running == member && (timer = first_due(member)) != NULL) {
            fired++;
            fire(timer);
        }
    }
    timers->running = NULL;
    timers->after = NULL;
    return fired;
}
