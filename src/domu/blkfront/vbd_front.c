/* SPDX-License-Identifier: MIT */
#include "domu/blkfront/vbd_front.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "xenstore/xenbus_state.h"

/* Relative paths start at /local/domain/<our domid>. */
#define DEVICE_DIR "device/vbd/51712"
_Static_assert(XENBUS_VBD_XVDA == 51712, "DEVICE_DIR names xvda");

enum {
    STATE_TIMEOUT_MS = 30000, /* or as long as the domain's patience lasts */
    TRANSACTION_TRIES = 100,
};

static const char state_token[] = "backend-state";
static const char shutdown_token[] = "shutdown";

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

static void back_path(const struct vbd_front *front, char path[VBD_PATH_MAX + 32], const char *node)
{
    snprintf(path, VBD_PATH_MAX + 32, "%s/%s", front->backend, node);
}

/* The back end's state; Unknown when the node is gone. */
static int back_state(struct vbd_front *front)
{
    char path[VBD_PATH_MAX + 32], value[16];
    enum xenbus_state state;
    back_path(front, path, "state");
    int rc = xs_client_read(front->domu->store, 0, path, value, sizeof(value));
    if (rc == -ENOENT || rc == -EACCES)
        return XenbusStateUnknown;
    if (rc < 0)
        return rc;
    return xenbus_state_parse(value, &state) < 0 ? -EPROTO : (int)state;
}

/* A number that the back end publishes; absent gives fallback. */
static int back_number(struct vbd_front *front, const char *node, uint64_t max, uint64_t fallback,
                       uint64_t *out)
{
    char path[VBD_PATH_MAX + 32];
    back_path(front, path, node);
    int rc = xs_client_read_u64(front->domu->store, 0, path, max, out);
    if (rc == -ENOENT) {
        *out = fallback;
        return 0;
    }
    return rc;
}

static bool state_in(int state, uint32_t accepted)
{
    return state >= 0 && (accepted >> state & 1) != 0;
}

/* Waits until the back end's state is one of accepted (bits). Returns it, or -errno. */
static int wait_state(struct vbd_front *front, uint32_t accepted, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    for (;;) {
        char path[VBD_PATH_MAX + 32], token[32];
        int state = back_state(front);
        if (state < 0 || state_in(state, accepted))
            return state;
        int64_t left = deadline - now_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        int rc = xs_client_next_event(front->domu->store, (int)left, path, sizeof(path), token,
                                      sizeof(token));
        if (rc < 0)
            return rc;
    }
}

static int write_state(struct vbd_front *front, uint32_t tx, enum xenbus_state state)
{
    return xs_client_writef(front->domu->store, tx, DEVICE_DIR "/state", "%d", state);
}

int vbd_front_prepare(struct vbd_front *front, struct life *domu, uint32_t wanted_order, char *why,
                      size_t why_bytes)
{
    uint32_t not_ready = 1u << XenbusStateUnknown | 1u << XenbusStateInitialising;
    struct xs_client *store = domu->store;
    char path[VBD_PATH_MAX + 32];
    uint64_t max_order, stamped = 0;
    *front = (struct vbd_front){.domu = domu};
    const char *step = "find the disk's back end in the store";
    int rc =
        xs_client_read(store, 0, DEVICE_DIR "/backend", front->backend, sizeof(front->backend));
    if (rc >= 0) {
        step = "watch the back end";
        back_path(front, path, "state");
        rc = xs_client_watch(store, path, state_token);
    }
    if (rc >= 0)
        rc = xs_client_watch(store, "control/shutdown", shutdown_token);
    if (rc >= 0) {
        step = "wait for the back end";
        rc = wait_state(front, ~not_ready, STATE_TIMEOUT_MS);
        if (rc >= 0 && rc != XenbusStateInitWait)
            rc = -EPROTO; /* it talks to somebody else: we are new and have offered nothing */
    }
    if (rc >= 0) {
        step = "read the back end's features";
        rc = back_number(front, "max-ring-page-order", UINT32_MAX, 0, &max_order);
    }
    if (rc >= 0)
        rc = back_number(front, "feature-virtual-completion", 1, 0, &stamped);
    if (rc < 0) {
        snprintf(why, why_bytes, "cannot %s: %s", step, strerror(-rc));
        return rc;
    }
    front->virtual_completion = stamped == 1;
    front->page_order = wanted_order <= max_order ? wanted_order : (uint32_t)max_order;
    return 0;
}

static int write_transport(struct vbd_front *front, uint32_t tx)
{
    struct xs_client *store = front->domu->store;
    int rc = 0;
    if (front->page_order == 0) {
        rc = xs_client_writef(store, tx, DEVICE_DIR "/ring-ref", "%u", front->ring_ref);
    } else {
        rc = xs_client_writef(store, tx, DEVICE_DIR "/ring-page-order", "%u", front->page_order);
        for (uint32_t i = 0; rc >= 0 && i < 1u << front->page_order; i++) {
            char node[64];
            snprintf(node, sizeof(node), DEVICE_DIR "/ring-ref%u", i);
            rc = xs_client_writef(store, tx, node, "%u", front->ring_ref + i);
        }
    }
    if (rc >= 0)
        rc = xs_client_writef(store, tx, DEVICE_DIR "/event-channel", "%u", front->port);
    if (rc >= 0)
        rc = xs_client_writef(store, tx, DEVICE_DIR "/protocol", "x86_64-abi");
    if (rc >= 0)
        rc = xs_client_writef(store, tx, DEVICE_DIR "/feature-persistent", "1");
    if (rc >= 0 && front->virtual_completion)
        rc = xs_client_writef(store, tx, DEVICE_DIR "/feature-virtual-completion", "1");
    if (rc >= 0)
        rc = write_state(front, tx, XenbusStateInitialised);
    return rc;
}

/* All or nothing: the back end must not see a half-written offer. */
static int offer_ring(struct vbd_front *front)
{
    struct xs_client *store = front->domu->store;
    for (int i = 0; i < TRANSACTION_TRIES; i++) {
        uint32_t tx;
        int rc = xs_client_transaction_start(store, &tx);
        if (rc < 0)
            return rc;
        rc = write_transport(front, tx);
        int ended = xs_client_transaction_end(store, tx, rc >= 0);
        if (rc < 0)
            return rc;
        if (ended != -EAGAIN)
            return ended;
    }
    return -EAGAIN;
}

static int read_disk(struct vbd_front *front)
{
    uint64_t sectors, sector_size, physical, info;
    int rc = back_number(front, "sectors", UINT64_MAX / BLKIF_SECTOR_SIZE, 0, &sectors);
    if (rc == 0)
        rc = back_number(front, "sector-size", UINT32_MAX, BLKIF_SECTOR_SIZE, &sector_size);
    if (rc == 0)
        rc = back_number(front, "physical-sector-size", UINT32_MAX, sector_size, &physical);
    if (rc == 0)
        rc = back_number(front, "info", UINT32_MAX, 0, &info);
    if (rc < 0)
        return rc;
    bool sound = sectors > 0 && sector_size >= BLKIF_SECTOR_SIZE &&
                 (sector_size & (sector_size - 1)) == 0 && physical >= sector_size &&
                 (physical & (physical - 1)) == 0;
    if (!sound)
        return -EPROTO;
    front->sectors = sectors;
    front->sector_size = (uint32_t)sector_size;
    front->physical_sector_size = (uint32_t)physical;
    front->info = (uint32_t)info;
    return 0;
}

int vbd_front_connect(struct vbd_front *front, char *why, size_t why_bytes)
{
    uint32_t settled = 1u << XenbusStateConnected | 1u << XenbusStateClosing |
                       1u << XenbusStateClosed | 1u << XenbusStateUnknown;
    const char *step = "get an event channel";
    int rc = life_alloc_port(front->domu, LIFE_VCPU_DEVICES);
    if (rc >= 0) {
        front->port = (evtchn_port_t)rc;
        step = "offer the ring";
        rc = offer_ring(front);
    }
    if (rc >= 0) {
        step = "wait until the back end is connected";
        rc = wait_state(front, settled, STATE_TIMEOUT_MS);
        if (rc >= 0 && rc != XenbusStateConnected) {
            step = "connect: Dom0 refused the ring (its log says why)";
            rc = -ECONNREFUSED;
        }
    }
    if (rc >= 0) {
        step = "read the disk's properties";
        rc = read_disk(front);
    }
    if (rc >= 0) {
        step = "say that we are connected";
        rc = write_state(front, 0, XenbusStateConnected);
    }
    if (rc < 0)
        snprintf(why, why_bytes, "cannot %s: %s", step, strerror(-rc));
    return rc < 0 ? rc : 0;
}

void vbd_front_close(struct vbd_front *front)
{
    uint32_t closed = 1u << XenbusStateClosed | 1u << XenbusStateUnknown;
    if (front->domu == NULL || life_is_dead(front->domu))
        return;
    if (write_state(front, 0, XenbusStateClosing) < 0)
        return;
    if (wait_state(front, closed | 1u << XenbusStateClosing, STATE_TIMEOUT_MS) < 0)
        return;
    if (write_state(front, 0, XenbusStateClosed) < 0)
        return;
    (void)wait_state(front, closed, STATE_TIMEOUT_MS);
}

int vbd_front_wait_change(struct vbd_front *front)
{
    struct xs_client *store = front->domu->store;
    char path[VBD_PATH_MAX + 32], token[32], value[32];
    int rc = life_next_event(front->domu, path, sizeof(path), token, sizeof(token));
    if (rc < 0)
        return rc;
    if (strcmp(token, shutdown_token) == 0) {
        rc = xs_client_read(store, 0, "control/shutdown", value, sizeof(value));
        if (rc > 0) {
            /* Acknowledge, as guests do: the request is taken. */
            (void)xs_client_write(store, 0, "control/shutdown", "");
            return -ESHUTDOWN;
        }
        if (rc < 0 && rc != -ENOENT)
            return rc;
    }
    int state = back_state(front);
    if (state == XenbusStateConnected && (rc = read_disk(front)) < 0)
        return rc;
    return state;
}
