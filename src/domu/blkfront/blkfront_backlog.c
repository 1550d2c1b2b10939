/* SPDX-License-Identifier: MIT */
/*
 * blkfront_backlog: requests that wait for room on the ring, and those that the next Dom0 is
 * asked again.
 */
#include <assert.h>

#include "base/container_of.h"
#include "domu/blkfront/blkfront_private.h"
#include "domu/blkfront/transfer.h"

bool blkfront_ask(struct blkfront_queue *queue, struct shadow_entry *entry, uint64_t asked_ns)
{
    bool room = !queue->linking && front_ring_free(&queue->ring.half) > 0;
    if (room && list_is_empty(&queue->backlog)) {
        blkfront_put_request(queue, entry, asked_ns);
        return true;
    }
    list_push_back(&queue->backlog, &entry->backlog);
    return false;
}

void blkfront_ask_waiting(struct blkfront_queue *queue)
{
    struct list_node *node;
    while (front_ring_free(&queue->ring.half) > 0 &&
           (node = list_pop_front(&queue->backlog)) != NULL) {
        struct shadow_entry *entry = container_of(node, struct shadow_entry, backlog);
        blkfront_put_request(queue, entry, queue->stamped ? blkfront_now_ns(queue->bf) : 0);
    }
    blkfront_push(queue);
}

void blkfront_ask_again(struct blkfront_queue *queue)
{
    struct shadow_entry *entry = NULL;
    assert(queue->failed == 0);
    while ((entry = shadow_next(&queue->shadow, entry == NULL ? 0 : entry->sequence)) != NULL) {
        list_drop(&entry->backlog);
        if (entry->abandoned)
            shadow_put(&queue->shadow, entry);
        else
            list_push_back(&queue->backlog, &entry->backlog);
    }
    blkfront_ask_waiting(queue);
    transfer_ask(queue);
}
