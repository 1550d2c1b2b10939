/* SPDX-License-Identifier: MIT */
#include "service/back/vbd/vbd_back.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container_of.h"
#include "service/back/evtchn_table.h"
#include "service/back/vbd/vbd_claims.h"

#define NATIVE_PROTOCOL "x86_64-abi"

enum { PROTOCOL_MAX = 64 };

struct vbd {
    struct xenbus_back back;
    struct vbd_options options;
    struct block_client client;
    struct vbd_ring *ring;        /* while connected */
    struct vbd_claims claims;     /* open while connected, if negotiated */
    struct vbd_ring_stats before; /* of connections that have ended */
};

static struct vbd *of_back(const struct xenbus_back *back)
{
    assert(back->class == &vbd_class);
    return container_of(back, struct vbd, back);
}

static const char *device_type(const struct vbd_options *options)
{
    return options->cdrom ? "cdrom" : "disk";
}

static void front_nodes(const struct back_spec *spec, back_node_fn *put, void *ctx)
{
    const struct vbd_options *options = spec->options;
    char device[16];
    snprintf(device, sizeof(device), "%u", spec->devid);
    put(ctx, "virtual-device", device);
    put(ctx, "device-type", device_type(options));
    put(ctx, "trusted", options->untrusted ? "0" : "1");
    put(ctx, "protocol", NATIVE_PROTOCOL);
}

static void back_nodes(const struct back_spec *spec, domid_t domid, back_node_fn *put, void *ctx)
{
    const struct vbd_options *options = spec->options;
    char number[16];
    snprintf(number, sizeof(number), "%u", domid);
    put(ctx, "params", options->params);
    put(ctx, "frontend-id", number);
    put(ctx, "online", "1");
    put(ctx, "removable", options->removable ? "1" : "0");
    put(ctx, "bootable", "1");
    put(ctx, "state", "1");
    put(ctx, "dev", options->dev);
    put(ctx, "type", options->type != NULL ? options->type : "file");
    put(ctx, "mode", options->writable ? "w" : "r");
    put(ctx, "device-type", device_type(options));
    put(ctx, "discard-enable", options->writable && !options->no_discard ? "1" : "0");
    put(ctx, "specification", "xen");
}

static void apply(struct vbd *vbd, const struct back_settings *settings)
{
    int rc = block_client_set_weight(&vbd->client, settings->weight);
    assert(rc == 0); /* whoever set them has checked them */
    rc = block_client_set_scale(&vbd->client, settings->disk_scale);
    assert(rc == 0);
    (void)rc;
}

static int create(const struct back_domain *domain, const void *options, struct xenbus_back **out)
{
    struct vbd *vbd = calloc(1, sizeof(*vbd));
    if (vbd == NULL)
        return -ENOMEM;
    vbd->options = *(const struct vbd_options *)options;
    block_client_open(&vbd->client, vbd->options.vdisk);
    apply(vbd, domain->settings);
    *out = &vbd->back;
    return 0;
}

static void destroy(struct xenbus_back *back)
{
    struct vbd *vbd = of_back(back);
    assert(vbd->ring == NULL);
    block_client_close(&vbd->client);
    free(vbd);
}

static int publish(struct xenbus_back *back)
{
    const struct vbd_options *options = &of_back(back)->options;
    int rc = xenbus_back_put(back, "max-ring-page-order", "%u", options->max_ring_page_order);
    if (rc == 0)
        rc = xenbus_back_put(back, "multi-queue-max-queues", "1");
    if (rc == 0)
        rc = xenbus_back_put(back, "feature-persistent", "1");
    if (rc == 0 && options->virtual_completion)
        rc = xenbus_back_put(back, "feature-virtual-completion", "1");
    if (rc == 0 && cache_shared_fd(options->vdisk->cache) >= 0)
        rc = xenbus_back_put(back, "feature-shared-cache", "1");
    return rc;
}

/* What the disk is. VDISK_REMOVABLE tells of a device below that can be taken out, as in Linux: the
 * node `removable` is the toolstack's. */
static int publish_disk(struct xenbus_back *back)
{
    const struct vbd_options *options = &of_back(back)->options;
    const struct vdisk_capabilities *can = &options->vdisk->capabilities;
    const int info = (options->cdrom ? VDISK_CDROM : 0) | (options->writable ? 0 : VDISK_READONLY);
    int rc = xenbus_back_put(back, "sectors", "%" PRIu64, can->sector_count);
    if (rc == 0)
        rc = xenbus_back_put(back, "info", "%d", info);
    if (rc == 0)
        rc = xenbus_back_put(back, "sector-size", "%u", can->logical_sector_bytes);
    return rc < 0 ? rc
                  : xenbus_back_put(back, "physical-sector-size", "%u", can->physical_sector_bytes);
}

#define BLANKS " \t\n\v\f\r"

static int read_protocol(struct xenbus_back *back)
{
    char value[PROTOCOL_MAX];
    int rc = xenbus_back_front_text(back, "protocol", value, sizeof(value));
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    /* The word alone, as Linux reads it; without one the default holds. */
    const char *word = value + strspn(value, BLANKS);
    size_t length = strcspn(word, BLANKS);
    bool known = length == strlen(NATIVE_PROTOCOL) && memcmp(word, NATIVE_PROTOCOL, length) == 0;
    return length == 0 || known ? 0 : -EPROTONOSUPPORT;
}

/* Single-page rings name their page in ring-ref, larger ones in ring-ref0.. */
static int read_ring_refs(struct xenbus_back *back, struct vbd_ring_config *ring)
{
    uint64_t order, ref;
    int rc = xenbus_back_front_number(
        back, "ring-page-order", of_back(back)->options.max_ring_page_order, INT64_MAX, &order);
    if (rc < 0)
        return rc;
    if (order == INT64_MAX) { /* no such number */
        ring->page_order = 0;
        rc = xenbus_back_front_number(back, "ring-ref", UINT32_MAX, -1, &ref);
        if (rc == 0)
            ring->ring_ref[0] = (grant_ref_t)ref;
        return rc;
    }
    ring->page_order = (uint32_t)order;
    for (uint32_t i = 0; i < 1u << order; i++) {
        char node[32];
        snprintf(node, sizeof(node), "ring-ref%u", i);
        rc = xenbus_back_front_number(back, node, UINT32_MAX, -1, &ref);
        if (rc < 0)
            return rc;
        ring->ring_ref[i] = (grant_ref_t)ref;
    }
    return 0;
}

static int read_event_channel(struct xenbus_back *back, struct vbd_ring_config *ring)
{
    uint64_t port;
    int rc = xenbus_back_front_number(back, "event-channel", EVTCHN_2L_NR_CHANNELS, -1, &port);
    if (rc < 0)
        return rc;
    rc = evtchn_table_vcpu(back->domain->evtchn, port);
    if (rc < 0)
        return rc;
    ring->port = (evtchn_port_t)port;
    ring->vcpu = (uint32_t)rc;
    return 0;
}

static int read_transport(struct xenbus_back *back, struct vbd_ring_config *ring, const char **what)
{
    uint64_t queues, persistent, stamped;
    *what = "protocol: only x86_64-abi is spoken here";
    int rc = read_protocol(back);
    if (rc < 0)
        return rc;
    *what = "multi-queue-num-queues must be 1";
    rc = xenbus_back_front_number(back, "multi-queue-num-queues", 1, 1, &queues);
    if (rc < 0 || queues != 1)
        return rc < 0 ? rc : -EINVAL;
    *what = "ring-ref or ring-page-order is missing or out of range";
    rc = read_ring_refs(back, ring);
    if (rc < 0)
        return rc;
    *what = "event-channel is not a port of this domain";
    rc = read_event_channel(back, ring);
    if (rc < 0)
        return rc;
    *what = "a feature is too large a number";
    rc = xenbus_back_front_number(back, "feature-persistent", UINT32_MAX, 0, &persistent);
    if (rc == 0)
        rc = xenbus_back_front_number(back, "feature-virtual-completion", UINT32_MAX, 0, &stamped);
    if (rc < 0)
        return rc;
    ring->persistent_grants = persistent != 0;
    ring->virtual_completion = stamped != 0 && of_back(back)->options.virtual_completion;
    return 0;
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

static int connect(struct xenbus_back *back, const char **what)
{
    struct vbd *vbd = of_back(back);
    const struct back_domain *domain = back->domain;
    struct vbd_ring_config ring = {.segment = domain->segment,
                                   .memory = domain->memory,
                                   .fault_slot = domain->fault_slot,
                                   .client = &vbd->client,
                                   .writable = vbd->options.writable,
                                   .discard = !vbd->options.no_discard,
                                   .clock = domain->clock,
                                   .tdf = domain->tdf,
                                   .broken = ring_broken,
                                   .ctx = back};
    assert(vbd->ring == NULL);
    int rc = read_transport(back, &ring, what);
    if (rc < 0)
        return rc;
    *what = "the disk's nodes cannot be written";
    rc = publish_disk(back);
    if (rc < 0)
        return rc;
    rc = open_claims(back, what);
    if (rc < 0)
        return rc;
    *what = "the ring's pages cannot be mapped";
    rc = vbd_ring_create(&ring, &vbd->ring);
    if (rc < 0) {
        vbd_claims_close(&vbd->claims);
        return rc;
    }
    pollables_add(back->host->pollables, domain->peer, &vbd->ring->pollable);
    return 0;
}

static void disconnect(struct xenbus_back *back)
{
    struct vbd *vbd = of_back(back);
    assert(vbd->ring != NULL);
    vbd_ring_stats_add(&vbd->before, &vbd->ring->stats);
    pollables_remove(&vbd->ring->pollable);
    vbd_ring_destroy(vbd->ring);
    vbd_claims_close(&vbd->claims);
    vbd->ring = NULL;
}

const struct back_class vbd_class = {.name = "vbd",
                                     .front_nodes = front_nodes,
                                     .back_nodes = back_nodes,
                                     .create = create,
                                     .destroy = destroy,
                                     .publish = publish,
                                     .connect = connect,
                                     .disconnect = disconnect,
                                     .resize = publish_disk,
                                     .configure = configure};

struct vbd_ring *vbd_back_ring(const struct xenbus_back *back)
{
    return of_back(back)->ring;
}

int vbd_back_shared_cache(const struct xenbus_back *back)
{
    const struct vbd *vbd = of_back(back);
    if (vbd->ring == NULL)
        return -ENODEV;
    return vbd->claims.vdisk != NULL ? cache_shared_fd(vbd->options.vdisk->cache) : -EOPNOTSUPP;
}

uint64_t vbd_back_claimed_reads(const struct xenbus_back *back)
{
    return of_back(back)->claims.reads;
}

const struct block_client *vbd_back_client(const struct xenbus_back *back)
{
    return &of_back(back)->client;
}

struct vbd_ring_stats vbd_back_stats(const struct xenbus_back *back)
{
    const struct vbd *vbd = of_back(back);
    struct vbd_ring_stats stats = vbd->before;
    if (vbd->ring != NULL)
        vbd_ring_stats_add(&stats, &vbd->ring->stats);
    return stats;
}
