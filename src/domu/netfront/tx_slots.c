/* SPDX-License-Identifier: MIT */
#include "domu/netfront/tx_slots.h"

#include <assert.h>
#include <errno.h>

void tx_slots_init(struct tx_slots *slots, uint32_t count)
{
    assert(count > 0 && count <= NETIF_RING_ENTRIES);
    *slots = (struct tx_slots){.count = count, .free_count = count};
    for (uint32_t i = 0; i < count; i++)
        slots->free[i] = (uint16_t)(count - 1 - i);
}

uint16_t tx_slots_take(struct tx_slots *slots, bool first)
{
    assert(slots->free_count > 0);
    uint16_t id = slots->free[--slots->free_count];
    assert(!slots->busy[id]);
    slots->busy[id] = true;
    slots->first[id] = first;
    slots->frames += first;
    return id;
}

static int answer_of(int16_t status)
{
    switch (status) {
    case NETIF_RSP_OKAY:
        return TX_ANSWER_SENT;
    case NETIF_RSP_ERROR:
        return TX_ANSWER_ERROR;
    case NETIF_RSP_DROPPED:
        return TX_ANSWER_DROPPED;
    default:
        return -EPROTO;
    }
}

int tx_slots_answer(struct tx_slots *slots, const struct netif_tx_response *rsp)
{
    if (rsp->status == NETIF_RSP_NULL) {
        if (slots->extras == 0)
            return -EPROTO;
        slots->extras--;
        return TX_ANSWER_PART;
    }
    int answer = answer_of(rsp->status);
    if (rsp->id >= slots->count || !slots->busy[rsp->id] || answer < 0)
        return -EPROTO;
    slots->busy[rsp->id] = false;
    slots->free[slots->free_count++] = rsp->id;
    if (!slots->first[rsp->id])
        return TX_ANSWER_PART;
    slots->frames--;
    return answer;
}
