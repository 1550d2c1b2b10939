/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include <stddef.h>

/* Two trees without siblings become one. */
static struct heap_node *merge(const struct heap *heap, struct heap_node *a, struct heap_node *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    if (heap_before(heap, b, a)) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next != NULL)
        b->next->back = b;
    b->back = a;
    a->child = b;
    return a;
}

/* A list of siblings becomes one tree: pairs from left to right, then all pairs from right to left.
 */
static struct heap_node *merge_siblings(const struct heap *heap, struct heap_node *first)
{
    struct heap_node *pairs = NULL, *tree = NULL;

    while (first != NULL) {
        struct heap_node *a = first, *b = first->next;
        first = b != NULL ? b->next : NULL;
        a->next = a->back = NULL;
        if (b != NULL)
            b->next = b->back = NULL;
        a = merge(heap, a, b);
        a->next = pairs; /* a stack: the second pass takes the last pair first */
        pairs = a;
    }
    while (pairs != NULL) {
        struct heap_node *rest = pairs->next;
        pairs->next = NULL;
        tree = merge(heap, tree, pairs);
        pairs = rest;
    }
    return tree;
}

void heap_insert_ordered(struct heap *heap, struct heap_node *node, uint64_t key, uint64_t order)
{
    *node = (struct heap_node){.key = key, .order = order};
    heap->root = merge(heap, heap->root, node);
}

void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key)
{
    heap_insert_ordered(heap, node, key, heap->order_next++);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *rest = merge_siblings(heap, node->child);

    if (node == heap->root) {
        heap->root = rest;
    } else {
        if (node->back->child == node)
            node->back->child = node->next;
        else
            node->back->next = node->next;
        if (node->next != NULL)
            node->next->back = node->back;
        heap->root = merge(heap, heap->root, rest);
    }
    node->child = node->next = node->back = NULL;
}

struct heap_node *heap_pop(struct heap *heap)
{
    struct heap_node *first = heap->root;

    if (first != NULL)
        heap_remove(heap, first);
    return first;
}
