/* SPDX-License-Identifier: MIT */
/*
 * heap: a priority queue of nodes that are members of their owners (a pairing heap). Insertion
 * allocates nothing and never fails; any node can be removed. container_of (base/container_of.h)
 * leads from a node to its owner. The owner keeps track of whether its node is in the heap.
 *
 * Smallest key first; among equal keys the one inserted first, so that a run can be repeated.
 * Insert and look: O(1); remove: O(log n) amortised. One thread, or the owner's lock.
 * After Fredman, Sedgewick, Sleator, Tarjan: "The pairing heap", Algorithmica 1 (1986), two-pass
 * variant.
 */
#ifndef SPLITDOM_BASE_HEAP_H
#define SPLITDOM_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;   /* constant while the node is in a heap; keeps its value after removal */
    uint64_t order; /* the same */
    /* private */
    struct heap_node *child; /* the first of its children */
    struct heap_node *next;  /* the sibling after it */
    struct heap_node *back;  /* the sibling before it, or its parent if it is the first child */
};

struct heap { /* all zero: empty */
    /*
     * For keys that wrap, otherwise 0: where the order of keys begins. The smallest key is the
     * first at or above origin, counted upwards with wrap. The owner moves origin along with the
     * keys, but never past a key in the heap.
     */
    uint64_t origin;
    /* private */
    struct heap_node *root;
    uint64_t order_next;
};

void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key);

/* For nodes that keep their place among equal keys when they move, also between heaps. The caller
 * numbers the nodes; among equal keys the smaller order is first. All nodes of such a heap are
 * inserted by this function. */
void heap_insert_ordered(struct heap *heap, struct heap_node *node, uint64_t key, uint64_t order);

/* node must be in this heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

/* Removes the first node and returns it. NULL when empty. */
struct heap_node *heap_pop(struct heap *heap);

/* NULL when empty. */
static inline struct heap_node *heap_first(const struct heap *heap)
{
    return heap->root;
}

/* Does a come before b, by this heap's order of keys? */
static inline bool heap_before(const struct heap *heap, const struct heap_node *a,
                               const struct heap_node *b)
{
    if (a->key != b->key)
        return a->key - heap->origin < b->key - heap->origin;
    return a->order < b->order;
}

#endif
