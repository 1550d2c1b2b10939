/* SPDX-License-Identifier: MIT */
#include "service/back/vif/vif_back.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/container_of.h"
#include "service/back/vif/flow.h"
#include "service/back/vif/vif_nodes.h"

struct vif {
    struct xenbus_back back;
    struct vif_options options;
    struct net_port port;
    struct xs_local_watch *rate_watch;
    bool joined;
    struct vif_queue *queue[VIF_QUEUES_MAX];
    uint32_t queue_count;    /* 0: not connected */
    uint32_t next_queue;     /* whose turn it is within the port's turn */
    struct vif_stats before; /* of connections that have ended */
};

static struct vif *of_back(const struct xenbus_back *back)
{
    assert(back->class == &vif_class);
    return container_of(back, struct vif, back);
}

/* Each queue in turn gets what is left of the budget, after the copies of the others' frames, too.
 */
static uint32_t take(struct net_port *port, uint32_t budget_bytes)
{
    struct vif *vif = container_of(port, struct vif, port);
    const uint64_t copied_before = port->copied_bytes;
    uint64_t used_bytes = 0;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < vif->queue_count && used_bytes < budget_bytes; i++) {
        struct vif_queue *queue = vif->queue[vif->next_queue];
        vif->next_queue = (vif->next_queue + 1) % vif->queue_count;
        bytes += vif_queue_take(queue, budget_bytes - (uint32_t)used_bytes);
        used_bytes = bytes + (port->copied_bytes - copied_before);
    }
    return bytes;
}

/* A flow stays in one queue, so its frames keep their order. */
static void deliver(struct net_port *port, struct net_frame *frame, uint64_t at_ns)
{
    struct vif *vif = container_of(port, struct vif, port);
    if (vif->queue_count == 0) {
        net_port_drop_delivered(port, frame, NET_DROP_DISCONNECTED);
        return;
    }
    uint32_t queue = vif->queue_count == 1 ? 0 : flow_hash(frame) % vif->queue_count;
    vif_queue_deliver(vif->queue[queue], frame, at_ns);
}

/* The queues may wait for many pages at once, as long as others wait for them. */
static void released(struct net_port *port)
{
    struct vif *vif = container_of(port, struct vif, port);
    for (uint32_t i = 0; i < vif->queue_count; i++)
        pollables_answered(&vif->queue[i]->pollable);
}

static const struct net_port_ops port_ops = {
    .deliver = deliver, .take = take, .released = released};

static uint32_t queues_offered(uint32_t wanted)
{
    if (wanted == 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        wanted = cpus > 0 && cpus < VIF_QUEUES_MAX ? (uint32_t)cpus : VIF_QUEUES_MAX;
    }
    return wanted < VIF_QUEUES_MAX ? wanted : VIF_QUEUES_MAX;
}

static int create(const struct back_domain *domain, const void *options, struct xenbus_back **out)
{
    struct vif *vif = calloc(1, sizeof(*vif));
    if (vif == NULL)
        return -ENOMEM;
    vif->options = *(const struct vif_options *)options;
    vif->options.max_queues = queues_offered(vif->options.max_queues);
    if (vif->options.now_ns == NULL)
        vif->options.now_ns = clock_monotonic_fn;
    net_port_init(&vif->port, &port_ops, "", domain->settings->weight);
    *out = &vif->back;
    return 0;
}

static void destroy(struct xenbus_back *back)
{
    struct vif *vif = of_back(back);
    assert(vif->queue_count == 0 && !vif->joined);
    xs_local_unwatch(vif->rate_watch);
    free(vif);
}

/* Only now is it known which device it is. */
static void name_port(struct vif *vif)
{
    const struct xenbus_key *key = &vif->back.key;
    if (vif->options.vif_name != NULL)
        snprintf(vif->port.name, sizeof(vif->port.name), "%s", vif->options.vif_name);
    else
        snprintf(vif->port.name, sizeof(vif->port.name), "vif%u.%u", key->domid, key->devid);
}

/* Who writes the node is Dom0's administrator, and what makes no sense is a slip: it lifts no
 * limit. (Linux's back end lifts it.) */
static void rate_changed(void *ctx, const char *path)
{
    struct vif *vif = ctx;
    const struct back_host *host = vif->back.host;
    uint64_t bytes;
    uint32_t interval_us;
    int rc = vif_nodes_rate(&vif->back, &bytes, &interval_us);
    if (rc < 0) {
        log_limited(host->log, host->log_limit, "domain %u: %s is no rate (BYTES,MICROSECONDS): %s",
                    vif->back.key.domid, path, strerror(-rc));
        return;
    }
    if (bytes == vif->options.rate_bytes && interval_us == vif->options.rate_interval_us)
        return;
    vif->options.rate_bytes = bytes;
    vif->options.rate_interval_us = interval_us;
    if (vif->joined)
        vif->options.network->limit(vif->options.network_ctx, &vif->port, &vif->options);
}

static int watch_rate(struct vif *vif)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &vif->back.key, "rate");
    return xs_local_watch(vif->back.host->store, path, rate_changed, vif, &vif->rate_watch);
}

static int publish(struct xenbus_back *back)
{
    struct vif *vif = of_back(back);
    int rc = vif->rate_watch == NULL ? watch_rate(vif) : 0;
    name_port(vif);
    return rc < 0 ? rc : vif_nodes_offer(back, &vif->options);
}

static void leave(struct vif *vif)
{
    if (vif->joined)
        vif->options.network->leave(vif->options.network_ctx, &vif->port);
    vif->joined = false;
}

/* The queue stays halted until it is disconnected; the network forgets the port now. */
static void broken(void *ctx, const char *why)
{
    struct vif *vif = ctx;
    leave(vif);
    xenbus_back_fail(&vif->back, -EPROTO, why);
}

/* As much as there is so far. */
static void serve_no_more(struct vif *vif)
{
    leave(vif);
    while (vif->queue_count > 0) {
        struct vif_queue *queue = vif->queue[--vif->queue_count];
        pollables_remove(&queue->pollable);
        vif_queue_destroy(queue, &vif->before);
        vif->queue[vif->queue_count] = NULL;
    }
    vif->next_queue = 0;
}

static int create_queues(struct vif *vif, const struct vif_transport *transport)
{
    const struct back_domain *domain = vif->back.domain;
    struct vif_queue_config config = {.segment = domain->segment,
                                      .features = transport->features,
                                      .polled = transport->polled,
                                      .port = &vif->port,
                                      .clock = domain->clock,
                                      .tdf = domain->tdf,
                                      .now_ns = vif->options.now_ns,
                                      .now_ctx = vif->options.now_ctx,
                                      .idle_time = vif->options.idle_time,
                                      .broken = broken,
                                      .ctx = vif};
    config.features.stamps = config.features.stamps && vif->options.stamps;
    config.features.persistent = config.features.persistent && vif->options.persistent;
    vif->port.holds = config.features.stamps;
    for (uint32_t i = 0; i < transport->queue_count; i++) {
        const struct vif_transport_queue *queue = &transport->queue[i];
        config.tx_ring_ref = queue->tx_ring_ref;
        config.rx_ring_ref = queue->rx_ring_ref;
        config.tx_event = queue->tx_event;
        config.rx_event = queue->rx_event;
        int rc = vif_queue_create(&config, &vif->queue[i]);
        if (rc < 0)
            return rc;
        vif->queue_count++;
        pollables_add(vif->back.host->pollables, domain->peer, &vif->queue[i]->pollable);
    }
    return 0;
}

static int join(struct vif *vif, const char **what)
{
    *what = "the network cannot be joined";
    int rc = vif->options.network->join(vif->options.network_ctx, &vif->port, vif->back.domain,
                                        &vif->options, what);
    if (rc < 0) {
        vif_nodes_not_joined(&vif->back, *what);
        return rc;
    }
    vif->joined = true;
    *what = "its hotplug-status cannot be written";
    return vif_nodes_joined(&vif->back);
}

static int connect(struct xenbus_back *back, const char **what)
{
    struct vif *vif = of_back(back);
    struct vif_transport transport;
    assert(vif->queue_count == 0);
    int rc = vif_transport_read(back, vif->options.max_queues, &transport, what);
    if (rc < 0)
        return rc;
    *what = "the rings' pages cannot be mapped";
    rc = create_queues(vif, &transport);
    if (rc == 0)
        rc = join(vif, what);
    if (rc < 0)
        serve_no_more(vif);
    return rc;
}

static void disconnect(struct xenbus_back *back)
{
    struct vif *vif = of_back(back);
    assert(vif->queue_count > 0);
    serve_no_more(vif);
    vif_nodes_left(back);
}

static void configure(struct xenbus_back *back)
{
    of_back(back)->port.weight = back->domain->settings->weight;
}

const struct back_class vif_class = {.name = "vif",
                                     .starts_over = true,
                                     .front_nodes = vif_nodes_of_front,
                                     .back_nodes = vif_nodes_of_back,
                                     .create = create,
                                     .destroy = destroy,
                                     .publish = publish,
                                     .connect = connect,
                                     .disconnect = disconnect,
                                     .configure = configure};

const struct vif_options *vif_back_options(const struct xenbus_back *back)
{
    return &of_back(back)->options;
}

struct net_port *vif_back_port(struct xenbus_back *back)
{
    return &of_back(back)->port;
}

struct vif_queue *vif_back_queue(const struct xenbus_back *back, uint32_t queue)
{
    const struct vif *vif = of_back(back);
    return queue < vif->queue_count ? vif->queue[queue] : NULL;
}

struct vif_stats vif_back_stats(const struct xenbus_back *back)
{
    const struct vif *vif = of_back(back);
    struct vif_stats stats = vif->before;
    for (uint32_t i = 0; i < vif->queue_count; i++)
        vif_stats_add(&stats, &vif->queue[i]->stats);
    return stats;
}

uint32_t vif_back_persistent_grants(const struct xenbus_back *back)
{
    const struct vif *vif = of_back(back);
    uint32_t count = 0;
    for (uint32_t i = 0; i < vif->queue_count; i++)
        count += vif->queue[i]->grants.persistent_count;
    return count;
}

bool vif_back_is_stalled(const struct xenbus_back *back)
{
    const struct vif *vif = of_back(back);
    bool stalled = false;
    for (uint32_t i = 0; i < vif->queue_count; i++)
        stalled = stalled || vif->queue[i]->stalled;
    return stalled;
}
