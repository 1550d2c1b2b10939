/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_claims.h"

#include <assert.h>

#include "base/container_of.h"
#include "ring/barrier.h"

_Static_assert((int)SHARED_CACHE_SHARDS == (int)CACHE_CLAIMS_SHARES, "a shard is a share");

/* What was noted in one shard since the last look; what was overwritten meanwhile is lost. */
static uint64_t take(struct cache_source *source, struct cache *cache)
{
    struct vbd_claims *claims = container_of(source, struct vbd_claims, source);
    uint32_t index = claims->next_shard;
    const struct shared_cache_shard *shard = &claims->page->shard[index];
    claims->next_shard = (index + 1) % SHARED_CACHE_SHARDS;
    uint64_t reads = load_relaxed_u64(&shard->reads);
    uint64_t noted = load_relaxed_u64(&shard->noted);
    uint64_t fresh_reads = reads - claims->seen[index].reads;
    uint64_t fresh = noted - claims->seen[index].noted;
    claims->seen[index].reads = reads;
    claims->seen[index].noted = noted;
    if (fresh > SHARED_CACHE_SHARD_SLOTS)
        fresh = SHARED_CACHE_SHARD_SLOTS;
    for (uint64_t at = noted - fresh; at != noted; at++)
        cache_use_slot(cache, load_relaxed_u32(&shard->slot[at % SHARED_CACHE_SHARD_SLOTS]));
    claims->reads += fresh_reads;
    return fresh_reads;
}

int vbd_claims_open(struct vbd_claims *claims, const struct segment *segment, grant_ref_t ref,
                    struct vdisk *vdisk)
{
    void *page;
    assert(claims->vdisk == NULL);
    int rc = grant_map_init(&claims->grants, segment, DOM0_DOMID);
    if (rc == 0)
        rc = grant_map_get(&claims->grants, ref, false, false, &page);
    if (rc < 0) {
        grant_map_fini(&claims->grants);
        return rc;
    }
    claims->page = page;
    claims->vdisk = vdisk;
    claims->source.take = take;
    /* What stood there before counts for nothing. */
    for (uint32_t i = 0; i < SHARED_CACHE_SHARDS; i++) {
        claims->seen[i].reads = load_relaxed_u64(&claims->page->shard[i].reads);
        claims->seen[i].noted = load_relaxed_u64(&claims->page->shard[i].noted);
    }
    cache_claims_add(&vdisk->claims, &claims->source);
    return 0;
}

void vbd_claims_close(struct vbd_claims *claims)
{
    struct vdisk *vdisk = claims->vdisk;
    if (vdisk == NULL)
        return;
    cache_claims_remove(&vdisk->claims, vdisk->cache, &claims->source);
    grant_map_fini(&claims->grants);
    claims->vdisk = NULL;
    claims->page = NULL;
}
