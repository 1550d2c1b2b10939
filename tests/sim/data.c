/* SPDX-License-Identifier: MIT */
/*
 * data: the pages that a request's data lies in, and the lists that name them. The rings of a
 * domain come first, then its pages for data, then those for lists.
 *
 * Dom0 is to copy a list once. So when it has let go of a list's page, that holds another list.
 */
#include <stdlib.h>
#include <string.h>

#include "ring/gnttab.h"
#include "ring/grant_map.h"
#include "world.h"

static uint32_t first_page(const struct front *f)
{
    return f->queue_count * front_ring_pages(f);
}

uint32_t data_pages(const struct front *f)
{
    (void)f;
    return SIM_DATA_PAGES + SIM_LIST_PAGES;
}

static grant_ref_t ref_of(const struct front *f, uint32_t page)
{
    return SIM_FIRST_REF + first_page(f) + page;
}

static void *memory_of(const struct front *f, grant_ref_t ref)
{
    return segment_page(&f->segment, f->segment.free_pfn + (ref - SIM_FIRST_REF));
}

/* Lists may be granted for reading alone. */
void data_grant(struct front *f)
{
    for (uint32_t i = 0; i < data_pages(f); i++) {
        grant_ref_t ref = ref_of(f, i);
        gnttab_grant_access(f->segment.gnttab, ref, DOM0_DOMID,
                            f->segment.free_pfn + (ref - SIM_FIRST_REF), i >= SIM_DATA_PAGES);
    }
}

bool data_is_in_use(const struct front *f)
{
    uint16_t flags = 0;
    for (uint32_t i = 0; i < data_pages(f); i++)
        flags |= f->segment.gnttab[ref_of(f, i)].flags;
    return (flags & (GTF_reading | GTF_writing)) != 0;
}

void data_reset(struct front *f)
{
    for (uint32_t i = 0; i < SIM_DATA_PAGES; i++)
        f->free_data[i] = SIM_DATA_PAGES - 1 - i;
    for (uint32_t i = 0; i < SIM_LIST_PAGES; i++)
        f->free_list[i] = SIM_DATA_PAGES + i;
    f->free_data_count = SIM_DATA_PAGES;
    f->free_list_count = SIM_LIST_PAGES;
}

static uint32_t count_of_segments(struct ask *ask)
{
    struct world *w = ask->queue->front->world;
    if (!ask->is_indirect)
        return 1 + (world_pick(w, 4) == 0 ? world_pick(w, BLKIF_MAX_SEGMENTS_PER_REQUEST) : 0);
    uint32_t dice = world_pick(w, 64);
    return 1 + world_pick(w, dice == 0  ? SIM_SEGMENTS_MAX
                             : dice < 8 ? SIM_SEGMENTS_OFFERED
                                        : 2 * BLKIF_MAX_SEGMENTS_PER_REQUEST);
}

/* Which sectors of which page the next segment is. False: no page is left. */
static bool choose_segment(struct ask *ask, bool whole)
{
    struct front *f = ask->queue->front;
    struct blkif_request_segment *segment = &ask->segment[ask->segment_count];
    const struct blkif_request_segment *last = ask->segment_count > 0 ? segment - 1 : NULL;
    uint32_t end = last != NULL ? last->last_sect + 1u : BLKIF_SECTORS_PER_PAGE;
    if (!whole && end < BLKIF_SECTORS_PER_PAGE && world_pick(f->world, 2) == 0) {
        segment->gref = last->gref; /* goes on in the same page */
        segment->first_sect = (uint8_t)end;
    } else if (f->free_data_count > 0) {
        segment->gref = ref_of(f, f->free_data[--f->free_data_count]);
        segment->first_sect = (uint8_t)(whole ? 0 : world_pick(f->world, BLKIF_SECTORS_PER_PAGE));
    } else {
        return false;
    }
    uint32_t rest = BLKIF_SECTORS_PER_PAGE - segment->first_sect;
    segment->last_sect =
        (uint8_t)(segment->first_sect + (whole ? rest : 1 + world_pick(f->world, rest)) - 1);
    return true;
}

/* The last segment's page, which is nobody's any more unless the one before is there, too. */
static void drop_last(struct ask *ask)
{
    struct front *f = ask->queue->front;
    const struct blkif_request_segment *segment = &ask->segment[--ask->segment_count];
    if (ask->segment_count > 0 && segment[-1].gref == segment->gref)
        return;
    f->free_data[f->free_data_count++] = segment->gref - ref_of(f, 0);
}

uint64_t data_choose(struct ask *ask, uint64_t sectors_max, bool whole_pages)
{
    struct front *f = ask->queue->front;
    uint64_t sectors = 0;
    uint32_t count = count_of_segments(ask);
    bool whole = whole_pages || world_pick(f->world, 3) == 0;
    ask->list_count = ask->is_indirect ? (count - 1) / BLKIF_SEGMENTS_PER_INDIRECT_PAGE + 1 : 0;
    if (ask->list_count > f->free_list_count)
        return 0;
    ask->segment = calloc(count, sizeof(*ask->segment));
    if (ask->segment == NULL)
        abort();
    while (ask->segment_count < count && choose_segment(ask, whole)) {
        const struct blkif_request_segment *segment = &ask->segment[ask->segment_count++];
        uint32_t more = (uint32_t)(segment->last_sect - segment->first_sect) + 1;
        if (sectors + more > sectors_max) {
            drop_last(ask);
            break;
        }
        sectors += more;
    }
    if (sectors == 0) {
        free(ask->segment);
        ask->segment = NULL;
        ask->list_count = 0;
    }
    for (uint32_t i = 0; i < ask->list_count; i++)
        ask->list_page[i] = f->free_list[--f->free_list_count];
    return sectors;
}

void data_release(struct ask *ask)
{
    struct front *f = ask->queue->front;
    while (ask->segment_count > 0)
        drop_last(ask);
    for (uint32_t i = 0; i < ask->list_count; i++)
        f->free_list[f->free_list_count++] = ask->list_page[i];
    free(ask->segment);
    ask->segment = NULL;
    ask->list_count = 0;
}

void data_put_lists(const struct ask *ask, struct blkif_request_indirect *req)
{
    const struct front *f = ask->queue->front;
    uint32_t left = ask->segment_count;
    for (uint32_t i = 0; left > 0; i++) {
        uint32_t count =
            left < BLKIF_SEGMENTS_PER_INDIRECT_PAGE ? left : BLKIF_SEGMENTS_PER_INDIRECT_PAGE;
        req->indirect_grefs[i] = ref_of(f, ask->list_page[i]);
        memcpy(memory_of(f, req->indirect_grefs[i]),
               ask->segment + (size_t)i * BLKIF_SEGMENTS_PER_INDIRECT_PAGE,
               count * sizeof(*ask->segment));
        left -= count;
    }
    req->nr_segments = (uint16_t)ask->segment_count;
}

static uint8_t *segment_memory(const struct ask *ask, uint32_t i, size_t *bytes)
{
    const struct blkif_request_segment *segment = &ask->segment[i];
    *bytes = (size_t)(segment->last_sect - segment->first_sect + 1) * BLKIF_SECTOR_SIZE;
    return (uint8_t *)memory_of(ask->queue->front, segment->gref) +
           (size_t)segment->first_sect * BLKIF_SECTOR_SIZE;
}

void data_scatter(const struct ask *ask, const uint8_t *bytes)
{
    size_t length;
    for (uint32_t i = 0; i < ask->segment_count; i++, bytes += length) {
        uint8_t *memory = segment_memory(ask, i, &length);
        memcpy(memory, bytes, length);
    }
}

void data_gather(const struct ask *ask, uint8_t *bytes)
{
    size_t length;
    for (uint32_t i = 0; i < ask->segment_count; i++, bytes += length) {
        const uint8_t *memory = segment_memory(ask, i, &length);
        memcpy(bytes, memory, length);
    }
}

/* The linker puts this before Dom0's own. */
void __real_grant_map_put(struct grant_map *map, grant_ref_t ref);
void __wrap_grant_map_put(struct grant_map *map, grant_ref_t ref);

void __wrap_grant_map_put(struct grant_map *map, grant_ref_t ref)
{
    const struct segment *segment = map->segment;
    __real_grant_map_put(map, ref);
    if (ref < SIM_FIRST_REF || (segment->gnttab[ref].flags & GTF_readonly) == 0)
        return;
    struct blkif_request_segment *list =
        segment_page(segment, segment->free_pfn + (ref - SIM_FIRST_REF));
    for (uint32_t i = 0; i < BLKIF_SEGMENTS_PER_INDIRECT_PAGE; i++) {
        list[i].gref = SIM_FIRST_REF + (list[i].gref + i) % SIM_DATA_PAGES;
        list[i].first_sect = (uint8_t)(BLKIF_SECTORS_PER_PAGE - 1 - list[i].last_sect);
        list[i].last_sect = BLKIF_SECTORS_PER_PAGE - 1;
    }
}
