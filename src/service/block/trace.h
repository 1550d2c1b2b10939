/* SPDX-License-Identifier: MIT */
/* trace: when a request comes through a stage of the block layer (splitdom/trace.h). */
#ifndef SPLITDOM_SERVICE_BLOCK_TRACE_H
#define SPLITDOM_SERVICE_BLOCK_TRACE_H

#include "service/block/client.h"
#include "service/block/request.h"
#include "splitdom/trace.h"
#include "trace/trace_probe.h"

/* For block_trace, of a request that is traced. Of what goes in pieces: the first is queued, picked
 * and sent, the last one completed. */
__attribute__((cold)) void block_stamp(const struct block_request *request, enum trace_stage stage);

static inline void block_trace(const struct block_request *request, enum trace_stage stage)
{
    if (__builtin_expect(request->at_ns != NULL, false))
        block_stamp(request, stage);
}

/* After block_submit of one whose memory is still there, whatever has become of it. There is
 * nothing of this in the way of those that nobody traces. */
static inline void block_trace_submitted(const struct block_request *request)
{
    if (request->state == BLOCK_REQUEST_QUEUED)
        block_trace(request, TRACE_QUEUED);
}

#define BLOCK_PROBE(name, request)                                                                 \
    TRACE_PROBE(name, (request)->owner, (request)->id, (request)->sector)

#endif
