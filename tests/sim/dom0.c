/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <unistd.h>

#include "ring/barrier.h"
#include "service/dom0/memory/domain_memory.h"
#include "service/dom0/toolstack.h"
#include "world.h"

enum { STORE_BUDGET = 4 };

static void on_lost(void *ctx)
{
    struct front *f = ctx;
    world_fail(f->world, "Dom0 gives domain %u up", f->domid);
}

static void on_gone(void *ctx, struct xenbus_back *back)
{
    struct front *f = ctx;
    (void)back;
    world_fail(f->world, "Dom0 takes the disk of domain %u away", f->domid);
}

/* Mostly everything; at times less than the one before. */
static void choose_abilities(struct world *w)
{
    static const uint64_t sizes[] = {SIM_IMAGE_SECTORS, SIM_IMAGE_SECTORS / 2, SIM_SECTORS_LEAST};
    static const uint32_t blocks[] = {1, 1, 1, 8};
    bool less = world_pick(w, 2) == 0;
    w->max_queues = less ? 1 + world_pick(w, SIM_QUEUES_MAX) : SIM_QUEUES_MAX;
    w->max_page_order = less ? world_pick(w, SIM_ORDER_MAX + 1) : SIM_ORDER_MAX;
    w->can = (struct abilities){.sectors = sizes[less ? world_pick(w, 3) : 0],
                                .block_sectors = blocks[world_pick(w, 4)],
                                .writable = !less || world_pick(w, 3) > 0,
                                .flush = !less || world_pick(w, 3) > 0,
                                .discard = !less || world_pick(w, 3) > 0};
    w->can.flush &= w->can.writable;
    w->can.discard &= w->can.writable;
    w->image_can = world_pick(w, 2) == 0;
    if (!w->can.writable && !w->image_can && world_pick(w, 2) == 0)
        w->can.sectors -= 3; /* no whole number of its blocks */
}

void dom0_birth(struct world *w)
{
    choose_abilities(w);
    static const uint32_t alignments[] = {512, 512, 4096};
    w->depth = 1 + world_pick(w, 16);
    const struct fake_vdisk_config config = {.sector_count = w->can.sectors,
                                             .block_size_bytes = w->block_size_bytes,
                                             .memory_align_bytes = alignments[world_pick(w, 3)],
                                             .cache_sectors = world_pick(w, 2) * SIM_CACHE_SECTORS,
                                             .policy = &checked_lru,
                                             .depth = w->depth,
                                             .writable = w->can.writable || w->image_can,
                                             .depth_isolated = 1 + world_pick(w, w->depth)};
    if (xs_server_create(NULL, &w->store) < 0)
        abort();
    fake_vdisk_create(&w->disk, &config);
    struct vdisk_capabilities *image = &w->disk.vdisk->capabilities;
    image->flush = w->can.flush || (w->image_can && !w->can.writable);
    image->discard = w->can.discard || w->image_can;
    image->logical_sector_bytes = w->can.block_sectors * BLOCK_SECTOR_BYTES;
    w->disk.disk->content = w->content;
    w->disk.disk->wrote = order_disk_wrote;
    w->disk.disk->ctx = w;
    w->disk.disk->chance = &w->random;
    w->changes_answered = 0;
    w->loop = (struct pollables){.no_spin = world_pick(w, 2)};
    w->host = (struct back_host){
        .store = w->store, .log = w->log, .log_limit = &w->log_limit, .pollables = &w->loop};
    w->dom0_lives = true;
    w->dom0_asleep = false;
    w->piece = PIECE_EVENTS;
    w->work = 0;
}

void dom0_death(struct world *w)
{
    if (!w->dom0_lives)
        return;
    for (int i = 0; i < SIM_FRONTS; i++)
        domain_death(&w->front[i]);
    fake_vdisk_destroy(&w->disk); /* the process is gone, and its buffers */
    xs_server_destroy(w->store);
    w->dom0_lives = false;
    w->disk_ready = 0;
}

void domain_birth(struct front *f)
{
    struct world *w = f->world;
    const struct vbd_options options = {.vdisk = w->disk.vdisk,
                                        .params = "image",
                                        .dev = "xvda",
                                        .writable = w->can.writable,
                                        .no_discard = !w->can.discard,
                                        .max_ring_page_order = w->max_page_order,
                                        .max_queues = w->max_queues};
    const struct back_spec disk = {&vbd_class, XENBUS_VBD_XVDA, &options};
    const uint32_t pages = segment_pages_for(front_pages(f));
    if (domain_memory_create(pages, f->domid, NULL, NULL, &f->memory, &f->fd) < 0)
        abort();
    f->segment = f->memory->segment;
    if (xs_server_introduce(w->store, f->domid) < 0 ||
        toolstack_create_domain(w->store, &(struct toolstack_domain){.domid = f->domid}) < 0 ||
        toolstack_create_device(w->store, f->domid, &disk) < 0 ||
        tdf_clock_init(&f->clock, &w->source, f->segment.shared_info, 1 + SIM_QUEUES_MAX,
                       (struct tdf){1, 1}) < 0)
        abort();
    poll_peer_init(&f->peer, f->segment.hints);
    f->evtchn = (struct evtchn_table){0};
    evtchn_table_reserve(&f->evtchn, SEGMENT_STORE_EVTCHN, 0);
    front_alloc_ports(f);
    f->doorbell = false;
    f->settings = (struct back_settings){.weight = SCHED_WEIGHT_DEFAULT, .disk_scale = {1, 1}};
    f->seen = (struct back_domain){.domid = f->domid,
                                   .segment = &f->memory->segment,
                                   .memory = &f->memory->hold,
                                   .fault_slot = f->memory->fault_slot,
                                   .evtchn = &f->evtchn,
                                   .clock = &f->clock,
                                   .tdf = &f->tdf,
                                   .peer = &f->peer,
                                   .settings = &f->settings};
    const struct back_owner owner = {.lost = on_lost, .gone = on_gone, .ctx = f};
    if (xenbus_back_create(&w->host, &f->seen, &disk, &owner, &f->back) < 0)
        abort();
    if (world_pick(w, 2) == 0) {
        f->settings.weight = 1 + world_pick(w, 1000);
        xenbus_back_configure(f->back);
    }
}

void domain_death(struct front *f)
{
    if (f->back == NULL)
        return;
    xenbus_back_destroy(f->back);
    f->back = NULL;
    if (toolstack_remove_domain(f->world->store, f->domid) < 0)
        abort();
    xs_server_release(f->world->store, f->domid);
    hold_put(&f->memory->hold); /* the disk may be at work there */
    close(f->fd);
    f->phase = FRONT_ABSENT;
    for (uint32_t i = 0; i < f->queue_count; i++)
        f->queue[i].asleep = false;
}

static bool any_doorbell(const struct world *w)
{
    bool any = false;
    for (int i = 0; i < SIM_FRONTS; i++)
        any |= w->front[i].doorbell;
    return any;
}

bool dom0_has_reason(const struct world *w)
{
    return w->dom0_lives &&
           (!w->dom0_asleep || any_doorbell(w) || w->disk_ready > 0 || !xs_server_idle(w->store));
}

/* What the poller has: doorbells and completions, some of them or all. */
static void look_at_events(struct world *w)
{
    for (int i = 0; i < SIM_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->doorbell && f->back != NULL)
            pollables_wake(&w->loop, &f->peer);
        f->doorbell = false;
    }
    for (uint32_t left = w->disk_ready; left > 0; left--) {
        struct fake_disk *disk = fake_disk_current();
        bool fails = world_pick(w, 50) == 0;
        if (world_pick(w, 8) == 0)
            break;
        w->disk_errors += fails;
        w->disk_ready--;
        fake_disk_complete(disk, world_pick(w, disk->waiting_count), fails ? -5 : 0);
    }
}

/* One piece after the other, as worker_turn has them; rounds repeat while there was work. */
void dom0_step(struct world *w)
{
    w->dom0_asleep = false;
    w->now_ns += world_pick(w, 2000);
    tdf_source_set_ns(&w->source, w->now_ns);
    switch (w->piece) {
    case PIECE_EVENTS:
        look_at_events(w);
        w->piece = PIECE_RINGS;
        break;
    case PIECE_RINGS:
        w->work = pollables_turn(&w->loop, w->now_ns);
        w->piece = PIECE_DISPATCH;
        break;
    case PIECE_DISPATCH:
        w->work += device_dispatch(w->disk.device, w->now_ns);
        w->piece = PIECE_STORE;
        break;
    case PIECE_STORE:
        w->work += xs_server_run(w->store, STORE_BUDGET);
        w->piece = w->work == 0 ? PIECE_SETTLE : world_pick(w, 2) ? PIECE_RINGS : PIECE_EVENTS;
        break;
    case PIECE_SETTLE:
        w->dom0_asleep = pollables_settle(&w->loop, w->now_ns);
        w->piece = PIECE_EVENTS;
        break;
    }
}

void disk_step(struct world *w)
{
    if (w->dom0_lives && w->disk_ready < fake_disk_current()->waiting_count)
        w->disk_ready++;
}
