/* SPDX-License-Identifier: MIT */
/* vif_world: what happens in the simulated machine by chance, by the clock and by doorbells. */
#include "vif_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static struct world *machine_world;

void world_use(struct world *w)
{
    machine_world = w;
}

uint32_t world_pick(struct world *w, uint32_t bound)
{
    return (uint32_t)prng_below(&w->random, bound);
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list args;
    if (w->why[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(w->why, sizeof(w->why), format, args);
    va_end(args);
}

void world_say(struct world *w, const char *format, ...)
{
    va_list args;
    if (!w->verbose)
        return;
    printf("%6" PRIu64 " %9" PRIu64 " ", w->actions, strand_now_ns() / 1000);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void world_ring(int front)
{
    machine_world->front[front].doorbell = true;
}

void world_advance_to(struct world *w, uint64_t now_ns)
{
    strand_set_now_ns(now_ns);
    tdf_source_set_ns(&w->source, now_ns);
    tdf_clock_reanchor(&w->real_clock);
    for (int i = 0; w->dom0_lives && i < WORLD_FRONTS; i++)
        if (w->front[i].back != NULL)
            tdf_clock_reanchor(&w->front[i].dom0_clock);
}
