/* SPDX-License-Identifier: MIT */
/*
 * vbd_trace: Dom0's half of the lives of a ring's requests (splitdom/trace.h), while somebody
 * traces the domain. A ring that is not traced has none, and the loop serves it by functions
 * without any look at that (vbd_ring_ops).
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VBD_TRACE_H
#define SPLITDOM_SERVICE_BACK_VBD_VBD_TRACE_H

#include "service/back/vbd/vbd_ring.h"
#include "trace/trace_pace.h"
#include "trace/trace_writer.h"

struct vbd_trace {
    struct back_trace to;
    uint64_t taken_ns;      /* the present batch */
    struct trace_pace pace; /* of a front end whose ids have no ranks: which of its requests */
    uint32_t unpublished_count;
    struct trace_record *unpublished; /* of responses that the front end cannot see yet */
    struct trace_record record[];     /* by the number of the request's struct pending */
};

/* Traces as `to` says, from the next request on; its threshold 0: not at all. Errors: -ENOMEM; then
 * it is not traced. */
int vbd_trace_set(struct vbd_ring *vr, const struct back_trace *to);

/* All with vr->trace: */
/* For vbd_trace_wants_any. */
bool vbd_trace_wants_some(const struct vbd_ring *vr, const struct blkif_request *req, int count);
/* Is one of these of the sample, as far as that is known before they are judged? If not, they can
 * be started as if nobody traced: nearly always. common: the bits that all their ids have. */
static inline bool vbd_trace_wants_any(const struct vbd_ring *vr, const struct blkif_request *req,
                                       int count, uint64_t common)
{
    if (vr->config.trace_ranks && trace_rank(common) == TRACE_RANK_NEVER)
        return false;
    return vbd_trace_wants_some(vr, req, count);
}
/* Some requests have been seen on the ring. */
void vbd_trace_taken(struct vbd_ring *vr);
/* p, whose request has its id, was judged and is submitted next. */
void vbd_trace_judged(struct vbd_ring *vr, struct pending *p, uint8_t operation, uint64_t sector,
                      uint64_t sector_count);
/* It is answered with this BLKIF_RSP_* now. */
void vbd_trace_answered(struct vbd_ring *vr, struct pending *p, int16_t status);
/* A request was answered at once, without a pending. */
void vbd_trace_refused(struct vbd_ring *vr, uint64_t id, uint8_t operation, int16_t status);
/* What is answered is shown next; trace->unpublished_count is above 0. */
void vbd_trace_published(struct vbd_ring *vr);

#endif
