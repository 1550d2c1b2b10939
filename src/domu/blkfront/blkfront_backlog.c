/* SPDX-License-Identifier: MIT */
/*
 * blkfront_backlog: requests that wait for room on the ring, and those that the next Dom0 is
 * asked again.
 */
#include <assert.h>

#include "base/container_of.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/transfer.h"

bool blkfront_ask(struct blkfront *bf, struct shadow_entry *entry, uint64_t asked_ns)
{
    bool room = !bf->linking && front_ring_free(&bf->ring.half) > 0;
    if (room && list_is_empty(&bf->backlog)) {
        blkfront_put_request(bf, entry, asked_ns);
        return true;
    }
    list_push_back(&bf->backlog, &entry->backlog);
    return false;
}

void blkfront_ask_waiting(struct blkfront *bf)
{
    struct list_node *node;
    while (front_ring_free(&bf->ring.half) > 0 && (node = list_pop_front(&bf->backlog)) != NULL) {
        struct shadow_entry *entry = container_of(node, struct shadow_entry, backlog);
        blkfront_put_request(bf, entry, bf->stamped ? blkfront_now_ns(bf) : 0);
    }
    blkfront_push(bf);
}

void blkfront_ask_again(struct blkfront *bf)
{
    struct shadow_entry *entry = NULL;
    assert(bf->failed == 0);
    while ((entry = shadow_next(&bf->shadow, entry == NULL ? 0 : entry->sequence)) != NULL) {
        list_drop(&entry->backlog);
        if (entry->abandoned)
            shadow_put(&bf->shadow, entry);
        else
            list_push_back(&bf->backlog, &entry->backlog);
    }
    blkfront_ask_waiting(bf);
    transfer_ask(bf);
}
