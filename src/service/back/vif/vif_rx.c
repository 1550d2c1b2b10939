/* SPDX-License-Identifier: MIT */
#include "service/back/vif/vif_rx.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "service/back/vif/offload.h"
#include "service/net/frame.h"
#include "service/net/pressure.h"
#include "tdf/rational.h"

static struct vif_waiting *head_of(struct vif_queue *q)
{
    assert(q->waiting_count > 0);
    return &q->waiting[q->waiting_head];
}

/* Takes the first one out; the caller has its reference. */
static struct vif_waiting pop(struct vif_queue *q)
{
    struct vif_waiting waiting = *head_of(q);
    q->waiting_head = (q->waiting_head + 1) % VIF_RX_QUEUE_FRAMES;
    q->waiting_count--;
    q->waiting_bytes -= waiting.frame->length_bytes;
    return waiting;
}

/* A frame that is in the queue no more, or never was. The caller keeps its reference. */
static void drop(struct vif_queue *q, const struct vif_waiting *waiting, enum net_drop why,
                 uint64_t *counter)
{
    (*counter)++;
    if (waiting->part)
        net_port_drop(q->config.port, why);
    else
        net_port_drop_delivered(q->config.port, waiting->frame, why);
}

static void drop_head(struct vif_queue *q, enum net_drop why, uint64_t *counter)
{
    struct vif_waiting waiting = pop(q);
    drop(q, &waiting, why, counter);
    net_frame_put(waiting.frame);
}

/* Half full: who sends here alone waits. Three quarters empty: they go on. */
static void note_fill(struct vif_queue *q)
{
    const uint32_t frames = q->waiting_count, bytes = q->waiting_bytes;
    if (!q->full && (frames > VIF_RX_QUEUE_FRAMES / 2 || bytes > VIF_RX_QUEUE_BYTES / 2)) {
        q->full = true;
        net_pressure_begin(q->config.port);
    } else if (q->full && frames <= VIF_RX_QUEUE_FRAMES / 4 && bytes <= VIF_RX_QUEUE_BYTES / 4) {
        q->full = false;
        net_pressure_end(q->config.port);
    }
}

void vif_rx_drop_all(struct vif_queue *q, enum net_drop why, uint64_t *counter)
{
    while (q->waiting_count > 0)
        drop_head(q, why, counter);
    note_fill(q);
}

/* Longer than so much of the domain's time. It is asked for each frame: a difference that is too
 * small at any rate needs no division. */
static bool is_over(const struct vif_queue *q, uint64_t since_ns, uint64_t now_ns,
                    uint64_t limit_ns)
{
    if (now_ns <= since_ns || now_ns - since_ns < limit_ns / TDF_LIMIT)
        return false;
    return now_ns - since_ns >= tdf_real_ns(*q->config.tdf, limit_ns);
}

static uint64_t expire_ns(const struct vif_queue *q)
{
    return q->config.polled ? VIF_POLL_NS : VIF_EXPIRE_NS;
}

/* Those that have waited for too long go, whether or not there are pages: a small frame need not
 * wait behind a large one that there are never pages enough for. Returns how many. */
static int drop_expired(struct vif_queue *q, uint64_t now_ns)
{
    int frames = 0;
    for (; q->waiting_count > 0 && is_over(q, head_of(q)->at_ns, now_ns, expire_ns(q)); frames++)
        drop_head(q, NET_DROP_STALLED, &q->stats.rx_expired);
    if (frames > 0) {
        q->starved = q->starved || q->waiting_count == 0;
        note_fill(q);
    }
    return frames;
}

static uint32_t extras_of(const struct vif_queue *q, const struct net_frame *frame)
{
    return (uint32_t)(frame->gso_type != NET_GSO_NONE) + (uint32_t)q->config.features.stamps;
}

/* How many pages it takes; an extra info uses one up, too. */
static uint32_t slots_of(const struct vif_queue *q, const struct net_frame *frame)
{
    return (frame->length_bytes + XEN_PAGE_SIZE - 1) / XEN_PAGE_SIZE + extras_of(q, frame);
}

/* Returns whether there are enough pages for the first one; -EPROTO. */
static int look_for_pages(struct vif_queue *q)
{
    int pages = back_ring_look(&q->rx.half);
    if (pages < 0) {
        vif_queue_halt(q, "the rx ring's request index is invalid");
        return pages;
    }
    return q->waiting_count > 0 ? pages >= (int)slots_of(q, head_of(q)->frame) : pages > 0;
}

/* The front end has posted too few pages for too long. It may have posted them since Dom0 looked
 * last: nobody asks for a ring while nothing waits. */
static bool is_stalled(struct vif_queue *q, uint64_t now_ns)
{
    if (!q->stalled && !q->config.polled && q->waiting_count > 0 &&
        is_over(q, q->rx_progress_ns, now_ns, VIF_STALL_NS) && look_for_pages(q) == 0) {
        q->stalled = true;
        q->stats.rx_stalls++;
        vif_rx_drop_all(q, NET_DROP_STALLED, &q->stats.rx_stalled);
        pollables_answered(&q->pollable); /* the next look asks to hear of pages */
    }
    return q->stalled;
}

/* A frame that the front end can take as it is. */
static void enqueue(struct vif_queue *q, const struct vif_waiting *waiting)
{
    uint32_t bytes = waiting->frame->length_bytes;
    if (q->waiting_count == VIF_RX_QUEUE_FRAMES || q->waiting_bytes + bytes > VIF_RX_QUEUE_BYTES) {
        drop(q, waiting, NET_DROP_NO_ROOM, &q->stats.rx_no_room);
        return;
    }
    if (q->waiting_count == 0 && !q->starved)
        q->rx_progress_ns = waiting->at_ns;
    uint32_t end = (q->waiting_head + q->waiting_count) % VIF_RX_QUEUE_FRAMES;
    q->waiting[end] = *waiting;
    (void)net_frame_get(waiting->frame);
    q->waiting_count++;
    q->waiting_bytes += bytes;
    note_fill(q);
    pollables_answered(&q->pollable);
}

struct made {
    struct vif_queue *q;
    uint64_t at_ns;
};

static void enqueue_made(void *ctx, struct net_frame *frame, bool part)
{
    const struct made *made = ctx;
    assert(offload_fits(&made->q->config.features, frame));
    made->q->stats.rx_parts += part;
    enqueue(made->q, &(struct vif_waiting){.frame = frame, .at_ns = made->at_ns, .part = part});
}

/* One that it can't: what it does not do itself is done for it, if that is possible. */
static void enqueue_unfit(struct vif_queue *q, const struct vif_waiting *waiting)
{
    struct made made = {.q = q, .at_ns = waiting->at_ns};
    int rc = offload_apply(&q->config.features, waiting->frame, enqueue_made, &made);
    if (rc == -EMSGSIZE)
        drop(q, waiting, NET_DROP_NO_ROOM, &q->stats.rx_unfit);
    else if (rc < 0)
        drop(q, waiting, NET_DROP_NO_MEMORY, &q->stats.rx_unfit);
    else if (waiting->frame->gso_type != NET_GSO_NONE)
        q->stats.rx_segmented++; /* for offload_apply, whose parts are counted one by one */
}

void vif_queue_deliver(struct vif_queue *q, struct net_frame *frame, uint64_t at_ns)
{
    const struct vif_waiting waiting = {.frame = frame, .at_ns = at_ns};
    bool stalled = q->fault == NULL && is_stalled(q, at_ns);
    if (q->fault != NULL)
        drop(q, &waiting, NET_DROP_DISCONNECTED, &q->stats.rx_left);
    else if (stalled)
        drop(q, &waiting, NET_DROP_STALLED, &q->stats.rx_stalled);
    else if (offload_fits(&q->config.features, frame))
        enqueue(q, &waiting);
    else
        enqueue_unfit(q, &waiting);
}

static uint32_t pages_posted(const struct vif_queue *q)
{
    return q->rx.half.req_prod - q->rx.half.req_cons;
}

static int copy_out(struct vif_queue *q, grant_ref_t gref, const uint8_t *data, uint32_t bytes)
{
    void *page;
    int rc = grant_map_get(&q->grants, gref, true, q->config.features.persistent, &page);
    if (rc < 0)
        return rc;
    memcpy(page, data, bytes);
    grant_map_put(&q->grants, gref);
    return 0;
}

static uint16_t first_flags(const struct vif_queue *q, const struct net_frame *frame)
{
    uint16_t flags = 0;
    if (frame->checksum_blank)
        flags |= NETRXF_csum_blank | NETRXF_data_validated;
    else if (frame->data_validated)
        flags |= NETRXF_data_validated;
    if (extras_of(q, frame) > 0)
        flags |= NETRXF_extra_info;
    return flags;
}

static void put_extra(struct vif_queue *q, const struct netif_extra_info *extra)
{
    struct netif_rx_request req; /* its page is used up, and comes back untouched */
    netif_rx_take_request(&q->rx, &req);
    netif_rx_put_extra(&q->rx, extra);
}

static void put_extras(struct vif_queue *q, const struct net_frame *frame, uint64_t at_ns)
{
    struct netif_extra_info extra = {.type = XEN_NETIF_EXTRA_TYPE_GSO};
    if (frame->gso_type != NET_GSO_NONE) {
        extra.u.gso.type = frame->gso_type;
        extra.u.gso.size = frame->gso_size_bytes;
        extra.flags = q->config.features.stamps ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
        put_extra(q, &extra);
    }
    if (q->config.features.stamps) {
        uint64_t now_ns = q->rx_virtual_ns;
        uint64_t due_ns = tdf_clock_at_ns(q->config.clock, at_ns);
        extra = (struct netif_extra_info){.type = SPLITDOM_NETIF_EXTRA_TYPE_STAMP};
        bool early = q->config.port->down != NULL; /* a link may be, nobody else */
        splitdom_netif_stamp_put(&extra, due_ns < now_ns || early ? due_ns : now_ns);
        put_extra(q, &extra);
    }
}

/* There are enough pages. A page that can't be written spoils the frame, and the front end sees
 * which. Returns whether all of them could. */
static bool put_frame(struct vif_queue *q, const struct net_frame *frame, uint64_t at_ns)
{
    bool whole = true;
    for (uint32_t at = 0; at < frame->length_bytes; at += XEN_PAGE_SIZE) {
        uint32_t left = frame->length_bytes - at;
        uint32_t bytes = left < XEN_PAGE_SIZE ? left : XEN_PAGE_SIZE;
        struct netif_rx_request req;
        netif_rx_take_request(&q->rx, &req);
        int rc = copy_out(q, req.gref, frame->data + at, bytes);
        struct netif_rx_response rsp = {.id = req.id,
                                        .flags = at == 0 ? first_flags(q, frame) : 0,
                                        .status = rc < 0 ? NETIF_RSP_ERROR : (int16_t)bytes};
        if (bytes < left)
            rsp.flags |= NETRXF_more_data;
        netif_rx_put_response(&q->rx, &rsp);
        whole = whole && rc == 0;
        if (at == 0)
            put_extras(q, frame, at_ns);
    }
    return whole;
}

static void serve_head(struct vif_queue *q)
{
    struct vif_waiting waiting = pop(q);
    q->stats.rx_slots += slots_of(q, waiting.frame);
    q->rx_unpushed = true;
    if (put_frame(q, waiting.frame, waiting.at_ns)) {
        q->stats.rx_frames++;
        q->stats.rx_bytes += waiting.frame->length_bytes;
    } else {
        drop(q, &waiting, NET_DROP_MALFORMED, &q->stats.rx_errors);
    }
    net_frame_put(waiting.frame);
}

static void flush(struct vif_queue *q)
{
    if (!q->rx_unpushed)
        return;
    q->rx_unpushed = false;
    pollable_showed(&q->pollable);
    if (back_ring_push(&q->rx.half))
        vif_queue_notify(q, &q->config.rx_event);
}

/* As many as there are pages for. Returns how many; -EPROTO. */
static int serve_all(struct vif_queue *q, uint64_t now_ns)
{
    int enough = look_for_pages(q);
    if (enough <= 0)
        return enough;
    q->stalled = q->starved = false;
    if (q->config.features.stamps)
        q->rx_virtual_ns = tdf_clock_now_ns(q->config.clock);
    int frames = 0;
    while (frames < VIF_RX_FRAMES_MAX && q->waiting_count > 0 &&
           slots_of(q, head_of(q)->frame) <= pages_posted(q)) {
        serve_head(q);
        frames++;
    }
    q->rx_progress_ns = now_ns;
    note_fill(q);
    flush(q);
    return frames;
}

/* Who is polled may have posted pages long ago, and nobody has looked: what there are pages for is
 * not too old then. */
int vif_rx_serve(struct vif_queue *q, uint64_t now_ns)
{
    if (q->fault != NULL || (q->waiting_count == 0 && !q->stalled))
        return 0;
    int expired = q->config.polled ? 0 : drop_expired(q, now_ns);
    int frames = serve_all(q, now_ns);
    if (frames < 0)
        return frames;
    if (q->config.polled && frames < VIF_RX_FRAMES_MAX)
        expired = drop_expired(q, now_ns);
    return frames + expired;
}

/* Whoever is polled may have posted pages without a ring. */
static void poll_later(struct vif_queue *q)
{
    if (!q->config.polled || q->config.idle_time == NULL || q->waiting_count == 0)
        return;
    timer_set(&q->poll, head_of(q)->at_ns + tdf_real_ns(*q->config.tdf, VIF_POLL_NS));
}

bool vif_rx_arm(struct vif_queue *q)
{
    if (q->fault != NULL || (q->waiting_count == 0 && !q->stalled))
        return false;
    /* A front end that is behind need not wake Dom0 for each of its batches. If it never has so
     * many pages, whoever waits for it goes on after a while, and this is asked again. */
    bool behind = q->full && net_pressure_is_felt(q->config.port);
    uint32_t wanted = behind ? q->rx.half.nr_ents / 2 : 1;
    if (look_for_pages(q) != 0 || back_ring_ask_for_more(&q->rx.half, wanted))
        return true;
    poll_later(q);
    return false;
}
