/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/barrier.h"
#include "tdf/pvclock.h"
#include "world.h"

/* a <= b <= a + limit, for indices that wrap. */
static bool in_order(uint32_t a, uint32_t b, uint32_t limit)
{
    return (uint32_t)(b - a) <= limit;
}

static void check_indices(struct queue *q)
{
    struct front *f = q->front;
    const struct vbd_ring *vr = vbd_back_queue(f->back, q->index);
    if (vr != NULL && vr->halted)
        world_fail(f->world, "Dom0 says that the ring of domain %u is broken", f->domid);
    if (vr == NULL || f->phase != FRONT_CONNECTED)
        return;
    const struct blkif_front_ring *front = &q->ring;
    const struct blkif_back_ring *back = &vr->ring;
    const uint32_t limit = front->half.nr_ents;
    const uint32_t req = front->half.sring->req_prod, rsp = front->half.sring->rsp_prod;
    bool good = in_order(front->half.rsp_cons, rsp, limit) &&
                in_order(rsp, back->half.rsp_prod_pvt, limit) &&
                in_order(back->half.rsp_prod_pvt, back->half.req_cons, limit) &&
                in_order(back->half.req_cons, req, limit) &&
                in_order(req, front->half.req_prod_pvt, limit) &&
                in_order(front->half.rsp_cons, front->half.req_prod_pvt, limit) &&
                rsp == back->half.rsp_prod && req == front->half.req_prod;
    if (!good)
        world_fail(f->world,
                   "domain %u, queue %u: indices: rsp_cons %u rsp_prod %u filled %u req_cons %u "
                   "req_prod %u "
                   "filled %u",
                   f->domid, q->index, front->half.rsp_cons, rsp, back->half.rsp_prod_pvt,
                   back->half.req_cons, req, front->half.req_prod_pvt);
    if (front->half.req_prod_pvt - front->half.rsp_cons != q->on_ring)
        world_fail(f->world, "domain %u: %u slots in use, %u requests pending", f->domid,
                   front->half.req_prod_pvt - front->half.rsp_cons, q->on_ring);
}

/* Grants that Dom0 uses: none without a ring, but where the disk is at work. */
static void check_grants(struct front *f)
{
    uint32_t used = 0;
    if (vbd_back_ring(f->back) != NULL || fake_disk_current()->waiting_count > 0)
        return;
    for (uint32_t ref = 0; ref < f->segment.nr_grant_entries; ref++)
        used += (f->segment.gnttab[ref].flags & (GTF_reading | GTF_writing)) != 0;
    if (used != 0)
        world_fail(f->world, "domain %u: %u grants in use and no ring", f->domid, used);
}

static void check_clock(struct front *f)
{
    uint64_t now_ns;
    if (pvclock_read_ns(&f->segment.shared_info->vcpu_info[0].time, &now_ns) < 0 ||
        now_ns < f->seen_ns)
        world_fail(f->world, "domain %u: its clock went from %llu to %llu", f->domid,
                   (unsigned long long)f->seen_ns, (unsigned long long)now_ns);
    f->seen_ns = now_ns;
}

static void check_sleeper(struct queue *q)
{
    if ((q->on_ring > 0 || queue_waits(q)) && q->ring.half.req_prod == q->ring.half.req_prod_pvt)
        world_fail(q->front->world,
                   "domain %u, queue %u sleeps with %u requests pending, and so does Dom0",
                   q->front->domid, q->index, q->on_ring);
}

/* Everybody sleeps, nothing is on its way, and yet something was asked. */
static void check_sleepers(struct world *w)
{
    if (dom0_has_reason(w) || fake_disk_current()->waiting_count > 0)
        return;
    for (int i = 0; i < SIM_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->phase != FRONT_CONNECTED || front_has_reason(f))
            continue;
        for (uint32_t k = 0; k < f->life_queues; k++)
            check_sleeper(&f->queue[k]);
    }
}

/* Nothing goes to the disk that it can't do, whoever asks for it. */
static void check_disk_can(struct world *w)
{
    const struct fake_disk *disk = fake_disk_current();
    for (uint32_t i = 0; i < disk->waiting_count; i++) {
        const struct disk_io *io = disk->waiting[i];
        uint64_t end = w->can.sectors * BLOCK_SECTOR_BYTES, rest = end % w->block_size_bytes;
        end += rest != 0 ? w->block_size_bytes - rest : 0; /* the last part block is read whole */
        bool can = io->offset_bytes + io->length_bytes <= end;
        can &= io->operation != DISK_WRITE || w->can.writable;
        can &= io->operation != DISK_DISCARD || w->can.discard;
        can &= io->operation != DISK_FLUSH || w->can.flush;
        if (!can)
            world_fail(w, "operation %d is at a disk that can't do it", (int)io->operation);
    }
}

void world_check(struct world *w)
{
    if (!w->dom0_lives)
        return;
    for (int i = 0; i < SIM_FRONTS; i++) {
        if (w->front[i].back == NULL)
            continue;
        for (uint32_t k = 0; k < w->front[i].queue_count; k++)
            check_indices(&w->front[i].queue[k]);
        check_grants(&w->front[i]);
        check_clock(&w->front[i]);
    }
    if (w->disk_ready > fake_disk_current()->waiting_count ||
        device_in_flight(w->disk.device) != fake_disk_current()->waiting_count ||
        fake_disk_current()->waiting_count > w->depth)
        world_fail(w, "%u operations at the disk, %u counted, %u allowed",
                   fake_disk_current()->waiting_count, device_in_flight(w->disk.device), w->depth);
    check_disk_can(w);
    check_sleepers(w);
}

void world_check_disk(struct world *w)
{
    for (uint64_t s = 0; s < SIM_IMAGE_SECTORS; s++) {
        const uint8_t *bytes = w->content + s * BLOCK_SECTOR_BYTES;
        const void *cached = w->dom0_lives ? cache_peek(w->disk.vdisk->cache, s) : NULL;
        if (!oracle_allows(&w->oracle, s, bytes))
            world_fail(w, "sector %llu holds what nobody left there", (unsigned long long)s);
        if (cached != NULL && memcmp(cached, bytes, BLOCK_SECTOR_BYTES) != 0)
            world_fail(w, "sector %llu: the cache holds something else", (unsigned long long)s);
    }
}

/* ---- the cache's policy, beside a naive list of its own ---- */

struct checked {
    void *real;
    uint32_t count, capacity;
    uint32_t order[]; /* slots, least recently used first */
};

static const struct cache_policy *real_lru(void)
{
    return cache_policy_find("lru");
}

static void *checked_create(uint32_t capacity)
{
    struct checked *c = calloc(1, sizeof(*c) + capacity * sizeof(c->order[0]));
    if (c == NULL)
        return NULL;
    c->capacity = capacity;
    c->real = real_lru()->create(capacity);
    return c;
}

static void checked_destroy(void *state)
{
    struct checked *c = state;
    real_lru()->destroy(c->real);
    free(c);
}

static void policy_is_wrong(const char *what)
{
    printf("the cache's policy: %s\n", what);
    abort();
}

static void take_out(struct checked *c, uint32_t slot)
{
    uint32_t i = 0;
    while (i < c->count && c->order[i] != slot)
        i++;
    if (i == c->count)
        policy_is_wrong("a slot that was never filled");
    memmove(&c->order[i], &c->order[i + 1], (c->count - i - 1) * sizeof(c->order[0]));
    c->count--;
}

static void checked_hit(void *state, uint32_t slot)
{
    struct checked *c = state;
    take_out(c, slot);
    c->order[c->count++] = slot;
    real_lru()->hit(c->real, slot);
}

static void checked_insert(void *state, uint32_t slot, uint64_t sector)
{
    struct checked *c = state;
    if (c->count == c->capacity)
        policy_is_wrong("one more than there is room for");
    c->order[c->count++] = slot;
    real_lru()->insert(c->real, slot, sector);
}

static uint32_t checked_victim(void *state, uint64_t incoming)
{
    struct checked *c = state;
    uint32_t victim = real_lru()->victim(c->real, incoming);
    if (c->count != c->capacity || victim != c->order[0])
        policy_is_wrong("a victim that is not the least recently used");
    take_out(c, victim);
    return victim;
}

static void checked_remove(void *state, uint32_t slot)
{
    take_out(state, slot);
    real_lru()->remove(((struct checked *)state)->real, slot);
}

static void checked_reset(void *state)
{
    struct checked *c = state;
    c->count = 0;
    real_lru()->reset(c->real);
}

const struct cache_policy checked_lru = {.name = "checked lru",
                                         .create = checked_create,
                                         .destroy = checked_destroy,
                                         .hit = checked_hit,
                                         .insert = checked_insert,
                                         .victim = checked_victim,
                                         .remove = checked_remove,
                                         .reset = checked_reset};
