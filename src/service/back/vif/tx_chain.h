/* SPDX-License-Identifier: MIT */
/*
 * tx_chain: the slots of one frame that a front end sends: taken off the ring, each copied once,
 * and judged before any of them is used.
 *
 * The rules are those of Linux's back end (xen-netback/netback.c: xenvif_get_extras,
 * xenvif_count_requests, xenvif_tx_build_gops). What only spoils its own frame is answered with an
 * error; what shows that the front end does not keep to the protocol, so that the next slot could
 * be anything, ends the ring.
 *
 * No memory of the domain is touched but the ring. One thread for each ring.
 */
#ifndef SPLITDOM_SERVICE_BACK_VIF_TX_CHAIN_H
#define SPLITDOM_SERVICE_BACK_VIF_TX_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/netif_back_ring.h"

enum {
    /* XEN_NETIF_NR_SLOTS_MIN of them after the first: Linux's front ends before 3.2 make so many,
     * and Linux's back end takes them (XEN_NETBK_LEGACY_SLOTS_MAX). */
    TX_CHAIN_PIECES_TAKEN = 1 + XEN_NETIF_NR_SLOTS_MIN,
    /* A frame of more than that is refused, and one of more than so many ends the ring. (Linux:
     * fatal_skb_slots, 20 after the first.) */
    TX_CHAIN_PIECES_MAX = 21,
};

/* What a request says of one piece of the frame. */
struct tx_piece {
    grant_ref_t gref;
    uint16_t offset, size; /* within a page */
    uint16_t id;
};

struct tx_chain {
    uint32_t piece_count; /* 1..TX_CHAIN_PIECES_MAX */
    uint32_t extra_count;
    uint32_t length_bytes; /* of the whole frame: the sum of the pieces' sizes */
    uint16_t flags;        /* of the first request */
    uint8_t gso_type;      /* 0: none */
    uint16_t gso_size;
    bool has_stamp;
    struct netif_extra_info stamp;
    const char *fault; /* what was wrong, unless it is a frame */
    struct tx_piece piece[TX_CHAIN_PIECES_MAX];
};

enum tx_verdict {
    TX_FRAME,   /* to be copied */
    TX_REFUSED, /* all its slots are to be answered with NETIF_RSP_ERROR */
    TX_BROKEN,  /* the ring can't go on: slots are taken and not answered */
};

/* back_ring_look has said that at least one slot waits. takes_stamps: extra infos of that type are
 * agreed on, else they are as wrong as any other unknown type. */
enum tx_verdict tx_chain_take(struct tx_chain *chain, struct netif_tx_back_ring *ring,
                              bool takes_stamps);

/* Answers all slots of a chain, of a frame or a refused one: extra infos with NETIF_RSP_NULL. */
void tx_chain_answer(const struct tx_chain *chain, struct netif_tx_back_ring *ring, int16_t status);

#endif
