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

static int wait_back_state(struct xen_vif *vif, int wanted)
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
        if (wanted <= XenbusStateConnected && state >= XenbusStateClosing)
            return -ECONNREFUSED;
        rc = xen_store_wait_watch(vif->store);
        if (rc < 0)
            return rc;
    }
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

static int write_offer(struct xen_vif *vif, const struct xen_vif_offer *offer)
{
    const bool split = offer->tx_port != offer->rx_port;
    const struct {
        const char *leaf;
        uint32_t value;
    } nodes[] = {{"tx-ring-ref", offer->tx_ring_ref},
                 {"rx-ring-ref", offer->rx_ring_ref},
                 {split ? "event-channel-tx" : "event-channel", offer->tx_port},
                 {split ? "event-channel-rx" : "event-channel", offer->rx_port},
                 {"request-rx-copy", 1},
                 {"feature-rx-notify", 1},
                 {"feature-sg", 1},
                 {"feature-gso-tcpv4", 1},
                 {"feature-gso-tcpv6", 1},
                 {"feature-ipv6-csum-offload", 1}};
    int rc = -EAGAIN;
    for (int i = 0; i < TRANSACTION_TRIES && rc == -EAGAIN; i++) {
        rc = xen_store_begin(vif->store);
        for (size_t n = 0; rc == 0 && n < sizeof(nodes) / sizeof(nodes[0]); n++)
            rc = write_number(vif, nodes[n].leaf, nodes[n].value);
        if (rc == 0)
            rc = xen_store_commit(vif->store);
    }
    return rc;
}

int xen_vif_connect(struct xen_vif *vif, uint16_t domid, const struct xen_vif_offer *offer)
{
    static const char *const features[] = {"feature-sg",        "feature-gso-tcpv4",
                                           "feature-gso-tcpv6", "feature-ipv6-csum-offload",
                                           "feature-rx-copy",   "feature-split-event-channels"};
    int rc = find_back(vif, domid);
    if (rc == 0)
        rc = wait_back_state(vif, XenbusStateInitWait);
    for (size_t i = 0; rc == 0 && i < sizeof(features) / sizeof(features[0]); i++)
        rc = offers(vif, features[i]);
    if (rc == 0)
        rc = write_offer(vif, offer);
    if (rc == 0)
        rc = write_number(vif, "state", XenbusStateConnected);
    return rc == 0 ? wait_back_state(vif, XenbusStateConnected) : rc;
}

int xen_vif_close(struct xen_vif *vif)
{
    int rc = write_number(vif, "state", XenbusStateClosing);
    if (rc == 0)
        rc = wait_back_state(vif, XenbusStateClosing);
    if (rc == 0)
        rc = write_number(vif, "state", XenbusStateClosed);
    return rc == 0 ? wait_back_state(vif, XenbusStateClosed) : rc;
}
