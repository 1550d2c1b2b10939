/* SPDX-License-Identifier: MIT */
#include "service/cli/top/top_head.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Of the time between the samples; without an earlier one, or where it has more (that Dom0 has
 * ended): from the beginning. */
static uint64_t since(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

static double hit_percent(const struct top_sample *now, const struct top_sample *before)
{
    uint64_t hits =
        since(now->hits, before->hits) + since(now->reported_hits, before->reported_hits);
    uint64_t all = hits + since(now->misses, before->misses);
    return all == 0 ? 0.0 : 100.0 * (double)hits / (double)all;
}

static void cut(char line[TOP_LINE_SIZE], int width)
{
    if (width >= 0 && width < TOP_LINE_SIZE)
        line[width] = '\0';
}

void top_head_write(const struct top_sample *now, const struct top_sample *before,
                    const char *clock, int width, char lines[TOP_HEAD_LINES][TOP_LINE_SIZE])
{
    const struct top_sample none = {0};
    uint64_t running = 0, paused = 0, ring = 0, turn = 0;
    for (size_t i = 0; i < now->domain_count; i++) {
        const struct top_domain *domain = &now->domains[i];
        running += domain->process.running;
        paused += domain->paused;
        ring += domain->load.on_ring;
        turn += domain->load.wait_for_turn;
    }
    snprintf(lines[0], TOP_LINE_SIZE, "service top - %s   %s   up %.1f s   TDF %s   engine %s",
             now->name, clock, (double)now->up_ns / 1e9, now->tdf, now->engine);
    snprintf(lines[1], TOP_LINE_SIZE,
             "%zu domain%s: %" PRIu64 " running, %" PRIu64 " paused   %" PRIu64
             " requests, %" PRIu64 "/s",
             now->domain_count, now->domain_count == 1 ? "" : "s", running, paused, now->requests,
             now->rate_now);
    snprintf(lines[2], TOP_LINE_SIZE,
             "cache hits: %.1f %% now, %.1f %% in all   waiting: ring %" PRIu64 ", turn %" PRIu64
             ", disk %" PRIu64,
             hit_percent(now, before == NULL ? &none : before), hit_percent(now, &none), ring, turn,
             now->disk_in_flight);
    for (int i = 0; i < TOP_HEAD_LINES; i++)
        cut(lines[i], width);
}

void top_head_ended(const struct top_sample *now, const struct top_sample *before, int width,
                    char line[TOP_LINE_SIZE])
{
    line[0] = '\0';
    for (size_t i = 0; before != NULL && i < before->domain_count; i++) {
        const struct top_domain *domain = &before->domains[i];
        size_t used = strlen(line), later = 0;
        while (later < now->domain_count && (now->domains[later].domid != domain->domid ||
                                             now->domains[later].pid != domain->pid))
            later++;
        if (later == now->domain_count)
            snprintf(line + used, TOP_LINE_SIZE - used, "%s %s (%" PRIu64 ")",
                     used == 0 ? "ended:" : ",", domain->name, domain->domid);
    }
    cut(line, width);
}
