/* SPDX-License-Identifier: MIT */
/*
 * netif_front_ring: a network front end's halves of both rings: how requests get into slots and
 * responses out of them. All else (free slots, push, final check) is front_ring.h's, on `half`.
 */
#ifndef SPLITDOM_RING_NETIF_FRONT_RING_H
#define SPLITDOM_RING_NETIF_FRONT_RING_H

#include "ring/front_ring.h"
#include "ring/netif_ring.h"

struct netif_tx_front_ring {
    struct front_ring half;
};

struct netif_rx_front_ring {
    struct front_ring half;
};

/* Fills the next slot; the caller made sure that front_ring_free is not 0. */
static inline void netif_tx_put_request(struct netif_tx_front_ring *ring,
                                        const struct netif_tx_request *req)
{
    struct netif_tx_request *slot = front_ring_put(&ring->half, sizeof(union netif_tx_sring_entry));
    slot->gref = req->gref;
    slot->offset = req->offset;
    slot->flags = req->flags;
    slot->id = req->id;
    slot->size = req->size;
}

static inline void netif_tx_put_extra(struct netif_tx_front_ring *ring,
                                      const struct netif_extra_info *extra)
{
    uint8_t *slot = front_ring_put(&ring->half, sizeof(union netif_tx_sring_entry));
    memcpy(slot, extra, sizeof(*extra));
    memset(slot + sizeof(*extra), 0, sizeof(union netif_tx_sring_entry) - sizeof(*extra));
}

/* Takes the next response out. Returns 1, 0 or -EPROTO as front_ring_take does. A response with
 * NETIF_RSP_NULL answers an extra info, and its id says nothing. */
static inline int netif_tx_take_response(struct netif_tx_front_ring *ring,
                                         struct netif_tx_response *rsp)
{
    const void *slot;
    int rc = front_ring_take(&ring->half, sizeof(union netif_tx_sring_entry), &slot);
    if (rc == 1)
        sring_copy_words(rsp, slot, sizeof(*rsp), sizeof(uint32_t));
    return rc;
}

/* Posts a page. */
static inline void netif_rx_put_request(struct netif_rx_front_ring *ring, uint16_t id,
                                        grant_ref_t gref)
{
    struct netif_rx_request *slot = front_ring_put(&ring->half, sizeof(union netif_rx_sring_entry));
    *slot = (struct netif_rx_request){.id = id, .gref = gref};
}

/*
 * Takes the next slot that the back end has filled: a response, or an extra info if the one before
 * said so. *slot_number is its place in the ring, 0..NETIF_RING_ENTRIES - 1: that of the request
 * whose page it uses up, and the only way to tell that of an extra info. Returns 1, 0 or -EPROTO as
 * front_ring_take does.
 */
static inline int netif_rx_take(struct netif_rx_front_ring *ring, union netif_rx_sring_entry *copy,
                                uint32_t *slot_number)
{
    const void *slot;
    uint32_t index = ring->half.rsp_cons;
    int rc = front_ring_take(&ring->half, sizeof(*copy), &slot);
    if (rc != 1)
        return rc;
    sring_copy_words(copy, slot, sizeof(*copy), sizeof(uint64_t));
    *slot_number = index & (ring->half.nr_ents - 1);
    return 1;
}

#endif
