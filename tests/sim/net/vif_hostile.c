/* SPDX-License-Identifier: MIT */
/* What a front end does to break Dom0, or to get at others' frames. */
#include <stdlib.h>
#include <string.h>

#include "vif_world.h"

/* Half of it is nearly right. */
static uint32_t odd_number(struct world *w)
{
    static const uint32_t numbers[] = {0,    1,    13,    14,         255,       256,
                                       4095, 4096, 65535, 0x7fffffff, UINT32_MAX};
    return world_pick(w, 2) == 0 ? numbers[world_pick(w, 11)] : (uint32_t)prng_next(&w->random);
}

static void spoil_slot(struct front *f)
{
    struct world *w = f->world;
    struct netif_tx_request *req = sring_slot(f->other.tx.half.sring, NETIF_RING_ENTRIES,
                                              odd_number(w), sizeof(union netif_tx_sring_entry));
    switch (world_pick(w, 6)) {
    case 0:
        req->gref = odd_number(w);
        break;
    case 1:
        req->offset = (uint16_t)odd_number(w);
        break;
    case 2:
        req->size = (uint16_t)odd_number(w);
        break;
    case 3:
        req->flags = (uint16_t)odd_number(w);
        break;
    case 4:
        ((struct netif_extra_info *)req)->type = (uint8_t)odd_number(w);
        break;
    default:
        req->id = (uint16_t)odd_number(w);
        break;
    }
}

static void spoil_ring(struct front *f)
{
    struct world *w = f->world;
    struct sring *ring = world_pick(w, 2) == 0 ? f->other.tx.half.sring : f->other.rx.half.sring;
    uint32_t *words[] = {&ring->req_prod, &ring->req_event, &ring->rsp_prod, &ring->rsp_event};
    uint32_t *word = words[world_pick(w, 4)];
    *word = world_pick(w, 2) == 0 ? odd_number(w) : *word + 1 + world_pick(w, 300);
}

static void spoil_grant(struct front *f)
{
    struct world *w = f->world;
    struct grant_entry_v1 *entry =
        &f->segment.gnttab[world_pick(w, 600) % f->segment.nr_grant_entries];
    switch (world_pick(w, 3)) {
    case 0:
        entry->flags = (uint16_t)odd_number(w);
        break;
    case 1:
        entry->frame = odd_number(w);
        break;
    default:
        entry->domid = (domid_t)odd_number(w);
        break;
    }
}

static void spoil_memory(struct front *f)
{
    struct world *w = f->world;
    uint32_t bytes = f->segment.nr_pages * XEN_PAGE_SIZE;
    uint8_t *base = segment_page(&f->segment, 0);
    uint32_t at = world_pick(w, 2) == 0 ? world_pick(w, bytes) : world_pick(w, 3 * XEN_PAGE_SIZE);
    base[at] = (uint8_t)odd_number(w);
}

static void spoil_nodes(struct front *f)
{
    static const char *const nodes[] = {"state",
                                        "tx-ring-ref",
                                        "event-channel-rx",
                                        "feature-sg",
                                        "multi-queue-num-queues",
                                        "feature-splitdom-stamp",
                                        "feature-persistent"};
    nodes_write(f, "", nodes[world_pick(f->world, 7)],
                world_pick(f->world, 2) == 0 ? world_pick(f->world, 8) : odd_number(f->world));
}

void hostile_lies(struct front *f)
{
    switch (world_pick(f->world, 12)) {
    case 0:
        spoil_ring(f);
        break;
    case 1:
        spoil_grant(f);
        break;
    case 2:
        spoil_memory(f);
        break;
    case 3:
        if (world_pick(f->world, 20) == 0)
            spoil_nodes(f);
        break;
    case 4:
        f->doorbell = true;
        break;
    default:
        if (world_pick(f->world, 8) == 0)
            spoil_slot(f);
        break;
    }
}
