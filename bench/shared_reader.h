/* SPDX-License-Identifier: MIT */
/*
 * shared_reader: a cache of Dom0's that a domain reads by itself: the library's view of it in
 * front, and behind that what Dom0 does for a miss. All of it is the product's code, in one thread.
 */
#ifndef SPLITDOM_BENCH_SHARED_READER_H
#define SPLITDOM_BENCH_SHARED_READER_H

#include <string.h>
#include <unistd.h>

#include "domu/blkfront/cache_view.h"
#include "ring/gnttab.h"
#include "ring/segment.h"
#include "service/back/vbd/vbd_claims.h"
#include "service/block/cache/cache.h"

enum { SHARED_READER_PAGES = 64, SHARED_READER_DOMID = 1, SHARED_READER_REF = 20 };

/* Starts all zero. */
struct shared_reader {
    struct segment segment; /* the domain's memory; one page of it for its notes */
    struct vdisk *vdisk;
    struct vbd_claims claims;
    struct cache_view *view, *retired;
    bool has_segment;
};

static inline void shared_reader_close(struct shared_reader *reader)
{
    if (reader->view != NULL)
        cache_view_retire(reader->view, &reader->retired);
    cache_view_free_all(&reader->retired);
    vbd_claims_close(&reader->claims);
    if (reader->has_segment)
        segment_detach(&reader->segment);
}

/* The vdisk outlives the reader; its cache is shared. Errors: -errno; then the reader is closed. */
static inline int shared_reader_open(struct shared_reader *reader, struct vdisk *vdisk)
{
    int fd;
    int rc = segment_create(SHARED_READER_PAGES, SHARED_READER_DOMID, &reader->segment, &fd);

    if (rc < 0)
        return rc;
    close(fd);
    reader->has_segment = true;
    reader->vdisk = vdisk;
    uint32_t pfn = reader->segment.free_pfn;
    gnttab_grant_access(reader->segment.gnttab, SHARED_READER_REF, DOM0_DOMID, pfn, false);
    rc = vbd_claims_open(&reader->claims, &reader->segment, SHARED_READER_REF, vdisk);
    if (rc == 0)
        rc = cache_view_open(cache_shared_fd(vdisk->cache), segment_page(&reader->segment, pfn),
                             &reader->view);
    if (rc < 0)
        shared_reader_close(reader);
    return rc;
}

/* Does the domain read it by itself? */
static inline bool shared_reader_hits(struct shared_reader *reader, uint64_t sector, void *data)
{
    return cache_view_read(reader->view, sector, 1, data);
}

#endif
