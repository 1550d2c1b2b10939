/* SPDX-License-Identifier: MIT */
/* xen_lanes: requests of xen_writer, each with pages and a part of the disk of its own. */
#ifndef SPLITDOM_TESTS_ABI_XEN_LANES_H
#define SPLITDOM_TESTS_ABI_XEN_LANES_H

#include <err.h>
#include <stdbool.h>

#include "domain.h"
#include "xen_events.h"
#include "xen_store.h"
#include "xen_vbd.h"

#include "xen_headers.h"

enum {
    LANES = 8, /* requests at once, and parts of the disk */
    DIRECT_MAX = BLKIF_MAX_SEGMENTS_PER_REQUEST,
    PAGES = 48, /* of a lane: so many segments has the largest indirect request */
    LANE_PAGES = PAGES + 1,
    RING_REF = GNTTAB_NR_RESERVED_ENTRIES,
    SECTORS_PER_PAGE = DOMAIN_PAGE_SIZE / 512,
    PATIENCE_S = 10,
    UNTOUCHED = 0xee, /* what a data page holds where no sector may land */
};

enum kind { READ, WRITE, BARRIER, FLUSH, DISCARD, INDIRECT_READ, INDIRECT_WRITE, KINDS };

struct lane {
    bool busy;
    enum kind kind;
    uint64_t sector;
    uint32_t segment_count, sector_count;
    struct blkif_request_segment segment[PAGES];
};

struct writer {
    struct domain domain;
    struct xen_events events;
    struct xen_store store;
    struct xen_vbd vbd;
    struct blkif_front_ring ring;
    grant_entry_v1_t *grants;
    struct lane lane[LANES];
    uint64_t lane_sectors;
    uint8_t *disk;   /* what it must hold */
    bool *forgotten; /* by sector: discarded, so it may hold zeros as well */
    bool flips;      /* pages change while they are written, */
    int image;       /* and this tells what of it was */
    uint64_t done[KINDS];
    uint64_t random;
};

static inline uint32_t draw(struct writer *w, uint64_t below)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return (uint32_t)(((w->random * 0x2545f4914f6cdd1dull) >> 32) % below);
}

static inline bool writes(enum kind kind)
{
    return kind == WRITE || kind == BARRIER || kind == INDIRECT_WRITE;
}

static inline bool is_indirect(enum kind kind)
{
    return kind == INDIRECT_READ || kind == INDIRECT_WRITE;
}

/* Page PAGES of a lane names the segments. */
static inline grant_ref_t page_ref(uint32_t lane, uint32_t page)
{
    return RING_REF + 1 + lane * LANE_PAGES + page;
}

static inline uint32_t page_pfn(const struct writer *w, uint32_t lane, uint32_t page)
{
    return w->domain.free_pfn + 1 + lane * LANE_PAGES + page;
}

static inline uint8_t *page_of(const struct writer *w, uint32_t lane, uint32_t page)
{
    return domain_page(&w->domain, page_pfn(w, lane, page));
}

static inline void grant(struct writer *w, grant_ref_t ref, uint32_t pfn, bool readonly)
{
    uint16_t flags = GTF_permit_access | (readonly ? GTF_readonly : 0);
    w->grants[ref].domid = 0;
    w->grants[ref].frame = pfn;
    __atomic_store_n(&w->grants[ref].flags, flags, __ATOMIC_RELEASE);
}

static inline void end_access(struct writer *w, grant_ref_t ref)
{
    uint16_t found = __atomic_load_n(&w->grants[ref].flags, __ATOMIC_SEQ_CST);
    do {
        if (found & (GTF_reading | GTF_writing))
            errx(1, "grant %u is still mapped by the back end (flags 0x%x)", ref, found);
    } while (!__atomic_compare_exchange_n(&w->grants[ref].flags, &found, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
}

static inline uint32_t sectors_of(const struct blkif_request_segment *seg)
{
    return (uint32_t)seg->last_sect - seg->first_sect + 1;
}

/* Segments anywhere in their pages, or all whole pages: then the device may use them as they are.
 */
static inline void make_segments(struct writer *w, uint32_t number, struct lane *lane)
{
    uint32_t most = is_indirect(lane->kind) ? PAGES : DIRECT_MAX;
    bool whole = draw(w, 2) == 0;
    lane->segment_count = 1 + draw(w, most);
    lane->sector_count = 0;
    for (uint32_t i = 0; i < lane->segment_count; i++) {
        struct blkif_request_segment *seg = &lane->segment[i];
        seg->gref = page_ref(number, i);
        seg->first_sect = (uint8_t)(whole ? 0 : draw(w, SECTORS_PER_PAGE));
        seg->last_sect = (uint8_t)(whole ? SECTORS_PER_PAGE - 1
                                         : seg->first_sect + draw(w, (uint64_t)SECTORS_PER_PAGE -
                                                                         seg->first_sect));
        lane->sector_count += sectors_of(seg);
    }
}

static inline void make_pages(struct writer *w, uint32_t number, const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->segment_count; i++) {
        uint8_t *page = page_of(w, number, i);
        grant(w, lane->segment[i].gref, page_pfn(w, number, i), writes(lane->kind));
        memset(page, UNTOUCHED, DOMAIN_PAGE_SIZE);
        for (size_t b = 0; writes(lane->kind) && b < DOMAIN_PAGE_SIZE; b += sizeof(uint32_t)) {
            uint32_t word = draw(w, UINT32_MAX);
            memcpy(page + b, &word, sizeof(word));
        }
    }
}

static inline void make_place(struct writer *w, uint32_t number, struct lane *lane)
{
    uint64_t first = number * w->lane_sectors;
    if (lane->kind == DISCARD) {
        lane->sector_count = 1 + draw(w, w->lane_sectors / 2);
        lane->segment_count = 0;
    } else if (lane->kind == FLUSH) {
        lane->sector_count = lane->segment_count = 0;
    } else {
        make_segments(w, number, lane);
    }
    lane->sector = first + draw(w, w->lane_sectors - lane->sector_count + 1);
    if (draw(w, 2) == 0)
        lane->sector -= lane->sector % SECTORS_PER_PAGE; /* the lanes begin at whole pages */
}

#endif
