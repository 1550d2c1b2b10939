/* SPDX-License-Identifier: MIT */
/*
 * list: a doubly linked list of nodes that are members of their owners. Nothing is allocated,
 * nothing fails, and every operation takes constant time. container_of (base/container_of.h) leads
 * from a node to its owner.
 *
 *     for (struct list_node *node = list_first(&list); node != NULL; node = list_next(&list, node))
 * { struct peer *peer = container_of(node, struct peer, link);
 *
 * A loop that removes the current node reads the next one before. A node is in one list at a time;
 * a node of all zeros is in no list. A list that is not empty, and a node that is in a list, must
 * not move in memory. One thread, or the owner's lock.
 */
#ifndef SPLITDOM_BASE_LIST_H
#define SPLITDOM_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next, *prev; /* private; both NULL: in no list */
};

/* All zero: empty. */
struct list {
    /* private: the list is a circle through this node, so that neither end is a special case. The
     * first insertion closes the circle. */
    struct list_node end;
};

static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != NULL;
}

/* Private. node comes between two that follow each other. */
static inline void list_link(struct list_node *prev, struct list_node *node, struct list_node *next)
{
    assert(!list_is_linked(node));
    assert(prev->next == next && next->prev == prev);
    node->prev = prev;
    node->next = next;
    prev->next = next->prev = node;
}

/* Private. */
static inline void list_close_circle(struct list *list)
{
    if (list->end.next == NULL)
        list->end.next = list->end.prev = &list->end;
}

/* node is in no list. */
static inline void list_push_back(struct list *list, struct list_node *node)
{
    list_close_circle(list);
    list_link(list->end.prev, node, &list->end);
}

/* node is in no list. */
static inline void list_push_front(struct list *list, struct list_node *node)
{
    list_close_circle(list);
    list_link(&list->end, node, list->end.next);
}

/* Removes node from its list. */
static inline void list_remove(struct list_node *node)
{
    assert(list_is_linked(node));
    assert(node->prev->next == node && node->next->prev == node);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

/* The same, for a node that may be in none. */
static inline void list_drop(struct list_node *node)
{
    if (list_is_linked(node))
        list_remove(node);
}

/* NULL: the list is empty. */
static inline struct list_node *list_first(const struct list *list)
{
    return list->end.next != &list->end ? list->end.next : NULL;
}

/* NULL: the list is empty. */
static inline struct list_node *list_last(const struct list *list)
{
    return list->end.prev != &list->end ? list->end.prev : NULL;
}

/* node is in this list. NULL: node is its last. */
static inline struct list_node *list_next(const struct list *list, const struct list_node *node)
{
    return node->next != &list->end ? node->next : NULL;
}

static inline bool list_is_empty(const struct list *list)
{
    return list_first(list) == NULL;
}

/* All nodes of from go to the end of to, in their order. */
static inline void list_move_all(struct list *to, struct list *from)
{
    struct list_node *first = list_first(from), *last = list_last(from);

    if (first == NULL)
        return;
    list_close_circle(to);
    first->prev = to->end.prev;
    first->prev->next = first;
    last->next = &to->end;
    to->end.prev = last;
    from->end.next = from->end.prev = &from->end;
}

/* Removes the first node and returns it. NULL: the list is empty. */
static inline struct list_node *list_pop_front(struct list *list)
{
    struct list_node *first = list_first(list);

    if (first != NULL)
        list_remove(first);
    return first;
}

#endif
