/* SPDX-License-Identifier: MIT */
#include "client/stopwatch.h"

#include <stdbool.h>

void stopwatch_init(struct stopwatch *watch, uint64_t (*now_ns)(void *clock), void *clock)
{
    *watch = (struct stopwatch){.now_ns = now_ns, .clock = clock};
    pthread_mutex_init(&watch->lock, NULL);
}

void stopwatch_destroy(struct stopwatch *watch)
{
    pthread_mutex_destroy(&watch->lock);
}

static bool all_stand(const struct stopwatch *watch)
{
    return watch->live > 0 && watch->standing == watch->live;
}

/* The one place where threads come and go: notes the edges of a standstill. */
static void change(struct stopwatch *watch, int live_delta, int standing_delta)
{
    pthread_mutex_lock(&watch->lock);
    uint64_t now_ns = watch->now_ns(watch->clock);
    bool stood = all_stand(watch);

    watch->live += (uint32_t)live_delta;
    watch->standing += (uint32_t)standing_delta;
    if (stood && !all_stand(watch))
        watch->standstill_ns += now_ns - watch->standstill_since_ns;
    if (!stood && all_stand(watch))
        watch->standstill_since_ns = now_ns;
    if (watch->live == 0)
        watch->ended_ns = now_ns;
    pthread_mutex_unlock(&watch->lock);
}

void stopwatch_start(struct stopwatch *watch, uint32_t thread_count)
{
    pthread_mutex_lock(&watch->lock);
    watch->live = thread_count;
    watch->started_ns = watch->now_ns(watch->clock);
    watch->ended_ns = watch->started_ns;
    pthread_mutex_unlock(&watch->lock);
}

void stopwatch_enter(struct stopwatch *watch)
{
    change(watch, 0, 1);
}

void stopwatch_leave(struct stopwatch *watch)
{
    change(watch, 0, -1);
}

void stopwatch_retire(struct stopwatch *watch)
{
    change(watch, -1, 0);
}

uint64_t stopwatch_running_ns(const struct stopwatch *watch)
{
    return watch->ended_ns - watch->started_ns - watch->standstill_ns;
}

uint64_t stopwatch_standstill_ns(const struct stopwatch *watch)
{
    return watch->standstill_ns;
}
