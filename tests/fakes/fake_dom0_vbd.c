/* SPDX-License-Identifier: MIT */
#include "fakes/fake_dom0_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/sleeper.h"
#include "service/back/vbd/vbd_back.h"
#include "service/dom0/toolstack.h"

enum { VDEV_STEP = 16 };

static struct queue *at_queue(struct fake_dom0 *dom0)
{
    return &dom0->at->queue[dom0->at->serving];
}

struct blkif_back_ring *fake_dom0_ring(struct fake_dom0 *dom0)
{
    return &at_queue(dom0)->ring;
}

uint32_t fake_dom0_queue(struct fake_dom0 *dom0)
{
    return dom0->at->serving;
}

uint32_t fake_dom0_vdev(struct fake_dom0 *dom0)
{
    return dom0->at->key.devid;
}

void fake_dom0_respond(struct fake_dom0 *dom0, uint64_t id, uint8_t operation, int16_t status)
{
    struct queue *queue = at_queue(dom0);
    blkif_put_response(&queue->ring, id, operation, status);
    if (id % SLEEPERS_IDS < SLEEPERS_MAX && queue->answered_count < BLKIF_RING_ENTRIES_MAX)
        queue->answered[queue->answered_count++] = (uint16_t)id;
}

uint32_t fake_dom0_woken(struct fake_dom0 *dom0)
{
    return load_relaxed_u32(&dom0->woken);
}

void fake_dom0_flush(struct fake_dom0 *dom0)
{
    struct queue *queue = at_queue(dom0);
    bool silent = dom0->script.silent && dom0->at->seen_request;
    bool must_notify = back_ring_push(&queue->ring.half);
    for (uint32_t i = 0; i < queue->answered_count && !silent; i++)
        if (sleeper_wake(&dom0->segment.sleepers->word[queue->answered[i]]))
            (void)fetch_add_relaxed_u32(&dom0->woken, 1);
    queue->answered_count = 0;
    if (must_notify && !silent)
        fake_dom0_notify(dom0, queue->port);
}

void fake_dom0_serve(struct fake_dom0 *dom0, const struct blkif_request *req)
{
    int16_t status = fake_dom0_do(dom0, req);
    fake_dom0_respond(dom0, req->id, fake_dom0_operation(req), status);
    fake_dom0_flush(dom0);
}

void fake_dom0_node(struct fake_dom0 *dom0, const char *node, const char *value)
{
    char path[XENBUS_PATH_MAX];
    xenbus_back_path(path, &dom0->at->key, node);
    if (xs_local_write(dom0->store, path, value) < 0)
        abort();
}

static uint64_t front_number(struct fake_dom0 *dom0, const char *node, uint64_t fallback)
{
    char path[XENBUS_PATH_MAX];
    uint64_t number;
    xenbus_front_path(path, &dom0->at->key, node);
    return xs_local_read_u64(dom0->store, path, UINT32_MAX, &number) < 0 ? fallback : number;
}

static void connect_queue(struct fake_dom0 *dom0, struct queue *queue, const char *directory)
{
    uint64_t order = front_number(dom0, "ring-page-order", 0);
    char node[48];
    snprintf(node, sizeof(node), "%s%s", directory, order == 0 ? "ring-ref" : "ring-ref0");
    uint64_t ref = front_number(dom0, node, 0);
    snprintf(node, sizeof(node), "%sevent-channel", directory);
    queue->port = (evtchn_port_t)front_number(dom0, node, 0);
    back_ring_init(&queue->ring.half, (void *)fake_dom0_page(dom0, (grant_ref_t)ref),
                   blkif_ring_entries((uint32_t)order), 0);
}

static void connect_queues(struct fake_dom0 *dom0)
{
    struct vbd *vbd = dom0->at;
    vbd->queue_count = (uint32_t)front_number(dom0, "multi-queue-num-queues", 1);
    if (vbd->queue_count > (dom0->script.queues > 1 ? dom0->script.queues : 1))
        abort(); /* more than was offered */
    for (uint32_t i = 0; i < vbd->queue_count; i++) {
        char directory[24] = "";
        if (vbd->queue_count > 1)
            snprintf(directory, sizeof(directory), "queue-%u/", i);
        connect_queue(dom0, &vbd->queue[i], directory);
    }
}

static void connect_rings(struct fake_dom0 *dom0)
{
    char sectors[32];
    struct vbd *vbd = dom0->at;
    connect_queues(dom0);
    snprintf(sectors, sizeof(sectors), "%llu", (unsigned long long)dom0->script.sectors);
    fake_dom0_node(dom0, "sectors", sectors);
    fake_dom0_node(dom0, "sector-size", "512");
    fake_dom0_node(dom0, "physical-sector-size", "4096");
    fake_dom0_node(dom0, "info", dom0->script.disk != NULL ? "0" : "4");
    if (dom0->script.disk != NULL) {
        fake_dom0_node(dom0, "feature-flush-cache", "1");
        fake_dom0_node(dom0, "feature-discard", "1");
        fake_dom0_node(dom0, "discard-granularity", "4096");
        fake_dom0_node(dom0, "discard-alignment", "512");
    }
    if (dom0->script.change_nodes != NULL)
        dom0->script.change_nodes(dom0, dom0->store);
    vbd->connected = true;
    fake_dom0_node(dom0, "state", "4");
}

/* Lets go of all pages, as a back end must before the front end uses them again. */
static void close_vbd(struct fake_dom0 *dom0)
{
    dom0->at->connected = false;
    dom0->at->seen_closing = true;
    fake_dom0_node(dom0, "state", "6");
}

static void front_changed(void *ctx, const char *path)
{
    struct vbd *vbd = ctx;
    struct fake_dom0 *dom0 = vbd->dom0;
    struct vbd *before = dom0->at;
    (void)path;
    dom0->at = vbd;
    int state = (int)front_number(dom0, "state", XenbusStateClosed);
    bool same = state == vbd->front_state;
    vbd->front_state = state;
    if (same)
        ;
    else if (state == XenbusStateInitialised && dom0->script.refuse_ring)
        fake_dom0_node(dom0, "state", "5");
    else if (state == XenbusStateInitialised)
        connect_rings(dom0);
    else if (state == XenbusStateClosing)
        fake_dom0_node(dom0, "state", "5");
    else if (state == XenbusStateClosed)
        close_vbd(dom0);
    else if (state == XenbusStateInitialising && vbd->seen_closing)
        fake_dom0_node(dom0, "state", "2");
    dom0->at = before;
}

static void serve_ring(struct fake_dom0 *dom0)
{
    struct vbd *vbd = dom0->at;
    struct queue *queue = at_queue(dom0);
    do {
        int waiting = back_ring_look(&queue->ring.half);
        for (; waiting > 0; waiting--) {
            struct blkif_request req;
            memset(&req, 0, sizeof(req));
            blkif_take_request(&queue->ring, &req);
            vbd->seen_request = true;
            if (dom0->script.request != NULL)
                dom0->script.request(dom0, &req);
            else
                fake_dom0_serve(dom0, &req);
        }
        if (dom0->script.idle != NULL)
            dom0->script.idle(dom0);
    } while (back_ring_final_check(&queue->ring.half));
}

void fake_dom0_serve_rings(struct fake_dom0 *dom0)
{
    for (uint32_t i = 0; i < dom0->script.disks; i++) {
        struct vbd *vbd = dom0->at = &dom0->vbd[i];
        for (uint32_t k = 0; vbd->connected && k < vbd->queue_count; k++) {
            vbd->serving = k;
            serve_ring(dom0);
        }
        vbd->serving = 0;
    }
    dom0->at = &dom0->vbd[0];
    if (dom0->script.serve_devices != NULL)
        dom0->script.serve_devices(dom0);
}

static void create_disk(struct fake_dom0 *dom0, uint32_t index)
{
    const char dev[] = {'x', 'v', 'd', (char)('a' + index), '\0'};
    const struct vbd_options options = {.params = "fake", .dev = dev};
    struct vbd *vbd = dom0->at = &dom0->vbd[index];
    char path[XENBUS_PATH_MAX], order[16];
    *vbd = (struct vbd){.dom0 = dom0,
                        .key = {"vbd", FAKE_DOM0_DOMID, XENBUS_VBD_XVDA + index * VDEV_STEP}};
    const struct back_spec disk = {&vbd_class, vbd->key.devid, &options};
    if (toolstack_create_device(dom0->store, FAKE_DOM0_DOMID, &disk) < 0)
        abort();
    snprintf(order, sizeof(order), "%u", dom0->script.max_order);
    fake_dom0_node(dom0, "max-ring-page-order", order);
    if (dom0->script.queues > 0) {
        char queues[16];
        snprintf(queues, sizeof(queues), "%u", dom0->script.queues);
        fake_dom0_node(dom0, "multi-queue-max-queues", queues);
    }
    if (dom0->script.indirect_segments > 0) {
        char segments[16];
        snprintf(segments, sizeof(segments), "%u", dom0->script.indirect_segments);
        fake_dom0_node(dom0, "feature-max-indirect-segments", segments);
    }
    if (dom0->script.virtual_completion)
        fake_dom0_node(dom0, "feature-virtual-completion", "1");
    fake_dom0_node(dom0, "state", dom0->script.skip_init_wait ? "4" : "2");
    if (dom0->script.change_features != NULL)
        dom0->script.change_features(dom0, dom0->store);
    xenbus_front_path(path, &vbd->key, "state");
    if (xs_local_watch(dom0->store, path, front_changed, vbd, &vbd->watch) < 0)
        abort();
}

void fake_dom0_create_disks(struct fake_dom0 *dom0)
{
    for (uint32_t i = dom0->script.disks; i-- > 0;)
        create_disk(dom0, i);
}

void fake_dom0_end_disks(struct fake_dom0 *dom0)
{
    for (uint32_t i = 0; i < dom0->script.disks; i++)
        xs_local_unwatch(dom0->vbd[i].watch);
}
