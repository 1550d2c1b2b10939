/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_back.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/container_of.h"
#include "service/back/vbd/vbd_claims.h"
#include "service/back/vbd/vbd_nodes.h"
#include "service/back/vbd/vbd_trace.h"

/* The use of the vdisk. Requests that the device is at work on outlive the vbd, and need it. */
struct vbd_client {
    struct block_client client;
    struct hold hold;
};

struct vbd {
    struct xenbus_back back;
    struct vbd_options options;
    struct vbd_client *use;
    struct vbd_ring *ring[VBD_QUEUES_MAX];
    uint32_t ring_count;          /* 0: not connected */
    bool discard;                 /* as the administrator had it when it connected */
    struct vbd_claims claims;     /* open while connected, if negotiated */
    struct vbd_ring_stats before; /* of connections that have ended */
};

static struct vbd *of_back(const struct xenbus_back *back)
{
    assert(back->class == &vbd_class);
    return container_of(back, struct vbd, back);
}

static void apply(struct vbd *vbd, const struct back_settings *settings)
{
    int rc = block_client_set_weight(&vbd->use->client, settings->weight);
    assert(rc == 0); /* whoever set them has checked them */
    rc = block_client_set_scale(&vbd->use->client, settings->disk_scale);
    assert(rc == 0);
    (void)rc;
    for (uint32_t i = 0; i < vbd->ring_count; i++)
        (void)vbd_trace_set(vbd->ring[i], &settings->trace); /* no memory: no trace of it */
}

static void client_let_go(struct hold *hold)
{
    struct vbd_client *use = container_of(hold, struct vbd_client, hold);
    block_client_close(&use->client);
    free(use);
}

static struct vbd_client *open_client(struct vdisk *vdisk)
{
    struct vbd_client *use = calloc(1, sizeof(*use));
    if (use == NULL)
        return NULL;
    use->hold = (struct hold){.holders = 1, .let_go = client_let_go};
    block_client_open(&use->client, vdisk);
    return use;
}

static uint32_t queues_offered(const struct vbd_options *options)
{
    uint64_t count = options->max_queues;
    if (count == 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        count = cpus > 0 ? (uint64_t)cpus : 1;
    }
    return count < VBD_QUEUES_MAX ? (uint32_t)count : VBD_QUEUES_MAX;
}

static void on_change(void *ctx);

static int create(const struct back_domain *domain, const void *options, struct xenbus_back **out)
{
    struct vbd *vbd = calloc(1, sizeof(*vbd));
    if (vbd == NULL)
        return -ENOMEM;
    vbd->options = *(const struct vbd_options *)options;
    vbd->options.max_queues = queues_offered(&vbd->options);
    vbd->use = open_client(vbd->options.vdisk);
    if (vbd->use == NULL) {
        free(vbd);
        return -ENOMEM;
    }
    block_client_on_change(&vbd->use->client, on_change, vbd);
    apply(vbd, domain->settings);
    *out = &vbd->back;
    return 0;
}

static void destroy(struct xenbus_back *back)
{
    struct vbd *vbd = of_back(back);
    assert(vbd->ring_count == 0);
    block_client_on_change(&vbd->use->client, NULL, NULL);
    hold_put(&vbd->use->hold);
    free(vbd);
}

/* The vdisk has turned out not to flush or discard. */
static void on_change(void *ctx)
{
    struct vbd *vbd = ctx;
    if (vbd->ring_count > 0)
        (void)vbd_nodes_abilities(&vbd->back, &vbd->options, vbd->discard); /* the log says more */
}

/* What the toolstack or an administrator says of discards; without that they are wanted. */
static bool is_discard_enabled(struct xenbus_back *back)
{
    char path[XENBUS_PATH_MAX];
    uint64_t enabled;
    xenbus_back_path(path, &back->key, "discard-enable");
    return xs_local_read_u64(back->host->store, path, UINT32_MAX, &enabled) < 0 || enabled != 0;
}

/* A front end that wants the shared cache grants a page for its notes. */
static int open_claims(struct xenbus_back *back, const char **what)
{
    struct vbd *vbd = of_back(back);
    uint64_t wanted, ref;
    *what = "feature-shared-cache is too large a number";
    int rc = xenbus_back_front_number(back, "feature-shared-cache", UINT32_MAX, 0, &wanted);
    if (rc < 0 || wanted == 0 || cache_shared_fd(vbd->options.vdisk->cache) < 0)
        return rc;
    *what = "shared-cache-ref is missing or out of range";
    rc = xenbus_back_front_number(back, "shared-cache-ref", UINT32_MAX, -1, &ref);
    if (rc < 0)
        return rc;
    *what = "the page of shared-cache-ref cannot be mapped";
    return vbd_claims_open(&vbd->claims, back->domain->segment, (grant_ref_t)ref,
                           vbd->options.vdisk);
}

/* The ring stays halted until it is disconnected. */
static void ring_broken(void *ctx)
{
    xenbus_back_fail(ctx, -EPROTO, "the ring's request index is invalid: halted");
}

static void configure(struct xenbus_back *back)
{
    apply(of_back(back), back->domain->settings);
}

static int publish(struct xenbus_back *back)
{
    return vbd_nodes_offer(back, &of_back(back)->options);
}

static int resize(struct xenbus_back *back)
{
    return vbd_nodes_disk(back, &of_back(back)->options);
}

/* As much as there is so far. */
static void serve_no_more(struct vbd *vbd)
{
    while (vbd->ring_count > 0) {
        struct vbd_ring *ring = vbd->ring[--vbd->ring_count];
        vbd_ring_stats_add(&vbd->before, &ring->stats);
        pollables_remove(&ring->pollable);
        vbd_ring_destroy(ring);
        vbd->ring[vbd->ring_count] = NULL;
    }
    vbd_claims_close(&vbd->claims);
}

static int create_rings(struct xenbus_back *back, const struct vbd_transport *transport)
{
    struct vbd *vbd = of_back(back);
    const struct back_domain *domain = back->domain;
    struct vbd_ring_config config = {.segment = domain->segment,
                                     .devid = back->key.devid,
                                     .memory = domain->memory,
                                     .fault_slot = domain->fault_slot,
                                     .client = &vbd->use->client,
                                     .client_hold = &vbd->use->hold,
                                     .page_order = transport->page_order,
                                     .persistent_grants = transport->persistent_grants,
                                     .trace_ranks = transport->trace_ranks,
                                     .writable = vbd->options.writable,
                                     .discard = vbd->discard,
                                     .virtual_completion = transport->virtual_completion &&
                                                           vbd->options.virtual_completion,
                                     .clock = domain->clock,
                                     .tdf = domain->tdf,
                                     .broken = ring_broken,
                                     .ctx = back};
    for (uint32_t i = 0; i < transport->queue_count; i++) {
        const struct vbd_queue *queue = &transport->queue[i];
        memcpy(config.ring_ref, queue->ring_ref, sizeof(config.ring_ref));
        config.port = queue->port;
        config.vcpu = queue->vcpu;
        int rc = vbd_ring_create(&config, &vbd->ring[i]);
        if (rc < 0)
            return rc;
        (void)vbd_trace_set(vbd->ring[i], &domain->settings->trace);
        vbd->ring_count++;
        pollables_add(back->host->pollables, domain->peer, &vbd->ring[i]->pollable);
    }
    return 0;
}

static int connect(struct xenbus_back *back, const char **what)
{
    struct vbd *vbd = of_back(back);
    const struct vbd_transport_limits limits = {.max_page_order = vbd->options.max_ring_page_order,
                                                .max_queues = vbd->options.max_queues};
    struct vbd_transport transport;
    assert(vbd->ring_count == 0);
    int rc = vbd_transport_read(back, &limits, &transport, what);
    if (rc < 0)
        return rc;
    *what = "the disk's nodes cannot be written";
    vbd->discard = vbd->options.writable && is_discard_enabled(back);
    rc = vbd_nodes_describe(back, &vbd->options, vbd->discard);
    if (rc < 0)
        return rc;
    rc = open_claims(back, what);
    if (rc < 0)
        return rc;
    *what = "the ring's pages cannot be mapped";
    rc = create_rings(back, &transport);
    if (rc < 0)
        serve_no_more(vbd);
    return rc;
}

static void disconnect(struct xenbus_back *back)
{
    struct vbd *vbd = of_back(back);
    assert(vbd->ring_count > 0);
    serve_no_more(vbd);
}

const struct back_class vbd_class = {.name = "vbd",
                                     .front_nodes = vbd_nodes_of_front,
                                     .back_nodes = vbd_nodes_of_back,
                                     .create = create,
                                     .destroy = destroy,
                                     .publish = publish,
                                     .connect = connect,
                                     .disconnect = disconnect,
                                     .resize = resize,
                                     .configure = configure};

struct vbd_ring *vbd_back_ring(const struct xenbus_back *back)
{
    return vbd_back_queue(back, 0);
}

struct vbd_ring *vbd_back_queue(const struct xenbus_back *back, uint32_t queue)
{
    const struct vbd *vbd = of_back(back);
    return queue < vbd->ring_count ? vbd->ring[queue] : NULL;
}

int vbd_back_shared_cache(const struct xenbus_back *back)
{
    const struct vbd *vbd = of_back(back);
    if (vbd->ring_count == 0)
        return -ENODEV;
    return vbd->claims.vdisk != NULL ? cache_shared_fd(vbd->options.vdisk->cache) : -EOPNOTSUPP;
}

uint64_t vbd_back_claimed_reads(const struct xenbus_back *back)
{
    return of_back(back)->claims.reads;
}

const struct block_client *vbd_back_client(const struct xenbus_back *back)
{
    return &of_back(back)->use->client;
}

struct vbd_ring_stats vbd_back_stats(const struct xenbus_back *back)
{
    const struct vbd *vbd = of_back(back);
    struct vbd_ring_stats stats = vbd->before;
    for (uint32_t i = 0; i < vbd->ring_count; i++)
        vbd_ring_stats_add(&stats, &vbd->ring[i]->stats);
    return stats;
}
