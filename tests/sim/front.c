/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "ring/gnttab.h"
#include "tdf/pvclock.h"
#include "world.h"
#include "xenstore/server/xs_local.h"
#include "xenstore/xenbus_path.h"

/* directory: "" or "queue-N/" */
static void write_node(struct front *f, const char *directory, const char *node, uint32_t value)
{
    char path[XENBUS_PATH_MAX], name[64], text[16];
    snprintf(name, sizeof(name), "%s%s", directory, node);
    xenbus_front_path(path, &(struct xenbus_key){"vbd", f->domid, XENBUS_VBD_XVDA}, name);
    snprintf(text, sizeof(text), "%u", value);
    if (xs_local_write(f->world->store, path, text) < 0)
        abort();
}

/* Of the back end; absent where it is not there. */
static uint64_t read_node(struct front *f, const char *node, uint64_t absent)
{
    char path[XENBUS_PATH_MAX];
    uint64_t value;
    xenbus_back_path(path, &(struct xenbus_key){"vbd", f->domid, XENBUS_VBD_XVDA}, node);
    return xs_local_read_u64(f->world->store, path, UINT64_MAX, &value) < 0 ? absent : value;
}

/* No more than is offered, nor than it has had from the beginning. */
static void take_limits(struct front *f)
{
    uint64_t queues = read_node(f, "multi-queue-max-queues", 1);
    uint64_t order = read_node(f, "max-ring-page-order", 0);
    f->life_queues = queues < f->queue_count ? (uint32_t)queues : f->queue_count;
    f->life_order = order < f->page_order ? (uint32_t)order : f->page_order;
    f->world->narrowed += f->life_queues < f->queue_count || f->life_order < f->page_order;
}

static void take_abilities(struct front *f)
{
    struct world *w = f->world;
    uint64_t physical = w->can.sectors * BLOCK_SECTOR_BYTES % w->block_size_bytes == 0
                            ? w->block_size_bytes
                            : BLOCK_SECTOR_BYTES;
    f->told =
        (struct abilities){.sectors = read_node(f, "sectors", 0),
                           .block_sectors = (uint32_t)read_node(f, "sector-size", 512) / 512,
                           .indirect = (uint32_t)read_node(f, "feature-max-indirect-segments", 0),
                           .writable = (read_node(f, "info", 0) & VDISK_READONLY) == 0,
                           .flush = read_node(f, "feature-flush-cache", 0) != 0,
                           .discard = read_node(f, "feature-discard", 0) != 0};
    if (f->told.block_sectors != w->can.block_sectors ||
        read_node(f, "physical-sector-size", 0) != physical)
        world_fail(w, "domain %u is told of other blocks than the disk has", f->domid);
    if (f->told.indirect != SIM_SEGMENTS_OFFERED)
        world_fail(w, "domain %u is told of %u segments", f->domid, f->told.indirect);
    if ((read_node(f, "feature-barrier", 0) != 0) != f->told.flush)
        world_fail(w, "domain %u: barriers are no flushes", f->domid);
}

uint32_t front_ring_pages(const struct front *f)
{
    return 1u << f->page_order;
}

uint32_t front_pages(const struct front *f)
{
    return f->queue_count * front_ring_pages(f) + data_pages(f);
}

void front_birth(struct front *f)
{
    if (f->phase != FRONT_ABSENT || !f->world->dom0_lives)
        return;
    domain_birth(f);
    f->phase = FRONT_WAITS;
    f->seen_ns = 0;
    for (uint32_t i = 0; i < f->queue_count * front_ring_pages(f); i++)
        gnttab_grant_access(f->segment.gnttab, SIM_FIRST_REF + i, DOM0_DOMID,
                            f->segment.free_pfn + i, false);
    data_grant(f);
}

void front_fini(struct front *f)
{
    domain_death(f);
    for (uint32_t i = 0; i < f->queue_count; i++) {
        queue_forget(&f->queue[i]);
        shadow_fini(&f->queue[i].shadow);
    }
    f->queue_count = 0;
}

void front_death(struct front *f)
{
    struct world *w = f->world;
    front_fini(f);
    f->page_order = world_pick(w, SIM_ORDER_MAX + 1);
    f->queue_count = 1 + world_pick(w, SIM_QUEUES_MAX);
    f->queues_share_vcpu = world_pick(w, 3) == 0;
    for (uint32_t i = 0; i < f->queue_count; i++) {
        struct queue *q = &f->queue[i];
        q->front = f;
        q->index = i;
        q->asleep = false;
        uint32_t nr_entries = blkif_ring_entries(f->page_order);
        if (shadow_init(&q->shadow, nr_entries, i * nr_entries) < 0)
            abort();
    }
    data_reset(f);
    f->asked = f->answered;
}

static uint32_t vcpu_of(const struct queue *q)
{
    return 1 + (q->front->queues_share_vcpu ? 0 : q->index);
}

void front_alloc_ports(struct front *f)
{
    for (uint32_t i = 0; i < f->queue_count; i++)
        f->queue[i].port = (evtchn_port_t)evtchn_table_alloc(&f->evtchn, vcpu_of(&f->queue[i]));
}

static bool upcall_pending(const struct queue *q)
{
    return q->front->segment.shared_info->vcpu_info[vcpu_of(q)].evtchn_upcall_pending != 0;
}

/* Whose port it is wakes, if that was bound to the vCPU that has been woken. */
static void on_port(void *ctx, evtchn_port_t port)
{
    const struct queue *woken = ctx;
    struct front *f = woken->front;
    for (uint32_t i = 0; i < f->queue_count; i++) {
        if (f->queue[i].port == port && vcpu_of(&f->queue[i]) == vcpu_of(woken))
            f->queue[i].asleep = false;
    }
}

static void offer_queue(struct queue *q)
{
    struct front *f = q->front;
    const uint32_t starts[] = {0, UINT32_MAX - 5, UINT32_MAX / 2 - 3};
    const uint32_t start = starts[world_pick(f->world, 3)];
    const uint32_t first = q->index * front_ring_pages(f);
    struct sring *sring = segment_page(&f->segment, f->segment.free_pfn + first);
    char directory[16] = "";
    if (f->life_queues > 1)
        snprintf(directory, sizeof(directory), "queue-%u/", q->index);
    sring_init(sring, start);
    front_ring_init(&q->ring.half, sring, blkif_ring_entries(f->life_order), start);
    if (f->life_order == 0) {
        write_node(f, directory, "ring-ref", SIM_FIRST_REF + first);
    } else {
        write_node(f, directory, "ring-ref0", SIM_FIRST_REF + first);
        write_node(f, directory, "ring-ref1", SIM_FIRST_REF + first + 1);
    }
    write_node(f, directory, "event-channel", q->port);
}

static void offer(struct front *f)
{
    take_limits(f);
    for (uint32_t i = 0; i < f->queue_count; i++)
        queue_unask(&f->queue[i]);
    for (uint32_t i = 0; i < f->life_queues; i++)
        offer_queue(&f->queue[i]);
    if (f->life_order > 0)
        write_node(f, "", "ring-page-order", f->life_order);
    if (f->life_queues > 1)
        write_node(f, "", "multi-queue-num-queues", f->life_queues);
    write_node(f, "", "feature-persistent", world_pick(f->world, 2));
    write_node(f, "", "state", XenbusStateInitialised);
    for (uint32_t i = 0; i < f->life_queues; i++)
        queue_repeat(&f->queue[i]);
    f->phase = FRONT_OFFERED;
}

/* Dom0 may have answered since the last look: the second one must see it. */
static void sleep_if_nothing(struct queue *q)
{
    if (!front_ring_final_check(&q->ring.half))
        q->asleep = true;
}

static void work(struct queue *q, bool asks)
{
    struct front *f = q->front;
    if (q->asleep && upcall_pending(q)) {
        q->asleep = false;
        (void)evtchn_collect(f->segment.shared_info, vcpu_of(q), on_port, q);
        return;
    }
    switch (world_pick(f->world, q->asleep ? 3 : 5)) { /* others of its threads are awake */
    case 0:
        if (asks)
            queue_submit(q);
        break;
    case 1:
        if (!q->asleep || asks)
            queue_reap(q);
        break;
    case 2:
        queue_push(q);
        break;
    case 3:
        queue_push(q);
        queue_reap(q);
        break;
    default:
        sleep_if_nothing(q);
        break;
    }
    if (asks && world_pick(f->world, 400) == 0) {
        write_node(f, "", "state", XenbusStateClosing);
        f->phase = FRONT_CLOSING;
    }
}

static bool queue_has_reason(const struct queue *q)
{
    return !q->asleep || upcall_pending(q) || q->ring.half.req_prod != q->ring.half.req_prod_pvt;
}

/* Whether time alone, without an event, would let it do something. */
bool front_has_reason(const struct front *f)
{
    bool any = f->phase != FRONT_ABSENT && f->phase != FRONT_CONNECTED;
    for (uint32_t i = 0; f->phase == FRONT_CONNECTED && i < f->life_queues; i++)
        any |= queue_has_reason(&f->queue[i]);
    return any;
}

static void reap_all(struct front *f)
{
    for (uint32_t i = 0; i < f->life_queues; i++)
        queue_reap(&f->queue[i]);
}

static void begin(struct front *f)
{
    write_node(f, "", "state", XenbusStateConnected);
    take_abilities(f);
    for (uint32_t i = 0; i < f->life_queues; i++) {
        queue_push(&f->queue[i]);
        f->queue[i].asleep = false;
    }
    f->phase = FRONT_CONNECTED;
    f->world->connections++;
    f->world->queues += f->life_queues;
}

void front_step(struct front *f, bool asks)
{
    enum xenbus_state back = f->back != NULL ? f->back->state : XenbusStateUnknown;
    switch (f->phase) {
    case FRONT_ABSENT:
        break;
    case FRONT_WAITS:
        if (back == XenbusStateInitWait)
            offer(f);
        break;
    case FRONT_OFFERED:
        if (back == XenbusStateConnected)
            begin(f);
        break;
    case FRONT_CONNECTED:
        work(&f->queue[world_pick(f->world, f->life_queues)], asks);
        break;
    case FRONT_CLOSING:
        if (back == XenbusStateClosing || back == XenbusStateClosed) {
            reap_all(f);
            write_node(f, "", "state", XenbusStateClosed);
            f->phase = FRONT_CLOSED;
        }
        break;
    case FRONT_CLOSED:
        if (back == XenbusStateClosed && !data_is_in_use(f)) {
            reap_all(f); /* nothing is written to the rings any more, nor to what was read into */
            write_node(f, "", "state", XenbusStateInitialising);
            f->phase = FRONT_WAITS;
        }
        break;
    }
}

void front_turn_clock(struct front *f)
{
    const struct tdf rates[] = {{1, 1}, {10, 1}, {1, 10}, {5, 2}, {0, 1}, {1000, 1}};
    if (f->phase != FRONT_ABSENT &&
        tdf_clock_set_tdf(&f->clock, rates[world_pick(f->world, 6)]) < 0)
        world_fail(f->world, "domain %u: its clock takes no rate", f->domid);
}
