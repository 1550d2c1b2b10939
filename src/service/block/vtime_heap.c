/* SPDX-License-Identifier: MIT */
#include "service/block/vtime_heap.h"

#include <stddef.h>

bool vtime_before(const struct vtime_node *a, const struct vtime_node *b)
{
    if (a->vtime != b->vtime)
        return (int64_t)(a->vtime - b->vtime) < 0;
    return (int64_t)(a->order - b->order) < 0;
}

/* Two tops become one; either may be NULL. */
static struct vtime_node *meld(struct vtime_node *a, struct vtime_node *b)
{
    struct vtime_node *first, *second;

    if (!a || !b)
        return a ? a : b;
    first = vtime_before(b, a) ? b : a;
    second = first == a ? b : a;

    second->prev = first;
    second->next = first->child;
    if (first->child)
        first->child->prev = second;
    first->child = second;
    return first;
}

/* The usual two passes over the orphans: meld them in pairs from left to right, then the pairs from
 * right to left. The pairs are kept on a stack through their next links. */
static struct vtime_node *meld_siblings(struct vtime_node *node)
{
    struct vtime_node *pairs = NULL, *top = NULL;

    while (node) {
        struct vtime_node *a = node, *b = node->next, *pair;

        node = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct vtime_node *pair = pairs;

        pairs = pair->next;
        pair->next = NULL;
        top = meld(top, pair);
    }
    return top;
}

void vtime_heap_push(struct vtime_heap *heap, struct vtime_node *node)
{
    node->child = node->next = node->prev = NULL;
    heap->top = meld(heap->top, node);
}

void vtime_heap_remove(struct vtime_heap *heap, struct vtime_node *node)
{
    struct vtime_node *orphans = meld_siblings(node->child);

    if (node == heap->top) {
        heap->top = orphans;
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        heap->top = meld(heap->top, orphans);
    }
    node->child = node->next = node->prev = NULL;
}
