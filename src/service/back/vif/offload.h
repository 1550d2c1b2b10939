/* SPDX-License-Identifier: MIT */
/*
 * offload: what a front end leaves to its device: checksums, and the cutting of large TCP frames.
 * A front end that has not said that it takes such frames gets them done.
 *
 * Pure functions of a frame and of what the front end takes. Whatever a domain has written into a
 * frame, the work is bounded: OFFLOAD_SEGMENTS_MAX segments, none but the last one smaller than
 * OFFLOAD_SEGMENT_BYTES_MIN, each byte summed once.
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_OFFLOAD_H
#define SPLITDOM_SERVICE_BACK_VIF_OFFLOAD_H

#include <stdbool.h>

#include "service/back/vif/vif_queue.h"
#include "service/net/frame.h"

enum {
    /* The largest frame in segments of 256 bytes: smaller ones are nobody's. */
    OFFLOAD_SEGMENTS_MAX = 256,
    /* Linux's least MSS, TCP_MIN_SND_MSS, of a segment without options: with them a sender whose
     * peer asks for so little goes below (36 with time stamps), and is not heard. A segment costs
     * as much as a small frame, and its sender pays for its bytes alone. */
    OFFLOAD_SEGMENT_BYTES_MIN = 48,
};

/* Can the front end take the frame as it is? */
bool offload_fits(const struct vif_features *features, const struct net_frame *frame);

/* Takes a frame that was made here, and a reference to it if it is kept. part: one of several. */
typedef void offload_emit_fn(void *ctx, struct net_frame *frame, bool part);

/* The same frame with its checksum, or its segments with theirs: as one that the front end takes.
 * Errors: -EMSGSIZE it can't be done for this frame, nothing was emitted; -ENOMEM: what comes after
 * those that were emitted is lost. */
int offload_apply(const struct vif_features *features, const struct net_frame *frame,
                  offload_emit_fn *emit, void *ctx);

#endif
