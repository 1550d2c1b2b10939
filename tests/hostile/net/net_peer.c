/* SPDX-License-Identifier: MIT */
#include "net_peer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ring/evtchn.h"
#include "xenstore/xenbus_state.h"

enum { VCPU_RING = 1, PATIENCE_NS = 1000000000 };

#define DEVICE "device/vif/0"

int net_peer_write(struct net_peer *np, const char *node, const char *format, ...)
{
    char path[128], value[128];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), DEVICE "/%s", node);
    return xs_client_write(np->peer.store, 0, path, value);
}

int net_peer_remove(struct net_peer *np, const char *node)
{
    char path[128];
    snprintf(path, sizeof(path), DEVICE "/%s", node);
    int rc = xs_client_rm(np->peer.store, 0, path);
    return rc == -ENOENT ? 0 : rc;
}

int net_peer_state(struct net_peer *np, enum xenbus_state state)
{
    return net_peer_write(np, "state", "%d", state);
}

int net_peer_back_state(struct net_peer *np)
{
    char path[128], value[16];
    enum xenbus_state state;
    snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/0/state", np->peer.segment.domid);
    int rc = xs_client_read(np->peer.store, 0, path, value, sizeof(value));
    if (rc < 0)
        return rc;
    return xenbus_state_parse(value, &state) < 0 ? -EPROTO : (int)state;
}

int net_peer_wait_state(struct net_peer *np, enum xenbus_state state)
{
    int64_t deadline = peer_now_ms() + PEER_PATIENCE_MS;
    for (;;) {
        int now = net_peer_back_state(np);
        if (now < 0 || now == (int)state)
            return now < 0 ? now : 0;
        if (peer_now_ms() > deadline)
            return -ETIMEDOUT;
        peer_sleep_ms(1);
    }
}

uint8_t *net_peer_page(const struct net_peer *np, uint32_t page)
{
    return segment_page(&np->peer.segment, np->peer.data_pfn + page);
}

void net_peer_start_rings(struct net_peer *np)
{
    struct sring *tx = (struct sring *)(void *)net_peer_page(np, 0);
    struct sring *rx = (struct sring *)(void *)net_peer_page(np, 1);
    sring_init(tx, 0);
    sring_init(rx, 0);
    front_ring_init(&np->tx.half, tx, NETIF_RING_ENTRIES, 0);
    front_ring_init(&np->rx.half, rx, NETIF_RING_ENTRIES, 0);
}

int net_peer_connect(struct net_peer *np)
{
    int rc = net_peer_wait_state(np, XenbusStateInitWait);
    net_peer_start_rings(np);
    if (rc == 0)
        rc = net_peer_write(np, "tx-ring-ref", "%u", np->peer.data_ref);
    if (rc == 0)
        rc = net_peer_write(np, "rx-ring-ref", "%u", np->peer.data_ref + 1);
    if (rc == 0)
        rc = net_peer_write(np, "event-channel", "%u", np->peer.port);
    if (rc == 0)
        rc = net_peer_write(np, "request-rx-copy", "1");
    if (rc == 0)
        rc = net_peer_write(np, "feature-rx-notify", "1");
    if (rc == 0)
        rc = net_peer_write(np, "feature-sg", "1");
    if (rc == 0)
        rc = net_peer_state(np, XenbusStateConnected);
    return rc == 0 ? net_peer_wait_state(np, XenbusStateConnected) : rc;
}

static int read_mac(struct net_peer *np)
{
    char text[32];
    unsigned mac[NET_PEER_MAC_BYTES];
    int rc = xs_client_read(np->peer.store, 0, DEVICE "/mac", text, sizeof(text));
    if (rc < 0)
        return rc;
    if (sscanf(text, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) !=
        6)
        return -EPROTO;
    for (int i = 0; i < NET_PEER_MAC_BYTES; i++)
        np->mac[i] = (uint8_t)mac[i];
    return 0;
}

int net_peer_create(struct net_peer *np, const struct rundir *rundir)
{
    int rc = peer_create(&np->peer, rundir, 0, false);
    if (rc < 0)
        return rc;
    rc = read_mac(np);
    if (rc < 0)
        peer_destroy(&np->peer);
    return rc;
}

int net_peer_open(struct net_peer *np, const struct rundir *rundir)
{
    int rc = net_peer_create(np, rundir);
    if (rc < 0)
        return rc;
    rc = net_peer_connect(np);
    if (rc < 0)
        peer_destroy(&np->peer);
    return rc;
}

void net_peer_close(struct net_peer *np)
{
    peer_destroy(&np->peer);
}

int net_peer_restart(struct net_peer *np)
{
    int rc = net_peer_state(np, XenbusStateClosed);
    if (rc == 0)
        rc = net_peer_wait_state(np, XenbusStateClosed);
    if (rc == 0)
        rc = net_peer_state(np, XenbusStateInitialising);
    return rc == 0 ? net_peer_wait_state(np, XenbusStateInitWait) : rc;
}

void net_peer_fill(struct net_peer *np, uint32_t page, const uint8_t *target, uint32_t bytes)
{
    uint8_t *data = net_peer_page(np, page);
    memset(data, target != NULL ? (int)page : 0xff, bytes);
    if (target != NULL)
        memcpy(data, target, NET_PEER_MAC_BYTES);
    memcpy(data + NET_PEER_MAC_BYTES, np->mac, NET_PEER_MAC_BYTES);
    data[12] = 0x88; /* IEEE 802 - local experimental */
    data[13] = 0xb5;
}

void net_peer_put(struct net_peer *np, uint32_t page, uint32_t size, uint16_t flags)
{
    netif_tx_put_request(&np->tx, &(struct netif_tx_request){.gref = np->peer.data_ref + page,
                                                             .flags = flags,
                                                             .id = (uint16_t)page,
                                                             .size = (uint16_t)size});
}

void net_peer_push(struct net_peer *np, bool always)
{
    bool tx = front_ring_push(&np->tx.half), rx = front_ring_push(&np->rx.half);
    if (tx || rx || always)
        (void)evtchn_kick(np->peer.doorbell_fd);
}

static void ignore_port(void *ctx, evtchn_port_t port)
{
    (void)ctx;
    (void)port;
}

static void sleep_for(struct net_peer *np, int64_t timeout_ns)
{
    struct shared_info *si = np->peer.segment.shared_info;
    (void)evtchn_wait(si, VCPU_RING, timeout_ns);
    (void)evtchn_collect(si, VCPU_RING, ignore_port, NULL);
}

int net_peer_response(struct net_peer *np, struct netif_tx_response *rsp)
{
    for (int64_t left_ns = PATIENCE_NS;; left_ns -= PATIENCE_NS / 100) {
        int rc = netif_tx_take_response(&np->tx, rsp);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        if (left_ns <= 0)
            return -ETIMEDOUT;
        if (!front_ring_final_check(&np->tx.half))
            sleep_for(np, PATIENCE_NS / 100);
    }
}

void net_peer_post(struct net_peer *np, uint32_t page)
{
    netif_rx_put_request(&np->rx, (uint16_t)page, np->peer.data_ref + page);
}

void net_peer_post_all(struct net_peer *np)
{
    for (uint32_t i = 0; i < NET_PEER_RX_PAGES; i++)
        net_peer_post(np, NET_PEER_RX_PAGE + i);
    net_peer_push(np, false);
}

int net_peer_receive(struct net_peer *np, uint32_t *bytes, int64_t timeout_ns)
{
    int64_t end_ms = peer_now_ms() + timeout_ns / 1000000 + 1;
    for (;;) {
        union netif_rx_sring_entry entry;
        uint32_t slot;
        int rc = netif_rx_take(&np->rx, &entry, &slot);
        if (rc < 0)
            return rc;
        if (rc == 1) {
            *bytes = entry.rsp.status > 0 ? (uint32_t)entry.rsp.status : 0;
            return entry.rsp.id < PEER_DATA_PAGES ? entry.rsp.id : -EPROTO;
        }
        if (peer_now_ms() > end_ms)
            return -ETIMEDOUT;
        if (!front_ring_final_check(&np->rx.half))
            sleep_for(np, PATIENCE_NS / 50);
    }
}
