/* SPDX-License-Identifier: MIT */
#include "service/cli/top/top_latency.h"

#include <stdlib.h>

static void note(void *ctx, const struct trace_record *record)
{
    struct top_latency *latency = ctx;
    uint64_t taken_ns = record->at_ns[TRACE_TAKEN], published_ns = record->at_ns[TRACE_PUBLISHED];
    bool is_dom0s = record->kind == TRACE_BACK || record->kind == TRACE_ALONE;
    if (!is_dom0s || published_ns < taken_ns ||
        !trace_wants(trace_threshold(TOP_LATENCY_SAMPLE), record->id))
        return;
    if (latency->count == latency->room) {
        size_t room = latency->room == 0 ? 4096 : 2 * latency->room;
        struct top_latency_time *times = realloc(latency->times, room * sizeof(*times));
        if (times == NULL)
            return;
        latency->times = times;
        latency->room = room;
    }
    latency->times[latency->count++] =
        (struct top_latency_time){record->domid, published_ns - taken_ns};
}

static int by_domain_and_time(const void *a, const void *b)
{
    const struct top_latency_time *x = a, *y = b;
    if (x->domid != y->domid)
        return x->domid < y->domid ? -1 : 1;
    return x->ns < y->ns ? -1 : x->ns > y->ns;
}

static void fill_domain(const struct top_latency *latency, struct top_domain *domain)
{
    size_t first = 0, end;
    while (first < latency->count && latency->times[first].domid < domain->domid)
        first++;
    for (end = first; end < latency->count && latency->times[end].domid == domain->domid;)
        end++;
    domain->timed = end - first;
    if (domain->timed == 0)
        return;
    domain->p50_ns = latency->times[first + (domain->timed - 1) / 2].ns;
    domain->p99_ns = latency->times[first + (domain->timed - 1) * 99 / 100].ns;
}

void top_latency_fill(struct top_latency *latency, const char *control_socket,
                      struct top_sample *sample)
{
    struct why why; /* a Dom0 that cannot trace shows no latencies, and that is all */
    if (latency->session == NULL) {
        (void)trace_session_open(control_socket, 0, TOP_LATENCY_SAMPLE, &latency->set,
                                 &latency->session, &why);
        return;
    }
    latency->count = 0;
    trace_session_look(latency->session, note, latency);
    if (latency->count > 0)
        qsort(latency->times, latency->count, sizeof(*latency->times), by_domain_and_time);
    for (size_t i = 0; i < sample->domain_count; i++)
        fill_domain(latency, &sample->domains[i]);
}

void top_latency_end(struct top_latency *latency)
{
    trace_session_drop(latency->session);
    free(latency->times);
    *latency = (struct top_latency){.session = NULL};
}
