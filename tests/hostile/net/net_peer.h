/* SPDX-License-Identifier: MIT */
/*
 * net_peer: a domain with a network interface of bare parts, on a peer (../peer.h), so that a test
 * can break each of its promises. Its interface is number 0, which the service gives each domain.
 *
 * All functions return 0 or what they say, or -errno. A net_peer belongs to one thread.
 */
#ifndef SPLITDOM_TESTS_HOSTILE_NET_PEER_H
#define SPLITDOM_TESTS_HOSTILE_NET_PEER_H

#include "hostile/peer.h"
#include "ring/netif_front_ring.h"

enum {
    /* Of the peer's granted pages: both rings, then pages to send and to receive. */
    NET_PEER_TX_PAGE = 2,
    NET_PEER_TX_PAGES = 30,
    NET_PEER_RX_PAGE = NET_PEER_TX_PAGE + NET_PEER_TX_PAGES,
    NET_PEER_RX_PAGES = PEER_DATA_PAGES - NET_PEER_RX_PAGE,
    NET_PEER_MAC_BYTES = 6,
};

struct net_peer {
    struct peer peer;
    uint8_t mac[NET_PEER_MAC_BYTES];
    struct netif_tx_front_ring tx;
    struct netif_rx_front_ring rx;
};

/* Becomes a domain; its interface waits. */
int net_peer_create(struct net_peer *np, const struct rundir *rundir);
/* Becomes a domain and connects the interface; posts no page yet. */
int net_peer_open(struct net_peer *np, const struct rundir *rundir);
void net_peer_close(struct net_peer *np);
/* Fresh rings; publishes them as an honest front end does, and waits for Connected. */
int net_peer_connect(struct net_peer *np);
/* Fresh rings in the first two pages, of which nobody is told. */
void net_peer_start_rings(struct net_peer *np);
/* Closed, then from the beginning: the back end waits again. */
int net_peer_restart(struct net_peer *np);

int net_peer_write(struct net_peer *np, const char *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 0 if it is not there, too. */
int net_peer_remove(struct net_peer *np, const char *node);
int net_peer_state(struct net_peer *np, enum xenbus_state state);
/* The back end's state, or -errno. */
int net_peer_back_state(struct net_peer *np);
int net_peer_wait_state(struct net_peer *np, enum xenbus_state state);

uint8_t *net_peer_page(const struct net_peer *np, uint32_t page);
/* Writes a frame of so many bytes (14..4096) into a page for sending; the target NULL: to all. */
void net_peer_fill(struct net_peer *np, uint32_t page, const uint8_t *target, uint32_t bytes);
/* Fills the next tx slot for that page, from its begin; there must be one. */
void net_peer_put(struct net_peer *np, uint32_t page, uint32_t size, uint16_t flags);
/* Shows what was put on both rings; rings the doorbell if it was asked for (or always). */
void net_peer_push(struct net_peer *np, bool always);
/* Waits for one tx response. -ETIMEDOUT */
int net_peer_response(struct net_peer *np, struct netif_tx_response *rsp);
/* Posts all of its pages. */
void net_peer_post_all(struct net_peer *np);
/* Waits for one frame in one slot: returns its page, still to be posted again. -ETIMEDOUT */
int net_peer_receive(struct net_peer *np, uint32_t *bytes, int64_t timeout_ns);
void net_peer_post(struct net_peer *np, uint32_t page);

#endif
