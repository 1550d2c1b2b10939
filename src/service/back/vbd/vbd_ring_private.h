/* SPDX-License-Identifier: MIT */
/* vbd_ring_private: what vbd_ring.c and operations.c do alike: map, answer, give back. */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VBD_RING_PRIVATE_H
#define SPLITDOM_SERVICE_BACK_VBD_VBD_RING_PRIVATE_H

#include "service/back/vbd/vbd_ring.h"

static inline void vbd_ring_unmap(struct vbd_ring *vr, const grant_ref_t *gref, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        grant_map_put(&vr->grants, gref[i]);
}

/* Maps a segment's page. writable: data will be read from the disk into it. */
static inline int vbd_ring_map(struct vbd_ring *vr, const struct blkif_request_segment *seg,
                               bool writable, struct block_segment *out)
{
    void *page;
    int rc = grant_map_get(&vr->grants, seg->gref, writable, vr->config.persistent_grants, &page);
    if (rc == 0)
        *out = (struct block_segment){
            .address = (uint8_t *)page + (size_t)seg->first_sect * BLKIF_SECTOR_SIZE,
            .sector_count = (uint32_t)(seg->last_sect - seg->first_sect) + 1};
    return rc;
}

/* Those of a request that has them in its slot. On failure none stays mapped. */
static inline int vbd_ring_map_direct(struct vbd_ring *vr, const struct blkif_request *req,
                                      bool writable, struct pending *p)
{
    for (uint32_t i = 0; i < req->nr_segments; i++) {
        int rc = vbd_ring_map(vr, &req->seg[i], writable, &p->segment[i]);
        if (rc < 0) {
            vbd_ring_unmap(vr, p->gref, i);
            return rc;
        }
        p->gref[i] = req->seg[i].gref;
    }
    return 0;
}

/* vbd_ring.c: with completion in virtual time. Notes when p was asked for; stamp_ns: what its
 * slot says; NULL: it has no room to say. */
void vbd_ring_stamp_request(struct vbd_ring *vr, struct pending *p, const uint64_t *stamp_ns);
/* Stamps the response filled last, to p; NULL: to nothing that took time. */
void vbd_ring_stamp_response(struct vbd_ring *vr, const struct pending *p);

/* Responses share slots with requests, so filling one here is always possible: it takes the place
 * of a request that was consumed. p: what it answers; NULL: it was refused at once. */
static inline void vbd_ring_respond(struct vbd_ring *vr, uint64_t id, uint8_t operation,
                                    int16_t status, const struct pending *p)
{
    if (status == BLKIF_RSP_EOPNOTSUPP)
        vr->stats.unsupported++;
    else if (status != BLKIF_RSP_OKAY)
        vr->stats.errors++;
    blkif_put_response(&vr->ring, id, operation, status);
    if (vr->config.virtual_completion)
        vbd_ring_stamp_response(vr, p);
    if (id % SLEEPERS_IDS < SLEEPERS_MAX)
        vr->answered[vr->answered_count++] = (uint16_t)id;
    vr->unpushed = true;
}

static inline struct pending *vbd_ring_take_pending(struct vbd_ring *vr)
{
    struct pending *p = vr->free;
    assert(p != NULL); /* there are as many as the ring has slots */
    vr->free = p->next_free;
    return p;
}

static inline void vbd_ring_free_pending(struct vbd_ring *vr, struct pending *p)
{
    p->next_free = vr->free;
    vr->free = p;
}

/* vbd_pages.c: maps the ring that vr->config names. Errors: as vbd_ring_create; vbd_ring_destroy
 * unmaps what there is. */
int vbd_ring_map_pages(struct vbd_ring *vr);

/* vbd_ring.c: how the loop serves a ring. A ring that is not traced pays nothing for those that
 * are. */
const struct pollable_ops *vbd_ring_ops(bool traced);
/* vbd_ring.c: done of plain reads, which every pending that is free has. */
void vbd_ring_read_done(struct block_request *request, int status);
/* vbd_trace.c: the same of those that are traced. */
void vbd_ring_traced_read_done(struct block_request *request, int status);

static inline bool vbd_ring_is_plain_read(const struct pending *p)
{
    return p->request.done == vbd_ring_read_done || p->request.done == vbd_ring_traced_read_done;
}

/* operations.c: lets go of the pages of a request that was started there. */
void operations_unmap(struct vbd_ring *vr, struct pending *p);

#endif
