/* SPDX-License-Identifier: MIT */
/*
 * operations: what a ring is asked for beside plain reads: writes, flushes, barriers, discards, and
 * reads and writes whose segments are named indirectly.
 *
 *   WRITE            the block layer takes the data out of the pages; a page may be granted for
 *                    reading alone
 *   FLUSH_DISKCACHE  all writes answered before are on stable storage when it is answered. With
 *                    segments: those writes, then these sectors. (Linux does not promise as much of
 *                    the sectors: it does not flush after them.)
 *   WRITE_BARRIER    the same, begun when every earlier request of the ring is answered; no later
 *                    one is taken off the ring before it is answered
 *   DISCARD          as the block layer does it; never a secure one
 *   INDIRECT         READ or WRITE; the answer's operation is that one
 *
 * (Linux: xen-blkback/blkback.c: dispatch_rw_block_io, dispatch_discard_io, dispatch_other_io.)
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_OPERATIONS_H
#define SPLITDOM_SERVICE_BACK_VBD_OPERATIONS_H

#include <stdbool.h>

#include "service/back/vbd/vbd_ring.h"

/* Judges a request that is no plain read, and starts or answers it. stamp_ns: what its slot says of
 * when it was asked for, read with completion in virtual time only. */
void operations_start(struct vbd_ring *vr, const struct blkif_request *req,
                      const uint64_t *stamp_ns);
/* Whether such a request is the last of those that are taken before any is started. */
bool operations_end_batch(const struct blkif_request *req);
/* There is a barrier. Begins it once every earlier request is answered. Returns whether it is
 * answered and the ring can be taken from again. */
bool operations_barrier_over(struct vbd_ring *vr);

#endif
