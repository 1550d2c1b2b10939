/* SPDX-License-Identifier: MIT */
#include "service/back/vif/tx_chain.h"

#include <assert.h>

#include "service/net/frame.h"

static enum tx_verdict broken(struct tx_chain *chain, const char *fault)
{
    chain->fault = fault;
    return TX_BROKEN;
}

static enum tx_verdict refused(struct tx_chain *chain, const char *fault)
{
    if (chain->fault == NULL)
        chain->fault = fault;
    return TX_REFUSED;
}

static bool any_left(const struct netif_tx_back_ring *ring)
{
    return ring->half.req_cons != ring->half.req_prod;
}

static void add_piece(struct tx_chain *chain, const struct netif_tx_request *req)
{
    assert(chain->piece_count < TX_CHAIN_PIECES_MAX);
    chain->piece[chain->piece_count++] = (struct tx_piece){
        .gref = req->gref, .offset = req->offset, .size = req->size, .id = req->id};
}

static enum tx_verdict take_gso(struct tx_chain *chain, const struct netif_extra_info *extra)
{
    if (extra->u.gso.size == 0)
        return broken(chain, "a GSO size of 0");
    if (extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
        extra->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
        return broken(chain, "an unknown GSO type");
    chain->gso_type = extra->u.gso.type;
    chain->gso_size = extra->u.gso.size;
    return TX_FRAME;
}

/* Several of one type are taken, the last one counts. There can't be more than slots in the ring.
 */
static enum tx_verdict take_extras(struct tx_chain *chain, struct netif_tx_back_ring *ring,
                                   bool takes_stamps)
{
    enum tx_verdict verdict = TX_FRAME;
    union netif_tx_sring_entry slot;
    do {
        if (!any_left(ring))
            return broken(chain, "an extra info is missing");
        netif_tx_take(ring, &slot);
        chain->extra_count++;
        if (slot.extra.type == XEN_NETIF_EXTRA_TYPE_GSO) {
            if (take_gso(chain, &slot.extra) == TX_BROKEN)
                return TX_BROKEN;
        } else if (slot.extra.type == SPLITDOM_NETIF_EXTRA_TYPE_STAMP && takes_stamps) {
            chain->has_stamp = true;
            chain->stamp = slot.extra;
        } else if (slot.extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ||
                   slot.extra.type == XEN_NETIF_EXTRA_TYPE_MCAST_DEL) {
            verdict = refused(chain, "multicast control, which was not offered");
        } else if (slot.extra.type !=
                   XEN_NETIF_EXTRA_TYPE_HASH) { /* a hint that is of no use here */
            return broken(chain, "an unknown type of extra info");
        }
    } while ((slot.extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0);
    return verdict;
}

/* The requests after the first one. What they say is taken off the first one's size. */
static enum tx_verdict take_pieces(struct tx_chain *chain, struct netif_tx_back_ring *ring)
{
    enum tx_verdict verdict = TX_FRAME;
    struct tx_piece *first = &chain->piece[0];
    union netif_tx_sring_entry slot;
    do {
        if (!any_left(ring))
            return broken(chain, "a request is missing");
        if (chain->piece_count == TX_CHAIN_PIECES_MAX)
            return broken(chain, "too many requests for a frame");
        netif_tx_take(ring, &slot);
        add_piece(chain, &slot.req);
        if (chain->piece_count > TX_CHAIN_PIECES_TAKEN)
            verdict = refused(chain, "more than 19 requests for a frame");
        if ((uint32_t)slot.req.offset + slot.req.size > XEN_PAGE_SIZE)
            return broken(chain, "a piece that crosses its page");
        if (slot.req.size > first->size)
            verdict = refused(chain, "pieces that are larger than the frame");
        else
            first->size = (uint16_t)(first->size - slot.req.size);
    } while ((slot.req.flags & NETTXF_more_data) != 0);
    return verdict;
}

/* What the copier relies on. */
static void assert_is_whole(const struct tx_chain *chain)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < chain->piece_count; i++) {
        assert((uint32_t)chain->piece[i].offset + chain->piece[i].size <= XEN_PAGE_SIZE);
        sum += chain->piece[i].size;
    }
    assert(sum == chain->length_bytes);
}

enum tx_verdict tx_chain_take(struct tx_chain *chain, struct netif_tx_back_ring *ring,
                              bool takes_stamps)
{
    enum tx_verdict verdict = TX_FRAME;
    union netif_tx_sring_entry slot;
    netif_tx_take(ring, &slot);
    chain->piece_count = chain->extra_count = 0;
    chain->gso_type = XEN_NETIF_GSO_TYPE_NONE;
    chain->gso_size = 0;
    chain->has_stamp = false;
    chain->fault = NULL;
    chain->flags = slot.req.flags;
    chain->length_bytes = slot.req.size;
    add_piece(chain, &slot.req);
    if ((slot.req.flags & NETTXF_extra_info) != 0)
        verdict = take_extras(chain, ring, takes_stamps);
    if (verdict != TX_BROKEN && (slot.req.flags & NETTXF_more_data) != 0) {
        enum tx_verdict of_pieces = take_pieces(chain, ring);
        verdict = of_pieces > verdict ? of_pieces : verdict;
    }
    if (verdict != TX_FRAME)
        return verdict;
    if (chain->length_bytes < NET_FRAME_HEADER_BYTES)
        return refused(chain, "a frame without a whole header");
    if ((uint32_t)chain->piece[0].offset + chain->piece[0].size > XEN_PAGE_SIZE)
        return broken(chain, "a piece that crosses its page");
    assert_is_whole(chain);
    return TX_FRAME;
}

/* In the order of the slots. */
void tx_chain_answer(const struct tx_chain *chain, struct netif_tx_back_ring *ring, int16_t status)
{
    netif_tx_put_response(ring, chain->piece[0].id, status);
    for (uint32_t i = 0; i < chain->extra_count; i++)
        netif_tx_put_response(ring, 0, NETIF_RSP_NULL);
    for (uint32_t i = 1; i < chain->piece_count; i++)
        netif_tx_put_response(ring, chain->piece[i].id, status);
}
