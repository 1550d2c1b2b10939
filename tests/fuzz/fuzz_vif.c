/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer harness for Dom0's side of a network interface: bytes for both rings, grants and
 * indices, chains of slots that are nearly right, frames from the network of any kind, turns of any
 * budget, time that goes on.
 *
 * The domain's memory lies between unreadable pages. After each step each slot that was taken is
 * answered, no page but the rings' is held, and so many as persistent grants may be; every frame is
 * accounted for: what came off the tx ring is a frame that the network got or a counted error; what
 * was delivered is on the rx ring, waits within the bounds, or is counted once as dropped.
 *
 * Byte 0: no sg (bit 0), no GSO (1), no checksums (2), stamps (3), indices start before the wrap
 * (4), both rings in one page (5), TDF 10 (6), persistent grants (7), fewer of them than there are
 * pages. Then operations: a byte (its low 4 bits: what), then
 * what that needs.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/container_of.h"
#include "fuzz/input.h"
#include "ring/gnttab.h"
#include "service/back/vif/vif_queue.h"
#include "service/net/frame.h"
#include "splitdom/hints.h"

enum {
    PAGES = 24,
    GNTTAB_PFN = 3,
    TX_PFN = 4,
    RX_PFN = 5,
    DATA_PFN = 6,
    TX_REF = 8,
    RX_REF = 9,
    DATA_REF = 10,
    DATA_REFS = 12,
    PERSISTENT_MAX = 7,
    OPS_MAX = 400,
    HZ = 1000000000,
};

struct world {
    struct segment segment;
    struct grant_use uses[GNTTAB_ENTRIES_PER_FRAME];
    uint8_t *region; /* segment with a guard page on each side */
    struct net_port port;
    struct net_sink sink;
    struct vif_queue *q;
    struct vif_stats total;
    struct tdf_source time;
    struct tdf_clock clock;
    struct tdf tdf;
    uint64_t got_frames, got_bytes; /* by the network */
    uint64_t delivered;
    bool broken;
};

/* The network reads all of each frame. */
static void put(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                uint64_t at_ns)
{
    static volatile uint8_t sum;
    struct world *w = container_of(sink, struct world, sink);
    require(port == &w->port && at_ns == frame->arrived_ns);
    require(frame->length_bytes >= NET_FRAME_HEADER_BYTES);
    require(frame->gso_type <= NET_GSO_TCPV6);
    require((frame->gso_type == NET_GSO_NONE) == (frame->gso_size_bytes == 0));
    for (uint32_t i = 0; i < frame->length_bytes; i++)
        sum = (uint8_t)(sum + frame->data[i]);
    w->got_frames++;
    w->got_bytes += frame->length_bytes;
}

static void deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct world *w = container_of(port, struct world, port);
    vif_queue_deliver(w->q, frame, at_ns);
}

static uint32_t take_nothing(struct net_port *port, uint32_t budget_bytes)
{
    (void)port;
    (void)budget_bytes;
    return 0;
}

static const struct net_port_ops port_ops = {.deliver = deliver, .take = take_nothing};

static uint64_t now_of(void *ctx)
{
    return tdf_source_counter(&((struct world *)ctx)->time);
}

static void on_broken(void *ctx, const char *why)
{
    struct world *w = ctx;
    require(!w->broken && why != NULL);
    w->broken = true;
}

static void make_segment(struct world *w)
{
    size_t page = XEN_PAGE_SIZE;
    w->region = mmap(NULL, (PAGES + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(w->region != MAP_FAILED);
    uint8_t *base = mmap(w->region + page, PAGES * page, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    require(base != MAP_FAILED);
    w->segment = (struct segment){.base = base,
                                  .nr_pages = PAGES,
                                  .domid = 1,
                                  .nr_grant_entries = GNTTAB_ENTRIES_PER_FRAME,
                                  .free_pfn = TX_PFN,
                                  .nr_free_pages = PAGES - TX_PFN,
                                  .uses = w->uses};
    w->segment.start_info = segment_page(&w->segment, 0);
    w->segment.hints = (struct hints *)(void *)(base + HINTS_OFFSET);
    w->segment.shared_info = segment_page(&w->segment, 1);
    w->segment.store = segment_page(&w->segment, 2);
    w->segment.gnttab = segment_page(&w->segment, GNTTAB_PFN);
}

static void open_world(struct world *w, uint8_t flags)
{
    uint32_t index = (flags & 16) != 0 ? UINT32_MAX - 20 : 0;
    make_segment(w);
    w->tdf = (struct tdf){(flags & 64) != 0 ? 10 : 1, 1};
    require(tdf_source_manual(&w->time, HZ, HZ, 0) == 0);
    require(tdf_clock_init(&w->clock, &w->time, NULL, 0, w->tdf) == 0);
    struct grant_entry_v1 *table = w->segment.gnttab;
    gnttab_grant_access(table, TX_REF, DOM0_DOMID, TX_PFN, false);
    gnttab_grant_access(table, RX_REF, DOM0_DOMID, (flags & 32) != 0 ? TX_PFN : RX_PFN, false);
    for (uint32_t i = 0; i < DATA_REFS; i++)
        gnttab_grant_access(table, DATA_REF + i, DOM0_DOMID, DATA_PFN + i, i % 4 == 3);
    sring_init(segment_page(&w->segment, TX_PFN), index);
    sring_init(segment_page(&w->segment, RX_PFN), index);
    net_port_init(&w->port, &port_ops, "vif1.0", NET_PORT_WEIGHT_DEFAULT);
    w->sink.put = put;
    w->port.up = &w->sink;
    const struct vif_queue_config config = {.segment = &w->segment,
                                            .tx_ring_ref = TX_REF,
                                            .rx_ring_ref = RX_REF,
                                            .tx_event = {.port = 5, .vcpu = 1},
                                            .rx_event = {.port = 6, .vcpu = 1},
                                            .features = {.sg = (flags & 1) == 0,
                                                         .gso_tcpv4 = (flags & 2) == 0,
                                                         .gso_tcpv6 = (flags & 2) == 0,
                                                         .csum_ipv4 = (flags & 4) == 0,
                                                         .csum_ipv6 = (flags & 4) == 0,
                                                         .stamps = (flags & 8) != 0,
                                                         .persistent = (flags & 128) != 0},
                                            .port = &w->port,
                                            .clock = &w->clock,
                                            .tdf = &w->tdf,
                                            .now_ns = now_of,
                                            .now_ctx = w,
                                            .broken = on_broken,
                                            .ctx = w};
    require(vif_queue_create(&config, &w->q) == 0);
    w->q->grants.persistent_max = PERSISTENT_MAX;
}

static uint64_t drops(const struct world *w)
{
    uint64_t sum = 0;
    for (int i = 0; i < NET_DROPS; i++)
        sum += w->port.drops[i];
    return sum;
}

static void check_stats(const struct world *w, const struct vif_stats *stats, uint32_t waiting)
{
    require(stats->tx_frames == w->got_frames && stats->tx_bytes == w->got_bytes);
    require(w->port.in.frames == w->got_frames && w->port.in.bytes == w->got_bytes);
    require(vif_stats_delivered(stats) + waiting == w->delivered);
    require(w->port.out.frames <= w->delivered && drops(w) >= w->delivered - w->port.out.frames);
}

static void check(const struct world *w)
{
    const struct vif_queue *q = w->q;
    const struct back_ring *tx = &q->tx.half, *rx = &q->rx.half;
    require(q->fault != NULL || back_ring_in_flight(tx) == 0);
    require(back_ring_in_flight(tx) <= tx->nr_ents);
    require(back_ring_in_flight(rx) == 0 && rx->rsp_prod == rx->rsp_prod_pvt);
    require(tx->rsp_prod == tx->rsp_prod_pvt);
    /* Whoever names the rings' own references may have them pinned, too. */
    require(q->grants.mapped_count >= 2 && q->grants.mapped_count >= q->grants.persistent_count);
    require(q->grants.mapped_count <= 2 + q->grants.persistent_count);
    require(q->grants.persistent_count <= (q->config.features.persistent ? PERSISTENT_MAX : 0));
    require(q->waiting_count <= VIF_RX_QUEUE_FRAMES && q->waiting_bytes <= VIF_RX_QUEUE_BYTES);
    check_stats(w, &q->stats, q->waiting_count);
}

static void close_world(struct world *w)
{
    vif_queue_destroy(w->q, &w->total);
    check_stats(w, &w->total, 0);
    for (uint32_t ref = TX_REF; ref < DATA_REF + DATA_REFS; ref++)
        require((w->segment.gnttab[ref].flags & GTF_writing) == 0);
    munmap(w->region, (size_t)(PAGES + 2) << XEN_PAGE_SHIFT);
}

/* The next slot that the front end would fill. */
static void *next_slot(struct back_ring *ring, size_t bytes)
{
    uint32_t index = ring->sring->req_prod++;
    return sring_slot(ring->sring, ring->nr_ents, index, bytes);
}

static void put_request(struct world *w, struct input *in)
{
    uint16_t flags = take(in), size = take_u16(in), offset = take(in);
    if ((flags & 0x80) != 0)
        offset = take_u16(in);
    const struct netif_tx_request req = {.gref = DATA_REF + take(in) % (DATA_REFS + 1u),
                                         .offset = offset,
                                         .flags = flags & 0x1f,
                                         .id = take(in),
                                         .size = size};
    memcpy(next_slot(&w->q->tx.half, sizeof(union netif_tx_sring_entry)), &req, sizeof(req));
}

static void put_extra(struct world *w, struct input *in)
{
    uint8_t kind = take(in);
    struct netif_extra_info extra = {.type = kind & 7, .flags = kind >> 7};
    if ((kind & 8) != 0)
        extra.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP;
    for (int i = 0; i < 3; i++)
        extra.u.pad[i] = take_u16(in);
    memcpy(next_slot(&w->q->tx.half, sizeof(union netif_tx_sring_entry)), &extra, sizeof(extra));
}

/* A right one of several pieces, as far as its bytes allow. */
static void put_chain(struct world *w, struct input *in)
{
    uint32_t pieces = 1 + take(in) % 21u, size = take_u16(in) % 4097u;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t whole = i == 0 ? size * pieces : size;
        const struct netif_tx_request req = {.gref = DATA_REF + i % DATA_REFS,
                                             .flags = i + 1 < pieces ? NETTXF_more_data : 0,
                                             .id = (uint16_t)i,
                                             .size = (uint16_t)(whole <= 0xffff ? whole : 0xffff)};
        memcpy(next_slot(&w->q->tx.half, sizeof(union netif_tx_sring_entry)), &req, sizeof(req));
    }
}

static void post_pages(struct world *w, struct input *in)
{
    for (uint32_t n = 1 + take(in) % 32u; n > 0; n--) {
        const struct netif_rx_request req = {.id = (uint16_t)n,
                                             .gref = DATA_REF + (take(in) + n) % (DATA_REFS + 1u)};
        memcpy(next_slot(&w->q->rx.half, sizeof(req)), &req, sizeof(req));
    }
}

/* Over slots only: the indices have their own operation. */
static void scribble_ring(struct back_ring *ring, size_t slot_bytes, struct input *in)
{
    uint8_t *bytes = sring_slot(ring->sring, ring->nr_ents, ring->req_cons + take(in), slot_bytes);
    for (uint32_t n = take(in) % (slot_bytes + 1); n > 0; n--)
        bytes[n - 1] = take(in);
}

static void scribble_grant(struct world *w, struct input *in)
{
    struct grant_entry_v1 *entry = &w->segment.gnttab[DATA_REF + take(in) % DATA_REFS];
    entry->flags = take(in) & (GTF_type_mask | GTF_readonly);
    entry->domid = take(in) % 4 == 3 ? 1 : 0;
    entry->frame = take(in) % 4 == 3 ? take_u32(in) : DATA_PFN + take(in) % DATA_REFS;
}

/* Headers of IP and TCP that are nearly right, then whatever comes. */
static void fill(struct net_frame *frame, struct input *in)
{
    static const uint8_t v4[] = {2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 8, 0, 0x45, 0, 0, 0};
    static const uint8_t v6[] = {2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x86, 0xdd, 0x60, 0, 0, 0};
    uint8_t kind = take(in);
    uint32_t length = frame->length_bytes;
    memset(frame->data, kind, length);
    if (length < 100)
        return;
    memcpy(frame->data, (kind & 1) != 0 ? v6 : v4, sizeof(v4));
    uint32_t packet = length - ((kind & 1) != 0 ? 54 : 14);
    frame->data[(kind & 1) != 0 ? 18 : 16] = (uint8_t)(packet >> 8);
    frame->data[(kind & 1) != 0 ? 19 : 17] = (uint8_t)packet;
    frame->data[(kind & 1) != 0 ? 20 : 23] = (kind & 2) != 0 ? 17 : 6;
    frame->data[(kind & 1) != 0 ? 66 : 46] = 0x50;
    if ((kind & 1) == 0)
        frame->data[20] = frame->data[21] = 0;
    for (uint32_t n = take(in) % 8; n > 0; n--)
        frame->data[take(in) % length] = take(in);
}

static void deliver_frame(struct world *w, struct input *in)
{
    uint8_t kind = take(in);
    uint32_t length = (kind & 1) != 0 ? take_u16(in) : take(in);
    struct net_frame *frame =
        net_frame_new(length < NET_FRAME_HEADER_BYTES ? NET_FRAME_HEADER_BYTES : length);
    require(frame != NULL);
    fill(frame, in);
    frame->checksum_blank = (kind & 2) != 0;
    frame->data_validated = (kind & 4) != 0;
    frame->gso_type = (kind >> 3) % 3;
    frame->gso_size_bytes = frame->gso_type != 0 ? (uint16_t)(1 + take_u16(in) % 9000) : 0;
    for (uint32_t n = 1 + (kind >> 5); n > 0; n--) {
        w->delivered++;
        net_port_output(&w->port, frame, now_of(w));
    }
    net_frame_put(frame);
}

static void look(struct world *w)
{
    const struct pollable_ops *ops = w->q->pollable.ops;
    int taken = ops->consume(&w->q->pollable, now_of(w));
    if (taken < 0)
        ops->broken(&w->q->pollable, taken);
    require(taken <= 4096);
}

static void set_index(struct back_ring *ring, uint8_t what, struct input *in)
{
    ring->sring->req_prod = (what & 16) != 0 ? take_u32(in) : ring->req_cons + take(in) % 40u;
}

static void step(struct world *w, struct input *in)
{
    static const uint64_t steps_ns[] = {1, 1000, 1000000, HZ, VIF_EXPIRE_NS, VIF_STALL_NS};
    uint8_t what = take(in);
    struct back_ring *tx = &w->q->tx.half, *rx = &w->q->rx.half;
    switch (what & 15) {
    case 0:
        scribble_ring(tx, sizeof(union netif_tx_sring_entry), in);
        break;
    case 1:
        scribble_ring(rx, sizeof(union netif_rx_sring_entry), in);
        break;
    case 2:
        scribble_grant(w, in);
        break;
    case 3:
        set_index(tx, what, in);
        break;
    case 4:
        set_index(rx, what, in);
        break;
    case 5:
        tx->sring->rsp_event = take_u32(in);
        rx->sring->rsp_event = take_u32(in);
        break;
    case 6:
        tdf_source_advance_ns(&w->time, steps_ns[take(in) % 6]);
        break;
    case 7:
        (void)w->q->pollable.ops->arm(&w->q->pollable);
        break;
    case 8:
        require(vif_queue_take(w->q, 1 + take_u16(in)) <= 0x30000);
        break;
    case 9:
        look(w);
        break;
    case 10:
        put_extra(w, in);
        break;
    case 11:
        post_pages(w, in);
        break;
    case 12:
        put_chain(w, in);
        break;
    case 13:
        put_request(w, in);
        break;
    default:
        deliver_frame(w, in);
        break;
    }
    check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.data = data, .left = size};
    struct world *w = calloc(1, sizeof(*w));
    require(w != NULL);
    open_world(w, take(&in));
    for (int i = 0; i < OPS_MAX && in.left > 0; i++)
        step(w, &in);
    close_world(w);
    free(w);
    return 0;
}
