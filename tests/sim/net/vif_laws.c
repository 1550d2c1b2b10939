/* SPDX-License-Identifier: MIT */
/*
 * What must hold of Dom0's counts: no frame is lost without one, none is counted twice. The ways of
 * frames between the parts are listened to (-Wl,--wrap): what a port sends and gets, who drops it.
 *
 *     input + output + duplicates of its link = to the bridge + delivered + dropped on the link
 *
 * for each port; each frame that gets to a bridge is passed on or dropped with a count; and each
 * frame that is delivered is on the ring, in the queue or dropped with a count.
 */
#include <stdlib.h>

#include "base/container_of.h"
#include "service/dom0/vifs/vifs.h"
#include "vif_world.h"

static struct world *listener;

static struct front *front_of(const struct net_port *port)
{
    for (int i = 0; listener != NULL && i < WORLD_FRONTS; i++) {
        struct front *f = &listener->front[i];
        if (f->back != NULL && vif_back_port(f->back) == port)
            return f;
    }
    return NULL;
}

/* ---- what is listened to ---- */

void __real_net_port_input(struct net_port *port, struct net_frame *frame);
void __wrap_net_port_input(struct net_port *port, struct net_frame *frame);
void __real_net_port_output(struct net_port *port, struct net_frame *frame, uint64_t at_ns);
void __wrap_net_port_output(struct net_port *port, struct net_frame *frame, uint64_t at_ns);
void __real_net_port_drop(struct net_port *port, enum net_drop why);
void __wrap_net_port_drop(struct net_port *port, enum net_drop why);
void __real_net_port_drop_delivered(struct net_port *port, const struct net_frame *frame,
                                    enum net_drop why);
void __wrap_net_port_drop_delivered(struct net_port *port, const struct net_frame *frame,
                                    enum net_drop why);

void __real_net_pipe_clear(struct net_pipe *pipe, enum net_drop why);
void __wrap_net_pipe_clear(struct net_pipe *pipe, enum net_drop why);

/* Of all whole intervals since it began, or changed, and the one before and the present one, and a
 * frame more. */
static void check_rate(struct front *f, uint32_t frame_bytes)
{
    const struct vif_options *options = vif_back_options(f->back);
    uint64_t now_ns = tdf_clock_now_ns(&f->dom0_clock);
    f->paid_bytes += frame_bytes;
    if (f->rate_bytes != options->rate_bytes || f->rate_us != options->rate_interval_us) {
        f->rate_bytes = options->rate_bytes;
        f->rate_us = options->rate_interval_us;
        f->rate_began_ns = now_ns;
        f->paid_bytes = frame_bytes;
    }
    if (f->rate_bytes == 0)
        return;
    uint64_t passed_ns = now_ns - f->rate_began_ns;
    uint64_t intervals = passed_ns / (f->rate_us * UINT64_C(1000)) + 3;
    if (f->paid_bytes > intervals * f->rate_bytes + NET_FRAME_MAX_BYTES)
        world_fail(f->world, "domain %u has sent %llu bytes in %llu ns, and has %llu in %u us",
                   f->domid, (unsigned long long)f->paid_bytes, (unsigned long long)passed_ns,
                   (unsigned long long)f->rate_bytes, f->rate_us);
}

void __wrap_net_port_input(struct net_port *port, struct net_frame *frame)
{
    struct front *f = front_of(port);
    if (f != NULL && port->turns != NULL)
        check_rate(f, frame->length_bytes);
    __real_net_port_input(port, frame);
}

void __wrap_net_port_output(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct front *f = front_of(port);
    bool in_bridge = listener != NULL && listener->in_bridge;
    if (f != NULL)
        f->outputs++;
    if (listener != NULL)
        listener->in_bridge = false; /* what the way down drops is not the bridge's */
    __real_net_port_output(port, frame, at_ns);
    if (listener != NULL)
        listener->in_bridge = in_bridge;
}

/* Not for parts of frames that were cut, which a queue drops one by one. */
static bool is_of_links(enum net_drop why)
{
    return why == NET_DROP_LINK_LOSS || why == NET_DROP_LINK_QUEUE || why == NET_DROP_LINK_EARLY ||
           listener->in_clearing;
}

void __wrap_net_pipe_clear(struct net_pipe *pipe, enum net_drop why)
{
    listener->in_clearing = true;
    __real_net_pipe_clear(pipe, why);
    listener->in_clearing = false;
}

void __wrap_net_port_drop(struct net_port *port, enum net_drop why)
{
    struct front *f = front_of(port);
    if (f != NULL && !listener->in_bridge && is_of_links(why))
        f->dropped_on_link++;
    if (f != NULL && listener->in_bridge)
        f->dropped_there++;
    __real_net_port_drop(port, why);
}

void __wrap_net_port_drop_delivered(struct net_port *port, const struct net_frame *frame,
                                    enum net_drop why)
{
    struct front *f = front_of(port);
    if (f != NULL)
        f->dropped_delivered++;
    __real_net_port_drop_delivered(port, frame, why);
}

/* A frame is passed on or counted as dropped; of a flood each port's is. */
static void bridge_put(struct net_sink *sink, struct net_port *port, struct net_frame *frame,
                       uint64_t at_ns)
{
    struct net_bridge *bridge = container_of(sink, struct net_bridge, sink);
    struct front *f = front_of(port);
    const struct net_bridge_stats *stats = &bridge->stats;
    uint64_t dropped = f != NULL ? f->dropped_there : 0;
    uint64_t before = stats->forwarded.frames + stats->flooded.frames;
    bool nested = listener->in_bridge;
    listener->in_bridge = true;
    listener->bridge_put(sink, port, frame, at_ns);
    listener->in_bridge = nested;
    if (f == NULL)
        return;
    f->bridged++;
    uint64_t fates =
        stats->forwarded.frames + stats->flooded.frames - before + f->dropped_there - dropped;
    if (fates != 1 && fates != bridge->port_count - 1)
        world_fail(listener, "domain %u: a frame has %llu fates at its bridge", f->domid,
                   (unsigned long long)fates);
}

void laws_hook_bridge(struct world *w, struct net_bridge *bridge)
{
    listener = w;
    w->bridge_put = bridge->sink.put;
    bridge->sink.put = bridge_put;
}

void laws_device_begins(struct front *f)
{
    f->outputs = f->bridged = f->dropped_there = f->dropped_delivered = f->dropped_on_link = 0;
    f->received = f->sent = f->paid_bytes = 0;
    f->rate_began_ns = f->rate_bytes = f->rate_us = 0;
}

/* ---- at any time ---- */

/* All entries are looked at, so not after each action: what is not given back stays. */
enum { GRANTS_CHECKED_EVERY = 8 };

/* Dom0 keeps the rings' pages, and one for as long as a copy takes; and those whose grants are
 * persistent. */
static void check_grants(struct front *f)
{
    uint32_t used = 0, queues = 0, kept = vif_back_persistent_grants(f->back);
    for (uint32_t ref = 0; ref < f->segment.nr_grant_entries; ref++)
        used += (f->segment.gnttab[ref].flags & (GTF_reading | GTF_writing)) != 0;
    while (vif_back_queue(f->back, queues) != NULL)
        queues++;
    if (kept > 0 && !f->use->options.persistent)
        world_fail(f->world, "domain %u: %u persistent grants, and none were offered", f->domid,
                   kept);
    if (used > 2 * queues + kept + 1 || used < kept || (queues == 0 && used > 2 * WORLD_QUEUES_MAX))
        world_fail(f->world, "domain %u: %u grants in use with %u queues", f->domid, used, queues);
}

static void check_halted(struct front *f)
{
    for (uint32_t i = 0; vif_back_queue(f->back, i) != NULL; i++)
        if (vif_back_queue(f->back, i)->fault != NULL)
            world_fail(f->world, "Dom0 says that domain %u breaks the protocol: %s", f->domid,
                       vif_back_queue(f->back, i)->fault);
}

void laws_check(struct world *w)
{
    for (int i = 0; w->dom0_lives && i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->back == NULL || f->kind == FRONT_HOSTILE)
            continue;
        if (w->actions % GRANTS_CHECKED_EVERY == 0)
            check_grants(f);
        check_halted(f);
    }
}

/* ---- at rest ---- */

static uint64_t duplicated_by_links(const struct front *f)
{
    const struct vifs_link *link = f->use->link;
    return link == NULL
               ? 0
               : link->net.way[0].pipe.stats.duplicated + link->net.way[1].pipe.stats.duplicated;
}

static void check_port(struct front *f)
{
    const struct net_port *port = vif_back_port(f->back);
    const struct vif_stats stats = vif_back_stats(f->back);
    uint64_t in = port->in.frames + f->outputs;
    uint64_t out = f->bridged + port->out.frames + f->dropped_delivered + f->dropped_on_link;
    /* A link that was taken out has taken its count along. */
    if (f->world->chances ? in > out : in + duplicated_by_links(f) != out)
        world_fail(f->world, "domain %u: %llu frames came to its port, %llu are accounted for",
                   f->domid, (unsigned long long)in, (unsigned long long)out);
    if (vif_stats_delivered(&stats) != port->out.frames + f->dropped_delivered)
        world_fail(f->world, "domain %u: %llu frames delivered, %llu accounted for", f->domid,
                   (unsigned long long)(port->out.frames + f->dropped_delivered),
                   (unsigned long long)vif_stats_delivered(&stats));
    /* What its threads had just taken when the last Dom0 died came from that one. */
    uint64_t late = f->kind == FRONT_OURS ? WORLD_QUEUES_MAX * WORLD_BATCH_MAX : 0;
    if (stats.rx_frames + late < f->received)
        world_fail(f->world, "domain %u: %llu frames put on its rings, %llu received", f->domid,
                   (unsigned long long)stats.rx_frames, (unsigned long long)f->received);
}

/* Nobody sleeps over what another one waits for. */
static void check_queue(struct front *f, uint32_t index)
{
    const struct vif_queue *q = vif_back_queue(f->back, index);
    if (q->waiting_count != 0)
        world_fail(f->world, "domain %u, queue %u: %u frames wait: a wake-up was lost", f->domid,
                   index, q->waiting_count);
    if (q->tx.half.req_cons != q->tx.half.sring->req_prod)
        world_fail(f->world, "domain %u, queue %u: %u slots are not taken: a wake-up was lost",
                   f->domid, index, q->tx.half.sring->req_prod - q->tx.half.req_cons);
}

void laws_check_rest(struct world *w)
{
    for (int i = 0; i < WORLD_FRONTS; i++) {
        struct front *f = &w->front[i];
        if (f->kind == FRONT_HOSTILE)
            continue;
        if (f->phase != FRONT_CONNECTED) {
            world_fail(w, "domain %u rests in phase %d", f->domid, f->phase);
            continue;
        }
        check_grants(f);
        for (uint32_t k = 0; vif_back_queue(f->back, k) != NULL; k++)
            check_queue(f, k);
        if (f->kind == FRONT_OURS)
            ours_check_rest(f);
        check_port(f);
    }
}
