/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/barrier.h"
#include "ring/evtchn.h"
#include "ring/gnttab.h"
#include "tdf/pvclock.h"
#include "world.h"
#include "xenstore/xenbus_path.h"

enum { FIRST_REF = GNTTAB_NR_RESERVED_ENTRIES, RING_VCPU = 1 };

static void write_node(struct front *f, const char *node, uint32_t value)
{
    char path[XENBUS_PATH_MAX], text[16];
    xenbus_front_path(path, &(struct xenbus_key){"vbd", f->domid, XENBUS_VBD_XVDA}, node);
    snprintf(text, sizeof(text), "%u", value);
    if (xs_local_write(f->world->store, path, text) < 0)
        abort();
}

static uint32_t ring_pages(const struct front *f)
{
    return 1u << f->page_order;
}

static grant_ref_t data_ref(const struct front *f, const struct shadow_entry *entry)
{
    return FIRST_REF + ring_pages(f) + shadow_index(&f->shadow, entry);
}

static uint8_t *data_page(struct front *f, const struct shadow_entry *entry)
{
    return segment_page(&f->segment,
                        f->segment.free_pfn + ring_pages(f) + shadow_index(&f->shadow, entry));
}

void front_birth(struct front *f)
{
    if (f->phase != FRONT_ABSENT || !f->world->dom0_lives)
        return;
    domain_birth(f);
    f->phase = FRONT_WAITS;
    f->seen_ns = 0;
    for (uint32_t i = 0; i < ring_pages(f) + blkif_ring_entries(f->page_order); i++)
        gnttab_grant_access(f->segment.gnttab, FIRST_REF + i, DOM0_DOMID, f->segment.free_pfn + i,
                            false);
}

static struct ask *ask_of(struct front *f, const struct shadow_entry *entry)
{
    return &f->ask[shadow_index(&f->shadow, entry)];
}

static bool is_change(const struct shadow_entry *entry)
{
    return entry->operation == BLKIF_OP_WRITE || entry->operation == BLKIF_OP_DISCARD;
}

/* Whatever Dom0 has begun for it ends as it may: nobody hears of that. */
static void forget(struct front *f)
{
    struct shadow_entry *entry = NULL;
    while ((entry = shadow_next(&f->shadow, entry == NULL ? 0 : entry->sequence)) != NULL) {
        struct ask *ask = ask_of(f, entry);
        if (is_change(entry))
            oracle_end_change(&f->world->oracle, &ask->change, false);
        else if (entry->operation == BLKIF_OP_READ)
            (void)oracle_end_read(&f->world->oracle, &ask->read, NULL);
    }
}

void front_death(struct front *f)
{
    domain_death(f);
    forget(f);
    shadow_fini(&f->shadow);
    f->page_order = world_pick(f->world, SIM_ORDER_MAX + 1);
    if (shadow_init(&f->shadow, blkif_ring_entries(f->page_order), 0) < 0)
        abort();
    f->asked = f->answered;
}

static void push(struct front *f)
{
    if (front_ring_push(&f->ring.half))
        f->doorbell = true;
}

static void put(struct front *f, struct shadow_entry *entry)
{
    struct ask *ask = ask_of(f, entry);
    uint64_t id = entry->id;
    if (entry->operation == BLKIF_OP_DISCARD) {
        blkif_put_discard(&f->ring,
                          &(struct blkif_request_discard){.operation = BLKIF_OP_DISCARD,
                                                          .id = id,
                                                          .sector_number = entry->sector,
                                                          .nr_sectors = entry->sector_count});
        return;
    }
    struct blkif_request req = {
        .operation = entry->operation, .id = id, .sector_number = entry->sector};
    if (entry->operation == BLKIF_OP_FLUSH_DISKCACHE) {
        ask->answered = f->world->changes_answered;
    } else {
        req.nr_segments = 1;
        req.seg[0].gref = data_ref(f, entry);
        req.seg[0].last_sect = (uint8_t)(entry->sector_count - 1);
        memset(data_page(f, entry), 0xaa, XEN_PAGE_SIZE);
    }
    if (entry->operation == BLKIF_OP_WRITE)
        oracle_fill(data_page(f, entry), ask->change.number, entry->sector, entry->sector_count);
    blkif_put_request(&f->ring, &req);
}

static void choose_span(struct front *f, struct shadow_entry *entry, uint32_t sectors_max)
{
    uint32_t count = 1 + world_pick(f->world, sectors_max);
    uint32_t range = world_pick(f->world, 3) == 0 ? SIM_IMAGE_SECTORS : 2 * SIM_CACHE_SECTORS;
    entry->sector_count = count;
    entry->sector = world_pick(f->world, range - count + 1);
}

/* A new request, as the oracle is to know it. */
static void choose(struct front *f, struct shadow_entry *entry)
{
    static const uint8_t operations[] = {BLKIF_OP_READ,    BLKIF_OP_READ,           BLKIF_OP_READ,
                                         BLKIF_OP_READ,    BLKIF_OP_WRITE,          BLKIF_OP_WRITE,
                                         BLKIF_OP_DISCARD, BLKIF_OP_FLUSH_DISKCACHE};
    struct world *w = f->world;
    struct ask *ask = ask_of(f, entry);
    uint64_t block_sectors = w->block_size_bytes / BLOCK_SECTOR_BYTES;
    entry->operation = operations[world_pick(w, 8)];
    entry->sector = entry->sector_count = 0;
    switch (entry->operation) {
    case BLKIF_OP_READ:
        choose_span(f, entry, SIM_SECTORS_MAX);
        ask->read = (struct oracle_read){
            .first = entry->sector, .end = entry->sector + entry->sector_count, .was = ask->was};
        oracle_begin_read(&w->oracle, &ask->read);
        break;
    case BLKIF_OP_WRITE:
        choose_span(f, entry, SIM_SECTORS_MAX);
        ask->change = (struct oracle_change){.first = entry->sector,
                                             .end = entry->sector + entry->sector_count,
                                             .number = w->next_number++};
        oracle_begin_change(&w->oracle, &ask->change);
        break;
    case BLKIF_OP_DISCARD: /* whole blocks */
        choose_span(f, entry, SIM_DISCARD_SECTORS_MAX);
        ask->change = (struct oracle_change){
            .first = (entry->sector + block_sectors - 1) / block_sectors * block_sectors,
            .end = (entry->sector + entry->sector_count) / block_sectors * block_sectors,
            .number = ORACLE_ZEROS};
        oracle_begin_change(&w->oracle, &ask->change);
        break;
    default:
        break;
    }
}

static void submit(struct front *f)
{
    for (uint32_t count = 1 + world_pick(f->world, 12); count > 0; count--) {
        struct shadow_entry *entry = shadow_take(&f->shadow);
        if (entry == NULL)
            break;
        choose(f, entry);
        put(f, entry);
        f->asked++;
    }
    if (world_pick(f->world, 4) != 0) /* else several submits share a push */
        push(f);
}

/* What an answer says is what the oracle allows. */
static void judge(struct front *f, const struct shadow_entry *entry, bool succeeded)
{
    struct world *w = f->world;
    struct ask *ask = ask_of(f, entry);
    if (is_change(entry)) {
        oracle_end_change(&w->oracle, &ask->change, succeeded);
        w->changes_answered = w->disk.disk->clock;
    } else if (entry->operation == BLKIF_OP_READ) {
        uint64_t wrong =
            oracle_end_read(&w->oracle, &ask->read, succeeded ? data_page(f, entry) : NULL);
        if (wrong != UINT64_MAX)
            world_fail(w, "domain %u: wrong data in sector %llu", f->domid,
                       (unsigned long long)wrong);
    } else if (succeeded && w->disk.disk->flush_covered <= ask->answered) {
        world_fail(w, "domain %u: a flush is answered and the disk was not told", f->domid);
    }
}

static void reap(struct front *f)
{
    struct blkif_response rsp;
    int rc;
    while ((rc = blkif_take_response(&f->ring, &rsp)) > 0) {
        struct shadow_entry *entry = shadow_find(&f->shadow, rsp.id);
        if (entry == NULL || rsp.operation != entry->operation) {
            world_fail(f->world, "domain %u: an answer to nothing: id %llx", f->domid,
                       (unsigned long long)rsp.id);
            return;
        }
        judge(f, entry, rsp.status == BLKIF_RSP_OKAY);
        if (rsp.status != BLKIF_RSP_OKAY && f->world->disk_errors == 0)
            world_fail(f->world, "domain %u: error %d, and the disk had none", f->domid,
                       rsp.status);
        shadow_put(&f->shadow, entry);
        f->answered++;
        f->failed += rsp.status != BLKIF_RSP_OKAY;
    }
    if (rc < 0)
        world_fail(f->world, "domain %u: Dom0's index makes no sense", f->domid);
}

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port;
}

static bool upcall_pending(const struct front *f)
{
    return f->segment.shared_info->vcpu_info[RING_VCPU].evtchn_upcall_pending != 0;
}

/* What it asked for in a former life is asked again, in the old order. */
static void offer(struct front *f)
{
    struct world *w = f->world;
    const uint32_t starts[] = {0, UINT32_MAX - 5, UINT32_MAX / 2 - 3};
    const uint32_t start = starts[world_pick(w, 3)];
    struct sring *sring = segment_page(&f->segment, f->segment.free_pfn);
    struct shadow_entry *entry = NULL;
    sring_init(sring, start);
    front_ring_init(&f->ring.half, sring, blkif_ring_entries(f->page_order), start);
    if (f->page_order == 0) {
        write_node(f, "ring-ref", FIRST_REF);
    } else {
        write_node(f, "ring-page-order", f->page_order);
        write_node(f, "ring-ref0", FIRST_REF);
        write_node(f, "ring-ref1", FIRST_REF + 1);
    }
    write_node(f, "event-channel", f->port);
    write_node(f, "feature-persistent", world_pick(w, 2));
    write_node(f, "state", XenbusStateInitialised);
    while ((entry = shadow_next(&f->shadow, entry == NULL ? 0 : entry->sequence)) != NULL)
        put(f, entry);
    if (world_pick(w, 2) == 0)
        push(f); /* also before Dom0 has connected */
    f->phase = FRONT_OFFERED;
}

/* Dom0 may have answered since the last look: the second one must see it. */
static void sleep_if_nothing(struct front *f)
{
    if (!front_ring_final_check(&f->ring.half))
        f->asleep = true;
}

static void work(struct front *f, bool asks)
{
    if (f->asleep && upcall_pending(f)) {
        (void)evtchn_collect(f->segment.shared_info, RING_VCPU, ignore_port, NULL);
        f->asleep = false;
        return;
    }
    switch (world_pick(f->world, f->asleep ? 3 : 5)) { /* others of its threads are awake */
    case 0:
        if (asks)
            submit(f);
        break;
    case 1:
        if (!f->asleep || asks)
            reap(f);
        break;
    case 2:
        push(f);
        break;
    case 3:
        push(f);
        reap(f);
        break;
    default:
        sleep_if_nothing(f);
        break;
    }
    if (asks && world_pick(f->world, 400) == 0) {
        write_node(f, "state", XenbusStateClosing);
        f->phase = FRONT_CLOSING;
        f->asleep = false;
    }
}

/* Whether time alone, without an event, would let it do something. */
bool front_has_reason(const struct front *f)
{
    if (f->phase == FRONT_ABSENT)
        return false;
    if (f->phase != FRONT_CONNECTED)
        return true;
    return !f->asleep || upcall_pending(f) || f->ring.half.req_prod != f->ring.half.req_prod_pvt;
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
        if (back == XenbusStateConnected) {
            write_node(f, "state", XenbusStateConnected);
            push(f);
            f->phase = FRONT_CONNECTED;
            f->asleep = false;
            f->world->connections++;
        }
        break;
    case FRONT_CONNECTED:
        work(f, asks);
        break;
    case FRONT_CLOSING:
        if (back == XenbusStateClosing || back == XenbusStateClosed) {
            reap(f);
            write_node(f, "state", XenbusStateClosed);
            f->phase = FRONT_CLOSED;
        }
        break;
    case FRONT_CLOSED:
        if (back == XenbusStateClosed) {
            reap(f); /* nothing is written to the ring any more */
            write_node(f, "state", XenbusStateInitialising);
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
