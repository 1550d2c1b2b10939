/* SPDX-License-Identifier: MIT */
/*
 * domu_trace: whether Dom0 wants the lives of this domain's requests written down, and where to
 * (splitdom/trace.h). The memory stays mapped as long as the domain is open, so that who still
 * writes when nobody traces any more does no harm; its pages go back when the trace ends.
 */
#ifndef SPLITDOM_DOMU_DOMU_TRACE_H
#define SPLITDOM_DOMU_DOMU_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "domu/life.h"
#include "trace/trace_writer.h"

struct domu_trace {
    struct trace_writer writer;
    uint32_t threshold; /* of trace_wants; 0: nothing is written down */
    bool is_used;       /* the memory has been written to since it was forgotten */
};

extern const char domu_trace_node[]; /* below the domain's home */

/* Reads what Dom0 wants. On the thread that has the domain. Where the memory cannot be had nothing
 * is traced. Returns 1: that has changed; 0: it has not; -errno: the store is of no use any more.
 */
int domu_trace_read(struct domu_trace *trace, struct life *life);
/* All devices have been told what was read. If nobody traces any more, the memory is given back. */
void domu_trace_tidy(struct domu_trace *trace);
/* The next life has a Dom0 that has not asked yet. Returns whether that is a change. */
bool domu_trace_stop(struct domu_trace *trace);
/* No thread writes any more. */
void domu_trace_fini(struct domu_trace *trace);

#endif
