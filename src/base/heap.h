/* SPDX-License-Identifier: MIT */
/*
 * heap: a priority queue of nodes that live in their owners (a pairing heap): insertion never fails
 * and allocates nothing, any node can be taken out.
 *
 * Smallest key first; among equal keys the one inserted first, so that a run can be repeated.
 * Insert and look: O(1); remove: O(log n) amortised. One thread.
 * After Fredman, Sedgewick, Sleator, Tarjan: "The pairing heap", Algorithmica 1 (1986), two-pass
 * variant.
 */
#ifndef SPLITDOM_BASE_HEAP_H
#define SPLITDOM_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_node {
    uint64_t key; /* not to be changed while the node is in a heap */
    /* private */
    uint64_t order;
    struct heap_node *child; /* the first of its children */
    struct heap_node *next;  /* the sibling after it */
    struct heap_node *back;  /* the sibling before it, or its parent if it is the first child */
};

struct heap { /* all zero: empty */
    struct heap_node *root;
    uint64_t order;
};

void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key);

/* node must be in this heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* NULL when empty. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
    return heap->root;
}

#endif
