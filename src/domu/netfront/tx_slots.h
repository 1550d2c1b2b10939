/* SPDX-License-Identifier: MIT */
/*
 * tx_slots: the pages for frames on their way out, and how many extra infos are: what tells a
 * response that was asked for from one that was not.
 *
 * A page's number is the id of the request that carries it. One thread, or the owner's lock.
 */
#ifndef SPLITDOM_DOMU_NETFRONT_TX_SLOTS_H
#define SPLITDOM_DOMU_NETFRONT_TX_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/netif_ring.h"

struct tx_slots {
    uint32_t count;
    uint32_t free_count;
    uint16_t free[NETIF_RING_ENTRIES]; /* a stack: the page used last is warm */
    bool busy[NETIF_RING_ENTRIES];     /* unanswered, by id */
    bool first[NETIF_RING_ENTRIES];    /* of a frame */
    uint32_t extras;                   /* unanswered */
    uint32_t frames;                   /* unanswered; each first page counts */
};

enum tx_answer { TX_ANSWER_PART, TX_ANSWER_SENT, TX_ANSWER_ERROR, TX_ANSWER_DROPPED };

void tx_slots_init(struct tx_slots *slots, uint32_t count); /* 1..NETIF_RING_ENTRIES; all free */

/* A page; some are free. first: of a frame. */
uint16_t tx_slots_take(struct tx_slots *slots, bool first);
/* An extra info is on the ring. */
static inline void tx_slots_add_extra(struct tx_slots *slots)
{
    slots->extras++;
}

/* How many responses are to come. */
static inline uint32_t tx_slots_unanswered(const struct tx_slots *slots)
{
    return slots->count - slots->free_count + slots->extras;
}

/* An answer has come: what it says of a frame (TX_ANSWER_PART: nothing), or -EPROTO: it fits
 * nothing that was asked. */
int tx_slots_answer(struct tx_slots *slots, const struct netif_tx_response *rsp);

#endif
