/* SPDX-License-Identifier: MIT */
#include "ring/grant_map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring/barrier.h"

enum {
    CLAIM_TRIES = 5, /* as in Xen's _set_status_v1 */
    PINS_MAX = UINT16_MAX,
};

struct grant_pin {
    uint32_t frame;
    uint16_t pins;
    bool writable;
    bool persistent;
};

int grant_map_init(struct grant_map *map, const struct segment *segment, domid_t mapper)
{
    *map = (struct grant_map){.segment = segment,
                              .mapper = mapper,
                              .nr_entries = segment->nr_grant_entries,
                              .persistent_max = segment->nr_grant_entries};
    map->pins = calloc(map->nr_entries, sizeof(*map->pins));
    return map->pins == NULL ? -ENOMEM : 0;
}

/* This map needs the page no more; as long as others do the entry says so. */
static void release(struct grant_map *map, grant_ref_t ref)
{
    uint16_t *flags = &map->segment->gnttab[ref].flags;
    struct grant_use *use = &map->segment->uses[ref];
    uint16_t over = 0;
    assert(map->mapped_count > 0 && use->maps > 0);
    if (map->pins[ref].writable && --use->writers == 0)
        over |= GTF_writing;
    if (--use->maps == 0)
        over |= GTF_reading;
    assert(use->writers <= use->maps);
    if (over != 0)
        fetch_and_full_u16(flags, (uint16_t)~over);
    map->pins[ref] = (struct grant_pin){0};
    map->mapped_count--;
}

void grant_map_fini(struct grant_map *map)
{
    for (grant_ref_t ref = 0; map->pins != NULL && ref < map->nr_entries; ref++) {
        if (map->pins[ref].pins != 0)
            release(map, ref);
    }
    assert(map->mapped_count == 0);
    free(map->pins);
    memset(map, 0, sizeof(*map));
}

/*
 * Checks the entry and sets the in-use bits in one compare-and-exchange over flags and domid (one
 * 32-bit word), so that what was checked is what was claimed.
 */
static int claim(struct grant_map *map, grant_ref_t ref, bool writable, uint32_t *frame)
{
    struct grant_entry_v1 *entry = &map->segment->gnttab[ref];
    uint32_t *flags_domid = (uint32_t *)(void *)entry;
    uint32_t found = load_full_u32(flags_domid);
    for (int i = 0; i < CLAIM_TRIES; i++) {
        uint16_t flags = (uint16_t)found;
        if ((flags & GTF_type_mask) != GTF_permit_access || (domid_t)(found >> 16) != map->mapper)
            return -EBADF;
        if (writable && (flags & GTF_readonly))
            return -EACCES;
        uint32_t claimed = found | GTF_reading | (writable ? GTF_writing : 0);
        if (compare_exchange_full_u32(flags_domid, &found, claimed)) {
            /* Pairs with the release of flags in gnttab_grant_access. */
            *frame = load_full_u32(&entry->frame);
            return 0;
        }
    }
    return -EAGAIN;
}

static int map_first(struct grant_map *map, grant_ref_t ref, bool writable)
{
    uint32_t frame;
    int rc = claim(map, ref, writable, &frame);
    if (rc < 0)
        return rc;
    map->mapped_count++;
    assert(map->segment->uses[ref].maps < UINT16_MAX); /* a domain has fewer rings */
    map->segment->uses[ref].maps++;
    map->segment->uses[ref].writers += writable;
    map->pins[ref] = (struct grant_pin){.frame = frame, .writable = writable};
    if (frame >= map->segment->nr_pages) {
        release(map, ref);
        return -EFAULT;
    }
    return 0;
}

int grant_map_get(struct grant_map *map, grant_ref_t ref, bool writable, bool persistent,
                  void **page)
{
    if (ref >= map->nr_entries)
        return -EBADF;
    struct grant_pin *pin = &map->pins[ref];
    if (pin->pins == 0) {
        int rc = map_first(map, ref, writable);
        if (rc < 0)
            return rc;
    } else if (writable && !pin->writable) {
        uint32_t frame;
        int rc = claim(map, ref, true, &frame); /* upgrade; the frame stays the pinned one */
        if (rc < 0)
            return rc;
        pin->writable = true;
        map->segment->uses[ref].writers++;
    }
    if (pin->pins >= PINS_MAX - 1)
        return -EMFILE;
    if (persistent && !pin->persistent && map->persistent_count < map->persistent_max) {
        pin->persistent = true;
        map->persistent_count++;
        pin->pins++;
    }
    pin->pins++;
    assert(pin->frame < map->segment->nr_pages);
    *page = segment_page(map->segment, pin->frame);
    return 0;
}

void grant_map_put(struct grant_map *map, grant_ref_t ref)
{
    assert(ref < map->nr_entries && map->pins[ref].pins != 0);
    if (--map->pins[ref].pins == 0)
        release(map, ref);
}

void grant_map_end_persistence(struct grant_map *map)
{
    for (grant_ref_t ref = 0; ref < map->nr_entries; ref++) {
        if (!map->pins[ref].persistent)
            continue;
        map->pins[ref].persistent = false;
        map->persistent_count--;
        grant_map_put(map, ref);
    }
}
