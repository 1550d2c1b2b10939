/* SPDX-License-Identifier: MIT */
/*
 * netif_back_ring: a network back end's halves of both rings: how requests get out of slots and
 * responses into them. All else (look, in flight, push, final check) is back_ring.h's, on `half`.
 */
#ifndef SPLITDOM_RING_NETIF_BACK_RING_H
#define SPLITDOM_RING_NETIF_BACK_RING_H

#include "ring/back_ring.h"
#include "ring/netif_ring.h"

struct netif_tx_back_ring {
    struct back_ring half;
};

struct netif_rx_back_ring {
    struct back_ring half;
};

/* Takes the next slot out (back_ring_look said that there is one), whatever it holds: what came
 * before says whether it is a request or an extra info. The copy is the only version to be checked
 * and used; each word of the slot is read once. */
static inline void netif_tx_take(struct netif_tx_back_ring *ring, union netif_tx_sring_entry *copy)
{
    sring_copy_words(copy, back_ring_take(&ring->half, sizeof(*copy)), sizeof(*copy),
                     sizeof(uint32_t));
}

/* Answers a slot that was taken; the rest of it is cleared (XSA-216). */
static inline void netif_tx_put_response(struct netif_tx_back_ring *ring, uint16_t id,
                                         int16_t status)
{
    uint8_t *slot = back_ring_put(&ring->half, sizeof(union netif_tx_sring_entry));
    memset(slot + sizeof(struct netif_tx_response), 0,
           sizeof(union netif_tx_sring_entry) - sizeof(struct netif_tx_response));
    struct netif_tx_response *rsp = (struct netif_tx_response *)(void *)slot;
    rsp->id = id;
    rsp->status = status;
}

/* Takes the next page that the front end has posted. The response that is put next belongs to it:
 * each request is answered before the next one is taken. */
static inline void netif_rx_take_request(struct netif_rx_back_ring *ring,
                                         struct netif_rx_request *req)
{
    assert(back_ring_in_flight(&ring->half) == 0);
    sring_copy_words(req, back_ring_take(&ring->half, sizeof(union netif_rx_sring_entry)),
                     sizeof(*req), sizeof(uint64_t));
}

static inline void netif_rx_put_response(struct netif_rx_back_ring *ring,
                                         const struct netif_rx_response *rsp)
{
    struct netif_rx_response *slot = back_ring_put(&ring->half, sizeof(union netif_rx_sring_entry));
    slot->id = rsp->id;
    slot->offset = rsp->offset;
    slot->flags = rsp->flags;
    slot->status = rsp->status;
}

static inline void netif_rx_put_extra(struct netif_rx_back_ring *ring,
                                      const struct netif_extra_info *extra)
{
    memcpy(back_ring_put(&ring->half, sizeof(union netif_rx_sring_entry)), extra, sizeof(*extra));
}

#endif
