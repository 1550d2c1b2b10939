/* SPDX-License-Identifier: MIT */
#include "domu/grants.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "ring/gnttab.h"

struct grant {
    uint32_t pfn;
    bool offered, readonly;
};

int grants_init(struct grants *grants, const struct segment *segment)
{
    const uint32_t first = GNTTAB_NR_RESERVED_ENTRIES;
    assert(segment->nr_grant_entries > first);
    *grants = (struct grants){.table = segment->gnttab};
    grants->grant = calloc(segment->nr_grant_entries, sizeof(*grants->grant));
    if (grants->grant == NULL)
        return -ENOMEM;
    int rc = extents_init(&grants->free, first, segment->nr_grant_entries - first);
    if (rc < 0)
        grants_fini(grants);
    return rc;
}

void grants_fini(struct grants *grants)
{
    extents_fini(&grants->free);
    free(grants->grant);
    *grants = (struct grants){0};
}

static void offer(const struct grants *grants, struct grant_entry_v1 *table, grant_ref_t ref)
{
    const struct grant *grant = &grants->grant[ref];
    gnttab_grant_access(table, ref, DOM0_DOMID, grant->pfn, grant->readonly);
}

int grants_offer(struct grants *grants, uint32_t pfn, uint32_t count, bool readonly,
                 grant_ref_t *ref)
{
    int rc = extents_take(&grants->free, count, ref);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < count; i++) {
        struct grant *grant = &grants->grant[*ref + i];
        assert(!grant->offered);
        *grant = (struct grant){.pfn = pfn + i, .offered = true, .readonly = readonly};
        offer(grants, grants->table, *ref + i);
    }
    return 0;
}

int grants_end(struct grants *grants, grant_ref_t ref, uint32_t count, bool peer_is_dead)
{
    int rc = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct grant *grant = &grants->grant[ref + i];
        assert(grant->offered);
        grant->offered = false;
        if (!peer_is_dead && gnttab_end_access(grants->table, ref + i) < 0)
            rc = -EBUSY;
        else
            extents_give(&grants->free, ref + i, 1);
    }
    return rc;
}

void grants_repeat(const struct grants *grants, struct grant_entry_v1 *table)
{
    const uint32_t end = grants->free.first + grants->free.count;
    for (grant_ref_t ref = grants->free.first; ref < end; ref++) {
        if (grants->grant[ref].offered)
            offer(grants, table, ref);
    }
}
