/* SPDX-License-Identifier: MIT */
#include "xen_vbd.h"

#include <stdio.h>
#include <stdlib.h>

#include "xen_headers.h"

enum { XVDA = 202 << 8, TRANSACTION_TRIES = 20, PATH_BYTES = 256 };

static void join(char path[PATH_BYTES], const char *directory, const char *leaf)
{
    snprintf(path, PATH_BYTES, "%s/%s", directory, leaf);
}

static int read_node(struct xen_vbd *vbd, const char *directory, const char *leaf)
{
    char path[PATH_BYTES];
    join(path, directory, leaf);
    snprintf(vbd->doing, sizeof(vbd->doing), "reading %.200s", path);
    return xen_store_read(vbd->store, path);
}

static int read_number(struct xen_vbd *vbd, const char *leaf, uint64_t *value)
{
    char *end;
    int rc = read_node(vbd, vbd->back, leaf);
    if (rc < 0)
        return rc;
    *value = strtoull(vbd->store->payload, &end, 10);
    return end == vbd->store->payload || *end != '\0' ? -EPROTO : 0;
}

static int write_text(struct xen_vbd *vbd, const char *leaf, const char *value)
{
    char path[PATH_BYTES];
    join(path, vbd->front, leaf);
    snprintf(vbd->doing, sizeof(vbd->doing), "writing %.100s = %.100s", path, value);
    return xen_store_write(vbd->store, path, value);
}

static int write_number(struct xen_vbd *vbd, const char *leaf, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", value);
    return write_text(vbd, leaf, text);
}

static int switch_state(struct xen_vbd *vbd, enum xenbus_state state)
{
    return write_number(vbd, "state", state);
}

/* The watch says only "look again": the state is what is read now. */
static int wait_back_state(struct xen_vbd *vbd, enum xenbus_state min, enum xenbus_state max)
{
    for (;;) {
        uint64_t state;
        int rc = read_number(vbd, "state", &state);
        if (rc < 0)
            return rc;
        if (state >= min && state <= max)
            return 0;
        snprintf(vbd->doing, sizeof(vbd->doing),
                 "waiting for state %d..%d of the back end, which is at %d", min, max, (int)state);
        if (max <= XenbusStateConnected && state >= XenbusStateClosing)
            return -ECONNREFUSED;
        rc = xen_store_wait_watch(vbd->store);
        if (rc < 0)
            return rc;
    }
}

static int write_queues(struct xen_vbd *vbd, uint32_t ring_ref, const uint32_t *ports)
{
    int rc = write_number(vbd, "multi-queue-num-queues", vbd->queues);
    for (uint32_t i = 0; rc == 0 && i < vbd->queues; i++) {
        char leaf[40];
        snprintf(leaf, sizeof(leaf), "queue-%u/ring-ref", i);
        rc = write_number(vbd, leaf, ring_ref + i);
        snprintf(leaf, sizeof(leaf), "queue-%u/event-channel", i);
        if (rc == 0)
            rc = write_number(vbd, leaf, ports[i]);
    }
    return rc;
}

static int write_ring(struct xen_vbd *vbd, uint32_t ring_ref, const uint32_t *ports)
{
    int rc;
    if (vbd->queues > 1) {
        rc = write_queues(vbd, ring_ref, ports);
    } else {
        rc = write_number(vbd, "ring-ref", ring_ref);
        if (rc == 0)
            rc = write_number(vbd, "event-channel", ports[0]);
    }
    if (rc == 0)
        rc = write_text(vbd, "protocol", XEN_IO_PROTO_ABI_NATIVE);
    if (rc == 0)
        rc = write_number(vbd, "feature-persistent", vbd->persistent);
    if (rc == 0 && vbd->mini_os)
        rc = switch_state(vbd, XenbusStateConnected);
    return rc;
}

static int publish_ring(struct xen_vbd *vbd, uint32_t ring_ref, const uint32_t *ports)
{
    int rc = -EAGAIN;
    for (int i = 0; i < TRANSACTION_TRIES && rc == -EAGAIN; i++) {
        snprintf(vbd->doing, sizeof(vbd->doing), "starting a transaction");
        rc = xen_store_begin(vbd->store);
        if (rc == 0)
            rc = write_ring(vbd, ring_ref, ports);
        if (rc == 0) {
            snprintf(vbd->doing, sizeof(vbd->doing), "ending a transaction");
            rc = xen_store_commit(vbd->store);
        }
    }
    return rc;
}

static int find_back(struct xen_vbd *vbd, uint16_t domid)
{
    char path[PATH_BYTES];
    if (vbd->mini_os)
        snprintf(vbd->front, sizeof(vbd->front), "device/vbd/%d", XVDA);
    else
        snprintf(vbd->front, sizeof(vbd->front), "/local/domain/%u/device/vbd/%d", domid, XVDA);
    int rc = read_node(vbd, vbd->front, "backend");
    if (rc < 0)
        return rc;
    if (vbd->store->payload_bytes >= sizeof(vbd->back))
        return -EPROTO;
    memcpy(vbd->back, vbd->store->payload, vbd->store->payload_bytes + 1);
    join(path, vbd->back, "state");
    snprintf(vbd->doing, sizeof(vbd->doing), "watching %.200s", path);
    return xen_store_watch(vbd->store, path);
}

static int read_offer(struct xen_vbd *vbd, const char *leaf, uint64_t *value)
{
    int rc = read_number(vbd, leaf, value);
    if (rc == -ENOENT)
        *value = 0;
    return rc == -ENOENT ? 0 : rc;
}

static int choose_queues(struct xen_vbd *vbd)
{
    uint64_t offered = 1;
    int rc = vbd->queues > 1 ? read_offer(vbd, "multi-queue-max-queues", &offered) : 0;
    if (offered == 0)
        offered = 1;
    if (vbd->queues == 0 || vbd->queues > offered)
        vbd->queues = (uint32_t)offered;
    return rc;
}

static int read_offers(struct xen_vbd *vbd)
{
    int rc = read_offer(vbd, "feature-flush-cache", &vbd->flush);
    if (rc == 0)
        rc = read_offer(vbd, "feature-barrier", &vbd->barrier);
    if (rc == 0)
        rc = read_offer(vbd, "feature-discard", &vbd->discard);
    if (rc == 0)
        rc = read_offer(vbd, "feature-max-indirect-segments", &vbd->indirect_segments);
    return rc;
}

static int read_geometry(struct xen_vbd *vbd)
{
    uint64_t sector_size;
    int rc = read_number(vbd, "sectors", &vbd->sectors);
    if (rc == 0)
        rc = read_number(vbd, "sector-size", &sector_size);
    if (rc == 0)
        vbd->sector_size = (uint32_t)sector_size;
    if (rc == 0)
        rc = read_offers(vbd);
    if (rc == 0 && vbd->persistent) {
        uint64_t offered;
        rc = read_number(vbd, "feature-persistent", &offered);
        if (rc == 0 && offered != 1)
            rc = -EOPNOTSUPP;
    }
    return rc;
}

int xen_vbd_connect(struct xen_vbd *vbd, uint16_t domid, uint32_t ring_ref, const uint32_t *ports)
{
    int rc = find_back(vbd, domid);
    if (rc == 0 && !vbd->mini_os)
        rc = wait_back_state(vbd, XenbusStateInitWait, XenbusStateInitWait);
    if (rc == 0)
        rc = choose_queues(vbd);
    if (rc == 0)
        rc = publish_ring(vbd, ring_ref, ports);
    if (rc == 0 && !vbd->mini_os)
        rc = switch_state(vbd, XenbusStateInitialised);
    if (rc == 0)
        rc = wait_back_state(vbd, XenbusStateConnected, XenbusStateConnected);
    if (rc == 0)
        rc = read_geometry(vbd);
    if (rc == 0 && !vbd->mini_os)
        rc = switch_state(vbd, XenbusStateConnected);
    return rc;
}

/* mini-os leaves the device as it found it, for whoever comes next. */
static int start_over(struct xen_vbd *vbd)
{
    static const char *const leaves[] = {"ring-ref", "event-channel"};
    int rc = switch_state(vbd, XenbusStateInitialising);
    if (rc == 0)
        rc = wait_back_state(vbd, XenbusStateInitWait, XenbusStateConnected);
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]) && rc == 0; i++) {
        char path[PATH_BYTES];
        join(path, vbd->front, leaves[i]);
        snprintf(vbd->doing, sizeof(vbd->doing), "removing %.200s", path);
        rc = xen_store_rm(vbd->store, path);
    }
    return rc;
}

int xen_vbd_close(struct xen_vbd *vbd)
{
    char path[PATH_BYTES];
    int rc = switch_state(vbd, XenbusStateClosing);
    if (rc == 0)
        rc = wait_back_state(vbd, XenbusStateClosing, XenbusStateClosed);
    if (rc == 0)
        rc = switch_state(vbd, XenbusStateClosed);
    if (rc == 0)
        rc = wait_back_state(vbd, XenbusStateClosed, XenbusStateClosed);
    if (rc == 0 && vbd->mini_os)
        rc = start_over(vbd);
    if (rc < 0)
        return rc;
    join(path, vbd->back, "state");
    snprintf(vbd->doing, sizeof(vbd->doing), "ending the watch on %.200s", path);
    return xen_store_unwatch(vbd->store, path);
}
