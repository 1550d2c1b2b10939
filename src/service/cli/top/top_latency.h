/* SPDX-License-Identifier: MIT */
/*
 * top_latency: how long requests were in Dom0, from taken to published, since the last look: one
 * of TOP_LATENCY_SAMPLE, by way of a trace (trace/trace_session.h), as long as somebody looks.
 */
#ifndef SPLITDOM_SERVICE_CLI_TOP_TOP_LATENCY_H
#define SPLITDOM_SERVICE_CLI_TOP_TOP_LATENCY_H

#include "service/cli/top/top_sample.h"
#include "trace/trace_session.h"

enum { TOP_LATENCY_SAMPLE = 16 };

struct top_latency_time {
    uint32_t domid;
    uint64_t ns;
};

struct top_latency {
    struct trace_session *session; /* NULL: not yet, or Dom0 cannot */
    struct trace_set set;          /* the session's; nothing is put together */
    struct top_latency_time *times;
    size_t count, room;
};

/* Fills in the domains of a sample. The first call begins; where Dom0 cannot trace, or there is no
 * memory, the domains have no latencies. */
void top_latency_fill(struct top_latency *latency, const char *control_socket,
                      struct top_sample *sample);
/* Nobody looks any more. A zeroed one is allowed. */
void top_latency_end(struct top_latency *latency);

#endif
