/* SPDX-License-Identifier: MIT */
#include "service/block/trace.h"

#include "base/clock.h"

void block_stamp(const struct block_request *request, enum trace_stage stage)
{
    if (request->at_ns[stage] == 0 || stage == TRACE_COMPLETED)
        request->at_ns[stage] = clock_monotonic_ns();
}
