/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_claims.h"

#include <assert.h>

#include "base/container_of.h"
#include "ring/barrier.h"

_Static_assert((int)SHARED_CACHE_SHARDS == (int)CACHE_CLAIMS_SHARES, "a shard is a share");

/* Slots that were used while nobody heard it: a bounded number, and the others next time. */
static void take_marks(struct vbd_claims *claims, struct cache *cache)
{
    uint32_t count = 0;
    while (claims->words_left > 0 && count <= VBD_CLAIMS_MARKS_MAX - 64) {
        uint32_t index = claims->next_word;
        uint64_t *word = &claims->page->used[index];
        uint64_t marks = load_relaxed_u64(word) != 0 ? exchange_full_u64(word, 0) : 0;
        claims->next_word = (index + 1) % SHARED_CACHE_USED_WORDS;
        claims->words_left--;
        for (; marks != 0; marks &= marks - 1, count++)
            cache_use_slot(cache, index * 64 + (uint32_t)__builtin_ctzll(marks));
    }
}

/* What was noted in one shard since the last look. What was overwritten meanwhile is marked, if the
 * domain keeps the rules. */
static uint64_t take(struct cache_source *source, struct cache *cache)
{
    struct vbd_claims *claims = container_of(source, struct vbd_claims, source);
    uint32_t index = claims->next_shard;
    struct shared_cache_shard *shard = &claims->page->shard[index];
    claims->next_shard = (index + 1) % SHARED_CACHE_SHARDS;
    uint64_t reads = load_relaxed_u64(&shard->reads);
    uint64_t noted = load_relaxed_u64(&shard->noted);
    uint64_t spilled = load_relaxed_u64(&shard->spilled);
    uint64_t fresh_reads = reads - claims->seen[index].reads;
    uint64_t fresh = noted - claims->seen[index].noted;
    if (spilled != claims->seen[index].spilled)
        claims->words_left = SHARED_CACHE_USED_WORDS;
    claims->seen[index].reads = reads;
    claims->seen[index].noted = noted;
    claims->seen[index].spilled = spilled;
    take_marks(claims, cache); /* they are older */
    if (fresh > SHARED_CACHE_SHARD_SLOTS)
        fresh = SHARED_CACHE_SHARD_SLOTS;
    for (uint64_t at = noted - fresh; at != noted; at++)
        cache_use_slot(cache, load_relaxed_u32(&shard->slot[at % SHARED_CACHE_SHARD_SLOTS]));
    if (fresh > 0)
        store_relaxed_u64(&shard->heard, noted);
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
        rc = grant_map_get(&claims->grants, ref, true, false, &page);
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
        claims->seen[i].spilled = load_relaxed_u64(&claims->page->shard[i].spilled);
        store_relaxed_u64(&claims->page->shard[i].heard, claims->seen[i].noted);
    }
    for (uint32_t i = 0; i < SHARED_CACHE_USED_WORDS; i++)
        store_relaxed_u64(&claims->page->used[i], 0);
    claims->words_left = 0;
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
