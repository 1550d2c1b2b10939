/* SPDX-License-Identifier: MIT */
#include "service/back/vbd_back.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/back/toolstack.h"
#include "xenstore/xenbus_path.h"
#include "xenstore/xenbus_state.h"

enum { VBD_NODE_VALUE_MAX = 64 };

struct vbd_back {
    struct vbd_back_config config;
    struct xenbus_key key;
    enum xenbus_state state; /* ours, as written to the store */
    struct vbd_ring *ring;   /* while connected */
    struct xs_local_watch *watch;
    uint32_t weight;
    struct tdf scale;
    struct vbd_ring_stats before; /* of connections that have ended */
    struct log_limit log_limit;   /* where none is shared */
};

__attribute__((format(printf, 3, 4))) static int put(struct vbd_back *back, const char *node,
                                                     const char *format, ...)
{
    char path[XENBUS_PATH_MAX], value[VBD_NODE_VALUE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    xenbus_back_path(path, &back->key, node);
    int rc = xs_local_write(back->config.store, path, value);
    if (rc < 0)
        log_limited(back->config.log, back->config.log_limit, "domain %u: cannot write %s: %s",
                    back->config.domid, path, strerror(-rc));
    return rc;
}

/* The one setter of our state. Errors: -ENOMEM, the front end knows nothing of it. */
static int switch_state(struct vbd_back *back, enum xenbus_state state)
{
    if (back->state != state)
        log_limited(back->config.log, back->config.log_limit, "domain %u: vbd %s -> %s",
                    back->config.domid, xenbus_state_name(back->state), xenbus_state_name(state));
    back->state = state;
    return put(back, "state", "%d", state);
}

/* Says farewell. Whoever can't even be told that must see the domain end. */
static void leave(struct vbd_back *back, enum xenbus_state state)
{
    if (switch_state(back, state) < 0)
        back->config.lost(back->config.ctx);
}

static int publish_features(struct vbd_back *back)
{
    int rc = put(back, "max-ring-page-order", "%u", back->config.max_ring_page_order);
    if (rc == 0)
        rc = put(back, "multi-queue-max-queues", "1");
    if (rc == 0)
        rc = put(back, "feature-persistent", "1");
    if (rc == 0 && back->config.virtual_completion)
        rc = put(back, "feature-virtual-completion", "1");
    return rc < 0 ? rc : switch_state(back, XenbusStateInitWait);
}

static int publish_disk(struct vbd_back *back)
{
    const struct image *image = back->config.image;
    int rc = put(back, "sectors", "%" PRIu64, image->size_bytes / BLKIF_SECTOR_SIZE);
    if (rc == 0)
        rc = put(back, "sector-size", "%d", BLKIF_SECTOR_SIZE);
    /* Any sector can be read: Dom0 reads the block around it. A disk whose size is no whole number
     * of blocks must not claim blocks (blkif.h: sectors * 512 is a multiple of this). */
    bool whole = image->size_bytes % image->block_size_bytes == 0;
    if (rc == 0)
        rc = put(back, "physical-sector-size", "%u",
                 whole ? image->block_size_bytes : BLKIF_SECTOR_SIZE);
    return rc < 0 ? rc : put(back, "info", "%d", VDISK_READONLY);
}

static void fail(struct vbd_back *back, int error, const char *what)
{
    char path[XENBUS_PATH_MAX], value[160];
    xenbus_error_path(path, &back->key);
    snprintf(value, sizeof(value), "%d %s", error, what);
    (void)xs_local_write(back->config.store, path, value);
    log_limited(back->config.log, back->config.log_limit, "domain %u: vbd: %s (%s)",
                back->config.domid, what, strerror(-error));
    leave(back, XenbusStateClosing);
}

/* Idempotent: connect calls it for leftovers, and every way out. */
static void disconnect(struct vbd_back *back)
{
    if (back->ring == NULL)
        return;
    vbd_ring_stats_add(&back->before, &back->ring->stats);
    back->config.ring_down(back->config.ctx, back->ring);
    vbd_ring_destroy(back->ring);
    back->ring = NULL;
}

/* A number in the front end's directory; absent gives fallback. Errors: -EINVAL, -ERANGE. */
static int front_number(struct vbd_back *back, const char *node, uint64_t max, int64_t fallback,
                        uint64_t *out)
{
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &back->key, node);
    int rc = xs_local_read_u64(back->config.store, path, max, out);
    if (rc == -ENOENT && fallback >= 0) {
        *out = (uint64_t)fallback;
        return 0;
    }
    return rc < 0 ? rc : 0;
}

static int read_protocol(struct vbd_back *back)
{
    char path[XENBUS_PATH_MAX], value[VBD_NODE_VALUE_MAX];
    xenbus_front_path(path, &back->key, "protocol");
    int rc = xs_local_read(back->config.store, path, value, sizeof(value));
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    return strcmp(value, "x86_64-abi") == 0 ? 0 : -EPROTONOSUPPORT;
}

/* Single-page rings name their page in ring-ref, larger ones in ring-ref0.. */
static int read_ring_refs(struct vbd_back *back, struct vbd_ring_config *ring)
{
    uint64_t order, ref;
    int rc =
        front_number(back, "ring-page-order", back->config.max_ring_page_order, INT64_MAX, &order);
    if (rc < 0)
        return rc;
    if (order == INT64_MAX) { /* no such node */
        ring->page_order = 0;
        rc = front_number(back, "ring-ref", UINT32_MAX, -1, &ref);
        if (rc == 0)
            ring->ring_ref[0] = (grant_ref_t)ref;
        return rc;
    }
    ring->page_order = (uint32_t)order;
    for (uint32_t i = 0; i < 1u << order; i++) {
        char node[32];
        snprintf(node, sizeof(node), "ring-ref%u", i);
        rc = front_number(back, node, UINT32_MAX, -1, &ref);
        if (rc < 0)
            return rc;
        ring->ring_ref[i] = (grant_ref_t)ref;
    }
    return 0;
}

static int read_transport(struct vbd_back *back, struct vbd_ring_config *ring, const char **what)
{
    uint64_t queues, port, persistent, stamped;
    *what = "protocol: only x86_64-abi is spoken here";
    int rc = read_protocol(back);
    if (rc < 0)
        return rc;
    *what = "multi-queue-num-queues must be 1";
    rc = front_number(back, "multi-queue-num-queues", 1, 1, &queues);
    if (rc < 0 || queues != 1)
        return rc < 0 ? rc : -EINVAL;
    *what = "ring-ref or ring-page-order is missing or out of range";
    rc = read_ring_refs(back, ring);
    if (rc < 0)
        return rc;
    *what = "event-channel is not a port of this domain";
    rc = front_number(back, "event-channel", EVTCHN_2L_NR_CHANNELS, -1, &port);
    if (rc < 0)
        return rc;
    rc = evtchn_table_vcpu(back->config.evtchn, port);
    if (rc < 0)
        return rc;
    ring->port = (evtchn_port_t)port;
    ring->vcpu = (uint32_t)rc;
    *what = "feature-persistent must be 0 or 1";
    rc = front_number(back, "feature-persistent", 1, 0, &persistent);
    if (rc < 0)
        return rc;
    ring->persistent_grants = persistent == 1;
    *what = "feature-virtual-completion must be 0 or 1";
    rc = front_number(back, "feature-virtual-completion", 1, 0, &stamped);
    if (rc < 0)
        return rc;
    ring->virtual_completion = stamped == 1 && back->config.virtual_completion;
    return 0;
}

/* The ring stays halted until it is disconnected. */
static void ring_broken(void *ctx)
{
    fail(ctx, -EPROTO, "the ring's request index makes no sense: halted");
}

static void connect(struct vbd_back *back)
{
    struct vbd_ring_config ring = {.segment = back->config.segment,
                                   .fault_slot = back->config.fault_slot,
                                   .disk_queue = back->config.disk_queue,
                                   .image = back->config.image,
                                   .clock = back->config.clock,
                                   .tdf = back->config.tdf,
                                   .broken = ring_broken,
                                   .ctx = back};
    const char *what;
    disconnect(back);
    int rc = read_transport(back, &ring, &what);
    if (rc == 0) {
        what = "the disk's nodes cannot be written";
        rc = publish_disk(back);
    }
    if (rc == 0) {
        what = "the ring's pages cannot be mapped";
        rc = vbd_ring_create(&ring, &back->ring);
    }
    if (rc < 0) {
        fail(back, rc, what);
        return;
    }
    (void)disk_client_set_weight(&back->ring->client, back->weight);
    (void)disk_client_set_scale(back->config.disk_queue, &back->ring->client, back->scale);
    back->config.ring_up(back->config.ctx, back->ring);
    rc = switch_state(back, XenbusStateConnected);
    if (rc < 0)
        fail(back, rc, "its state cannot be written");
}

static enum xenbus_state front_state(struct vbd_back *back)
{
    char path[XENBUS_PATH_MAX], value[VBD_NODE_VALUE_MAX];
    xenbus_front_path(path, &back->key, "state");
    int rc = xs_local_read(back->config.store, path, value, sizeof(value));
    if (rc == -ENOENT || rc == -EACCES)
        return XenbusStateUnknown;
    enum xenbus_state state;
    if (rc < 0 || xenbus_state_parse(value, &state) < 0)
        return (enum xenbus_state) - 1;
    return state;
}

/* Does the toolstack want the disk to stay when its front end has closed it? */
static bool is_online(struct vbd_back *back)
{
    char path[XENBUS_PATH_MAX];
    uint64_t online;
    xenbus_back_path(path, &back->key, "online");
    return xs_local_read_u64(back->config.store, path, 1, &online) == 0 && online == 1;
}

/* The disk is taken away for good: nobody listens to its front end any more. */
static void unplug(struct vbd_back *back)
{
    xs_local_unwatch(back->watch);
    back->watch = NULL;
    toolstack_remove_disk(back->config.store, back->config.domid);
    log_limited(back->config.log, back->config.log_limit, "domain %u: vbd detached",
                back->config.domid);
}

static void frontend_closed(struct vbd_back *back)
{
    disconnect(back);
    if (back->state != XenbusStateClosed)
        leave(back, XenbusStateClosed);
    if (!is_online(back))
        unplug(back);
}

static void frontend_changed(void *ctx, const char *path)
{
    struct vbd_back *back = ctx;
    (void)path;
    enum xenbus_state front = front_state(back);
    switch (front) {
    case XenbusStateInitialising:
        /* A front end that starts over, from wherever it was (also after its own error). */
        if (back->state != XenbusStateInitWait && !is_online(back)) {
            frontend_closed(back);
        } else if (back->state != XenbusStateInitWait) {
            int rc;
            disconnect(back);
            rc = publish_features(back);
            if (rc < 0)
                fail(back, rc, "its features cannot be written");
        }
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        /* Some front ends go straight from 1 to 4; two changes may also arrive as one. */
        if (back->state == XenbusStateInitWait)
            connect(back);
        break;
    case XenbusStateClosing:
        if (back->state != XenbusStateClosing && back->state != XenbusStateClosed)
            leave(back, XenbusStateClosing);
        break;
    case XenbusStateClosed:
    case XenbusStateUnknown: /* the node is gone */
        frontend_closed(back);
        break;
    default:
        if (back->state != XenbusStateClosing && back->state != XenbusStateClosed)
            fail(back, -EINVAL, "unexpected front end state");
        break;
    }
}

int vbd_back_create(const struct vbd_back_config *config, struct vbd_back **out)
{
    *out = NULL;
    struct vbd_back *back = calloc(1, sizeof(*back));
    if (back == NULL)
        return -ENOMEM;
    back->config = *config;
    back->key = (struct xenbus_key){"vbd", config->domid, XENBUS_VBD_XVDA};
    if (back->config.log_limit == NULL)
        back->config.log_limit = &back->log_limit;
    back->weight = SCHED_WEIGHT_DEFAULT;
    back->scale = (struct tdf){1, 1};
    back->state = XenbusStateInitialising;
    char path[XENBUS_PATH_MAX];
    xenbus_front_path(path, &back->key, "state");
    int rc = xs_local_watch(config->store, path, frontend_changed, back, &back->watch);
    if (rc == 0)
        rc = publish_features(back);
    if (rc < 0) {
        vbd_back_destroy(back);
        return rc;
    }
    *out = back;
    return 0;
}

void vbd_back_destroy(struct vbd_back *back)
{
    if (back == NULL)
        return;
    xs_local_unwatch(back->watch);
    disconnect(back);
    free(back);
}

void vbd_back_resize(struct vbd_back *back)
{
    if (back->state != XenbusStateConnected)
        return;
    int rc = publish_disk(back);
    if (rc == 0)
        rc = put(back, "state", "%d", back->state);
    if (rc < 0)
        fail(back, rc, "its new size cannot be written");
}

int vbd_back_set_weight(struct vbd_back *back, uint32_t weight)
{
    if (weight == 0 || weight > SCHED_WEIGHT_MAX)
        return -EINVAL;
    back->weight = weight;
    return back->ring != NULL ? disk_client_set_weight(&back->ring->client, weight) : 0;
}

int vbd_back_set_scale(struct vbd_back *back, struct tdf scale)
{
    int rc = disk_scale_check(scale);
    if (rc < 0)
        return rc;
    back->scale = scale;
    if (back->ring != NULL)
        rc = disk_client_set_scale(back->config.disk_queue, &back->ring->client, scale);
    return rc;
}

struct vbd_ring *vbd_back_ring(const struct vbd_back *back)
{
    return back->ring;
}

enum xenbus_state vbd_back_state(const struct vbd_back *back)
{
    return back->state;
}

uint32_t vbd_back_weight(const struct vbd_back *back)
{
    return back->weight;
}

struct vbd_ring_stats vbd_back_stats(const struct vbd_back *back)
{
    struct vbd_ring_stats stats = back->before;
    if (back->ring != NULL)
        vbd_ring_stats_add(&stats, &back->ring->stats);
    return stats;
}
