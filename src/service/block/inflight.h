/* SPDX-License-Identifier: MIT */
/*
 * inflight: disk reads in flight, so that a second miss on the same sectors joins the first read
 * instead of sending another one.
 *
 * A fixed hash table of intrusive entries: the owner embeds struct inflight_read in whatever
 * describes its read and keeps the list of those who wait for it. Reads are keyed by the granule
 * (INFLIGHT_GRANULE sectors, aligned: 4 KiB) in which they start, and inflight_find looks at the
 * reads of one granule, that of the wanted span's first sector. So a span joins a read that covers
 * it whole and starts in the same granule, at or before it:
 *   - one sector joins the read of the same sector, and the read of the 4 KiB block around it;
 *   - a larger span joins an equal one, and any that is longer or starts a little earlier.
 * A span in the later granules of a long read finds nothing and is read once more: correct, merely
 * not saved, and the price of one probe instead of one per granule of the longest read.
 *
 * The hash is keyed, since clients choose the sectors. No allocation. Single-threaded.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_INFLIGHT_H
#define SPLITDOM_SERVICE_BLOCK_INFLIGHT_H

#include <stdint.h>

enum {
    INFLIGHT_GRANULE = 8,   /* sectors */
    INFLIGHT_BUCKETS = 512, /* about one read each when the disk's queue is at its deepest */
};

/* Embed. Fields are set by inflight_add and must not change while the read is in the table. */
struct inflight_read {
    uint64_t sector;
    uint32_t sector_count;
    struct inflight_read *hash_next;
};

struct inflight {
    struct inflight_read *bucket[INFLIGHT_BUCKETS];
    uint64_t key;
    uint32_t count; /* reads in the table */
};

/* key: any number that clients cannot know. */
void inflight_init(struct inflight *table, uint64_t key);
/* The read of sector_count >= 1 sectors from sector on is in flight; sector + sector_count must not
 * wrap. Several reads of the same sectors are allowed. */
void inflight_add(struct inflight *table, struct inflight_read *read, uint64_t sector,
                  uint32_t sector_count);
/* A read in flight that covers all of the span by the rule above, or NULL. Any bytes are allowed
 * in the arguments; a span of 0 sectors or one that wraps is never found. */
struct inflight_read *inflight_find(const struct inflight *table, uint64_t sector,
                                    uint32_t sector_count);
/* The read is over. It must be in the table. */
void inflight_remove(struct inflight *table, struct inflight_read *read);

#endif
