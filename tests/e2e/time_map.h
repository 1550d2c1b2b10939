/* SPDX-License-Identifier: MIT */
/*
 * time_map: when the domain's clock showed what, by the TSC, which is not dilated. One thread looks
 * at both all the time; so a wait's end can be judged in real time whatever the rate was.
 */
#ifndef TESTS_E2E_TIME_MAP_H
#define TESTS_E2E_TIME_MAP_H

#include <sched.h>
#include <stdint.h>
#include <time.h>

enum { TIME_MAP_MAX = 1 << 20, TIME_MAP_TICKS = 40000 };

struct time_map {
    uint64_t ticks[TIME_MAP_MAX];
    int64_t ns[TIME_MAP_MAX];
    unsigned count;
    int64_t back_ns; /* the farthest that the clock stepped back */
};

static inline int64_t time_map_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Until the domain's clock shows end_ns, and longer as long as *others is not 0. */
static inline void time_map_fill(struct time_map *map, int64_t end_ns, const unsigned *others)
{
    int64_t last_ns = 0, now_ns = 0;

    while (now_ns < end_ns || __atomic_load_n(others, __ATOMIC_ACQUIRE) != 0) {
        const uint64_t from = __builtin_ia32_rdtsc();
        now_ns = time_map_now_ns();
        const uint64_t to = __builtin_ia32_rdtsc();
        if (last_ns - now_ns > map->back_ns)
            map->back_ns = last_ns - now_ns;
        last_ns = now_ns;
        if (now_ns % 64 == 0)
            sched_yield();
        const uint64_t since = map->count == 0 ? UINT64_MAX : from - map->ticks[map->count - 1];
        if (since < TIME_MAP_TICKS || to - from > TIME_MAP_TICKS / 16 || map->count == TIME_MAP_MAX)
            continue;
        map->ticks[map->count] = from + (to - from) / 2;
        map->ns[map->count++] = now_ns;
    }
}

/* How many ticks after the clock showed at_ns it was `ticks`; negative: before. */
static inline double time_map_late(const struct time_map *map, uint64_t ticks, int64_t at_ns)
{
    unsigned low = 0, high = map->count;

    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (map->ns[middle] < at_ns)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || low == map->count)
        return 0; /* not seen */
    /* The rate may have changed while the reader stood still: then what is sure. */
    const double earliest = (double)(int64_t)(ticks - map->ticks[low - 1]);
    const double gap = (double)(map->ticks[low] - map->ticks[low - 1]);
    if (gap > 4 * TIME_MAP_TICKS)
        return earliest < 0 ? earliest : earliest > gap ? earliest - gap : 0;
    const double part =
        (double)(at_ns - map->ns[low - 1]) / (double)(map->ns[low] - map->ns[low - 1]);
    return earliest - part * gap;
}

#endif
