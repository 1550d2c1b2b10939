/* SPDX-License-Identifier: MIT */
#include "xen_vif.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "xen_headers.h"

enum { TRANSACTION_TRIES = 20, PATH_BYTES = 256, NODES_MAX = 16 };

static int read_node(struct xen_vif *vif, const char *directory, const char *leaf)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", directory, leaf);
    snprintf(vif->doing, sizeof(vif->doing), "reading %.200s", path);
    return xen_store_read(vif->store, path);
}

static int write_number(struct xen_vif *vif, const char *leaf, uint32_t value)
{
    char path[PATH_BYTES], text[16];
    snprintf(path, sizeof(path), "%s/%s", vif->front, leaf);
    snprintf(text, sizeof(text), "%u", value);
    snprintf(vif->doing, sizeof(vif->doing), "writing %.100s = %s", path, text);
    return xen_store_write(vif->store, path, text);
}

static int offers(struct xen_vif *vif, const char *feature)
{
    int rc = read_node(vif, vif->back, feature);
    if (rc < 0)
        return rc;
    return strcmp(vif->store->payload, "1") == 0 ? 0 : -EOPNOTSUPP;
}

/* Of a back end that goes away while it is to come, nothing is awaited; but one that begins anew
 * may show that on its way. */
static int await_back(struct xen_vif *vif, int wanted, bool may_close)
{
    for (;;) {
        int rc = read_node(vif, vif->back, "state");
        if (rc < 0)
            return rc;
        int state = atoi(vif->store->payload);
        if (state == wanted)
            return 0;
        snprintf(vif->doing, sizeof(vif->doing),
                 "waiting for state %d of the back end, which is at %d", wanted, state);
        if (!may_close && wanted <= XenbusStateConnected && state >= XenbusStateClosing)
            return -ECONNREFUSED;
        rc = xen_store_wait_watch(vif->store);
        if (rc < 0)
            return rc;
    }
}

static int wait_back_state(struct xen_vif *vif, int wanted)
{
    return await_back(vif, wanted, false);
}

static int go(struct xen_vif *vif, int own, int wanted)
{
    int rc = write_number(vif, "state", own);
    return rc == 0 ? await_back(vif, wanted, wanted == XenbusStateInitWait) : rc;
}

static int find_back(struct xen_vif *vif, uint16_t domid)
{
    char path[PATH_BYTES];
    unsigned mac[6];
    snprintf(vif->front, sizeof(vif->front), "/local/domain/%u/device/vif/0", domid);
    int rc = read_node(vif, vif->front, "mac");
    if (rc < 0)
        return rc;
    if (sscanf(vif->store->payload, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3],
               &mac[4], &mac[5]) != 6)
        return -EPROTO;
    for (int i = 0; i < 6; i++)
        vif->mac[i] = (uint8_t)mac[i];
    rc = read_node(vif, vif->front, "backend");
    if (rc < 0)
        return rc;
    if (vif->store->payload_bytes >= sizeof(vif->back))
        return -EPROTO;
    memcpy(vif->back, vif->store->payload, vif->store->payload_bytes + 1);
    snprintf(path, sizeof(path), "%s/state", vif->back);
    snprintf(vif->doing, sizeof(vif->doing), "watching %.200s", path);
    return xen_store_watch(vif->store, path);
}

/* Features last, and no more than one transaction if its kind has none. */
static int write_nodes(struct xen_vif *vif, const struct xen_vif_offer *offer)
{
    const struct xen_vif_kind *kind = offer->kind;
    const bool split = offer->tx_port != offer->rx_port;
    int rc = write_number(vif, "tx-ring-ref", offer->tx_ring_ref);
    if (rc == 0)
        rc = write_number(vif, "rx-ring-ref", offer->rx_ring_ref);
    if (rc == 0)
        rc = write_number(vif, split ? "event-channel-tx" : "event-channel", offer->tx_port);
    if (rc == 0 && split)
        rc = write_number(vif, "event-channel-rx", offer->rx_port);
    for (const char *const *node = kind->nodes; rc == 0 && *node != NULL; node++)
        rc = write_number(vif, *node, 1);
    return rc == 0 && kind->in_one ? write_number(vif, "state", XenbusStateConnected) : rc;
}

static int write_offer(struct xen_vif *vif, const struct xen_vif_offer *offer)
{
    int rc = -EAGAIN;
    for (int i = 0; i < TRANSACTION_TRIES && rc == -EAGAIN; i++) {
        rc = xen_store_begin(vif->store);
        if (rc == 0)
            rc = write_nodes(vif, offer);
        if (rc == 0)
            rc = xen_store_commit(vif->store);
    }
    return rc == 0 && !offer->kind->in_one ? write_number(vif, "state", XenbusStateConnected) : rc;
}

/* To where the back end waits for us. */
static int begin(struct xen_vif *vif, const struct xen_vif_kind *kind, bool again)
{
    int rc = read_node(vif, vif->back, "state");
    if (rc < 0)
        return rc;
    if (kind->resets && atoi(vif->store->payload) != XenbusStateInitWait) {
        rc = go(vif, XenbusStateClosed, XenbusStateClosed);
        return rc == 0 ? go(vif, XenbusStateInitialising, XenbusStateInitWait) : rc;
    }
    if (again && kind->begins)
        return go(vif, XenbusStateInitialising, XenbusStateInitWait);
    return kind->waits ? wait_back_state(vif, XenbusStateInitWait) : 0;
}

int xen_vif_begin(struct xen_vif *vif, uint16_t domid, const struct xen_vif_kind *kind)
{
    static const char *const features[] = {"feature-sg",        "feature-gso-tcpv4",
                                           "feature-gso-tcpv6", "feature-ipv6-csum-offload",
                                           "feature-rx-copy",   "feature-split-event-channels"};
    const bool again = vif->front[0] != '\0';
    int rc = again ? 0 : find_back(vif, domid);
    if (rc == 0)
        rc = begin(vif, kind, again);
    for (size_t i = 0; rc == 0 && i < sizeof(features) / sizeof(features[0]); i++)
        rc = offers(vif, features[i]);
    return rc;
}

int xen_vif_connect(struct xen_vif *vif, const struct xen_vif_offer *offer)
{
    int rc = write_offer(vif, offer);
    return rc == 0 ? await_back(vif, XenbusStateConnected, !offer->kind->waits) : rc;
}

int xen_vif_close(struct xen_vif *vif, const struct xen_vif_kind *kind)
{
    int rc = 0;
    if (kind->end == XEN_VIF_CRASH)
        return 0;
    if (kind->end != XEN_VIF_CLOSED)
        rc = go(vif, XenbusStateClosing, XenbusStateClosing);
    if (rc == 0)
        rc = go(vif, XenbusStateClosed, XenbusStateClosed);
    if (rc == 0 && kind->end == XEN_VIF_ANEW)
        rc = go(vif, XenbusStateInitialising, XenbusStateInitWait);
    return rc;
}
