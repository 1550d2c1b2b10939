/* SPDX-License-Identifier: MIT */
/*
 * vbd_claims: what a domain says that it read of a disk's shared cache: the page of
 * splitdom/shared_cache.h that it has granted, as a source of service/block/cache/cache_claims.h.
 *
 * The domain may write anything there, at any time: each word is read once and checked.
 */
#ifndef SPLITDOM_SERVICE_BACK_VBD_VBD_CLAIMS_H
#define SPLITDOM_SERVICE_BACK_VBD_VBD_CLAIMS_H

#include "ring/grant_map.h"
#include "service/block/vdisk.h"
#include "splitdom/shared_cache.h"

/* Of the slots marked as used, so many count at one look. */
enum { VBD_CLAIMS_MARKS_MAX = 128 };

/* All zero: not open. */
struct vbd_claims {
    struct cache_source source;
    struct vdisk *vdisk; /* NULL: not open */
    struct grant_map grants;
    struct shared_cache_claims *page;
    struct {
        uint64_t reads, noted, spilled;
    } seen[SHARED_CACHE_SHARDS];
    uint32_t next_shard;
    uint32_t next_word, words_left; /* of used: to be looked at */
    uint64_t reads;                 /* claimed through all openings */
};

/* Maps the page that the domain has granted as ref, and listens to it on behalf of the vdisk's
 * cache. segment and vdisk outlive it. Errors: those of grant_map_get; -ENOMEM. */
int vbd_claims_open(struct vbd_claims *claims, const struct segment *segment, grant_ref_t ref,
                    struct vdisk *vdisk);
/* Nothing happens to one that is not open. */
void vbd_claims_close(struct vbd_claims *claims);

#endif
