/* SPDX-License-Identifier: MIT */
/*
 * vtime_heap: whose virtual time is smallest. An intrusive pairing heap (Fredman, Sedgewick,
 * Sleator and Tarjan, "The pairing heap", Algorithmica 1, 1986): no memory of its own, push O(1),
 * top O(1), remove O(log n) amortised. Virtual times wrap: they are compared by difference, so all
 * members must lie within 2^63 of each other. Members with equal virtual times leave in the order
 * of their `order` field, which is compared in the same way.
 *
 * The owner embeds a node, sets vtime and order while the node is outside every heap, and knows
 * itself whether it is inside. Single-threaded.
 */
#ifndef SPLITDOM_SERVICE_BLOCK_VTIME_HEAP_H
#define SPLITDOM_SERVICE_BLOCK_VTIME_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct vtime_node {
    uint64_t vtime;
    uint64_t order;
    struct vtime_node *child; /* the first one */
    struct vtime_node *next;  /* sibling */
    struct vtime_node *prev;  /* sibling; for a first child its parent; for the top NULL */
};

/* All zero: empty. */
struct vtime_heap {
    struct vtime_node *top; /* NULL when empty */
};

void vtime_heap_push(struct vtime_heap *heap, struct vtime_node *node);
/* Any member, not just the top. */
void vtime_heap_remove(struct vtime_heap *heap, struct vtime_node *node);
/* a comes strictly before b. */
bool vtime_before(const struct vtime_node *a, const struct vtime_node *b);

#endif
