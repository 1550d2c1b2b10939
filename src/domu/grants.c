/* SPDX-License-Identifier: MIT */
#include "domu/grants.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "ring/gnttab.h"

struct grant {
    uint32_t pfn;
    bool offered, readonly;
    bool ending; /* taken back, and Dom0 has it mapped */
};

struct grant_page {
    uint8_t ending; /* references to it that are */
    bool owed;      /* to be given back when none is */
};

int grants_init(struct grants *grants, const struct segment *segment)
{
    const uint32_t first = GNTTAB_NR_RESERVED_ENTRIES;
    assert(segment->nr_grant_entries > first);
    *grants = (struct grants){.table = segment->gnttab};
    grants->grant = calloc(segment->nr_grant_entries, sizeof(*grants->grant));
    grants->page = calloc(segment->nr_pages, sizeof(*grants->page));
    int rc = grants->grant == NULL || grants->page == NULL
                 ? -ENOMEM
                 : extents_init(&grants->free, first, segment->nr_grant_entries - first);
    if (rc < 0)
        grants_fini(grants);
    return rc;
}

void grants_fini(struct grants *grants)
{
    extents_fini(&grants->free);
    free(grants->grant);
    free(grants->page);
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
        assert(!grant->offered && !grant->ending);
        *grant = (struct grant){.pfn = pfn + i, .offered = true, .readonly = readonly};
        offer(grants, grants->table, *ref + i);
    }
    return 0;
}

static void keep(struct grants *grants, struct grant *grant)
{
    grant->ending = true;
    grants->page[grant->pfn].ending++;
    grants->ending_count++;
}

int grants_end(struct grants *grants, grant_ref_t ref, uint32_t count, bool peer_is_dead)
{
    int rc = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct grant *grant = &grants->grant[ref + i];
        assert(grant->offered);
        grant->offered = false;
        if (!peer_is_dead && gnttab_end_access(grants->table, ref + i) < 0) {
            keep(grants, grant);
            rc = -EBUSY;
        } else {
            extents_give(&grants->free, ref + i, 1);
        }
    }
    return rc;
}

void grants_give_pages(struct grants *grants, struct pages *pages, uint32_t pfn, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct grant_page *page = &grants->page[pfn + i];
        page->owed = page->ending > 0;
        if (!page->owed)
            pages_give(pages, pfn + i, 1);
    }
}

static void let_go(struct grants *grants, struct pages *pages, grant_ref_t ref)
{
    struct grant *grant = &grants->grant[ref];
    struct grant_page *page = &grants->page[grant->pfn];
    assert(page->ending > 0 && grants->ending_count > 0);
    grant->ending = false;
    grants->ending_count--;
    extents_give(&grants->free, ref, 1);
    if (--page->ending > 0 || !page->owed)
        return;
    page->owed = false;
    pages_give(pages, grant->pfn, 1);
}

void grants_sweep(struct grants *grants, struct pages *pages)
{
    const uint32_t end = grants->free.first + grants->free.count;
    for (grant_ref_t ref = grants->free.first; ref < end && grants->ending_count > 0; ref++) {
        if (grants->grant[ref].ending && gnttab_end_access(grants->table, ref) == 0)
            let_go(grants, pages, ref);
    }
}

void grants_repeat(const struct grants *grants, struct grant_entry_v1 *table)
{
    const uint32_t end = grants->free.first + grants->free.count;
    for (grant_ref_t ref = grants->free.first; ref < end; ref++) {
        if (grants->grant[ref].offered)
            offer(grants, table, ref);
    }
}
