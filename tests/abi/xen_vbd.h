/* SPDX-License-Identifier: MIT */
/*
 * xen_vbd: the xenbus half of a block front end: from an existing device directory to a connected
 * ring, and back. Two manners: Linux' (wait for InitWait, 3, wait, 4) and mini-os' (relative paths,
 * 4 at once in the transaction that writes the ring).
 *
 * Functions return 0 or -errno and leave in vbd->doing what they were at.
 */
#ifndef SPLITDOM_TESTS_ABI_XEN_VBD_H
#define SPLITDOM_TESTS_ABI_XEN_VBD_H

#include <stdbool.h>
#include <stdint.h>

#include "xen_store.h"

struct xen_vbd {
    struct xen_store *store;
    bool mini_os;
    bool persistent; /* ask for persistent grants */
    uint32_t
        queues;     /* wanted, then had: not more than the back end offers; 0: one. Not mini_os's */
    char front[64]; /* device directory */
    char back[192];
    char doing[256];
    uint64_t sectors; /* of 512 bytes */
    uint32_t sector_size;
    /* What the back end offers; 0: not. */
    uint64_t flush, barrier, discard, indirect_segments;
};

/* Queue N has the ring of ring_ref + N, and ports[N]. */
int xen_vbd_connect(struct xen_vbd *vbd, uint16_t domid, uint32_t ring_ref, const uint32_t *ports);

/* Leaves the ring: after it the back end must have given back every grant. */
int xen_vbd_close(struct xen_vbd *vbd);

#endif
